"""Ring buffers, over memory written here as the kernel writes it."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import pytest
from bpfgen_runtime.errors import BpfError
from bpfgen_runtime.ringbuf import RingMemory
from bpfgen_runtime.stream import BATCH, Decoder
from bpfgen_runtime.values import Struct, as_ctype, dataclass, enum_of, u32, u64
from hypothesis import given, settings
from hypothesis import strategies as st

BUSY, DISCARD = 1 << 31, 1 << 30
PAGE = 4096


@dataclass(frozen=True, slots=True)
class Event(Struct):
    """struct event, 12 bytes."""

    SIZE = 12
    LAYOUT = (("number", 0, u64), ("tag", 8, u32))

    number: int = 0
    tag: int = 0


class FakeRing:
    """The producer's side: as many bytes of data as a test likes, at any position.

    The kernel maps the data twice, one after the other; here each byte is written twice.
    """

    def __init__(self, size: int = PAGE, position: int = 0) -> None:
        self.size = size
        self.consumer = memoryview(bytearray(PAGE)).cast("L")
        self.producer = memoryview(bytearray(PAGE)).cast("L")
        self.data = bytearray(2 * size)
        self.consumer[0] = self.producer[0] = position
        self.memory = RingMemory(
            self.consumer, self.producer.toreadonly(), memoryview(self.data).toreadonly(), size
        )

    def free(self) -> int:
        return self.size - (self.producer[0] - self.consumer[0])

    def write(self, record: bytes, flags: int = 0) -> int:
        """Append a record; return where its header is."""
        position = self.producer[0]
        # What the kernel has in the header's second half, and stale bytes as padding.
        raw = struct.pack("<II", len(record) | flags, 0xABCDEF01) + record
        raw = raw.ljust((len(raw) + 7) // 8 * 8, b"\xee")
        assert len(raw) <= self.free()
        for index, byte in enumerate(raw, position):
            for start in (0, self.size):
                self.data[start + index % self.size] = byte
        self.producer[0] = position + len(raw)
        return position

    def commit(self, position: int) -> None:
        """Clear the busy flag of the record at a position."""
        for start in (0, self.size):
            self.data[start + position % self.size + 3] &= 0x7F

    def read(self, event: Any = None, limit: int = 1 << 30) -> list[Any]:
        decoder = Decoder(None if event is None else as_ctype(event), "events")
        return self.memory.read(decoder, limit)

    def drained(self) -> bool:
        return self.consumer[0] == self.producer[0]


def event(number: int) -> bytes:
    return Event(number, number & 0xFF).to_bytes()


def test_empty() -> None:
    """An empty ring gives nothing and stays where it is."""
    ring = FakeRing(position=PAGE * 5)
    assert ring.read() == []
    assert ring.consumer[0] == PAGE * 5


@pytest.mark.parametrize("position", range(0, 256, 8))
@pytest.mark.parametrize("kind", [None, Event])
def test_wraps_at_any_offset(position: int, kind: Any) -> None:
    """Records that cross the end of the data are whole, wherever the end falls in them."""
    ring = FakeRing(size=256, position=(1 << 40) + position)
    for start in range(0, 50, 10):
        numbers = range(start, start + 10)  # 240 bytes
        for number in numbers:
            ring.write(event(number))
        expected = [Event.from_bytes(event(n)) if kind else event(n) for n in numbers]
        assert ring.read(kind) == expected
        assert ring.drained()


@pytest.mark.parametrize("length", [*range(20), 1000, 4088])
def test_lengths(length: int) -> None:
    """Records of any length come whole, none to the size of the ring, in runs and alone."""
    ring = FakeRing()
    record = bytes(range(256)) * 16
    for _ in range(3):
        count = ring.size // ((length + 15) // 8 * 8)
        for _ in range(count):
            ring.write(record[:length])
        assert ring.read() == [record[:length]] * count
        assert ring.drained()


@pytest.mark.parametrize("position", range(12))
def test_busy_stops(position: int) -> None:
    """Reading ends before the first record that is still being written, and goes on from there."""
    ring = FakeRing()
    places = [ring.write(event(n), BUSY if n == position else 0) for n in range(12)]
    assert [e.number for e in ring.read(Event)] == list(range(position))
    assert ring.consumer[0] == places[position]
    assert ring.memory.busy()
    assert ring.read(Event) == []
    ring.commit(places[position])
    assert not ring.memory.busy()
    assert [e.number for e in ring.read(Event)] == list(range(position, 12))
    assert ring.drained()
    assert not ring.memory.busy()


@pytest.mark.parametrize(
    "discarded", [*itertools.combinations(range(6), 1), (0, 1), (4, 5), range(6)]
)
def test_discarded_are_passed_over(discarded: tuple[int, ...]) -> None:
    """Records that the program discarded are not given out, and their room is given back."""
    ring = FakeRing()
    for number in range(6):
        ring.write(event(number), DISCARD if number in discarded else 0)
    assert [e.number for e in ring.read(Event)] == [n for n in range(6) if n not in discarded]
    assert ring.drained()


def test_longer_record() -> None:
    """A record with a tail behind the event decodes its head, singly and in a run."""
    ring = FakeRing()
    for number in range(20):
        ring.write(event(number) + b"tail of %d" % (number // 10 * 10))
    assert [e.number for e in ring.read(Event)] == list(range(20))


def test_shorter_record() -> None:
    """A record that is too short is an error that names both sizes, once, and is passed over."""
    ring = FakeRing()
    for record in (event(0), event(1), b"short", event(2)):
        ring.write(record)
    assert [e.number for e in ring.read(Event)] == [0, 1]
    with pytest.raises(BpfError, match="record of 5 bytes is too short for Event, which has 12"):
        ring.read(Event)
    assert [e.number for e in ring.read(Event)] == [2]
    assert ring.drained()


def test_short_records_in_a_run() -> None:
    """Each of many too short records is one error: none is given out twice or forgotten."""
    ring = FakeRing()
    records = [event(n) if n % 5 == 0 else b"x" for n in range(20)]
    for record in records:
        ring.write(record)
    numbers, errors = [], 0
    while not ring.drained():
        try:
            numbers += [e.number for e in ring.read(Event)]
        except BpfError:
            errors += 1
    assert numbers == [0, 5, 10, 15]
    assert errors == 16


def test_decoder_that_raises_in_a_run() -> None:
    """If one record of a run cannot be decoded, those before it are given out all the same."""
    from enum import IntEnum

    class Strict(IntEnum):
        ONE = 1

    ring = FakeRing()
    for number in [1] * 30 + [2] + [1] * 9:
        ring.write(struct.pack("<I", number))
    kind = enum_of(Strict, u32)
    assert ring.read(kind) == [Strict.ONE] * 30
    with pytest.raises(ValueError, match="2 is not a valid"):
        ring.read(kind)
    assert ring.read(kind) == [Strict.ONE] * 9
    assert ring.drained()


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_limit(limit: int) -> None:
    """No more than the limit is read at once, and the rest later."""
    ring = FakeRing()
    for number in range(100):
        ring.write(event(number))
    got: list[int] = []
    while batch := ring.read(Event, limit):
        assert len(batch) <= limit
        got += [e.number for e in batch]
    assert got == list(range(100))


def test_long_run() -> None:
    """More records of one length than are decoded at once come in order."""
    ring = FakeRing(size=1 << 20)
    count = 5 * BATCH + 3
    for number in range(count):
        ring.write(event(number))
    assert [e.number for e in ring.read(Event)] == list(range(count))


RECORDS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0, 4, 12, 12, 12, 16]), st.integers(0, 64)),
        st.sampled_from([0, 0, 0, 0, DISCARD]),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(RECORDS, st.integers(0, 1023), st.integers(1, 40))
def test_any_records(records: list[tuple[int, int]], start: int, limit: int) -> None:
    """Whatever is written and however it is read, each record comes once, in order, unchanged."""
    ring = FakeRing(size=1024, position=start * 8)
    expected, got = [], []
    for number, (length, flags) in enumerate(records):
        record = bytes((number + i) & 0xFF for i in range(length))
        while ring.free() < length + 16:
            got += ring.read(limit=limit)
        ring.write(record, flags)
        if not flags:
            expected.append(record)
    while not ring.drained():
        got += ring.read(limit=limit)
    assert got == expected


def test_interrupt_loses_nothing() -> None:
    """Records whose decoding is interrupted by a signal are read again."""

    class Interrupted(Decoder):
        __slots__ = ()

        def many(self, data: memoryview, length: int, stride: int) -> list[Any]:
            raise KeyboardInterrupt

    ring = FakeRing()
    for number in range(20):
        ring.write(event(number))
    with pytest.raises(KeyboardInterrupt):
        ring.memory.read(Interrupted(as_ctype(Event), "events"), 100)
    assert [e.number for e in ring.read(Event)] == list(range(20))
