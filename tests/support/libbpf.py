"""The system's libbpf by ctypes, as an oracle: what it makes of an object is what we should.

Only tests use it. Needs libbpf 1.0 or newer.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.requirements import require

_INTS = {
    "bpf_object__load": ctypes.c_int,
    "bpf_object__btf_fd": ctypes.c_int,
    "bpf_program__fd": ctypes.c_int,
    "bpf_program__type": ctypes.c_int,
    "bpf_program__expected_attach_type": ctypes.c_int,
    "bpf_program__autoload": ctypes.c_bool,
    "bpf_program__flags": ctypes.c_uint32,
    "bpf_program__insn_cnt": ctypes.c_size_t,
    "bpf_map__fd": ctypes.c_int,
    "bpf_map__type": ctypes.c_int,
    "bpf_map__key_size": ctypes.c_uint32,
    "bpf_map__value_size": ctypes.c_uint32,
    "bpf_map__max_entries": ctypes.c_uint32,
    "bpf_map__map_flags": ctypes.c_uint32,
    "bpf_map__map_extra": ctypes.c_uint64,
    "bpf_map__numa_node": ctypes.c_uint32,
    "bpf_map__btf_key_type_id": ctypes.c_uint32,
    "bpf_map__btf_value_type_id": ctypes.c_uint32,
}
#: Setters of one number; what is set is the name behind `set_`.
_SETTERS = {
    "bpf_map__set_type": ctypes.c_int,
    "bpf_map__set_key_size": ctypes.c_uint32,
    "bpf_map__set_value_size": ctypes.c_uint32,
    "bpf_map__set_max_entries": ctypes.c_uint32,
    "bpf_map__set_map_flags": ctypes.c_uint32,
    "bpf_map__set_numa_node": ctypes.c_uint32,
    "bpf_map__set_map_extra": ctypes.c_uint64,
    "bpf_map__set_autocreate": ctypes.c_bool,
    "bpf_map__reuse_fd": ctypes.c_int,
    "bpf_program__set_type": ctypes.c_int,
    "bpf_program__set_expected_attach_type": ctypes.c_int,
    "bpf_program__set_flags": ctypes.c_uint32,
    "bpf_program__set_log_level": ctypes.c_uint32,
    "bpf_program__set_autoload": ctypes.c_bool,
}
_STRINGS = ("bpf_program__name", "bpf_program__section_name", "bpf_map__name", "bpf_object__name")
_POINTERS = (
    "bpf_object__open_file",
    "bpf_object__next_program",
    "bpf_object__next_map",
    "bpf_program__insns",
)


class _OpenOptions(ctypes.Structure):
    """struct bpf_object_open_opts up to what is used here."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("object_name", ctypes.c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", ctypes.c_char_p),
        ("_unused", ctypes.c_uint32),
        ("kconfig", ctypes.c_char_p),
        ("btf_custom_path", ctypes.c_char_p),
    )


@functools.cache
def library() -> Any:
    """Load it; functions have their types."""
    require("libbpf")
    found = ctypes.CDLL(ctypes.util.find_library("bpf"), use_errno=True)
    for name, restype in _INTS.items():
        function = getattr(found, name)
        function.restype, function.argtypes = restype, [ctypes.c_void_p]
    for name, kind in _SETTERS.items():
        function = getattr(found, name)
        function.restype, function.argtypes = ctypes.c_int, [ctypes.c_void_p, kind]
    for name, more in (
        ("bpf_program__set_attach_target", [ctypes.c_int, ctypes.c_char_p]),
        ("bpf_program__set_insns", [ctypes.c_char_p, ctypes.c_size_t]),
        ("bpf_program__set_log_buf", [ctypes.c_void_p, ctypes.c_size_t]),
    ):
        function = getattr(found, name)
        function.restype, function.argtypes = ctypes.c_int, [ctypes.c_void_p, *more]
    for name in _STRINGS:
        function = getattr(found, name)
        function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    for name in _POINTERS:
        function = getattr(found, name)
        function.restype = ctypes.c_void_p
        count = 1 if name == "bpf_program__insns" else 2
        function.argtypes = [ctypes.c_void_p] * count
    found.bpf_object__open_file.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    found.bpf_object__close.restype = None
    found.bpf_object__close.argtypes = [ctypes.c_void_p]
    found.libbpf_set_print.argtypes = [ctypes.c_void_p]
    found.libbpf_set_print(_print)
    return found


# --- what it says

_WARN = 0
_listeners: list[list[str]] = []
#: Room for a message, which may hold the verifier's log; memory that is not written to costs none.
_ROOM = mmap.mmap(-1, 1 << 24)
_room = ctypes.addressof(ctypes.c_char.from_buffer(_ROOM))
_vsnprintf = ctypes.CDLL(None).vsnprintf
_vsnprintf.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]


def _hear(level: int, form: bytes, arguments: int) -> int:
    # A va_list is passed as an address by x86-64 and by 64-bit ARM.
    if level == _WARN and _listeners:
        _vsnprintf(_room, len(_ROOM), form, arguments)
        text = ctypes.string_at(_room).decode(errors="replace")
        for said in _listeners:
            said.append(text)
    return 0


_print = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(_hear)


@contextlib.contextmanager
def warnings() -> Iterator[list[str]]:
    """Collect what libbpf warns of; otherwise nobody hears it, since tests say what is wrong."""
    said: list[str] = []
    _listeners.append(said)
    try:
        yield said
    finally:
        _listeners.remove(said)


def version() -> tuple[int, int]:
    """The version of the system's libbpf."""
    return library().libbpf_major_version(), library().libbpf_minor_version()


class _Handle:
    """Properties of one opaque C object: `handle.fd` is `PREFIX__fd(pointer)`."""

    def __init__(self, prefix: str, pointer: int) -> None:
        self._prefix = prefix
        self.pointer = pointer

    def __getattr__(self, name: str) -> Any:
        value = getattr(library(), f"{self._prefix}__{name}")(self.pointer)
        return value.decode() if isinstance(value, bytes) else value

    def call(self, function: str, *arguments: Any) -> None:
        """Call one of libbpf's functions that return an error.

        Raises:
            OSError: it did.
        """
        error = getattr(library(), f"{self._prefix}__{function}")(self.pointer, *arguments)
        if error:
            raise OSError(-error, f"libbpf: {self._prefix}__{function}")

    def instructions(self) -> bytes:
        """The instructions of a program as libbpf has them now: relocated once it is loaded."""
        return ctypes.string_at(self.insns, self.insn_cnt * 8)


class LibbpfObject:
    """An object opened by libbpf; closed as a context manager.

    Args:
        btf_custom_path: BTF for CO-RE in place of the kernel's.
        kconfig: settings before those of the kernel.
        pin_root_path: where maps are pinned by name.

    Raises:
        OSError: libbpf refuses the file, or load fails.
    """

    def __init__(
        self,
        path: Path,
        btf_custom_path: Path | None = None,
        kconfig: str | None = None,
        pin_root_path: Path | None = None,
    ) -> None:
        options = None
        if (btf_custom_path, kconfig, pin_root_path) != (None, None, None):
            options = _OpenOptions(
                btf_custom_path=None if btf_custom_path is None else os.fsencode(btf_custom_path),
                kconfig=None if kconfig is None else kconfig.encode(),
                pin_root_path=None if pin_root_path is None else os.fsencode(pin_root_path),
            )
            options.sz = ctypes.sizeof(options)
        self._options = options  # libbpf may keep pointers into it
        pointer = None if options is None else ctypes.addressof(options)
        self.pointer = library().bpf_object__open_file(os.fsencode(path), pointer)
        if not self.pointer:
            raise OSError(ctypes.get_errno(), f"libbpf cannot open {path}")

    def load(self) -> LibbpfObject:
        error = library().bpf_object__load(self.pointer)
        if error:
            raise OSError(-error, "libbpf cannot load the object")
        return self

    def btf_fd(self) -> int:
        """The descriptor of the object's BTF in the kernel, negative if there is none."""
        return int(library().bpf_object__btf_fd(self.pointer))

    def programs(self) -> list[_Handle]:
        return list(self._walk("bpf_object__next_program", "bpf_program"))

    def maps(self) -> list[_Handle]:
        return list(self._walk("bpf_object__next_map", "bpf_map"))

    def _walk(self, function: str, prefix: str) -> Iterator[_Handle]:
        pointer = None
        while pointer := getattr(library(), function)(self.pointer, pointer):
            yield _Handle(prefix, pointer)

    def __enter__(self) -> LibbpfObject:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pointer, self.pointer = self.pointer, None
        if pointer:
            library().bpf_object__close(pointer)
