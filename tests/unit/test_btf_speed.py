"""What BTF costs, held against bounds that a busy machine still meets."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from array import array
from collections.abc import Callable

import pytest
from bpfgen_runtime.btf import BTF_KIND_STRUCT, Btf, encode, kernel_btf

from tests.support.btfbuilder import ALL_KINDS

FIXED = (3, 4, 3, 6, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3, 4, 3, 3)
PER_VLEN = (0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3)


def bare_pass(data: bytes, btf: Btf) -> None:
    """Step from type to type, and do nothing else."""
    start = btf.header.type_start
    words = array("I")
    words.frombytes(data[start : start + btf.header.type_len])
    fixed, per_vlen, end, i = FIXED, PER_VLEN, len(words), 0
    while i < end:
        info = words[i + 1]
        kind = info >> 24 & 0x7F
        i += fixed[kind] + per_vlen[kind] * (info & 0xFFFFFF)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.needs("btf")
def test_indexing_costs_no_more_than_a_bare_pass() -> None:
    """Opening the kernel's BTF costs about 0.8 of a bare pass over it; 1.3 fails."""
    btf = kernel_btf()
    data = btf.to_bytes()
    pairs = [
        (seconds(lambda: Btf.parse(data)), seconds(lambda: bare_pass(data, btf))) for _ in range(11)
    ]
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert ours < 1.3 * bare, f"index {ours * 1e3:.1f} ms, bare pass {bare * 1e3:.1f} ms"


@pytest.mark.needs("btf")
def test_a_lookup_decodes_one_type() -> None:
    """Finding a type by name costs less than a pass, and decodes nothing."""
    btf = Btf.parse(kernel_btf().to_bytes())
    btf.find("list_head")
    names = ("task_struct", "file", "sock", "bpf_map", "inode", "cgroup", "net_device")
    data = btf.to_bytes()
    pairs = [
        (
            seconds(lambda name=name: btf.find(name, BTF_KIND_STRUCT)),
            seconds(lambda: bare_pass(data, btf)),
        )
        for name in names
    ]
    found, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert found < bare, f"find {found * 1e3:.1f} ms, bare pass {bare * 1e3:.1f} ms"
    assert len(btf._types) == 1


@pytest.mark.needs("btf")
def test_the_kernel_in_c_takes_little_memory() -> None:
    """A process that writes it takes 28 MiB for 5 MiB of BTF; 46 fail."""
    code = (
        "import re; from bpfgen_runtime.btf import dump_c, read_btf\n"
        "for text in dump_c(read_btf('/sys/kernel/btf/vmlinux')): pass\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    peak = int(done.stdout) / 1024
    size = len(kernel_btf().to_bytes()) / (1 << 20)
    assert peak < 25 + 4 * size, f"{peak:.1f} MiB for {size:.1f} MiB of BTF"


def test_a_small_object_is_opened_and_checked_at_once() -> None:
    """Parsing and validating 24 types of all kinds takes some 60 µs; 1 ms fails."""
    data = encode(ALL_KINDS)
    taken = [seconds(lambda: Btf.parse(data).validate()) for _ in range(50)]
    assert statistics.median(taken) < 1e-3


def test_start_up_imports_nothing_costly() -> None:
    """What an object's BTF needs imports no module that start-up forbids."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from bpfgen_runtime.btf import Btf, BtfExt\n"
        "Btf.parse(bytes.fromhex(sys.argv[1])).validate()\n"
        "print(*sorted(m for m in set(sys.modules) - before if not m.startswith('bpfgen_runtime')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, encode(ALL_KINDS).hex()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) <= {"__future__", "_struct", "errno", "struct"}
