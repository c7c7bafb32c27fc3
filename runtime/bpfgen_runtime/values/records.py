"""Records of several types in one buffer: which of them one record is.

A buffer that carries one type of record has that type as its value type. One that carries several
has a `RecordType`, which picks by the record's length (`by_size`) or by a tag in it (`by_tag`).
"""

from __future__ import annotations

import struct as _struct

from .ctype import CType, as_ctype

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    from typing_extensions import Buffer

    T = TypeVar("T")
else:
    from .ctype import T

__all__ = ["RecordType", "by_size", "by_tag", "padded_size"]


def padded_size(size: int) -> int:
    """Return the length that a perf buffer's record of so many bytes is said to have.

    The kernel rounds it up so that 4 bytes more make a multiple of 8.
    """
    return (size + 11 & ~7) - 4


class RecordType(CType[T]):
    """One of several types, told apart by looking at a record.

    `size` is that of the largest. There is no encoding: the value's own class has one.
    """

    __slots__ = ("types",)

    def __init__(self, types: tuple[CType[Any], ...]) -> None:
        if not types:
            raise ValueError("no types to choose from")
        names = " | ".join([one.c_name for one in types])
        super().__init__(max([one.size for one in types]), names)
        self.types = types

    def choose(self, record: memoryview, padded: bool = False) -> CType[Any] | None:
        """Return the type of one record, None if it is of none of them.

        Args:
            record: its whole data, bytes.
            padded: whether its length is rounded up as in perf buffers.
        """
        raise NotImplementedError

    def choose_all(
        self, data: memoryview, header: int, length: int, stride: int, padded: bool
    ) -> CType[Any] | None:
        """Return the one type of a run of records of the same length, None if there is no one."""
        raise NotImplementedError

    def reason(self, record: bytes) -> str:
        """Say why a record is of none of the types."""
        raise NotImplementedError

    def decode(self, buffer: Buffer, offset: int = 0) -> T:
        """Decode the record that begins at `offset` and ends with the buffer."""
        record = memoryview(buffer).cast("B")[offset:]
        found = self.choose(record)
        if found is None:
            raise ValueError(f"none of {self.c_name}: {self.reason(bytes(record))}")
        value: T = found.decode(record)
        return value

    def encode(self, value: T) -> bytes:
        raise TypeError(f"encode a value by its own class, not as {self.c_name}")


class _BySize(RecordType[T]):
    """Told apart by the records' lengths."""

    __slots__ = ("_padded", "_sizes")

    def __init__(self, types: tuple[CType[Any], ...]) -> None:
        super().__init__(types)
        self._sizes = {one.size: one for one in types}
        self._padded = {padded_size(one.size): one for one in types}
        if len(self._sizes) != len(types):
            raise ValueError(f"{self.c_name}: two have the same size; tell them apart by a tag")

    def choose(self, record: memoryview, padded: bool = False) -> CType[Any] | None:
        if padded and len(self._padded) != len(self.types):
            raise ValueError(
                f"{self.c_name}: sizes that a perf buffer rounds to the same;"
                " tell them apart by a tag"
            )
        return (self._padded if padded else self._sizes).get(len(record))

    def choose_all(
        self, data: memoryview, header: int, length: int, stride: int, padded: bool
    ) -> CType[Any] | None:
        return self.choose(data[header : header + length], padded)

    def reason(self, record: bytes) -> str:
        return f"they have {', '.join([str(one.size) for one in self.types])} bytes"


class _ByTag(RecordType[T]):
    """Told apart by an integer at one place in all of them."""

    __slots__ = ("_end", "_offset", "_tags", "_values")

    def __init__(self, offset: int, tag: CType[int], types: Mapping[int, CType[Any]]) -> None:
        super().__init__(tuple(dict.fromkeys(types.values())))
        self._offset = offset
        self._end = offset + tag.size
        self._values = tuple(types)
        self._tags = {tag.encode(value): one for value, one in types.items()}
        for one in self.types:
            if one.size < self._end:
                raise ValueError(f"{one.c_name} ends before the tag at {offset}")

    def choose(self, record: memoryview, padded: bool = False) -> CType[Any] | None:
        return self._tags.get(bytes(record[self._offset : self._end]))

    def choose_all(
        self, data: memoryview, header: int, length: int, stride: int, padded: bool
    ) -> CType[Any] | None:
        before, size = header + self._offset, self._end - self._offset
        if length < self._end:
            return None
        form = f"{before}x{size}s{stride - before - size}x"
        tags = set(_struct.iter_unpack(form, data))
        return self._tags.get(tags.pop()[0]) if len(tags) == 1 else None

    def reason(self, record: bytes) -> str:
        wanted = ", ".join([str(value) for value in self._values])
        tag = record[self._offset : self._end].hex(" ") or "missing"
        return f"the tag at {self._offset} is {tag}, they have {wanted}"


def by_size(*types: CType[T] | type[T]) -> CType[T]:
    """Return the type of records that are told apart by their length.

    Raises:
        ValueError: two of the types have the same size.
    """
    return _BySize(tuple([as_ctype(one) for one in types]))


def by_tag(offset: int, tag: CType[int], types: Mapping[int, CType[T] | type[T]]) -> CType[T]:
    """Return the type of records that are told apart by an integer in them.

    Args:
        offset: of the tag in all of the types, bytes.
        tag: its type; `be(u32)` for a big-endian object's.
        types: the tag's value to type.

    Raises:
        OverflowError: a value does not fit the tag's type.
        ValueError: a type ends before its tag does.
    """
    return _ByTag(offset, tag, {value: as_ctype(one) for value, one in types.items()})
