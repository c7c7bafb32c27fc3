"""Types and kinds of maps that the tests of maps share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bpfgen_runtime.host.cpus import possible_cpus
from bpfgen_runtime.map import ArrayMap, HashMap, PerCpuArrayMap, PerCpuHashMap
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import (
    CharArray,
    Struct,
    as_ctype,
    char_array,
    dataclass,
    u16,
    u32,
    u64,
)
from bpfgen_runtime.values.enums import CEnum

CPUS = len(possible_cpus())

#: (class, BPF_MAP_TYPE_*) of all maps with keys.
HASHES = [
    (HashMap, k.BPF_MAP_TYPE_HASH),
    (HashMap, k.BPF_MAP_TYPE_LRU_HASH),
    (PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH),
    (PerCpuHashMap, k.BPF_MAP_TYPE_LRU_PERCPU_HASH),
]
ARRAYS = [(ArrayMap, k.BPF_MAP_TYPE_ARRAY), (PerCpuArrayMap, k.BPF_MAP_TYPE_PERCPU_ARRAY)]


@dataclass(frozen=True, slots=True)
class Key(Struct):
    """struct key, 8 bytes."""

    SIZE = 8
    LAYOUT = (("pid", 0, u32), ("port", 4, u16))

    pid: int = 0
    port: int = 0


@dataclass(frozen=True, slots=True)
class Stat(Struct):
    """struct stat, 20 bytes."""

    SIZE = 20
    LAYOUT = (("comm", 0, char_array(12)), ("count", 12, u64))

    comm: CharArray = CharArray()
    count: int = 0

    if TYPE_CHECKING:

        def __init__(self, comm: CharArray | str | bytes = ..., count: int = ...) -> None: ...


@dataclass(frozen=True, slots=True)
class Guarded(Struct):
    """struct guarded of values_lock.bpf.c: between its fields is a lock."""

    SIZE = 16
    LAYOUT = (("before", 0, u32), ("count", 8, u64))

    before: int = 0
    count: int = 0


class Kind(CEnum):
    """An enum."""

    A = 1
    B = 2


Make = Callable[..., Any]


def size_of(ctype: Any) -> int:
    return as_ctype(ctype).size
