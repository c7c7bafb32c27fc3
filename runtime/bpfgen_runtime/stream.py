"""Maps that carry records: how ring and perf buffers are polled, decoded and iterated over."""

from __future__ import annotations

from _thread import allocate_lock
from itertools import chain
from select import POLLIN, poll
from struct import Struct as Format
from time import monotonic, sleep

from .errors import BpfError
from .map.base import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Any, Generic, Protocol, TypeVar

    from .values import CType
    from .values.records import RecordType

    E = TypeVar("E")

    class _Generic(Generic[E]):
        __slots__ = ()

    class Source(Protocol):
        """Memory that records come from."""

        def read(self, decoder: Decoder, limit: int) -> list[Any]:
            """Decode up to `limit` finished records and give their room back."""

        def mark(self) -> Any:
            """Return how far records are written now."""

        def reached(self, mark: Any) -> bool:
            """Tell whether all records up to a mark were read."""

        def busy(self) -> bool:
            """Tell whether the next record is there and still being written."""

else:
    E = object

    class _Generic:
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


__all__ = ["BATCH", "Decoder", "EventMap", "Fence"]

#: How many records `poll` decodes before it gives the first of them out. Fewer than the objects
#: that may be made before the garbage collector looks at them (700): a loop that keeps no records
#: never wakes it.
BATCH = 512

#: Seconds to wait for a program that is just writing the next record.
BUSY_WAIT = 50e-6


class EventMap(Map, _Generic[E]):
    """A map whose records are decoded as `E`; without an event type, as bytes.

    Each record is given out once. A record longer than the event type has a tail that is not
    decoded (use the `_raw` methods for it); one that is shorter, or of no type that the map was
    declared to have, is a `RecordError` that carries its bytes. Records that were decoded and not
    yet given out, because a loop was left, come first in the next call; the typed and the `_raw`
    methods keep such leftovers apart.
    """

    __slots__ = ("_raw", "_typed", "_waiter")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        event = kwargs.get("value")
        super().__init__(*args, **kwargs)
        self._waiter: object | None = None
        self._raw: _Stream = _Stream(self._decoder(None))
        self._typed = self._raw
        if event is not None:
            self._typed = _Stream(self._decoder(self.value_type))

    def poll(self, timeout: float | None = None) -> Iterator[E]:
        """Yield records as they come, until `timeout` seconds have passed.

        Args:
            timeout: None for ever; 0 yields what is there now.

        Raises:
            RecordError: a record does not fit the event type; it is passed over, and the next call
                goes on behind it.
            ClosedError: the buffer was closed.
        """
        return self._poll(self._typed, timeout)

    def poll_raw(self, timeout: float | None = None) -> Iterator[bytes]:
        """Yield records like `poll`, as bytes of their whole length."""
        return self._poll(self._raw, timeout)

    def consume(self, max_records: int | None = None) -> list[E]:
        """Return the records that are there now, at most `max_records`, without waiting.

        Raises:
            RecordError: the first of them does not fit the event type; as in `poll`.
            ClosedError: the buffer was closed.
        """
        return self._consume(self._typed, max_records)

    def consume_raw(self, max_records: int | None = None) -> list[bytes]:
        """Return records like `consume`, as bytes of their whole length."""
        return self._consume(self._raw, max_records)

    def __iter__(self) -> Iterator[E]:
        """Yield records as they come, for ever."""
        return self.poll()

    def __aiter__(self) -> AsyncIterator[E]:
        """Yield records as they come, for ever, letting other tasks of asyncio run meanwhile.

        Raises:
            BpfError: another task waits for this buffer's records.
        """
        return self._async(self._typed)

    def async_raw(self) -> AsyncIterator[bytes]:
        """Yield records as `async for` over the buffer does, as bytes of their whole length."""
        return self._async(self._raw)

    def poll_fileno(self) -> int:
        """Return a descriptor that becomes readable when there are records: for an event loop.

        The loop then calls `consume()`, until it returns nothing. The descriptor stays the
        buffer's.
        """
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there are records, at most `timeout` seconds; return whether there are."""
        poller = poll()
        poller.register(self.poll_fileno(), POLLIN)
        return bool(poller.poll(milliseconds(timeout)))

    def _decoder(self, event: CType[Any] | None) -> Decoder:
        raise NotImplementedError

    def _open(self) -> Source:
        raise NotImplementedError

    def _poll(self, stream: _Stream, timeout: float | None) -> Iterator[Any]:
        # chain() hands records out in C, and leaves the rest in the stream if nobody asks for more.
        return chain.from_iterable(self._batches(stream, timeout))

    def _batches(self, stream: _Stream, timeout: float | None) -> Iterator[Iterator[Any]]:
        deadline = None if timeout is None else monotonic() + timeout
        target = None
        while True:
            yield stream.ready
            source = self._open()
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                # What was there at the deadline is still given out.
                if target is None:
                    target = source.mark()
                if source.reached(target):
                    return
            batch = source.read(stream.decoder, BATCH)
            if batch:
                stream.ready = iter(batch)
                continue
            if target is not None:
                return
            if self.wait(left) and source.busy():
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

    async def _async(self, stream: _Stream) -> AsyncIterator[Any]:
        import asyncio

        while True:
            for record in stream.ready:
                yield record
            source = self._open()
            batch = source.read(stream.decoder, BATCH)
            if batch:
                stream.ready = iter(batch)
                await asyncio.sleep(0)  # a flood of records must not starve the other tasks
            elif source.busy():
                await asyncio.sleep(BUSY_WAIT)
            else:
                await self._readable(asyncio.get_running_loop())

    async def _readable(self, loop: Any) -> None:
        """Wait for records in an event loop, which knows one waiter per descriptor."""
        if self._waiter is not None:
            raise BpfError(f"another task waits for records of map {self.name!r}: let one do it")
        number = self.poll_fileno()
        self._waiter = ready = loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(number, wake)
        try:
            await ready
        finally:
            self._waiter = None
            loop.remove_reader(number)


def milliseconds(timeout: float | None) -> float | None:
    """Return seconds as poll(2) takes them, rounded up; the kernel's limit is 2**31."""
    return None if timeout is None else min(timeout * 1000 + 0.999, 1 << 30)


class Fence:
    """A memory barrier, as far as Python has one: call it.

    Releasing a lock orders what came before it, acquiring one what comes after it, and an
    acquisition is not moved before an earlier release. It is done on all machines, so that what
    runs on one is what was tested on the other; x86 would need none, for it reorders neither loads
    nor a load with a later store.
    """

    __slots__ = ("_acquire", "_release")

    def __init__(self) -> None:
        order = allocate_lock()
        order.acquire()
        self._acquire = order.acquire
        self._release = order.release

    def __call__(self) -> None:
        self._release()
        self._acquire()


class _Stream:
    """A decoder, and the records that it decoded and nobody has got yet."""

    __slots__ = ("decoder", "ready")

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.ready: Iterator[Any] = iter([])


class Decoder:
    """Decodes records, singly or many at once.

    Args:
        event: the records' type; None for bytes.
        what: the buffer, for messages: "ring buffer 'events'".
        header: bytes before each record's data.
        padded: whether the kernel rounds the data up, header and all, to 8 bytes and says that as
            its length.
    """

    __slots__ = ("_build", "_choice", "_event", "_header", "_key", "_padded", "_records", "_what")

    def __init__(
        self, event: CType[Any] | None, what: str, header: int = 8, padded: bool = False
    ) -> None:
        from .values.records import RecordType

        self._event = event
        self._choice: RecordType[Any] | None = None
        if isinstance(event, RecordType):
            self._choice = event
        self._what = what
        self._header = header
        self._padded = padded
        self._key: tuple[CType[Any] | None, int, int] | None = None
        self._records: Callable[[memoryview], Iterator[tuple[Any, ...]]]
        self._build: Callable[[Iterator[tuple[Any, ...]]], list[Any]]

    def one(self, data: memoryview, start: int, length: int) -> Any:
        """Decode the record of `length` bytes whose header is at `start`."""
        start += self._header
        event = self._event
        if event is None:
            return bytes(data[start : start + length])
        if self._choice is not None:
            event = self._choice.choose(data[start : start + length], self._padded)
        if event is None or length < event.size:
            raise self._refusal(bytes(data[start : start + length]), event)
        return event.decode(data, start)

    def _refusal(self, record: bytes, event: CType[Any] | None) -> BpfError:
        from .errors import RecordError

        if event is None:
            choice = self._choice
            assert choice is not None
            reason = f"is none of {choice.c_name}: {choice.reason(record)}"
        else:
            reason = f"is too short for {event.c_name}, which has {event.size}"
        return RecordError(
            f"{self._what}: a record of {len(record)} bytes {reason}: is that what programs write?",
            record,
        )

    def many(self, data: memoryview, length: int, stride: int) -> list[Any]:
        """Decode a run of records, headers and all, that have all the same length.

        Args:
            length: of one record's data, bytes.
            stride: from one record's header to the next one's.
        """
        event = self._event
        choice = self._choice
        if choice is not None:
            event = choice.choose_all(data, self._header, length, stride, self._padded)
            if event is None:
                return [self.one(data, start, length) for start in range(0, len(data), stride)]
        if self._key != (event, length, stride):
            self._prepare(event, length, stride)
        return self._build(self._records(data))

    def _prepare(self, event: CType[Any] | None, length: int, stride: int) -> None:
        pad = stride - self._header
        if event is None:
            self._records = Format(f"<{self._header}x{length}s{pad - length}x").iter_unpack
            self._build = _unwrap
        else:
            codec = event.codec
            pad -= event.size
            if length < event.size:
                raise ValueError("too short")  # `one` says which, and more
            form = f"{codec.order}{self._header}x{codec.format}{pad}x"
            self._records = Format(form).iter_unpack
            self._build = codec.build
        self._key = (event, length, stride)


def _unwrap(tuples: Iterator[tuple[Any, ...]]) -> list[Any]:
    return [value for (value,) in tuples]
