"""Global variables: typed attributes over the bytes of a data section."""

from __future__ import annotations

from sys import byteorder

from ..errors import ClosedError
from .ctype import Array, Bytes, Chars, Scalar, as_ctype, byte_array, char_array, placed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Generic, TypeVar, overload

    from typing_extensions import Buffer

    from ..spec import MapSpec
    from .ctype import CType
    from .text import CharArray

    T = TypeVar("T")

__all__ = ["Constant", "DataSection", "Global"]

_HOST_ORDER = "<" if byteorder == "little" else ">"
_CODES = "BbHhIiQqfd"
_SIZES = (1, 1, 2, 2, 4, 4, 8, 8, 4, 8)


class DataSection:
    """The variables of one section of the object, such as `.bss`.

    Subclasses declare them as `Global` or `Constant`. A number is read and written by one access
    of its size, so that it is whole even while programs use it; anything larger is copied and may
    be torn.

    `at` has the structs and arrays in place, for assignments to a part of one. Where the memory is
    not of `SIZE` bytes, the section was resized, and its last variable, if an array, is as long as
    there is room.

    Args:
        buffer: the section's memory: a `bytearray` before load, the section's `mmap` after.
        name: what messages call the section; the class's name if not given.
    """

    __slots__ = ("_buffer", "_name", "_spec", "_views")

    #: Bytes, by the object; None where it says nothing of resizing.
    SIZE: ClassVar[int | None] = None

    _variables: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        # In place of each declaration a plain property, whose access costs least: CPython runs
        # its function without a call of `__get__` in Python and, since 3.12, without a call at
        # all.
        own = {
            name: value for name, value in cls.__dict__.items() if isinstance(value, _Declaration)
        }
        for name, variable in own.items():
            setattr(cls, name, property(*variable.accessors(name)))
        cls._variables = {**cls._variables, **own}
        if cls.SIZE is not None and own:
            last = max(own, key=lambda name: own[name].offset)
            if isinstance(own[last].ctype, (Array, Bytes, Chars)):
                setattr(cls, last, property(*own[last].resizable(last)))

    def __init__(self, buffer: Buffer, *, name: str = "") -> None:
        self._name = name or type(self).__name__
        self._spec: MapSpec | None = None  # the open skeleton's
        self._show(buffer)

    def _show(self, buffer: Buffer) -> None:
        """Be about other memory from now on."""
        view = memoryview(buffer).cast("B")
        self._buffer: memoryview | None = view
        # What is shorter than one number cannot be cast, and needs not be.
        self._views: tuple[memoryview, ...] = tuple(
            [
                view[: len(view) // size * size].cast(code) if len(view) >= size else view[:0]  # type: ignore[call-overload]
                for code, size in zip(_CODES, _SIZES, strict=True)
            ]
        )

    def close(self) -> None:
        """Let go of the memory, so that it can be unmapped; later accesses raise ClosedError."""
        self._views = ()
        self._buffer = None

    def resize(self, length: int) -> None:
        """Give the last variable, if it is an array, `length` elements; before load.

        Elements that remain keep their values, new ones are zero.

        Raises:
            ClosedError: the skeleton was loaded.
            TypeError: the section's last variable is no array.
        """
        if self.SIZE is None:
            raise TypeError(f"{self._name}: its last variable is no array: it cannot be resized")
        if self._spec is None or self._buffer is None:
            raise ClosedError(f"{self._name}: sections are resized before load, while open")
        last = max(self._variables.values(), key=lambda variable: variable.offset)
        element = last.ctype.element.size if isinstance(last.ctype, Array) else 1
        self._spec.value_size = last.offset + length * element

    def _memory(self, what: str) -> memoryview:
        if self._buffer is None:
            raise ClosedError(
                f"{self._name}.{what}: the section is closed; its skeleton was loaded or destroyed"
            )
        return self._buffer

    def _writable(self, what: str) -> memoryview:
        memory = self._memory(what)
        if memory.readonly:
            raise _read_only(self, what)
        return memory

    def _ctype_of(self, name: str) -> CType[Any]:
        """Return a variable's type, which for the last one of a resized section is longer."""
        variable = self._variables[name]
        ctype: CType[Any] = variable.ctype
        size = len(self._memory(name))
        if self.SIZE in (None, size) or variable.offset != self._last_offset():
            return ctype
        room = size - variable.offset
        if isinstance(ctype, Array):
            return Array(ctype.element, room // (ctype.element.size or 1), ctype.order)
        if isinstance(ctype, Bytes):
            return byte_array(room)
        return char_array(room) if isinstance(ctype, Chars) else ctype

    def _last_offset(self) -> int:
        offsets: list[int] = [variable.offset for variable in self._variables.values()]
        return max(offsets)

    def _read_number(self, what: str, ctype: Scalar[Any], offset: int) -> Any:
        """Read a number by one access, if it is where one access can reach it."""
        if offset % ctype.size or (ctype.order or "<") != _HOST_ORDER or ctype.code == "?":
            return ctype.decode(self._memory(what), offset)
        self._memory(what)
        value = self._views[_CODES.index(ctype.code)][offset // ctype.size]
        return value if ctype.wrap is None else ctype.wrap(value)

    def _write(self, what: str, ctype: CType[Any], offset: int, value: Any) -> None:
        """Write the bytes of one value, a number by one access."""
        memory = self._writable(what)
        try:
            raw = ctype.encode(value)
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"{self._name}.{what}") from None
        if isinstance(ctype, Scalar) and offset % ctype.size == 0:
            view = self._views[_CODES.index("BHIQ"[ctype.size.bit_length() - 1])]
            view[offset // ctype.size] = int.from_bytes(raw, byteorder)
        else:
            memory[offset : offset + len(raw)] = raw

    if not TYPE_CHECKING:  # each generated class says which parts it has

        @property
        def at(self):
            """The structs and arrays in place."""
            from .view import parts_of

            return parts_of(self)

    def __repr__(self) -> str:
        if self._buffer is None:
            return f"<{self._name}, closed>"
        values = [f"{name}={getattr(self, name)!r}" for name in self._variables]
        return f"{self._name}({', '.join(values)})"


class _Declaration:
    """Where a variable is and what it is; becomes a property of its class."""

    __slots__ = ("ctype", "offset")

    def __init__(self, ctype: Any, offset: int) -> None:
        self.ctype = as_ctype(ctype)
        self.offset = offset

    def accessors(self, name: str) -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
        """Return functions that read and write the variable of a section."""
        ctype, offset = self.ctype, self.offset
        read, write = _whole(name, ctype, offset)
        if (
            not isinstance(ctype, Scalar)
            or offset % ctype.size
            or (ctype.order or "<") != _HOST_ORDER
        ):
            return read, write
        # A bool is read as its byte: a view of bools is undefined where one is neither 0 nor 1.
        code, wrap = ("B", bool) if ctype.code == "?" else (ctype.code, ctype.wrap)
        view, index = _CODES.index(code), offset // ctype.size

        def get(section: DataSection) -> Any:
            try:
                return section._views[view][index]
            except IndexError:
                return read(section)  # raises what there is to say

        def set_(section: DataSection, value: Any) -> None:
            try:
                section._views[view][index] = value
            except (IndexError, TypeError, ValueError):
                write(section, value)  # raises what there is to say

        # Views accept numbers too large for `float`, and any int for a bool.
        setter = write if ctype.code in "f?" else set_
        return get if wrap is None else _compose(wrap, get), setter

    def resizable(self, name: str) -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
        """Return the same for the last variable, whose length goes by the section's."""
        offset = self.offset

        def read(section: DataSection) -> Any:
            return section._ctype_of(name).decode(section._memory(name), offset)

        def write(section: DataSection, value: Any) -> None:
            section._write(name, section._ctype_of(name), offset, value)

        return read, write


def _compose(outer: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda argument: outer(inner(argument))


def _whole(
    name: str, ctype: CType[Any], offset: int
) -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
    """Return functions that read and write any variable, as a copy of its bytes."""

    def read(section: DataSection) -> Any:
        return ctype.decode(section._memory(name), offset)

    def write(section: DataSection, value: Any) -> None:
        section._write(name, ctype, offset, value)

    return read, write


def _refuser(name: str) -> Callable[[Any, Any], None]:
    def refuse(section: DataSection, value: object) -> None:
        raise _read_only(section, name)

    return refuse


def _read_only(section: DataSection, name: str) -> AttributeError:
    return AttributeError(
        f"{section._name}.{name} is a constant: constants are set before load, on the rodata"
        " of the open skeleton"
    )


if TYPE_CHECKING:

    class _Variable(Generic[T]):
        def __init__(self, ctype: CType[T] | type[T], offset: int) -> None: ...
        def __get__(self, instance: DataSection, owner: type) -> T: ...

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

    class Global(_Declaration):
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))

    class Constant(Global):
        __slots__ = ()

        def accessors(self, name):
            return super().accessors(name)[0], _refuser(name)

        def resizable(self, name):
            return super().resizable(name)[0], _refuser(name)
