"""Perf buffers: records that programs write per CPU, decoded from memory shared with the kernel."""

from __future__ import annotations

from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap
from select import EPOLL_CLOEXEC, EPOLLIN, epoll
from struct import Struct as Format

from .errors import BpfError, KeyMissingError, SyscallError
from .host.cpus import online_cpus
from .perfmem import CpuBuffers, CpuRecord, LostRecords, PerfDecoder, PerfMemory
from .stream import EventMap, _Stream
from .sys import bpf, perf
from .uapi.const import (
    BPF_MAP_TYPE_PERF_EVENT_ARRAY,
    PERF_COUNT_SW_BPF_OUTPUT,
    PERF_SAMPLE_RAW,
    PERF_TYPE_SOFTWARE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    from typing_extensions import Self

    from .spec import HasFileno
    from .sys.fd import Fd
    from .values import CType

    E = TypeVar("E")
else:
    E = object

__all__ = ["CpuRecord", "LostRecords", "PerfBuffer"]

#: Pages of data per CPU that `open` takes unless told otherwise.
PAGES = 64

_U32 = Format("=I")


class PerfBuffer(EventMap[E]):
    """A perf event array whose records are decoded as `E`; see `EventMap`.

    It has one buffer per CPU. The records of one CPU come in their order, those of several do not.
    The kernel rounds each record up to 4 bytes less than a multiple of 8, so that it may have a
    tail of up to 7 bytes that nobody wrote.

    Programs can write only once the buffers are open: `open` does that, or the first method that
    asks for records. Call it before `attach()` to miss nothing. What a full buffer has no room for
    is counted: `lost`, `lost_by_cpu`, the callback `on_lost`, `LostRecords` of `poll_records`.

    A perf event of another kind can be set for programs to read: `events[cpu] = descriptor`.

    Kernel: BPF_MAP_TYPE_PERF_EVENT_ARRAY, since v4.3; bpf_perf_event_output since v4.4.
    """

    __slots__ = ("_buffers", "_epoll", "_on_lost", "_records", "_source")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.map_type != BPF_MAP_TYPE_PERF_EVENT_ARRAY:
            raise BpfError(f"map {self.name!r} is no perf event array: its type is {self.type!r}")
        self._buffers: list[_Buffer] = []
        self._epoll: epoll | None = None
        self._source: CpuBuffers | None = None
        self._on_lost: Callable[[LostRecords], object] | None = None
        event = None if self._typed is self._raw else self.value_type
        self._records = _Stream(PerfDecoder(event, self._shown(), wrapped=True))

    def _shown(self) -> str:
        return f"perf buffer {self.name!r}"

    def _decoder(self, event: CType[Any] | None) -> PerfDecoder:
        return PerfDecoder(event, self._shown())

    def open(
        self,
        *,
        pages: int = PAGES,
        wakeup_events: int = 1,
        watermark: int = 0,
        on_lost: Callable[[LostRecords], object] | None = None,
    ) -> Self:
        """Open a buffer on each CPU that is online and has a place in the map.

        Args:
            pages: of data per CPU, a power of two.
            wakeup_events: wake the reader after so many records; fewer are found by whoever looks,
                at the latest when a `poll` with a timeout ends.
            watermark: wake the reader after so many bytes instead.
            on_lost: is called with each notice of lost records while records are being read.

        Raises:
            BpfError: the buffers are open, or an argument makes no sense.
            SyscallError: perf_event_open failed, e.g. EPERM, or mmap, e.g. EPERM where the pages
                exceed what may be locked (RLIMIT_MEMLOCK, kernel.perf_event_mlock_kb).
        """
        if self._source is not None:
            raise BpfError(f"{self._shown()} is open already: call open() before anything else")
        if pages <= 0 or pages & pages - 1:
            raise BpfError(f"{self._shown()}: {pages} pages: a power of two is needed")
        if wakeup_events < 1 or not 0 <= watermark <= pages * PAGESIZE:
            raise BpfError(
                f"{self._shown()}: wakeup_events must be 1 or more, watermark at most the data's"
                f" {pages * PAGESIZE} bytes"
            )
        self._on_lost = on_lost
        attr = _attr(wakeup_events, watermark)
        number = self.fileno()
        waiter = epoll(flags=EPOLL_CLOEXEC)
        buffers: list[_Buffer] = []
        try:
            for cpu in online_cpus():
                if self.max_entries and cpu >= self.max_entries:
                    break
                buffer = _open_buffer(cpu, pages, attr, self._shown())
                if buffer is None:
                    continue
                buffers.append(buffer)
                self._set(number, cpu, buffer.event.fileno())
                waiter.register(buffer.event.fileno(), EPOLLIN)
        except BaseException:
            for buffer in buffers:
                buffer.close()
            waiter.close()
            raise
        self._buffers, self._epoll = buffers, waiter
        self._source = CpuBuffers([buffer.memory for buffer in buffers], self._notice)
        return self

    def poll_records(self, timeout: float | None = None) -> Iterator[CpuRecord[E] | LostRecords]:
        """Yield records like `poll`, each with its CPU, and notices of lost ones among them."""
        return self._poll(self._records, timeout)

    def consume_records(self, max_records: int | None = None) -> list[CpuRecord[E] | LostRecords]:
        """Return records like `consume`, each with its CPU, and notices of lost ones among them."""
        return self._consume(self._records, max_records)

    @property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs that have a buffer; those that come online later have none."""
        return tuple(buffer.memory.cpu for buffer in self._buffers)

    @property
    def lost(self) -> int:
        """How many records the kernel had no room for, as far as its notices were read."""
        return sum([buffer.memory.lost for buffer in self._buffers])

    @property
    def lost_by_cpu(self) -> dict[int, int]:
        """What `lost` counts, by CPU."""
        return {buffer.memory.cpu: buffer.memory.lost for buffer in self._buffers}

    @property
    def available(self) -> int:
        """The bytes, headers and all, that are not consumed yet, of all CPUs."""
        return sum([memory.available() for memory in self._open().memories])

    def poll_fileno(self) -> int:
        """Return a descriptor that becomes readable when there are records: an epoll over all CPUs.

        The kernel tells it once for each wake-up: whoever is told must consume all there is.
        """
        self._open()
        assert self._epoll is not None
        return self._epoll.fileno()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there are records, at most `timeout` seconds; return whether there are."""
        source = self._open()
        if source.ready():
            return True
        assert self._epoll is not None
        # poll(2) of a perf event reports a wake-up only once, so records are looked for as well.
        found = self._epoll.poll(None if timeout is None else max(0.0, min(timeout, 1 << 20)))
        return bool(found) or source.ready()

    def __setitem__(self, cpu: int, event: HasFileno | int) -> None:
        """Set the perf event that programs read or write at a CPU's place.

        Raises:
            SyscallError: BPF_MAP_UPDATE_ELEM failed, e.g. E2BIG: the map has no such place.
        """
        number = event if isinstance(event, int) else event.fileno()
        self._set(self.fileno(), cpu, number)

    def __delitem__(self, cpu: int) -> None:
        """Take away the perf event at a CPU's place.

        Raises:
            KeyMissingError: there is none.
        """
        what = f"remove the perf event of CPU {cpu} from map {self.name!r}"
        bpf.map_delete_elem(map_fd=self.fileno(), key=_U32.pack(cpu), what=what)

    def close(self) -> None:
        buffers, self._buffers = self._buffers, []
        _source, self._source = self._source, None
        waiter, self._epoll = self._epoll, None
        if waiter is not None:
            waiter.close()
        for buffer in buffers:
            try:
                # Other holders of the map would go on writing into memory that nobody reads.
                del self[buffer.memory.cpu]
            except KeyMissingError:
                pass  # taken away by hand
            finally:
                buffer.close()
        super().close()

    def _open(self) -> CpuBuffers:
        source = self._source
        if source is None:
            self.open()
            source = self._source
            assert source is not None
        return source

    def _notice(self, lost: LostRecords) -> None:
        if self._on_lost is not None:
            self._on_lost(lost)

    def _set(self, map_fd: int, cpu: int, event_fd: int) -> None:
        what = f"set the perf event of CPU {cpu} in map {self.name!r}"
        bpf.map_update_elem(map_fd=map_fd, key=_U32.pack(cpu), value=_U32.pack(event_fd), what=what)


class _Buffer:
    """One CPU's perf event, and the memory that it writes into."""

    __slots__ = ("_map", "event", "memory")

    def __init__(self, cpu: int, event: Fd, shared: mmap) -> None:
        self.event = event
        self._map = shared
        view = memoryview(shared)
        self.memory = PerfMemory(cpu, view[:PAGESIZE], view[PAGESIZE:])
        view.release()

    def close(self) -> None:
        self.memory.close()
        self._map.close()
        self.event.close()


def _open_buffer(cpu: int, pages: int, attr: bytes, shown: str) -> _Buffer | None:
    """Open a CPU's buffer; None if the CPU went offline meanwhile."""
    from errno import ENODEV

    what = f"open {shown} on CPU {cpu}"
    try:
        event = perf.perf_event_open(attr, pid=-1, cpu=cpu, what=what)
    except SyscallError as error:
        if error.errno == ENODEV:
            return None
        raise
    try:
        try:
            shared = mmap(
                event.fileno(), (pages + 1) * PAGESIZE, MAP_SHARED, PROT_READ | PROT_WRITE
            )
        except OSError as error:
            hint = "Take fewer pages, or raise RLIMIT_MEMLOCK or kernel.perf_event_mlock_kb"
            raise SyscallError(error.errno or 0, "mmap", what, hint) from error
        perf.event_enable(event.fileno(), what=what)
    except BaseException:
        event.close()
        raise
    return _Buffer(cpu, event, shared)


def _attr(wakeup_events: int, watermark: int) -> bytes:
    from ctypes import sizeof

    from .uapi.perf_attr import PerfEventAttr

    attr = PerfEventAttr()
    attr.type = PERF_TYPE_SOFTWARE
    attr.size = sizeof(attr)
    attr.config = PERF_COUNT_SW_BPF_OUTPUT
    attr.sample_period = 1
    attr.sample_type = PERF_SAMPLE_RAW
    if watermark:
        attr.watermark = 1
        attr.wakeup_watermark = watermark
    else:
        attr.wakeup_events = wakeup_events
    return bytes(attr)
