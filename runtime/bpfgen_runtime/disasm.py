"""Writes BPF instructions as text.

The words are those of the kernel's verifier log, so that the two read alike:
`r1 = *(u64 *)(r6 +8)`, `w2 = w3` for the lower halves of registers, `call bpf_map_lookup_elem#1`.
Jumps and immediates are written as LLVM does, in decimal and from the next slot:
`if r1 == 7 goto +3`, `r1 = 0x10 ll`.
"""

from __future__ import annotations

from . import insn as op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .insn import Insn

__all__ = ["text"]

_SIZES = {op.BPF_B: "8", op.BPF_H: "16", op.BPF_W: "32", op.BPF_DW: "64"}

_OPERATORS = {
    op.BPF_ADD: "+=",
    op.BPF_SUB: "-=",
    op.BPF_MUL: "*=",
    op.BPF_DIV: "/=",
    op.BPF_OR: "|=",
    op.BPF_AND: "&=",
    op.BPF_LSH: "<<=",
    op.BPF_RSH: ">>=",
    op.BPF_MOD: "%=",
    op.BPF_XOR: "^=",
    op.BPF_MOV: "=",
    op.BPF_ARSH: "s>>=",
}

_CONDITIONS = {
    op.BPF_JEQ: "==",
    op.BPF_JGT: ">",
    op.BPF_JGE: ">=",
    op.BPF_JSET: "&",
    op.BPF_JNE: "!=",
    op.BPF_JSGT: "s>",
    op.BPF_JSGE: "s>=",
    op.BPF_JLT: "<",
    op.BPF_JLE: "<=",
    op.BPF_JSLT: "s<",
    op.BPF_JSLE: "s<=",
}

_ATOMICS = {op.BPF_ADD: "add", op.BPF_OR: "or", op.BPF_AND: "and", op.BPF_XOR: "xor"}

# What a 64-bit immediate stands for: `low` is the first slot's, `high` the second's.
_IMMEDIATES = {
    op.BPF_PSEUDO_MAP_FD: "map[fd:{low}]",
    op.BPF_PSEUDO_MAP_VALUE: "map[fd:{low}][0]+{high}",
    op.BPF_PSEUDO_BTF_ID: "btf[fd:{high}][{low}]",
    op.BPF_PSEUDO_FUNC: "subprog[{low:+}]",
    op.BPF_PSEUDO_MAP_IDX: "map[idx:{low}]",
    op.BPF_PSEUDO_MAP_IDX_VALUE: "map[idx:{low}][0]+{high}",
}


def text(insn: Insn) -> str:
    """Write one instruction; one that no kernel knows becomes `invalid` and its fields."""
    return _CLASSES[insn.code & 7](insn) or (
        f"invalid code={insn.code:#04x} dst={insn.dst} src={insn.src} off={insn.off} imm={insn.imm}"
    )


def _load(insn: Insn) -> str:
    """BPF_LD: 64-bit immediates, and the packet loads kept from classic BPF."""
    if insn.code == op.LD_IMM64:
        pattern = _IMMEDIATES.get(insn.src, "{whole:#x} ll")
        value = pattern.format(low=insn.imm, high=insn.next_imm, whole=insn.imm64)
        return f"r{insn.dst} = {value}"
    mode, size = _mode_and_size(insn)
    if mode == op.BPF_ABS and size != "64":
        return f"r0 = *(u{size} *)skb[{insn.imm}]"
    if mode == op.BPF_IND and size != "64":
        return f"r0 = *(u{size} *)skb[r{insn.src} + {insn.imm}]"
    return ""


def _load_memory(insn: Insn) -> str:
    mode, size = _mode_and_size(insn)
    if mode == op.BPF_MEMSX and size == "64":
        return ""
    sign = {op.BPF_MEM: "u", op.BPF_MEMSX: "s"}.get(mode)
    return f"r{insn.dst} = *({sign}{size} *)(r{insn.src} {insn.off:+})" if sign else ""


def _store_immediate(insn: Insn) -> str:
    mode, size = _mode_and_size(insn)
    if mode != op.BPF_MEM:
        return ""
    return f"*(u{size} *)(r{insn.dst} {insn.off:+}) = {insn.imm}"


def _store_register(insn: Insn) -> str:
    mode, size = _mode_and_size(insn)
    place = f"(u{size} *)(r{insn.dst} {insn.off:+})"
    if mode == op.BPF_MEM:
        return f"*{place} = r{insn.src}"
    if mode != op.BPF_ATOMIC:
        return ""
    if insn.imm == op.BPF_LOAD_ACQ:
        return f"r{insn.dst} = load_acquire((u{size} *)(r{insn.src} {insn.off:+}))"
    if insn.imm == op.BPF_STORE_REL:
        return f"store_release({place}, r{insn.src})"
    if size not in ("32", "64"):
        return ""
    prefix = "atomic64" if size == "64" else "atomic"
    if insn.imm == op.BPF_XCHG:
        return f"r{insn.src} = {prefix}_xchg({place}, r{insn.src})"
    if insn.imm == op.BPF_CMPXCHG:
        return f"r0 = {prefix}_cmpxchg({place}, r0, r{insn.src})"
    operation = insn.imm & ~op.BPF_FETCH
    if operation not in _ATOMICS:
        return ""
    if insn.imm & op.BPF_FETCH:
        return f"r{insn.src} = {prefix}_fetch_{_ATOMICS[operation]}({place}, r{insn.src})"
    return f"lock *{place} {_OPERATORS[operation]} r{insn.src}"


def _arithmetic(insn: Insn) -> str:
    wide = insn.code & 7 == op.BPF_ALU64
    by_register = bool(insn.code & op.BPF_X)
    operation = insn.code & 0xF0
    register = "r" if wide else "w"
    target, source = f"{register}{insn.dst}", f"{register}{insn.src}"
    if operation == op.BPF_NEG:
        return "" if by_register else f"{target} = -{target}"
    if operation == op.BPF_END:
        if insn.imm not in (16, 32, 64) or (wide and by_register):
            return ""
        swap = "bswap" if wide else "be" if by_register else "le"
        return f"r{insn.dst} = {swap}{insn.imm} r{insn.dst}"
    if operation not in _OPERATORS:
        return ""
    operator = _OPERATORS[operation]
    if operation in (op.BPF_DIV, op.BPF_MOD) and insn.off == 1:
        operator = "s" + operator
    if not by_register:
        return f"{target} {operator} {insn.imm}"
    if operation == op.BPF_MOV and insn.off:
        if wide and insn.off == op.BPF_ADDR_SPACE_CAST:
            to, origin = insn.imm >> 16 & 0xFFFF, insn.imm & 0xFFFF
            return f"{target} = addr_space_cast({source}, {to}, {origin})"
        if insn.off not in ((8, 16, 32) if wide else (8, 16)):
            return ""
        return f"{target} = (s{insn.off}){source}"
    return f"{target} {operator} {source}"


def _jump(insn: Insn) -> str:
    wide = insn.code & 7 == op.BPF_JMP
    by_register = bool(insn.code & op.BPF_X)
    operation = insn.code & 0xF0
    register = "r" if wide else "w"
    if operation in _CONDITIONS:
        other = f"{register}{insn.src}" if by_register else str(insn.imm)
        condition = f"{register}{insn.dst} {_CONDITIONS[operation]} {other}"
        return f"if {condition} goto {insn.off:+}"
    if operation == op.BPF_JA:
        if by_register:
            return f"gotox r{insn.dst}" if wide else ""
        return f"goto {insn.off:+}" if wide else f"gotol {insn.imm:+}"
    if not wide:
        return ""
    if operation == op.BPF_CALL:
        return f"callx r{insn.dst}" if by_register else _call(insn)
    if by_register:
        return ""
    if operation == op.BPF_JCOND and insn.src == op.BPF_MAY_GOTO:
        return f"may_goto {insn.off:+}"
    return "exit" if operation == op.BPF_EXIT else ""


def _call(insn: Insn) -> str:
    if insn.src == op.BPF_PSEUDO_CALL:
        return f"call {insn.imm:+}"
    if insn.src == op.BPF_PSEUDO_KFUNC_CALL:
        return f"call kfunc#{insn.imm}"
    from .uapi.enums import FuncId

    try:
        return f"call bpf_{FuncId(insn.imm).name}#{insn.imm}"
    except ValueError:  # a helper of a newer kernel
        return f"call unknown#{insn.imm}"


def _mode_and_size(insn: Insn) -> tuple[int, str]:
    return insn.code & 0xE0, _SIZES[insn.code & 0x18]


_CLASSES = (
    _load,
    _load_memory,
    _store_immediate,
    _store_register,
    _arithmetic,
    _jump,
    _jump,
    _arithmetic,
)
