"""What the kernel does with many elements at once, with its flags, and key by key."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from bpfgen_runtime.errors import BpfError, KeyExistsError, KeyMissingError, SyscallError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.map import ArrayMap, HashMap, PerCpuArrayMap, PerCpuHashMap
from bpfgen_runtime.map import batch as batch_module
from bpfgen_runtime.object import Object
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import u32, u64

from tests.support.clang import compile_bpf
from tests.support.maps import CPUS, HASHES, Guarded, Make


def one(cls: type[Any], number: int) -> Any:
    return (number,) * CPUS if cls in (PerCpuHashMap, PerCpuArrayMap) else number


@pytest.mark.parametrize(("cls", "map_type"), HASHES)
def test_batches_of_hashes(make: Make, steps: str, cls: type[Any], map_type: int) -> None:
    """Batches set, read, delete, and take out what is there, in several system calls each."""
    live = make(cls, map_type, u32, u64, 20_000)
    pairs = {n: one(cls, n << 40) for n in range(3000)}
    live.update_batch(pairs.items())
    assert dict(live.lookup_batch()) == pairs
    assert live.delete_batch(range(2990, 3020)) == 10
    assert live.delete_batch([]) == 0
    assert live.delete_batch([5, 4711, 6, 4712, 5]) == 2
    taken = live.lookup_and_delete_batch()
    assert taken == {n: value for n, value in pairs.items() if n < 2990 and n not in (5, 6)}
    assert live.lookup_and_delete_batch() == {}
    assert len(live) == 0


def test_batches_are_cut(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call gets more than a chunk, and each element is in one of them."""
    monkeypatch.setattr(batch_module, "CHUNK", 1200)
    counts = []
    real = bpf.map_update_batch

    def counting(**arguments: Any) -> None:
        counts.append(arguments["count"])
        real(**arguments)

    monkeypatch.setattr(bpf, "map_update_batch", counting, raising=False)
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    live.update_batch({n: n for n in range(250)})
    assert counts == [100, 100, 50]
    assert live.to_dict() == {n: n for n in range(250)}
    assert live.delete_batch(range(250)) == 250


def test_full_map_in_the_middle(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the map is full, the error says which elements were being set, and how many were."""
    monkeypatch.setattr(batch_module, "CHUNK", 120)
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 25)
    message = (
        r"set elements 20 to 30 of 40 of map 'tested', whose max_entries is 25: .*"
        r" 5 of 10 elements were done"
    )
    with pytest.raises(SyscallError, match=message) as caught:
        live.update_batch({n: n for n in range(40)})
    assert caught.value.errno == errno.E2BIG
    assert len(live) == 25


def test_flags_of_batches(make: Make, steps: str) -> None:
    """BPF_NOEXIST and BPF_EXIST hold for each element of `update_batch`."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    live.update_batch({1: 1, 2: 2}, k.BPF_NOEXIST)
    with pytest.raises(KeyExistsError, match="set 2 elements of map 'tested'"):
        live.update_batch({3: 3, 2: 9}, k.BPF_NOEXIST)
    with pytest.raises(KeyMissingError):
        live.update_batch({1: 7, 5: 5}, k.BPF_EXIST)
    assert live.to_dict() == {1: 7, 2: 2, 3: 3}


def test_batches_under_the_lock(steps: str) -> None:
    """With BPF_F_LOCK values are copied while the spin lock in them is held."""
    with Object.load(load_spec(str(compile_bpf("values_lock")))) as loaded:
        [live] = [one for one in loaded.maps.values() if one.map_type == k.BPF_MAP_TYPE_HASH]
        hash = HashMap.open_id(live.info().id, key=u32, value=Guarded)
        with hash:
            hash.update_batch({1: Guarded(1, 2), 2: Guarded(3, 4)})
            hash.update_batch({1: Guarded(5, 6)}, k.BPF_F_LOCK)
            assert dict(hash.lookup_batch(k.BPF_F_LOCK)) == {1: Guarded(5, 6), 2: Guarded(3, 4)}


def test_lock_of_a_map_without(make: Make, steps: str) -> None:
    """BPF_F_LOCK on values without a lock is an error, not an old kernel."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    live[1] = 1
    with pytest.raises(SyscallError) as caught:
        list(live.lookup_batch(k.BPF_F_LOCK))
    assert caught.value.errno == errno.EINVAL


def test_next_key(make: Make) -> None:
    """Keys follow each other until there is none; after one that is not there comes the first."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    assert live.get_next_key() is None
    live.update({n: n for n in range(10)})
    first = key = live.get_next_key()
    seen = []
    while key is not None:
        seen.append(key)
        key = live.get_next_key(key)
    assert sorted(seen) == list(range(10))
    assert live.get_next_key(4711) == first
    with pytest.raises(OverflowError, match="key of map 'tested'"):
        live.get_next_key(-1)


@pytest.mark.parametrize(
    ("cls", "map_type"),
    [(ArrayMap, k.BPF_MAP_TYPE_ARRAY), (PerCpuArrayMap, k.BPF_MAP_TYPE_PERCPU_ARRAY)],
)
def test_batches_of_arrays(make: Make, steps: str, cls: type[Any], map_type: int) -> None:
    """Arrays are set by slices and by indices, negative ones too, and keep their length."""
    live = make(cls, map_type, None, u64, 3000)
    live[:] = [one(cls, n) for n in range(3000)]
    assert list(live.lookup_batch()) == list(live) == [one(cls, n) for n in range(3000)]
    live[10:16:2] = [one(cls, 7)] * 3
    assert live[10:16] == [one(cls, n) for n in (7, 11, 7, 13, 7, 15)]
    live.update_batch({0: one(cls, 5), -1: one(cls, 6)})
    assert (live[0], live[2999]) == (one(cls, 5), one(cls, 6))
    with pytest.raises(ValueError, match="2 values cannot be assigned to 3 entries"):
        live[:3] = [one(cls, 1)] * 2
    with pytest.raises(IndexError, match="there is no 3000"):
        live.update_batch({3000: one(cls, 1)})
    assert live[1] == one(cls, 1)


def test_elements_of_arrays_are_always_there(make: Make) -> None:
    """BPF_NOEXIST never holds for an entry of an array."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, u64, 3)
    with pytest.raises(KeyExistsError, match="set 1 in map 'tested'"):
        live.update(1, 5, k.BPF_NOEXIST)


def test_batch_that_the_kernel_gives_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """EINTR, of tries before v6.14, ends the batches: the rest is read key by key, none twice."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    live.update({n: n for n in range(100)})
    monkeypatch.setattr(batch_module, "CHUNK", 360)
    monkeypatch.setattr(batch_module, "_BY_KEY", (k.BPF_MAP_TYPE_HASH,))
    real = bpf.map_lookup_batch
    calls = []

    def interrupted(**arguments: Any) -> tuple[int, bool]:
        calls.append(arguments)
        if len(calls) == 3:
            raise SyscallError(errno.EINTR, "BPF_MAP_LOOKUP_BATCH", "read")
        return real(**arguments)

    monkeypatch.setattr(bpf, "map_lookup_batch", interrupted, raising=False)
    keys = list(live)
    assert len(keys) == 100
    assert set(keys) == set(range(100))


def test_batches_that_never_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trie whose batches begin anew for ever is an error, not a hang."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 4)
    monkeypatch.setattr(batch_module, "_BY_KEY", (k.BPF_MAP_TYPE_HASH,))

    def endless(**arguments: Any) -> tuple[int, bool]:
        return 1, True

    monkeypatch.setattr(bpf, "map_lookup_batch", endless, raising=False)
    with pytest.raises(BpfError, match="read map 'tested': others delete keys faster"):
        list(live)
