"""Perf buffers, over memory written here as the kernel writes it."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from bpfgen_runtime.errors import BpfError, RecordError
from bpfgen_runtime.perfmem import CpuBuffers, CpuRecord, LostRecords, PerfDecoder, PerfMemory
from bpfgen_runtime.values import as_ctype
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_ringbuf import Event, event

PAGE = 4096
LOST, SAMPLE, OTHER = 2, 9, 5
HEAD, TAIL = 1024 // 8, 1032 // 8


class FakeBuffer:
    """The kernel's side of one CPU's buffer."""

    def __init__(self, size: int = PAGE, position: int = 0, cpu: int = 0) -> None:
        self.size = size
        self.page = memoryview(bytearray(PAGE)).cast("Q")
        self.data = bytearray(size)
        self.page[HEAD] = self.page[TAIL] = position
        self.memory = PerfMemory(cpu, self.page, memoryview(self.data))
        self.notices: list[LostRecords] = []

    def free(self) -> int:
        return self.size - (self.page[HEAD] - self.page[TAIL])

    def raw(self, kind: int, body: bytes, size: int | None = None) -> None:
        record = struct.pack("<IHH", kind, 1, 8 + len(body) if size is None else size) + body
        assert len(record) <= self.free()
        for index, byte in enumerate(record, self.page[HEAD]):
            self.data[index % self.size] = byte
        self.page[HEAD] += len(record)

    def write(self, record: bytes) -> bytes:
        """Append a sample; return its data as it is padded."""
        padded = record + b"\xee" * (-(len(record) + 4) % 8)
        self.raw(SAMPLE, struct.pack("<I", len(padded)) + padded)
        return padded

    def lose(self, count: int) -> None:
        self.raw(LOST, struct.pack("<QQ", 77, count))

    def read(self, kind: Any = None, limit: int = 1 << 30, *, wrapped: bool = False) -> list[Any]:
        decoder = PerfDecoder(None if kind is None else as_ctype(kind), "b", wrapped=wrapped)
        return self.memory.read(decoder, limit, self.notices.append)

    def drained(self) -> bool:
        return self.page[HEAD] == self.page[TAIL]


@pytest.mark.parametrize("position", range(0, 256, 8))
@pytest.mark.parametrize("kind", [None, Event])
def test_wraps_at_any_offset(position: int, kind: Any) -> None:
    """Records that cross the end of the data are whole, wherever the end falls in them."""
    buffer = FakeBuffer(size=256, position=(1 << 40) + position)
    for start in range(0, 50, 10):
        numbers = range(start, start + 10)
        padded = [buffer.write(event(number)) for number in numbers]
        expected = [Event.from_bytes(event(n)) for n in numbers] if kind else padded
        assert buffer.read(kind) == expected
        assert buffer.drained()


@pytest.mark.parametrize("length", [*range(1, 20), 100, 4084])
def test_lengths(length: int) -> None:
    """Records of any length come whole, with the kernel's padding, in runs and alone."""
    buffer = FakeBuffer()
    for _ in range(3):
        record = bytes(range(256)) * 16
        count = buffer.size // ((length + 12 + 7) // 8 * 8)
        expected = [buffer.write(record[:length]) for _ in range(count)]
        assert buffer.read() == expected
        assert buffer.drained()


def test_other_records() -> None:
    """What is neither a sample nor a notice of loss is passed over, also inside of runs."""
    buffer = FakeBuffer()
    for number in range(12):
        buffer.write(event(number))
        if number in (0, 5, 11):
            # As long as the samples, so that only the type tells it apart.
            buffer.raw(OTHER, bytes(16))
    assert [one.number for one in buffer.read(Event)] == list(range(12))
    assert buffer.drained()
    assert buffer.memory.lost == 0


def test_lost() -> None:
    """Notices are counted, handed to the callback, and given in their place if asked for."""
    for wrapped in (False, True):
        buffer = FakeBuffer(cpu=3)
        buffer.write(event(0))
        buffer.lose(4)
        buffer.write(event(1))
        buffer.lose(2)
        found = buffer.read(Event, wrapped=wrapped)
        values = [Event.from_bytes(event(number)) for number in range(2)]
        if wrapped:
            assert found == [
                CpuRecord(3, values[0]),
                LostRecords(3, 4),
                CpuRecord(3, values[1]),
                LostRecords(3, 2),
            ]
        else:
            assert found == values
        assert buffer.memory.lost == 6
        assert buffer.notices == [LostRecords(3, 4), LostRecords(3, 2)]
        assert buffer.drained()


def test_lost_across_the_end() -> None:
    """A notice may cross the end of the data, between its header and its count."""
    for position in (PAGE - 8, PAGE - 16):
        buffer = FakeBuffer(position=position)
        buffer.lose(9)
        assert buffer.read() == []
        assert buffer.memory.lost == 9


@pytest.mark.parametrize("size", [0, 4, 12, 4000])
def test_damaged(size: int) -> None:
    """A size that cannot be is an error; the buffer goes on empty."""
    buffer = FakeBuffer(cpu=1)
    buffer.raw(SAMPLE, bytes(24), size)
    with pytest.raises(BpfError, match=f"of CPU 1 is damaged: a record of {size} bytes, 32 are"):
        buffer.read()
    assert buffer.drained()
    buffer.write(event(1))
    assert [one.number for one in buffer.read(Event)] == [1]


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_limit(limit: int) -> None:
    """No more than the limit is read at once, and the rest later."""
    buffer = FakeBuffer()
    for number in range(100):
        buffer.write(event(number))
    got: list[int] = []
    while batch := buffer.read(Event, limit):
        assert len(batch) <= limit
        got += [one.number for one in batch]
    assert got == list(range(100))


RECORDS = st.lists(st.one_of(st.sampled_from([1, 4, 12, 12, 16]), st.integers(1, 64)), max_size=60)


@settings(max_examples=200)
@given(RECORDS, st.integers(0, 1023), st.integers(1, 40))
def test_any_records(lengths: list[int], start: int, limit: int) -> None:
    """Whatever is written and however it is read, each record comes once, in order, unchanged."""
    buffer = FakeBuffer(size=1024, position=start * 8)
    expected, got = [], []
    for number, length in enumerate(lengths):
        while buffer.free() < length + 24:
            got += buffer.read(limit=limit)
        expected.append(buffer.write(bytes((number + i) & 0xFF for i in range(length))))
    while not buffer.drained():
        got += buffer.read(limit=limit)
    assert got == expected


def cpus(count: int = 2) -> tuple[list[FakeBuffer], CpuBuffers]:
    fakes = [FakeBuffer(cpu=cpu) for cpu in range(count)]
    return fakes, CpuBuffers([one.memory for one in fakes], lambda lost: None)


def test_error_on_one_cpu() -> None:
    """What other CPUs had is given out; the error comes next, then what is behind it."""
    fakes, source = cpus()
    decoder = PerfDecoder(as_ctype(Event), "b")
    fakes[0].write(event(1))
    fakes[1].write(b"sho")
    fakes[1].write(event(2))
    mark = source.mark()
    assert [one.number for one in source.read(decoder, 10)] == [1]
    assert not source.reached(mark)
    assert source.ready()
    with pytest.raises(RecordError, match="of 4 bytes is too short for Event"):
        source.read(decoder, 10)
    assert [one.number for one in source.read(decoder, 10)] == [2]
    assert source.reached(mark)
    assert not source.ready()


def test_every_cpu_has_its_turn() -> None:
    """A CPU that is always full does not keep the others waiting."""
    fakes, source = cpus()
    decoder = PerfDecoder(None, "b")
    for _ in range(40):
        for fake in fakes:
            fake.write(bytes(12))
    first = [fake.page[TAIL] for fake in fakes]
    for _ in range(2):
        source.read(decoder, 5)
    assert all(fake.page[TAIL] > before for fake, before in zip(fakes, first, strict=True))


def test_interrupt_loses_nothing() -> None:
    """Records of one CPU survive an interrupt while another's are decoded."""

    class Interrupted(PerfDecoder):
        __slots__ = ("armed",)

        def one(self, data: memoryview, start: int, length: int) -> Any:
            if self.armed and bytes(data[start + 12 : start + 13]) == b"\x07":
                raise KeyboardInterrupt
            return super().one(data, start, length)

    fakes, source = cpus()
    decoder = Interrupted(as_ctype(Event), "b")
    decoder.armed = True
    fakes[0].write(event(1))
    fakes[1].write(event(7))
    with pytest.raises(KeyboardInterrupt):
        source.read(decoder, 10)
    decoder.armed = False
    found = [*source.read(decoder, 10), *source.read(decoder, 10)]
    assert sorted(one.number for one in found) == [1, 7]
