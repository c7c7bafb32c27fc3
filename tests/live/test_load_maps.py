"""Maps that take more than their definition: each works in the kernel, and leaves nothing."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Array, Btf, Datasec, Var
from bpfgen_runtime.errors import (
    BpfError,
    ClosedError,
    FormatError,
    RelocationError,
    SyscallError,
    VerifierError,
)
from bpfgen_runtime.host.cpus import possible_cpus
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.map import Map
from bpfgen_runtime.map.arena import ArenaMap
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import MapSpec, ObjectSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi.const import (
    BPF_F_MMAPABLE,
    BPF_MAP_TYPE_ARRAY,
    BPF_MAP_TYPE_HASH,
    BPF_MAP_TYPE_RINGBUF,
)

from tests.support.clang import compile_bpf
from tests.support.kernelview import loaded_btf

PACKET = bytes(64)

#: `struct __sk_buff` up to and with `mark`.
MARK = struct.Struct("=8xI180x")


def spec_of(name: str) -> ObjectSpec:
    return load_spec(str(compile_bpf(name)))


def run(loaded: Object, program: str, mark: int = 0) -> int:
    return loaded.programs[program].test_run(PACKET, ctx_in=MARK.pack(mark)).retval


# --- maps of maps


def test_map_of_maps() -> None:
    """Programs find the initial inner maps; empty slots take maps like the definition."""
    with Object.load(spec_of("maps_nested")) as loaded:
        assert list(loaded.maps) == ["first", "second", "by_index", "by_key"]
        assert run(loaded, "count") == 5
        assert run(loaded, "count") == 10
        second = loaded.maps["second"]
        with bpf.map_create(map_type=BPF_MAP_TYPE_HASH, key_size=4, value_size=4, max_entries=16):
            pass
        value = bytearray(4)
        outer = loaded.maps["by_index"]
        bpf.map_lookup_elem(map_fd=outer.fileno(), key=(3).to_bytes(4, "little"), value=value)
        assert int.from_bytes(value, "little") == second.info().id
        with pytest.raises(SyscallError) as caught:
            bpf.map_lookup_elem(map_fd=outer.fileno(), key=(1).to_bytes(4, "little"), value=value)
        assert caught.value.errno == errno.ENOENT


def test_inner_map_declared_later() -> None:
    """What an outer map holds may stand behind it in the object; libbpf wants it before."""
    spec = spec_of("maps_nested")
    spec.maps = dict(reversed(spec.maps.items()))
    with Object.load(spec) as loaded:
        assert list(loaded.maps) == ["by_key", "by_index", "second", "first"]
        assert run(loaded, "count") == 5


def test_inner_map_left_out() -> None:
    """A slot whose map is not created is an error before anything is made."""
    spec = spec_of("maps_nested")
    spec.maps["first"].autocreate = False
    with pytest.raises(RelocationError, match="'by_index': slot 0 holds map 'first', which is not"):
        Object.load(spec)
    del spec.maps["by_index"].values[0]
    with Object.load(spec) as loaded:
        assert "first" not in loaded.maps
        assert run(loaded, "count") == 5


def test_inner_definition_that_is_edited() -> None:
    """The inner definition can be changed; the kernel then refuses maps that are not like it."""
    spec = spec_of("maps_nested")
    inner = spec.maps["by_index"].inner
    assert isinstance(inner, MapSpec)
    inner.value_size, inner.value_type_id, inner.key_type_id = 16, 0, 0
    with pytest.raises(SyscallError, match="put map 'first' into slot 0 of map 'by_index'"):
        Object.load(spec)


def test_inner_map_of_the_callers() -> None:
    """A map of maps without a definition takes a map, or a descriptor, as its pattern."""
    spec = spec_of("maps_inner_bare")
    with pytest.raises(SyscallError, match="create map 'bare'"):
        Object.load(spec)
    with bpf.map_create(
        map_type=BPF_MAP_TYPE_ARRAY, key_size=4, value_size=8, max_entries=1
    ) as pattern:
        for inner in (pattern, pattern.fileno()):
            spec.maps["bare"].inner = inner
            with Object.load(spec) as loaded:
                assert loaded.maps["bare"].info().max_entries == 2


def test_inner_ring_buffers() -> None:
    """The pattern of a ring buffer has its size rounded, as the ring buffers themselves."""
    with Object.load(spec_of("maps_inner_ring")) as loaded:
        assert loaded.maps["high"].info().max_entries == 8192
        assert loaded.maps["high"].map_type == BPF_MAP_TYPE_RINGBUF
        assert run(loaded, "emit") == 0


def test_inner_perf_arrays() -> None:
    """The pattern of an array of perf events has one element per CPU, as the arrays themselves."""
    with Object.load(spec_of("maps_inner_perf")) as loaded:
        assert loaded.maps["high"].info().max_entries == len(possible_cpus())
        assert run(loaded, "emit") == errno.ENOENT  # found, and nobody listens


def test_inner_maps_of_other_sizes() -> None:
    """With BPF_F_INNER_MAP inner arrays differ in size."""
    with Object.load(spec_of("maps_inner_sizes")) as loaded:
        assert run(loaded, "last") == 1


# --- program arrays


@pytest.mark.parametrize(("mark", "result"), [(2, 3), (4, 5), (0, 100), (7, 100)])
def test_program_array(mark: int, result: int) -> None:
    """Initial values are there once the programs are; other slots are empty."""
    with Object.load(spec_of("maps_tailcalls")) as loaded:
        assert run(loaded, "entry", mark) == result


def test_program_arrays_that_share() -> None:
    """A program may be in several slots of several arrays."""
    with Object.load(spec_of("maps_tailcalls_shared")) as loaded:
        assert loaded.programs["root"].test_run(PACKET).retval == 2
        assert loaded.data[".bss"][:4] == b"\2\0\0\0"


def test_program_of_a_slot_that_is_not_loaded() -> None:
    """That is an error which says how to go on; doing so helps."""
    spec = spec_of("maps_tailcalls")
    spec.programs["fifth"].autoload = False
    with pytest.raises(
        RelocationError, match=r"'table': slot 4 holds program 'fifth'.*values\[4\]"
    ):
        Object.load(spec)
    del spec.maps["table"].values[4]
    with Object.load(spec) as loaded:
        assert run(loaded, "entry", 4) == 100
        assert run(loaded, "entry", 2) == 3


def test_program_array_that_is_too_small() -> None:
    """A slot outside of the array is the kernel's to refuse; map, slot and program are named."""
    spec = spec_of("maps_tailcalls")
    spec.maps["table"].max_entries = 3
    with pytest.raises(SyscallError, match="put program 'fifth' into slot 4 of map 'table'"):
        Object.load(spec)


def test_program_array_left_out() -> None:
    """Without its map, a program that needs it is refused by name of the map."""
    spec = spec_of("maps_tailcalls")
    spec.maps["table"].autocreate = False
    with pytest.raises(VerifierError, match="uses map 'table', which was not created"):
        Object.load(spec)


# --- pins


@pytest.fixture
def pinned(pin_dir: Path) -> ObjectSpec:
    spec = spec_of("maps_pinned")
    spec.pin_root_path = str(pin_dir)
    return spec


def test_pin_by_name(pinned: ObjectSpec, pin_dir: Path) -> None:
    """A load pins the map and the next one takes it, with what is in it; others are not pinned."""
    path = pin_dir / "bpfgen_pinned"
    with Object.load(pinned) as first:
        assert first.maps["bpfgen_pinned"].pin_path == str(path)
        assert first.maps["loose"].pin_path is None
        number = first.maps["bpfgen_pinned"].info().id
        run(first, "note", 42)
    assert [child.name for child in pin_dir.iterdir()] == ["bpfgen_pinned"]
    with Object.load(pinned) as again:
        live = again.maps["bpfgen_pinned"]
        assert live.info().id == number
        value = bytearray(8)
        bpf.map_lookup_elem(map_fd=live.fileno(), key=(42).to_bytes(4, "little"), value=value)
        assert value[0] == 1
        live.unpin()
    assert not path.exists()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("max_entries", 9, "max_entries 4 there, 9 here"),
        ("value_size", 16, "value_size 8 there, 16 here"),
        ("key_size", 8, "key_size 4 there, 8 here"),
        ("map_type", BPF_MAP_TYPE_ARRAY, "type 1 there, 2 here"),
        ("map_flags", 1, "map_flags 0 there, 1 here"),
        ("map_extra", 1, "map_extra 0 there, 1 here"),
    ],
)
def test_pin_of_another_map(
    pinned: ObjectSpec, pin_dir: Path, attribute: str, value: int, message: str
) -> None:
    """A pinned map that differs is not taken; the error says in what, and it stays."""
    Object.load(pinned).close()
    setattr(pinned.maps["bpfgen_pinned"], attribute, value)
    with pytest.raises(BpfError, match=f"'bpfgen_pinned' cannot be .*{message}; remove the pin"):
        Object.load(pinned)
    assert (pin_dir / "bpfgen_pinned").exists()


def test_pin_of_no_map(pinned: ObjectSpec, pin_dir: Path) -> None:
    """A program at the map's path is not taken for one."""
    with Object.load(spec_of("load_plain")) as other:
        next(iter(other.programs.values())).pin(pin_dir / "bpfgen_pinned")
    with pytest.raises(BpfError, match=r"bpfgen_pinned.*: that is no map"):
        Object.load(pinned)


def test_failed_load_leaves_no_pin(pinned: ObjectSpec, pin_dir: Path) -> None:
    """Pins that a failed load made are removed, and the directory; those of others stay."""
    pinned.pin_root_path = str(pin_dir / "new")
    pinned.programs["note"].code, pinned.programs["note"].relocs = bytes(8), ()
    with pytest.raises(BpfError):
        Object.load(pinned)
    assert list(pin_dir.iterdir()) == []
    good = spec_of("maps_pinned")
    good.pin_root_path = str(pin_dir)
    Object.load(good).close()
    pinned.pin_root_path = str(pin_dir)
    with pytest.raises(BpfError):
        Object.load(pinned)
    assert [child.name for child in pin_dir.iterdir()] == ["bpfgen_pinned"]


def test_pin_path(pinned: ObjectSpec, pin_dir: Path) -> None:
    """`pin_path` pins any map, globals too, and goes before the map's name."""
    pinned.maps["bpfgen_pinned"].pinning = 0
    pinned.maps["loose"].pin_path = str(pin_dir / "elsewhere")
    pinned.maps[".data"].pin_path = str(pin_dir / "globals")
    with Object.load(pinned) as first:
        assert sorted(child.name for child in pin_dir.iterdir()) == ["elsewhere", "globals"]
        assert run(first, "note") == 7
    with Object.load(pinned) as again:
        assert run(again, "note") == 8
        assert again.data[".data"][:4] == b"\x09\0\0\0"


def test_dots_in_a_name(pinned: ObjectSpec, pin_dir: Path) -> None:
    """The BPF file system takes no dots; a data section's name has one."""
    pinned.maps[".data"].pinning = 1
    Object.load(pinned).close()
    assert sorted(child.name for child in pin_dir.iterdir()) == ["_data", "bpfgen_pinned"]


def test_pin_outside_a_bpf_file_system(pinned: ObjectSpec, tmp_path: Path) -> None:
    """The error names the map and the path; a directory made for the pin is removed."""
    pinned.pin_root_path = str(tmp_path / "new")
    with pytest.raises(SyscallError, match=r"pin map 'bpfgen_pinned'.*BPF file system"):
        Object.load(pinned)
    assert list(tmp_path.iterdir()) == []
    pinned.pin_root_path = str(tmp_path / "no" / "such")
    with pytest.raises(SyscallError, match=r"make directory .* to pin map 'bpfgen_pinned'"):
        Object.load(pinned)


def test_pin_made_meanwhile(
    pinned: ObjectSpec, pin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If someone pins theirs between look and pin, that one is taken."""
    with Object.load(pinned) as other:
        number = other.maps["bpfgen_pinned"].info().id
    real: Callable[..., object] = bpf.obj_get
    looks = []

    def late(**arguments: object) -> object:
        looks.append(arguments["pathname"])
        if len(looks) == 1:
            raise SyscallError(errno.ENOENT, "BPF_OBJ_GET", "a moment before")
        return real(**arguments)

    monkeypatch.setattr(bpf, "obj_get", late)
    with Object.load(pinned) as loaded:
        assert loaded.maps["bpfgen_pinned"].info().id == number
    assert len(looks) == 2


def test_pinned_devmap(pin_dir: Path) -> None:
    """The flag that the kernel adds to every devmap does not make a difference."""
    spec = spec_of("maps_pinned_devices")
    spec.pin_root_path = str(pin_dir)
    with Object.load(spec) as first, Object.load(spec) as again:
        assert first.maps["bpfgen_devices"].info().id == again.maps["bpfgen_devices"].info().id


# --- reuse


def test_reuse_of_a_map() -> None:
    """`reuse` takes a map of another object, with its contents and its own size."""
    spec, other = spec_of("maps_pinned"), spec_of("maps_pinned")
    for each in (spec, other):
        each.maps["bpfgen_pinned"].pinning = 0
    other.maps["loose"].max_entries = 77
    with Object.load(other) as theirs:
        run(theirs, "note", 3)
        spec.maps["loose"].reuse(theirs.maps["loose"])
        with Object.load(spec) as ours:
            live = ours.maps["loose"]
            assert live.info().id == theirs.maps["loose"].info().id
            assert live.max_entries == 77
            run(ours, "note", 4)
        # Ours is closed, theirs is not.
        value = bytearray(8)
        fd = theirs.maps["loose"].fileno()
        bpf.map_lookup_elem(map_fd=fd, key=(4).to_bytes(4, "little"), value=value)
        spec.maps["loose"].reuse(fd)
        Object.load(spec).close()
        spec.maps["loose"].reuse(None)
        with Object.load(spec) as ours:
            assert ours.maps["loose"].max_entries == 4


def test_reuse_of_globals() -> None:
    """A data section that is reused keeps its values, and is mapped."""
    spec = spec_of("maps_pinned")
    spec.maps["bpfgen_pinned"].pinning = 0
    with Object.load(spec) as first:
        assert run(first, "note") == 7
        spec.maps[".data"].reuse(first.maps[".data"])
        with Object.load(spec) as second:
            assert run(second, "note") == 8
            assert second.data[".data"][:4] == first.data[".data"][:4] == b"\x09\0\0\0"


def test_reuse_of_a_map_that_is_to_be_pinned(pinned: ObjectSpec, pin_dir: Path) -> None:
    """The map given is pinned, and what is pinned goes before another one given."""
    path = pin_dir / "bpfgen_pinned"
    other = spec_of("maps_pinned")
    other.maps["bpfgen_pinned"].pinning = 0
    with Object.load(other) as first, Object.load(other) as second:
        numbers = [each.maps["bpfgen_pinned"].info().id for each in (first, second)]
        pinned.maps["bpfgen_pinned"].reuse(first.maps["bpfgen_pinned"])
        with Object.load(pinned) as loaded:
            live = loaded.maps["bpfgen_pinned"]
            assert (live.info().id, live.pin_path) == (numbers[0], str(path))
        assert first.maps["bpfgen_pinned"].pin_path is None  # its own handle did not pin it
        assert path.exists()
        pinned.maps["bpfgen_pinned"].reuse(second.maps["bpfgen_pinned"])
        with Object.load(pinned) as loaded:
            assert loaded.maps["bpfgen_pinned"].info().id == numbers[0]
        # Another definition than the pinned map's: the one of the map given counts.
        other.maps["bpfgen_pinned"].max_entries = 77
        with Object.load(other) as larger:
            pinned.maps["bpfgen_pinned"].reuse(larger.maps["bpfgen_pinned"])
            with pytest.raises(BpfError, match="max_entries 4 there, 77 here"):
                Object.load(pinned)
            path.unlink()
            with Object.load(pinned) as loaded:
                assert loaded.maps["bpfgen_pinned"].max_entries == 77


def test_failed_load_unpins_a_reused_map(pinned: ObjectSpec, pin_dir: Path) -> None:
    """The pin of a map that was given goes with the failed load that made it; the map stays."""
    other = spec_of("maps_pinned")
    other.maps["bpfgen_pinned"].pinning = 0
    with Object.load(other) as theirs:
        pinned.maps["bpfgen_pinned"].reuse(theirs.maps["bpfgen_pinned"])
        pinned.programs["note"].code, pinned.programs["note"].relocs = bytes(8), ()
        with pytest.raises(BpfError):
            Object.load(pinned)
        assert list(pin_dir.iterdir()) == []
        assert theirs.maps["bpfgen_pinned"].info().max_entries == 4


def test_reuse_of_what_is_no_map() -> None:
    """A closed map, a bad descriptor and another kind of descriptor are typed errors."""
    spec = spec_of("maps_pinned")
    spec.maps["bpfgen_pinned"].pinning = 0
    with Object.load(spec) as loaded:
        live = loaded.maps["loose"]
    spec.maps["loose"].reuse(live)
    with pytest.raises(ClosedError):
        Object.load(spec)
    spec.maps["loose"].reuse(1 << 20)
    with pytest.raises(SyscallError, match="reuse a map as 'loose'"):
        Object.load(spec)
    with open(os.devnull) as file:
        spec.maps["loose"].reuse(file)
        with pytest.raises(BpfError, match="reuse a map as 'loose': that is no map"):
            Object.load(spec)


# --- arenas


@pytest.mark.kernel("arena")
@pytest.mark.parametrize("place", [0, 0x100000000000])
def test_arena(place: int) -> None:
    """Program and process see the same globals; `map_extra` says where the arena is to be."""
    spec = spec_of("maps_arena")
    spec.maps["arena"].map_extra = place
    with Object.load(spec) as loaded:
        arena = loaded.maps["arena"]
        assert isinstance(arena, ArenaMap)
        assert (arena.globals_offset, arena.globals_size) == (15 * 4096, 32)
        assert len(arena.memory) == 16 * 4096
        shared = arena.globals
        assert shared[0] == 40
        assert loaded.programs["count"].test_run().retval == 13
        assert shared[0] == 42
        shared[0] = 100
        assert loaded.programs["count"].test_run().retval == 23
        assert shared[0] == 102
    # A view that someone keeps does no harm.
    assert len(bytes(shared)) == arena.globals_size
    with pytest.raises(ClosedError, match="arena 'arena' is closed"):
        _ = arena.globals
    with Object.load(spec) as again:  # at the same place
        assert again.programs["count"].test_run().retval == 13


@pytest.mark.kernel("arena")
def test_arena_without_globals() -> None:
    """An arena may be all the programs'."""
    with Object.load(spec_of("maps_arena_plain")) as loaded:
        arena = loaded.maps["arena"]
        assert isinstance(arena, ArenaMap)
        assert len(arena.globals) == 0
        arena.memory[4096] = 7
        assert arena.memory[4096] == 7
        assert arena.info().map_flags & BPF_F_MMAPABLE


@pytest.mark.kernel("arena")
def test_arena_that_is_too_small() -> None:
    """Globals that do not fit are an error of the object."""
    spec = spec_of("maps_arena")
    spec.maps["arena"].arena_data = bytearray(5000)
    spec.maps["arena"].max_entries = 1
    with pytest.raises(FormatError, match=r"'arena' of 1 pages has no room .* 5000 bytes"):
        Object.load(spec)


# --- resized sections


def test_resized_section() -> None:
    """Map, mapped memory and types have the new size; programs use it."""
    spec = spec_of("maps_resized")
    spec.maps[".data.table"].value_size = 8 * 16
    spec.variables["table"].set(struct.pack("=2I", 5, 6) * 16)
    spec.variables["slots"].set((16).to_bytes(4, "little"))
    with Object.load(spec) as loaded:
        assert loaded.maps[".data.table"].info().value_size == 128
        assert loaded.data[".data.table"][:128] == struct.pack("=2I", 5, 6) * 16
        assert run(loaded, "fill") == 17
        assert run(loaded, "first") == 5
        assert loaded.data[".data.table"][0] == 6
        datasec = _datasec(loaded.maps[".data.table"])
        btf, section = datasec
        table = btf.type(section.vars[-1].type)
        assert isinstance(table, Var)
        array = btf.type(table.type)
        assert isinstance(array, Array)
        assert (section.size, section.vars[-1].size, array.nelems) == (128, 128, 16)
        # What it did not concern has its lines.
        assert loaded.programs["fill"].info().nr_line_info > 0
    spec.maps[".data.table"].value_size = 8
    with Object.load(spec) as loaded:
        assert loaded.maps[".data.table"].info().value_size == 8


def test_resized_section_without_types() -> None:
    """A section whose types cannot say the size loads without them, and a warning says so."""
    spec = spec_of("maps_resized")
    spec.maps[".data.plain"].value_size = 24
    with pytest.warns(RuntimeWarning, match="without types"):
        loaded = Object.load(spec)
    with loaded:
        info = loaded.maps[".data.plain"].info()
        assert (info.value_size, info.btf_value_type_id) == (24, 0)


def _datasec(live: Map) -> tuple[Btf, Datasec]:
    info = live.info()
    btf = loaded_btf(info.btf_id)
    section = btf.type(info.btf_value_type_id)
    assert isinstance(section, Datasec)
    return btf, section


# --- definitions


def test_names_that_are_cut() -> None:
    """The kernel gets 15 bytes of a name; ours keep the whole of it."""
    with Object.load(spec_of("maps_long_names")) as loaded:
        assert list(loaded.maps) == [
            "a_name_that_is_long_1",
            "a_name_that_is_long_2",
            "holder_of_long_names",
        ]
        names = {live.info().name for live in loaded.maps.values()}
        assert names == {b"a_name_that_is_", b"holder_of_long_"}
        assert run(loaded, "a_program_with_a_long_name") == 0


def test_types_that_the_kernel_does_not_take() -> None:
    """Maps of these types have no BTF in the kernel, whatever the definition says."""
    with Object.load(spec_of("maps_typed")) as loaded:
        typed = {name: live.info().btf_id for name, live in loaded.maps.items()}
    assert {name for name, number in typed.items() if number} <= {"programs"}
