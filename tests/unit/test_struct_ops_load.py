"""What the kernel is told of a struct_ops map, recorded: of a module's struct and of its own.

No module with such a struct is loaded on the machines that run the tests.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from bpfgen_runtime import kernel_types, object
from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfType,
    FuncProto,
    Int,
    Member,
    Ptr,
    Struct,
    encode,
)
from bpfgen_runtime.kernel_types import KernelType
from bpfgen_runtime.link.struct_ops import StructOpsMap
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.sys.fd import Fd
from bpfgen_runtime.uapi import const as k

from tests.support.clang import compile_bpf

pytestmark = pytest.mark.needs("clang", "libbpf-dev")

# 1 int, 2 a function's pointer, 3 its prototype, 4 char, 5 char[16], 6 the struct, 7 its value.
TYPES: list[BtfType] = [
    Int("int", 4),
    Ptr(3),
    FuncProto(1),
    Int("char", 1),
    Array(4, 1, 16),
    Struct(
        "tcp_congestion_ops",
        48,
        [
            Member("flags", 1, 0),
            Member("undo_cwnd", 2, 64),
            Member("cong_avoid", 2, 128),
            Member("ssthresh", 2, 192),
            Member("name", 5, 256),
        ],
    ),
    Struct("bpf_struct_ops_tcp_congestion_ops", 64, [Member("data", 6, 128)]),
]

MODULE_FD = 777


class Recorder:
    """A kernel that takes everything, and has the types in itself or in a module.

    Attributes:
        maps, programs: what they were created with, by name.
    """

    def __init__(self) -> None:
        self.base = Btf.parse(encode([Int("long", 8)], byte_order="<"))
        self.btf = Btf.parse(encode(TYPES, byte_order="<"))
        self.module, self.btf_fd = "", 0
        self.maps: dict[str, dict[str, Any]] = {}
        self.programs: dict[str, dict[str, Any]] = {}

    def in_module(self) -> None:
        """Have the types in a module, where their ids follow the kernel's."""
        ids = {number: number + 1 for number in range(1, len(TYPES) + 1)}
        self.btf = Btf.parse(
            encode([_moved(each, ids) for each in TYPES], byte_order="<", base=self.base),
            base=self.base,
        )
        self.module, self.btf_fd = "a_module", MODULE_FD

    # KernelTypes

    def find(self, name: str, kind: int, module: str | None = None) -> KernelType | None:
        found = self.btf.find(name, kind)
        return KernelType(self.btf, found[0], self.module, self.btf_fd) if found else None

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    # bpf(2)

    def map_create(self, **fields: Any) -> Fd:
        self.maps[fields["map_name"]] = fields
        return _fd()

    def prog_load(self, **fields: Any) -> Fd:
        self.programs[fields["prog_name"]] = fields
        return _fd()


def _moved(each: BtfType, ids: dict[int, int]) -> BtfType:
    if isinstance(each, Ptr):
        return Ptr(ids[each.type])
    if isinstance(each, FuncProto):
        return FuncProto(ids[each.type])
    if isinstance(each, Array):
        return Array(ids[each.type], ids[each.index_type], each.nelems)
    if isinstance(each, Struct):
        members = [Member(m.name, ids[m.type], m.bit_offset) for m in each.members]
        return Struct(each.name, each.size, members)
    return each


def _fd() -> Fd:
    return Fd(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(kernel_types, "KernelTypes", lambda: made)
    monkeypatch.setattr(bpf, "btf_load", lambda **_: _fd())
    monkeypatch.setattr(bpf, "map_create", made.map_create)
    monkeypatch.setattr(bpf, "prog_load", made.prog_load)
    monkeypatch.setattr(object, "fill_data", lambda *_: None)
    return made


INDICES = {"ops_undo_cwnd": 1, "ops_cong_avoid": 2, "ops_ssthresh": 3}


@pytest.mark.parametrize("in_module", [False, True], ids=["kernel", "module"])
def test_where_the_struct_is(kernel: Recorder, in_module: bool) -> None:
    """A module's BTF goes with the map's value and with each program, by its descriptor."""
    if in_module:
        kernel.in_module()
    fd = MODULE_FD if in_module else 0
    (ops_id,) = kernel.btf.find("tcp_congestion_ops")
    (value_id,) = kernel.btf.find("bpf_struct_ops_tcp_congestion_ops")
    assert ops_id == (7 if in_module else 6)
    spec = load_spec(str(compile_bpf("maps_ops")))
    with Object.load(spec) as loaded:
        numbers = {name: each.fileno() for name, each in loaded.programs.items()}
        live = loaded.maps["control"]
        assert isinstance(live, StructOpsMap)
        value = live.value
    created = kernel.maps["control"]
    assert created["map_type"] == k.BPF_MAP_TYPE_STRUCT_OPS
    assert created["map_flags"] == (k.BPF_F_VTYPE_BTF_OBJ_FD if in_module else 0)
    assert created["value_type_btf_obj_fd"] == fd
    assert created["btf_vmlinux_value_type_id"] == value_id
    assert (created["value_size"], created["btf_value_type_id"]) == (64, 0)
    assert set(kernel.programs) == set(INDICES)
    for name, fields in kernel.programs.items():
        assert fields["prog_type"] == k.BPF_PROG_TYPE_STRUCT_OPS
        assert fields["attach_btf_id"] == ops_id
        assert fields["attach_btf_obj_fd"] == fd
        assert fields["expected_attach_type"] == INDICES[name]
    # The value: 16 bytes of the kernel's, then the struct as the kernel has it.
    functions = {name: value[16 + 8 * at :][:8] for name, at in INDICES.items()}
    assert {name: int.from_bytes(raw, "little") for name, raw in functions.items()} == numbers
    assert value[48:].rstrip(b"\0") == b"bpfgen_plain"


def test_other_maps(kernel: Recorder) -> None:
    """The maps beside it have nothing of the module, and the spec is as before."""
    kernel.in_module()
    spec = load_spec(str(compile_bpf("maps_ops")))
    before = repr(spec.maps["control"])
    Object.load(spec).close()
    (others,) = [fields for name, fields in kernel.maps.items() if name != "control"]
    assert not others["map_flags"] & k.BPF_F_VTYPE_BTF_OBJ_FD
    assert not others.get("value_type_btf_obj_fd")
    assert repr(spec.maps["control"]) == before
    assert spec.programs["ops_ssthresh"].expected_attach_type == 0
