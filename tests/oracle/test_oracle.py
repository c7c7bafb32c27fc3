"""The corpus through libbpf and through us: the kernel has the same, or refuses the same."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from sys import byteorder
from typing import Any, NamedTuple

import pytest
from bpfgen_runtime.errors import BpfError, FormatError, KeyMissingError, SyscallError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k

from tests.oracle.case import OURS, Case, Set
from tests.oracle.corpus import CASES
from tests.support import libbpf
from tests.support.clang import compile_bpf
from tests.support.kernels import has, running
from tests.support.kernelview import loaded_btf, map_id, map_view, program_view
from tests.support.leaks import BPFFS_DIR, unique_name
from tests.support.libbpf import LibbpfObject

pytestmark = [pytest.mark.live, pytest.mark.needs("libbpf")]

_LDIMM64 = 0x18
_PSEUDO_MAPS = (1, 2)
_PSEUDO_BTF_ID = 3


def _params(*, opens: bool) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in CASES if (case.fails != "open") == opens]


def _knows(case: Case) -> bool:
    """Tell whether the system's libbpf is new enough for a case."""
    return libbpf.version() >= case.libbpf


# --- both


class Both(NamedTuple):
    """Everything that a case takes, for both."""

    case: Case
    path: Path
    custom_btf: Path | None
    pins: Path | None

    def theirs(self) -> LibbpfObject:
        return LibbpfObject(self.path, self.custom_btf, self.case.kconfig, self.pins)

    def ours(self) -> ObjectSpec:
        spec = load_spec(str(self.path))
        if self.custom_btf is not None:
            spec.btf_custom_path = str(self.custom_btf)
        if self.case.kconfig is not None:
            spec.kconfig = self.case.kconfig
        if self.pins is not None:
            spec.pin_root_path = str(self.pins)
        return spec


@contextlib.contextmanager
def _both(case: Case, tmp_path: Path) -> Iterator[Both]:
    custom = None
    if case.custom_btf is not None:
        custom = tmp_path / "custom.btf"
        custom.write_bytes(case.custom_btf())
    pins = None
    if case.pinned is not None:
        pins = Path(BPFFS_DIR) / unique_name("oracle")
        pins.mkdir()
    try:
        yield Both(case, case.path(tmp_path), custom, pins)
    finally:
        if pins is not None:
            for child in pins.iterdir():
                child.unlink()
            pins.rmdir()


class Result(NamedTuple):
    """What became of a load.

    Attributes:
        errno: 0 if it loaded, None for an error without one.
        insns: what the programs were given to the kernel as, by name.
        kernel: what the kernel then has.
        error: the text, "" if it loaded.
    """

    errno: int | None
    insns: dict[str, list[tuple[Any, ...]]]
    kernel: dict[str, Any]
    error: str = ""


def _insns(code: bytes, names: Mapping[int, str]) -> list[tuple[Any, ...]]:
    """Decode instructions: names for descriptors of maps, 0 for those of modules' BTF."""
    found: list[tuple[Any, ...]] = []
    before = 0
    for opcode, registers, offset, imm in struct.iter_unpack("=BBhi", code):
        pseudo = registers >> 4 if opcode == _LDIMM64 else 0
        value: Any = imm
        if pseudo in _PSEUDO_MAPS:
            value = names.get(imm, "a map")
        elif before == _PSEUDO_BTF_ID:
            value = "module" if imm else 0
        found.append((opcode, registers, offset, value))
        before = pseudo
    return found


def _pinned_map(case: Case, pins: Path | None) -> None:
    """Pin a map where the case's object wants one."""
    if not case.pinned or pins is None:
        return
    fields: dict[str, Any] = dict(case.pinned)
    entries = fields.pop("entries")
    with bpf.map_create(**fields, max_entries=entries, map_name="bpfgen_pinned") as fd:
        bpf.obj_pin(pathname=str(pins / "bpfgen_pinned"), bpf_fd=fd.fileno())


def _unpin(pins: Path | None) -> list[str]:
    if pins is None:
        return []
    names = sorted(child.name for child in pins.iterdir())
    for name in names:
        (pins / name).unlink()
    return names


@contextlib.contextmanager
def _target(case: Case) -> Iterator[int]:
    """Have the program that the case's program attaches to."""
    if case.target is None:
        yield -1
        return
    with Object.load(load_spec(str(compile_bpf(case.target.object)))) as other:
        yield other.programs[case.target.other].fileno()


@contextlib.contextmanager
def _reused(case: Case) -> Iterator[dict[str, int]]:
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(bpf.map_create(**fields, map_name="another")).fileno()
            for name, fields in case.reused.items()
        }


# --- libbpf


def _load_theirs(both: Both, target: int, reused: dict[str, int]) -> Result:
    case, names = both.case, list(both.ours().maps)
    _pinned_map(case, both.pins)
    try:
        opened = both.theirs()
    except OSError as error:
        return Result(error.errno, {}, {"pins": _unpin(both.pins)}, str(error))
    try:
        with opened as theirs:
            programs = {program.name: program for program in theirs.programs()}
            maps = dict(zip(names, theirs.maps(), strict=True))
            errno, text = 0, ""
            try:
                for setting in case.settings:
                    where = maps if setting.what == "map" else programs
                    where[setting.name].call(f"set_{setting.attribute}", *_arguments(setting))
                for name, fd in reused.items():
                    maps[name].call("reuse_fd", fd)
                if case.insns is not None:
                    name, code = case.insns
                    programs[name].call("set_insns", code, len(code) // 8)
                if case.target is not None:
                    function = case.target.function.encode()
                    programs[case.target.program].call("set_attach_target", target, function)
                theirs.load()
            except OSError as error:
                errno, text = error.errno or 0, str(error)
            fds = {} if errno else {name: m.fd for name, m in maps.items() if m.fd >= 0}
            insns = {
                name: _insns(program.instructions(), {fd: n for n, fd in fds.items()})
                for name, program in programs.items()
            }
            loaded = {n: p.fd for n, p in programs.items() if not errno and p.fd >= 0}
            kernel = {} if errno else _kernel(loaded, fds, theirs.btf_fd())
            if not errno:
                insns = {name: insns[name] for name in loaded}
            kernel["pins"] = _unpin(both.pins)
            return Result(errno, insns, kernel, text)
    finally:
        _unpin(both.pins)


def _arguments(setting: Set) -> tuple[Any, ...]:
    if isinstance(setting.value, str):
        return 0, setting.value.encode()
    return (setting.value,)


# --- ours


def _load_ours(
    both: Both, target: int, reused: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> Result:
    case = both.case
    _pinned_map(case, both.pins)
    spec = both.ours()
    given: dict[str, bytes] = {}
    ids: dict[str, dict[int, int]] = {}
    real = bpf.prog_load

    def watching(**fields: Any) -> Any:
        name = fields.get("prog_name", "")
        if fields["what"] != "probe a kernel feature":
            given[name] = bytes(fields["insns"])
            ids[name] = {fd: map_id(fd) for fd in _map_fds(given[name])}
        return real(**fields)

    with monkeypatch.context() as patch:
        patch.setattr(bpf, "prog_load", watching)
        try:
            for setting in case.settings:
                where: Any = spec.maps if setting.what == "map" else spec.programs
                name = OURS.get(setting.attribute, setting.attribute)
                if name == "attach_target":
                    where[setting.name].set_attach_target(setting.value)
                else:
                    setattr(where[setting.name], name, setting.value)
            for name, fd in reused.items():
                spec.maps[name].reuse(fd)
            if case.insns is not None:
                name, code = case.insns
                spec.programs[name].set_insns(code)
            if case.target is not None:
                spec.programs[case.target.program].set_attach_target(
                    case.target.function, program=target
                )
            with _warning(case):
                loaded = Object.load(spec)
        except BpfError as error:
            # The maps are closed: descriptors say nothing any more.
            refused = {name: _insns(code, {}) for name, code in given.items()}
            errno = error.errno if isinstance(error, SyscallError) else None
            return Result(errno, refused, {"pins": _unpin(both.pins)}, str(error))
    with loaded:
        fds = {name: live.fileno() for name, live in loaded.maps.items()}
        by_id = {map_id(fd): name for name, fd in fds.items()}
        insns = {
            name: _insns(code, {fd: by_id[number] for fd, number in ids[name].items()})
            for name, code in given.items()
        }
        programs = {name: program.fileno() for name, program in loaded.programs.items()}
        kernel = _kernel(programs, fds, loaded.btf_fd)
        kernel["pins"] = _unpin(both.pins)
    return Result(0, insns, kernel)


def _warning(case: Case) -> contextlib.AbstractContextManager[Any]:
    if case.warns:
        return pytest.warns(RuntimeWarning, match=re.escape(case.warns))
    return contextlib.nullcontext()


def _map_fds(code: bytes) -> set[int]:
    return {
        imm
        for opcode, registers, _, imm in struct.iter_unpack("=BBhi", code)
        if opcode == _LDIMM64 and registers >> 4 in _PSEUDO_MAPS
    }


# --- what the kernel has


def _kernel(programs: dict[str, int], maps: dict[str, int], btf_fd: int) -> dict[str, Any]:
    names = {map_id(fd): name for name, fd in maps.items()}
    types = None
    if btf_fd >= 0:
        types = list(loaded_btf(bpf.btf_get_info_by_fd(btf_fd).id).types())
    return {
        "programs": {name: program_view(fd, names) for name, fd in programs.items()},
        "maps": {name: map_view(fd) for name, fd in maps.items()},
        "data": {name: _data(fd) for name, fd in maps.items() if _is_data(fd)},
        "slots": {name: _slots(fd) for name, fd in maps.items() if _holds(fd)},
        "types": types,
        "number of types": None if types is None else len(types),
    }


def _is_data(fd: int) -> bool:
    info = bpf.map_get_info_by_fd(fd)
    return bool(info.type == k.BPF_MAP_TYPE_ARRAY and info.max_entries == 1)


def _data(fd: int) -> bytes:
    value = bytearray(bpf.map_get_info_by_fd(fd).value_size)
    bpf.map_lookup_elem(map_fd=fd, key=bytes(4), value=value)
    return bytes(value)


def _holds(fd: int) -> bool:
    return bpf.map_get_info_by_fd(fd).type in (
        k.BPF_MAP_TYPE_ARRAY_OF_MAPS,
        k.BPF_MAP_TYPE_HASH_OF_MAPS,
        k.BPF_MAP_TYPE_PROG_ARRAY,
    )


def _slots(fd: int) -> list[Any]:
    info = bpf.map_get_info_by_fd(fd)
    is_programs = info.type == k.BPF_MAP_TYPE_PROG_ARRAY
    found: list[Any] = []
    for slot in range(info.max_entries):
        value = bytearray(4)
        try:
            bpf.map_lookup_elem(map_fd=fd, key=slot.to_bytes(4, byteorder), value=value)
        except KeyMissingError:
            found.append(None)
            continue
        number = int.from_bytes(value, byteorder)
        if is_programs:
            with bpf.prog_get_fd_by_id(number) as held:
                found.append(bytes(bpf.prog_get_info_by_fd(held.fileno()).name))
        else:
            with bpf.map_get_fd_by_id(number) as held:
                found.append(map_view(held.fileno()))
    return found


# --- at open


@pytest.mark.host_only  # no kernel is asked
@pytest.mark.parametrize("case", _params(opens=True))
def test_open_finds_the_same(case: Case, tmp_path: Path) -> None:
    """Names, order, types, flags, sizes and code of programs and maps are libbpf's."""
    if not _knows(case) or case.flags:
        spec = load_spec(str(case.path(tmp_path)))  # what we find is held to `facts` at load
        assert spec.programs or spec.subprograms
        return
    path = case.path(tmp_path)
    spec = load_spec(str(path))
    with LibbpfObject(path) as theirs:
        assert [
            (
                p.name,
                p.section,
                p.prog_type,
                _attach_type(p.prog_type, p),
                p.autoload,
                p.prog_flags,
                p.code,
            )
            for p in spec.programs.values()
        ] == [
            (
                p.name,
                p.section_name,
                p.type,
                _attach_type(p.type, p),
                p.autoload,
                p.flags,
                p.instructions(),
            )
            for p in theirs.programs()
        ]
        rounded = {m.name: m.max_entries for m in theirs.maps()}
        assert [
            (
                m.name if not m.is_data or m.name.count(".") > 1 else m.kernel_name,
                m.map_type,
                m.key_size,
                m.value_size,
                rounded[m.name] if _is_ring(m.map_type) else m.max_entries,
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
                m.btf_value_type_id if m.type != k.BPF_MAP_TYPE_STRUCT_OPS else 0,
            )
            for m in theirs.maps()
        ]


def _is_ring(map_type: int) -> bool:
    return map_type in (k.BPF_MAP_TYPE_RINGBUF, k.BPF_MAP_TYPE_USER_RINGBUF)


def _attach_type(prog_type: int, program: Any) -> int:
    # Of struct_ops programs it is the kernel's, and found at load; libbpf before 1.4 has the
    # object's until then. What the kernel is given in the end is compared after the load.
    if prog_type == k.BPF_PROG_TYPE_STRUCT_OPS:
        return 0
    attach_type: int = program.expected_attach_type
    return attach_type


@pytest.mark.host_only
@pytest.mark.parametrize("case", _params(opens=False))
def test_neither_opens(case: Case, tmp_path: Path) -> None:
    """What libbpf refuses at open is refused there."""
    path = case.path(tmp_path)
    with pytest.raises(OSError, match="cannot open"):
        LibbpfObject(path)
    with pytest.raises(FormatError, match=case.message):
        load_spec(str(path))


# --- load


@pytest.mark.parametrize("case", _params(opens=True))
def test_load(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel gets the same instructions and has the same afterwards; or refuses the same.

    Compared: of programs, type, name, flags' effects, attach_btf_id, instructions before and after
    the verifier, function and line records, types; of maps, definition, types, contents; the
    object's BTF. A failure has libbpf's errno, where the kernel has refused.
    """
    with (
        _both(case, tmp_path) as both,
        _target(case) as target,
        _reused(case) as reused,
    ):
        ours = _load_ours(both, target, reused, monkeypatch)
        theirs = _load_theirs(both, target, reused) if _knows(case) else None
    if _is_decided(case):
        if case.fails:
            assert re.search(case.message, ours.error), ours.error or "it loads"
            # What has no errno never got to the kernel; what it refused, has libbpf's.
            assert (ours.errno is None) == (case.fails == "load")
        else:
            assert ours.error == ""
    if theirs is None:
        _holds_facts(case, ours)
        return
    assert bool(ours.error) == bool(theirs.error), (ours.error, theirs.error)
    for result in (ours, theirs):
        if case.difference in _LEFT_OUT:
            _LEFT_OUT[case.difference](result.kernel)
    assert ours.kernel == theirs.kernel
    if ours.errno is not None:
        assert ours.errno == theirs.errno, ours.error
        # Programs behind the refused one were not given to the kernel.
        assert ours.insns == {name: theirs.insns[name] for name in ours.insns}
    if not ours.error:
        assert set(ours.insns) == set(theirs.insns)


def _without_wrapper(kernel: dict[str, Any]) -> None:
    if not has("kprobe"):  # libbpf cannot see it then; the last of the settings
        kernel["data"][".kconfig"] = kernel["data"][".kconfig"][:-1]


def _without_records(kernel: dict[str, Any]) -> None:
    for view in kernel["programs"].values():
        del view["func_info"], view["line_info"], view["types"]


#: The fields and types that cases with `core` ask for are those of kernels since then.
_FIELDS_SINCE = (6, 12)

#: By difference: takes what differs out of what the kernel has.
_LEFT_OUT = {
    "LINUX_HAS_SYSCALL_WRAPPER": _without_wrapper,
    "set_insns": _without_records,
}


def _is_decided(case: Case) -> bool:
    """Tell whether this kernel is known to do what the case says."""
    if case.core and running() < _FIELDS_SINCE:
        return False
    return all(has(name) for name in case.needs)


def _holds_facts(case: Case, ours: Result) -> None:
    """Compare with what the kernel has to say of features that libbpf is too old for."""
    assert case.facts, "newer than the system's libbpf, and nothing to compare with"
    for what, facts in case.facts.items():
        kind, _, name = what.partition(" ")
        if kind == "errno":
            assert {"errno": ours.errno} == facts
            continue
        if ours.error:
            assert not _is_decided(case)
            continue
        view = dict(ours.kernel[f"{kind}s"][name])
        if kind == "program":
            view["functions"] = len(view["func_info"])
        assert {key: view[key] for key in facts} == facts
