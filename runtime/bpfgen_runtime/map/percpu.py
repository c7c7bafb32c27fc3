"""Maps with one value for each possible CPU."""

from __future__ import annotations

from ..errors import KeyMissingError, NotSupportedError
from ..host.cpus import possible_cpus
from ..sys import bpf
from ..uapi import const as k
from ..values.ctype import CType, placed
from .array import ArrayMap
from .element import ElementMap
from .hash import HashMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from typing_extensions import Buffer

    from .base import Of, Path

    K = TypeVar("K")
    K2 = TypeVar("K2")
    V = TypeVar("V")
    V2 = TypeVar("V2")
    T = TypeVar("T")
else:
    K = V = T = tuple

__all__ = ["PerCpuArrayMap", "PerCpuHashMap"]


class PerCpu(CType["tuple[T, ...]"]):
    """One value for each possible CPU, in the order of their numbers, each rounded up to 8 bytes.

    The kernel copies them so whatever the value's own alignment.
    """

    __slots__ = ("cpus", "element", "length", "stride")

    def __init__(self, element: CType[T]) -> None:
        self.element = element
        self.cpus = possible_cpus()
        self.length = len(self.cpus)
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


def _has_flags() -> bool:
    """Tell whether the kernel gives access to the value of one CPU, since v7.0."""
    from ..features import PERCPU_FLAGS

    return bool(PERCPU_FLAGS.probe())


class _PerCpuElements(ElementMap):
    """What per-CPU maps do with the value of one CPU."""

    __slots__ = ()

    value_type: PerCpu[Any]

    def _one(self, cpu: int) -> int:
        """Return the place of a CPU's value."""
        try:
            return self.value_type.cpus.index(cpu)
        except ValueError:
            raise ValueError(
                f"map {self.name!r}: this machine has no CPU {cpu}, only"
                f" {', '.join(map(str, self.value_type.cpus))}"
            ) from None

    def _lookup_cpu(self, key: Any, cpu: int) -> Any:
        place = self._one(cpu)
        if not _has_flags():
            return self._lookup(key, 0)[place]
        raw = bytearray(self.value_type.element.size)
        bpf.map_lookup_elem(
            map_fd=self.fileno(),
            key=self._encoded("key", self.key_type, key),
            value=raw,
            flags=k.BPF_F_CPU | cpu << 32,
            what=self._doing(f"look up CPU {cpu}'s value of", key),
        )
        return self.value_type.element.decode(raw)

    def _update_cpu(self, key: Any, cpu: int, value: Any, atomic: bool) -> None:
        place = self._one(cpu)
        if _has_flags():
            self._set_flagged(key, value, k.BPF_F_CPU | cpu << 32)
            return
        if atomic:
            raise NotSupportedError(
                f"setting the value of one CPU in map {self.name!r}",
                "where no program writes the map meanwhile (none is attached yet, say), pass"
                " atomic=False: all values are then read and written back",
            )
        try:
            values = list(self._lookup(key, 0))
        except KeyMissingError:
            zero = self.value_type.element.decode(bytes(self.value_type.element.size))
            values = [zero] * self.value_type.length
        values[place] = value
        self._update(key, tuple(values), 0)

    def _update_all_cpus(self, key: Any, value: Any) -> None:
        if _has_flags():
            self._set_flagged(key, value, k.BPF_F_ALL_CPUS)
        else:
            self._update(key, (value,) * self.value_type.length, 0)

    def _set_flagged(self, key: Any, value: Any, flags: int) -> None:
        raw_key = self._encoded("key", self.key_type, key)
        self._set(raw_key, self._encoded("value", self.value_type.element, value), flags, key)


class PerCpuHashMap(HashMap[K, "tuple[V, ...]"], _PerCpuElements):
    """A hash map whose values are tuples, one value for each possible CPU.

    Kernel: BPF_MAP_TYPE_PERCPU_HASH, since v4.6; BPF_MAP_TYPE_LRU_PERCPU_HASH, since v4.10.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_PERCPU_HASH, k.BPF_MAP_TYPE_LRU_PERCPU_HASH)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.value_type = PerCpu(self.value_type)

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(  # type: ignore[override]
            cls, path: Path, *, key: Of[K2] = None, value: Of[V2] = None
        ) -> PerCpuHashMap[K2, V2]: ...

        @classmethod
        def open_id(  # type: ignore[override]
            cls, id: int, *, key: Of[K2] = None, value: Of[V2] = None
        ) -> PerCpuHashMap[K2, V2]: ...

    def lookup_cpu(self, key: K, cpu: int) -> V:
        """Return the value of one CPU.

        Raises:
            KeyMissingError: the map has no such key.
            ValueError: there is no such CPU.

        Kernel: BPF_F_CPU, since v7.0; before that, the values of all CPUs are read.
        """
        return self._lookup_cpu(key, cpu)  # type: ignore[no-any-return]

    def update_cpu(self, key: K, cpu: int, value: V, *, atomic: bool = True) -> None:
        """Set the value of one CPU; those of the others stay, zero for a new key.

        Args:
            atomic: False lets kernels that cannot do it read all values and write them back, which
                loses what programs write in between.

        Raises:
            NotSupportedError: the kernel cannot, and `atomic` is True.
            ValueError: there is no such CPU.

        Kernel: BPF_F_CPU, since v7.0.
        """
        self._update_cpu(key, cpu, value, atomic)

    def update_all_cpus(self, key: K, value: V) -> None:
        """Set one value for all CPUs.

        Kernel: BPF_F_ALL_CPUS, since v7.0; before that, the value goes there once for each CPU.
        """
        self._update_all_cpus(key, value)


class PerCpuArrayMap(ArrayMap["tuple[V, ...]"], _PerCpuElements):
    """An array map whose values are tuples, one value for each possible CPU.

    Kernel: BPF_MAP_TYPE_PERCPU_ARRAY, since v4.6.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_PERCPU_ARRAY,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.value_type = PerCpu(self.value_type)

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(  # type: ignore[override]
            cls, path: Path, *, key: Any = None, value: Of[V2] = None
        ) -> PerCpuArrayMap[V2]: ...

        @classmethod
        def open_id(  # type: ignore[override]
            cls, id: int, *, key: Any = None, value: Of[V2] = None
        ) -> PerCpuArrayMap[V2]: ...

    def lookup_cpu(self, index: int, cpu: int) -> V:
        """Return the value of one CPU; see `PerCpuHashMap.lookup_cpu`."""
        return self._lookup_cpu(self._index(index), cpu)  # type: ignore[no-any-return]

    def update_cpu(self, index: int, cpu: int, value: V, *, atomic: bool = True) -> None:
        """Set the value of one CPU; see `PerCpuHashMap.update_cpu`."""
        self._update_cpu(self._index(index), cpu, value, atomic)

    def update_all_cpus(self, index: int, value: V) -> None:
        """Set one value for all CPUs; see `PerCpuHashMap.update_all_cpus`."""
        self._update_all_cpus(self._index(index), value)
