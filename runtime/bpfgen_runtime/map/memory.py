"""Arrays mapped into this process's memory."""

from __future__ import annotations

from _collections_abc import Sequence
from errno import EPERM
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap
from sys import byteorder

from ..errors import ClosedError, NotSupportedError, SyscallError
from ..uapi.const import BPF_F_MMAPABLE
from ..values.ctype import Scalar, placed
from .element import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeVar, overload

    from .array import ArrayMap

    V = TypeVar("V")
else:
    V = object

__all__ = ["ArrayMemory"]

_HOST_ORDER = "<" if byteorder == "little" else ">"


class ArrayMemory(Sequence[V]):
    """The values of an array map in memory that programs share: no system call for an access.

    A number is read and written by one access of its size, so that it is whole even while programs
    use it; anything larger is copied and may be torn.

    Kernel: BPF_F_MMAPABLE of BPF_MAP_TYPE_ARRAY, since v5.5.

    Attributes:
        raw: the bytes: `max_entries` values, each rounded up to 8 bytes.
        stride: bytes from one value to the next.
    """

    __slots__ = ("_length", "_mapped", "_name", "_numbers", "_step", "_type", "raw", "stride")

    def __init__(self, live: ArrayMap[V]) -> None:
        if not live.map_flags & BPF_F_MMAPABLE:
            raise NotSupportedError(
                f"mapping map {live.name!r} into memory",
                "create it with BPF_F_MMAPABLE: __uint(map_flags, BPF_F_MMAPABLE), or set its"
                " map_flags before load",
            )
        self._name = live.name
        self._type = live.value_type
        self._length = live.max_entries
        self.stride = (live.value_size + 7) // 8 * 8
        size = self._length * self.stride
        try:
            self._mapped = mmap(
                live.fileno(), -(-size // PAGESIZE) * PAGESIZE, MAP_SHARED, PROT_READ | PROT_WRITE
            )
        except OSError as error:
            raise SyscallError(
                error.errno or 0,
                "mmap",
                f"map array {live.name!r} into memory",
                "A frozen map can no longer be written" if error.errno == EPERM else "",
            ) from error
        self.raw = memoryview(self._mapped)[:size]
        #: A view of the values as numbers, one at every `_step`.
        self._numbers: memoryview | None = None
        self._step = 1
        ctype = self._type
        if (
            isinstance(ctype, Scalar)
            and ctype.code not in "?f"
            and ctype.wrap is None
            and (ctype.order or "<") == _HOST_ORDER
        ):
            self._numbers = self.raw.cast(ctype.code)  # type: ignore[call-overload]
            self._step = self.stride // ctype.size

    def close(self) -> None:
        """Unmap the memory; later accesses raise ClosedError."""
        numbers, self._numbers = self._numbers, None
        if numbers is not None:
            numbers.release()
        self.raw.release()
        try:
            self._mapped.close()
        except BufferError:
            return  # someone still has a view of the memory, and it is unmapped with the last one

    def _bytes(self) -> memoryview:
        if self._mapped.closed:
            raise ClosedError(f"map {self._name!r} is closed, and its memory with it")
        return self.raw

    def __len__(self) -> int:
        return self._length

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, index: int) -> V: ...
        @overload
        def __getitem__(self, index: slice) -> list[V]: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        at = place_of(index, self._length, self._name)
        if self._numbers is not None:
            return self._numbers[at * self._step]
        return self._type.decode(self._bytes(), at * self.stride)

    def __setitem__(self, index: int, value: V) -> None:
        at = place_of(index, self._length, self._name)
        numbers = self._numbers
        try:
            if numbers is not None:
                try:
                    numbers[at * self._step] = value  # type: ignore[call-overload]
                    return
                except (TypeError, ValueError):
                    pass  # below is what raises the error that says why
            raw = self._type.encode(value)
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"value of map {self._name!r}") from None
        self._bytes()[at * self.stride : at * self.stride + len(raw)] = raw

    def __iter__(self) -> Iterator[V]:
        return (self[index] for index in range(self._length))

    def column(self) -> Any:
        """Return the values as a NumPy array over the same memory: what programs change, it shows.

        Raises:
            NotSupportedError: NumPy is not installed.
        """
        from ..values.dtype import array_of

        return array_of(self._type, self._bytes(), (self._length,), (self.stride,))
