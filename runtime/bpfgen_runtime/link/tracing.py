"""Programs loaded for one BTF type: `SEC("tp_btf/NAME")`, `SEC("fentry/FUNCTION")`, LSM hooks."""

from __future__ import annotations

import errno

from ..errors import SyscallError
from ..program import Program
from ..sys import bpf
from ..uapi import const as k
from .base import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .info import RawTracepointInfo, TracingInfo

__all__ = ["TracingLink", "TracingProgram", "attach", "autoattach"]

#: What `BPF_RAW_TRACEPOINT_OPEN` attaches where `BPF_LINK_CREATE` does not yet (before v5.19).
_OLD_WAY = frozenset(
    (k.BPF_TRACE_RAW_TP, k.BPF_LSM_MAC, k.BPF_TRACE_FENTRY, k.BPF_TRACE_FEXIT, k.BPF_MODIFY_RETURN)
)


class TracingLink(Link):
    """A program at the tracepoint, function or hook that it was loaded for."""

    __slots__ = ()

    # To the kernel a tp_btf program's link is a raw tracepoint's.
    LINK_TYPES = (k.BPF_LINK_TYPE_TRACING, k.BPF_LINK_TYPE_RAW_TRACEPOINT)

    if TYPE_CHECKING:

        def info(self) -> TracingInfo | RawTracepointInfo: ...


class TracingProgram(Program):
    """A program loaded for one BTF type of the kernel, `BPF_PROG_TYPE_TRACING`."""

    __slots__ = ()

    def attach(self) -> TracingLink:
        """Attach the program to the target that it was loaded with.

        Kernel: `BPF_LINK_CREATE`, since v5.19 for these; before, `BPF_RAW_TRACEPOINT_OPEN` (v5.5).

        Raises:
            SyscallError: e.g. EBUSY, something else patches that function; ENOTSUPP, the
                architecture has no trampolines.
        """
        return attach(self)


def attach(program: Program) -> TracingLink:
    """Attach any program that was loaded with a BTF target, as `TracingProgram.attach`."""
    number, kind = program.fileno(), program.expected_attach_type
    what = f"attach program {program.name!r} ({program.section})"
    try:
        fd = bpf.link_create(prog_fd=number, target_fd=0, attach_type=kind, what=what)
    except SyscallError as error:
        if error.errno != errno.EINVAL or kind not in _OLD_WAY:
            raise
        fd = bpf.raw_tracepoint_open(name=None, prog_fd=number, what=what)
    return TracingLink(fd, program)


def autoattach(program: Program) -> TracingLink:
    """Attach the program to what its section named when it was loaded."""
    return attach(program)
