"""The kernel's whole BTF as C, as whole processes: time, and the memory that they take at most."""

from __future__ import annotations

from contextlib import ExitStack

from bench.measure import Row
from bench.memory import build_launcher, peak_memory
from bench.work import WORK, bpfgen, whole_process

PEER = ("bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c")


def rows(stack: ExitStack) -> list[Row]:
    ours = (bpfgen(), "vmlinux")
    launcher = WORK / "peak"
    build_launcher(launcher)
    return [
        Row(
            "kernel BTF as C",
            "ms",
            "bpftool btf dump",
            whole_process(*ours),
            whole_process(*PEER),
            rounds=7,
            max_ratio=20,
        ),
        Row(
            "kernel BTF as C, memory",
            "MiB",
            "bpftool btf dump",
            peak_memory(launcher, *ours),
            peak_memory(launcher, *PEER),
            rounds=3,
            max_ratio=3,
        ),
    ]
