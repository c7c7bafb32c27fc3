"""Maps opened by id and by pin, with a look at their types."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bpfgen_runtime.errors import BpfError, SyscallError
from bpfgen_runtime.map import ArrayMap, HashMap, LpmTrieMap, Map, QueueMap
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import Struct, dataclass, i32, opaque, u32, u64

from tests.golden.regenerate import Case
from tests.support.leaks import unique_name
from tests.support.maps import Key, Make, Stat
from tests.support.modules import load_module


@dataclass(frozen=True, slots=True)
class Newer(Struct):
    """The struct route of datamaps.bpf.c as a later version might have it."""

    SIZE = 16
    LAYOUT = (("via", 0, u32), ("flags", 4, u32), ("metric", 8, i32))

    via: int = 0
    flags: int = 0
    metric: int = 0


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The skeleton of tests/golden/datamaps."""
    return load_module(Case("datamaps").module)


@pytest.fixture
def skel(module: ModuleType) -> Iterator[Any]:
    """Its maps in the kernel, with their BTF; those of newer kernels are left out."""
    with module.Datamaps.open() as opened:
        opened.maps.filter.autocreate = False
        with opened.load() as skel:
            yield skel


def test_by_id(make: Make) -> None:
    """A map is found by its id, and typed."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, Key, Stat)
    live[Key(1, 2)] = Stat("x", 3)
    with HashMap.open_id(live.info().id, key=Key, value=Stat) as again:
        assert again[Key(1, 2)] == Stat("x", 3)
        assert (again.name, again.max_entries) == ("tested", 1000)
    with Map.open_id(live.info().id) as plain:
        assert plain.map_type == k.BPF_MAP_TYPE_HASH
    with pytest.raises(BpfError, match="cannot be of class ArrayMap"):
        ArrayMap.open_id(live.info().id, value=u64)
    with pytest.raises(SyscallError, match="open map id 4294967294"):
        HashMap.open_id(0xFFFFFFFE, key=u32, value=u32)


def test_types_as_in_the_map(skel: Any, module: ModuleType) -> None:
    """A map opened with the skeleton's types is accepted, by id and by pin."""
    with LpmTrieMap.open_id(
        skel.maps.routes.info().id, key=module.RouteKey, value=module.Route
    ) as routes:
        routes[module.RouteKey(8, 10)] = module.Route(1, 2)
    assert skel.maps.routes[module.RouteKey(32, 10)] == module.Route(1, 2)
    path = f"/sys/fs/bpf/{unique_name('route')}"
    skel.maps.shared.pin(path)
    try:
        with ArrayMap.open_pinned(path, value=module.Route) as shared:
            assert shared.pin_path == path
            skel.maps.shared[3] = module.Route(5)
            assert shared[3].via == 5
            assert shared.memory[3].via == 5
        with ArrayMap.open_pinned(path, value=opaque(8)) as shared:
            assert shared[3] == module.Route(5).to_bytes()
    finally:
        os.unlink(path)
    with QueueMap.open_id(skel.maps.queue.info().id, value=module.Route) as queue:
        queue.push(module.Route(1))
        assert skel.maps.queue.pop() == module.Route(1)


def test_types_that_differ(skel: Any, module: ModuleType) -> None:
    """A map whose types are laid out otherwise is refused: the error tells each field."""
    number = skel.maps.shared.info().id
    with pytest.raises(BpfError) as caught:
        ArrayMap.open_id(number, value=Newer)
    assert str(caught.value).splitlines() == [
        f"open map id {number}: the keys or values of map 'shared' are not laid out as expected"
        " (generate the skeleton from the object that made the map):",
        "  value: struct route of 8 bytes, expected Newer of 16 bytes",
        "  value.flags: missing, expected u32 of 4 bytes at offset 4",
        "  value.metric: at offset 4, expected at 8",
        "  value.metric: __u32, expected i32",
    ]
    with pytest.raises(BpfError, match="key: struct route_key, expected u64"):
        LpmTrieMap.open_id(skel.maps.routes.info().id, key=u64, value=module.Route)


def test_wrong_size_without_btf(make: Make, tmp_path: Path) -> None:
    """Of a map without BTF only the sizes can be compared, and are."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    with pytest.raises(BpfError, match="has values of 8 bytes, Stat has 20"):
        HashMap.open_id(live.info().id, key=u32, value=Stat)
