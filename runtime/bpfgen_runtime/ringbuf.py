"""Ring buffers: records that programs write, decoded from memory shared with the kernel."""

from __future__ import annotations

from _thread import allocate_lock
from itertools import chain
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap
from select import POLLIN, poll
from struct import Struct as Format
from time import monotonic, sleep

from .errors import BpfError, SyscallError
from .map.base import Map
from .uapi.const import (
    BPF_MAP_TYPE_RINGBUF,
    BPF_RINGBUF_BUSY_BIT,
    BPF_RINGBUF_DISCARD_BIT,
    BPF_RINGBUF_HDR_SZ,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Generic, TypeVar

    from .values import CType

    E = TypeVar("E")

    class _Generic(Generic[E]):
        __slots__ = ()

else:
    E = object

    class _Generic:
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


__all__ = ["RingBuf"]

#: How many records `poll` decodes before it gives the first of them out. Fewer than the objects
#: that may be made before the garbage collector looks at them (700): a loop that keeps no records
#: never wakes it.
BATCH = 512

#: Seconds to wait for a program that is just writing the next record.
BUSY_WAIT = 50e-6

_FLAGS = BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT


class RingBuf(Map, _Generic[E]):
    """A ring buffer whose records are decoded as `E`; without an event type, as bytes.

    Each record is given out once. A record longer than the event type has a tail that is not
    decoded (use the `_raw` methods for it), a shorter one is an error. Records that were decoded
    and not yet given out, because a `for` loop was left, come first in the next call; the typed
    and the `_raw` methods keep such leftovers apart. The kernel has one consumer per ring buffer
    in mind: two processes, or two `RingBuf`s of the same map, would disturb each other.

    `fileno()` becomes readable when there are records: for an event loop, which then calls
    `consume()`.

    Kernel: BPF_MAP_TYPE_RINGBUF, since v5.8.
    """

    __slots__ = ("_maps", "_memory", "_raw", "_typed")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        event = kwargs.get("value")
        super().__init__(*args, **kwargs)
        if self.map_type != BPF_MAP_TYPE_RINGBUF:
            raise BpfError(f"map {self.name!r} is no ring buffer: its type is {self.type!r}")
        self._maps: tuple[mmap, ...] = ()
        self._memory: RingMemory | None = None
        self._raw: _Stream = _Stream(Decoder(None, self.name))
        self._typed = self._raw
        if event is not None:
            self._typed = _Stream(Decoder(self.value_type, self.name))

    def poll(self, timeout: float | None = None) -> Iterator[E]:
        """Yield records as they come, until `timeout` seconds have passed.

        Args:
            timeout: None for ever; 0 yields what is there now.

        Raises:
            BpfError: a record is shorter than the event type; it is passed over.
            ClosedError: the ring buffer was closed.
        """
        return self._poll(self._typed, timeout)

    def poll_raw(self, timeout: float | None = None) -> Iterator[bytes]:
        """Yield records like `poll`, as bytes of their whole length."""
        return self._poll(self._raw, timeout)

    def consume(self, max_records: int | None = None) -> list[E]:
        """Return the records that are there now, at most `max_records`, without waiting."""
        return self._consume(self._typed, max_records)

    def consume_raw(self, max_records: int | None = None) -> list[bytes]:
        """Return records like `consume`, as bytes of their whole length."""
        return self._consume(self._raw, max_records)

    def __iter__(self) -> Iterator[E]:
        """Yield records as they come, for ever."""
        return self.poll()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there are records, at most `timeout` seconds; return whether there are."""
        poller = poll()
        poller.register(self.fileno(), POLLIN)
        # Rounded up to milliseconds; the kernel's limit is 2**31 of them.
        return bool(poller.poll(None if timeout is None else min(timeout * 1000 + 0.999, 1 << 30)))

    def close(self) -> None:
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()
        maps, self._maps = self._maps, ()
        for one in maps:
            one.close()
        super().close()

    def _open(self) -> RingMemory:
        memory = self._memory
        if memory is not None:
            return memory
        size, number = self.max_entries, self.fileno()
        if size & (size - 1) or size % PAGESIZE:  # what was asked for was rounded up
            size = self.max_entries = self.info().max_entries
        maps: tuple[mmap, ...] = ()
        try:
            # The consumer's page; then the producer's page and the data twice, so that no record is
            # in two parts.
            maps += (mmap(number, PAGESIZE, MAP_SHARED, PROT_READ | PROT_WRITE),)
            maps += (mmap(number, PAGESIZE + 2 * size, MAP_SHARED, PROT_READ, offset=PAGESIZE),)
        except OSError as error:
            for one in maps:
                one.close()
            what = f"map ring buffer {self.name!r} into memory"
            raise SyscallError(error.errno or 0, "mmap", what) from error
        shared = memoryview(maps[1])
        self._maps = maps
        self._memory = memory = RingMemory(
            memoryview(maps[0]), shared[:PAGESIZE], shared[PAGESIZE:], size
        )
        return memory

    def _poll(self, stream: _Stream, timeout: float | None) -> Iterator[Any]:
        # chain() hands records out in C, and leaves the rest in the stream if nobody asks for more.
        return chain.from_iterable(self._batches(stream, timeout))

    def _batches(self, stream: _Stream, timeout: float | None) -> Iterator[Iterator[Any]]:
        deadline = None if timeout is None else monotonic() + timeout
        target = None
        while True:
            yield stream.ready
            memory = self._open()
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                # What was there at the deadline is still given out.
                if target is None:
                    target = memory.produced()
                if memory.consumed() >= target:
                    return
            batch = memory.read(stream.decoder, BATCH)
            if batch:
                stream.ready = iter(batch)
                continue
            if target is not None:
                return
            if self.wait(left) and memory.busy():
                sleep(BUSY_WAIT)

    def _consume(self, stream: _Stream, max_records: int | None) -> list[Any]:
        limit = 1 << 62 if max_records is None else max_records
        records: list[Any] = []
        if limit <= 0:
            return records
        for record in stream.ready:
            records.append(record)
            if len(records) == limit:
                return records
        try:
            return records + self._open().read(stream.decoder, limit - len(records))
        except Exception:
            stream.ready = iter(records)
            raise


class _Stream:
    """A decoder, and the records that it decoded and nobody has got yet."""

    __slots__ = ("decoder", "ready")

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.ready: Iterator[Any] = iter([])


class Decoder:
    """Decodes records of one type, singly or many at once.

    Args:
        event: the records' type; None for bytes.
        name: the ring buffer's name, for messages.
    """

    __slots__ = ("_build", "_event", "_length", "_name", "_records")

    def __init__(self, event: CType[Any] | None, name: str) -> None:
        self._event = event
        self._name = name
        self._length = -1
        self._records: Callable[[memoryview], Iterator[tuple[Any, ...]]]
        self._build: Callable[[Iterator[tuple[Any, ...]]], list[Any]]

    def one(self, data: memoryview, start: int, length: int) -> Any:
        """Decode the record of `length` bytes whose header is at `start`."""
        start += BPF_RINGBUF_HDR_SZ
        event = self._event
        if event is None:
            return bytes(data[start : start + length])
        if length < event.size:
            raise BpfError(
                f"ring buffer {self._name!r}: a record of {length} bytes is too short for"
                f" {event.c_name}, which has {event.size}: is that the type that programs write?"
            )
        return event.decode(data, start)

    def many(self, data: memoryview, length: int) -> list[Any]:
        """Decode a run of records, headers and all, that have all the same length."""
        if length != self._length:
            self._prepare(length)
        return self._build(self._records(data))

    def _prepare(self, length: int) -> None:
        event = self._event
        pad = -length % 8
        if event is None:
            self._records = Format(f"<8x{length}s{pad}x").iter_unpack
            self._build = _unwrap
        else:
            codec = event.codec
            pad += length - event.size
            self._records = Format(f"{codec.order}8x{codec.format}{pad}x").iter_unpack
            self._build = codec.build
        self._length = length


def _unwrap(tuples: Iterator[tuple[Any, ...]]) -> list[Any]:
    return [value for (value,) in tuples]


class RingMemory:
    """The consumer's side of a ring buffer: two positions, and records between them.

    A record is a header (u32 length with two flags, u32 for the kernel) and data, rounded up to 8
    bytes. Positions only grow; where one is in the data is its remainder by the data's size.

    The kernel sets the busy flag before it moves the producer's position over a record, and
    clears it (by an atomic exchange) after the program has written the data. So this side must
    read in the same order: the producer's position, then headers, then data; and it must be done
    with the data before it stores its own position, which gives the room back. Reads of positions
    and headers are single aligned loads (a memoryview's item is copied with its constant size).
    That they happen in order is free on x86, which reorders neither loads nor a load with a later
    store. Elsewhere it needs a barrier, and Python has none, but locks have: releasing one orders
    what came before it, acquiring one what comes after it, and an acquisition is not moved before
    an earlier release. `_fence` does just that, on all machines, once for a run of records, so
    what runs on one is what was tested on the other.

    Args:
        consumer: the page that begins with the consumer's position, writable.
        producer: the page that begins with the producer's position.
        data: the data, twice.
        size: bytes of the data, a power of two.
    """

    __slots__ = (
        "_consumer",
        "_data",
        "_headers",
        "_mask",
        "_mutex",
        "_order",
        "_producer",
    )

    def __init__(
        self, consumer: memoryview, producer: memoryview, data: memoryview, size: int
    ) -> None:
        self._consumer = consumer.cast("B").cast("L")  # unsigned long, as in the kernel
        self._producer = producer.cast("B").cast("L")
        self._data = data.cast("B")
        self._headers = self._data.cast("I")
        self._mask = size - 1
        self._mutex = allocate_lock()
        self._order = allocate_lock()
        self._order.acquire()

    def close(self) -> None:
        """Let go of the memory, so that it can be unmapped."""
        with self._mutex:
            for view in (self._headers, self._data, self._producer, self._consumer):
                view.release()

    def produced(self) -> int:
        """Return the producer's position."""
        return self._producer[0]

    def consumed(self) -> int:
        """Return the consumer's position."""
        return self._consumer[0]

    def busy(self) -> bool:
        """Tell whether the next record is there and still being written."""
        position = self._consumer[0]
        if position >= self._producer[0]:
            return False
        self._fence()
        return self._headers[(position & self._mask) >> 2] & BPF_RINGBUF_BUSY_BIT != 0

    def _fence(self) -> None:
        self._order.release()
        self._order.acquire()

    def read(self, decoder: Decoder, limit: int) -> list[Any]:
        """Decode up to `limit` finished records and give their room back.

        It ends before a record that is still being written. If a record cannot be decoded, those
        before it are returned, and the error comes in the next call, which passes it over.
        """
        records: list[Any] = []
        failure: Exception | None = None
        with self._mutex:
            headers, data, mask = self._headers, self._data, self._mask
            begin = position = self._consumer[0]
            end = self._producer[0]
            self._fence()
            guess, growth = 1, 8  # how many records of one length are tried at once
            while position < end and len(records) < limit:
                start = position & mask
                length = headers[start >> 2]
                if length & BPF_RINGBUF_BUSY_BIT:
                    break
                stride = ((length & ~_FLAGS) + BPF_RINGBUF_HDR_SZ + 7) & ~7
                if length & BPF_RINGBUF_DISCARD_BIT:
                    position += stride
                    continue
                count = min((end - position) // stride, limit - len(records), guess)
                if count > 1:
                    count = self._run(start, stride, length, count)
                guess = min(guess * growth, BATCH) if count == guess else 1
                self._fence()
                try:
                    if count == 1:
                        records.append(decoder.one(data, start, length))
                    else:
                        records += decoder.many(data[start : start + count * stride], length)
                except Exception as error:
                    if count > 1:  # one of them: which?
                        guess = growth = 1
                        continue
                    if not records:
                        position += stride
                        failure = error
                    break
                position += count * stride
            if position != begin:
                self._fence()
                self._consumer[0] = position
        if failure is not None:
            raise failure
        return records

    def _run(self, start: int, stride: int, length: int, count: int) -> int:
        """Return how many of `count` records from `start` on have this header."""
        lengths = self._headers[start >> 2 : (start + count * stride) >> 2 : stride >> 2].tolist()
        if lengths.count(length) == count:
            return count
        # From the first other header on, what looked like headers is anything.
        return next(index for index, other in enumerate(lengths) if other != length)
