"""Hash maps as Python mappings."""

from __future__ import annotations

import errno as _errno

# collections.abc itself would import all of collections: 2 ms at start-up.
from _collections_abc import ItemsView, MutableMapping, ValuesView

from ..errors import BpfError, NotSupportedError, SyscallError
from ..sys import bpf
from ..sys.call import failure
from ..sys.elem import MISSING, make_delete, make_lookup, make_update
from ..uapi import const as k
from .base import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar, overload

    from _typeshed import SupportsKeysAndGetItem

    K = TypeVar("K")
    T = TypeVar("T")
    V = TypeVar("V")
else:
    K = V = object

__all__ = ["HashMap"]

#: The kernel's ENOTSUPP, which is not errno.ENOTSUP: the map's type has no such operation.
ENOTSUPP = 524


class HashMap(Map, MutableMapping[K, V]):
    """A hash map as a `MutableMapping`: each access is a system call on what is there then.

    Iteration gives each key that is there all the time exactly once, whatever programs and others
    insert and delete meanwhile. `len` counts, which reads the whole map. Two maps are equal only
    if they are the same object; compare `to_dict()`s for their contents.

    Kernel: BPF_MAP_TYPE_HASH, since v3.19; BPF_MAP_TYPE_LRU_HASH, since v4.10, which makes room
    in a full map by dropping what was not used lately.
    """

    __slots__ = ("_delete", "_find", "_store", "_take")

    TYPES = (k.BPF_MAP_TYPE_HASH, k.BPF_MAP_TYPE_LRU_HASH)

    _find: Callable[[Any], Any]
    _take: Callable[[Any], Any]
    _store: Callable[[Any, Any], None]
    _delete: Callable[[Any], bool]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._check(self.TYPES)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            # The four functions are made at first use.
            if name not in HashMap.__slots__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            number, key, value = self.fileno(), self.key_type, self.value_type
            if name == "_store":
                made = make_update(number, key, value, self.name)
            elif name == "_delete":
                made = make_delete(number, key, self.name)
            else:
                command = k.BPF_MAP_LOOKUP_ELEM
                if name == "_take":
                    command = k.BPF_MAP_LOOKUP_AND_DELETE_ELEM
                made = make_lookup(number, command, key, value, self.name)
            setattr(self, name, made)
            return made

    def close(self) -> None:
        super().close()
        # What was made has the descriptor's number inside, which may soon be another file's.
        self._find = self._take = self._store = self._delete = self._closed_call

    def _closed_call(self, *arguments: object) -> Any:
        self.fileno()  # raises ClosedError

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __getitem__(self, key: K) -> V:
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

    def items(self) -> ItemsView[K, V]:
        """Return a view of the keys with their values; iterating reads both by few system calls."""
        return _Items(self)

    def values(self) -> ValuesView[V]:
        """Return a view of the values; iterating reads them by few system calls."""
        return _Values(self)

    def _pairs(self) -> Iterator[tuple[K, V]]:
        from . import batch

        for keys, values in batch.read(self):
            yield from zip(
                self.key_type.decode_many(keys), self.value_type.decode_many(values), strict=True
            )

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
        if not flags:
            return self[key]
        value = bytearray(self.value_type.size)
        bpf.map_lookup_elem(
            map_fd=self.fileno(),
            key=self.key_type.encode(key),
            value=value,
            flags=flags,
            what=self._doing("look up", key),
        )
        return self.value_type.decode(value)  # type: ignore[no-any-return]

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

        `update(other)` sets all by few system calls; a failure says how many were set before it.

        Raises:
            KeyExistsError: `BPF_NOEXIST`, and the key is there.
            KeyMissingError: `BPF_EXIST`, and it is not.
            SyscallError: E2BIG if the map is full.
        """
        if value is MISSING:
            self._update_many(key)
            return
        if not flags:
            self._store(key, value)
            return
        bpf.map_update_elem(
            map_fd=self.fileno(),
            key=self.key_type.encode(key),
            value=self.value_type.encode(value),
            flags=flags,
            what=self._doing("set", key),
        )

    def _update_many(self, other: SupportsKeysAndGetItem[K, V] | Iterable[tuple[K, V]]) -> None:
        from . import batch

        pairs: dict[K, V] = dict(other)
        if pairs:
            batch.update(
                self,
                [self.key_type.encode(key) for key in pairs],
                [self.value_type.encode(value) for value in pairs.values()],
                0,
            )

    def delete(self, key: K) -> None:
        """Delete a key, as `del map[key]` does.

        Raises:
            KeyMissingError: the map has no such key.
        """
        del self[key]

    def lookup_and_delete(self, key: K) -> V:
        """Delete a key and return the value that it had, as one step.

        Raises:
            KeyMissingError: the map has no such key.
            NotSupportedError: the kernel cannot.

        Kernel: BPF_MAP_LOOKUP_AND_DELETE_ELEM of hashes, since v5.14.
        """
        try:
            value = self._take(key)
        except SyscallError as error:
            if error.errno not in (_errno.EINVAL, _errno.ENOTSUP, ENOTSUPP):
                raise
            raise NotSupportedError(
                f"looking up and deleting at once in map {self.name!r}",
                "read the key and then delete it, unless a program may change it in between",
            ) from error
        if value is MISSING:
            raise self._missing(key, k.BPF_MAP_LOOKUP_AND_DELETE_ELEM)
        return value  # type: ignore[no-any-return]

    def clear(self) -> None:
        """Delete all keys; those that others insert meanwhile may stay."""
        from . import batch

        batch.clear(self)

    def _doing(self, what: str, key: object) -> str:
        return f"{what} {key!r} in map {self.name!r}"

    def _missing(
        self, key: object, command: int = k.BPF_MAP_LOOKUP_ELEM, what: str = "look up"
    ) -> BpfError:
        return failure(_errno.ENOENT, command, self._doing(what, key))


class _Items(ItemsView[K, V]):
    __slots__ = ()

    _mapping: HashMap[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping._pairs()


class _Values(ValuesView[V]):
    __slots__ = ()

    _mapping: HashMap[Any, V]

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in self._mapping._pairs())
