"""What to do about what the verifier says: its complaints, as old and new kernels word them."""

from __future__ import annotations

import re

__all__ = ["advice"]

#: Complaint -> advice, the first match counts. `{0}` … are what the pattern's groups found.
_ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"R(\d+) invalid mem access '(?:map_value|ptr_mem|ptr_map_value)_or_null'",
        "Check the pointer for NULL before using it: a map has not every key"
        " (bpf_map_lookup_elem), and what is optional may be absent",
    ),
    (
        r"R(\d+) invalid mem access '(?:alloc_mem|ringbuf_mem|rdonly_mem|rdwr_mem|mem)_or_null'",
        "Check the pointer for NULL before using it: a reservation can fail, and a global function"
        " is verified for any argument, NULL included",
    ),
    (
        r"R(\d+) (?:invalid mem access '\w*_or_null_?'|pointer arithmetic on \w+_or_null)",
        "Check the pointer for NULL before using it",
    ),
    (
        r"R(\d+) invalid mem access '(?:inv|scalar)'",
        "R{0} is a number to the verifier, not a pointer it knows: read kernel memory with"
        " bpf_probe_read_kernel() or BPF_CORE_READ(), and do not pass pointers through"
        " arithmetic or integers",
    ),
    (
        r"invalid access to packet",
        "Compare with data_end before reading: if (pointer + size > data_end) return",
    ),
    (
        r"invalid access to map value|R\d+ (?:min|max) value is outside of the (?:array|allowed)"
        r"|R\d+ unbounded memory access",
        "Bound the index or offset where it is used: if (index >= N) return, or index &= N - 1"
        " for a power of two",
    ),
    (
        r"write into map forbidden|R\d+ cannot write into",
        "What is constant (.rodata, const, a read-only map) cannot be written: use a variable that"
        " is not const",
    ),
    (
        r"invalid (?:read from|write to|indirect read from|indirect access to) stack"
        r"|(?:invalid|unbounded) (?:unbounded )?variable-offset .*stack|invalid variable-offset"
        r"|variable stack access|invalid stack (?:type|off)",
        "Stay within the array on the stack, and initialise it ({{}} or memset) before it is read",
    ),
    (
        r"min value is negative|R\d+ unbounded|invalid zero-sized",
        "Tell the verifier the range of the size: make it unsigned, and bound it on both ends"
        " (if (size == 0 || size > sizeof(buffer)) return)",
    ),
    (
        r"infinite loop detected",
        "The loop can come back to where it was with nothing changed: count its turns and bound"
        " them, or use bpf_loop() or bpf_for()",
    ),
    (
        r"back-edge from insn",
        "Loops are refused here (a kernel before 5.3, a caller without CAP_BPF, or a function that"
        " calls itself): unroll with #pragma unroll, or do not recurse",
    ),
    (
        r"BPF program is too large\. Processed (\d+) insn",
        "It looked at {0} instructions over all paths: bound loops lower, use bpf_loop(), or make"
        " parts global functions, which are verified once",
    ),
    (
        r"the sequence of (\d+) jumps is too complex",
        "Too many branches wait to be followed: a loop whose end the verifier cannot see? Bound it"
        " by a constant, or use bpf_loop()",
    ),
    (
        r"Unreleased reference id=\d+ alloc_insn=(\d+)|would lead to reference leak"
        r"|reference has not been acquired|reference leak",
        "Release what was acquired on every path, early returns included, e.g. by"
        " bpf_ringbuf_submit() or bpf_ringbuf_discard()",
    ),
    (
        r"combined stack size|stack depth \d+|Stack size .* too large",
        "All functions on a path of calls share 512 bytes of stack: move large variables into a"
        " per-CPU array map",
    ),
    (
        r"call stack of \d+ frames|recursive call from",
        "Functions nest 8 deep at most and may not recurse: inline some, or use a tail call",
    ),
    (
        r"(?:program of this type cannot use helper|unknown func) (bpf_\w+)#|helper call .*allowed",
        "This kernel does not offer that helper to programs of this type, or at all: choose"
        " another, or another SEC()",
    ),
    (
        r"cannot call GPL-restricted function|cannot call GPL only",
        'Give the object a licence that is compatible with the GPL: char LICENSE[] SEC("license")'
        ' = "GPL"',
    ),
    (
        r"cannot pass map_type (\d+) into func (\w+)",
        "{1}() does not work on this type of map",
    ),
    (
        r"R(\d+) type=(\S+) expected=",
        "Argument {0} is of another kind than the function wants: pass a pointer to memory that"
        " the verifier knows",
    ),
    (
        r"R(\d+) !read_ok",
        "R{0} is read before it has a value: a variable that is not initialised on every path, or"
        " an argument that a call has overwritten",
    ),
    (
        r"invalid bpf_context access|dereference of modified ctx ptr|cannot access ctx",
        "This type of program may not read (or write) the context there: see which fields it"
        " offers, and read them at their own size",
    ),
    (
        r"At program exit the register R0|R0 has (?:unknown|value)|should have been in",
        "Return a value that programs of this type may return",
    ),
    (
        r"spin_(?:un)?lock",
        "Call bpf_spin_unlock() on every path before the program returns or calls another helper",
    ),
    (
        r"unreachable insn",
        "Nothing leads to this instruction: the compiler or inline assembly left dead code",
    ),
    (
        r"jump out of range|last insn is not an exit|jump into the middle",
        "The flow of control leaves the program: does a function end without return?",
    ),
    (
        r"calling kernel function|kfunc",
        "This kernel does not offer that kernel function to programs of this type",
    ),
    (
        r"[Aa]rg#\d+|Caller passes invalid args|Global func|global function",
        "Arguments of global functions are context, numbers, or pointers to types of known size",
    ),
    (
        r"attach_btf_id|Attach to unsupported member|is not a (?:kernel|supported) function",
        "The function or hook in SEC() is not one that programs may attach to on this kernel",
    ),
)

_COMPILED: list[tuple[re.Pattern[str], str]] = []


def advice(complaint: str) -> str:
    """Return what to do about a complaint, a sentence without its full stop; "" if not known."""
    if not _COMPILED:
        _COMPILED.extend((re.compile(pattern), text) for pattern, text in _ADVICE)
    for pattern, text in _COMPILED:
        found = pattern.search(complaint)
        if found:
            return text.format(*found.groups())
    return ""
