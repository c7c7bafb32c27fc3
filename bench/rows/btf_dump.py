"""The kernel's whole BTF as C, as whole processes: time, and the memory that they take at most."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from bench.measure import Row, Sample
from bench.work import bpfgen

KERNEL_BTF = "/sys/kernel/btf/vmlinux"
PEER = ("bpftool", "btf", "dump", "file", KERNEL_BTF, "format", "c")

#: MiB that the target was set by; the bpftool 7.1 of this machine takes 13, ours 62.
PEER_MEMORY = 65.0


def rows(stack: ExitStack) -> list[Row]:
    ours = (bpfgen(), "vmlinux")
    return [
        Row(
            "kernel BTF as C",
            "ms",
            "bpftool btf dump",
            _time(*ours),
            _time(*PEER),
            rounds=7,
            max_ratio=20,
        ),
        Row(
            "kernel BTF as C, memory",
            "MiB",
            "65 MiB, bpftool's by issue 5",
            _memory(*ours),
            lambda: PEER_MEMORY,
            rounds=3,
            max_ratio=3,
        ),
    ]


def _time(*command: str | Path) -> Sample:
    def sample() -> float:
        begin = time.perf_counter_ns()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return (time.perf_counter_ns() - begin) / 1e6

    return sample


def _memory(*command: str | Path) -> Sample:
    """Give the largest resident set of a process."""

    def sample() -> float:
        with open(os.devnull, "wb") as nowhere:
            process = subprocess.Popen(command, stdout=nowhere)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command[0]} failed: {process.returncode}")
        return usage.ru_maxrss / 1024

    return sample
