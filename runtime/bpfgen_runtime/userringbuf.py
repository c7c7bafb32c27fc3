"""User ring buffers: records that this process writes and programs drain."""

from __future__ import annotations

import errno as _errno
from _thread import allocate_lock
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap
from select import EPOLL_CLOEXEC, EPOLLET, EPOLLOUT, epoll
from time import monotonic

from .errors import BpfError, ClosedError, SyscallError
from .map.base import Map
from .stream import Fence
from .uapi.const import (
    BPF_MAP_TYPE_USER_RINGBUF,
    BPF_RINGBUF_BUSY_BIT,
    BPF_RINGBUF_DISCARD_BIT,
    BPF_RINGBUF_HDR_SZ,
)
from .values import as_ctype
from .values.ctype import placed
from .values.records import RecordType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Generic, TypeVar

    from typing_extensions import Buffer, Self

    E = TypeVar("E")

    class _Generic(Generic[E]):
        __slots__ = ()

else:
    E = object

    class _Generic:
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


__all__ = ["Sample", "UserRingBuf"]

#: Seconds after which a wait looks for room by itself: programs may drain without a wake-up
#: (`BPF_RB_NO_WAKEUP`).
_PATIENCE = 0.5


class UserRingBuf(Map, _Generic[E]):
    """A ring buffer that this process fills with records `E`, or with bytes.

    A program reads them when it calls `bpf_user_ringbuf_drain`; nothing wakes it. Records come out
    in the order in which their room was reserved, and one that is reserved and neither submitted
    nor discarded holds up those behind it. Threads may share an object; two objects of one map, or
    two processes, would overwrite each other's records.

    Kernel: BPF_MAP_TYPE_USER_RINGBUF, since v6.1.
    """

    __slots__ = ("_data", "_epoll", "_fence", "_headers", "_maps", "_mutex", "_positions", "_typed")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._typed = kwargs.get("value") is not None
        super().__init__(*args, **kwargs)
        if self.map_type != BPF_MAP_TYPE_USER_RINGBUF:
            raise BpfError(f"map {self.name!r} is no user ring buffer: its type is {self.type!r}")
        self._maps: tuple[mmap, ...] = ()
        self._data = self._headers = memoryview(b"")
        #: The consumer's position, in a page that is read-only here, and the producer's.
        self._positions: tuple[memoryview, memoryview] | None = None
        self._epoll: epoll | None = None
        self._mutex = allocate_lock()
        self._fence = Fence()

    def send(self, event: E, timeout: float | None = 0) -> None:
        """Write one record.

        Args:
            timeout: seconds to wait for room if there is none; None for ever.

        Raises:
            SyscallError: ENOSPC, there is no room; E2BIG, there never will be.
        """
        if self._typed:
            try:
                data = self._encoded(event)
            except (OverflowError, TypeError, ValueError) as error:
                raise placed(error, f"record of user ring buffer {self.name!r}") from None
            self.send_raw(data, timeout)
        else:
            self.send_raw(event, timeout)  # type: ignore[arg-type]

    def _encoded(self, event: Any) -> bytes:
        declared = self.value_type
        if not isinstance(declared, RecordType):
            return declared.encode(event)
        own = as_ctype(type(event))  # one of several types, each of which has its own class
        if own not in declared.types:
            raise TypeError(f"{event!r} is none of {declared.c_name}")
        return own.encode(event)

    def send_raw(self, data: Buffer, timeout: float | None = 0) -> None:
        """Write one record of any length, given as bytes."""
        view = memoryview(data).cast("B")
        with self.reserve(len(view), timeout) as sample:
            sample.data[:] = view

    def reserve(self, size: int, timeout: float | None = 0) -> Sample:
        """Reserve room for a record of `size` bytes, to be filled in place and submitted.

        As a context manager the sample is submitted at the end of its block, and discarded if that
        raises.

        Args:
            timeout: seconds to wait for room if there is none; None for ever.

        Raises:
            SyscallError: ENOSPC, there is no room; E2BIG, there never will be.
        """
        start = self._reserve(size)
        if start is None and timeout != 0:
            start = self._wait(size, timeout)
        if start is None:
            raise SyscallError(
                _errno.ENOSPC,
                "reserve",
                self._reserving(size),
                "Programs make room by bpf_user_ringbuf_drain(); give a timeout to wait for it",
            )
        return Sample(self, start, size)

    def close(self) -> None:
        """Unmap the memory and close the descriptor; do nothing if that is done already.

        Samples that are not submitted by then cannot be any more.
        """
        with self._mutex:
            positions, self._positions = self._positions, None
            waiter, self._epoll = self._epoll, None
            if positions is not None:
                for view in (*positions, self._headers, self._data):
                    view.release()
            maps, self._maps = self._maps, ()
        for one in maps:
            try:
                one.close()
            except BufferError:
                continue  # someone still has a sample's memory: it goes with that
        if waiter is not None:
            waiter.close()
        super().close()

    # Positions only grow. The kernel takes the producer's position first, then the header, then the
    # data; so they are written in the opposite order: a header says "busy" before the position
    # passes over it, and loses that flag after the data was written. Stores stay in order on x86;
    # a `Fence` sees to it elsewhere. Each is a single aligned store.

    def _open(self) -> tuple[memoryview, memoryview]:
        if self._positions is not None:
            return self._positions
        number, size = self.fileno(), self.max_entries
        if size & (size - 1) or size % PAGESIZE:  # what was asked for was rounded up
            size = self.max_entries = self.info().max_entries
        maps: tuple[mmap, ...] = ()
        try:
            # The consumer's page, which is the kernel's; then the producer's page and the data
            # twice, so that no record is in two parts.
            maps += (mmap(number, PAGESIZE, MAP_SHARED, PROT_READ),)
            both = PROT_READ | PROT_WRITE
            maps += (mmap(number, PAGESIZE + 2 * size, MAP_SHARED, both, offset=PAGESIZE),)
        except OSError as error:
            for one in maps:
                one.close()
            what = f"map user ring buffer {self.name!r} into memory"
            raise SyscallError(error.errno or 0, "mmap", what) from error
        self._maps = maps
        shared = memoryview(maps[1])
        self._data = shared[PAGESIZE:]
        self._headers = self._data.cast("I")
        # unsigned long, as in the kernel
        self._positions = memoryview(maps[0]).cast("L"), shared[:PAGESIZE].cast("L")
        return self._positions

    def _reserve(self, size: int) -> int | None:
        """Return where a record's data may be written, None if there is no room."""
        total = (size + BPF_RINGBUF_HDR_SZ + 7) & ~7
        with self._mutex:
            consumer, producer = self._open()
            if not 0 <= size < BPF_RINGBUF_DISCARD_BIT or total > self.max_entries:
                hint = f"The buffer has {self.max_entries} bytes: set a larger max_entries"
                raise SyscallError(_errno.E2BIG, "reserve", self._reserving(size), hint)
            position = producer[0]
            if self.max_entries - (position - consumer[0]) < total:
                return None
            self._fence()  # what the kernel has read may be written over from here on
            start = position & (self.max_entries - 1)
            self._headers[start >> 2] = size | BPF_RINGBUF_BUSY_BIT
            self._headers[(start >> 2) + 1] = 0
            self._fence()
            producer[0] = position + total
        return start + BPF_RINGBUF_HDR_SZ

    def _wait(self, size: int, timeout: float | None) -> int | None:
        """Reserve as soon as there is room."""
        deadline = None if timeout is None else monotonic() + timeout
        with self._mutex:
            waiter = self._epoll
            if waiter is None:
                self._open()
                waiter = self._epoll = epoll(flags=EPOLL_CLOEXEC)
                # At its edges: the descriptor is writable as long as there is any room at all,
                # which need not be enough.
                waiter.register(self.fileno(), EPOLLOUT | EPOLLET)
        while True:
            left = _PATIENCE if deadline is None else min(deadline - monotonic(), _PATIENCE)
            if left > 0 and not waiter.closed:
                waiter.poll(left)
            start = self._reserve(size)
            if start is not None or left <= 0:
                return start

    def _finish(self, start: int, size: int, flags: int) -> None:
        with self._mutex:
            if self._positions is None:
                raise ClosedError(f"user ring buffer {self.name!r} is closed")
            self._fence()
            self._headers[(start - BPF_RINGBUF_HDR_SZ) >> 2] = size | flags

    def _view(self, start: int, size: int) -> memoryview:
        return self._data[start : start + size]

    def _reserving(self, size: int) -> str:
        return f"reserve {size} bytes in user ring buffer {self.name!r}"


class Sample:
    """Room in a user ring buffer for one record, until `submit` or `discard`.

    Attributes:
        data: the record's bytes, writable; what was there before is still in them. Released at the
            end.
    """

    __slots__ = ("_ring", "_size", "_start", "data")

    def __init__(self, ring: UserRingBuf[Any], start: int, size: int) -> None:
        self._ring: UserRingBuf[Any] | None = ring
        self._start = start
        self._size = size
        self.data = ring._view(start, size)

    def submit(self) -> None:
        """Hand the record over to the programs.

        Raises:
            ClosedError: that was done, or it was discarded, or the ring buffer is closed.
        """
        self._finish(0)

    def discard(self) -> None:
        """Give the room back: programs pass over it.

        Raises:
            ClosedError: that was done, or it was submitted, or the ring buffer is closed.
        """
        self._finish(BPF_RINGBUF_DISCARD_BIT)

    def _finish(self, flags: int) -> None:
        ring, self._ring = self._ring, None
        if ring is None:
            raise ClosedError("this sample was submitted or discarded already")
        self.data.release()
        ring._finish(self._start, self._size, flags)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ring is None:
            return  # by hand, inside the block
        if kind is None:
            self.submit()
        else:
            self.discard()

    def __repr__(self) -> str:
        state = "finished" if self._ring is None else f"{self._size} bytes"
        return f"<Sample: {state}>"
