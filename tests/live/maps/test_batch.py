"""Many elements at once, with the kernel's batches and without."""

from __future__ import annotations

import errno
import struct
import threading
from typing import Any

import pytest
from bpfgen_runtime.errors import (
    BpfError,
    SyscallError,
)
from bpfgen_runtime.map import HashMap, PerCpuHashMap
from bpfgen_runtime.map import batch as batch_module
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import (
    byte_array,
    u32,
    u64,
)

from tests.support.kernels import many
from tests.support.maps import CPUS, HASHES, Make


@pytest.mark.parametrize(("cls", "map_type"), HASHES)
def test_many_elements(make: Make, steps: str, cls: type[Any], map_type: int) -> None:
    """Thousands of elements are set, read, counted and deleted, with batches and without."""
    live = make(cls, map_type, u32, u32, 20_000)
    per_cpu = cls is PerCpuHashMap
    pairs = {n * 7: (n,) * CPUS if per_cpu else n for n in range(many(5000))}
    live.update(pairs)
    assert len(live) == many(5000)
    assert live.to_dict() == pairs
    assert set(live) == set(pairs)
    live.clear()
    assert list(live) == []


def test_huge_values(make: Make, steps: str) -> None:
    """Elements of which only a few fit into a batch are all read."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, byte_array(100_000), 20)
    pairs = {n: bytes([n]) * 100_000 for n in range(20)}
    live.update(pairs)
    assert live.to_dict() == pairs


def test_bucket_larger_than_a_batch(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one hash bucket holds more than was asked for, more is asked for."""
    monkeypatch.setattr(batch_module, "CHUNK", 1)
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, many(4096))
    pairs = {n: n for n in range(many(4096))}
    live.update(pairs)
    assert live.to_dict() == pairs


def test_deleting_while_iterating(make: Make, steps: str) -> None:
    """A loop may delete the keys that it gets, and gets each of them once."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 10_000)
    live.update({n: n for n in range(many(3000))})
    seen = []
    for key in live:
        seen.append(key)
        del live[key]
    assert sorted(seen) == list(range(many(3000)))
    assert len(live) == 0


def test_iterating_while_others_delete(make: Make, steps: str) -> None:
    """Keys that stay are given once while another thread inserts and deletes others.

    In single steps the kernel may pass keys over: what it reads the next key from may be a deleted
    element that is in use again, for another key. Batches read each bucket under its lock.
    """
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 20_000)
    live.update({n: n for n in range(500)})
    stop = threading.Event()

    def churn() -> None:
        n = 0
        while not stop.is_set():
            key = 1000 + n % 500
            live[key] = n
            if n % 2:
                live.pop(key, None)
            n += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(many(20)):
            keys = [key for key in live if key < 1000]
            assert len(keys) == len(set(keys))
            assert set(keys) <= set(range(500))
            assert steps == "single" or len(keys) == 500
    finally:
        stop.set()
        thread.join()


def test_first_key_deleted_while_walking(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without batches the kernel begins anew after a deleted key: no key is given twice."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 100)
    live.update({n: n for n in range(50)})
    walk = batch_module.walk(live)
    seen = [next(walk)]
    for key in list(live)[1:20]:  # among them the one that the walk stands on
        del live[key]
    seen += walk
    assert len(seen) == len(set(seen))
    assert {struct.unpack("<I", key)[0] for key in seen} >= set(live)


def test_walk_gives_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map that never ends, because others delete each key looked at, is an error, not a hang."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 2)
    again = [b"\0\0\0\0", b"\1\0\0\0"]

    def endless(*, map_fd: int, key: Any, next_key: Any, what: str) -> bool:
        next_key[:] = again[key == again[0]]
        return True

    monkeypatch.setattr(bpf, "map_get_next_key", endless)
    with pytest.raises(BpfError, match="read map 'tested': others delete keys faster"):
        list(batch_module.walk(live))


def test_error_is_not_taken_for_an_old_kernel(make: Make) -> None:
    """A batch that fails for a reason is that failure; no single steps are tried."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 10)
    with pytest.raises(SyscallError, match=r"set 20 elements of map 'tested'.* 10 of 20") as caught:
        live.update({n: n for n in range(20)})
    assert caught.value.errno == errno.E2BIG
