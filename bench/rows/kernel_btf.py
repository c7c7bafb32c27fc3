"""The index over the kernel's own BTF, against the least that Python can do: step over it once."""

from __future__ import annotations

import struct
import time
from array import array
from contextlib import ExitStack

from bpfgen_runtime.btf import Btf

from bench.measure import Row

KERNEL_BTF = "/sys/kernel/btf/vmlinux"

#: u32 words behind struct btf_type by kind, and words for each of the vlen entries.
EXTRA = {1: 1, 3: 3, 14: 1, 17: 1}
EACH = {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}


def rows(stack: ExitStack) -> list[Row]:
    with open(KERNEL_BTF, "rb") as file:
        data = file.read()

    def index() -> float:
        begin = time.perf_counter_ns()
        Btf.parse(data)
        return (time.perf_counter_ns() - begin) / 1e6

    def step() -> float:
        begin = time.perf_counter_ns()
        bare_pass(data)
        return (time.perf_counter_ns() - begin) / 1e6

    return [
        Row("kernel BTF index", "ms", "a bare pass over array('I')", index, step, 11, max_ratio=1.0)
    ]


def bare_pass(data: bytes) -> int:
    """Step from type to type and count them."""
    hdr_len, type_off, type_len = struct.unpack_from("=III", data, 4)
    words = array("I", data[hdr_len + type_off : hdr_len + type_off + type_len])
    # Words of a whole type by the 7 bits that kind takes in info >> 24 (kind_flag is the top one).
    fixed = [3 + EXTRA.get(kind & 0x1F, 0) for kind in range(256)]
    each = [EACH.get(kind & 0x1F, 0) for kind in range(256)]
    at = count = 0
    end = len(words)
    while at < end:
        info = words[at + 1]
        kind = info >> 24
        at += fixed[kind] + each[kind] * (info & 0xFFFF)
        count += 1
    return count
