"""Events whose types were inferred, from ring and perf buffers, several types in one buffer."""

from __future__ import annotations

import asyncio
import os
import time

from bpfgen_runtime.poller import EventPoller, poll_all
from dwarf_skel import (
    Dwarf,
    EveryEvent,
    ExitEvent,
    LongEvent,
    OpenEvent,
    ScratchEvent,
    State,
)


def polled(skel: Dwarf) -> None:
    begin = time.monotonic_ns()
    os.getpgid(0)
    every = next(skel.maps.reserved.poll(timeout=5.0))
    assert isinstance(every, EveryEvent)
    assert every.state == State.RUNNING
    assert every.at > begin
    copied: list[OpenEvent] = skel.maps.copied.consume()
    assert copied[0].at > begin
    assert copied[0].pid == 0
    ended: list[ExitEvent] = skel.maps.in_subprogram.consume()
    assert ended[0].code == 3
    sent = [(one.pid, one.flags) for one in skel.maps.perf_stack.poll(timeout=0)]
    assert sent[0] == (1, 7)
    os.getppid()
    scratch: ScratchEvent = next(skel.maps.perf_scratch.poll(timeout=5.0))
    assert scratch.length == 5


def several(skel: Dwarf) -> None:
    os.getsid(0)
    opened = paths = 0
    for record in skel.maps.two_sizes.poll(timeout=0):
        if isinstance(record, OpenEvent):
            opened += record.pid
        else:
            long: LongEvent = record
            paths += long.at
    assert opened >= 1
    assert paths == 2 * opened


def together(skel: Dwarf) -> None:
    os.getpgid(0)
    kinds = {type(one) for one in poll_all(skel.maps.copied, skel.maps.in_subprogram, timeout=0)}
    assert kinds == {OpenEvent, ExitEvent}
    every: list[EveryEvent] = []
    sent: list[OpenEvent] = []
    with EventPoller() as poller:
        poller.add(skel.maps.reserved, every.append)
        poller.add(skel.maps.perf_stack, sent.append)
        while not (every and sent):
            os.getpgid(0)
            assert poller.poll(timeout=5.0)


async def waited(skel: Dwarf) -> int:
    asyncio.get_running_loop().call_later(0.01, os.getpgid, 0)
    async for event in skel.maps.in_subprogram:
        return event.code
    raise AssertionError("it never ends")


def main() -> None:
    with Dwarf.open_and_load() as skel:
        skel.maps.perf_stack.open(pages=4)
        skel.maps.perf_scratch.open(pages=4)
        skel.attach()
        polled(skel)
        several(skel)
        together(skel)
        assert asyncio.run(asyncio.wait_for(waited(skel), 5)) == 3


if __name__ == "__main__":
    main()
