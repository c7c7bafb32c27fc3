"""Array maps as Python sequences."""

from __future__ import annotations

# collections.abc itself would import all of collections: 2 ms at start-up.
from _collections_abc import Sequence

from ..sys.elem import MISSING
from ..uapi import const as k
from .element import INDEX, ValueMap, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeVar, overload

    from _typeshed import SupportsKeysAndGetItem

    from .base import Of, Path
    from .columns import Columns
    from .memory import ArrayMemory

    V = TypeVar("V")
    V2 = TypeVar("V2")
else:
    V = object

__all__ = ["ArrayMap"]


class ArrayMap(ValueMap[V], Sequence[V]):
    """An array map as a `Sequence` of `max_entries` values that can be assigned to.

    All are zero at first. Each access is a system call on what is there then. Negative indices
    count from the end.

    Kernel: BPF_MAP_TYPE_ARRAY, since v3.19.
    """

    __slots__ = ("_memory",)

    TYPES = (k.BPF_MAP_TYPE_ARRAY,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key_type = INDEX
        self._memory: ArrayMemory[V] | None = None

    def close(self) -> None:
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()
        super().close()

    def _index(self, index: int) -> int:
        """Return the index as the kernel counts."""
        return place_of(index, self.max_entries, self.name)

    def __len__(self) -> int:
        return self.max_entries

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(
            cls, path: Path, *, key: Any = None, value: Of[V2] = None
        ) -> ArrayMap[V2]: ...

        @classmethod
        def open_id(cls, id: int, *, key: Any = None, value: Of[V2] = None) -> ArrayMap[V2]: ...

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, index: int) -> V: ...
        @overload
        def __getitem__(self, index: slice) -> list[V]: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.max_entries))]
        value = self._find(self._index(index))
        if value is MISSING:
            raise IndexError(f"map {self.name!r} has no entry {index}")
        return value

    if TYPE_CHECKING:

        @overload
        def __setitem__(self, index: int, value: V) -> None: ...
        @overload
        def __setitem__(self, index: slice, value: Iterable[V]) -> None: ...

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            places, values = range(*index.indices(self.max_entries)), list(value)
            if len(places) != len(values):
                raise ValueError(
                    f"map {self.name!r}: {len(values)} values cannot be assigned to"
                    f" {len(places)} entries, an array keeps its length"
                )
            self._set_many(zip(places, values, strict=True), 0)
        else:
            self._store(self._index(index), value)

    def __iter__(self) -> Iterator[V]:
        return self.lookup_batch()

    def lookup(self, index: int, flags: int = 0) -> V:
        """Return a value, as `[]` does; with flags, such as `BPF_F_LOCK`.

        Raises:
            IndexError: there is no such entry.
        """
        if not flags:
            return self[index]
        return self._lookup(self._index(index), flags)  # type: ignore[no-any-return]

    def update(self, index: int, value: V, flags: int = 0) -> None:
        """Set a value, as assignment does; with flags, such as `BPF_F_LOCK`.

        Raises:
            IndexError: there is no such entry.
            KeyExistsError: `BPF_NOEXIST`: all entries of an array are always there.
        """
        if flags:
            self._update(self._index(index), value, flags)
        else:
            self[index] = value

    def lookup_batch(self, flags: int = 0) -> Iterator[V]:
        """Yield all values, as iteration does; with flags, such as `BPF_F_LOCK`.

        Kernel: BPF_MAP_LOOKUP_BATCH, since v5.6, of per-CPU arrays since v5.13; before that, two
        system calls for each.
        """
        from . import batch

        for _, values in batch.read(self, flags):
            yield from self.value_type.decode_many(values)

    def update_batch(
        self, other: SupportsKeysAndGetItem[int, V] | Iterable[tuple[int, V]], flags: int = 0
    ) -> None:
        """Set all entries of a mapping of indices, or of pairs, by few system calls.

        Raises:
            IndexError: there is no such entry.

        Kernel: BPF_MAP_UPDATE_BATCH, since v5.6, of per-CPU arrays since v5.13; before that, a
        system call for each.
        """
        pairs: dict[int, V] = dict(other)
        self._set_many([(self._index(index), value) for index, value in pairs.items()], flags)

    def columns(self) -> Columns:
        """Return all indices and values as two NumPy arrays, without an object for each.

        See `HashMap.columns`.
        """
        from .columns import read_columns

        return read_columns(self)

    @property
    def memory(self) -> ArrayMemory[V]:
        """The values as live memory, shared with the programs: reads and writes without calls.

        It is mapped at first use and goes with `close`.

        Raises:
            NotSupportedError: the map was not created with `BPF_F_MMAPABLE`.
            SyscallError: mmap failed: EPERM if the map is frozen.

        Kernel: BPF_F_MMAPABLE of BPF_MAP_TYPE_ARRAY, since v5.5.
        """
        if self._memory is None:
            from .memory import ArrayMemory

            self._memory = ArrayMemory(self)
        return self._memory
