"""Pins: files on a BPF file system that hold a map, a program or a link."""

from __future__ import annotations

import os

from ..errors import BpfError, SyscallError
from . import bpf

__all__ = ["pin", "unpin"]


def pin(fd: int, path: str | os.PathLike[str], pin_path: str | None, what: str) -> str:
    """Make a file hold what a descriptor is of, and return the file's path.

    Args:
        pin_path: where it is pinned already, None if nowhere.
        what: e.g. `"map 'counts'"`, for messages.

    Raises:
        BpfError: it is pinned already.
        SyscallError: BPF_OBJ_PIN failed, e.g. EEXIST, or EPERM outside a BPF file system.
    """
    if pin_path is not None:
        raise BpfError(f"pin {what}: it is pinned already, at {pin_path!r}")
    name = os.fsdecode(path)
    bpf.obj_pin(pathname=path, bpf_fd=fd, what=f"pin {what} at {name!r}")
    return name


def unpin(pin_path: str | None, what: str) -> None:
    """Remove the file at which it is pinned.

    Raises:
        BpfError: it is pinned nowhere.
        SyscallError: the file cannot be removed, e.g. ENOENT if someone else did.
    """
    if pin_path is None:
        raise BpfError(f"unpin {what}: it is not pinned")
    try:
        os.unlink(pin_path)
    except OSError as error:
        raise SyscallError(error.errno or 0, "unlink", f"unpin {what} from {pin_path!r}") from error
