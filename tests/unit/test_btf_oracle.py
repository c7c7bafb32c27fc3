"""BTF as the compiler, the kernel, libbpf and bpftool see it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bpfgen_runtime.btf import (
    BTF_INT_BOOL,
    BTF_INT_SIGNED,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_STRUCT,
    BTF_KIND_UNION,
    KIND_NAMES,
    Btf,
    BtfExt,
    Datasec,
    Enum,
    Enum64,
    Func,
    FuncProto,
    Fwd,
    Int,
    Struct,
    Var,
    encode,
    kernel_btf,
)
from bpfgen_runtime.btf.types import BtfType
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import BtfError

from tests.support.libbpf_btf import LibbpfBtf
from tests.support.requirements import tool

Compile = Callable[..., Path]
ENDIAN = {"<": (), ">": ("-target", "bpfeb")}


@pytest.fixture(params=["<", ">"])
def built(request: pytest.FixtureRequest, compile_bpf: Compile) -> tuple[Path, Btf]:
    """clang's object with every kind of type, in either byte order."""
    path = compile_bpf("btf_kinds", *ENDIAN[request.param])
    return path, parse(path)


def parse(path: Path) -> Btf:
    section = read_elf(path).section(".BTF")
    assert section is not None
    return Btf.parse(section.data)


def test_clangs_object_survives(built: tuple[Path, Btf]) -> None:
    """An object's BTF is valid, and encodes to the same types in either byte order."""
    _, btf = built
    btf.validate()
    again = Btf.parse(encode((t for _, t in btf.types()), byte_order=btf.byte_order))
    assert list(again.types()) == list(btf.types())
    other = "<" if btf.byte_order == ">" else ">"
    swapped = Btf.parse(encode(btf, byte_order=other))
    assert list(swapped.types()) == list(btf.types())
    assert encode(swapped, byte_order=btf.byte_order) == btf.to_bytes()


def test_both_byte_orders_have_the_same_types(compile_bpf: Compile) -> None:
    """-target bpfel and bpfeb have the same types under the same ids."""
    little, big = (parse(compile_bpf("btf_kinds", *ENDIAN[order])) for order in "<>")
    assert (little.byte_order, big.byte_order) == ("<", ">")
    assert [t.kind for _, t in little.types()] == [t.kind for _, t in big.types()]
    assert [t.name for _, t in little.types()] == [t.name for _, t in big.types()]


def test_what_the_source_says(built: tuple[Path, Btf]) -> None:
    """The types are those that the C source declares."""
    _, btf = built
    (outer,) = btf.find("outer", BTF_KIND_STRUCT)
    t = btf.type(outer)
    assert isinstance(t, Struct)
    members = {member.name: member for member in t.members}
    texts = {name: btf.c_name(member.type) for name, member in members.items()}
    assert texts == {
        "inner": "struct inner",
        "": "union {...}",
        "low": "__u32",
        "high": "__s32",
        "number": "volatile number_t",
        "path": "const char *restrict",
        "callback": "callback_t",
        "small": "enum small",
        "wide": "enum wide",
        "there": "struct elsewhere *",
        "there_too": "union elsewhere_too *",
        "tagged": "int *",
        "grid": "int [2][3]",
        "yes": "_Bool",
        "precise": "double",
        "packed": "struct {...}",
        "rest": "__u8 [0]",
    }
    assert (members["low"].bitfield_size, members["high"].bitfield_size) == (3, 29)
    assert btf.decl_tags(outer) == ["the struct"]
    assert btf.decl_tags(outer, 0) == ["the member"]
    assert btf.align_of(members["packed"].type) == 1
    assert btf.size_of(members["grid"].type) == 24
    (helper,) = btf.find("helper")
    assert btf.c_name(helper) == "int helper(struct outer *o)"
    assert btf.decl_tags(helper) == ["the function"]
    assert btf.decl_tags(helper, 0) == ["the argument"]


def test_records_of_clang(built: tuple[Path, Btf]) -> None:
    """Function and line records name functions, files and lines of the source."""
    path, btf = built
    section = read_elf(path).section(".BTF.ext")
    assert section is not None
    ext = BtfExt.parse(section.data, btf)
    assert sorted(ext.func_info) == [".text", "raw_tp/sys_enter", "tp/sched/sched_switch"]
    for name, function in ((".text", "helper"), ("raw_tp/sys_enter", "handle")):
        (record,) = ext.func_info.records(name)
        assert record.insn_off == 0
        assert btf.name(record.type_id) == function
        lines = ext.line_info.records(name)
        assert btf.string(lines[0].file_name_off).endswith("btf_kinds.bpf.c")
        assert btf.string(lines[-1].line_off).strip().startswith("return")
        assert lines[0].line > 1
        assert len(ext.line_info.for_program(name, 0, 1 << 20)) == 16 * len(lines)
    assert len(ext.core_relos) == 0


def bpftools_view(btf: Btf, type_id: int) -> dict[str, object]:
    """Render a type as `bpftool btf dump -j` does."""
    t = btf.type(type_id)
    view: dict[str, object] = {"id": type_id, "kind": KIND_NAMES[t.kind]}
    view["name"] = t.name or "(anon)"
    if isinstance(t, Int):
        encoding = {0: "(none)", BTF_INT_SIGNED: "SIGNED", BTF_INT_BOOL: "BOOL"}[t.encoding]
        view |= {"size": t.size, "bits_offset": t.offset, "nr_bits": t.bits, "encoding": encoding}
    elif isinstance(t, Struct):
        view |= {"size": t.size, "vlen": len(t.members), "members": [
            {"name": m.name or "(anon)", "type_id": m.type, "bits_offset": m.bit_offset}
            | ({"bitfield_size": m.bitfield_size} if m.bitfield_size else {})
            for m in t.members
        ]}  # fmt: skip
    elif isinstance(t, Enum):
        view |= {"size": t.size, "vlen": len(t.values)}
        view["encoding"] = "SIGNED" if t.signed else "UNSIGNED"
        # bpftool widens the 32 bits as signed before it prints them as unsigned.
        wide = 0 if t.signed or isinstance(t, Enum64) else 0xFFFFFFFF00000000
        view["values"] = [
            {"name": v.name, "val": v.value | (wide if v.value >> 31 & 1 else 0)} for v in t.values
        ]
    elif isinstance(t, Fwd):
        view["fwd_kind"] = "union" if t.is_union else "struct"
    elif isinstance(t, FuncProto):
        view |= {"ret_type_id": t.type, "vlen": len(t.params)}
        view["params"] = [{"name": p.name or "(anon)", "type_id": p.type} for p in t.params]
    elif isinstance(t, (Func, Var)):
        view |= {"type_id": t.type, "linkage": ["static", "global", "extern"][t.linkage]}
    elif isinstance(t, Datasec):
        view |= {"size": t.size, "vlen": len(t.vars), "vars": [
            {"type_id": v.type, "offset": v.offset, "size": v.size} for v in t.vars
        ]}  # fmt: skip
    else:
        view |= _plain(t)
    return view


def _plain(t: BtfType) -> dict[str, object]:
    fields = {
        "size": "size",
        "type": "type_id",
        "component": "component_idx",
        "index_type": "index_type_id",
        "nelems": "nr_elems",
    }
    return {key: getattr(t, field) for field, key in fields.items() if hasattr(t, field)}


def test_bpftool_sees_the_same_types(built: tuple[Path, Btf]) -> None:
    """Every field of every type of an object is what bpftool dumps."""
    path, btf = built
    dumped = subprocess.run(
        [tool("bpftool"), "btf", "dump", "file", path, "-j"],
        capture_output=True,
        check=True,
        text=True,
    )
    theirs = json.loads(dumped.stdout)["types"]
    assert [bpftools_view(btf, i) for i in range(1, len(btf))] == theirs


def test_libbpf_sees_the_same_object(built: tuple[Path, Btf]) -> None:
    """Ids, names, kinds, sizes, resolved types and lookups of an object are libbpf's."""
    _, btf = built
    with LibbpfBtf(btf.to_bytes()) as theirs:
        assert len(btf) == len(theirs)
        for type_id in range(1, len(btf)):
            compare(btf, theirs, type_id)


@pytest.mark.needs("btf")
def test_libbpf_sees_the_same_kernel() -> None:
    """So are those of every 200th type of the running kernel."""
    btf = kernel_btf()
    with LibbpfBtf(btf.to_bytes()) as theirs:
        assert len(btf) == len(theirs)
        assert btf.pointer_size == theirs.pointer_size()
        for type_id in range(1, len(btf), 200):
            compare(btf, theirs, type_id)


def compare(btf: Btf, theirs: LibbpfBtf, type_id: int) -> None:
    kind = btf.kind(type_id)
    name = btf.name(type_id)
    assert btf.type(type_id).name == name == theirs.name(type_id)
    assert btf.type(type_id).kind == kind == theirs.kind(type_id)
    if name:
        found = btf.find(name, kind)
        assert type_id in found
        assert found[0] == theirs.find(name, kind)
    assert answer(btf.size_of, type_id) == theirs.size(type_id)
    resolved = btf.resolve(type_id)
    assert resolved == theirs.resolve(type_id) or isinstance(
        btf.type(resolved), (Fwd, type(btf.type(0)))
    )
    if kind in (BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_ENUM, BTF_KIND_ENUM64):
        align = btf.align_of(type_id)
        # Before v1.2 libbpf did not tell packed structs.
        assert align == theirs.align(type_id) or (align == 1 and is_packed(btf, type_id))


def answer(ask: Callable[[int], int], type_id: int) -> int | None:
    try:
        return ask(type_id)
    except BtfError:
        return None


def is_packed(btf: Btf, type_id: int) -> bool:
    t = btf.type(type_id)
    assert isinstance(t, Struct)
    aligns = [(m, btf.align_of(m.type)) for m in t.members]
    misplaced = any(not m.bitfield_size and m.bit_offset % (8 * one) for m, one in aligns)
    return misplaced or bool(t.size % max(one for _, one in aligns))
