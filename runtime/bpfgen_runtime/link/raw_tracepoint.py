"""Raw tracepoints: `SEC("raw_tp/NAME")`, the tracepoint's own arguments, unconverted."""

from __future__ import annotations

import errno

from ..errors import SyscallError
from ..program import Program
from ..sys import bpf
from ..uapi import const as k
from .base import Link, with_hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .info import RawTracepointInfo

__all__ = ["RawTracepointLink", "RawTracepointProgram", "attach", "autoattach"]


class RawTracepointLink(Link):
    """A program at a raw tracepoint."""

    __slots__ = ()

    LINK_TYPES = (k.BPF_LINK_TYPE_RAW_TRACEPOINT,)

    if TYPE_CHECKING:

        def info(self) -> RawTracepointInfo: ...


class RawTracepointProgram(Program):
    """A program for raw tracepoints, `BPF_PROG_TYPE_RAW_TRACEPOINT`."""

    __slots__ = ()

    def attach_raw_tracepoint(self, name: str) -> RawTracepointLink:
        """Attach the program to a tracepoint by its name alone, e.g. `"sched_switch"`.

        Kernel: `BPF_RAW_TRACEPOINT_OPEN`, since v4.17; the names are those of tracefs's events/*/*,
        but system calls have only `sys_enter` and `sys_exit`.

        Raises:
            SyscallError: e.g. ENOENT, there is no such tracepoint; EINVAL, the program reads more
                arguments than the tracepoint has.
        """
        return attach(self, name)


def attach(program: Program, name: str) -> RawTracepointLink:
    """Attach any program to a raw tracepoint, as `RawTracepointProgram.attach_raw_tracepoint`."""
    what = f"attach program {program.name!r} to raw tracepoint {name!r}"
    try:
        fd = bpf.raw_tracepoint_open(name=name, prog_fd=program.fileno(), what=what)
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise
        raise with_hint(
            error,
            "The kernel has no such tracepoint: see /sys/kernel/tracing/available_events, names "
            "without the category; for one system call's tracepoint use tp/syscalls/NAME",
        ) from error
    return RawTracepointLink(fd, program)


def autoattach(program: Program) -> RawTracepointLink | None:
    """Attach the program where its section says; None for a bare `SEC("raw_tp")`."""
    return attach(program, program.attach_target) if program.attach_target else None
