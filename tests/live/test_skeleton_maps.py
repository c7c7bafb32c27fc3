"""Skeletons of objects with struct_ops maps, arenas, maps of maps, and resized sections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from bpfgen_runtime.errors import ClosedError, SyscallError
from bpfgen_runtime.link.struct_ops import StructOpsLink, StructOpsMap
from bpfgen_runtime.map.arena import ArenaMap

from bpfgen.generate import generate
from tests.live.test_struct_ops import available
from tests.support.checkers import mypy_errors
from tests.support.clang import compile_bpf
from tests.support.modules import load_module

OBJECTS = ("maps_arena", "maps_nested", "maps_ops_link", "maps_resized", "maps_tailcalls")


def module_of(name: str, place: Path) -> Path:
    path = compile_bpf(name)
    module = place / f"{name}_skel.py"
    module.write_text(generate(path.read_bytes(), file_name=path.name))
    return module


@pytest.fixture
def skeleton(tmp_path: Path) -> Callable[[str], ModuleType]:
    return lambda name: load_module(module_of(name, tmp_path))


@pytest.mark.host_only
def test_modules_pass_mypy(tmp_path: Path) -> None:
    """The modules of such objects pass mypy --strict."""
    modules = [module_of(name, tmp_path) for name in OBJECTS]
    assert mypy_errors(modules, cwd=tmp_path) == []


@pytest.mark.kernel("struct_ops links")
def test_struct_ops_map(skeleton: Callable[[str], ModuleType]) -> None:
    """`attach` registers the struct_ops maps, `detach` takes them back."""
    assert available() == set()
    with skeleton("maps_ops_link").MapsOpsLink.open() as opened:
        opened.maps.later.autoattach = False
        with opened.load() as skel:
            assert isinstance(skel.maps.control, StructOpsMap)
            skel.attach()
            assert isinstance(skel.links.control, StructOpsLink)
            assert available() == {"bpfgen_link"}
            with pytest.raises(ClosedError, match="'later'"):
                _ = skel.links.later
            skel.links.later = skel.maps.later.attach()
            assert available() == {"bpfgen_link", "bpfgen_later"}
            skel.attach()  # nothing is left to do
            skel.detach()
            assert available() == set()
            skel.attach()
    assert available() == set()


@pytest.mark.kernel("struct_ops links")
def test_attach_undoes_what_it_did(skeleton: Callable[[str], ModuleType]) -> None:
    """If one struct_ops map cannot be attached, the others are detached again."""
    module = skeleton("maps_ops_link")
    with module.MapsOpsLink.open() as opened:
        opened.maps.later.struct_ops.set("name", b"bpfgen_link".ljust(16, b"\0"))
        with opened.load() as skel:
            with pytest.raises(SyscallError, match="attach struct_ops map 'later'"):
                skel.attach()
            assert available() == set()


def test_resized_section(skeleton: Callable[[str], ModuleType]) -> None:
    """Globals set before and after a section is resized reach the kernel."""
    with skeleton("maps_resized").MapsResized.open() as opened:
        opened.rodata.slots = 3
        opened.data_plain.plain = 2
        opened.spec.maps[".rodata"].value_size = 4
        opened.spec.maps[".data.table"].value_size = 80
        opened.spec.variables["table"].set(b"\x09" + bytes(79))
        with opened.load() as skel:
            assert skel.rodata.slots == 3
            assert skel.data_table.table[0].hits == 9
            assert len(skel.object.data[".data.table"]) == 80
            assert skel.progs.fill.test_run(bytes(64)).retval == 5


@pytest.mark.kernel("arena")
def test_arena(skeleton: Callable[[str], ModuleType]) -> None:
    """An arena has its place among the maps, and its variables are typed."""
    with skeleton("maps_arena").MapsArena.open() as opened:
        assert (opened.arena.counter, opened.arena.table) == (40, (1, 2, 3, 4))
        opened.arena.counter = 50
        opened.spec.variables["unset"].set((7).to_bytes(8, "little"))
        with opened.load() as skel:
            assert isinstance(skel.maps.arena, ArenaMap)
            assert skel.progs.count.test_run().retval == 13
            assert skel.arena.counter == 52
            assert skel.arena.unset == 7
            assert skel.arena.table == (1, 2, 13, 4)
            skel.arena.counter = 1
            assert skel.progs.count.test_run().retval == 23
            assert skel.arena.counter == 3
            assert skel.maps.arena.globals[0] == 3
    with pytest.raises(ClosedError):
        _ = skel.arena.counter
    with pytest.raises(ClosedError):
        _ = opened.arena


def test_maps_of_maps(skeleton: Callable[[str], ModuleType]) -> None:
    """So have maps of maps, and the maps in them are typed."""
    with skeleton("maps_nested").MapsNested.open_and_load() as skel:
        assert skel.progs.count.test_run(bytes(64)).retval == 5
        assert skel.maps.second[1] == 5
