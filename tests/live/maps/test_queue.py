"""Queues, stacks and Bloom filters: maps without keys."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from bpfgen_runtime.errors import ClosedError, KeyMissingError, SyscallError
from bpfgen_runtime.map import BloomFilterMap, QueueMap, StackMap
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import byte_array, u64

from tests.support.maps import Key, Make, Stat

BOTH = [(QueueMap, k.BPF_MAP_TYPE_QUEUE), (StackMap, k.BPF_MAP_TYPE_STACK)]


def test_queue_is_first_in_first_out(make: Make) -> None:
    """Values leave a queue in the order in which they were pushed."""
    live = make(QueueMap, k.BPF_MAP_TYPE_QUEUE, None, Stat, 4)
    for n in range(3):
        live.push(Stat(f"n{n}", n))
    assert live.peek() == live.peek() == Stat("n0", 0)
    assert [live.pop(), live.pop()] == [Stat("n0", 0), Stat("n1", 1)]
    live.push(Stat("last"))
    assert list(live.drain()) == [Stat("n2", 2), Stat("last")]


def test_stack_is_last_in_first_out(make: Make) -> None:
    """Values leave a stack in the opposite order."""
    live = make(StackMap, k.BPF_MAP_TYPE_STACK, None, u64, 4)
    for n in range(3):
        live.push(n)
    assert live.peek() == 2
    assert list(live.drain()) == [2, 1, 0]


@pytest.mark.parametrize(("cls", "map_type"), BOTH)
def test_empty(make: Make, cls: type[Any], map_type: int) -> None:
    """Taking from an empty map is a KeyMissingError, a KeyError, that says so."""
    live = make(cls, map_type, None, u64, 4)
    live.push(1)
    live.clear()
    for use in (live.pop, live.peek):
        with pytest.raises(KeyMissingError, match=r"BPF_MAP_LOOKUP.*The map is empty"):
            use()
    assert list(live.drain()) == []
    live.clear()


@pytest.mark.parametrize(("cls", "map_type"), BOTH)
def test_full(make: Make, cls: type[Any], map_type: int) -> None:
    """Pushing to a full map is E2BIG; with BPF_EXIST the oldest value makes room."""
    live = make(cls, map_type, None, u64, 2)
    live.push(1)
    live.push(2)
    with pytest.raises(SyscallError, match=r"add 3 to map 'tested'.* full, its max_entries is 2:"):
        live.push(3)
    with pytest.raises(
        SyscallError, match="with BPF_EXIST, and the oldest value makes room"
    ) as caught:
        live.push(3, k.BPF_ANY)
    assert caught.value.errno == errno.E2BIG
    live.push(3, k.BPF_EXIST)
    assert sorted(live.drain()) == [2, 3]


@pytest.mark.parametrize(("cls", "map_type"), BOTH)
def test_wrong_value(make: Make, cls: type[Any], map_type: int) -> None:
    """A value that does not fit is refused, with and without flags."""
    live = make(cls, map_type, None, u64, 2)
    for flags in (0, k.BPF_EXIST):
        with pytest.raises(OverflowError, match="value of map 'tested': -1 does not fit"):
            live.push(-1, flags)


@pytest.mark.parametrize(("cls", "map_type"), BOTH)
def test_closed(make: Make, cls: type[Any], map_type: int) -> None:
    """A closed map says that it is."""
    live = make(cls, map_type, None, u64, 2)
    live.push(1)
    live.close()
    for use in (lambda: live.push(1), live.pop, live.peek, lambda: list(live.drain())):
        with pytest.raises(ClosedError, match="map 'tested' is closed"):
            use()


@pytest.mark.kernel("bloom filter")
def test_bloom_filter(make: Make) -> None:
    """What was added is in a Bloom filter; of what was not, hardly anything."""
    live = make(BloomFilterMap, k.BPF_MAP_TYPE_BLOOM_FILTER, None, Key, 1000)
    assert Key(1, 2) not in live
    live.add(Key(1, 2))
    live.update(Key(n, 7) for n in range(100))
    assert Key(1, 2) in live
    assert all(Key(n, 7) in live for n in range(100))
    assert sum(Key(n, 8) in live for n in range(1000)) < 200


@pytest.mark.kernel("bloom filter")
def test_bloom_filter_of_the_wrong_values(make: Make) -> None:
    """A value of another type is refused, as it is by other maps."""
    live = make(BloomFilterMap, k.BPF_MAP_TYPE_BLOOM_FILTER, None, byte_array(4), 10)
    with pytest.raises(ValueError, match=r"value of map 'tested': .* needs 4 bytes, not 3"):
        live.add(b"abc")
    with pytest.raises(TypeError, match="value of map 'tested'"):
        _ = 5 in live
