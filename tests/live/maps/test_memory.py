"""Arrays as live memory."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from bpfgen_runtime.errors import ClosedError, NotSupportedError, SyscallError
from bpfgen_runtime.map import ArrayMap
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import be, bool8, byte_array, f32, u8, u32, u64

from tests.support.maps import Key, Make, Stat

pytestmark = pytest.mark.kernel("arrays mapped into memory")


def mapped(make: Make, value: Any, entries: int = 10) -> ArrayMap[Any]:
    made: ArrayMap[Any] = make(
        ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, value, entries, k.BPF_F_MMAPABLE
    )
    return made


@pytest.mark.parametrize(
    ("value", "one", "zero"),
    [
        (u8, 255, 0),
        (u32, 7, 0),
        (u64, 1 << 63, 0),
        (be(u32), 7, 0),
        (f32, 0.5, 0.0),
        (bool8, True, False),
        (byte_array(3), b"abc", bytes(3)),
        (Key, Key(1, 2), Key()),
        (Stat, Stat("text", 3), Stat()),
    ],
)
def test_memory_is_the_map(make: Make, value: Any, one: Any, zero: Any) -> None:
    """What is written to the memory is in the map, and the other way round, without calls."""
    live = mapped(make, value)
    memory = live.memory
    assert live.memory is memory
    memory[2] = one
    live[-1] = one
    assert list(live) == list(memory) == [zero, zero, one, *[zero] * 6, one]
    assert memory[-1] == memory[9] == one
    assert memory[1:3] == [zero, one]
    assert (len(memory), memory.count(one)) == (10, 2)
    assert memory.stride % 8 == 0
    assert len(memory.raw) == 10 * memory.stride


def test_more_than_a_page(make: Make) -> None:
    """Large arrays are mapped whole."""
    live = mapped(make, Stat, 1000)
    live.memory[999] = Stat("last", 5)
    assert live[999] == Stat("last", 5)


def test_column_of_live_memory(make: Make) -> None:
    """As a NumPy array the memory is live, too."""
    live = mapped(make, Stat)
    column = live.memory.column()
    assert (column.shape, column.dtype.names) == ((10,), ("comm", "count"))
    live[4] = Stat("x", 9)
    assert column["count"].tolist() == [0, 0, 0, 0, 9, 0, 0, 0, 0, 0]
    column["count"][5] = 8
    assert live[5] == Stat("", 8)


@pytest.mark.parametrize(
    ("index", "value", "error", "message"),
    [
        (10, 1, IndexError, "map 'tested' has 10 entries, there is no 10"),
        (-11, 1, IndexError, "there is no -11"),
        (0, 1 << 32, OverflowError, "value of map 'tested': 4294967296 does not fit u32"),
        (0, "x", TypeError, "value of map 'tested': u32 needs an int"),
    ],
)
def test_what_does_not_fit(
    make: Make, index: int, value: Any, error: type[Exception], message: str
) -> None:
    """Wrong indices and values are refused as by the map itself."""
    live = mapped(make, u32)
    for target in (live, live.memory):
        with pytest.raises(error, match=message):
            target[index] = value


def test_closed(make: Make) -> None:
    """The memory goes with the map; views of it that are held elsewhere stay harmless."""
    for value in (u32, Key):
        live = mapped(make, value)
        memory = live.memory
        column = memory.column()
        live.close()
        with pytest.raises(ClosedError, match="map 'tested' is closed, and its memory with it"):
            _ = memory[0]
        with pytest.raises(ClosedError):
            memory[0] = value.decode(bytes(4)) if value is u32 else Key()
        assert len(column) == 10
        with pytest.raises(ClosedError):
            _ = live.memory


def test_not_mappable(make: Make) -> None:
    """An array without BPF_F_MMAPABLE has no memory, and says what to do."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, u32)
    with pytest.raises(NotSupportedError, match="create it with BPF_F_MMAPABLE"):
        _ = live.memory


def test_frozen(make: Make) -> None:
    """A frozen map cannot be mapped for writing; one that is mapped cannot be frozen."""
    live = mapped(make, u32)
    live.freeze()
    with pytest.raises(SyscallError, match=r"'tested' into memory: mmap: EPERM.*frozen"):
        _ = live.memory
    other = mapped(make, u32)
    other.memory[0] = 1
    with pytest.raises(SyscallError) as caught:
        other.freeze()
    assert caught.value.errno == errno.EBUSY
