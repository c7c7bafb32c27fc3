"""What maps that hold kernel objects share: objects go in as descriptors, and come out as numbers.

A map of these kinds has under a key a program, a map, a socket, a cgroup, a network device. The
kernel takes a descriptor of it (for devices an index) and, where it can be read at all, answers by
an id. It keeps the object alive, except for sockets, which leave the map when they are closed.
"""

from __future__ import annotations

import errno as _errno
import os

# collections.abc itself would import all of collections: 2 ms at start-up.
from _collections_abc import Mapping
from sys import byteorder

from ..errors import BpfError, ClosedError, KeyMissingError, SyscallError
from ..sys import bpf
from ..sys.call import failure
from ..sys.fd import Fd
from ..uapi import const as k
from ..values.ctype import placed
from .base import Map
from .element import INDEX
from .views import PairItems, PairValues

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView, Iterator, ValuesView
    from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

    from ..spec import HasFileno

    #: A descriptor, or what has one.
    Handle: TypeAlias = HasFileno | int
    #: The same, or a path.
    HandleOrPath: TypeAlias = HasFileno | int | str | os.PathLike[str]

    K = TypeVar("K")
    R = TypeVar("R")
    S = TypeVar("S")
    T = TypeVar("T")

    class _Generic(Generic[K, S]):
        __slots__ = ()

    class _Mapping(Mapping[K, T]):
        __slots__ = ()

else:
    # At run time all that counts is that classes can be subscripted with them.
    Handle = HandleOrPath = K = S = T = object

    class _Generic:
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))

    _Mapping = Mapping

__all__ = [
    "Handle",
    "HandleOrPath",
    "NumberMapping",
    "SlotMap",
    "SlotMapping",
    "descriptor",
    "shown",
    "with_opened",
]


class SlotMap(Map, _Generic[K, S]):
    """A map that objects `S` can be put into under keys `K`, and taken out of."""

    __slots__ = ()

    #: `BPF_MAP_TYPE_*` of the maps that the class is for.
    TYPES: ClassVar[tuple[int, ...]] = ()
    #: Those of them whose slots are all there always, numbered from 0: the kernel's walk from key
    #: to key gives empty ones, too.
    ARRAYS: ClassVar[tuple[int, ...]] = ()
    #: Whether keys are numbers (u32) whatever the definition says.
    NUMBERED = True
    #: What an errno of an update means for this type of map.
    HINTS: ClassVar[dict[int, str]] = {}
    #: The errnos by which a deletion says that nothing is there.
    ABSENT: ClassVar[tuple[int, ...]] = (_errno.ENOENT,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.NUMBERED:
            self.key_type = INDEX
        self._check(self.TYPES)

    def __setitem__(self, key: K, value: S) -> None:
        self.update(key, value)

    def update(self, key: K, value: S, flags: int = 0) -> None:
        """Put something into a slot, as assignment does; with flags, such as `BPF_NOEXIST`.

        Raises:
            KeyExistsError: `BPF_NOEXIST`, and the slot is taken.
            KeyMissingError: `BPF_EXIST`, and it is empty.
            SyscallError: the kernel refused; e.g. E2BIG, the index is not below `max_entries`.
        """
        self._put(key, self._raw(value), self._shown(value), flags)

    def _raw(self, value: Any) -> bytes:
        """Return how the kernel is told of a value."""
        return descriptor(value).to_bytes(self.value_size, byteorder)

    def _shown(self, value: Any) -> str:
        """Describe a value in messages."""
        return shown(value)

    def _put(self, key: K, value: bytes, what: str, flags: int) -> None:
        try:
            bpf.map_update_elem(
                map_fd=self.fileno(),
                key=self._encoded(key),
                value=value,
                flags=flags,
                what=f"put {what} into slot {key!r} of map {self.name!r}",
            )
        except SyscallError as error:
            hint = self._hint(error.errno or 0)
            if not hint:
                raise
            raise type(error)(error.errno or 0, error.command, error.what, hint) from error

    def _hint(self, errno: int) -> str:
        if errno == _errno.E2BIG and self.map_type in self.ARRAYS:
            return f"The map has {self.max_entries} slots: set a larger max_entries before load"
        return self.HINTS.get(errno, "")

    def __delitem__(self, key: K) -> None:
        if not self._remove(key):
            raise self._missing(key, k.BPF_MAP_DELETE_ELEM, "delete")

    def delete(self, key: K) -> None:
        """Empty a slot, as `del map[key]` does.

        Raises:
            KeyMissingError: it is empty; not from arrays of devices, CPUs and AF_XDP sockets, of
                which the kernel says that it did.
        """
        del self[key]

    def _remove(self, key: K) -> bool:
        try:
            bpf.map_delete_elem(
                map_fd=self.fileno(), key=self._encoded(key), what=self._doing("delete", key)
            )
        except SyscallError as error:
            if error.errno not in self.ABSENT:
                raise
            return False
        return True

    def clear(self) -> None:
        """Empty all slots; what others put in meanwhile may stay."""
        for key in self._slots():
            self._remove(key)

    def _slots(self) -> Iterator[Any]:
        """Yield the keys that may have something: of arrays, all."""
        if self.map_type in self.ARRAYS:
            yield from range(self.max_entries)
            return
        from .batch import walk

        decode = self.key_type.decode
        for key in walk(self):
            yield decode(key)

    def _encoded(self, key: object) -> bytes:
        try:
            return self.key_type.encode(key)
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"key of map {self.name!r}") from None

    def _doing(self, what: str, key: object) -> str:
        return f"{what} slot {key!r} of map {self.name!r}"

    def _missing(self, key: object, command: int, what: str) -> BpfError:
        return failure(_errno.ENOENT, command, self._doing(what, key))


class SlotMapping(SlotMap[K, S], _Mapping[K, T]):
    """A `SlotMap` that can be read, too: a `Mapping` of the slots that are not empty.

    Each access is a system call on what is there then; `len` counts, which reads the whole map.
    Two maps are equal only if they are the same object.
    """

    __slots__ = ()

    def _read(self, raw: bytes) -> T:
        """Make of what the kernel answers the value for users."""
        raise NotImplementedError

    def _find(self, key: K) -> bytes | None:
        value = bytearray(self.value_size)
        try:
            bpf.map_lookup_elem(
                map_fd=self.fileno(),
                key=self._encoded(key),
                value=value,
                what=self._doing("look up", key),
            )
        except KeyMissingError:
            return None
        return bytes(value)

    def __getitem__(self, key: K) -> T:
        raw = self._find(key)
        if raw is None:
            raise self._missing(key, k.BPF_MAP_LOOKUP_ELEM, "look up")
        try:
            return self._read(raw)
        except SyscallError as error:
            if error.errno != _errno.ENOENT:
                raise
            # It went before it could be opened.
            raise self._missing(key, k.BPF_MAP_LOOKUP_ELEM, "look up") from error

    def __contains__(self, key: Any) -> bool:
        return self._find(key) is not None

    def __iter__(self) -> Iterator[K]:
        return (key for key, _ in self._found())

    def __len__(self) -> int:
        return sum([1 for _ in self._found()])

    def items(self) -> ItemsView[K, T]:
        """Return a view of the keys with their values."""
        return PairItems(self)

    def values(self) -> ValuesView[T]:
        """Return a view of the values."""
        return PairValues(self)

    def _found(self) -> Iterator[tuple[K, bytes]]:
        for key in self._slots():
            raw = self._find(key)
            if raw is not None:
                yield key, raw

    def _pairs(self) -> Iterator[tuple[K, T]]:
        for key, raw in self._found():
            try:
                value = self._read(raw)
            except SyscallError as error:
                if error.errno != _errno.ENOENT:
                    raise
                continue  # it went before it could be opened
            yield key, value

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class NumberMapping(SlotMapping[K, S, int]):
    """A `SlotMapping` whose values are read as plain numbers."""

    __slots__ = ()

    def _read(self, raw: bytes) -> int:
        return int.from_bytes(raw, byteorder)


def descriptor(thing: Handle) -> int:
    """Return the number of an open descriptor.

    Raises:
        ClosedError: a socket or file was closed.
    """
    number = thing if isinstance(thing, int) else thing.fileno()
    if number < 0:
        raise ClosedError(f"{shown(thing)} is closed: it has no descriptor")
    return number


def shown(thing: object) -> str:
    """Describe in a message what goes into a map."""
    if isinstance(thing, int):
        return f"descriptor {thing}" if type(thing) is int else repr(thing)
    if isinstance(thing, (str, os.PathLike)):
        return repr(os.fspath(thing))
    name = getattr(thing, "name", None)
    kind = type(thing).__name__
    return f"{kind} {name!r}" if isinstance(name, str) else f"a {kind}"


def with_opened(
    thing: HandleOrPath,
    flags: int,
    what: str,
    use: Callable[[int], R],
) -> R:
    """Call `use` with the descriptor of a thing, of a path one that is opened for just that.

    Raises:
        SyscallError: the path cannot be opened.
    """
    if not isinstance(thing, (str, os.PathLike)):
        return use(descriptor(thing))
    try:
        number = os.open(thing, flags | os.O_CLOEXEC)
    except OSError as error:
        raise SyscallError(error.errno or 0, "open", what) from error
    with Fd(number, shown(thing)) as opened:
        return use(opened.fileno())
