"""What all maps of keys and values do with single elements and with many."""

from __future__ import annotations

import errno as _errno
from sys import byteorder

from ..errors import BpfError, NotSupportedError, SyscallError
from ..sys import bpf
from ..sys.call import failure
from ..sys.elem import MISSING, are_numbers, make_delete, make_lookup, make_update, refusal
from ..uapi import const as k
from ..values import be, u32
from ..values.ctype import placed
from .base import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, ClassVar, Generic, TypeVar

    from ..values import CType

    V = TypeVar("V")

__all__ = ["ABSENT", "ENOTSUPP", "INDEX", "ElementMap", "ValueMap", "place_of"]

#: Indices are in the host's byte order, whatever the object's.
INDEX = u32 if byteorder == "little" else be(u32)

#: The kernel's ENOTSUPP, which is not errno.ENOTSUP: the map's type has no such operation.
ENOTSUPP = 524

#: What an operation says of itself where the kernel has it not.
ABSENT = (_errno.EINVAL, _errno.ENOTSUP, ENOTSUPP)


def place_of(index: int, length: int, name: str) -> int:
    """Return an index of a map as the kernel counts: negative ones go from the end.

    Raises:
        IndexError: there is no such entry.
    """
    if not 0 <= index < length:
        if not -length <= index < 0:
            raise IndexError(f"map {name!r} has {length} entries, there is no {index}")
        index += length
    return index


class ElementMap(Map):
    """A map whose elements are looked up, set and deleted by system calls.

    Its subclasses speak the protocols of Python; here is what the kernel offers them.
    """

    __slots__ = ("_delete", "_find", "_ready", "_store", "_take")

    #: `BPF_MAP_TYPE_*` of the maps that the class is for.
    TYPES: ClassVar[tuple[int, ...]] = ()

    #: Free slots of `_find`; None where keys or values are no numbers.
    _ready: Any
    _find: Callable[[Any], Any]
    _take: Callable[[Any], Any]
    _store: Callable[[Any, Any], None]
    _delete: Callable[[Any], bool]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._check(self.TYPES)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            # Made at first use.
            if name not in ElementMap.__slots__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            number, key, value = self.fileno(), self.key_type, self.value_type
            if name == "_ready":
                made = [] if are_numbers(key, value) else None
            elif name == "_store":
                made = make_update(number, key, value, self.name, self._full())
            elif name == "_delete":
                made = make_delete(number, key, self.name)
            else:
                command, free = k.BPF_MAP_LOOKUP_ELEM, (
                    self._ready if are_numbers(key, value) else None
                )
                if name == "_take":
                    command, free = k.BPF_MAP_LOOKUP_AND_DELETE_ELEM, None
                made = make_lookup(number, command, key, value, self.name, free)
            setattr(self, name, made)
            return made

    def close(self) -> None:
        super().close()
        # What was made has the descriptor's number inside, which may soon be another file's.
        self._find = self._take = self._store = self._delete = self._closed_call
        self._ready = None

    def _closed_call(self, *arguments: object) -> Any:
        self.fileno()  # raises ClosedError

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def _full(self) -> str:
        """Say what E2BIG from an update means, and what helps."""
        return (
            f"The map is full, its max_entries is {self.max_entries}: set a larger one before load,"
            " or delete elements first"
        )

    # Single elements

    def _encoded(self, what: str, ctype: CType[Any], value: object) -> bytes:
        try:
            return ctype.encode(value)
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"{what} of map {self.name!r}") from None

    def _lookup(self, key: Any, flags: int) -> Any:
        value = bytearray(self.value_type.size)
        bpf.map_lookup_elem(
            map_fd=self.fileno(),
            key=self._encoded("key", self.key_type, key),
            value=value,
            flags=flags,
            what=self._doing("look up", key),
        )
        return self.value_type.decode(value)

    def _update(self, key: Any, value: Any, flags: int) -> None:
        raw_key = self._encoded("key", self.key_type, key)
        self._set(raw_key, self._encoded("value", self.value_type, value), flags, key)

    def _set(self, key: bytes | None, value: bytes, flags: int, shown: object) -> None:
        what = self._doing("set", shown)
        try:
            bpf.map_update_elem(map_fd=self.fileno(), key=key, value=value, flags=flags, what=what)
        except SyscallError as error:
            if error.errno != _errno.E2BIG:
                raise
            raise refusal(_errno.E2BIG, what, self._full()) from None

    def _lookup_and_delete(self, key: Any, flags: int) -> Any:
        try:
            if not flags:
                value = self._take(key)
                if value is MISSING:
                    raise self._missing(key, k.BPF_MAP_LOOKUP_AND_DELETE_ELEM)
                return value
            raw = bytearray(self.value_type.size)
            bpf.map_lookup_and_delete_elem(
                map_fd=self.fileno(),
                key=self._encoded("key", self.key_type, key),
                value=raw,
                flags=flags,
                what=self._doing("look up and delete", key),
            )
        except SyscallError as error:
            if error.errno not in ABSENT:
                raise
            raise NotSupportedError(
                f"looking up and deleting at once in map {self.name!r}",
                "read the key and then delete it, unless a program may change it in between",
            ) from error
        return self.value_type.decode(raw)

    def _next_key(self, key: bytes | None) -> bytes | None:
        following = bytearray(self.key_size)
        what = f"read the next key of map {self.name!r}"
        if bpf.map_get_next_key(map_fd=self.fileno(), key=key, next_key=following, what=what):
            return bytes(following)
        return None

    def _doing(self, what: str, key: object) -> str:
        return f"{what} {key!r} in map {self.name!r}"

    def _missing(
        self, key: object, command: int = k.BPF_MAP_LOOKUP_ELEM, what: str = "look up"
    ) -> BpfError:
        return failure(_errno.ENOENT, command, self._doing(what, key))

    # Many elements

    def _pairs(self, flags: int = 0) -> Iterator[tuple[Any, Any]]:
        from . import batch

        for keys, values in batch.read(self, flags):
            yield from zip(
                self.key_type.decode_many(keys), self.value_type.decode_many(values), strict=True
            )

    def _set_many(self, pairs: Iterable[tuple[Any, Any]], flags: int) -> None:
        from . import batch

        batch.update(
            self,
            [
                (
                    self._encoded("key", self.key_type, key),
                    self._encoded("value", self.value_type, value),
                )
                for key, value in pairs
            ],
            flags,
        )


if TYPE_CHECKING:

    class ValueMap(ElementMap, Generic[V]):
        """A map of values of one type, whose keys are indices, or that has none."""

        __slots__ = ()

else:

    class ValueMap(ElementMap):
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))
