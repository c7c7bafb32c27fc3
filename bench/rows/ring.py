"""Ring and perf buffers full of records of 72 bytes, into dataclasses, filled by test runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from bench.measure import Row, served
from bench.work import WORK, skeleton

RECORDS = 100_000

#: Of data per CPU: room for all records.
PAGES = 4096


def rows(stack: ExitStack) -> list[Row]:
    ring = stack.enter_context(skeleton("ringfill").Ringfill.open().load())
    perf = stack.enter_context(skeleton("perffill").Perffill.open().load())
    perf.maps.records.open(pages=PAGES)
    return [
        Row(
            "ring buffer to dataclasses",
            "M records/s",
            "C on libbpf, to structs",
            ours=_consumer(ring),
            peer=served(stack, WORK / "ringbuf"),
            rounds=11,
            min_ours=1.0,
        ),
        Row(
            "perf buffer to dataclasses",
            "M records/s",
            "C on libbpf, to structs",
            ours=_consumer(perf),
            peer=served(stack, WORK / "perfbuf"),
            rounds=11,
            min_ours=0.7,
        ),
    ]


def _consumer(skel: Any) -> Callable[[], float]:
    """Return what fills a skeleton's buffer, takes its records out, and says how fast."""

    def consume() -> float:
        skel.progs.produce.test_run(data_in=bytes(64), repeat=RECORDS)
        count = latency = 0
        begin = time.perf_counter_ns()
        for record in skel.maps.records.poll(timeout=0):
            latency += record.latency
            count += 1
        end = time.perf_counter_ns()
        if count != RECORDS or latency == 0:
            raise RuntimeError(f"{count} records instead of {RECORDS}")
        return RECORDS / (end - begin) * 1e3

    return consume
