"""Ring buffers that a program in this machine's kernel fills."""

from __future__ import annotations

import itertools
import select
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from bpfgen_runtime.errors import BpfError, ClosedError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.ringbuf import RingBuf, RingMemory
from bpfgen_runtime.values import (
    CharArray,
    DataSection,
    Global,
    Struct,
    char_array,
    dataclass,
    u32,
    u64,
)

from tests.support.clang import compile_bpf


@dataclass(frozen=True, slots=True)
class Event(Struct):
    """struct event, 32 bytes."""

    SIZE = 32
    LAYOUT = (("number", 0, u64), ("tag", 8, u32), ("comm", 12, char_array(20)))

    number: int = 0
    tag: int = 0
    comm: CharArray = CharArray()


#: What fits into the ring: each record has a header of 8 bytes.
ROOM = 64 * 1024 // 40


class Bss(DataSection):
    """.bss of values_ring.bpf.c."""

    __slots__ = ()

    made: Global[int] = Global(u64, 0)
    dropped: Global[int] = Global(u64, 8)
    discard_every: Global[int] = Global(u32, 16)


class Producer:
    """The loaded object: its ring, its counters, and a way to run its program."""

    def __init__(self, loaded: Object) -> None:
        ring = loaded.maps["events"]
        assert isinstance(ring, RingBuf)
        self.ring: RingBuf[Event] = ring
        self.bss = Bss(loaded.data[".bss"])
        self._program = loaded.programs["produce"]

    def run(self, times: int = 1) -> None:
        self._program.test_run(bytes(14), repeat=times)


@pytest.fixture
def producer() -> Iterator[Producer]:
    spec = load_spec(compile_bpf("values_ring"))
    spec.maps["events"].binding = (RingBuf, None, Event)
    with Object.load(spec) as loaded:
        made = Producer(loaded)
        yield made
        made.bss.close()


def numbers(events: list[Event]) -> list[int]:
    return [event.number for event in events]


def mapped_parts() -> int:
    """Count the parts of BPF maps that this process has in its memory."""
    with open("/proc/self/maps") as maps:
        return sum("bpf-map" in line for line in maps)


def test_consume(producer: Producer) -> None:
    """What the program wrote comes out as values, once."""
    producer.run(3)
    assert producer.ring.consume() == [Event(n, n, CharArray("ring")) for n in range(3)]
    assert producer.ring.consume() == []


def test_many_rounds(producer: Producer) -> None:
    """Records stay whole and in order over many times the ring's size."""
    expected = 0
    for _ in range(20):
        producer.run(1000)
        events = producer.ring.consume()
        assert numbers(events) == list(range(expected, expected + 1000))
        assert {event.comm for event in events} == {b"ring"}
        expected += 1000
    assert producer.bss.dropped == 0


def test_full_ring(producer: Producer) -> None:
    """A full ring drops what is new; reading makes room again, for exactly as much as was read."""
    producer.run(ROOM + 5)
    assert (producer.bss.made, producer.bss.dropped) == (ROOM + 5, 5)
    assert numbers(producer.ring.consume(100)) == list(range(100))
    producer.run(101)
    assert producer.bss.dropped == 6
    assert len(producer.ring.consume()) == ROOM


def test_discarded(producer: Producer) -> None:
    """What the program discards does not come out, and gives its room back."""
    producer.bss.discard_every = 3
    for start in range(0, 10 * 900, 900):
        producer.run(900)
        expected = [n for n in range(start, start + 900) if n % 3]
        assert numbers(producer.ring.consume()) == expected
    assert producer.bss.dropped == 0


def test_poll_without_waiting(producer: Producer) -> None:
    """poll(0) yields what is there and ends at once."""
    producer.run(1200)
    begin = time.monotonic()
    assert numbers(list(producer.ring.poll(timeout=0))) == list(range(1200))
    assert list(producer.ring.poll(timeout=0)) == []
    assert time.monotonic() - begin < 1


def test_poll_ends_at_the_timeout(producer: Producer) -> None:
    """poll(t) without records waits t seconds, without using the CPU."""
    begin, cpu = time.monotonic(), time.process_time()
    assert list(producer.ring.poll(timeout=0.3)) == []
    assert 0.3 <= time.monotonic() - begin < 2
    assert time.process_time() - cpu < 0.15


def test_poll_wakes_up(producer: Producer) -> None:
    """Records come while poll waits, from several writes, long before it ends."""

    def write() -> None:
        for _ in range(3):
            time.sleep(0.05)
            producer.run()

    thread = threading.Thread(target=write)
    begin = time.monotonic()
    thread.start()
    events = list(itertools.islice(producer.ring.poll(timeout=30), 3))
    thread.join()
    assert numbers(events) == [0, 1, 2]
    assert time.monotonic() - begin < 15


def test_iteration_goes_on_for_ever(producer: Producer) -> None:
    """A loop over the ring itself waits for records without end."""
    timer = threading.Timer(0.1, producer.run)
    timer.start()
    assert next(iter(producer.ring)).number == 0
    timer.join()


def test_loop_that_is_left(producer: Producer) -> None:
    """Records that a loop did not get to are there for the next, each once."""
    producer.run(10)
    for event in producer.ring.poll(timeout=1):
        if event.number == 3:
            break

    def fail_at_five() -> None:
        for event in producer.ring.poll(timeout=1):
            if event.number == 5:
                raise RuntimeError("five")

    with pytest.raises(RuntimeError, match="five"):
        fail_at_five()
    assert numbers(producer.ring.consume(2)) == [6, 7]
    producer.run(2)
    assert numbers(list(producer.ring.poll(timeout=0))) == [8, 9, 10, 11]


def test_error_after_leftovers(producer: Producer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left over survives a record behind it that cannot be decoded."""
    producer.run(3)
    assert next(producer.ring.poll(timeout=0)).number == 0

    def broken(*arguments: object) -> list[Event]:
        raise ValueError("broken")

    monkeypatch.setattr(RingMemory, "read", broken)
    with pytest.raises(ValueError, match="broken"):
        producer.ring.consume()
    monkeypatch.undo()
    assert numbers(producer.ring.consume()) == [1, 2]


def test_raw(producer: Producer) -> None:
    """The raw methods give whole records as bytes."""
    producer.run(4)
    raw = struct.pack("<QI20s", 0, 0, b"ring")
    assert producer.ring.consume_raw(1) == [raw]
    assert [Event.from_bytes(r).number for r in producer.ring.poll_raw(timeout=0)] == [1, 2, 3]


def test_two_threads_share_a_ring(producer: Producer) -> None:
    """Two threads that consume get each record once between them."""
    total, got = 20_000, ([], [])  # type: tuple[int, tuple[list[int], list[int]]]
    stop = threading.Event()

    def consume(into: list[int]) -> None:
        while not stop.is_set():
            into += numbers(producer.ring.consume(50))

    threads = [threading.Thread(target=consume, args=(into,)) for into in got]
    for thread in threads:
        thread.start()
    while producer.bss.made < total:
        producer.run(100)
        while len(got[0]) + len(got[1]) < producer.bss.made - producer.bss.dropped - 500:
            time.sleep(0)
    deadline = time.monotonic() + 20
    while len(got[0]) + len(got[1]) < total and time.monotonic() < deadline:
        time.sleep(0.001)
    stop.set()
    for thread in threads:
        thread.join()
    assert producer.bss.dropped == 0
    assert sorted(got[0] + got[1]) == list(range(total))


def test_own_event_loop(producer: Producer) -> None:
    """The descriptor is readable for anyone's event loop while there are records."""
    with select.epoll() as poller:
        poller.register(producer.ring.fileno(), select.EPOLLIN)
        assert poller.poll(0) == []
        producer.run()
        assert poller.poll(5) == [(producer.ring.fileno(), select.EPOLLIN)]
        assert producer.ring.wait(5)
        producer.ring.consume()
        assert poller.poll(0) == []
        assert not producer.ring.wait(0)


def test_closed(producer: Producer) -> None:
    """A closed ring raises ClosedError, also in a loop that was running, and holds no memory."""
    before = mapped_parts()
    producer.run(2)
    running = producer.ring.poll(timeout=5)
    next(running)
    assert mapped_parts() == before + 2
    producer.ring.close()
    producer.ring.close()
    assert next(running).number == 1  # decoded before
    for use in (lambda: next(running), producer.ring.consume, lambda: producer.ring.wait(0)):
        with pytest.raises(ClosedError, match="map 'events' is closed"):
            use()
    assert mapped_parts() == before


def test_wrong_type(producer: Producer) -> None:
    """An event type that is longer than the records is an error that names both sizes."""

    @dataclass(frozen=True, slots=True)
    class Large(Struct):
        SIZE = 40
        LAYOUT = (("number", 0, u64),)
        number: int = 0

    with RingBuf[Large](
        producer.ring._fd.dup(),
        name="events",
        map_type=producer.ring.map_type,
        key_size=0,
        value_size=0,
        max_entries=producer.ring.max_entries,
        value=Large,
    ) as other:
        producer.run()
        with pytest.raises(BpfError, match="'events': a record of 32 bytes is too short for Large"):
            other.consume()


@pytest.mark.host_only
def test_a_million_records_a_second(producer: Producer) -> None:
    """Full rings decode into frozen dataclasses at a million records per second and more.

    The best of many rounds, each over a full ring: what a busy machine does meanwhile is not ours.
    """
    best = 0.0
    for _ in range(60):
        producer.run(ROOM)
        begin = time.perf_counter()
        events = producer.ring.consume()
        best = max(best, len(events) / (time.perf_counter() - begin))
        assert len(events) == ROOM
    assert best >= 1e6
