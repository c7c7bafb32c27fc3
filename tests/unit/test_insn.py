"""Instructions: decoding, encoding, patching, and their text held against LLVM's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from bpfgen_runtime import insn as op
from bpfgen_runtime.elf.image import SHF_EXECINSTR
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import FormatError
from bpfgen_runtime.insn import Insn, decode, disassemble, encode
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clang import compile_bpf
from tests.support.requirements import tool

ByteOrder = Literal["<", ">"]
ORDERS: tuple[ByteOrder, ...] = ("<", ">")

# Encoded by llvm-mc 19 for -mcpu=v4 from the same instructions in LLVM's spelling; load_acquire and
# store_release by hand from the kernel's description, LLVM 19 does not have them.
ENCODED = [
    ("bf21080000000000", "r1 = (s8)r2"),
    ("bf43100000000000", "r3 = (s16)r4"),
    ("bf65200000000000", "r5 = (s32)r6"),
    ("bc21080000000000", "w1 = (s8)w2"),
    ("bc43100000000000", "w3 = (s16)w4"),
    ("3f21010000000000", "r1 s/= r2"),
    ("97010100f9ffffff", "r1 s%= -7"),
    ("3403010005000000", "w3 s/= 5"),
    ("9c43010000000000", "w3 s%= w4"),
    ("d701000010000000", "r1 = bswap16 r1"),
    ("d702000020000000", "r2 = bswap32 r2"),
    ("d703000040000000", "r3 = bswap64 r3"),
    ("dc04000010000000", "r4 = be16 r4"),
    ("d405000040000000", "r5 = le64 r5"),
    ("9121030000000000", "r1 = *(s8 *)(r2 +3)"),
    ("8921fcff00000000", "r1 = *(s16 *)(r2 -4)"),
    ("81a1f8ff00000000", "r1 = *(s32 *)(r10 -8)"),
    ("7201000005000000", "*(u8 *)(r1 +0) = 5"),
    ("6a010200ffffffff", "*(u16 *)(r1 +2) = -1"),
    ("6201040007000000", "*(u32 *)(r1 +4) = 7"),
    ("7a01f8ff09000000", "*(u64 *)(r1 -8) = 9"),
    ("0600000003000000", "gotol +3"),
    ("e500020000000000", "may_goto +2"),
    ("0500fdff00000000", "goto -3"),
    ("75010700fbffffff", "if r1 s>= -5 goto +7"),
    ("4601feff08000000", "if w1 & 8 goto -2"),
    ("4d21010000000000", "if r1 & r2 goto +1"),
    ("de43640000000000", "if w3 s<= w4 goto +100"),
    ("8d03000000000000", "callx r3"),
    ("8500000001000000", "call bpf_map_lookup_elem#1"),
    ("85000000e7030000", "call unknown#999"),
    ("9500000000000000", "exit"),
    ("bf21010001000000", "r1 = addr_space_cast(r2, 0, 1)"),
    ("bf21010000000100", "r1 = addr_space_cast(r2, 1, 0)"),
    ("8701000000000000", "r1 = -r1"),
    ("8402000000000000", "w2 = -w2"),
    ("18010000f0debc9a0000000078563412", "r1 = 0x123456789abcdef0 ll"),
    ("300000000c000000", "r0 = *(u8 *)skb[12]"),
    ("4870000000000000", "r0 = *(u16 *)skb[r7 + 0]"),
    ("20000000fcffffff", "r0 = *(u32 *)skb[-4]"),
    ("db21080000000000", "lock *(u64 *)(r1 +8) += r2"),
    ("c321f8ff40000000", "lock *(u32 *)(r1 -8) |= r2"),
    ("db21080050000000", "lock *(u64 *)(r1 +8) &= r2"),
    ("db210800a0000000", "lock *(u64 *)(r1 +8) ^= r2"),
    ("db21000001000000", "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)"),
    ("c3211000a1000000", "r2 = atomic_fetch_xor((u32 *)(r1 +16), r2)"),
    ("db210000e1000000", "r2 = atomic64_xchg((u64 *)(r1 +0), r2)"),
    ("c3210400e1000000", "r2 = atomic_xchg((u32 *)(r1 +4), r2)"),
    ("db31f8fff1000000", "r0 = atomic64_cmpxchg((u64 *)(r1 -8), r0, r3)"),
    ("c3310800f1000000", "r0 = atomic_cmpxchg((u32 *)(r1 +8), r0, r3)"),
    ("d310080000010000", "r0 = load_acquire((u8 *)(r1 +8))"),
    ("db21f8ff10010000", "store_release((u64 *)(r1 -8), r2)"),
    ("c70100003f000000", "r1 s>>= 63"),
    ("cc21000000000000", "w1 s>>= w2"),
]

# Kinds of calls and of 64-bit immediates.
PSEUDO = [
    (Insn(0x85, src=op.BPF_PSEUDO_CALL, imm=-5), "call -5"),
    (Insn(0x85, src=op.BPF_PSEUDO_KFUNC_CALL, imm=77), "call kfunc#77"),
    (Insn(0x18, 1, op.BPF_PSEUDO_MAP_FD, imm=4), "r1 = map[fd:4]"),
    (Insn(0x18, 1, op.BPF_PSEUDO_MAP_VALUE, imm=4, next_imm=16), "r1 = map[fd:4][0]+16"),
    (Insn(0x18, 1, op.BPF_PSEUDO_BTF_ID, imm=9, next_imm=3), "r1 = btf[fd:3][9]"),
    (Insn(0x18, 1, op.BPF_PSEUDO_FUNC, imm=12), "r1 = subprog[+12]"),
    (Insn(0x18, 1, op.BPF_PSEUDO_MAP_IDX, imm=2), "r1 = map[idx:2]"),
    (Insn(0x18, 1, op.BPF_PSEUDO_MAP_IDX_VALUE, imm=2, next_imm=8), "r1 = map[idx:2][0]+8"),
]

INVALID = [
    Insn(0xF7, 1),  # no such operation
    Insn(0x8F, 1, 2),  # negation of another register
    Insn(0xDF, 1, imm=16),  # bswap has no second form
    Insn(0xDC, 1, imm=8),  # byte swap of a byte
    Insn(0xBF, 1, 2, 7),  # sign extension from 7 bits
    Insn(0xBC, 1, 2, 32),  # w1 = (s32)w2
    Insn(0x38, 1),  # packet load of 64 bits
    Insn(0x00, 1),  # half of a 64-bit load
    Insn(0x99, 1, 2),  # sign extension from 64 bits
    Insn(0xB9, 1, 2),  # no such mode
    Insn(0x1A, 1, 2),
    Insn(0x1B, 1, 2),
    Insn(0xDB, 1, 2, 0, 0x10),  # no such atomic operation
    Insn(0xD3, 1, 2, 0, 0x00),  # atomic addition of bytes
    Insn(0x86, imm=1),  # call in the 32-bit class
    Insn(0x0E, 1),
    Insn(0xE5, src=1),
    Insn(0x9D),
    Insn(0xF5, 1),
]


@pytest.mark.parametrize(("encoded", "text"), ENCODED)
def test_text_of_encoded(encoded: str, text: str) -> None:
    """Every operation of -mcpu=v4 is decoded and written as expected."""
    (insn,) = decode(bytes.fromhex(encoded))
    assert str(insn) == text


@pytest.mark.parametrize(("insn", "text"), PSEUDO)
def test_text_of_pseudo(insn: Insn, text: str) -> None:
    """Calls and immediates say what they stand for."""
    assert str(insn) == text


@pytest.mark.parametrize("insn", INVALID, ids=repr)
def test_text_of_invalid(insn: Insn) -> None:
    """An instruction that no kernel accepts is written as such, with its fields."""
    assert str(insn).startswith(f"invalid code={insn.code:#04x} dst={insn.dst} ")


def test_every_opcode_has_text() -> None:
    """No opcode and no operand breaks the disassembler."""
    for code in range(256):
        for imm in (0, 1, 16, 0xE1, 0xF1, 0x100, 0x110):
            for src, off in ((0, 0), (1, 1), (2, 8)):
                assert str(Insn(code, 3, src, off, imm))


def test_numbers_count_slots() -> None:
    """A 64-bit load takes two numbers."""
    code = encode([Insn(0x18, 1, imm=5), Insn(0x95)])
    assert disassemble(code) == ["   0: r1 = 0x5 ll", "   2: exit"]
    assert disassemble(code, first=40)[1] == "  42: exit"


i32 = st.integers(-(2**31), 2**31 - 1)
INSNS = st.builds(
    Insn,
    st.integers(0, 255),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(-(2**15), 2**15 - 1),
    i32,
).flatmap(
    lambda insn: (
        st.builds(Insn, st.just(0x18), st.just(insn.dst), st.just(insn.src), st.just(0), i32, i32)
        if insn.code == 0x18
        else st.just(insn)
    )
)


@given(st.lists(INSNS), st.sampled_from(ORDERS))
def test_decode_inverts_encode(insns: list[Insn], byte_order: ByteOrder) -> None:
    """decode(encode(x)) == x, in both byte orders."""
    assert decode(encode(insns, byte_order), byte_order) == insns


@given(st.binary(max_size=64), st.sampled_from(ORDERS))
def test_encode_inverts_decode(data: bytes, byte_order: ByteOrder) -> None:
    """encode(decode(x)) == x for whatever decodes; the rest is a FormatError."""
    try:
        insns = decode(data, byte_order)
    except FormatError:
        return
    assert encode(insns, byte_order) == data


@given(st.lists(INSNS))
def test_byte_orders(insns: list[Insn]) -> None:
    """Big-endian is little-endian with each field's bytes, and the registers, swapped."""
    little, big = encode(insns, "<"), encode(insns, ">")
    for at in range(0, len(little), 8):
        code, registers, *rest = little[at : at + 8]
        swapped = (registers & 15) << 4 | registers >> 4
        assert big[at : at + 8] == bytes((code, swapped, *rest[1::-1], *rest[:1:-1]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(7), "whole instructions"),
        (bytes.fromhex("1801000000000000"), "lacks its second half"),
        (bytes.fromhex("18010000000000009500000000000000"), "lacks its second half"),
        (bytes.fromhex("950000000000000018010000000000000001000000000000"), "at offset 0x8"),
    ],
)
def test_decode_refuses(data: bytes, message: str) -> None:
    """Half an instruction is an error."""
    with pytest.raises(FormatError, match=message):
        decode(data)


@pytest.mark.parametrize(
    "insn",
    [
        Insn(256),
        Insn(-1),
        Insn(0x95, dst=16),
        Insn(0x95, src=16),
        Insn(0x95, src=-1),
        Insn(0x05, off=0x8000),
        Insn(0xB7, imm=2**32),
        Insn(0xB7, imm=-(2**31) - 1),
        Insn(0xB7, next_imm=1),
    ],
    ids=repr,
)
def test_encode_refuses(insn: Insn) -> None:
    """A field that does not fit is an error that shows the instruction."""
    with pytest.raises(ValueError, match=re.escape(repr(insn))):
        encode([insn])


def test_unsigned_immediates_are_encoded() -> None:
    """An immediate may be given as unsigned 32 bits."""
    assert encode([Insn(0xB7, imm=0xFFFFFFFF)]) == encode([Insn(0xB7, imm=-1)])


def test_imm64() -> None:
    """The 64-bit immediate is unsigned and made of both halves; others are extended."""
    assert Insn(0x18, imm=-1, next_imm=1).imm64 == 0x1FFFFFFFF
    assert Insn(0xB7, imm=-1).imm64 == 0xFFFFFFFFFFFFFFFF


@pytest.mark.parametrize("byte_order", ORDERS)
def test_patching(byte_order: ByteOrder) -> None:
    """The in-place helpers change one field of one slot and leave the others."""
    code = bytearray(
        encode([Insn(0xB7, 1, 2, 3, 4), Insn(0x18, 5, 6, imm=7, next_imm=8)], byte_order)
    )
    op.set_imm(code, 0, 0xFFFFFFFE, byte_order)
    op.set_off(code, 0, -9, byte_order)
    op.set_src(code, 0, 10, byte_order)
    assert decode(code, byte_order)[0] == Insn(0xB7, 1, 10, -9, -2)
    assert (op.get_imm(code, 0, byte_order), op.get_src(code, 0, byte_order)) == (-2, 10)
    op.set_src(code, 1, 1, byte_order)
    op.set_imm64(code, 1, -3, byte_order)
    changed = decode(code, byte_order)[1]
    assert (changed.dst, changed.src, changed.imm64) == (5, 1, 2**64 - 3)


@pytest.mark.needs("linux-headers")
def test_constants_are_the_kernels() -> None:
    """Every BPF_* constant has the number that linux/bpf.h and linux/bpf_common.h give it."""
    ours = {name: value for name, value in vars(op).items() if name.startswith("BPF_")}
    defined: dict[str, int] = {}
    for header in ("bpf_common.h", "bpf.h"):
        text = Path("/usr/include/linux", header).read_text()
        for name, value in re.findall(r"#define\s+(BPF_\w+)\s+(\(.*\)|0x\w+|\d+)", text):
            if name in ours:
                defined[name] = eval(value, dict(ours))
    # Newer than the headers of some distributions, or not in them at all.
    newer = {"BPF_MAY_GOTO", "BPF_JCOND", "BPF_MEMSX", "BPF_ADDR_SPACE_CAST"}
    newer |= {"BPF_LOAD_ACQ", "BPF_STORE_REL"}
    assert ours.keys() - defined.keys() <= newer
    assert {name: ours[name] for name in defined} == defined


OBJECTS = [
    ("elf_sample", ("-mcpu=v1",)),
    ("elf_sample", ("-mcpu=v2",)),
    ("elf_sample", ("-mcpu=v3",)),
    ("elf_sample", ("-target", "bpfeb")),
    ("elf_atomics", ()),
]


@pytest.mark.parametrize(("name", "flags"), OBJECTS)
def test_text_agrees_with_llvm(name: str, flags: tuple[str, ...]) -> None:
    """On compiled objects every line says the same as llvm-objdump's, after both are normalised."""
    path = compile_bpf(name, *flags)
    done = subprocess.run(
        # Without the attribute it takes 32-bit atomic operations for unknown.
        [tool("llvm-objdump"), "-d", "--no-show-raw-insn", "--mattr=+alu32", path],
        capture_output=True,
        text=True,
        check=True,
    )
    expected: list[str] = []
    for line in done.stdout.splitlines():
        if match := re.fullmatch(r"\s+(\d+):\s+(.*)", line):
            expected.append(f"{match[1]}: {_normal_llvm(match[2])}")
    image = read_elf(path)
    ours = [
        _normal_ours(line).strip()
        for section in image.sections
        if section.flags & SHF_EXECINSTR
        for line in disassemble(section.data, image.byte_order)
    ]
    assert len(ours) > 40 or name == "elf_atomics"
    assert ours == expected


def _normal_ours(line: str) -> str:
    line = re.sub(r"call (bpf_\w+#|\+)", "call ", line)
    line = line.replace("atomic64_", "atomic_")
    return _decimal(line)


def _normal_llvm(text: str) -> str:
    text = re.sub(r"\s*<[^<> ]*>$", "", text)  # the label of a jump
    text = re.sub(r"\((r\d+) ([+-]) (\w+)\)", r"(\1 \2\3)", text)
    # Exchanges have a spelling of their own in LLVM.
    text = re.sub(
        r"(\w+) = (cmp)?xchg(32)?_(32|64)\((r\d+) ([+-]) (\w+), ",
        r"\1 = atomic_\2xchg((u\4 *)(\5 \6\7), ",
        text,
    )
    # The kernel writes memory accesses with whole registers, LLVM by what is used of them.
    if "*)" in text and "(s" not in text:
        text = re.sub(r"\bw(\d+)", r"r\1", text)
    return _decimal(text)


def _decimal(line: str) -> str:
    return re.sub(r"\b0x([0-9a-f]+)", lambda match: str(int(match[1], 16)), line)
