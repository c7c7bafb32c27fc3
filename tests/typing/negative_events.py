"""Uses of ring and perf buffers that type checkers refuse; see negative.py."""

from __future__ import annotations

from bpfgen_runtime.poller import EventPoller
from dwarf_skel import Dwarf, ExitEvent, LongEvent, OpenEvent
from records_skel import Records


def wrong(skel: Dwarf, other: Records) -> None:
    maps = skel.maps
    exited: list[ExitEvent] = maps.copied.consume()  # E: assignment
    opened: list[OpenEvent] = maps.two_sizes.consume()  # E: assignment
    for record in maps.two_sizes:
        print(record.at, record.pid)  # E: union-attr
    for one in other.maps.by_kind.poll(timeout="1"):  # E: arg-type
        print(one.descriptor)  # E: union-attr
    paths: LongEvent = next(maps.perf_stack.poll())  # E: assignment
    maps.perf_stack.open(page=4)  # E: call-arg
    maps.perf_stack.open(pages="4")  # E: arg-type
    maps.perf_stack.lost = 0  # E: misc
    for item in maps.perf_stack.poll_records():
        print(item.event)  # E: union-attr
    maps.perf_stack[0] = "fd"  # E: assignment
    print(maps.perf_stack[0])  # E: index
    maps.reserved.open()  # E: attr-defined
    print(maps.reserved.consume().pid)  # E: attr-defined
    with EventPoller() as poller:
        poller.add(maps.copied, exited.append)  # E: arg-type
        poller.add(maps.scratch, print)  # E: arg-type
    print(opened, paths)


async def wrong_too(skel: Dwarf) -> None:
    async for event in skel.maps.copied:
        print(event.code)  # E: attr-defined
    for _ in skel.maps.copied.async_raw():  # E: attr-defined
        break
