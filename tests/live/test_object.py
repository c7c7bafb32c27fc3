"""Objects in the kernel: what a load makes, and that a failed one leaves nothing."""

from __future__ import annotations

import errno
import os
import struct
from mmap import PAGESIZE
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime import load
from bpfgen_runtime.btf import BTF_KIND_INT, Int
from bpfgen_runtime.errors import (
    ClosedError,
    ElfError,
    NotSupportedError,
    SyscallError,
    VerifierError,
)
from bpfgen_runtime.host.cpus import possible_cpus
from bpfgen_runtime.load import ring_size
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.map import HashMap
from bpfgen_runtime.object import Object
from bpfgen_runtime.program import Program
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi.const import BPF_PROG_TYPE_SOCKET_FILTER
from bpfgen_runtime.values import u32, u64

from tests.support.clang import compile_bpf
from tests.support.kernels import has

PACKET = bytes(64)


def spec_of(name: str) -> ObjectSpec:
    spec = load_spec(str(compile_bpf(name)))
    if name == "load_testrun":
        spec.programs["work"].autoload = has("syscall programs")
    return spec


@pytest.mark.kernel("syscall programs")
def test_globals_are_shared_with_the_kernel() -> None:
    """Programs see constants set before load and what is written after; we see what they write."""
    spec = spec_of("load_testrun")
    spec.variables["factor"].set(struct.pack("=Q", 10))
    with Object.load(spec) as loaded:
        runs = spec.variables["runs"].offset
        bss = loaded.data[".bss"]
        struct.pack_into("=Q", bss, runs, 41)
        result = loaded.programs["work"].test_run(ctx_in=struct.pack("=QQ", 6, 0))
        assert struct.unpack("=QQ", result.ctx_out) == (6, 60)
        loaded.programs["marking"].test_run(PACKET)
        assert struct.unpack_from("=Q", bss, runs) == (42,)


def test_object_without_programs() -> None:
    """Functions of .text alone are no programs: the maps are made, and nothing else."""
    spec = spec_of("load_library")
    assert [each.name for each in spec.subprograms] == ["total"]
    with Object.load(spec) as loaded:
        assert (list(loaded.maps), loaded.programs) == (["totals"], {})


def test_initial_values_reach_the_kernel() -> None:
    """Each section starts with the object's contents, in maps that cannot be mapped, too."""
    spec = spec_of("load_globals")
    with Object.load(spec) as loaded:
        assert set(loaded.data) == set(spec.maps) - {".data.secret", ".data.internal"}
        for name, live in loaded.maps.items():
            size = spec.maps[name].value_size
            value = bytearray(size)
            bpf.map_lookup_elem(map_fd=live.fileno(), key=bytes(4), value=value)
            assert value == spec.maps[name].contents
            assert bytes(loaded.data.get(name, value)) == value


def test_contents_of_another_size() -> None:
    """Contents that are not as long as the value are refused before the kernel would read them."""
    spec = spec_of("load_testrun")
    spec.maps[".bss"].contents = bytearray(8)
    with pytest.raises(ValueError, match=r"contents of '\.bss' have 8 bytes, its value_size is 16"):
        Object.load(spec)


def test_constants_cannot_be_changed_any_more() -> None:
    """`.rodata` is frozen and mapped read-only."""
    with Object.load(spec_of("load_testrun")) as loaded:
        with pytest.raises(TypeError, match="readonly"):
            loaded.data[".rodata"][0] = 1
        with pytest.raises(SyscallError) as caught:
            bpf.map_update_elem(
                map_fd=loaded.maps[".rodata"].fileno(), key=bytes(4), value=bytes(8)
            )
        assert caught.value.errno == errno.EPERM


def test_one_spec_loads_often() -> None:
    """A load uses nothing up: two of one spec have maps and programs of their own."""
    spec = spec_of("load_testrun")
    with Object.load(spec) as one, Object.load(spec) as two:
        one.programs["marking"].test_run(PACKET)
        runs = spec.variables["runs"].offset
        assert [struct.unpack_from("=Q", o.data[".bss"], runs) for o in (one, two)] == [(1,), (0,)]


def test_close() -> None:
    """Closing twice is harmless; what is closed says so."""
    loaded = Object.load(spec_of("load_testrun"))
    assert loaded.btf_fd > 2
    program = loaded.programs["marking"]
    loaded.close()
    loaded.close()
    assert program.closed
    for use in (program.fileno, loaded.__enter__, lambda: loaded.btf_fd, program.info):
        with pytest.raises(ClosedError):
            use()
    assert "closed" in repr(loaded)


def test_close_with_a_view_of_the_data() -> None:
    """A view of global data that someone kept stays readable; everything else is closed."""
    loaded = Object.load(spec_of("load_testrun"))
    view = memoryview(loaded.data[".bss"])
    loaded.close()
    assert loaded.programs["marking"].closed
    assert view[0] == 0
    view.release()


def test_programs_that_are_not_loaded() -> None:
    """`SEC("?…")` and autoload = False leave programs out; the rest of the object loads."""
    spec = spec_of("load_refused")
    spec.programs["greedy_program_of_long_name"].autoload = False
    with Object.load(spec) as loaded:
        assert list(loaded.programs) == ["good"]
        assert list(loaded.maps) == ["slots", ".bss"]


def test_refusal_by_the_verifier() -> None:
    """The error has the program, the errno and the whole log; nothing of the object is left."""
    before = os.listdir("/proc/self/fd")
    with pytest.raises(VerifierError) as caught:
        Object.load(spec_of("load_refused"))
    error = caught.value
    assert (error.errno, error.command) == (errno.EACCES, "BPF_PROG_LOAD")
    assert "load program 'greedy_program_of_long_name' of object 'load_refused'" in str(error)
    assert "invalid access to packet" in str(error)
    assert "(struct xdp_md *ctx)" in error.log  # line info is in use
    assert error.log.rstrip().splitlines()[-1].startswith("processed ")
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_long_log() -> None:
    """A log of more than the first buffer comes whole, also of a success."""
    spec = spec_of("load_refused")
    for name, program in spec.programs.items():
        program.autoload = name == "many_states"
    with Object.load(spec, log_level=2) as loaded:
        log = loaded.programs["many_states"].log
    assert len(log) > 1 << 16
    assert log.lstrip().startswith(("func#0", "0:"))
    assert "processed" in log.rstrip().splitlines()[-1]


@pytest.mark.parametrize("name", ["many_states", "greedy_program_of_long_name"])
def test_log_beyond_all_bounds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that does not fit decides nothing: a good program loads, a bad one is refused."""
    monkeypatch.setattr(load, "_LOG_SIZE", 512)
    monkeypatch.setattr(load, "_LOG_LIMIT", 1024)
    spec = spec_of("load_refused")
    for each in spec.programs.values():
        each.autoload = each.name == name
    if name == "many_states":
        with Object.load(spec, log_level=2) as loaded:
            assert 0 < len(loaded.programs[name].log) < 1024
    else:
        with pytest.raises(VerifierError) as caught:
            Object.load(spec, log_level=2)
        assert caught.value.errno == errno.EACCES
        assert 0 < len(caught.value.log) < 1024


def test_log_level_of_one_program() -> None:
    """A program's own log level keeps its log; the others have none."""
    spec = spec_of("load_testrun")
    spec.programs["marking"].log_level = 4  # BPF_LOG_STATS
    with Object.load(spec) as loaded:
        assert "processed" in loaded.programs["marking"].log
        assert loaded.programs["grow"].log == ""


def test_map_that_was_left_out() -> None:
    """A program that needs a map with autocreate = False is refused with the map's name."""
    spec = spec_of("load_refused")
    spec.maps["slots"].autocreate = False
    with pytest.raises(VerifierError, match="uses map 'slots', which was not created"):
        Object.load(spec)


def test_map_that_the_kernel_refuses() -> None:
    """The error names the map and the step."""
    spec = spec_of("load_maps")
    spec.maps["hash"].max_entries = 0
    with pytest.raises(SyscallError, match=r"create map 'hash': BPF_MAP_CREATE: EINVAL"):
        Object.load(spec)


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        (0, 0),
        (1, PAGESIZE),
        (PAGESIZE, PAGESIZE),
        (PAGESIZE + 1, 2 * PAGESIZE),
        (3 * PAGESIZE, 4 * PAGESIZE),
        (1 << 31, 1 << 31),
        ((1 << 32) - 1, (1 << 32) - 1),
    ],
)
def test_ring_sizes(wanted: int, size: int) -> None:
    """A ring's size becomes a power of two of pages; what cannot be is left to the kernel."""
    assert ring_size(wanted) == size


def test_sizes_that_load_decides() -> None:
    """Live maps know the size that the kernel has, the spec keeps what the file says."""
    spec = spec_of("load_maps")
    with Object.load(spec) as loaded:
        assert loaded.maps["ring"].max_entries == 2 * PAGESIZE
        assert loaded.maps["events"].max_entries == len(possible_cpus())
        for name in ("ring", "events", "hash", "stack"):
            info = bpf.map_get_info_by_fd(loaded.maps[name].fileno())
            assert loaded.maps[name].max_entries == info.max_entries
    assert (spec.maps["ring"].max_entries, spec.maps["events"].max_entries) == (5000, 0)


class CountingProgram(Program):
    __slots__ = ()


@pytest.mark.kernel("bpf_loop")
def test_bindings() -> None:
    """Bound specs become objects of the classes and types that they are bound to."""
    spec = spec_of("load_callbacks")
    spec.maps["table"].binding = (HashMap, u32, u64)
    spec.programs["sum_maps"].binding = CountingProgram
    with Object.load(spec) as loaded:
        assert type(loaded.programs["sum_loop"]) is Program
        program: Any = loaded.programs["sum_maps"]
        assert isinstance(program, CountingProgram)
        assert program.test_run(PACKET).retval == (2 + 40) + (0 + 1 + 2 + 3 + 40)
        table: Any = loaded.maps["table"]
        assert dict(table.items()) == {2: 40}


def test_failing_binding_leaves_nothing() -> None:
    """A class that cannot be made closes what was made for it."""

    class Broken(Program):
        def __init__(self, *args: object) -> None:
            raise ZeroDivisionError

    spec = spec_of("load_testrun")
    spec.programs["marking"].binding = Broken
    with pytest.raises(ZeroDivisionError):
        Object.load(spec)


def test_subprograms_run() -> None:
    """Appended subprograms compute what the C source says."""

    def leaf(x: int) -> int:
        return x * 3 + 1

    def middle(x: int) -> int:
        return leaf(x) + leaf(x + 1)

    length = len(PACKET)
    spec = spec_of("load_subprogs")
    with Object.load(spec) as loaded:
        first = loaded.programs["first"].test_run(PACKET).retval
        second = loaded.programs["second"].test_run(PACKET).retval
        (calls,) = struct.unpack_from("=Q", loaded.data[".bss"], spec.variables["calls"].offset)
    assert first == (middle(length) ^ leaf(length)) + middle(length)
    assert second == middle(length + 7) - (middle(length) ^ leaf(length)) + leaf(5)
    assert calls == 5 + 6


def test_program_without_a_type() -> None:
    """A section name that says nothing is an error, until the type is set."""
    spec = spec_of("load_refused")
    for name, program in spec.programs.items():
        program.autoload = name == "untyped"
    with pytest.raises(ElfError, match=r"program 'untyped': .*no program type") as caught:
        Object.load(spec)
    assert caught.value.section == "no_such_section"
    spec.programs["untyped"].type = BPF_PROG_TYPE_SOCKET_FILTER
    with Object.load(spec) as loaded:
        assert loaded.programs["untyped"].type == BPF_PROG_TYPE_SOCKET_FILTER


def test_attach_target() -> None:
    """A program that attaches to a kernel type needs one that exists; it can be set before load."""
    spec = spec_of("load_tracing")
    for name, program in spec.programs.items():
        program.autoload = name == "on_exit"
    program = spec.programs["on_exit"]
    program.attach_target = "no_such_tracepoint"
    with pytest.raises(NotSupportedError, match="no typedef 'btf_trace_no_such_tracepoint'"):
        Object.load(spec)
    program.attach_target = ""
    with pytest.raises(NotSupportedError, match=r"SEC\(\"tp_btf/sched_process_exit/TARGET\"\)"):
        Object.load(spec)
    program.attach_target = "sched_process_fork"
    with Object.load(spec) as loaded:
        assert loaded.programs["on_exit"].attach_target == "sched_process_fork"


def _foreign(path: Path) -> ObjectSpec:
    return load_spec(str(compile_bpf("load_plain", "-target", "bpfeb")))


def _unknown_map(path: Path) -> ObjectSpec:
    spec = spec_of("load_maps")
    spec.maps["hash"].unsupported = "a thing to come"
    return spec


def _jump_tables(path: Path) -> ObjectSpec:
    spec = spec_of("load_plain")
    spec.unsupported = (".jumptables",)
    return spec


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_foreign, "big-endian"),
        (_unknown_map, "map 'hash': a thing to come"),
        (_jump_tables, r"section '\.jumptables'"),
    ],
)
def test_what_is_not_supported_yet(make: Any, message: str, tmp_path: Path) -> None:
    """Such objects open, and load says what is missing."""
    with pytest.raises(NotSupportedError, match=message):
        Object.load(make(tmp_path))


@pytest.mark.kernel("bpf_loop")
def test_unsupported_map_that_is_left_out() -> None:
    """A map that is not to be created may be of any kind."""
    spec = spec_of("load_callbacks")
    spec.maps["table"].unsupported = "a thing to come"
    spec.maps["table"].autocreate = False
    spec.programs["sum_maps"].autoload = False
    with Object.load(spec) as loaded:
        assert list(loaded.maps) == ["slots"]


def test_btf_that_the_kernel_refuses() -> None:
    """The object loads without BTF, as with libbpf; a warning says why."""
    spec = spec_of("load_testrun")
    assert spec.btf is not None
    type_id = spec.btf.find("unsigned int", BTF_KIND_INT)[0]
    spec.btf = spec.btf.replace({type_id: Int("unsigned int", 4, bits=40)})
    with pytest.warns(RuntimeWarning, match=r"load BTF of object 'load_testrun'(?s:.*)without BTF"):
        loaded = Object.load(spec)
    with loaded:
        assert loaded.btf_fd == -1
        assert loaded.programs["marking"].info().nr_line_info == 0
        assert loaded.programs["marking"].test_run(PACKET).retval == 7
