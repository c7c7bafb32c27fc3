"""Whole maps as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from bpfgen_runtime.map import ArrayMap, HashMap, LpmTrieMap, PerCpuArrayMap, PerCpuHashMap
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import array, as_ctype, byte_array, u32, u64

from tests.support.maps import CPUS, Key, Make, Stat


def test_hash_of_structs(make: Make, steps: str) -> None:
    """Keys and values are structured arrays, rows of one belonging to those of the other."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, Key, Stat, 5000)
    live.update({Key(n, 7): Stat(f"n{n}", n << 33) for n in range(4000)})
    keys, values = live.columns()
    assert (keys.shape, values.shape) == ((4000,), (4000,))
    assert keys.dtype.names == ("pid", "port")
    assert (keys.itemsize, values.itemsize) == (8, 20)
    assert set(keys["pid"].tolist()) == set(range(4000))
    assert (keys["port"] == 7).all()
    assert (values["count"] == keys["pid"].astype("u8") << 33).all()
    assert (values["comm"] == numpy.char.add("n", keys["pid"].astype(str)).astype("S12")).all()
    values["count"] = 0  # the arrays are the caller's own
    assert live[Key(1, 7)].count == 1 << 33


def test_empty(make: Make, steps: str) -> None:
    """An empty map gives empty arrays of the same types."""
    keys, values = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, Stat).columns()
    assert (keys.shape, keys.dtype, values.shape) == ((0,), "<u4", (0,))
    assert values.dtype.names == ("comm", "count")


def test_array(make: Make, steps: str) -> None:
    """Of an array the keys are the indices."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, array(u32, 2), 100)
    live[3] = (5, 6)
    keys, values = live.columns()
    assert keys.tolist() == list(range(100))
    assert values.shape == (100, 2)
    assert values[3].tolist() == [5, 6]
    assert values.sum() == 11


@pytest.mark.parametrize(
    ("cls", "map_type"),
    [
        (PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH),
        (PerCpuArrayMap, k.BPF_MAP_TYPE_PERCPU_ARRAY),
    ],
)
def test_per_cpu(make: Make, steps: str, cls: type[Any], map_type: int) -> None:
    """Of a per-CPU map the values have a dimension for the CPUs; odd sizes do not show."""
    for ctype, one in ((u64, 1), (Stat, Stat("x", 1)), (byte_array(3), b"abc")):
        live = make(cls, map_type, u32, ctype, 8)
        live[2] = (one,) * CPUS
        keys, values = live.columns()
        row = keys.tolist().index(2)
        assert values.shape == (len(keys), CPUS)
        decode = as_ctype(ctype).decode
        assert [decode(cell.tobytes()) for cell in values[row]] == [one] * CPUS


def test_trie(make: Make, steps: str) -> None:
    """Tries have columns, too."""
    live = make(LpmTrieMap, k.BPF_MAP_TYPE_LPM_TRIE, Key, u64, 10, k.BPF_F_NO_PREALLOC)
    live[Key(16, 0xFFFF)] = 5
    keys, values = live.columns()
    assert (keys["pid"].tolist(), values.tolist()) == ([16], [5])
