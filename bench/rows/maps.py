"""One operation on a hash map, u32 to u64, 1000 keys: the same loops as in peers/map.c."""

from __future__ import annotations

import time
from contextlib import ExitStack

from bench.measure import Row, served
from bench.work import WORK, skeleton

KEYS = 1000
PASSES = 20


def rows(stack: ExitStack) -> list[Row]:
    skel = stack.enter_context(skeleton("execsnoop").Execsnoop.open().load())
    counts = skel.maps.counts

    def update() -> float:
        begin = time.perf_counter_ns()
        for _ in range(PASSES):
            for key in range(KEYS):
                counts[key] = key
        return (time.perf_counter_ns() - begin) / (KEYS * PASSES)

    def lookup() -> float:
        total = 0
        begin = time.perf_counter_ns()
        for _ in range(PASSES):
            for key in range(KEYS):
                total += counts[key]
        end = time.perf_counter_ns()
        if total != PASSES * sum(range(KEYS)):
            raise RuntimeError("the lookups gave other values than the updates stored")
        return (end - begin) / (KEYS * PASSES)

    update()  # all keys are there from here on
    return [
        Row(
            name,
            "ns",
            "C on libbpf",
            ours=ours,
            peer=served(stack, WORK / "map", kind),
            max_ratio=max_ratio,
        )
        for name, kind, ours, max_ratio in (
            ("map lookup", "lookup", lookup, 2.6),
            ("map update", "update", update, 3),
        )
    ]
