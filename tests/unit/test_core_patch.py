"""Values into instructions: every form, sizes of loads, poison, and what is refused."""

from __future__ import annotations

from typing import Literal

import pytest
from bpfgen_runtime.core import POISON, Resolution, patch
from bpfgen_runtime.errors import RelocationError
from bpfgen_runtime.insn import (
    BPF_ADD,
    BPF_ALU,
    BPF_ALU64,
    BPF_B,
    BPF_CALL,
    BPF_DW,
    BPF_EXIT,
    BPF_H,
    BPF_JMP,
    BPF_LDX,
    BPF_MEM,
    BPF_MEMSX,
    BPF_MOV,
    BPF_ST,
    BPF_STX,
    BPF_W,
    BPF_X,
    LD_IMM64,
    Insn,
    decode,
    encode,
)

Order = Literal["<", ">"]


def result(original: int, value: int, sizes: tuple[int, int] = (0, 0), **more: bool) -> Resolution:
    made = Resolution(original, value, poison=more.pop("poison", False))
    made.original_size, made.size = sizes
    for name, flag in more.items():
        setattr(made, name, flag)
    return made


def patched(insn: Insn, outcome: Resolution, order: Order = "<") -> tuple[bool, list[Insn]]:
    before, after = Insn(BPF_ALU64 | BPF_MOV, imm=1), Insn(BPF_JMP | BPF_EXIT)
    code = bytearray(encode([before, insn, after], order))
    poisoned = patch(code, 1, outcome, order, "there")
    first, *middle, last = decode(bytes(code), order)
    assert (first, last) == (before, after)
    return poisoned, middle


LDX, LDXSX = BPF_LDX | BPF_MEM, BPF_LDX | BPF_MEMSX


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("insn", "outcome", "expected"),
    [
        # ALU: the immediate
        (Insn(BPF_ALU64 | BPF_ADD, 1, imm=8), (8, 96), Insn(BPF_ALU64 | BPF_ADD, 1, imm=96)),
        (Insn(BPF_ALU | BPF_MOV, 1, imm=8), (8, 96), Insn(BPF_ALU | BPF_MOV, 1, imm=96)),
        (
            Insn(BPF_ALU64 | BPF_MOV, 1, imm=-1),
            ((1 << 64) - 1, 0x80000000),
            Insn(BPF_ALU64 | BPF_MOV, 1, imm=-(1 << 31)),
        ),
        # LDX, ST, STX: the offset; sizes do not matter unless they change
        (Insn(LDX | BPF_W, 1, 2, 8), (8, 0x7FFF), Insn(LDX | BPF_W, 1, 2, 0x7FFF)),
        (
            Insn(BPF_ST | BPF_MEM | BPF_W, 1, 0, 8, 5),
            (8, 96),
            Insn(BPF_ST | BPF_MEM | BPF_W, 1, 0, 96, 5),
        ),
        (
            Insn(BPF_STX | BPF_MEM | BPF_DW, 1, 2, 8),
            (8, 96, (8, 2)),
            Insn(BPF_STX | BPF_MEM | BPF_H, 1, 2, 96),
        ),
        (Insn(LDX | BPF_W, 1, 2, 8), (8, 96, (4, 8)), Insn(LDX | BPF_DW, 1, 2, 96)),
        (Insn(LDX | BPF_DW, 1, 2, 8), (8, 96, (8, 4)), Insn(LDX | BPF_W, 1, 2, 96)),
        (Insn(LDX | BPF_H, 1, 2, 8), (8, 96, (2, 1)), Insn(LDX | BPF_B, 1, 2, 96)),
        (Insn(LDXSX | BPF_B, 1, 2, 8), (8, 96, (1, 1)), Insn(LDXSX | BPF_B, 1, 2, 96)),
        (Insn(LDXSX | BPF_W, 1, 2, 8), (8, 96, (4, 2)), Insn(LDXSX | BPF_H, 1, 2, 96)),
        # LDIMM64: both halves
        (
            Insn(LD_IMM64, 3, imm=7),
            (7, 0xFEDCBA9876543210),
            Insn(LD_IMM64, 3, imm=0x76543210, next_imm=-0x1234568),
        ),
    ],
)
def test_patch(insn: Insn, outcome: tuple[int, ...], expected: Insn, order: Order) -> None:
    """The value goes where the instruction has it; a load gets the field's size."""
    poisoned, found = patched(insn, result(*outcome), order)  # type: ignore[arg-type]
    assert not poisoned
    assert encode(found, order) == encode([expected], order)


POISONED = Insn(BPF_JMP | BPF_CALL, imm=POISON)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("insn", "outcome", "count"),
    [
        (Insn(BPF_ALU64 | BPF_MOV, 1, imm=8), result(8, 0, poison=True), 1),
        (Insn(BPF_ALU64 | BPF_MOV, 1, imm=99), result(8, 0, poison=True), 1),  # not even compared
        (Insn(LD_IMM64, 3, imm=7), result(7, 0, poison=True), 2),
        (Insn(LDX | BPF_W, 1, 2, 8), result(8, 0, poison=True), 1),
        (Insn(LDX | BPF_W, 1, 2, 8), result(8, 96, (4, 8), bad_resize=True), 1),
        (Insn(BPF_JMP | BPF_EXIT), result(8, 0, poison=True), 1),
    ],
)
def test_poison(insn: Insn, outcome: Resolution, count: int, order: Order) -> None:
    """What cannot be satisfied becomes a call that no kernel has, both halves of a 64-bit load."""
    assert patched(insn, outcome, order) == (True, [POISONED] * count)


def test_bad_resize_matters_to_loads_only() -> None:
    """An ALU instruction takes the offset whatever the sizes: the program reads by itself."""
    outcome = result(8, 96, (4, 8), bad_resize=True)
    insn = Insn(BPF_ALU64 | BPF_ADD, 1, imm=8)
    assert patched(insn, outcome) == (False, [Insn(BPF_ALU64 | BPF_ADD, 1, imm=96)])


@pytest.mark.parametrize(
    ("insn", "outcome", "message"),
    [
        (Insn(BPF_ALU64 | BPF_ADD, 1, imm=9), result(8, 96), "holds 9, .* says 8"),
        (Insn(LDX | BPF_W, 1, 2, 9), result(8, 96), "holds 9, .* says 8"),
        (Insn(LD_IMM64, 3, imm=9), result(8, 96), "holds 9, .* says 8"),
        (Insn(BPF_ALU64 | BPF_ADD | BPF_X, 1, 2), result(0, 96), "with two registers"),
        (Insn(LDX | BPF_W, 1, 2, 8), result(8, 0x8000), "32768 does not fit 16 bits"),
        (
            Insn(LDX | BPF_W, 1, 2, 8),
            result(8, 0x8000, (4, 8), bad_resize=True),
            "does not fit 16 bits",
        ),
        (Insn(LDX | BPF_H, 1, 2, 8), result(8, 96, (4, 8)), "accesses 2 bytes, the field has 4"),
        (Insn(LDX | BPF_W, 1, 2, 8), result(8, 96, (4, 3)), "has 3 bytes on this kernel"),
        (Insn(LD_IMM64, 3, 1, imm=8), result(8, 96), "64-bit load of this form"),
        (Insn(LD_IMM64, 3, 0, 1, imm=8), result(8, 96), "64-bit load of this form"),
        (Insn(BPF_JMP | BPF_EXIT), result(0, 96), "opcode 0x95 cannot be relocated"),
        (Insn(0x20, imm=8), result(8, 96), "opcode 0x20 cannot be relocated"),
    ],
)
def test_refused(insn: Insn, outcome: Resolution, message: str) -> None:
    """An instruction that is not what the record says is an error that tells where."""
    with pytest.raises(RelocationError, match=f"^there.*{message}"):
        patched(insn, outcome)


def test_unchecked() -> None:
    """Where the compiler's number proves nothing, another one is no error."""
    insn = Insn(BPF_ALU64 | BPF_ADD, 1, imm=9)
    assert not patched(insn, result(8, 96, validate=False))[0]


@pytest.mark.parametrize(
    ("code", "index"),
    [
        (encode([Insn(BPF_JMP | BPF_EXIT)], "<"), 1),
        (encode([Insn(LD_IMM64, 1)], "<")[:8], 0),
        (b"", 0),
        (bytes(12), 1),
    ],
)
@pytest.mark.parametrize("poison", [False, True])
def test_beyond_the_end(code: bytes, index: int, poison: bool) -> None:
    """A record of an instruction that the function does not have whole is an error."""
    with pytest.raises(RelocationError, match="there: the function ends before it"):
        patch(bytearray(code), index, result(0, 0, poison=poison), "<", "there")
