"""Maps with a value for each CPU."""

from __future__ import annotations

from typing import Any

import pytest
from bpfgen_runtime.map import PerCpuArrayMap, PerCpuHashMap
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import (
    u32,
    u64,
)

from tests.support.maps import CPUS, Make, Stat


def test_value_of_each_cpu(make: Make) -> None:
    """Each CPU's value is its own; a value of odd size is rounded up to 8 bytes unseen."""
    live = make(PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH, u32, Stat)
    values = tuple(Stat(f"cpu{n}", n) for n in range(CPUS))
    live[3] = values
    assert live[3] == values
    assert live.to_dict() == {3: values}


@pytest.mark.kernel("look-up and deletion in hashes")
def test_lookup_and_delete_of_each_cpu(make: Make) -> None:
    """The values of all CPUs are read and deleted at once."""
    live = make(PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH, u32, u64)
    values = tuple(range(CPUS))
    live[3] = values
    assert live.lookup_and_delete(3) == values
    assert live.to_dict() == {}


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            (1,) * (CPUS + 1),
            ValueError,
            f"value of map 'tested': .* {CPUS} possible CPUs, not {CPUS + 1}",
        ),
        ((0,) * (CPUS - 1) + (-1,), OverflowError, rf"\[{CPUS - 1}\]: -1 does not fit"),
        (5, TypeError, "value of map 'tested'"),
    ],
)
def test_wrong_values_for_cpus(
    make: Make, value: Any, error: type[Exception], message: str
) -> None:
    """Too many or too few values, or one that does not fit, are refused and told by CPU."""
    live = make(PerCpuArrayMap, k.BPF_MAP_TYPE_PERCPU_ARRAY, None, u32, 2)
    with pytest.raises(error, match=message):
        live[0] = value
