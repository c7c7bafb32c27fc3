"""BPF instructions: opcodes, decoding, encoding, and patching in place.

An instruction is 8 bytes, a *slot*: opcode, two 4-bit registers, a 16-bit offset, a 32-bit
immediate. Only the load of a 64-bit immediate takes two slots. Jumps, calls and relocations count
slots, not instructions.

Kernel: struct bpf_insn, since v3.18.
"""

from __future__ import annotations

import struct

from .errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    ByteOrder = Literal["<", ">"]

__all__ = [
    "INSN_SIZE",
    "LD_IMM64",
    "Insn",
    "decode",
    "disassemble",
    "encode",
    "get_imm",
    "get_src",
    "set_imm",
    "set_imm64",
    "set_off",
    "set_src",
]

# Classes: the low three bits of an opcode.
BPF_LD = 0x00
BPF_LDX = 0x01
BPF_ST = 0x02
BPF_STX = 0x03
BPF_ALU = 0x04
BPF_JMP = 0x05
BPF_JMP32 = 0x06
BPF_ALU64 = 0x07

# Loads and stores: size and mode.
BPF_W = 0x00
BPF_H = 0x08
BPF_B = 0x10
BPF_DW = 0x18
BPF_IMM = 0x00
BPF_ABS = 0x20
BPF_IND = 0x40
BPF_MEM = 0x60
BPF_MEMSX = 0x80
BPF_ATOMIC = 0xC0

# Arithmetic and jumps: whether the operand is the immediate or a register.
BPF_K = 0x00
BPF_X = 0x08

BPF_ADD = 0x00
BPF_SUB = 0x10
BPF_MUL = 0x20
BPF_DIV = 0x30
BPF_OR = 0x40
BPF_AND = 0x50
BPF_LSH = 0x60
BPF_RSH = 0x70
BPF_NEG = 0x80
BPF_MOD = 0x90
BPF_XOR = 0xA0
BPF_MOV = 0xB0
BPF_ARSH = 0xC0
BPF_END = 0xD0
BPF_TO_LE = 0x00
BPF_TO_BE = 0x08

BPF_JA = 0x00
BPF_JEQ = 0x10
BPF_JGT = 0x20
BPF_JGE = 0x30
BPF_JSET = 0x40
BPF_JNE = 0x50
BPF_JSGT = 0x60
BPF_JSGE = 0x70
BPF_CALL = 0x80
BPF_EXIT = 0x90
BPF_JLT = 0xA0
BPF_JLE = 0xB0
BPF_JSLT = 0xC0
BPF_JSLE = 0xD0
BPF_JCOND = 0xE0

# Atomic operations, in the immediate of BPF_STX | BPF_ATOMIC; besides BPF_ADD, OR, AND, XOR.
BPF_FETCH = 0x01
BPF_XCHG = 0xE0 | BPF_FETCH
BPF_CMPXCHG = 0xF0 | BPF_FETCH
BPF_LOAD_ACQ = 0x100
BPF_STORE_REL = 0x110

# What a 64-bit immediate means: src_reg of LD_IMM64.
BPF_PSEUDO_MAP_FD = 1
BPF_PSEUDO_MAP_VALUE = 2
BPF_PSEUDO_BTF_ID = 3
BPF_PSEUDO_FUNC = 4
BPF_PSEUDO_MAP_IDX = 5
BPF_PSEUDO_MAP_IDX_VALUE = 6

# What a call calls, 0 being a helper: src_reg of BPF_JMP | BPF_CALL.
BPF_PSEUDO_CALL = 1
BPF_PSEUDO_KFUNC_CALL = 2

# src_reg of BPF_JMP | BPF_JCOND.
BPF_MAY_GOTO = 0

# off of BPF_ALU64 | BPF_MOV | BPF_X, where it selects another operation than a move.
BPF_ADDR_SPACE_CAST = 1

#: Bytes per slot.
INSN_SIZE = 8
#: The opcode of the one instruction that takes two slots.
LD_IMM64 = BPF_LD | BPF_DW | BPF_IMM

_SLOT = {"<": struct.Struct("<BBhi"), ">": struct.Struct(">BBhi")}
_IMM = {"<": struct.Struct("<i"), ">": struct.Struct(">i")}
_OFF = {"<": struct.Struct("<h"), ">": struct.Struct(">h")}


class Insn:
    """One instruction; `str()` is its text (see `disasm`).

    Attributes:
        code: the opcode, e.g. `BPF_JMP | BPF_CALL`.
        dst, src: registers, 0 to 10 in valid programs. `src` also tells kinds of calls and of
            64-bit immediates apart (`BPF_PSEUDO_*`).
        off: signed 16 bits: of a memory access in bytes; of a jump in slots, from the next one.
        imm: signed 32 bits.
        next_imm: the immediate of the second slot, signed 32 bits; 0 but for `LD_IMM64`.
    """

    __slots__ = ("code", "dst", "imm", "next_imm", "off", "src")

    def __init__(
        self, code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0, next_imm: int = 0
    ) -> None:
        self.code = code
        self.dst = dst
        self.src = src
        self.off = off
        self.imm = imm
        self.next_imm = next_imm

    @property
    def imm64(self) -> int:
        """The immediate as 64 bits, unsigned: both halves of `LD_IMM64`, else `imm` extended."""
        if self.code != LD_IMM64:
            return self.imm & 0xFFFFFFFFFFFFFFFF
        return (self.next_imm & 0xFFFFFFFF) << 32 | self.imm & 0xFFFFFFFF

    @property
    def slots(self) -> int:
        """How many slots of 8 bytes the instruction takes: 2 for `LD_IMM64`, else 1."""
        return 2 if self.code == LD_IMM64 else 1

    def _key(self) -> tuple[int, ...]:
        return self.code, self.dst, self.src, self.off, self.imm, self.next_imm

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Insn) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        text = f"Insn({self.code:#04x}, {self.dst}, {self.src}, {self.off}, {self.imm}"
        return text + (f", {self.next_imm})" if self.next_imm else ")")

    def __str__(self) -> str:
        from .disasm import text

        return text(self)


def decode(data: bytes | bytearray | memoryview, byte_order: ByteOrder = "<") -> list[Insn]:
    """Decode whole instructions.

    Raises:
        FormatError: the data ends inside an instruction, or the second slot of a 64-bit load holds
            more than an immediate.
    """
    if len(data) % INSN_SIZE:
        raise FormatError(f"{len(data)} bytes are not whole instructions of {INSN_SIZE} bytes")
    insns: list[Insn] = []
    big = byte_order == ">"
    slots = _SLOT[byte_order].iter_unpack(data)
    for code, registers, off, imm in slots:
        low, high = registers & 15, registers >> 4
        insn = Insn(code, high, low, off, imm) if big else Insn(code, low, high, off, imm)
        if code == LD_IMM64:
            *rest, insn.next_imm = next(slots, (None, 0))
            if rest != [0, 0, 0]:
                raise FormatError("a 64-bit load lacks its second half", offset=_size(insns))
        insns.append(insn)
    return insns


def _size(insns: list[Insn]) -> int:
    return INSN_SIZE * sum([insn.slots for insn in insns])


def encode(insns: Iterable[Insn], byte_order: ByteOrder = "<") -> bytes:
    """Encode instructions; immediates may also be given as unsigned 32 bits.

    Raises:
        ValueError: a field does not fit.
    """
    pack = _SLOT[byte_order].pack
    shift_dst, shift_src = (4, 0) if byte_order == ">" else (0, 4)
    parts = []
    for insn in insns:
        code, dst, src, off, imm, next_imm = insn._key()
        try:
            if dst > 15 or src > 15 or (next_imm and code != LD_IMM64):
                raise ValueError("no such register, or a second immediate that has no slot")
            parts.append(pack(code, dst << shift_dst | src << shift_src, off, _signed(imm)))
            if code == LD_IMM64:
                parts.append(pack(0, 0, 0, _signed(next_imm)))
        except (ValueError, struct.error) as error:
            raise ValueError(f"cannot encode {insn!r}: {error}") from error
    return b"".join(parts)


def _signed(value: int) -> int:
    """Return a 32-bit number, signed or unsigned, as signed; larger ones stay too large to pack."""
    return value - 0x100000000 if 0x80000000 <= value <= 0xFFFFFFFF else value


def disassemble(
    data: bytes | bytearray | memoryview, byte_order: ByteOrder = "<", *, first: int = 0
) -> list[str]:
    """Write instructions as text, each after the number of its (first) slot.

    Args:
        data: whole instructions.
        byte_order: the object's.
        first: the first slot's number.

    Raises:
        FormatError: as `decode`.
    """
    lines = []
    at = first
    for insn in decode(data, byte_order):
        lines.append(f"{at:4}: {insn}")
        at += insn.slots
    return lines


# In-place changes, for relocation: `code` holds instructions, `index` counts slots. None of them
# checks what instruction is there.


def get_imm(code: bytes | bytearray, index: int, byte_order: ByteOrder) -> int:
    """Return the immediate of a slot, signed."""
    imm: int = _IMM[byte_order].unpack_from(code, index * INSN_SIZE + 4)[0]
    return imm


def set_imm(code: bytearray, index: int, value: int, byte_order: ByteOrder) -> None:
    """Set the immediate of a slot, from 32 bits signed or unsigned."""
    _IMM[byte_order].pack_into(code, index * INSN_SIZE + 4, _signed(value))


def set_imm64(code: bytearray, index: int, value: int, byte_order: ByteOrder) -> None:
    """Set both immediates of a 64-bit load, from 64 bits signed or unsigned."""
    set_imm(code, index, value & 0xFFFFFFFF, byte_order)
    set_imm(code, index + 1, value >> 32 & 0xFFFFFFFF, byte_order)


def set_off(code: bytearray, index: int, value: int, byte_order: ByteOrder) -> None:
    """Set the offset of a slot, 16 bits signed."""
    _OFF[byte_order].pack_into(code, index * INSN_SIZE + 2, value)


def get_src(code: bytes | bytearray, index: int, byte_order: ByteOrder) -> int:
    """Return the source register of a slot."""
    # The C struct declares bitfields: dst_reg comes first, in the half that the ABI fills first.
    registers = code[index * INSN_SIZE + 1]
    return registers >> 4 if byte_order == "<" else registers & 15


def set_src(code: bytearray, index: int, value: int, byte_order: ByteOrder) -> None:
    """Set the source register of a slot."""
    at = index * INSN_SIZE + 1
    if byte_order == "<":
        code[at] = code[at] & 0x0F | value << 4
    else:
        code[at] = code[at] & 0xF0 | value
