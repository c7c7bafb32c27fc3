"""Arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from bpfgen_runtime.map import ArrayMap, PerCpuArrayMap
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import (
    u32,
    u64,
)

from tests.support.maps import ARRAYS, CPUS, Make, Stat


@pytest.mark.parametrize(("cls", "map_type"), ARRAYS)
def test_array_as_sequence(make: Make, steps: str, cls: type[Any], map_type: int) -> None:
    """An array map is a sequence with assignment and negative indices."""
    live = make(cls, map_type, u32, u64, 5)
    one: Any = (7,) * CPUS if cls is PerCpuArrayMap else 7
    zero: Any = (0,) * CPUS if cls is PerCpuArrayMap else 0
    assert issubclass(cls, Sequence)
    assert len(live) == 5
    live[1] = one
    live[-1] = one
    assert list(live) == [zero, one, zero, zero, one] == live[:]
    assert (live[1], live[-4], live.lookup(1)) == (one, one, one)
    assert live[::-2] == [one, zero, zero]
    assert live.count(one) == 2
    assert live.index(one) == 1
    assert list(reversed(live)) == [one, zero, zero, one, zero]
    live.update(0, one, k.BPF_EXIST)
    assert live[0] == one


@pytest.mark.parametrize("index", [5, -6, 1 << 40])
def test_array_index_out_of_range(make: Make, index: int) -> None:
    """An index beyond either end is an IndexError that tells the size."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, u64, 5)
    uses: tuple[Callable[[], Any], ...] = (
        lambda: live[index],
        lambda: live.__setitem__(index, 1),
        lambda: live.lookup(index),
        lambda: live.update(index, 1, k.BPF_EXIST),
    )
    for use in uses:
        with pytest.raises(IndexError, match=f"map 'tested' has 5 entries, there is no {index}"):
            use()


def test_array_is_read_in_order(make: Make, steps: str) -> None:
    """Iterating a large array gives all values in the order of their indices."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, Stat, 30_000)
    for index in (0, 12_345, 29_999):
        live[index] = Stat(str(index), index)
    values = list(live)
    assert len(values) == 30_000
    assert [(i, v) for i, v in enumerate(values) if v.comm] == [
        (i, Stat(str(i), i)) for i in (0, 12_345, 29_999)
    ]
