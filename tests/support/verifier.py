"""What the verifier is expected to dislike about tests/bpf/bad_*.bpf.c, on any kernel."""

from __future__ import annotations

import re
from typing import NamedTuple


class Refusal(NamedTuple):
    """One program's failure.

    Attributes:
        complaint: matches the kernel's reason.
        hint: part of the advice.
        insn: part of the failing instruction's text, "" where the log shows none.
        marked: whether that is on the source line marked `here`.
    """

    complaint: re.Pattern[str]
    hint: str
    insn: str = ""
    marked: bool = True


def _refusal(complaint: str, hint: str, insn: str = "", marked: bool = True) -> Refusal:
    return Refusal(re.compile(complaint), hint, insn, marked)


def expected(name: str, log: str) -> Refusal:
    """Give what is expected of a program, by what this kernel's log says."""
    usual = UNPRIVILEGED.get(name) or EXPECTED[name]
    every: tuple[Refusal, ...] = (usual, *OTHERWISE.get(name, ()))
    (found,) = [each for each in every if each.complaint.search(log)]
    return found


_POISON = "Whoever poisoned it says why"

EXPECTED: dict[str, Refusal] = {
    "argument": _refusal(r"R3 type=(inv|scalar) expected=", "Argument 3", "#26"),
    "bounds": _refusal(r"invalid access to map value", "Bound the index", "*(u32 *)(r0 +0) ="),
    "constant": _refusal(r"write into map forbidden", "constant", "*(u32 *)(r1 +0) ="),
    "core": _refusal(r"invalid func unknown#195896080", _POISON, "call unknown", marked=False),
    "ctx": _refusal(r"invalid bpf_context access off=100 size=4", "context", "(r1 +100)"),
    "early_return": _refusal(
        r"Unreleased reference id=\d+ alloc_insn=\d+", "every path", "exit", marked=False
    ),
    "global_arg": _refusal(r"R1 invalid mem access '(mem|rdwr_mem)_or_null'", "NULL", "(r1 +0)"),
    "helper": _refusal(
        r"(unknown func|program of this type cannot use helper) bpf_skb_load_bytes#26",
        "does not offer that helper",
        "#26",
    ),
    "infinite": _refusal(r"infinite loop detected at insn", "count its turns", " = *(u32 *)"),
    "insn_limit": _refusal(r"BPF program is too large\. Processed 1000001 insn", "1000001"),
    "jumps": _refusal(
        r"too large\. Processed 1000001 insn|sequence of 8193 jumps is too complex", "bound"
    ),
    "kfunc": _refusal(r"invalid func unknown#2002000000", _POISON, "call unknown"),
    "long_log": _refusal(r"invalid access to packet", "data_end", "+12)"),
    "lock": _refusal(r"spin_(un)?lock", "bpf_spin_unlock()", "exit", marked=False),
    "map_type": _refusal(r"cannot pass map_type 2 into func", "bpf_ringbuf_output() does", "#130"),
    "null": _refusal(r"R0 invalid mem access 'map_value_or_null'", "NULL", "(r0 +0)"),
    "packet": _refusal(r"invalid access to packet, off=12", "data_end", "(r1 +12)"),
    "recursion": _refusal(
        r"call stack of \d+ frames|back-edge from insn|recursive call from", "recurse"
    ),
    "register": _refusal(r"R7 !read_ok", "R7 is read before", "= r7"),
    "return": _refusal(r"At program exit the register R0 has", "may return", "exit"),
    "scalar": _refusal(r"R1 invalid mem access '(inv|scalar)'", "R1 is a number", "(r1 +0)"),
    "size": _refusal(r"min value is negative|invalid zero-sized read", "range", "#26"),
    "stack": _refusal(r"combined stack size of 2 calls is \d+", "512 bytes"),
    "stack_read": _refusal(r"stack", "array on the stack", "(r2 +0)"),
    "unreachable": _refusal(r"unreachable insn 1", "Nothing leads"),
    "unreleased": _refusal(r"Unreleased reference id=\d+ alloc_insn=\d+", "every path", "exit"),
}

#: Of tests/bpf/unprivileged_*.bpf.c: refused only to a process without CAP_BPF. Such a one may load
#: no types, so that the log has no lines of C.
UNPRIVILEGED: dict[str, Refusal] = {
    "unprivileged_loop": _refusal(r"back-edge from insn 5 to 2", "a caller without CAP_BPF"),
}

#: What kernels refuse earlier, for another reason: before v5.12 global functions took no pointers.
OTHERWISE: dict[str, tuple[Refusal, ...]] = {
    "global_arg": (_refusal(r"Arg#0 type PTR in twice\(\) is not supported", "global functions"),),
}
