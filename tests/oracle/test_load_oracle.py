"""The same object through libbpf and through us: the kernel has the same maps and programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime.errors import VerifierError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import ObjectSpec

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
        (p.name, p.section, p.prog_type, p.expected_attach_type, p.autoload, p.code)
        for p in spec.programs.values()
    ] == [
        (p.name, p.section_name, p.type, p.expected_attach_type, p.autoload, p.instructions())
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
            m.value_type_id,
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
            m.btf_value_type_id,
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


def _views(programs: dict[str, int], maps: dict[str, int]) -> dict[str, Any]:
    names = {map_id(fd): name for name, fd in maps.items()}
    return {name: program_view(fd, names) for name, fd in programs.items()}
