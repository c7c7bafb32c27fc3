"""Maps of maps in this machine's kernel, through a generated skeleton."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bpfgen_runtime.errors import BpfError, KeyExistsError, KeyMissingError, SyscallError
from bpfgen_runtime.map import ArrayMap, ArrayOfMaps, HashMap, HashOfMaps
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import u32, u64

from tests.support.checkers import mypy_errors
from tests.support.modules import generated_module

PACKET = bytes(64)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return generated_module("maps_of_maps", tmp_path_factory.mktemp("skeleton"))


@pytest.fixture
def skel(module: ModuleType) -> Iterator[Any]:
    with module.MapsOfMaps.open() as opened:
        opened.maps.bare.inner = opened.maps.by_tenant.inner
        with opened.load() as loaded:
            yield loaded


def test_insert_read_and_delete(module: ModuleType, skel: Any) -> None:
    """New maps can be put in; reading opens them by their class; programs find them."""
    outer = skel.maps.by_tenant
    tenant = module.Tenant(id=7, zone=1)
    assert isinstance(outer, HashOfMaps)
    assert len(outer) == 0
    assert skel.progs.account.test_run(PACKET).retval == 1
    inner = outer.insert(tenant)
    assert isinstance(inner, HashMap)
    assert (inner.max_entries, inner.key_type.c_name, inner.value_type.size) == (16, u32.c_name, 16)
    assert skel.progs.account.test_run(PACKET).retval == 2
    inner[80] = module.Usage()
    assert skel.progs.account.test_run(PACKET).retval == 0
    assert outer[tenant][80] == module.Usage(packets=1, bytes=64)
    outer[tenant][81] = module.Usage(packets=9)  # an inner map for the time of the assignment
    assert inner.to_dict().keys() == {80, 81}
    assert list(outer) == [tenant]
    assert tenant in outer
    assert module.Tenant() not in outer
    assert outer.ids() == {tenant: inner.info().id}
    with pytest.raises(KeyExistsError, match="into slot Tenant"):
        outer.insert(tenant, k.BPF_NOEXIST)
    del outer[tenant]
    with pytest.raises(KeyMissingError, match="slot Tenant"):
        _ = outer[tenant]
    assert inner[80].packets == 1  # it is still held here


def test_assign_one_of_the_callers(module: ModuleType, skel: Any) -> None:
    """A map made by `create_inner` is the caller's, can be put in, also twice, and by number."""
    outer = skel.maps.by_tenant
    one, two = module.Tenant(id=1), module.Tenant(id=2)
    with outer.create_inner(name="mine", max_entries=5) as inner:
        assert (inner.name, inner.max_entries, inner.info().max_entries) == ("mine", 5, 5)
        outer[one] = inner
        outer[two] = inner.fileno()
        inner[1] = module.Usage(bytes=5)
    assert {tenant.id: found[1].bytes for tenant, found in outer.items()} == {1: 5, 2: 5}
    outer.clear()
    assert dict(outer) == {}


def test_maps_read_close_by_themselves(module: ModuleType, skel: Any) -> None:
    """What was read or inserted keeps no descriptor open once it is dropped."""
    outer = skel.maps.by_tenant
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5):
        outer.insert(module.Tenant(id=number))[1] = module.Usage(packets=number)
    assert sum(each[1].packets for each in outer.values()) == 10
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.kernel("locks in maps of maps")
def test_values_with_locks(tmp_path: Path) -> None:
    """Inner maps are made with the object's types, so that their values can have locks."""
    module = generated_module("maps_of_maps_locked", tmp_path)
    with module.MapsOfMapsLocked.open_and_load() as skel:
        outer = skel.maps.locked
        assert isinstance(outer, ArrayOfMaps)
        inner = outer.insert(1)
        assert isinstance(inner, ArrayMap)
        for _ in range(3):
            assert skel.progs.count_locked.test_run(PACKET).retval == 0
        assert outer[1].lookup(1, k.BPF_F_LOCK).count == 3
        assert list(outer) == [1]
        fd = bpf.map_create(
            map_type=k.BPF_MAP_TYPE_ARRAY, key_size=4, value_size=16, max_entries=2, what="make one"
        )
        with fd, pytest.raises(SyscallError, match="Special fields"):
            outer[0] = fd


def test_incompatible_maps(module: ModuleType, skel: Any) -> None:
    """The error says in what a map differs from the definition."""

    def made(map_type: int, key_size: int, value_size: int, entries: int) -> Any:
        return bpf.map_create(
            map_type=map_type,
            key_size=key_size,
            value_size=value_size,
            max_entries=entries,
            what="make a map",
        )

    hashes, arrays = skel.maps.by_tenant, skel.maps.pairs
    lru, sizes = (k.BPF_MAP_TYPE_LRU_HASH, 4, 16, 16), (k.BPF_MAP_TYPE_HASH, 8, 8, 16)
    longer = (k.BPF_MAP_TYPE_ARRAY, 4, 16, 3)
    for outer, key, other, reason in (
        (hashes, module.Tenant(), lru, "its type is 9, not 1"),
        (hashes, module.Tenant(), sizes, "its key_size is 8, not 4, its value_size is 8, not 16"),
        (arrays, 0, longer, "its max_entries is 3, not 2"),
    ):
        with made(*other) as fd, pytest.raises(SyscallError, match=reason):
            outer[key] = fd
    with pytest.raises(SyscallError, match="no descriptor of a map"):
        arrays[0] = 12345
    with pytest.raises(SyscallError, match="The map has 4 slots"):
        arrays.insert(4)


def test_pinned(module: ModuleType, skel: Any, pin_dir: Path) -> None:
    """An outer map opened from a pin reads typed maps; new ones want a definition."""
    skel.maps.by_tenant.insert(module.Tenant(id=3))[5] = module.Usage(packets=8)
    skel.maps.by_tenant.pin(pin_dir / "outer")
    types = ("map.HashMap", u32, module.Usage)
    with HashOfMaps.open_pinned(pin_dir / "outer", key=module.Tenant, value=types) as outer:
        assert outer[module.Tenant(id=3)][5].packets == 8
        with pytest.raises(BpfError, match="set its `inner`"):
            outer.create_inner()
        outer.inner = skel.maps.by_tenant.inner
        assert outer.insert(module.Tenant(id=4)).to_dict() == {}
    with HashOfMaps.open_pinned(pin_dir / "outer", key=module.Tenant) as outer:
        assert list(outer[module.Tenant(id=3)]) == [(5).to_bytes(4, "little")]


def test_inner_given_before_load(module: ModuleType, skel: Any) -> None:
    """A map of maps without a definition takes one, or a map as a pattern, before load."""
    assert isinstance(skel.maps.bare.insert(0), HashMap)
    assert skel.progs.in_bare.test_run(PACKET).retval == 0
    fd = bpf.map_create(
        map_type=k.BPF_MAP_TYPE_ARRAY, key_size=4, value_size=8, max_entries=6, what="make a map"
    )
    with fd, module.MapsOfMaps.open() as opened:
        opened.maps.bare.inner = fd
        with opened.load() as other:
            inner = other.maps.bare.insert(2)
            assert isinstance(inner, ArrayMap)
            assert (inner.max_entries, inner.value_size) == (6, u64.size)


@pytest.mark.host_only
def test_module_passes_mypy(module: ModuleType, tmp_path: Path) -> None:
    """The types of the inner maps reach the type checker."""
    use = tmp_path / "use.py"
    use.write_text(
        "from bpfgen_runtime.map import ArrayMap, ArrayOfMaps, HashMap, HashOfMaps, Map\n"
        "from maps_of_maps_skel import MapsOfMaps, Tenant, Usage\n"
        "from typing_extensions import assert_type\n"
        "def use(skel: MapsOfMaps) -> None:\n"
        "    outer = skel.maps.by_tenant\n"
        "    assert_type(outer, HashOfMaps[Tenant, HashMap[int, Usage]])\n"
        "    assert_type(outer[Tenant()][5].bytes, int)\n"
        "    assert_type(outer.create_inner(), HashMap[int, Usage])\n"
        "    assert_type(skel.maps.pairs, ArrayOfMaps[ArrayMap[Usage]])\n"
        "    assert_type(skel.maps.bare, ArrayOfMaps[Map])\n"
        "    outer[Tenant()] = outer.create_inner()\n"
        "    outer[Tenant()] = 5\n"
        "    outer[5]  # E\n"
        "    outer[Tenant()] = skel.maps.pairs  # E\n"
        "    outer[Tenant()] = skel.maps.pairs[0]  # E\n"
        "    skel.maps.pairs[0][0] = Tenant()  # E\n"
    )
    skeleton = tmp_path / "maps_of_maps_skel.py"
    assert module.__file__ is not None
    skeleton.write_text(Path(module.__file__).read_text())
    wrong = [one.line for one in mypy_errors([skeleton, use], cwd=tmp_path)]
    marked = [at for at, line in enumerate(use.read_text().splitlines(), 1) if "# E" in line]
    assert wrong == marked
