"""Iterators: `SEC("iter/TARGET")`, programs that the kernel calls for each task, map, entry …

The link only says which objects; every read starts an iteration of its own.
"""

from __future__ import annotations

import errno
import io
import os
from sys import byteorder

from ..errors import SyscallError
from ..program import Program
from ..sys import bpf
from ..uapi import const as k
from .base import Link, with_hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from ..map import Map
    from .info import IterInfo

__all__ = ["IterLink", "IterProgram", "attach", "autoattach"]

#: The kernel's own buffer for one iteration is 8 pages: a larger one here would never be full.
_CHUNK = 32768


class IterLink(Link):
    """An iterator program and the objects that it iterates over."""

    __slots__ = ()

    LINK_TYPES = (k.BPF_LINK_TYPE_ITER,)

    if TYPE_CHECKING:

        def info(self) -> IterInfo: ...

    def read(self) -> bytes:
        """Run one iteration and return all that the program wrote with `bpf_seq_*`."""
        with self.open() as stream:
            return stream.read()

    def open(self) -> io.BufferedReader:
        """Start an iteration and return a file to read its output from; close it after use.

        The kernel calls the program while the file is read, so the output is as of then. Records
        of fixed size can be read with `readinto`.

        Kernel: `BPF_ITER_CREATE`, since v5.8.

        Raises:
            SyscallError: `BPF_ITER_CREATE` failed; reading raises OSError, e.g. E2BIG where one
                call of the program wrote more than 32 KiB (8 pages).
        """
        fd = bpf.iter_create(self.fileno(), what=f"start {self._what()}")
        return io.BufferedReader(_Stream(fd.release()), _CHUNK)

    def __iter__(self) -> Iterator[bytes]:
        """Run one iteration and yield its output by lines, each with its newline."""
        with self.open() as stream:
            yield from stream


class IterProgram(Program):
    """An iterator program, `BPF_PROG_TYPE_TRACING` with `BPF_TRACE_ITER`."""

    __slots__ = ()

    def attach_iter(self, map: Map | None = None) -> IterLink:
        """Attach the program to the objects that its section names; read them through the link.

        Kernel: `BPF_LINK_CREATE`, since v5.8.

        Args:
            map: the map whose entries are meant; needed for `iter/bpf_map_elem` and
                `iter/bpf_sk_storage_map`, and for these only.

        Raises:
            SyscallError: e.g. EBADF without a map where one is needed, EACCES where the program
                reads more than the map's key or value.
        """
        return attach(self, map)


def attach(program: Program, map: Map | None = None) -> IterLink:
    """Attach any iterator program, as `IterProgram.attach_iter`."""
    what = f"attach program {program.name!r} ({program.section})"
    # union bpf_iter_link_info: map.map_fd is its first member.
    info = b"" if map is None else map.fileno().to_bytes(4, byteorder)
    try:
        fd = bpf.link_create(
            prog_fd=program.fileno(),
            target_fd=0,
            attach_type=k.BPF_TRACE_ITER,
            iter_info=info,
            what=what,
        )
    except SyscallError as error:
        if error.errno != errno.EBADF or map is not None:
            raise
        hint = f"An iterator over {program.attach_target!r} is of one map: attach_iter(map=...)"
        raise with_hint(error, hint) from error
    return IterLink(fd, program)


def autoattach(program: Program) -> IterLink:
    """Attach the iterator to the kernel's objects that its section names."""
    return attach(program)


class _Stream(io.RawIOBase):
    """One iteration's descriptor as a file.

    The kernel ends a read with EAGAIN when the program has skipped a million objects in a row.
    Python would take that for "no data yet" and end early; it only means to go on.
    """

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        while True:
            try:
                return os.readv(self._number, [buffer])
            except BlockingIOError:
                continue

    def close(self) -> None:
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)
        super().close()
