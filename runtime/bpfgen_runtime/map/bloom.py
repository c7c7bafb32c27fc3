"""Bloom filters: sets that answer "no" for certain and "yes" perhaps."""

from __future__ import annotations

from ..errors import KeyMissingError
from ..sys import bpf
from ..uapi import const as k
from .element import ValueMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    from .base import Of, Path

    V = TypeVar("V")
    V2 = TypeVar("V2")
else:
    V = object

__all__ = ["BloomFilterMap"]


class BloomFilterMap(ValueMap[V]):
    """A Bloom filter over values: what was added is `in` it, what was not seldom is.

    `max_entries` is how many values it is dimensioned for, `map_extra` (bits 0 to 3, 5 if 0) how
    many hashes are taken. Values cannot be listed, counted or removed.

    Kernel: BPF_MAP_TYPE_BLOOM_FILTER, since v5.16.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_BLOOM_FILTER,)

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(
            cls, path: Path, *, key: Any = None, value: Of[V2] = None
        ) -> BloomFilterMap[V2]: ...

        @classmethod
        def open_id(
            cls, id: int, *, key: Any = None, value: Of[V2] = None
        ) -> BloomFilterMap[V2]: ...

    def add(self, value: V) -> None:
        """Add a value."""
        self._store(b"", value)

    def update(self, values: Iterable[V]) -> None:
        """Add values."""
        for value in values:
            self._store(b"", value)

    def __contains__(self, value: object) -> bool:
        raw = bytearray(self._encoded("value", self.value_type, value))
        try:
            bpf.map_lookup_elem(
                map_fd=self.fileno(), key=None, value=raw, what=self._doing("look up", value)
            )
        except KeyMissingError:
            return False
        return True
