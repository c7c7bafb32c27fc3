"""Maps with one value for each possible CPU."""

from __future__ import annotations

from ..host.cpus import possible_cpus
from ..uapi import const as k
from ..values.ctype import CType, placed
from .array import ArrayMap
from .hash import HashMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from typing_extensions import Buffer

    K = TypeVar("K")
    V = TypeVar("V")
    T = TypeVar("T")
else:
    K = V = T = tuple

__all__ = ["PerCpuArrayMap", "PerCpuHashMap"]


class PerCpu(CType["tuple[T, ...]"]):
    """One value for each possible CPU, in the order of their numbers, each rounded up to 8 bytes.

    The kernel copies them so whatever the value's own alignment.
    """

    __slots__ = ("element", "length", "stride")

    def __init__(self, element: CType[T]) -> None:
        self.element = element
        self.length = len(possible_cpus())
        self.stride = (element.size + 7) // 8 * 8
        super().__init__(self.stride * self.length, f"per-CPU {element.c_name}")

    def decode(self, buffer: Buffer, offset: int = 0) -> tuple[T, ...]:
        decode = self.element.decode
        end = offset + self.size
        return tuple([decode(buffer, start) for start in range(offset, end, self.stride)])

    def decode_many(self, buffer: Buffer) -> list[tuple[T, ...]]:
        return [self.decode(buffer, i) for i in range(0, memoryview(buffer).nbytes, self.size)]

    def encode(self, value: tuple[T, ...]) -> bytes:
        values = tuple(value)
        if len(values) != self.length:
            raise ValueError(f"this machine has {self.length} possible CPUs, not {len(values)}")
        parts = []
        for cpu, one in enumerate(values):
            try:
                parts.append(self.element.encode(one).ljust(self.stride, b"\0"))
            except (OverflowError, TypeError, ValueError) as error:
                raise placed(error, f"[{cpu}]") from None
        return b"".join(parts)


class PerCpuHashMap(HashMap[K, "tuple[V, ...]"]):
    """A hash map whose values are tuples, one value for each possible CPU.

    Kernel: BPF_MAP_TYPE_PERCPU_HASH, since v4.6; BPF_MAP_TYPE_LRU_PERCPU_HASH, since v4.10.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_PERCPU_HASH, k.BPF_MAP_TYPE_LRU_PERCPU_HASH)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.value_type = PerCpu(self.value_type)


class PerCpuArrayMap(ArrayMap["tuple[V, ...]"]):
    """An array map whose values are tuples, one value for each possible CPU.

    Kernel: BPF_MAP_TYPE_PERCPU_ARRAY, since v4.6.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_PERCPU_ARRAY,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.value_type = PerCpu(self.value_type)
