"""The tag arg:ctx for kernels that lack it: copies of functions, with the context's type."""

from __future__ import annotations

import struct

import pytest
from bpfgen_runtime.arg_ctx import rewrite
from bpfgen_runtime.btf import (
    BTF_FUNC_GLOBAL,
    BTF_FUNC_STATIC,
    Btf,
    BtfType,
    Const,
    DeclTag,
    Func,
    FuncProto,
    Int,
    Param,
    Ptr,
    Struct,
    Typedef,
    Volatile,
)
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.linked import LinkedProgram
from bpfgen_runtime.spec import ProgramSpec
from bpfgen_runtime.uapi import const as k

INT, LONG, VOID_PTR, PROTO, FUNC, MAIN = range(1, 7)


def types_of(argument: int = VOID_PTR, linkage: int = BTF_FUNC_GLOBAL, *more: BtfType) -> Btf:
    """One function `f(int a, ARGUMENT c)` with the tag on c, and `main` that calls it."""
    types = [
        Int("int", 4, encoding=1),
        Int("long", 8),
        Ptr(0),
        FuncProto(INT, [Param("a", INT), Param("c", argument)]),
        Func("f", PROTO, linkage),
        Func("main", PROTO, BTF_FUNC_GLOBAL),
        DeclTag("arg:ctx", FUNC, 1),
        *more,
    ]
    return Btf.parse(encode(types, byte_order="<"))


def program(prog_type: int, name: str = "main") -> LinkedProgram:
    linked = LinkedProgram(ProgramSpec(name, "tc", b"", prog_type=prog_type))
    linked.func_info_size = 8
    linked.func_info = struct.pack("<4I", 0, MAIN, 2, FUNC)
    return linked


def arguments(btf: Btf, number: int) -> list[str]:
    """Write a function's arguments as C."""
    function = btf.type(number)
    assert isinstance(function, Func)
    proto = btf.type(function.type)
    assert isinstance(proto, FuncProto)
    return [f"{btf.c_name(param.type)} {param.name}" for param in proto.params]


def records(linked: LinkedProgram) -> list[tuple[int, int]]:
    return list(struct.iter_unpack("<2I", linked.func_info))


@pytest.mark.parametrize(
    ("prog_type", "context"),
    [
        (k.BPF_PROG_TYPE_SCHED_CLS, "__sk_buff"),
        (k.BPF_PROG_TYPE_XDP, "xdp_md"),
        (k.BPF_PROG_TYPE_KPROBE, "bpf_user_pt_regs_t"),
        (k.BPF_PROG_TYPE_RAW_TRACEPOINT, "bpf_raw_tracepoint_args"),
    ],
)
def test_void_pointer(prog_type: int, context: str) -> None:
    """The function's record leads to a copy with the context's type; all else is as it was."""
    btf = types_of()
    linked = program(prog_type)
    changed = rewrite(btf, [linked])
    (zero, main), (two, copy) = records(linked)
    assert (zero, main, two) == (0, MAIN, 2)
    assert copy >= len(btf)
    assert changed.name(copy) == "f"
    assert arguments(changed, copy) == ["int a", f"struct {context} * c"]
    assert arguments(changed, FUNC) == arguments(btf, FUNC)
    assert [changed.type(number) for number in range(1, len(btf))] == [
        btf.type(number) for number in range(1, len(btf))
    ]
    assert Btf.parse(changed.to_bytes()).validate() is None


def test_programs_of_several_types() -> None:
    """Each type of program has its own copy; programs of one type share it."""
    linked = [
        program(each)
        for each in (k.BPF_PROG_TYPE_XDP, k.BPF_PROG_TYPE_SCHED_CLS, k.BPF_PROG_TYPE_XDP)
    ]
    changed = rewrite(types_of(), linked)
    copies = [records(each)[1][1] for each in linked]
    assert copies[0] == copies[2] != copies[1]
    assert arguments(changed, copies[1])[1] == "struct __sk_buff * c"


ONE = 8  # the first of `more`


@pytest.mark.parametrize(
    ("prog_type", "more", "is_changed"),
    [
        (k.BPF_PROG_TYPE_XDP, [Ptr(ONE + 1), Struct("xdp_md", 0, [])], False),
        (k.BPF_PROG_TYPE_XDP, [Ptr(ONE + 1), Struct("other", 0, [])], False),
        (k.BPF_PROG_TYPE_XDP, [Const(ONE + 1), Ptr(ONE + 2), Volatile(0)], True),
        (k.BPF_PROG_TYPE_XDP, [Typedef("handle", ONE + 1), Ptr(0)], True),
        (k.BPF_PROG_TYPE_XDP, [Ptr(LONG)], False),
        (k.BPF_PROG_TYPE_RAW_TRACEPOINT, [Ptr(LONG)], True),
        (k.BPF_PROG_TYPE_RAW_TRACEPOINT, [Ptr(INT)], False),
        (k.BPF_PROG_TYPE_KPROBE, [Ptr(ONE + 1), Struct("pt_regs", 8, [])], True),
        (k.BPF_PROG_TYPE_PERF_EVENT, [Ptr(ONE + 1), Struct("pt_regs", 8, [])], True),
        (
            k.BPF_PROG_TYPE_KPROBE,
            [Ptr(ONE + 1), Typedef("bpf_user_pt_regs_t", ONE + 2), Struct("pt_regs", 8, [])],
            False,
        ),
        (k.BPF_PROG_TYPE_TRACING, [Ptr(0)], False),  # has no context of one name
        (k.BPF_PROG_TYPE_XDP, [Const(INT)], False),
    ],
)
def test_types_that_stand_for_the_context(
    prog_type: int, more: list[BtfType], is_changed: bool
) -> None:
    """What libbpf takes for the context is replaced; what is something else stays, and is judged
    by the verifier."""
    btf = types_of(ONE, BTF_FUNC_GLOBAL, *more)
    linked = program(prog_type)
    changed = rewrite(btf, [linked])
    assert (changed is not btf) == is_changed
    assert (records(linked)[1][1] != FUNC) == is_changed


def test_static_functions_stay() -> None:
    """The verifier knows their arguments from the calls."""
    btf = types_of(linkage=BTF_FUNC_STATIC)
    assert rewrite(btf, [program(k.BPF_PROG_TYPE_XDP)]) is btf


def test_programs_without_records() -> None:
    """Without function records there is nothing to lead elsewhere."""
    linked = program(k.BPF_PROG_TYPE_XDP)
    linked.func_info, linked.func_info_size = b"", 0
    btf = types_of()
    assert rewrite(btf, [linked]) is btf
