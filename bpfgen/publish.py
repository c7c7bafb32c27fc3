"""Writes an output file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

__all__ = ["is_current", "write"]


def is_current(path: Path, contents: str | bytes) -> bool:
    """Tell whether a file is there with just these contents."""
    try:
        return path.read_bytes() == _bytes(contents)
    except FileNotFoundError:
        return False


def _bytes(contents: str | bytes) -> bytes:
    return contents.encode("utf-8") if isinstance(contents, str) else contents


def write(path: Path, contents: str | bytes) -> None:
    """Replace a file's contents in one step; whoever reads it sees the old ones or the new ones.

    A file that is already there keeps its permissions, and a symbolic link keeps pointing where it
    did. An unchanged file is not touched, so that build tools see no news.

    Raises:
        OSError: the directory or the file cannot be written; nothing has changed then.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():  # a device or a pipe: nothing to replace
        path.write_bytes(_bytes(contents))
        return
    if is_current(path, contents):
        return
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        with open(path, "r+b"):  # replacing needs no right to the file itself, but it is wanted
            pass
    except FileNotFoundError:
        mode = 0o666 & ~_umask()
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(_bytes(contents))
            os.fchmod(file.fileno(), mode)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def _umask() -> int:
    mask = os.umask(0o077)  # the only way to ask is to set
    os.umask(mask)
    return mask
