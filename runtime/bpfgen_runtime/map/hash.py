"""Hash maps as Python mappings."""

from __future__ import annotations

# collections.abc itself would import all of collections: 2 ms at start-up.
from _collections_abc import MutableMapping

from ..sys.elem import LOOKUP, MISSING, NR, SIZE, quick
from ..uapi import const as k
from .element import ElementMap
from .views import PairItems, PairValues

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterable, Iterator, ValuesView
    from typing import Any, ClassVar, TypeVar, overload

    from _typeshed import SupportsKeysAndGetItem

    from .base import Of, Path
    from .columns import Columns

    K = TypeVar("K")
    K2 = TypeVar("K2")
    T = TypeVar("T")
    V = TypeVar("V")
    V2 = TypeVar("V2")
else:
    K = V = object

__all__ = ["HashMap"]


class HashMap(ElementMap, MutableMapping[K, V]):
    """A hash map as a `MutableMapping`: each access is a system call on what is there then.

    Iteration gives each key that is there all the time exactly once, whatever programs and others
    insert and delete meanwhile. `len` counts, which reads the whole map. Two maps are equal only
    if they are the same object; compare `to_dict()`s for their contents.

    Kernel: BPF_MAP_TYPE_HASH, since v3.19; BPF_MAP_TYPE_LRU_HASH, since v4.10, which makes room
    in a full map by dropping what was not used lately.
    """

    __slots__ = ()

    TYPES: ClassVar[tuple[int, ...]] = (k.BPF_MAP_TYPE_HASH, k.BPF_MAP_TYPE_LRU_HASH)

    def __getitem__(self, key: K) -> V:
        ready = self._ready
        if ready:  # numbers: what `_find` does, without the call
            try:
                slot = ready.pop()
                keys, values, attr = slot
                keys[0] = key
                if not quick(NR, LOOKUP, attr, SIZE):
                    value = values[0]
                    ready.append(slot)
                    return value  # type: ignore[no-any-return]
                ready.append(slot)
            except (IndexError, TypeError, ValueError):
                pass  # no slot is free, or the key does not fit: below it is said why
        value = self._find(key)
        if value is MISSING:
            raise self._missing(key)
        return value  # type: ignore[no-any-return]

    def __setitem__(self, key: K, value: V) -> None:
        self._store(key, value)

    def __delitem__(self, key: K) -> None:
        if not self._delete(key):
            raise self._missing(key, k.BPF_MAP_DELETE_ELEM, "delete")

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not MISSING

    def __len__(self) -> int:
        from . import batch

        return sum(memoryview(keys).nbytes for keys, _ in batch.read(self)) // self.key_size

    def __iter__(self) -> Iterator[K]:
        from . import batch

        for keys, _ in batch.read(self):
            yield from self.key_type.decode_many(keys)

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(
            cls, path: Path, *, key: Of[K2] = None, value: Of[V2] = None
        ) -> HashMap[K2, V2]: ...

        @classmethod
        def open_id(
            cls, id: int, *, key: Of[K2] = None, value: Of[V2] = None
        ) -> HashMap[K2, V2]: ...

    def items(self) -> ItemsView[K, V]:
        """Return a view of the keys with their values; iterating reads both by few system calls."""
        return PairItems(self)

    def values(self) -> ValuesView[V]:
        """Return a view of the values; iterating reads them by few system calls."""
        return PairValues(self)

    def to_dict(self) -> dict[K, V]:
        """Return all keys and values."""
        return dict(self._pairs())

    if TYPE_CHECKING:

        @overload
        def get(self, key: K, /) -> V | None: ...
        @overload
        def get(self, key: K, /, default: V) -> V: ...
        @overload
        def get(self, key: K, /, default: T) -> V | T: ...

    def get(self, key: K, /, default: Any = None) -> Any:
        """Return the key's value, `default` if it is not there."""
        value = self._find(key)
        return default if value is MISSING else value

    def lookup(self, key: K, flags: int = 0) -> V:
        """Return the key's value, as `[]` does; with flags, such as `BPF_F_LOCK`.

        Raises:
            KeyMissingError: the map has no such key.
        """
        return self._lookup(key, flags) if flags else self[key]

    if TYPE_CHECKING:

        @overload
        def update(self, other: SupportsKeysAndGetItem[K, V], /) -> None: ...
        @overload
        def update(self, other: Iterable[tuple[K, V]], /) -> None: ...
        @overload
        def update(self, key: K, value: V, /, flags: int = ...) -> None: ...

    def update(self, key: Any, value: Any = MISSING, /, flags: int = 0) -> None:
        """Set one key, or as a dict's `update` all those of a mapping or of pairs.

        `update(key, value, flags=0)`: `BPF_NOEXIST` sets only a key that is not there,
        `BPF_EXIST` only one that is; either may go with `BPF_F_LOCK`.

        `update(other)` is `update_batch(other)`.

        Raises:
            KeyExistsError: `BPF_NOEXIST`, and the key is there.
            KeyMissingError: `BPF_EXIST`, and it is not.
            SyscallError: E2BIG if the map is full.
        """
        if value is MISSING:
            self.update_batch(key, flags)
        elif flags:
            self._update(key, value, flags)
        else:
            self._store(key, value)

    def delete(self, key: K) -> None:
        """Delete a key, as `del map[key]` does.

        Raises:
            KeyMissingError: the map has no such key.
        """
        del self[key]

    def lookup_and_delete(self, key: K, flags: int = 0) -> V:
        """Delete a key and return the value that it had, as one step.

        Raises:
            KeyMissingError: the map has no such key.
            NotSupportedError: the kernel cannot.

        Kernel: BPF_MAP_LOOKUP_AND_DELETE_ELEM of hashes, since v5.14.
        """
        return self._lookup_and_delete(key, flags)  # type: ignore[no-any-return]

    def get_next_key(self, key: K | None = None) -> K | None:
        """Return the key that the kernel has after a key, None after the last one.

        Args:
            key: None for the first key, which is also what follows a key that is not there.
        """
        raw = None if key is None else self._encoded("key", self.key_type, key)
        following = self._next_key(raw)
        return None if following is None else self.key_type.decode(following)

    def lookup_batch(self, flags: int = 0) -> Iterator[tuple[K, V]]:
        """Yield all keys and values, as `items()` does; with flags, such as `BPF_F_LOCK`.

        Kernel: BPF_MAP_LOOKUP_BATCH, since v5.6; before that, two system calls for each.
        """
        return self._pairs(flags)

    def update_batch(
        self, other: SupportsKeysAndGetItem[K, V] | Iterable[tuple[K, V]], flags: int = 0
    ) -> None:
        """Set all keys of a mapping, or of pairs, by few system calls.

        Args:
            flags: as of `update`. The kernel's batches know `BPF_F_LOCK` alone: with others it
                takes a system call for each key.

        Raises:
            KeyExistsError, KeyMissingError: as of `update`.
            SyscallError: E2BIG if the map is full; it says how many were set before.

        Kernel: BPF_MAP_UPDATE_BATCH, since v5.6; before that, a system call for each.
        """
        pairs: dict[K, V] = dict(other)
        self._set_many(pairs.items(), flags)

    def delete_batch(self, keys: Iterable[K]) -> int:
        """Delete keys by few system calls and return how many were there.

        Kernel: BPF_MAP_DELETE_BATCH, since v5.6; before that, a system call for each.
        """
        from . import batch

        return batch.delete(self, [self._encoded("key", self.key_type, key) for key in keys])

    def lookup_and_delete_batch(self) -> dict[K, V]:
        """Empty the map and return what was in it; what others insert meanwhile may stay.

        No value is lost: what a program changes before its deletion is in what is returned.

        Kernel: BPF_MAP_LOOKUP_AND_DELETE_BATCH, since v5.6. Without it (LPM tries, older kernels)
        what a program changes between the look-up of a key and its deletion is lost, unless the
        kernel can do both in one step (hashes, since v5.14).
        """
        from . import batch

        taken: dict[K, V] = {}
        for keys, values in batch.take(self):
            taken.update(
                zip(
                    self.key_type.decode_many(keys),
                    self.value_type.decode_many(values),
                    strict=True,
                )
            )
        return taken

    def clear(self) -> None:
        """Delete all keys; those that others insert meanwhile may stay."""
        from . import batch

        batch.clear(self)

    def columns(self) -> Columns:
        """Return all keys and values as two NumPy arrays, without an object for each.

        Structs become structured dtypes with C's layout, `char[N]` is `S`, what NumPy cannot
        express are void bytes. Values of per-CPU maps have a second dimension, the CPUs.

        Raises:
            NotSupportedError: NumPy is not installed: `pip install bpfgen-runtime[numpy]`.
        """
        from .columns import read_columns

        return read_columns(self)
