"""perf_event_open(2) and its ioctls.

A program runs at a tracepoint, a k/uprobe or a counter by being set on an open perf event; the
attachment lasts as long as the event's descriptor.
"""

from __future__ import annotations

import errno as _errno
import os
from ctypes import c_int, c_ulong, c_void_p, get_errno
from struct import Struct

from ..errors import BpfError, NotSupportedError, SyscallError
from ..uapi.start import PERF_FLAG_FD_CLOEXEC, PERF_TYPE_TRACEPOINT
from .call import address, function, number
from .fd import Fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "event_disable",
    "event_enable",
    "event_set_bpf",
    "open_tracepoint",
    "perf_event_open",
]

_NR_PERF_EVENT_OPEN = number(1)
_syscall = function(c_void_p, c_int, c_int, c_int, c_ulong)
_ioctl = function(c_int, c_ulong, c_ulong, name="ioctl")

# _IO('$', 0), _IO('$', 1), _IOW('$', 8, __u32): three architectures have their own idea of the top
# bits.
_ODD = os.uname().machine.startswith(("mips", "ppc", "sparc"))
_PERF_EVENT_IOC_ENABLE = 0x20002400 if _ODD else 0x2400
_PERF_EVENT_IOC_DISABLE = 0x20002401 if _ODD else 0x2401
_PERF_EVENT_IOC_SET_BPF = 0x80042408 if _ODD else 0x40042408

# The first published struct perf_event_attr (PERF_ATTR_SIZE_VER0), type and config set: a
# tracepoint needs no more, and the whole struct's class (`uapi.perf_attr`) costs a third of a
# millisecond to make.
_TRACEPOINT_ATTR = Struct("=IIQ48x")


def perf_event_open(
    attr: Buffer,
    *,
    pid: int = -1,
    cpu: int = -1,
    group_fd: int = -1,
    flags: int = 0,
    what: str = "open perf event",
) -> Fd:
    """Open a perf event, close-on-exec.

    Args:
        attr: a `PerfEventAttr`, its `size` set.
        pid: the process to count in; -1 is all of them, 0 this one.
        cpu: the CPU to count on; -1 is all of them, for one process only.
        flags: PERF_FLAG_*.

    Kernel: since v2.6.31.
    """
    attr_address, _attr = address(attr)
    flags |= PERF_FLAG_FD_CLOEXEC
    result = _syscall(_NR_PERF_EVENT_OPEN, attr_address, pid, cpu, group_fd, flags)
    if result < 0:
        raise _failure("perf_event_open", what)
    return Fd(result, "perf event")


def open_tracepoint(id: int, *, pid: int = -1, cpu: int = 0, what: str = "") -> Fd:
    """Open a tracepoint as a perf event, to set a program on.

    A program of type BPF_PROG_TYPE_TRACEPOINT runs on every CPU whatever `cpu` says.

    Args:
        id: the tracepoint's number; see `host.mounts.tracepoint_id`.
    """
    attr = _TRACEPOINT_ATTR.pack(PERF_TYPE_TRACEPOINT, _TRACEPOINT_ATTR.size, id)
    return perf_event_open(attr, pid=pid, cpu=cpu, what=what or f"open tracepoint {id}")


def event_set_bpf(event_fd: int, prog_fd: int, *, what: str = "set program on perf event") -> None:
    """Have a program run at the event.

    Kernel: PERF_EVENT_IOC_SET_BPF, since v4.1.
    """
    _control(event_fd, _PERF_EVENT_IOC_SET_BPF, prog_fd, "PERF_EVENT_IOC_SET_BPF", what)


def event_enable(event_fd: int, *, what: str = "enable perf event") -> None:
    """Start the event."""
    _control(event_fd, _PERF_EVENT_IOC_ENABLE, 0, "PERF_EVENT_IOC_ENABLE", what)


def event_disable(event_fd: int, *, what: str = "disable perf event") -> None:
    """Stop the event."""
    _control(event_fd, _PERF_EVENT_IOC_DISABLE, 0, "PERF_EVENT_IOC_DISABLE", what)


def _control(event_fd: int, request: int, argument: int, name: str, what: str) -> None:
    if _ioctl(event_fd, request, argument) < 0:
        raise _failure(name, what)


def _failure(command: str, what: str) -> BpfError:
    errno = get_errno()
    if _NR_PERF_EVENT_OPEN < 0:
        machine = os.uname().machine
        return NotSupportedError(f"{what}: {command} on {machine}", "add its call number")
    hint = ""
    if errno in (_errno.EPERM, _errno.EACCES):
        from .explain import permission_hint

        hint = permission_hint(("CAP_PERFMON",))
    elif errno == _errno.EEXIST and command == "PERF_EVENT_IOC_SET_BPF":
        hint = "The event has this program already, or takes one only"
    elif errno == _errno.ENOSYS:
        hint = (
            "This kernel is built without CONFIG_PERF_EVENTS, or a seccomp filter forbids the call"
        )
    return SyscallError(errno, command, what, hint)
