"""The same object through libbpf and through us: the kernel has the same maps and programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from sys import byteorder
from typing import Any

import pytest
from bpfgen_runtime.errors import FormatError, KeyMissingError, SyscallError, VerifierError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi.const import (
    BPF_MAP_TYPE_ARRAY_OF_MAPS,
    BPF_MAP_TYPE_HASH_OF_MAPS,
    BPF_MAP_TYPE_STRUCT_OPS,
    BPF_PROG_TYPE_STRUCT_OPS,
)

from tests.support.clang import ROOT, compile_bpf
from tests.support.kernelview import map_id, map_view, program_view
from tests.support.libbpf import LibbpfObject

pytestmark = [pytest.mark.live, pytest.mark.needs("libbpf")]

OBJECTS = [
    "load_callbacks",
    "load_cgroup",
    "load_globals",
    "load_loops",
    "load_maps",
    "load_plain",
    "load_sections",
    "load_subprogs",
    "load_testrun",
    "load_tracing",
    "maps_inner_ring",
    "maps_inner_sizes",
    "maps_long_names",
    "maps_nested",
    "maps_ops",
    "maps_ops_dummy",
    "maps_tailcalls",
    "maps_tailcalls_shared",
    "maps_typed",
]


EXAMPLES = [
    ROOT / "examples" / name / f"{name}.bpf.o" for name in ("execsnoop", "tasktree", "xdp_count")
]


@pytest.fixture(params=[*OBJECTS, *EXAMPLES], ids=lambda each: getattr(each, "stem", each))
def both(request: pytest.FixtureRequest) -> Iterator[tuple[LibbpfObject, ObjectSpec]]:
    """One object, opened by both."""
    path = request.param if isinstance(request.param, Path) else compile_bpf(request.param)
    with LibbpfObject(path) as theirs:
        yield theirs, load_spec(str(path))


def test_open_finds_the_same_programs(both: tuple[LibbpfObject, ObjectSpec]) -> None:
    """Names, order, sections, types, attach types, autoload and code are libbpf's."""
    theirs, spec = both
    assert [
        (p.name, p.section, p.prog_type, _attach_type(p.prog_type, p), p.autoload, p.code)
        for p in spec.programs.values()
    ] == [
        (p.name, p.section_name, p.type, _attach_type(p.type, p), p.autoload, p.instructions())
        for p in theirs.programs()
    ]


def test_open_finds_the_same_maps(both: tuple[LibbpfObject, ObjectSpec]) -> None:
    """Order, definitions and type ids are libbpf's."""
    theirs, spec = both
    rounded = {m.name: m.max_entries for m in theirs.maps()}  # rings are rounded at open there
    assert [
        (
            m.name if not m.is_data or m.name.count(".") > 1 else m.kernel_name,
            m.map_type,
            m.key_size,
            m.value_size,
            m.max_entries if m.map_type != 27 else rounded[m.name],
            m.map_flags,
            m.map_extra,
            m.numa_node,
            m.key_type_id,
            # The kernel gets none of struct_ops maps, and libbpf before 1.4 has none.
            m.value_type_id if m.struct_ops is None else 0,
        )
        for m in spec.maps.values()
    ] == [
        (
            m.name,
            m.type,
            m.key_size,
            m.value_size,
            m.max_entries,
            m.map_flags,
            m.map_extra,
            m.numa_node,
            m.btf_key_type_id,
            m.btf_value_type_id if m.type != BPF_MAP_TYPE_STRUCT_OPS else 0,
        )
        for m in theirs.maps()
    ]


def test_load_gives_the_kernel_the_same(both: tuple[LibbpfObject, ObjectSpec]) -> None:
    """Maps and programs of both loads look the same to the kernel, instruction by instruction."""
    theirs, spec = both
    theirs.load()
    with Object.load(spec) as ours:
        our_maps = {name: live.fileno() for name, live in ours.maps.items()}
        their_maps = dict(zip(spec.maps, (m.fd for m in theirs.maps()), strict=True))
        assert {n: map_view(fd) for n, fd in our_maps.items()} == {
            n: map_view(fd) for n, fd in their_maps.items()
        }
        our_programs = {name: p.fileno() for name, p in ours.programs.items()}
        their_programs = {p.name: p.fd for p in theirs.programs() if p.autoload}
        assert _views(our_programs, our_maps) == _views(their_programs, their_maps)


def test_a_refused_object_fails_alike() -> None:
    """What the verifier refuses fails with the same errno in both."""
    path = compile_bpf("load_refused")
    with LibbpfObject(path) as theirs, pytest.raises(OSError, match="cannot load") as their_error:
        theirs.load()
    with pytest.raises(VerifierError) as our_error:
        Object.load(load_spec(str(path)))
    assert our_error.value.errno == their_error.value.errno


def _attach_type(prog_type: int, program: Any) -> int:
    # Of struct_ops programs it is the kernel's, and found at load; libbpf before 1.4 has the
    # object's until then. What the kernel is given in the end is compared after the load.
    if prog_type == BPF_PROG_TYPE_STRUCT_OPS:
        return 0
    attach_type: int = program.expected_attach_type
    return attach_type


def _views(programs: dict[str, int], maps: dict[str, int]) -> dict[str, Any]:
    names = {map_id(fd): name for name, fd in maps.items()}
    return {name: program_view(fd, names) for name, fd in programs.items()}


@pytest.mark.parametrize("name", ["maps_nested", "maps_inner_ring", "maps_inner_sizes"])
def test_maps_of_maps_hold_the_same(name: str) -> None:
    """The slots of both loads hold maps that look the same, or nothing."""
    path = compile_bpf(name)
    spec = load_spec(str(path))
    with LibbpfObject(path) as theirs, Object.load(spec) as ours:
        theirs.load()
        fds = dict(zip(spec.maps, (m.fd for m in theirs.maps()), strict=True))
        for held in spec.maps:
            live = ours.maps[held]
            if live.map_type in (BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS):
                slots = range(live.max_entries)
                assert [_held(live.fileno(), slot) for slot in slots] == [
                    _held(fds[held], slot) for slot in slots
                ]


def _held(fd: int, slot: int) -> dict[str, Any] | None:
    value = bytearray(4)
    try:
        bpf.map_lookup_elem(map_fd=fd, key=slot.to_bytes(4, byteorder), value=value)
    except KeyMissingError:
        return None
    with bpf.map_get_fd_by_id(int.from_bytes(value, byteorder)) as inner:
        return map_view(inner.fileno())


@pytest.mark.parametrize("name", ["maps_wrong_key", "maps_wrong_slot", "maps_ops_wrong"])
def test_objects_that_neither_opens(name: str) -> None:
    """Definitions that libbpf refuses at open are refused there."""
    path = compile_bpf(name)
    with pytest.raises(OSError, match="cannot open"):
        LibbpfObject(path)
    with pytest.raises(FormatError):
        load_spec(str(path))


def test_map_that_neither_creates() -> None:
    """A map of maps without a pattern fails with the same errno in both."""
    path = compile_bpf("maps_inner_bare")
    with LibbpfObject(path) as theirs, pytest.raises(OSError, match="cannot load") as their_error:
        theirs.load()
    with pytest.raises(SyscallError) as our_error:
        Object.load(load_spec(str(path)))
    assert our_error.value.errno == their_error.value.errno


@pytest.mark.parametrize(("first", "second"), [("libbpf", "ours"), ("ours", "libbpf")])
def test_pins_are_each_others(first: str, second: str, pin_dir: Path) -> None:
    """A map that one of the two has pinned by its name, the other takes."""
    path = compile_bpf("maps_pinned")
    numbers = []
    for who in (first, second):
        if who == "libbpf":
            with LibbpfObject(path, pin_root_path=pin_dir) as theirs:
                theirs.load()
                numbers.append(map_id(theirs.maps()[0].fd))
        else:
            spec = load_spec(str(path))
            spec.pin_root_path = str(pin_dir)
            with Object.load(spec) as ours:
                numbers.append(map_id(ours.maps["bpfgen_pinned"].fileno()))
    assert numbers[0] == numbers[1]
    assert [child.name for child in pin_dir.iterdir()] == ["bpfgen_pinned"]
