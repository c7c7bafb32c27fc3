"""What type checkers know of ring and perf buffers; see positive.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from bpfgen_runtime.perfbuf import CpuRecord, LostRecords, PerfBuffer
from bpfgen_runtime.poller import EventPoller, poll_all
from bpfgen_runtime.ringbuf import RingBuf
from bpfgen_runtime.stream import EventMap
from dwarf_skel import Dwarf, EveryEvent, LongEvent, OpenEvent, ScratchEvent, State
from records_skel import Closed, Opened, Records
from typing_extensions import assert_type


def several(skel: Dwarf, other: Records) -> None:
    maps = skel.maps
    assert_type(maps.two_sizes, RingBuf[OpenEvent | LongEvent])
    assert_type(maps.two_sizes.consume(), list[OpenEvent | LongEvent])
    assert_type(other.maps.by_kind, RingBuf[Opened | Closed])
    for record in other.maps.perf_by_size.poll(timeout=1.0):
        assert_type(record, Opened | Closed)
        if isinstance(record, Opened):
            assert_type(str(record.path), str)
        else:
            assert_type(record, Closed)
            assert_type(record.hdr.at, int)


def inferred(skel: Dwarf) -> None:
    maps = skel.maps
    assert_type(maps.reserved, RingBuf[EveryEvent])
    assert_type(next(maps.reserved.poll()).state, State)
    assert_type(maps.number.consume(5), list[int])
    assert_type(maps.varying, RingBuf[bytes])
    assert_type(maps.reserved.available, int)


def perf(skel: Dwarf) -> None:
    buffer = skel.maps.perf_scratch
    assert_type(buffer, PerfBuffer[ScratchEvent])
    assert_type(buffer.open(pages=8, on_lost=print), PerfBuffer[ScratchEvent])
    assert_type(buffer.poll(0), Iterator[ScratchEvent])
    assert_type(buffer.consume_raw(), list[bytes])
    for one in buffer.poll_records(timeout=1):
        assert_type(one, CpuRecord[ScratchEvent] | LostRecords)
        if isinstance(one, LostRecords):
            assert_type(one.count, int)
        else:
            assert_type(one.event.length, int)
    assert_type(buffer.lost_by_cpu, dict[int, int])
    buffer[0] = 5


def together(skel: Dwarf) -> None:
    maps = skel.maps
    assert_type(poll_all(maps.copied, maps.perf_scratch), Iterator[OpenEvent | ScratchEvent])
    every: list[OpenEvent] = []
    with EventPoller() as poller:
        poller.add(maps.copied, every.append)
        assert_type(poller.poll(timeout=1), int)
    buffers: list[EventMap[OpenEvent]] = [maps.copied, maps.perf_stack]
    assert_type(buffers[0].consume(), list[OpenEvent])


async def asynchronous(skel: Dwarf) -> None:
    async for event in skel.maps.copied:
        assert_type(event, OpenEvent)
    assert_type(skel.maps.perf_stack.async_raw(), AsyncIterator[bytes])
