"""Queues and stacks: maps without keys, whose values come and go."""

from __future__ import annotations

from ..errors import KeyMissingError
from ..sys.elem import MISSING
from ..uapi import const as k
from .element import ValueMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeVar

    from .base import Of, Path

    V = TypeVar("V")
    V2 = TypeVar("V2")
else:
    V = object

__all__ = ["QueueMap", "StackMap"]


class QueueMap(ValueMap[V]):
    """A queue of at most `max_entries` values: first in, first out.

    The kernel tells neither how many values there are nor which, but for the next one.

    Kernel: BPF_MAP_TYPE_QUEUE, since v4.20.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_QUEUE,)

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(
            cls, path: Path, *, key: Any = None, value: Of[V2] = None
        ) -> QueueMap[V2]: ...

        @classmethod
        def open_id(cls, id: int, *, key: Any = None, value: Of[V2] = None) -> QueueMap[V2]: ...

    def push(self, value: V, flags: int = 0) -> None:
        """Add a value.

        Args:
            flags: `BPF_EXIST` has a full map drop its oldest value first.

        Raises:
            SyscallError: E2BIG if the map is full.
        """
        if flags:
            raw = self._encoded("value", self.value_type, value)
            self._set(None, raw, flags, value)
        else:
            self._store(b"", value)

    def pop(self) -> V:
        """Take the next value out.

        Raises:
            KeyMissingError: the map is empty.
        """
        value = self._take(b"")
        if value is MISSING:
            raise self._empty(k.BPF_MAP_LOOKUP_AND_DELETE_ELEM, "pop from")
        return value  # type: ignore[no-any-return]

    def peek(self) -> V:
        """Return the next value, which stays.

        Raises:
            KeyMissingError: the map is empty.
        """
        value = self._find(b"")
        if value is MISSING:
            raise self._empty(k.BPF_MAP_LOOKUP_ELEM, "peek into")
        return value  # type: ignore[no-any-return]

    def drain(self) -> Iterator[V]:
        """Take values out until the map is empty."""
        while True:
            value = self._take(b"")
            if value is MISSING:
                return
            yield value

    def clear(self) -> None:
        """Take out all values; those that others push meanwhile may stay."""
        for _ in range(self.max_entries):
            if self._take(b"") is MISSING:
                return

    def _full(self) -> str:
        return (
            f"The map is full, its max_entries is {self.max_entries}: set a larger one before load,"
            " or push with BPF_EXIST, and the oldest value makes room"
        )

    def _doing(self, what: str, key: object) -> str:
        return f"add {key!r} to map {self.name!r}"

    def _empty(self, command: int, what: str) -> Exception:
        from errno import ENOENT

        from ..sys.explain import command_name

        return KeyMissingError(
            ENOENT, command_name(command), f"{what} map {self.name!r}", "The map is empty"
        )


class StackMap(QueueMap[V]):
    """A stack of at most `max_entries` values: last in, first out.

    Kernel: BPF_MAP_TYPE_STACK, since v4.20.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_STACK,)

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(
            cls, path: Path, *, key: Any = None, value: Of[V2] = None
        ) -> StackMap[V2]: ...

        @classmethod
        def open_id(cls, id: int, *, key: Any = None, value: Of[V2] = None) -> StackMap[V2]: ...
