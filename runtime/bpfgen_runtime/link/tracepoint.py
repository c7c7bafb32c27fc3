"""Tracepoints: `SEC("tp/CATEGORY/NAME")`, by way of a perf event as perf itself does."""

from __future__ import annotations

import errno
import os

from ..errors import BpfError, NotSupportedError, SyscallError
from ..program import Program
from ..sys import bpf, perf
from ..uapi import start as k
from .base import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..sys.fd import Fd
    from .info import TracepointInfo

__all__ = ["TracepointLink", "TracepointProgram", "attach", "autoattach"]

#: Whether the kernel has links of perf events (v5.15); None until the first attachment tells.
_has_perf_links: bool | None = None


class TracepointLink(Link):
    """A program at a tracepoint.

    It has two descriptors: the perf event that fires, and the link of the program to it. Kernels
    before v5.15 have no such link: the program hangs at the event, `fileno` is the event's, and
    there is no pin and no info.

    Args:
        fd: the link, or on older kernels the perf event.
        program: the program that it attaches.
        event: the perf event of a link; None if `fd` is the event, or the link comes from a file.
        is_link: whether `fd` is a link.
    """

    __slots__ = ("_event", "_is_link")

    LINK_TYPES = (k.BPF_LINK_TYPE_PERF_EVENT,)

    def __init__(
        self,
        fd: Fd,
        program: Program | None = None,
        event: Fd | None = None,
        *,
        is_link: bool = True,
    ) -> None:
        super().__init__(fd, program)
        self._event = event
        self._is_link = is_link

    def info(self) -> TracepointInfo:
        """Ask the kernel for the link's id, program and tracepoint.

        Kernel: links of perf events since v5.15, their tracepoint's name since v6.6.
        """
        self._need_link("info of a link")
        from .info import TracepointInfo

        found = super().info()
        assert isinstance(found, TracepointInfo), found
        return found

    def destroy(self) -> None:
        """Close both descriptors and so detach the program, unless a pin or someone else keeps it.

        libbpf disables the event first, but a bound program runs at a disabled event too.
        """
        event, self._event = self._event, None
        connected = self._connected
        try:
            super().destroy()
        finally:
            if event is not None:
                if connected:
                    event.close()
                else:
                    event.release()

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Let a file on the BPF file system hold the link, so that it outlives this process."""
        self._need_link("pinning a link")
        super().pin(path)

    def _need_link(self, feature: str) -> None:
        if not self._is_link:
            raise NotSupportedError(f"{feature} at a tracepoint", "It needs Linux 5.15")


class TracepointProgram(Program):
    """A program for tracepoints, `BPF_PROG_TYPE_TRACEPOINT`."""

    __slots__ = ()

    def attach_tracepoint(self, category: str, name: str) -> TracepointLink:
        """Attach the program to a tracepoint, e.g. `"sched", "sched_process_exec"`.

        Kernel: `BPF_LINK_CREATE` with `BPF_PERF_EVENT`, since v5.15; before (v4.7),
        `PERF_EVENT_IOC_SET_BPF`.

        Raises:
            NotSupportedError: the kernel has no such tracepoint, or tracefs is not mounted.
            SyscallError: e.g. EACCES, the program reads beyond the record, or privilege
                is missing.
        """
        return attach(self, category, name)

    def _autoattach(self) -> TracepointLink | None:
        return autoattach(self)


def attach(program: Program, category: str, name: str) -> TracepointLink:
    """Attach any program to a tracepoint, as `TracepointProgram.attach_tracepoint`."""
    number = program.fileno()
    what = f"attach program {program.name!r} to tracepoint {category}/{name}"
    # Opened without `disabled`, so there is nothing to enable.
    event = perf.open_tracepoint(_number(category, name, what), what=what)
    try:
        fd = _link(number, event, what)
    except BaseException:
        event.close()
        raise
    if fd is None:
        return TracepointLink(event, program, is_link=False)
    return TracepointLink(fd, program, event)


def _number(category: str, name: str, what: str) -> int:
    # Nearly always it is there; if not, `host.mounts` looks elsewhere and says what is wrong.
    try:
        with open(f"/sys/kernel/tracing/events/{category}/{name}/id", "rb", 0) as file:
            return int(file.read(32))
    except OSError:
        from ..host.mounts import tracepoint_id

        return tracepoint_id(category, name, what=what)


def autoattach(program: Program) -> TracepointLink | None:
    """Attach the program where its section says; None for a bare `SEC("tp")`."""
    target = program.attach_target
    if not target:
        return None
    category, slash, name = target.partition("/")
    if not slash:
        raise BpfError(
            f"attach program {program.name!r}: section {program.section!r} names no tracepoint; "
            f'it takes SEC("tp/CATEGORY/NAME"), e.g. SEC("tp/sched/sched_switch")'
        )
    return attach(program, category, name)


def _link(prog_fd: int, event: Fd, what: str) -> Fd | None:
    """Bind program and event, the newest way first; None if by the old way, which makes no link."""
    global _has_perf_links
    if _has_perf_links is not False:
        try:
            fd = bpf.link_create(
                prog_fd=prog_fd,
                target_fd=event.fileno(),
                attach_type=k.BPF_PERF_EVENT,
                what=what,
            )
        except SyscallError as error:
            # A kernel without perf links says EINVAL, but others may too, for reasons of their own.
            if _has_perf_links or error.errno != errno.EINVAL:
                raise
        else:
            _has_perf_links = True
            return fd
    perf.event_set_bpf(event.fileno(), prog_fd, what=what)
    _has_perf_links = False
    return None
