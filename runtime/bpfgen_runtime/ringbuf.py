"""Ring buffers: records that programs write, decoded from memory shared with the kernel."""

from __future__ import annotations

from _thread import allocate_lock
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap

from .errors import BpfError, SyscallError
from .stream import BATCH, Decoder, EventMap, Fence
from .uapi.const import (
    BPF_MAP_TYPE_RINGBUF,
    BPF_RINGBUF_BUSY_BIT,
    BPF_RINGBUF_DISCARD_BIT,
    BPF_RINGBUF_HDR_SZ,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from .values import CType

    E = TypeVar("E")
else:
    E = object


__all__ = ["RingBuf"]

_FLAGS = BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT


class RingBuf(EventMap[E]):
    """A ring buffer whose records are decoded as `E`; see `EventMap`.

    Records come in the order in which programs reserved them; what a full buffer has no room for,
    its program is told. The kernel has one consumer per ring buffer in mind: two processes, or two
    `RingBuf`s of the same map, would disturb each other.

    Kernel: BPF_MAP_TYPE_RINGBUF, since v5.8.
    """

    __slots__ = ("_maps", "_memory")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.map_type != BPF_MAP_TYPE_RINGBUF:
            raise BpfError(f"map {self.name!r} is no ring buffer: its type is {self.type!r}")
        self._maps: tuple[mmap, ...] = ()
        self._memory: RingMemory | None = None

    def poll_fileno(self) -> int:
        """Return a descriptor that becomes readable when there are records: the map's own."""
        return self.fileno()

    @property
    def size(self) -> int:
        """The bytes that the buffer has for records and their headers of 8 bytes."""
        self._open()
        return self.max_entries

    @property
    def available(self) -> int:
        """The bytes, headers and all, that are not consumed yet; some may be being written."""
        memory = self._open()
        consumed = memory.consumed()
        return max(memory.produced() - consumed, 0)

    @property
    def consumer_pos(self) -> int:
        """How far records were consumed, bytes since the buffer was made."""
        return self._open().consumed()

    @property
    def producer_pos(self) -> int:
        """How far room was reserved, bytes since the buffer was made."""
        return self._open().produced()

    def close(self) -> None:
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()
        maps, self._maps = self._maps, ()
        for one in maps:
            one.close()
        super().close()

    def _decoder(self, event: CType[Any] | None) -> Decoder:
        return Decoder(event, f"ring buffer {self.name!r}", BPF_RINGBUF_HDR_SZ)

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


class RingMemory:
    """The consumer's side of a ring buffer: two positions, and records between them.

    A record is a header (u32 length with two flags, u32 for the kernel) and data, rounded up to 8
    bytes. Positions only grow; where one is in the data is its remainder by the data's size.

    The kernel sets the busy flag before it moves the producer's position over a record, and
    clears it (by an atomic exchange) after the program has written the data. So this side must
    read in the same order: the producer's position, then headers, then data; and it must be done
    with the data before it stores its own position, which gives the room back. Reads of positions
    and headers are single aligned loads (a memoryview's item is copied with its constant size);
    `Fence`, once for a run of records, has them happen in order.

    Args:
        consumer: the page that begins with the consumer's position, writable.
        producer: the page that begins with the producer's position.
        data: the data, twice.
        size: bytes of the data, a power of two.
    """

    __slots__ = (
        "_consumer",
        "_data",
        "_fence",
        "_headers",
        "_mask",
        "_mutex",
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
        self._fence = Fence()

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
        with self._mutex:
            position = self._consumer[0]
            if position >= self._producer[0]:
                return False
            self._fence()
            return self._headers[(position & self._mask) >> 2] & BPF_RINGBUF_BUSY_BIT != 0

    def mark(self) -> int:
        """Return how far records are written now."""
        return self.produced()

    def reached(self, mark: int) -> bool:
        """Tell whether all records up to a mark were read."""
        return self.consumed() >= mark

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
                        records += decoder.many(
                            data[start : start + count * stride], length, stride
                        )
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
