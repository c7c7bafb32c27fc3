"""Views of a mapping's items and values that are read together with the keys."""

from __future__ import annotations

# collections.abc itself would import all of collections: 2 ms at start-up.
from _collections_abc import ItemsView, ValuesView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeVar

    K = TypeVar("K")
    V = TypeVar("V")
else:
    K = V = object

__all__ = ["PairItems", "PairValues"]


class PairItems(ItemsView[K, V]):
    """`items()` of a map that yields keys with values by `_pairs`."""

    __slots__ = ()

    _mapping: Any

    def __iter__(self) -> Iterator[tuple[K, V]]:
        pairs: Iterator[tuple[K, V]] = self._mapping._pairs()
        return pairs


class PairValues(ValuesView[V]):
    """`values()` of a map that yields keys with values by `_pairs`."""

    __slots__ = ()

    _mapping: Any

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in self._mapping._pairs())
