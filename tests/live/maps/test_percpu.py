"""Maps with a value for each CPU."""

from __future__ import annotations

from typing import Any

import pytest
from bpfgen_runtime.errors import KeyMissingError, NotSupportedError
from bpfgen_runtime.host.cpus import possible_cpus
from bpfgen_runtime.map import PerCpuArrayMap, PerCpuHashMap
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import (
    u32,
    u64,
)

from tests.support.kernels import has
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


PER_CPU = [
    (PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH),
    (PerCpuHashMap, k.BPF_MAP_TYPE_LRU_PERCPU_HASH),
    (PerCpuArrayMap, k.BPF_MAP_TYPE_PERCPU_ARRAY),
]


@pytest.mark.parametrize(("cls", "map_type"), PER_CPU)
def test_one_value_for_all_cpus(make: Make, cls: type[Any], map_type: int) -> None:
    """`update_all_cpus` sets it everywhere, on each kernel; `lookup_cpu` reads one CPU's."""
    for ctype, one in ((u64, 1 << 63), (Stat, Stat("x", 7))):
        live = make(cls, map_type, u32, ctype, 4)
        live.update_all_cpus(1, one)
        assert live[1] == (one,) * CPUS
        assert [live.lookup_cpu(1, cpu) for cpu in possible_cpus()] == [one] * CPUS


@pytest.mark.parametrize(("cls", "map_type"), PER_CPU)
def test_value_of_one_cpu(make: Make, cls: type[Any], map_type: int) -> None:
    """`update_cpu` leaves the other CPUs' values; without the kernel's help only on demand."""
    last = possible_cpus()[-1]
    live = make(cls, map_type, u32, u64, 4)
    live[1] = (5,) * CPUS
    if has("access to the value of one CPU"):
        live.update_cpu(1, last, 9)
    else:
        with pytest.raises(NotSupportedError, match=r"one CPU in map 'tested'.*atomic=False"):
            live.update_cpu(1, last, 9)
        assert live[1] == (5,) * CPUS
        live.update_cpu(1, last, 9, atomic=False)
    assert live[1] == (5,) * (CPUS - 1) + (9,)
    live.update_cpu(2, last, 3, atomic=False)
    assert live[2] == (0,) * (CPUS - 1) + (3,)


@pytest.mark.kernel("access to the value of one CPU")
def test_flags_for_one_cpu(make: Make) -> None:
    """The kernel itself sets one CPU's value, of a size that is no multiple of 8."""
    live = make(PerCpuArrayMap, k.BPF_MAP_TYPE_PERCPU_ARRAY, None, Stat, 4)
    live.update_cpu(1, 0, Stat("x", 7))
    assert live.lookup_cpu(1, 0) == Stat("x", 7)
    assert live[1] == (Stat("x", 7),) + (Stat(),) * (CPUS - 1)


@pytest.mark.parametrize(("cls", "map_type"), PER_CPU)
def test_no_such_cpu(make: Make, cls: type[Any], map_type: int) -> None:
    """A CPU that the machine has not is a ValueError."""
    live = make(cls, map_type, u32, u64, 4)
    live.update_all_cpus(1, 1)
    for use in (
        lambda: live.lookup_cpu(1, 4711),
        lambda: live.update_cpu(1, 4711, 1, atomic=False),
    ):
        with pytest.raises(ValueError, match="map 'tested': this machine has no CPU 4711"):
            use()


def test_key_of_one_cpu(make: Make) -> None:
    """A missing key and a value that does not fit are told as ever."""
    live = make(PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH, u32, u32)
    with pytest.raises(KeyMissingError):
        live.lookup_cpu(5, 0)
    with pytest.raises(OverflowError, match="value of map 'tested'"):
        live.update_cpu(5, 0, -1, atomic=False)
    with pytest.raises(OverflowError, match="value of map 'tested'"):
        live.update_all_cpus(5, -1)
