"""Several types of records in one buffer of this machine's kernel; buffers polled together."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime.errors import BpfError, ClosedError, RecordError
from bpfgen_runtime.host.cpus import online_cpus
from bpfgen_runtime.poller import EventPoller, poll_all

from bpfgen.generate import generate
from tests.support.clang import compile_bpf
from tests.support.modules import load_module

BY_SIZE = "opened,closed"
BY_TAG = "opened@kind:OPENED,closed@kind:CLOSED,moved@kind:MOVED,moved@kind:9"
OPENED, CLOSED, MOVED = 1, 2, 3


@pytest.fixture(params=[BY_SIZE, BY_TAG], ids=["by size", "by tag"])
def skel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The loaded skeleton of events_mixed.bpf.c, its buffers open."""
    data = compile_bpf("events_mixed").read_bytes()
    asked = {"ring": request.param, "perf": request.param}
    path = tmp_path / "mixed_skel.py"
    path.write_text(generate(data, file_name="mixed.bpf.o", events=asked))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {online_cpus()[0]})
    try:
        with load_module(path).Mixed.open_and_load() as loaded:
            loaded.maps.perf.open()
            yield loaded
    finally:
        os.sched_setaffinity(0, before)


def write(skel: Any, *kinds: int) -> None:
    """Write one record for each kind, runs of the same one at once."""
    for kind, group in itertools.groupby(kinds):
        skel.data.kind = kind
        skel.progs.produce.test_run(bytes(14), repeat=len(list(group)))


def both(skel: Any) -> list[Any]:
    return [skel.maps.ring, skel.maps.perf]


KINDS = [OPENED, CLOSED, OPENED, OPENED, *[CLOSED] * 40, *[OPENED, CLOSED] * 30, *[OPENED] * 700]


def test_each_record_has_its_type(skel: Any) -> None:
    """Alternating types, and runs of one, come out in order, each as its own class."""
    write(skel, *KINDS)
    for buffer in both(skel):
        records = buffer.consume()
        assert [one.kind for one in records] == KINDS
        assert [one.number for one in records] == list(range(len(KINDS)))
        names = {OPENED: "Opened", CLOSED: "Closed"}
        assert [type(one).__name__ for one in records] == [names[kind] for kind in KINDS]
        assert {one.flags for one in records if one.kind == OPENED} == {5}
        assert {one.code for one in records if one.kind == CLOSED} == {6}


@pytest.mark.parametrize("skel", [BY_TAG], indirect=True)
def test_same_size(skel: Any) -> None:
    """A tag tells types of one size apart, in runs too; also several values for one type."""
    kinds = [*[CLOSED, MOVED] * 20, *[MOVED] * 20, 9, 9]
    write(skel, *kinds)
    for buffer in both(skel):
        records = buffer.consume()
        names = ["Closed" if kind == CLOSED else "Moved" for kind in kinds]
        assert [type(one).__name__ for one in records] == names
        assert [str(one.where) for one in records if type(one).__name__ == "Moved"] == [
            "there"
        ] * names.count("Moved")


def test_record_of_no_type(skel: Any, request: pytest.FixtureRequest) -> None:
    """A record that is of none of the types is an error with its bytes; none of the others go."""
    by_size = "by size" in request.node.name
    write(skel, OPENED, CLOSED)
    if by_size:
        skel.bss.cut = 1
        write(skel, OPENED)
        skel.bss.cut = 0
    else:
        write(skel, 77)
    write(skel, CLOSED)
    ring = skel.maps.ring
    assert [one.number for one in ring.consume()] == [0, 1]
    message = "is none of Opened . Closed: they have 16, 24 bytes" if by_size else "tag at 0 is 4d"
    with pytest.raises(RecordError, match=message) as caught:
        next(ring.poll(timeout=5))
    assert len(caught.value.data) == (4 if by_size else 24)
    assert [one.number for one in ring.consume()] == [3]


def test_poll_all(skel: Any) -> None:
    """poll_all yields what several buffers have, and ends at its timeout."""
    write(skel, OPENED, OPENED)
    records = list(poll_all(*both(skel), timeout=0))
    assert sorted(one.number for one in records) == [0, 0, 1, 1]
    begin = time.monotonic()
    thread = threading.Timer(0.05, write, (skel, CLOSED))
    thread.start()
    assert [one.number for one in poll_all(*both(skel), timeout=0.4)] == [2, 2]
    assert 0.4 <= time.monotonic() - begin < 3
    thread.join()


def test_poll_all_that_is_left(skel: Any) -> None:
    """Records that a left loop over several buffers did not take come in the next."""
    write(skel, *[OPENED] * 5)
    taken = [one.number for one in itertools.islice(poll_all(*both(skel)), 7)]
    taken += [one.number for one in poll_all(*both(skel), timeout=0)]
    assert sorted(taken) == sorted([*range(5), *range(5)])


def test_poller(skel: Any) -> None:
    """Each buffer's callback has its records; poll says how many, and waits for the first."""
    ring: list[Any] = []
    perf: list[Any] = []
    with EventPoller() as poller:
        poller.add(skel.maps.ring, ring.append)
        poller.add(skel.maps.perf, perf.append)
        assert poller.poll(timeout=0) == 0
        write(skel, OPENED, CLOSED)
        assert poller.poll(timeout=5) == 4
        assert ring == perf
        assert [one.number for one in ring] == [0, 1]
        with pytest.raises(BpfError, match="map 'ring' is polled already"):
            poller.add(skel.maps.ring, perf.append)
        thread = threading.Timer(0.05, write, (skel, OPENED))
        thread.start()
        while len(ring) + len(perf) < 6:
            assert poller.poll(timeout=5)
        thread.join()
        begin = time.monotonic()
        assert poller.poll(timeout=0.2) == 0
        assert 0.2 <= time.monotonic() - begin < 2
    with pytest.raises(ClosedError, match="this poller is closed"):
        poller.poll(timeout=0)
    assert skel.maps.ring.consume() == []  # still open


def test_callback_that_raises(skel: Any) -> None:
    """What a callback raises goes through, and only its own record counts as handed out."""
    got: list[int] = []

    def callback(record: Any) -> None:
        if record.number == 1:
            raise KeyError("mine")
        got.append(record.number)

    write(skel, *[OPENED] * 4)
    with EventPoller() as poller:
        poller.add(skel.maps.ring, callback)
        with pytest.raises(KeyError, match="mine"):
            poller.poll(timeout=5)
        assert poller.poll(timeout=5) == 2
    assert got == [0, 2, 3]


def test_closed_buffer_in_poller(skel: Any) -> None:
    """A buffer that was closed makes the next poll say so."""
    with EventPoller() as poller:
        poller.add(skel.maps.ring, print)
        skel.maps.ring.close()
        with pytest.raises(ClosedError, match="map 'ring' is closed"):
            poller.poll(timeout=0)


def test_queries(skel: Any) -> None:
    """A ring buffer says its size, positions, and what is there."""
    ring = skel.maps.ring
    assert (ring.size, ring.available, ring.consumer_pos, ring.producer_pos) == (1 << 20, 0, 0, 0)
    write(skel, OPENED, CLOSED, OPENED)
    assert ring.available == ring.producer_pos == 24 + 32 + 24
    assert len(ring.consume(2)) == 2
    assert (ring.available, ring.consumer_pos) == (24, 56)


def test_async_for(skel: Any) -> None:
    """`async for` waits without blocking other tasks; what a left loop did not take stays."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        for _ in range(20):
            ticks += 1
            await asyncio.sleep(0.005)
        write(skel, *[OPENED] * 3)

    async def read(buffer: Any) -> list[int]:
        found: list[int] = []
        async for record in buffer:
            found.append(record.number)
            if len(found) == 2:
                break
        return found

    async def run() -> list[list[int]]:
        task = asyncio.create_task(tick())
        found = await asyncio.wait_for(asyncio.gather(*map(read, both(skel))), 10)
        await task
        return list(found)

    assert asyncio.run(run()) == [[0, 1], [0, 1]]
    assert ticks == 20
    assert [one.number for one in skel.maps.ring.consume()] == [2]


def test_two_tasks_on_one_buffer(skel: Any) -> None:
    """Only one task may wait for a buffer: the second is told; a cancelled one leaves no trace."""

    async def read() -> int:
        async for record in skel.maps.ring:
            return int(record.number)
        raise AssertionError

    async def run() -> int:
        first = asyncio.create_task(read())
        await asyncio.sleep(0.01)
        with pytest.raises(BpfError, match="another task waits for records of map 'ring'"):
            await read()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        asyncio.get_running_loop().call_later(0.01, write, skel, OPENED)
        return await asyncio.wait_for(read(), 5)

    assert asyncio.run(run()) == 0


def test_async_raw(skel: Any) -> None:
    """Raw records can be awaited, too."""

    async def read() -> bytes:
        async for record in skel.maps.ring.async_raw():
            return bytes(record)
        raise AssertionError

    write(skel, CLOSED)
    assert asyncio.run(asyncio.wait_for(read(), 5))[:8] == bytes((2, 0, 0, 0, 0, 0, 0, 0))
