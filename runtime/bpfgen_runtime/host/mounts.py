"""Where the kernel's file systems are mounted."""

from __future__ import annotations

import errno
import os

from ..errors import NotSupportedError, SyscallError

__all__ = ["tracefs", "tracepoint_id"]

_TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_DENIED = "Run as root, or have tracefs mounted with mode=755 or the gid of a group of yours"

_tracefs: str | None = None


def tracefs() -> str:
    """Return the directory of the tracing file system; remembered once found.

    Raises:
        NotSupportedError: it is not mounted.
        SyscallError: EACCES, this process may not look into it.
    """
    global _tracefs
    if _tracefs is None:
        for path in _TRACEFS:
            try:
                os.stat(f"{path}/events")
            except PermissionError as error:
                raise SyscallError(
                    error.errno or 0, "stat", f"look into {path}", _DENIED
                ) from error
            except OSError:
                continue
            _tracefs = path
            break
        else:
            raise NotSupportedError(
                "tracing without a mounted tracefs",
                "as root, mount -t tracefs tracefs /sys/kernel/tracing",
            )
    return _tracefs


def tracepoint_id(category: str, name: str, *, what: str = "") -> int:
    """Return a tracepoint's number, for `perf_event_attr.config`.

    Args:
        what: what it is for, for messages.

    Raises:
        NotSupportedError: this kernel has no such tracepoint, or tracefs is not mounted.
        SyscallError: EACCES, this process may not read it.
    """
    path = f"{tracefs()}/events/{category}/{name}/id"
    what = what or f"tracepoint {category}/{name}"
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        known = os.path.isdir(f"{tracefs()}/events/{category}")
        raise NotSupportedError(
            what,
            f"this kernel has no tracepoint {name!r} in category {category!r}"
            f"{'' if known else ', nor that category'} ({path})",
        ) from error
    except OSError as error:
        hint = _DENIED if error.errno in (errno.EACCES, errno.EPERM) else ""
        raise SyscallError(error.errno or 0, f"open {path}", what, hint) from error
    try:
        return int(os.read(number, 32))
    finally:
        os.close(number)
