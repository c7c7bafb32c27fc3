"""Typed records from a ring buffer."""

from __future__ import annotations

import os

from events_skel import TaggedEvent, Tracer


def main() -> None:
    received: list[TaggedEvent] = []
    with Tracer.open_and_load() as skel:
        skel.attach()
        os.getpgid(0)
        for event in skel.maps.tagged.poll(timeout=5.0):
            received.append(event)
            if event.pid == os.getpid():
                break
    mine = [event for event in received if event.pid == os.getpid()]
    with open("/proc/self/comm") as comm:
        assert str(mine[0].comm) == comm.read().strip()


if __name__ == "__main__":
    main()
