"""Load a case of the corpus by libbpf and by us, and tell what became of it."""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bpfgen_runtime.errors import BpfError, SyscallError, VerifierError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.sys import bpf, call

from tests.oracle.case import OURS, Case, Set
from tests.support import libbpf
from tests.support.bpfwatch import Asked, Watch
from tests.support.clang import compile_bpf
from tests.support.gothook import watched_syscalls
from tests.support.kernels import has
from tests.support.kernelview import map_id, object_view
from tests.support.kmodules import load_kernel_module
from tests.support.leaks import BPFFS_DIR, unique_name
from tests.support.libbpf import LibbpfObject

#: Room for the log of a case that asks for one.
_LOG_SIZE = 1 << 20
#: Our words for what is no business of a case's object.
_PROBE = "probe a kernel feature"


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


class Result(NamedTuple):
    """What became of a load.

    Attributes:
        errno: 0 if it loaded, None for an error without one.
        programs: what the kernel was asked to load last, by name.
        maps: what it was asked to create, in no order.
        kernel: what the kernel then has.
        error: the text, "" if it loaded; libbpf's are its warnings.
        logs: what the verifier wrote: of programs that ask for it, and of one that it refused
            (under "").
    """

    errno: int | None
    programs: dict[str, Asked]
    maps: list[Asked]
    kernel: dict[str, Any]
    error: str = ""
    logs: Mapping[str, str] = {}


@contextlib.contextmanager
def both(case: Case, tmp_path: Path) -> Iterator[Both]:
    """Have what a case takes besides its object."""
    if case.module and all(has(name) for name in case.needs):
        load_kernel_module(case.module)
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
            _unpin(pins)
            pins.rmdir()


@contextlib.contextmanager
def target(case: Case) -> Iterator[int]:
    """Have the program that the case's program attaches to."""
    if case.target is None:
        yield -1
        return
    with Object.load(load_spec(str(compile_bpf(case.target.object)))) as other:
        yield other.programs[case.target.other].fileno()


@contextlib.contextmanager
def reused(case: Case) -> Iterator[dict[str, int]]:
    """Have the maps that the case's object reuses."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(bpf.map_create(**fields, map_name="another")).fileno()
            for name, fields in case.reused.items()
        }


def _pin_map(case: Case, pins: Path | None) -> None:
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


# --- libbpf


def load_theirs(given: Both, target: int, reused: dict[str, int]) -> Result:
    """Load a case by libbpf."""
    case = given.case
    _pin_map(case, given.pins)
    try:
        with libbpf.warnings() as said:
            try:
                opened = given.theirs()
            except OSError as error:
                text = "".join(said) or str(error)
                return Result(error.errno, {}, [], {"pins": _unpin(given.pins)}, text)
            with opened as theirs:
                return _load_opened(given, theirs, target, reused, said)
    finally:
        _unpin(given.pins)


def _load_opened(
    given: Both, theirs: LibbpfObject, target: int, reused: dict[str, int], said: list[str]
) -> Result:
    case = given.case
    programs = {program.name: program for program in theirs.programs()}
    maps = dict(zip(given.ours().maps, theirs.maps(), strict=True))

    def named(address: int, name: str) -> str | None:
        if address:  # libbpf's probes have instructions of their own
            return next((n for n, program in programs.items() if program.insns == address), None)
        return None if name.startswith("libbpf_") else name or None

    watch = Watch(named)
    logs: dict[str, Any] = {}
    errno, problem = 0, ""
    try:
        for setting in case.settings:
            where = maps if setting.what == "map" else programs
            where[setting.name].call(f"set_{setting.attribute}", *_arguments(setting))
            if setting.attribute == "log_level":
                log = logs[setting.name] = ctypes.create_string_buffer(_LOG_SIZE)
                where[setting.name].call("set_log_buf", ctypes.addressof(log), _LOG_SIZE)
        for name, fd in reused.items():
            maps[name].call("reuse_fd", fd)
        if case.insns is not None:
            name, code = case.insns
            programs[name].call("set_insns", code, len(code) // 8)
        if case.target is not None:
            function = case.target.function.encode()
            programs[case.target.program].call("set_attach_target", target, function)
        with watched_syscalls(libbpf.library(), watch.saw):
            theirs.load()
    except OSError as error:
        errno, problem = error.errno or 0, str(error)
    fds = {} if errno else {name: m.fd for name, m in maps.items() if m.fd >= 0}
    loaded = {n: p.fd for n, p in programs.items() if not errno and p.fd >= 0}
    kernel = {} if errno else object_view(loaded, fds, theirs.btf_fd())
    kernel["pins"] = _unpin(given.pins)
    text = "".join(said)
    found = {name: log.value.decode() for name, log in logs.items()}
    if errno:
        found[""] = "".join(re.findall(r"BEGIN PROG LOAD LOG --\n(.*)-- END", text, re.DOTALL))
    asked = watch.programs_in_the_end({map_id(fd): name for name, fd in fds.items()})
    if given.ours().image.section("version") is None:
        for each in asked.values():
            each["kernel version"] = 0  # the running kernel's; see the table of differences
    return Result(
        errno, asked, watch.maps_in_the_end(), kernel, problem and (text or problem), found
    )


# --- ours


@contextlib.contextmanager
def _our_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    name: str | None = None

    def wrapped(real: Any, key: str) -> Any:
        def function(**fields: Any) -> Any:
            nonlocal name
            name = None if fields["what"] == _PROBE else fields[key]
            return real(**fields)

        return function

    watch = Watch(lambda *_: name)

    def watched(number: int, *arguments: int) -> Any:
        then = watch.saw(number, arguments)
        result = syscall(number, *arguments)
        if then is not None:
            then(result, ctypes.get_errno())
        return result

    syscall = call.syscall
    with monkeypatch.context() as patch:
        patch.setattr(bpf, "prog_load", wrapped(bpf.prog_load, "prog_name"))
        patch.setattr(bpf, "map_create", wrapped(bpf.map_create, "map_name"))
        patch.setattr(bpf, "syscall", watched)
        patch.setattr(call, "syscall", watched)
        yield watch


def load_ours(
    given: Both, target: int, reused: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> Result:
    """Load a case by the runtime."""
    case = given.case
    _pin_map(case, given.pins)
    spec = given.ours()
    with _our_calls(monkeypatch) as watch:
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
            errno = error.errno if isinstance(error, SyscallError) else None
            logs = {"": error.log} if isinstance(error, VerifierError) else {"": ""}
            kernel: dict[str, Any] = {"pins": _unpin(given.pins)}
            asked = watch.programs_in_the_end({})
            return Result(errno, asked, watch.maps_in_the_end(), kernel, str(error), logs)
    with loaded:
        fds = {name: live.fileno() for name, live in loaded.maps.items()}
        programs = {name: program.fileno() for name, program in loaded.programs.items()}
        kernel = object_view(programs, fds, loaded.btf_fd)
        kernel["pins"] = _unpin(given.pins)
        wanted = {each.name for each in case.settings if each.attribute == "log_level"}
        logs = {name: loaded.programs[name].log for name in wanted}
        asked = watch.programs_in_the_end({map_id(fd): name for name, fd in fds.items()})
    return Result(0, asked, watch.maps_in_the_end(), kernel, "", logs)


def _arguments(setting: Set) -> tuple[Any, ...]:
    if isinstance(setting.value, str):
        return 0, setting.value.encode()
    return (setting.value,)


def _warning(case: Case) -> contextlib.AbstractContextManager[Any]:
    if case.warns:
        return pytest.warns(RuntimeWarning, match=re.escape(case.warns))
    return contextlib.nullcontext()
