"""Load of an object with CO-RE relocations: the first in a process, and later ones."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.measure import Row, Sample, served
from bench.work import WORK, skeleton

#: What ours does in a process of its own; what is imported by load is part of the load.
FIRST = """\
import time

from tasktree_skel import Tasktree

opened = Tasktree.open()
begin = time.perf_counter_ns()
skel = opened.load()
print(time.perf_counter_ns() - begin)
skel.destroy()
"""


def rows(stack: ExitStack) -> list[Row]:
    first = WORK / "first_load.py"
    first.write_text(FIRST)
    tasktree = skeleton("tasktree").Tasktree

    def later() -> float:
        opened = tasktree.open()
        begin = time.perf_counter_ns()
        skel = opened.load()
        end = time.perf_counter_ns()
        skel.destroy()
        return end - begin

    peer = WORK / "core"
    return [
        Row(
            "load with CO-RE, first",
            "ns",
            "C on libbpf",
            ours=_printed(sys.executable, first),
            peer=_printed(peer, "once"),
            max_ratio=12,
        ),
        Row(
            "load with CO-RE, later",
            "ns",
            "C on libbpf",
            ours=later,
            peer=served(stack, peer, "serve"),
            max_ratio=4,
        ),
    ]


def _printed(*command: str | Path) -> Sample:
    """Run a process anew for each sample, which it prints."""

    def sample() -> float:
        done = subprocess.run(command, cwd=WORK, check=True, stdout=subprocess.PIPE)
        return float(done.stdout)

    return sample
