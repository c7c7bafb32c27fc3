"""Array maps as Python sequences."""

from __future__ import annotations

# collections.abc itself would import all of collections: 2 ms at start-up.
from _collections_abc import Sequence
from sys import byteorder

from ..sys import bpf
from ..sys.elem import MISSING, make_lookup, make_update
from ..uapi import const as k
from ..values import be, u32
from .base import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar, overload

    V = TypeVar("V")
else:
    V = object

__all__ = ["ArrayMap"]


class ArrayMap(Map, Sequence[V]):
    """An array map as a `Sequence` of `max_entries` values that can be assigned to.

    All are zero at first. Each access is a system call on what is there then. Negative indices
    count from the end.

    Kernel: BPF_MAP_TYPE_ARRAY, since v3.19.
    """

    __slots__ = ("_find", "_store")

    TYPES = (k.BPF_MAP_TYPE_ARRAY,)

    _find: Callable[[Any], Any]
    _store: Callable[[Any, Any], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Its keys are indices in the host's byte order, whatever the object says.
        self.key_type = u32 if byteorder == "little" else be(u32)
        self._check(self.TYPES)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            # The two functions are made at first use.
            if name not in ArrayMap.__slots__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            number, key, value = self.fileno(), self.key_type, self.value_type
            if name == "_store":
                made = make_update(number, key, value, self.name)
            else:
                made = make_lookup(number, k.BPF_MAP_LOOKUP_ELEM, key, value, self.name)
            setattr(self, name, made)
            return made

    def close(self) -> None:
        super().close()
        # What was made has the descriptor's number inside, which may soon be another file's.
        self._find = self._store = self._closed_call

    def _closed_call(self, *arguments: object) -> Any:
        self.fileno()  # raises ClosedError

    def _index(self, index: int) -> int:
        """Return the index as the kernel counts."""
        if not 0 <= index < self.max_entries:
            if not -self.max_entries <= index < 0:
                raise IndexError(
                    f"map {self.name!r} has {self.max_entries} entries, there is no {index}"
                )
            index += self.max_entries
        return index

    def __len__(self) -> int:
        return self.max_entries

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

    def __setitem__(self, index: int, value: V) -> None:
        self._store(self._index(index), value)

    def __iter__(self) -> Iterator[V]:
        from . import batch

        for _, values in batch.read(self):
            yield from self.value_type.decode_many(values)

    __hash__ = object.__hash__

    def lookup(self, index: int, flags: int = 0) -> V:
        """Return a value, as `[]` does; with flags, such as `BPF_F_LOCK`.

        Raises:
            IndexError: there is no such entry.
        """
        if not flags:
            return self[index]
        value = bytearray(self.value_type.size)
        bpf.map_lookup_elem(
            map_fd=self.fileno(),
            key=self.key_type.encode(self._index(index)),
            value=value,
            flags=flags,
            what=f"look up {index} in map {self.name!r}",
        )
        return self.value_type.decode(value)  # type: ignore[no-any-return]

    def update(self, index: int, value: V, flags: int = 0) -> None:
        """Set a value, as assignment does; with flags, such as `BPF_F_LOCK`.

        Raises:
            IndexError: there is no such entry.
        """
        if not flags:
            self[index] = value
            return
        bpf.map_update_elem(
            map_fd=self.fileno(),
            key=self.key_type.encode(self._index(index)),
            value=self.value_type.encode(value),
            flags=flags,
            what=f"set {index} in map {self.name!r}",
        )
