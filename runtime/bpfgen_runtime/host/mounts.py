"""Where the kernel's file systems are mounted."""

from __future__ import annotations

import ctypes
import os

from ..errors import NotSupportedError

__all__ = ["is_bpffs", "tracefs", "tracepoint_id"]

_TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_BPF_FS_MAGIC = 0xCAFE4A11

_tracefs: str | None = None


def tracefs() -> str:
    """Return the directory of the tracing file system; remembered once found.

    Raises:
        NotSupportedError: it is not mounted, or this process may not see it.
    """
    global _tracefs
    if _tracefs is None:
        for path in _TRACEFS:
            if os.path.exists(f"{path}/events"):
                _tracefs = path
                break
        else:
            raise NotSupportedError(
                "tracing without a mounted tracefs",
                "as root, mount -t tracefs tracefs /sys/kernel/tracing",
            )
    return _tracefs


def tracepoint_id(category: str, name: str) -> int:
    """Return a tracepoint's number, for `perf_event_attr.config`.

    Raises:
        NotSupportedError: this kernel has no such tracepoint.
    """
    path = f"{tracefs()}/events/{category}/{name}/id"
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError as error:
        raise NotSupportedError(
            f"tracepoint {category}:{name}", f"this kernel has none of that name ({path})"
        ) from error


def is_bpffs(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path lies in a BPF file system, where objects can be pinned."""
    # struct statfs starts with the type, a long, on s390x an int; 256 bytes are more than any
    # architecture's struct takes.
    buffer = ctypes.create_string_buffer(256)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), buffer) < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno), os.fspath(path))
    kind = ctypes.c_ulong if os.uname().machine != "s390x" else ctypes.c_uint32
    return kind.from_buffer(buffer).value & 0xFFFFFFFF == _BPF_FS_MAGIC
