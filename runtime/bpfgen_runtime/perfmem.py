"""The memory of perf buffers: records between two positions, which may cross the data's end."""

from __future__ import annotations

from _thread import allocate_lock

from .errors import BpfError
from .stream import BATCH, Decoder, Fence
from .uapi.const import PERF_RECORD_LOST, PERF_RECORD_SAMPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Generic, TypeVar

    from .values import CType

    E_co = TypeVar("E_co", covariant=True)

    class _Generic(Generic[E_co]):
        __slots__ = ()

else:
    E_co = object

    class _Generic:
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


__all__ = ["CpuBuffers", "CpuRecord", "LostRecords", "PerfDecoder", "PerfMemory"]

# struct perf_event_header: u32 type, u16 misc, u16 size; a sample goes on with the data's u32 size,
# a notice of lost records with u64 id, u64 lost.
_HEADER = 8
_SAMPLE_HEADER = 12

# In struct perf_event_mmap_page, in units of 8 bytes.
_DATA_HEAD = 1024 // 8
_DATA_TAIL = 1032 // 8


class LostRecords:
    """A notice that a CPU's buffer had no room for records.

    Attributes:
        cpu: where it was.
        count: how many records were lost.
    """

    __slots__ = ("count", "cpu")

    def __init__(self, cpu: int, count: int) -> None:
        self.cpu = cpu
        self.count = count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LostRecords):
            return NotImplemented
        return (self.cpu, self.count) == (other.cpu, other.count)

    def __hash__(self) -> int:
        return hash((self.cpu, self.count))

    def __repr__(self) -> str:
        return f"LostRecords(cpu={self.cpu}, count={self.count})"


class CpuRecord(_Generic[E_co]):
    """A record and where it was written.

    Attributes:
        cpu: the CPU whose buffer it was in.
        event: the record.
    """

    __slots__ = ("cpu", "event")

    def __init__(self, cpu: int, event: E_co) -> None:
        self.cpu = cpu
        self.event = event

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CpuRecord):
            return NotImplemented
        return bool((self.cpu, self.event) == (other.cpu, other.event))

    def __hash__(self) -> int:
        return hash((self.cpu, self.event))

    def __repr__(self) -> str:
        return f"CpuRecord(cpu={self.cpu}, event={self.event!r})"


class PerfDecoder(Decoder):
    """Decodes samples; `wrapped` ones come with their CPU, and with notices among them."""

    __slots__ = ("wrapped",)

    def __init__(self, event: CType[Any] | None, what: str, *, wrapped: bool = False) -> None:
        super().__init__(event, what, _SAMPLE_HEADER, padded=True)
        self.wrapped = wrapped


class PerfMemory:
    """The consumer's side of one CPU's buffer.

    The kernel moves its position, `data_head`, after it has written records, and takes the room
    back that `data_tail` gives up. So this side reads `data_head` before records, and is done with
    them before it stores `data_tail`: `Fence` keeps that order. A record may cross the end of the
    data, which is mapped once only; a header, at a multiple of 8 bytes, does not.

    Args:
        cpu: whose buffer it is.
        page: struct perf_event_mmap_page, writable.
        data: the data; its size is a power of two.
    """

    __slots__ = ("_data", "_fence", "_halves", "_mutex", "_page", "_size", "_words", "cpu", "lost")

    def __init__(self, cpu: int, page: memoryview, data: memoryview) -> None:
        self.cpu = cpu
        self.lost = 0
        self._page = page.cast("B").cast("Q")
        self._data = data.cast("B")
        self._words = self._data.cast("I")
        self._halves = self._data.cast("H")
        self._size = len(self._data)
        self._mutex = allocate_lock()
        self._fence = Fence()

    def close(self) -> None:
        """Let go of the memory, so that it can be unmapped."""
        with self._mutex:
            for view in (self._halves, self._words, self._data, self._page):
                view.release()

    def head(self) -> int:
        """Return the kernel's position."""
        return self._page[_DATA_HEAD]

    def tail(self) -> int:
        """Return the reader's position."""
        return self._page[_DATA_TAIL]

    def available(self) -> int:
        """Return how many bytes are there, headers and all."""
        return self.head() - self.tail()

    def read(
        self, decoder: PerfDecoder, limit: int, on_lost: Callable[[LostRecords], object]
    ) -> list[Any]:
        """Decode up to `limit` records and give their room back.

        If a record cannot be decoded, those before it are returned, and the error comes in the next
        call, which passes it over.
        """
        records: list[Any] = []
        notices: list[LostRecords] = []
        failure: Exception | None = None
        with self._mutex:
            words, halves, mask = self._words, self._halves, self._size - 1
            begin = position = self._page[_DATA_TAIL]
            end = self._page[_DATA_HEAD]
            self._fence()
            guess, growth = 1, 8  # how many records of one size are tried at once
            while position < end and len(records) < limit:
                start = position & mask
                size = halves[(start >> 1) + 3]
                if size < _HEADER or size & 7 or size > end - position:
                    failure = BpfError(
                        f"the perf buffer of CPU {self.cpu} is damaged: a record of {size} bytes,"
                        f" {end - position} are there; it was emptied"
                    )
                    position = end
                    break
                kind = words[start >> 2]
                if kind != PERF_RECORD_SAMPLE or size < _SAMPLE_HEADER + 4:
                    if kind == PERF_RECORD_LOST and size >= 24:
                        notice = LostRecords(self.cpu, self._u64(position + 16))
                        notices.append(notice)
                        if decoder.wrapped:
                            records.append(notice)
                    position += size
                    continue
                count = min(
                    (end - position) // size,
                    (self._size - start) // size,
                    limit - len(records),
                    guess,
                )
                if count > 1:
                    count = self._run(start, size, count)
                guess = min(guess * growth, BATCH) if count == guess else 1
                try:
                    batch = self._decode(decoder, start, size, max(count, 1))
                except Exception as error:
                    if count > 1:  # one of them: which?
                        guess = growth = 1
                        continue
                    if not records:
                        position += size
                        failure = error
                    break
                records += batch
                position += size * max(count, 1)
            if position != begin:
                self._fence()
                self._page[_DATA_TAIL] = position
                self.lost += sum([notice.count for notice in notices])
        for notice in notices:
            on_lost(notice)
        if failure is not None:
            raise failure
        return records

    def _decode(self, decoder: PerfDecoder, start: int, size: int, count: int) -> list[Any]:
        data, length = self._data, size - _SAMPLE_HEADER
        if count > 1:
            found = decoder.many(data[start : start + count * size], length, size)
        else:
            room = self._size - start
            if size > room:
                record = memoryview(bytes(data[start:]) + bytes(data[: size - room]))
                found = [decoder.one(record, 0, length)]
            else:
                found = [decoder.one(data, start, length)]
        if decoder.wrapped:
            return [CpuRecord(self.cpu, event) for event in found]
        return found

    def _run(self, start: int, size: int, count: int) -> int:
        """Return how many of `count` records from `start` on are samples of this size."""
        end = start + count * size
        sizes = self._halves[(start >> 1) + 3 : end >> 1 : size >> 1].tolist()
        kinds = self._words[start >> 2 : end >> 2 : size >> 2].tolist()
        if sizes.count(size) == count and kinds.count(PERF_RECORD_SAMPLE) == count:
            return count
        # From the first other header on, what looked like headers is anything.
        return next(
            index
            for index in range(count)
            if sizes[index] != size or kinds[index] != PERF_RECORD_SAMPLE
        )

    def _u64(self, position: int) -> int:
        """Return a number of a record, which lies at a multiple of 8 bytes."""
        from struct import unpack_from

        number: int = unpack_from("=Q", self._data, position & self._size - 1)[0]
        return number


class CpuBuffers:
    """The buffers of all CPUs as one source of records.

    Args:
        on_lost: is called with notices of lost records.
    """

    __slots__ = ("_failure", "_first", "_kept", "_on_lost", "memories")

    def __init__(
        self, memories: list[PerfMemory], on_lost: Callable[[LostRecords], object]
    ) -> None:
        self.memories = memories
        self._on_lost = on_lost
        self._first = 0
        #: What was read before the read was interrupted, by decoder.
        self._kept: dict[Decoder, list[Any]] = {}
        self._failure: Exception | None = None

    def read(self, decoder: Decoder, limit: int) -> list[Any]:
        """Decode up to `limit` records of all CPUs, beginning with another one each time."""
        assert isinstance(decoder, PerfDecoder)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        records = self._kept.pop(decoder, [])
        count = len(self.memories)
        first = self._first
        self._first = (first + 1) % max(count, 1)
        try:
            for number in range(first, first + count):
                if len(records) >= limit:
                    break
                memory = self.memories[number % count]
                records += memory.read(decoder, limit - len(records), self._on_lost)
        except Exception as error:
            if not records:
                raise
            self._failure = error  # for the next call
        except BaseException:
            self._kept[decoder] = records
            raise
        return records

    def ready(self) -> bool:
        """Tell whether there is anything to read."""
        return bool(
            self._kept
            or self._failure is not None
            or any(memory.available() for memory in self.memories)
        )

    def mark(self) -> tuple[int, ...]:
        """Return how far records are written now."""
        return tuple([memory.head() for memory in self.memories])

    def reached(self, mark: tuple[int, ...]) -> bool:
        """Tell whether all records up to a mark were read."""
        return self._failure is None and all(
            memory.tail() >= head for memory, head in zip(self.memories, mark, strict=True)
        )

    def busy(self) -> bool:
        """Tell whether the next record is being written: the kernel does not show such ones."""
        return False
