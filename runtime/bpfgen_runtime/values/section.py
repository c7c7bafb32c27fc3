"""Global variables: typed attributes over the bytes of a data section."""

from __future__ import annotations

from sys import byteorder

from ..errors import ClosedError
from .ctype import Scalar, as_ctype, placed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Generic, TypeVar, overload

    from typing_extensions import Buffer

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

    Args:
        buffer: the section's memory: a `bytearray` before load, the section's `mmap` after.
        name: what messages call the section; the class's name if not given.
    """

    __slots__ = ("_buffer", "_name", "_views")

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

    def __init__(self, buffer: Buffer, *, name: str = "") -> None:
        self._name = name or type(self).__name__
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

    def _memory(self, what: str) -> memoryview:
        if self._buffer is None:
            raise ClosedError(
                f"{self._name}.{what}: the section is closed; its skeleton was loaded or destroyed"
            )
        return self._buffer

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


def _compose(outer: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda argument: outer(inner(argument))


def _whole(
    name: str, ctype: CType[Any], offset: int
) -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
    """Return functions that read and write any variable, as a copy of its bytes."""

    def read(section: DataSection) -> Any:
        return ctype.decode(section._memory(name), offset)

    def write(section: DataSection, value: Any) -> None:
        memory = section._memory(name)
        if memory.readonly:
            raise _read_only(section, name)
        try:
            raw = ctype.encode(value)
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"{section._name}.{name}") from None
        memory[offset : offset + len(raw)] = raw

    return read, write


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
            def refuse(section, value):
                raise _read_only(section, name)

            return super().accessors(name)[0], refuse
