"""Open and load of execsnoop, within a process that has imported all that it needs."""

from __future__ import annotations

import time
from contextlib import ExitStack

from bench.measure import Row, served
from bench.work import WORK, skeleton


def rows(stack: ExitStack) -> list[Row]:
    execsnoop = skeleton("execsnoop").Execsnoop

    def open_() -> float:
        begin = time.perf_counter_ns()
        execsnoop.open()
        return time.perf_counter_ns() - begin

    def load() -> float:
        opened = execsnoop.open()
        begin = time.perf_counter_ns()
        skel = opened.load()
        end = time.perf_counter_ns()
        skel.destroy()
        return end - begin

    program = WORK / "open_load"
    return [
        Row("open", "ns", "C on libbpf", ours=open_, peer=served(stack, program, "open")),
        Row("load", "ns", "C on libbpf", ours=load, peer=served(stack, program, "load")),
    ]
