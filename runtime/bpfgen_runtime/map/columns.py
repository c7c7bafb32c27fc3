"""All elements of a map as NumPy arrays."""

from __future__ import annotations

from ..values.dtype import array_of, numpy_module
from . import batch
from .lpm_trie import LpmKey
from .percpu import PerCpu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from numpy import dtype, ndarray

    from ..values import CType
    from .base import Map

    class Columns(NamedTuple):
        """Keys and values of a map, a row for each element."""

        keys: ndarray[tuple[int, ...], dtype[Any]]
        values: ndarray[tuple[int, ...], dtype[Any]]

else:
    from collections import namedtuple

    Columns = namedtuple("Columns", "keys values")

__all__ = ["Columns", "column", "read_columns"]


def read_columns(live: Map) -> Columns:
    """Read all keys and values of a map."""
    numpy_module()  # better now than after all was read
    keys, values = bytearray(), bytearray()
    for some_keys, some_values in batch.read(live):
        keys += some_keys
        values += some_values
    return Columns(column(live.key_type, keys), column(live.value_type, values))


def column(ctype: CType[Any], data: bytearray) -> Any:
    """Return a buffer of whole values as an array over the same memory."""
    if isinstance(ctype, LpmKey):
        ctype = ctype.struct
    count = len(data) // ctype.size
    if isinstance(ctype, PerCpu):
        return array_of(ctype.element, data, (count, ctype.length), (ctype.size, ctype.stride))
    return array_of(ctype, data, (count,), (ctype.size,))
