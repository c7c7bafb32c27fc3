"""A hash map of 100,000 entries, u32 to a struct of 32 bytes, read whole."""

from __future__ import annotations

import time
from contextlib import ExitStack

from bench.measure import Row, served
from bench.work import WORK, skeleton

ENTRIES = 100_000


def rows(stack: ExitStack) -> list[Row]:
    module = skeleton("maptable")
    skel = stack.enter_context(module.Maptable.open().load())
    stats = skel.maps.stats
    stats.update_batch((key, module.Stat(calls=key, pid=key)) for key in range(ENTRIES))

    def columns() -> float:
        begin = time.perf_counter_ns()
        found = stats.columns()
        end = time.perf_counter_ns()
        if int(found.values["calls"].sum()) != sum(range(ENTRIES)):
            raise RuntimeError("the columns have other values than were set")
        return (end - begin) / 1e6

    def to_dict() -> float:
        begin = time.perf_counter_ns()
        found = stats.to_dict()
        end = time.perf_counter_ns()
        if len(found) != ENTRIES or found[5].calls != 5:
            raise RuntimeError("the dict has other values than were set")
        return (end - begin) / 1e6

    return [
        Row(
            name,
            "ms",
            "C on libbpf, one batch",
            ours=ours,
            peer=served(stack, WORK / "maptable"),
            max_ratio=max_ratio,
        )
        for name, ours, max_ratio in (
            ("map of 100,000 to columns", columns, 1.3),
            ("map of 100,000 to a dict of dataclasses", to_dict, 6),
        )
    ]
