"""Whole processes: from the start of the program to the attached one, an import, a generation."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.measure import Row, Sample
from bench.work import WORK, bpfgen, target_python, whole_process

#: The same tool as peers/start.c.
START = """\
import os

from execsnoop_skel import Execsnoop

with Execsnoop.open() as opened, opened.load() as skel:
    skel.attach()
    os.write(1, b"x")
"""

IMPORT = """\
import time

start = time.perf_counter_ns()
import {module}
print(time.perf_counter_ns() - start)
"""


def rows(stack: ExitStack) -> list[Row]:
    start = WORK / "start.py"
    start.write_text(START)
    return [
        Row(
            "start to attached",
            "ms",
            "C on libbpf",
            ours=_first_byte(target_python(), start),
            peer=_first_byte(WORK / "start"),
            max_ratio=10,
        ),
        Row(
            "import of the skeleton",
            "ms",
            "import ctypes",
            ours=_import("execsnoop_skel"),
            peer=_import("ctypes"),
        ),
        Row(
            "generation of a skeleton",
            "ms",
            "bpftool gen skeleton",
            ours=whole_process(bpfgen(), "skeleton", "execsnoop.bpf.o", "-o", "generated.py"),
            peer=whole_process("bpftool", "gen", "skeleton", "execsnoop.bpf.o"),
            rounds=7,
        ),
        Row(
            "30 skeletons in one call",
            "ms",
            "one skeleton",
            ours=whole_process(bpfgen(), "skeleton", *_copies(30), "-o", "many"),
            peer=whole_process(bpfgen(), "skeleton", "execsnoop.bpf.o", "-o", "generated.py"),
            rounds=5,
            max_ratio=6,
        ),
    ]


def _copies(count: int) -> list[Path]:
    """Make copies of an object, as different objects; the directory `many` is for their modules."""
    (WORK / "many").mkdir(exist_ok=True)
    data = (WORK / "execsnoop.bpf.o").read_bytes()
    paths = [WORK / "many" / f"execsnoop{number}.bpf.o" for number in range(count)]
    for path in paths:
        path.write_bytes(data)
    return paths


def _first_byte(*command: str | Path) -> Sample:
    """Milliseconds from just before the process is spawned until its first byte arrives."""
    words = [str(word) for word in command]

    def sample() -> float:
        reader, writer = os.pipe()
        try:
            # posix_spawn does less in the parent than subprocess, which both sides would pay for.
            actions = [(os.POSIX_SPAWN_DUP2, writer, 1)]
            begin = time.perf_counter_ns()
            pid = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
            os.close(writer)
            writer = -1
            byte = os.read(reader, 1)
            end = time.perf_counter_ns()
            _, status = os.waitpid(pid, 0)
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)
        if byte != b"x" or status != 0:
            raise RuntimeError(f"{words[0]} did not attach, wait status {status}")
        return (end - begin) / 1e6

    return sample


def _import(module: str) -> Sample:
    """Milliseconds that the import statement takes in a fresh interpreter, .pyc files there."""
    command = [sys.executable, "-c", IMPORT.format(module=module)]

    def sample() -> float:
        done = subprocess.run(command, cwd=WORK, check=True, stdout=subprocess.PIPE)
        return int(done.stdout) / 1e6

    return sample
