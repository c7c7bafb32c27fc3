"""Global variables: typed attributes over the bytes of a data section."""

from __future__ import annotations

from sys import byteorder

from ..errors import ClosedError
from .ctype import Scalar, as_ctype, placed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, TypeVar, overload

    from typing_extensions import Buffer, Self

    from .ctype import CType
    from .text import CharArray

    T = TypeVar("T")

__all__ = ["Constant", "DataSection", "Global"]

_HOST_ORDER = "<" if byteorder == "little" else ">"
_CODES = "BbHhIiQqfd"
_SIZES = (1, 1, 2, 2, 4, 4, 8, 8, 4, 8)


def _read_only(section: DataSection, name: str) -> AttributeError:
    return AttributeError(
        f"{section._name}.{name} is a constant: constants are set before load, on the rodata"
        " of the open skeleton"
    )


class DataSection:
    """The variables of one section of the object, such as `.bss`.

    Subclasses declare them as `Global` or `Constant`. A number is read and written by one access
    of its size, so that it is whole even while programs use it; anything larger is copied and may
    be torn.

    Args:
        buffer: writable memory: a `bytearray` before load, the section's `mmap` after.
        name: what messages call the section; the class's name if not given.
    """

    __slots__ = ("_buffer", "_name", "_views")

    def __init__(self, buffer: Buffer, *, name: str = "") -> None:
        view = memoryview(buffer).cast("B")
        self._name = name or type(self).__name__
        self._buffer: memoryview | None = view
        self._views: tuple[memoryview, ...] = tuple(
            [
                view[: len(view) // size * size].cast(code)  # type: ignore[call-overload]
                for code, size in zip(_CODES, _SIZES, strict=True)
            ]
        )

    def close(self) -> None:
        """Let go of the memory, so that it can be unmapped; later accesses raise ClosedError."""
        self._views = ()
        self._buffer = None

    def _memory(self, what: str) -> memoryview:
        if self._buffer is None:
            raise ClosedError(
                f"{self._name}.{what}: the section is closed; its skeleton was loaded or destroyed"
            )
        return self._buffer

    def __repr__(self) -> str:
        if self._buffer is None:
            return f"<{self._name}, closed>"
        names = [
            name
            for cls in reversed(type(self).__mro__)
            for name, value in cls.__dict__.items()
            if isinstance(value, Global)
        ]
        return f"{self._name}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


if TYPE_CHECKING:

    class _Variable(Generic[T]):
        ctype: CType[T]
        offset: int
        name: str

        def __init__(self, ctype: CType[T] | type[T], offset: int) -> None: ...
        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...
        @overload
        def __get__(self, instance: DataSection, owner: type) -> T: ...
        def __get__(self, instance: Any, owner: type) -> Any: ...

    class Global(_Variable[T]):
        """A global variable of type `ctype` at `offset` (bytes) in its section."""

        @overload
        def __set__(
            self: Global[CharArray], instance: DataSection, value: CharArray | str | bytes
        ) -> None: ...
        @overload
        def __set__(self, instance: DataSection, value: T) -> None: ...
        def __set__(self, instance: Any, value: Any) -> None: ...

    class Constant(_Variable[T]):
        """A `const volatile` variable after load: it can be read only."""

else:

    class Global(property):
        # A property, because its `__get__` is C: calling one in Python costs as much as the rest.

        __class_getitem__ = classmethod(type(list[int]))

        def __init__(self, ctype, offset):
            self.ctype = as_ctype(ctype)
            self.offset = offset
            self.name = "?"
            super().__init__(*self._accessors())

        def __set_name__(self, owner, name):
            self.name = name

        def __repr__(self):
            return f"<{type(self).__name__} {self.ctype.c_name} {self.name} at {self.offset:#x}>"

        def _accessors(self):
            ctype, offset = self.ctype, self.offset
            if (
                not isinstance(ctype, Scalar)
                or offset % ctype.size
                or (ctype.order or "<") != _HOST_ORDER
            ):
                return self._read, self._write
            # A bool is read as its byte: a view of bools would be undefined where it is neither 0
            # nor 1.
            code, wrap = ("B", bool) if ctype.code == "?" else (ctype.code, ctype.wrap)
            view, index = _CODES.index(code), offset // ctype.size
            return (
                self._getter(view, index, wrap),
                # Views accept floats too large for `float`, and any int for a bool.
                self._write if ctype.code in "f?" else self._setter(view, index),
            )

        def _getter(self, view, index, wrap):
            def get(section):
                try:
                    return section._views[view][index]
                except IndexError:
                    section._memory(self.name)
                    raise

            def get_wrapped(section):
                return wrap(get(section))

            return get if wrap is None else get_wrapped

        def _setter(self, view, index):
            def set_(section, value):
                try:
                    section._views[view][index] = value
                except (IndexError, TypeError, ValueError):
                    self._write(section, value)  # raises what there is to say

            return set_

        def _read(self, section):
            return self.ctype.decode(section._memory(self.name), self.offset)

        def _write(self, section, value):
            memory = section._memory(self.name)
            if memory.readonly:
                raise _read_only(section, self.name)
            try:
                raw = self.ctype.encode(value)
            except (OverflowError, TypeError, ValueError) as error:
                raise placed(error, f"{section._name}.{self.name}") from None
            memory[self.offset : self.offset + len(raw)] = raw

    class Constant(Global):
        def _accessors(self):
            return super()._accessors()[0], self._refuse

        def _refuse(self, section, value):
            raise _read_only(section, self.name)
