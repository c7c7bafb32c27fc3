"""Perf buffers that a program in this machine's kernel fills."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bpfgen_runtime.errors import BpfError, ClosedError, KeyMissingError, RecordError, SyscallError
from bpfgen_runtime.host.cpus import online_cpus
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.perfbuf import CpuRecord, LostRecords, PerfBuffer
from bpfgen_runtime.values import CharArray, DataSection, Global, u32, u64

from tests.live.test_ringbuf_live import Event
from tests.support.clang import compile_bpf
from tests.support.kernels import many

CPUS = online_cpus()
#: A record of an event in the buffer: header, size, 32 bytes, rounded up.
TAKEN = 48


class Bss(DataSection):
    """.bss of values_perf.bpf.c."""

    __slots__ = ()

    made: Global[int] = Global(u64, 0)
    failed: Global[int] = Global(u64, 8)


class Data(DataSection):
    """.data of values_perf.bpf.c."""

    __slots__ = ()

    length: Global[int] = Global(u32, 0)


class Producer:
    """The loaded object: its buffer, its counters, and a way to run its program."""

    def __init__(self, loaded: Object) -> None:
        buffer = loaded.maps["events"]
        assert isinstance(buffer, PerfBuffer)
        self.buffer: PerfBuffer[Event] = buffer
        self.bss = Bss(loaded.data[".bss"])
        self.data = Data(loaded.data[".data"])
        self._program = loaded.programs["produce"]

    def run(self, times: int = 1, cpu: int = CPUS[0]) -> None:
        with on_cpu(cpu):
            self._program.test_run(bytes(14), repeat=times)


@contextmanager
def on_cpu(cpu: int) -> Iterator[None]:
    """Run this thread on one CPU only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture
def producer() -> Iterator[Producer]:
    spec = load_spec(compile_bpf("values_perf"))
    spec.maps["events"].binding = (PerfBuffer, None, Event)
    with Object.load(spec) as loaded:
        made = Producer(loaded)
        yield made
        made.bss.close()
        made.data.close()


def event(number: int) -> Event:
    return Event(number, number, CharArray("perf"))


def numbers(events: list[Event]) -> list[int]:
    return [event.number for event in events]


def test_consume(producer: Producer) -> None:
    """What the program wrote comes out as values, once."""
    assert producer.buffer.consume() == []  # opens the buffers
    producer.run(3)
    assert producer.buffer.consume() == [event(n) for n in range(3)]
    assert producer.buffer.consume() == []
    assert producer.bss.failed == 0


def test_written_before_open(producer: Producer) -> None:
    """Programs cannot write before the buffers are open, and are told."""
    producer.run(2)
    assert producer.bss.failed == 2
    producer.buffer.open(pages=1)
    producer.run(1)
    assert numbers(producer.buffer.consume()) == [2]


def test_many_rounds(producer: Producer) -> None:
    """Records stay whole and in order over many times the buffer's size, across its end."""
    producer.buffer.open(pages=1)
    expected = 0
    for _ in range(many(200)):
        producer.run(67)
        assert producer.buffer.consume() == [event(n) for n in range(expected, expected + 67)]
        expected += 67
    assert producer.buffer.lost == 0


@pytest.mark.parametrize("length", [32, 33, 36, 37, 44, 45, 96])
def test_lengths(producer: Producer, length: int) -> None:
    """Records longer than the type decode its head; raw ones are rounded up by the kernel."""
    producer.data.length = length
    producer.buffer.open(pages=1)
    for _ in range(20):
        start = producer.bss.made
        producer.run(9)
        assert numbers(producer.buffer.consume()) == list(range(start, start + 9))
    producer.run(5)
    records = producer.buffer.consume_raw()
    assert {len(record) for record in records} == {(length + 4 + 7) // 8 * 8 - 4}
    tail = records[0][32:length]
    assert tail == b"\xaa" * len(tail)


def test_too_short(producer: Producer) -> None:
    """A record shorter than the type is an error with its bytes, and those around it come."""
    buffer = producer.buffer.open()
    for length in (32, 8, 32):
        producer.data.length = length
        producer.run(1)
    assert numbers(buffer.consume()) == [0]
    with pytest.raises(RecordError, match="too short for Event, which has 32") as caught:
        buffer.consume()
    assert caught.value.data[:8] == (1).to_bytes(8, "little")
    assert numbers(buffer.consume()) == [2]


def test_every_cpu(producer: Producer) -> None:
    """Each CPU that is online has a buffer, and records say on which they were written."""
    buffer = producer.buffer.open()
    assert buffer.cpus == CPUS
    expected = []
    for number, cpu in enumerate(CPUS):
        producer.run(1, cpu)
        expected.append(CpuRecord(cpu, event(number)))
    found = buffer.consume_records()
    assert sorted(found, key=lambda one: one.cpu) == expected


def test_lost(producer: Producer) -> None:
    """What a full buffer had no room for is counted, told in its place, and handed to `on_lost`."""
    notices: list[LostRecords] = []
    buffer = producer.buffer.open(pages=1, on_lost=notices.append)
    room = 4096 // TAKEN
    producer.run(room + 7)
    # The kernel writes the notice before the next record that has room again.
    first = buffer.consume_records()
    assert [one.event.number for one in first if isinstance(one, CpuRecord)] == list(range(85))
    assert buffer.lost == 0
    producer.run(1)
    assert buffer.consume_records() == [
        LostRecords(CPUS[0], 7),
        CpuRecord(CPUS[0], event(room + 7)),
    ]
    assert buffer.lost == 7
    assert buffer.lost_by_cpu == {cpu: 7 if cpu == CPUS[0] else 0 for cpu in CPUS}
    assert notices == [LostRecords(CPUS[0], 7)]
    producer.run(room + 3)
    assert len(buffer.consume()) == room
    producer.run(1)
    assert len(buffer.consume()) == 1
    assert buffer.lost == 10


def test_poll(producer: Producer) -> None:
    """poll(t) yields records as they are written on any CPU, and ends at the timeout."""
    buffer = producer.buffer.open()

    def write() -> None:
        for cpu in CPUS:
            time.sleep(0.05)
            producer.run(2, cpu)

    thread = threading.Thread(target=write)
    thread.start()
    begin, cpu_time = time.monotonic(), time.process_time()
    found = numbers(list(buffer.poll(timeout=0.5)))
    assert 0.5 <= time.monotonic() - begin < 3
    assert time.process_time() - cpu_time < 0.3
    thread.join()
    assert sorted(found) == list(range(2 * len(CPUS)))


def test_wakeup_events(producer: Producer) -> None:
    """With `wakeup_events`, the reader sleeps until so many records are there."""
    buffer = producer.buffer.open(wakeup_events=4)
    producer.run(3)
    assert select.select([buffer.poll_fileno()], [], [], 0) == ([], [], [])
    producer.run(1)
    assert select.select([buffer.poll_fileno()], [], [], 0) != ([], [], [])
    assert numbers(buffer.consume()) == [0, 1, 2, 3]
    producer.run(1)
    assert numbers(list(buffer.poll(timeout=0.05))) == [4]


def test_watermark(producer: Producer) -> None:
    """With a watermark, the reader sleeps until so many bytes are there."""
    buffer = producer.buffer.open(watermark=3 * TAKEN)
    producer.run(2)
    assert not select.select([buffer.poll_fileno()], [], [], 0)[0]
    producer.run(2)
    assert select.select([buffer.poll_fileno()], [], [], 0)[0]
    assert buffer.available == 4 * TAKEN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pages": 3}, "3 pages: a power of two"),
        ({"pages": 0}, "0 pages"),
        ({"wakeup_events": 0}, "wakeup_events must be 1 or more"),
        ({"pages": 1, "watermark": 5000}, "watermark at most the data's 4096 bytes"),
    ],
)
def test_bad_options(producer: Producer, options: dict[str, int], message: str) -> None:
    """Options that make no sense are refused, and nothing is left open."""
    with pytest.raises(BpfError, match=message):
        producer.buffer.open(**options)  # type: ignore[arg-type]
    producer.buffer.open()
    with pytest.raises(BpfError, match="is open already"):
        producer.buffer.open()


def test_too_many_pages(producer: Producer) -> None:
    """Pages that the kernel has not are an error of mmap, and nothing is left open."""
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SyscallError, match="open perf buffer 'events' on CPU 0: mmap"):
        producer.buffer.open(pages=1 << 30)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_fewer_places_than_cpus() -> None:
    """Only CPUs that have a place in the map get a buffer."""
    spec = load_spec(compile_bpf("values_perf"))
    spec.maps["events"].max_entries = 1
    with Object.load(spec) as loaded:
        buffer = loaded.maps["events"]
        assert isinstance(buffer, PerfBuffer)
        assert buffer.open().cpus == (0,)


def test_by_hand(producer: Producer) -> None:
    """Perf events can be set and taken away by hand, beside those that the buffer opened."""
    buffer = producer.buffer.open()
    del buffer[CPUS[0]]
    producer.run(1)
    assert producer.bss.failed == 1
    with pytest.raises(KeyMissingError, match="remove the perf event of CPU"):
        del buffer[CPUS[0]]
    buffer[CPUS[0]] = buffer._buffers[0].event
    producer.run(1)
    assert numbers(buffer.consume()) == [1]
    with pytest.raises(SyscallError, match="set the perf event of CPU 100000 in map 'events'"):
        buffer[100_000] = buffer._buffers[0].event


def test_closed(producer: Producer) -> None:
    """A closed buffer says so, and its CPUs' memory and descriptors are gone."""
    buffer = producer.buffer.open()
    buffer.close()
    buffer.close()
    for use in (buffer.consume, buffer.wait, lambda: next(buffer.poll())):
        with pytest.raises(ClosedError, match="map 'events' is closed"):
            use()


def test_asyncio(producer: Producer) -> None:
    """`async for` yields records while other tasks run, and what a left loop did not take stays."""
    buffer = producer.buffer.open()

    async def write() -> None:
        for cpu in CPUS:
            await asyncio.sleep(0.02)
            producer.run(3, cpu)

    async def read(count: int) -> list[int]:
        found: list[int] = []
        async for one in buffer:
            found.append(one.number)
            if len(found) == count:
                break
        return found

    async def both() -> list[int]:
        task = asyncio.create_task(write())
        found = await asyncio.wait_for(read(3 * len(CPUS) - 1), 5)
        await task
        return found

    assert asyncio.run(both()) == list(range(3 * len(CPUS) - 1))
    assert numbers(buffer.consume()) == [3 * len(CPUS) - 1]
