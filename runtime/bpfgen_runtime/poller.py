"""Several ring and perf buffers polled as one, by one wait."""

from __future__ import annotations

from select import EPOLL_CLOEXEC, EPOLLIN, epoll
from time import monotonic, sleep

from .errors import BpfError, ClosedError
from .stream import BATCH, BUSY_WAIT, EventMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, TypeVar, overload

    from typing_extensions import Self

    A = TypeVar("A")
    B = TypeVar("B")
    C = TypeVar("C")
    D = TypeVar("D")

__all__ = ["EventPoller", "poll_all"]


class EventPoller:
    """Hands records of several buffers to a callback of each, as libbpf's ring_buffer__add does.

    The buffers stay their owner's: closing the poller leaves them open. A buffer that is closed
    meanwhile makes the next poll raise `ClosedError`.
    """

    __slots__ = ("_buffers", "_epoll", "_first")

    def __init__(self) -> None:
        self._buffers: list[tuple[EventMap[Any], Callable[[Any], object]]] = []
        self._epoll: epoll | None = epoll(flags=EPOLL_CLOEXEC)
        self._first = 0

    def add(self, buffer: EventMap[A], callback: Callable[[A], object]) -> None:
        """Let `callback` have each record of a buffer.

        Raises:
            BpfError: the buffer is there already.
        """
        if any(one is buffer for one, _ in self._buffers):
            raise BpfError(f"map {buffer.name!r} is polled already, with another callback")
        self._waiter().register(buffer.poll_fileno(), EPOLLIN)
        self._buffers.append((buffer, callback))

    def poll(self, timeout: float | None = None) -> int:
        """Wait for records, then hand out all that are there; return how many.

        Args:
            timeout: seconds to wait for the first record; None for ever, 0 not at all.

        Raises:
            RecordError: a record does not fit its buffer's type; it is passed over, and those
                behind it come in the next call.

        What a callback raises goes through; its record counts as handed out, the others stay.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            count = self.consume()
            left = None if deadline is None else deadline - monotonic()
            if count or (left is not None and left <= 0):
                return count
            self.wait(left)
            if any(buffer._open().busy() for buffer, _ in self._buffers):
                sleep(BUSY_WAIT)

    def consume(self) -> int:
        """Hand out all records that are there, without waiting; return how many."""
        self._waiter()
        total = 0
        count = len(self._buffers)
        self._first = first = (self._first + 1) % max(count, 1)
        for number in range(first, first + count):
            buffer, callback = self._buffers[number % count]
            stream = buffer._typed
            # What is there now: a program that writes faster than this would keep it for ever.
            source = buffer._open()
            mark = source.mark()
            while True:
                for record in stream.ready:
                    total += 1
                    callback(record)
                if source.reached(mark):
                    break
                batch = source.read(stream.decoder, BATCH)
                if not batch:
                    break  # busy, or discarded to the end
                stream.ready = iter(batch)
        return total

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until a buffer has records, at most `timeout` seconds; return whether one has."""
        return bool(self._waiter().poll(None if timeout is None else max(0.0, timeout)))

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when a buffer has records."""
        return self._waiter().fileno()

    def close(self) -> None:
        """Stop polling; the buffers stay open."""
        waiter, self._epoll = self._epoll, None
        self._buffers = []
        if waiter is not None:
            waiter.close()

    def __enter__(self) -> Self:
        self._waiter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _waiter(self) -> epoll:
        if self._epoll is None:
            raise ClosedError("this poller is closed")
        return self._epoll


if TYPE_CHECKING:

    @overload
    def poll_all(first: EventMap[A], /, *, timeout: float | None = None) -> Iterator[A]: ...
    @overload
    def poll_all(
        first: EventMap[A], second: EventMap[B], /, *, timeout: float | None = None
    ) -> Iterator[A | B]: ...
    @overload
    def poll_all(
        first: EventMap[A],
        second: EventMap[B],
        third: EventMap[C],
        /,
        *,
        timeout: float | None = None,
    ) -> Iterator[A | B | C]: ...
    @overload
    def poll_all(
        first: EventMap[A],
        second: EventMap[B],
        third: EventMap[C],
        fourth: EventMap[D],
        /,
        *,
        timeout: float | None = None,
    ) -> Iterator[A | B | C | D]: ...
    @overload
    def poll_all(*buffers: EventMap[Any], timeout: float | None = None) -> Iterator[Any]: ...


def poll_all(*buffers: EventMap[Any], timeout: float | None = None) -> Iterator[Any]:
    """Yield the records of several buffers as they come, until `timeout` seconds have passed.

    Args:
        timeout: None for ever; 0 yields what is there now.

    Raises:
        RecordError: as `EventMap.poll`.
    """
    deadline = None if timeout is None else monotonic() + timeout
    with EventPoller() as poller:
        for buffer in buffers:
            poller.add(buffer, _ignore)
        while True:
            left = None if deadline is None else deadline - monotonic()
            some = False
            for buffer in buffers:
                for record in buffer.poll(timeout=0):
                    some = True
                    yield record
            if left is not None and left <= 0:
                return
            if not some:
                poller.wait(None if deadline is None else max(0.0, deadline - monotonic()))
                if any(buffer._open().busy() for buffer in buffers):
                    sleep(BUSY_WAIT)


def _ignore(record: object) -> None:
    pass
