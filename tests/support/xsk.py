"""AF_XDP sockets that are ready for packets: with memory, rings, and a device's queue."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Iterator

AF_XDP = 44
_SOL_XDP = 283
_XDP_RX_RING, _XDP_UMEM_REG, _XDP_UMEM_FILL_RING, _XDP_UMEM_COMPLETION_RING = 2, 4, 5, 6
_XDP_COPY = 1 << 1
_FRAMES, _FRAME_SIZE = 16, 4096


@contextlib.contextmanager
def bound_xsk(device: int, queue: int = 0) -> Iterator[socket.socket]:
    """Have an AF_XDP socket bound to a queue of a device, given by its index, of this namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (
        mmap.mmap(-1, _FRAMES * _FRAME_SIZE) as memory,
        socket.socket(AF_XDP, socket.SOCK_RAW) as xsk,
    ):
        place = ctypes.c_char.from_buffer(memory)
        # struct xdp_umem_reg: addr, len, chunk_size, headroom, flags, tx_metadata_len
        umem = struct.pack("=QQIIII", ctypes.addressof(place), len(memory), _FRAME_SIZE, 0, 0, 0)
        xsk.setsockopt(_SOL_XDP, _XDP_UMEM_REG, umem)
        for ring in (_XDP_UMEM_FILL_RING, _XDP_UMEM_COMPLETION_RING, _XDP_RX_RING):
            xsk.setsockopt(_SOL_XDP, ring, _FRAMES)
        # struct sockaddr_xdp: family, flags, ifindex, queue_id, shared_umem_fd; unknown to socket.
        address = struct.pack("=HHIII", AF_XDP, _XDP_COPY, device, queue, 0)
        if libc.bind(xsk.fileno(), address, len(address)):
            errno = ctypes.get_errno()
            raise OSError(errno, os.strerror(errno), "bind an AF_XDP socket")
        try:
            yield xsk
        finally:
            del place
