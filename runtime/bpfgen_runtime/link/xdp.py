"""XDP: `SEC("xdp")`, programs that see a packet before the network stack does."""

from __future__ import annotations

import errno

from ..errors import SyscallError
from ..program import Program
from ..sys import bpf
from ..uapi import const as k
from .base import Link, with_hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .info import XdpInfo

__all__ = [
    "XDP_FLAGS_DRV_MODE",
    "XDP_FLAGS_HW_MODE",
    "XDP_FLAGS_SKB_MODE",
    "XdpLink",
    "XdpProgram",
    "attach",
]

# <linux/if_link.h>: macros, which BTF does not have.
#: Run in the stack, after the packet got its sk_buff: any device, slower.
XDP_FLAGS_SKB_MODE = 1 << 1
#: Run in the device's driver, or fail.
XDP_FLAGS_DRV_MODE = 1 << 2
#: Run on the device itself, or fail.
XDP_FLAGS_HW_MODE = 1 << 3

_NO_DEVICE = "There is no such device in this process's network namespace"
_HINTS = {
    errno.EBUSY: "The device has an XDP program already, by another link or without one "
    "(`ip link set dev NAME xdp off`)",
    errno.EEXIST: "The device has an XDP program already in another mode",
    errno.EOPNOTSUPP: "The driver does not run XDP in this mode: try flags=XDP_FLAGS_SKB_MODE",
    errno.ERANGE: "The device's MTU is too large for XDP in one buffer: lower it, or use xdp.frags",
    # The kernel says so of an unknown index too.
    errno.EINVAL: f"{_NO_DEVICE}, or the kernel has no XDP links (before v5.9), or the device "
    'cannot run XDP with its settings, or the program is for a map (SEC("xdp/devmap"), …)',
}


class XdpLink(Link):
    """An XDP program on a network device."""

    __slots__ = ()

    LINK_TYPES = (k.BPF_LINK_TYPE_XDP,)

    if TYPE_CHECKING:

        def info(self) -> XdpInfo: ...

    def update(self, program: XdpProgram, *, old: XdpProgram | None = None) -> None:
        """Put another program in the place of the attached one; no packet goes unseen.

        The link belongs to the new program from then on: it closes with that one.

        Args:
            program: must be loaded with the same kind of section (with or without frags).
            old: only if this is the program attached now, else EPERM.
        """
        self._update(program, 0 if old is None else k.BPF_F_REPLACE, old)


class XdpProgram(Program):
    """A program for packets, `BPF_PROG_TYPE_XDP`."""

    __slots__ = ()

    def attach_xdp(self, ifindex: int | str, flags: int = 0) -> XdpLink:
        """Attach the program to a network device of this process's network namespace.

        Kernel: `BPF_LINK_CREATE` with `BPF_XDP`, since v5.9. Without flags the driver's mode is
        used if it has one, else the stack's.

        Args:
            ifindex: the device's index, or its name.
            flags: one of `XDP_FLAGS_SKB_MODE`, `XDP_FLAGS_DRV_MODE`, `XDP_FLAGS_HW_MODE`, or 0.

        Raises:
            SyscallError: e.g. ENODEV, no such device; EBUSY, it has a program already.
        """
        return attach(self, ifindex, flags)


def attach(program: Program, ifindex: int | str, flags: int = 0) -> XdpLink:
    """Attach any XDP program, as `XdpProgram.attach_xdp`."""
    what = f"attach program {program.name!r} to device {ifindex!r}"
    try:
        fd = bpf.link_create(
            prog_fd=program.fileno(),
            target_ifindex=_index(ifindex, what) if isinstance(ifindex, str) else ifindex,
            attach_type=k.BPF_XDP,
            flags=flags,
            what=what,
        )
    except SyscallError as error:
        hint = _HINTS.get(error.errno or 0)
        if hint is None or error.command != "BPF_LINK_CREATE":
            raise
        raise with_hint(error, hint) from error
    return XdpLink(fd, program)


def _index(name: str, what: str) -> int:
    import socket

    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        code = error.errno or errno.ENODEV
        raise SyscallError(code, "if_nametoindex", what, _NO_DEVICE) from error
