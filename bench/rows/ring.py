"""A ring buffer full of records of 72 bytes, into dataclasses; BPF_PROG_TEST_RUN fills it."""

from __future__ import annotations

import time
from contextlib import ExitStack

from bench.measure import Row, served
from bench.work import WORK, skeleton

RECORDS = 100_000


def rows(stack: ExitStack) -> list[Row]:
    skel = stack.enter_context(skeleton("ringfill").Ringfill.open().load())
    ring = skel.maps.records

    def consume() -> float:
        skel.progs.produce.test_run(data_in=bytes(64), repeat=RECORDS)
        count = latency = 0
        begin = time.perf_counter_ns()
        for record in ring.poll(timeout=0):
            latency += record.latency
            count += 1
        end = time.perf_counter_ns()
        if count != RECORDS or latency == 0:
            raise RuntimeError(f"{count} records instead of {RECORDS}")
        return RECORDS / (end - begin) * 1e3

    return [
        Row(
            "ring buffer to dataclasses",
            "M records/s",
            "C on libbpf, to structs",
            ours=consume,
            peer=served(stack, WORK / "ringbuf"),
            rounds=11,
            min_ours=1.0,
        )
    ]
