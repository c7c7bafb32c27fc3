"""Putting a relocation's value into its instruction."""

from __future__ import annotations

from struct import Struct

from ..errors import RelocationError
from ..insn import (
    BPF_ALU,
    BPF_ALU64,
    BPF_B,
    BPF_CALL,
    BPF_DW,
    BPF_H,
    BPF_JMP,
    BPF_LDX,
    BPF_ST,
    BPF_STX,
    BPF_W,
    BPF_X,
    INSN_SIZE,
    LD_IMM64,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .value import Resolution

#: The helper number of a poisoned call: 0xbad2310, "bad relo". The verifier refuses it with
#: `invalid func unknown#195896080`, unless the instruction is dead code.
POISON = 195896080

_SIZES = {BPF_DW: 8, BPF_W: 4, BPF_H: 2, BPF_B: 1}
_SIZE_MASK = 0x18
_SIZE_BITS = {size: bits for bits, size in _SIZES.items()}
_INSN = {order: Struct(order + "BBhi") for order in "<>"}

_LD_IMM64 = bytes([LD_IMM64])
_U32 = (1 << 32) - 1
_U64 = (1 << 64) - 1


def patch(insns: bytearray, index: int, result: Resolution, byte_order: str, what: str) -> bool:
    """Patch instruction number `index` in place.

    Args:
        insns: the program, 8 bytes an instruction.
        result: what belongs there.
        byte_order: `"<"` or `">"`, of the instructions.
        what: what that is, for messages.

    Returns:
        Whether the instruction is poisoned now.

    Raises:
        RelocationError: the instruction is of no kind that CO-RE relocates, or holds something else
            than the compiler must have put there, or the new offset does not fit its 16 bits.
    """
    insn = _INSN[byte_order]
    at = INSN_SIZE * index
    if at + INSN_SIZE * (2 if insns[at : at + 1] == _LD_IMM64 else 1) > len(insns):
        raise RelocationError(f"{what}: the function ends before it")
    code, regs, off, imm = insn.unpack_from(insns, at)
    class_ = code & 7
    is_access = class_ in (BPF_LDX, BPF_ST, BPF_STX)
    if result.poison or (is_access and _refuses_resize(result, off, what)):
        poison(insns, index, byte_order)
        return True
    if class_ in (BPF_ALU, BPF_ALU64):
        if code & BPF_X:
            raise RelocationError(f"{what}: an operation with two registers cannot be relocated")
        _check(result, imm, what)
        insn.pack_into(insns, at, code, regs, off, _signed32(result.value))
    elif is_access:
        if result.size != result.original_size:
            code = _resized(code, result, what)
        insn.pack_into(insns, at, code, regs, result.value, imm)
    elif code == LD_IMM64:
        second = insn.unpack_from(insns, at + INSN_SIZE)
        if regs & (0xF0 if byte_order == "<" else 0x0F) or off or any(second[:3]):
            raise RelocationError(f"{what}: a 64-bit load of this form cannot be relocated")
        _check(result, (imm & _U32) | (second[3] & _U32) << 32, what)
        insn.pack_into(insns, at, code, regs, 0, _signed32(result.value))
        insn.pack_into(insns, at + INSN_SIZE, 0, 0, 0, _signed32(result.value >> 32))
    else:
        raise RelocationError(f"{what}: opcode {code:#04x} cannot be relocated")
    return False


def poison(insns: bytearray, index: int, byte_order: str) -> None:
    """Replace an instruction, both slots of a 64-bit load, by a call that no kernel has."""
    slots = 2 if insns[INSN_SIZE * index] == LD_IMM64 else 1
    for slot in range(index, index + slots):
        _INSN[byte_order].pack_into(insns, INSN_SIZE * slot, BPF_JMP | BPF_CALL, 0, 0, POISON)


def _refuses_resize(result: Resolution, off: int, where: str) -> bool:
    _check(result, off, where)
    if result.value > 0x7FFF:
        raise RelocationError(f"{where}: offset {result.value} does not fit 16 bits")
    return result.bad_resize


def _check(result: Resolution, found: int, where: str) -> None:
    if result.validate and found & _U64 != result.original:
        raise RelocationError(
            f"{where} holds {found}, the type information says {result.original}: object damaged?"
        )


def _resized(code: int, result: Resolution, where: str) -> int:
    size = _SIZES[code & _SIZE_MASK]
    if size != result.original_size:
        raise RelocationError(
            f"{where} accesses {size} bytes, the field has {result.original_size}: object damaged?"
        )
    if result.size not in _SIZE_BITS:
        raise RelocationError(f"{where}: the field has {result.size} bytes on this kernel")
    return code & ~_SIZE_MASK | _SIZE_BITS[result.size]


def _signed32(value: int) -> int:
    value &= _U32
    return value - (1 << 32) if value >> 31 else value
