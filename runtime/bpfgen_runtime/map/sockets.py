"""Sockets in maps: for redirection between sockets, AF_XDP, and the choice among SO_REUSEPORT."""

from __future__ import annotations

import errno as _errno

from ..uapi import const as k
from .slots import Handle, NumberMapping, SlotMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeVar

    K = TypeVar("K")
else:
    K = object

__all__ = [
    "ReuseportSockArray",
    "ReuseportSockCookieArray",
    "SockCookieHash",
    "SockCookieMap",
    "SockHash",
    "SockMap",
    "XskMap",
]

_NO_SOCKET = "That is a descriptor of something else than a socket"
_UNSUITABLE = (
    "The socket must be a TCP socket that is connected or listens, a bound UDP socket, or (since"
    " Linux 5.15) a connected Unix socket"
)
_SOCKET_HINTS = {
    _errno.EOPNOTSUPP: _UNSUITABLE,
    _errno.EINVAL: f"{_UNSUITABLE}; and the index must be below max_entries",
    _errno.ENOTSOCK: _NO_SOCKET,
    _errno.EBUSY: "Another program verdicts on the socket already, by another map",
}


class SockMap(SlotMap[int, Handle]):
    """An array of sockets: what `bpf_sk_redirect_map` and `bpf_sk_select_reuseport` go to.

    Assign a socket or its descriptor: TCP, UDP (since v5.7), Unix (since v5.15), vsock (since
    v6.1). A socket leaves the map when it is closed. Programs attached to the map then run on the
    socket's data. Slots can be set and deleted, not read: for that the values must be `__u64`, see
    `SockCookieMap`.

    Kernel: BPF_MAP_TYPE_SOCKMAP, since v4.14.
    """

    __slots__ = ()

    TYPES = ARRAYS = (k.BPF_MAP_TYPE_SOCKMAP,)
    HINTS = _SOCKET_HINTS
    # Of an empty slot, too, the kernel says EINVAL.
    ABSENT = (_errno.ENOENT, _errno.EINVAL)


class SockCookieMap(NumberMapping[int, Handle]):
    """An array of sockets as a mapping to their cookies.

    The same as `SockMap` for maps whose values have 8 bytes: assign a socket, read its cookie, the
    number that `SO_COOKIE` and `bpf_get_socket_cookie` give.

    Kernel: values of 8 bytes since v5.6.
    """

    __slots__ = ()

    TYPES = ARRAYS = SockMap.TYPES
    HINTS = _SOCKET_HINTS
    ABSENT = SockMap.ABSENT


class SockHash(SlotMap[K, Handle]):
    """Sockets by keys of the object's own: what `bpf_sk_redirect_hash` goes to.

    As `SockMap`; iteration gives the keys. What is under a key cannot be read: for that the values
    must be `__u64`, see `SockCookieHash`.

    Kernel: BPF_MAP_TYPE_SOCKHASH, since v4.18.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_SOCKHASH,)
    NUMBERED = False
    HINTS = _SOCKET_HINTS

    def __iter__(self) -> Iterator[K]:
        return self._slots()


class SockCookieHash(NumberMapping[K, Handle]):
    """Sockets by keys of the object's own, as a mapping to their cookies.

    The same as `SockHash` for maps whose values have 8 bytes: assign a socket, read its cookie.

    Kernel: values of 8 bytes since v5.6.
    """

    __slots__ = ()

    TYPES = SockHash.TYPES
    NUMBERED = False
    HINTS = _SOCKET_HINTS


_XSK_HINTS = {
    _errno.ENOBUFS: "The socket has no memory (XDP_UMEM_REG) yet, or is not bound: bind it first",
    _errno.EOPNOTSUPP: "That is no AF_XDP socket",
    _errno.ENOTSOCK: _NO_SOCKET,
}


class XskMap(SlotMap[int, Handle]):
    """An array of AF_XDP sockets, usually one for each queue of a device.

    Assign a socket or its descriptor, bound (which is needed from v7.2 on); `bpf_redirect_map`
    hands packets to it. A socket leaves the map when it is closed. Slots can be set and deleted,
    not read.

    Kernel: BPF_MAP_TYPE_XSKMAP, since v4.18.
    """

    __slots__ = ()

    TYPES = ARRAYS = (k.BPF_MAP_TYPE_XSKMAP,)
    HINTS = _XSK_HINTS


_NOT_SHARED = "It must have SO_REUSEPORT, set before bind(), and be bound (UDP) or listen (TCP)"
_REUSEPORT_HINTS = {
    _errno.EINVAL: _NOT_SHARED,
    _errno.ENOENT: _NOT_SHARED,
    _errno.ENOTSOCK: _NO_SOCKET,
    _errno.EBUSY: "The socket is in a map of this type already, and can be in one only",
}


class ReuseportSockArray(SlotMap[int, Handle]):
    """An array of sockets that share a port: what `bpf_sk_select_reuseport` chooses from.

    Assign a socket or its descriptor: TCP that listens or UDP that is bound, with `SO_REUSEPORT`. A
    socket leaves the map when it is closed, and can be in one such map only. Slots can be set and
    deleted, not read: for that the values must be `__u64`, see `ReuseportSockCookieArray`.

    Kernel: BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, since v4.19.
    """

    __slots__ = ()

    TYPES = ARRAYS = (k.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,)
    HINTS = _REUSEPORT_HINTS


class ReuseportSockCookieArray(NumberMapping[int, Handle]):
    """An array of sockets that share a port, as a mapping to their cookies.

    The same as `ReuseportSockArray` for maps whose values have 8 bytes: assign a socket, read its
    cookie.
    """

    __slots__ = ()

    TYPES = ARRAYS = ReuseportSockArray.TYPES
    HINTS = _REUSEPORT_HINTS
