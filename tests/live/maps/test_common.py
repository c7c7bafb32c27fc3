"""What all maps share: attributes, pins, closing, the choice of the class."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from bpfgen_runtime.errors import (
    BpfError,
    ClosedError,
    SyscallError,
)
from bpfgen_runtime.map import (
    ArrayMap,
    HashMap,
    LpmTrieMap,
    Map,
    PerCpuArrayMap,
    PerCpuHashMap,
    QueueMap,
    StackMap,
    StackTraceMap,
    open_map,
)
from bpfgen_runtime.spec import MapSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.uapi.enums import MapType
from bpfgen_runtime.values import (
    u32,
    u64,
)

from tests.support.leaks import unique_name
from tests.support.maps import ARRAYS, CPUS, HASHES, Key, Make, Stat


def test_attributes(make: Make) -> None:
    """A map tells its name, type and sizes, and the kernel's view of them."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 12)
    assert (live.name, live.type) == ("tested", MapType.HASH)
    assert (live.key_size, live.value_size, live.max_entries, live.map_flags) == (4, 8, 12, 0)
    info = live.info()
    assert (info.name, info.type, info.max_entries) == (b"tested", k.BPF_MAP_TYPE_HASH, 12)
    assert repr(live) == f"<HashMap 'tested': fd {live.fileno()}>"


def test_unknown_type_is_a_number(make: Make) -> None:
    """A map type that this version does not know is its number."""
    live = make(Map, k.BPF_MAP_TYPE_HASH, u32, u64)
    live.map_type = 4711
    assert live.type == 4711


def test_closed(make: Make) -> None:
    """After close every access is a ClosedError that names the map; closing again is nothing."""
    for cls, map_type in (*HASHES, *ARRAYS):
        live = make(cls, map_type, u32, u64)
        zero = (0,) * CPUS if cls in (PerCpuHashMap, PerCpuArrayMap) else 0
        live[1] = zero
        assert live[1] == zero
        live.close()
        live.close()
        assert live.closed
        for use in (
            lambda: live[1],  # noqa: B023  called at once
            lambda: live.__setitem__(1, zero),  # noqa: B023
            lambda: list(live),  # noqa: B023
            lambda: live.update(1, zero, k.BPF_EXIST),  # noqa: B023
            live.info,
            live.fileno,
            live.freeze,
        ):
            with pytest.raises(ClosedError, match="map 'tested' is closed"):
                use()
        assert repr(live) == f"<{cls.__name__} 'tested': closed>"


def test_context_manager(make: Make) -> None:
    """A map closes at the end of its with block, and cannot be entered again."""
    with make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64) as live:
        live[1] = 1
    with pytest.raises(ClosedError), live:
        pass


def test_freeze(make: Make) -> None:
    """A frozen map can be read and no longer be written from here."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, u64, 2)
    live[0] = 5
    live.freeze()
    assert live[0] == 5
    with pytest.raises(SyscallError, match="frozen") as caught:
        live[0] = 6
    assert caught.value.errno == errno.EPERM


def test_pin(make: Make) -> None:
    """A pin holds the map; it is opened again by its path, and goes by unpin."""
    path = f"/sys/fs/bpf/{unique_name('map')}"
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, Key, u64)
    live[Key(1, 2)] = 3
    live.pin(path)
    try:
        assert live.pin_path == path
        with pytest.raises(BpfError, match="pinned already"):
            live.pin(path + "2")
        live.close()
        with HashMap[Key, int].open_pinned(path, key=Key, value=u64) as again:
            assert again.name == "tested"
            assert again[Key(1, 2)] == 3
            again.unpin()
            assert again.pin_path is None
            with pytest.raises(BpfError, match="it is not pinned"):
                again.unpin()
        assert not os.path.exists(path)
    finally:
        if os.path.exists(path):
            os.unlink(path)


@pytest.mark.parametrize(
    ("cls", "key", "value", "message"),
    [
        (ArrayMap, u32, u64, "cannot be of class ArrayMap: its type is <MapType.HASH: 1>"),
        (HashMap, u64, u64, "has keys of 4 bytes, u64 has 8"),
        (HashMap, u32, Stat, "has values of 8 bytes, Stat has 20"),
    ],
)
def test_wrong_class(cls: type[Any], key: Any, value: Any, message: str) -> None:
    """A class that is for another type or other sizes refuses the map, which stays the caller's."""
    with (
        bpf.map_create(map_type=1, key_size=4, value_size=8, max_entries=1) as fd,
        pytest.raises(BpfError, match=message),
    ):
        cls(fd, name="m", map_type=1, key_size=4, value_size=8, max_entries=1, key=key, value=value)


def test_open_map_closes_what_it_cannot_use() -> None:
    """A spec that was changed after it was bound to a class is refused, and nothing stays open."""
    spec = MapSpec("m", k.BPF_MAP_TYPE_HASH, key_size=4, value_size=8, max_entries=1)
    spec.binding = (ArrayMap, None, u64)
    fd = bpf.map_create(map_type=1, key_size=4, value_size=8, max_entries=1)
    with pytest.raises(BpfError, match="map 'm' cannot be of class ArrayMap"):
        open_map(fd, spec)
    assert fd.closed


@pytest.mark.parametrize(
    ("map_type", "cls", "key_size", "flags"),
    [
        (k.BPF_MAP_TYPE_HASH, HashMap, 4, 0),
        (k.BPF_MAP_TYPE_LRU_HASH, HashMap, 4, 0),
        (k.BPF_MAP_TYPE_ARRAY, ArrayMap, 4, 0),
        (k.BPF_MAP_TYPE_PERCPU_HASH, PerCpuHashMap, 4, 0),
        (k.BPF_MAP_TYPE_PERCPU_ARRAY, PerCpuArrayMap, 4, 0),
        (k.BPF_MAP_TYPE_LPM_TRIE, LpmTrieMap, 8, k.BPF_F_NO_PREALLOC),
        (k.BPF_MAP_TYPE_QUEUE, QueueMap, 0, 0),
        (k.BPF_MAP_TYPE_STACK, StackMap, 0, 0),
        (k.BPF_MAP_TYPE_STACK_TRACE, StackTraceMap, 4, 0),
    ],
)
def test_class_by_type(map_type: int, cls: type[Any], key_size: int, flags: int) -> None:
    """Without a binding the class is chosen by the map's type, and keys and values are bytes."""
    spec = MapSpec("m", map_type, key_size=key_size, value_size=8, max_entries=2, map_flags=flags)
    fd = bpf.map_create(
        map_type=map_type, key_size=key_size, value_size=8, max_entries=2, map_flags=flags
    )
    with open_map(fd, spec) as live:
        assert type(live) is cls


def test_class_of_an_unknown_type() -> None:
    """A map of a type that this version does not know is a plain map."""
    spec = MapSpec("m", 4711, key_size=4, value_size=8, max_entries=2)
    fd = bpf.map_create(map_type=k.BPF_MAP_TYPE_HASH, key_size=4, value_size=8, max_entries=2)
    with open_map(fd, spec) as live:
        assert type(live) is Map
