"""Parts of global variables in place: a struct's member, an array's element.

`skel.bss.stats` is a copy; `skel.bss.at.stats` is a view of the memory, in which an assignment
writes the bytes of that part and no others.
"""

from __future__ import annotations

from .ctype import Array, Bits, Bytes, Scalar, StructType, in_order, placed, u8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Generic, TypeVar

    from .ctype import CType
    from .section import DataSection

    T = TypeVar("T")
    G = TypeVar("G")
    S = TypeVar("S")

    class _View(Generic[T]):
        __slots__ = ()

    class _Items(Generic[G, S]):
        __slots__ = ()

    class Part(Generic[G, S]):
        """A member of a view: read as `G`, assigned an `S`."""

        def __get__(self, instance: Parts | View[Any], owner: type) -> G: ...
        def __set__(self, instance: Parts | View[Any], value: S) -> None: ...

else:

    class _View:
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))

    class _Items(_View):
        __slots__ = ()

    class Part(_View):
        __slots__ = ()


__all__ = ["Items", "Part", "Parts", "View", "parts_of"]


class Parts:
    """The structs and arrays of a section, in place: `skel.bss.at`."""

    __slots__ = ("_section_",)

    _section_: DataSection

    def __repr__(self) -> str:
        return f"<parts of {self._section_._name}>"

    if not TYPE_CHECKING:  # to whom it would say that any name can be assigned

        def __setattr__(self, name, value):
            _set_known(self, name, value)


class View(_View["T"]):
    """A struct or union in place; call it for a copy as a value.

    A number is read and written by one access of its size, so that it is whole even while programs
    use it. `+=` is a read and a write, between which a program may have written. Bitfields share
    bytes with their neighbours: to assign one is to read these bytes and to write them.
    """

    __slots__ = ("_offset_", "_path_", "_section_")

    _ctype: CType[Any]
    _section_: DataSection
    _offset_: int
    _path_: str

    def __call__(self) -> T:
        value: T = self._ctype.decode(self._section_._memory(self._path_), self._offset_)
        return value

    def __repr__(self) -> str:
        return f"<{self._section_._name}.{self._path_}: {self()!r}>"

    if not TYPE_CHECKING:  # to whom it would say that any name can be assigned

        def __setattr__(self, name, value):
            _set_known(self, name, value)


def _set_known(view: Parts | View[Any], name: str, value: object) -> None:
    """Assign what the class has; any other name is a misspelt member."""
    if not hasattr(type(view), name):
        raise AttributeError(f"{type(view).__name__} has no member {name!r}")
    object.__setattr__(view, name, value)


class Items(_Items["G", "S"]):
    """An array in place: elements are read as `G`, assigned an `S`; call it for a copy."""

    __slots__ = ("_ctype", "_offset", "_path", "_section")

    def __init__(self, section: DataSection, path: str, ctype: Array[Any], offset: int) -> None:
        self._section = section
        self._path = path
        self._ctype = ctype
        self._offset = offset

    def __len__(self) -> int:
        return self._ctype.length

    def _place(self, index: int) -> tuple[CType[Any], int, str]:
        ctype = self._ctype
        at = index.__index__()
        if at < 0:
            at += ctype.length
        if not 0 <= at < ctype.length:
            raise IndexError(
                f"{self._section._name}.{self._path}[{index}]: there are {ctype.length} elements"
            )
        element = in_order(ctype.element, ctype.order)
        return element, self._offset + at * element.size, f"{self._path}[{at}]"

    def __getitem__(self, index: int) -> G:
        element, offset, path = self._place(index)
        value: G = read_part(self._section, path, element, offset)
        return value

    def __setitem__(self, index: int, value: S) -> None:
        element, offset, path = self._place(index)
        write_part(self._section, path, element, offset, value)

    def __iter__(self) -> Iterator[G]:
        for index in range(self._ctype.length):
            yield self[index]

    def __call__(self) -> tuple[S, ...]:
        value: tuple[S, ...] = self._ctype.decode(self._section._memory(self._path), self._offset)
        return value

    def __repr__(self) -> str:
        return f"<{self._section._name}.{self._path}: {self()!r}>"


def read_part(section: DataSection, path: str, ctype: CType[Any], offset: int) -> Any:
    """Read a scalar or text; of a struct or an array, give a view."""
    if isinstance(ctype, Scalar):
        return section._read_number(path, ctype, offset)
    if isinstance(ctype, StructType):
        view = object.__new__(_view_class(ctype))
        set_ = object.__setattr__
        set_(view, "_section_", section)
        set_(view, "_offset_", offset)
        set_(view, "_path_", path)
        return view
    if isinstance(ctype, Bytes):
        ctype = Array(u8, ctype.size)
    if isinstance(ctype, Array):
        items: Items[Any, Any] = Items(section, path, ctype, offset)
        return items
    return ctype.decode(section._memory(path), offset)


def write_part(section: DataSection, path: str, ctype: CType[Any], offset: int, value: Any) -> None:
    """Write the bytes of one part."""
    if not isinstance(ctype, Bits):
        section._write(path, ctype, offset, value)
        return
    memory = section._writable(path)
    try:
        ctype.store(memory, offset, value)
    except (OverflowError, TypeError, ValueError) as error:
        raise placed(error, f"{section._name}.{path}") from None


def _member(name: str, ctype: CType[Any], offset: int) -> property:
    def get(view: View[Any]) -> Any:
        return read_part(view._section_, f"{view._path_}.{name}", ctype, view._offset_ + offset)

    def set_(view: View[Any], value: Any) -> None:
        path = f"{view._path_}.{name}"
        write_part(view._section_, path, ctype, view._offset_ + offset, value)

    return property(get, set_)


_VIEWS: dict[type[Any], type[View[Any]]] = {}


def _view_class(ctype: StructType[Any]) -> type[View[Any]]:
    """Return the class of views of a struct, made at first use."""
    struct = ctype.struct
    found = _VIEWS.get(struct)
    if found is None:
        members: dict[str, Any] = {
            name: _member(name, in_order(entry, struct.BYTE_ORDER), offset)
            for name, offset, entry in struct.LAYOUT
            if name in struct._shown and name not in View.__slots__
        }
        members |= {"__slots__": (), "_ctype": ctype}
        found = _VIEWS[struct] = type(f"{struct.__name__}View", (View,), members)
    return found


_PARTS: dict[type[Any], type[Parts]] = {}


def parts_of(section: DataSection) -> Parts:
    """Return the structs and arrays of a section in place."""
    cls = type(section)
    found = _PARTS.get(cls)
    if found is None:
        members: dict[str, Any] = {"__slots__": ()}
        for name, variable in cls._variables.items():
            if isinstance(variable.ctype, (Array, Bytes, StructType)) and name != "_section_":
                members[name] = _variable(name, variable.offset)
        found = _PARTS[cls] = type(f"{cls.__name__}Parts", (Parts,), members)
    parts = object.__new__(found)
    object.__setattr__(parts, "_section_", section)
    return parts


def _variable(name: str, offset: int) -> property:
    def get(parts: Parts) -> Any:
        section = parts._section_
        return read_part(section, name, section._ctype_of(name), offset)

    def set_(parts: Parts, value: Any) -> None:
        setattr(parts._section_, name, value)

    return property(get, set_)
