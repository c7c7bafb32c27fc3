"""BTF types to Python types: which classes a module defines, and how each use of a type is written.

Two steps, because an expression can be written only when all names are known: `TypeTable` finds the
structs and enums that are reachable from the roots and names them; then `describe` writes uses of
types, and `structs` and `enums` the classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfType,
    Enum,
    Float,
    Int,
    Ptr,
    Struct,
    Typedef,
    Union,
    is_char,
)
from bpfgen_runtime.errors import BtfError

from .imports import Imports
from .layout import KERNEL_MANAGED, Layout, Slot, lay_out, managed
from .naming import STRUCT_ATTRIBUTES, Scope, cap_words, enumerator_names

__all__ = ["EnumClass", "Field", "PyType", "Root", "StructClass", "TypeTable"]

#: Of struct in struct: what nests deeper points in a circle, as no compiler lets it.
_DEPTH = 64


class Root(NamedTuple):
    """A type that the module must be able to express, and what to call it if C gives it no name."""

    type_id: int
    fallback: str


@dataclass(frozen=True)
class PyType:
    """How one use of a C type is written in Python.

    Attributes:
        annotation: the type of values read.
        accepts: the type of values that may be given; wider than `annotation` for text.
        ctype: the expression of its `CType`.
        default: the expression of the value that C's `{}` gives.
        note: why it is opaque bytes, "" if it is not.
        has_order: whether its bytes depend on the object's byte order, apart from what a struct
            class knows of its own.
    """

    annotation: str
    accepts: str
    ctype: str
    default: str
    note: str = ""
    has_order: bool = False


@dataclass(frozen=True)
class Field:
    """One field of a generated struct class.

    Attributes:
        default: the expression that the class body assigns.
        part: the type as which it is read in place, in a data section; "" if it never is.
    """

    name: str
    offset: int
    type: PyType
    default: str
    part: str


@dataclass(frozen=True)
class StructClass:
    """One struct or union to be written as a dataclass.

    Attributes:
        c_name: e.g. `struct exec_event`.
        base: the name by which its base class is imported.
        unions: offset and size of its anonymous unions.
        notes: comments on members that are no fields.
        inits: the constructor's signatures, parameters each, where the fields do not give it;
            several ones are overloads.
        view: the name of the class of its views in data sections, "" if it is in none.
        names: the names by which the class bodies use `object`, `overload`, `Part`, `View`.
    """

    name: str
    c_name: str
    size: int
    base: str
    fields: tuple[Field, ...]
    unions: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]
    inits: tuple[tuple[str, ...], ...]
    view: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class EnumClass:
    """One enum to be written as a CEnum; `members` are (name, value)."""

    name: str
    c_name: str
    members: tuple[tuple[str, int], ...]


class TypeTable:
    """The types of one object that its module expresses.

    Args:
        btf: the object's BTF.
        byte_order: the object's.
        roots: what must be expressed: keys, values, events, globals.
        taken: class names in use by the module.
        in_place: types of variables, which can be changed in part.
    """

    def __init__(
        self,
        btf: Btf,
        byte_order: str,
        roots: list[Root],
        taken: Set[str],
        in_place: Iterable[int] = (),
    ) -> None:
        self.btf = btf
        self.big_endian = byte_order == ">"
        self._c_names: dict[int, str] = {}
        self._layouts: dict[int, Layout] = {}
        raw: dict[int, str] = {}  # id of a struct or enum -> the name to make the class's name of
        for root in roots:
            self._collect(root.type_id, root.fallback, raw)
        scope = Scope(taken)
        # BTF's order decides who keeps a name that two want.
        self.names = {id: scope.add(cap_words(raw[id])) for id in sorted(raw)}
        viewed: set[int] = set()
        for type_id in in_place:
            self._view(type_id, viewed)
        self.views = {id: scope.add(f"{self.names[id]}View") for id in sorted(viewed)}

    def _view(self, type_id: int, viewed: set[int]) -> None:
        """Note the structs that can be seen in place within a variable of a type."""
        id, kind, _ = self._strip(type_id)
        while isinstance(kind, Array):
            id, kind, _ = self._strip(kind.type)
        if id in self._layouts and id not in viewed:
            viewed.add(id)
            for slot in self._layouts[id].slots:
                if slot.type_id is not None:
                    self._view(slot.type_id, viewed)

    def _collect(
        self, type_id: int, fallback: str, raw: dict[int, str], above: tuple[int, ...] = ()
    ) -> None:
        """Note the classes that a type needs, with the names to make theirs of.

        Args:
            above: the arrays and structs that contain this use of the type.
        """
        id, kind, typedef = self._strip(type_id)
        if id in above or len(above) > _DEPTH:
            raise BtfError(f"type {fallback!r} contains itself", section=".BTF")
        if isinstance(kind, Array):
            self._collect(kind.type, fallback, raw, (*above, id))
        elif id not in raw and self._is_class(kind):
            word = type(kind).__name__.lower().removesuffix("64")
            name = raw[id] = kind.name or typedef or fallback
            self._c_names[id] = f"{word} {kind.name}" if kind.name else typedef or f"{word} {{...}}"
            if isinstance(kind, Struct):
                self._layouts[id] = lay_out(self.btf, kind)
                for slot in self._layouts[id].slots:
                    if slot.type_id is not None:
                        self._collect(slot.type_id, f"{name}_{slot.name}", raw, (*above, id))

    def _strip(self, type_id: int) -> tuple[int, BtfType, str]:
        """Follow modifiers and typedefs; also give the last typedef's name."""
        typedef = ""
        id = type_id
        target = self.btf.resolve(type_id)
        while id != target:
            kind = self.btf.type(id)
            if isinstance(kind, Typedef):
                typedef = kind.name
            id = kind.type  # type: ignore[attr-defined]  # what resolve passes has one
        return id, self.btf.type(id), typedef

    @staticmethod
    def _is_class(kind: BtfType) -> bool:
        if isinstance(kind, Struct):
            return kind.name not in KERNEL_MANAGED
        # An enum without enumerators is only a declaration, and no Python enum.
        return isinstance(kind, Enum) and bool(kind.values)

    # Uses of types

    def describe(self, type_id: int, imports: Imports, hidden: Set[str] = frozenset()) -> PyType:
        """Write the use of a type on its own: a map's key or value, a global.

        Args:
            hidden: names of the members of the class in whose body the use stands.
        """
        use = self._describe(type_id, imports, hidden)
        if not (self.big_endian and use.has_order):
            return use
        return replace(use, ctype=f"{imports.name('be', hidden)}({use.ctype})")

    def _describe(self, type_id: int, imports: Imports, hidden: Set[str]) -> PyType:
        """Write the use of a type inside a struct, whose own byte order holds for its fields."""
        id, kind, _ = self._strip(type_id)
        if managed(self.btf, type_id):
            note = f"{self.btf.c_name(type_id)}, managed by the kernel: opaque bytes"
            return opaque(self.btf.size_of(type_id), note, imports, hidden)
        if isinstance(kind, Array):
            return self._array(kind, imports, hidden)
        if isinstance(kind, Struct) and self._is_class(kind):
            name = self.names[id]
            return PyType(name, name, name, f"{name}()")
        found = None
        if isinstance(kind, Int):
            if kind.is_bool and kind.size == 1:
                found = "bool", "bool8", "False"
            else:
                found = "int", _integer(kind.size, kind.is_signed), "0"
        elif isinstance(kind, Float):
            found = "float", {4: "f32", 8: "f64"}.get(kind.size, ""), "0.0"
        elif isinstance(kind, Ptr):
            address = imports.name("Address", hidden)
            accepts, ctype = imports.name("int", hidden), imports.name("pointer", hidden)
            return PyType(address, accepts, ctype, f"{address}(0)", has_order=True)
        elif isinstance(kind, Enum):
            found = "int", _integer(kind.size, self._is_signed(kind)), "0"
            if id in self.names and found[1]:
                name, storage = self.names[id], imports.name(found[1], hidden)
                ctype = f"{imports.name('enum_of', hidden)}({name}, {storage})"
                return PyType(name, name, ctype, f"{name}(0)", has_order=kind.size > 1)
        if found is None or not found[1]:
            note = f"{self.btf.c_name(type_id)} has no Python type: opaque bytes"
            return opaque(self.btf.size_of(id), note, imports, hidden)
        annotation, ctype = imports.name(found[0], hidden), imports.name(found[1], hidden)
        has_order = self.btf.size_of(id) > 1
        return PyType(annotation, annotation, ctype, found[2], has_order=has_order)

    def _bitfield(self, slot: Slot, imports: Imports, hidden: Set[str]) -> PyType:
        """Write a bitfield's type: an integer, a bool, or an enum, of fewer bits."""
        assert slot.type_id is not None
        id, kind, _ = self._strip(slot.type_id)
        is_signed = (
            self._is_signed(kind)
            if isinstance(kind, Enum)
            else isinstance(kind, Int) and kind.is_signed
        )
        # Of the type that stores it only the sign has a meaning; 0 stands for sizes of no C type.
        storage = _integer(getattr(kind, "size", 0), is_signed) or ("i64" if is_signed else "u64")
        annotation, element, default = "int", imports.name(storage, hidden), "0"
        if isinstance(kind, Int) and kind.is_bool:
            annotation, element, default = "bool", imports.name("bool8", hidden), "False"
        if id in self.names:
            annotation, default = self.names[id], f"{self.names[id]}(0)"
            element = f"{imports.name('enum_of', hidden)}({annotation}, {element})"
        else:
            annotation = imports.name(annotation, hidden)
        ctype = f"{imports.name('bits', hidden)}({element}, {slot.shift}, {slot.width})"
        return PyType(annotation, annotation, ctype, default)

    def _array(self, kind: Array, imports: Imports, hidden: Set[str]) -> PyType:
        element = self.btf.type(self.btf.resolve(kind.type))
        if is_char(element):
            text = imports.name("CharArray", hidden)
            accepts = f"{text} | {imports.name('str', hidden)} | {imports.name('bytes', hidden)}"
            ctype = f"{imports.name('char_array', hidden)}({kind.nelems})"
            return PyType(text, accepts, ctype, f"{text}()")
        if isinstance(element, Int) and element.name == "unsigned char":
            return _bytes("byte_array", kind.nelems, "", imports, hidden)
        inner = self._describe(kind.type, imports, hidden)
        if inner.note:
            size = self.btf.size_of(kind.type) * kind.nelems
            return opaque(size, inner.note, imports, hidden)
        as_tuple = imports.name("tuple", hidden)
        return PyType(
            f"{as_tuple}[{inner.annotation}, ...]",
            f"{as_tuple}[{inner.annotation}, ...]",
            f"{imports.name('array', hidden)}({inner.ctype}, {kind.nelems})",
            f"({inner.default},) * {kind.nelems}",
            has_order=inner.has_order,
        )

    def part(self, type_id: int, imports: Imports, hidden: Set[str]) -> str:
        """Write the type as which a variable, or a part of one, is read in place."""
        id, kind, _ = self._strip(type_id)
        use = self._describe(type_id, imports, hidden)
        if use.annotation == imports.name("bytes", hidden):
            number = imports.name("int", hidden)
            return f"{imports.name('Items', hidden)}[{number}, {number}]"
        if isinstance(kind, Array) and use.annotation.startswith(imports.name("tuple", hidden)):
            inner = self._describe(kind.type, imports, hidden)
            part = self.part(kind.type, imports, hidden)
            return f"{imports.name('Items', hidden)}[{part}, {inner.annotation}]"
        return self.views.get(id, use.annotation)

    def _is_signed(self, kind: Enum) -> bool:
        """Tell whether an enum has negative enumerators.

        Compilers before LLVM 16 do not say (no kind_flag), and their BTF has 0xffffffff for -1. It
        is taken for -1, as it mostly is, unless the object tells signs elsewhere.
        """
        if kind.signed or kind.size > 4:
            return kind.signed
        most = max((one.value for one in kind.values), default=0)
        if kind.size < 4:
            return most >= 1 << kind.size * 8
        if most < 0xFFFF0000:
            return False
        return not any(isinstance(each, Enum) and each.signed for _, each in self.btf.types())

    # Classes

    def enums(self) -> list[EnumClass]:
        """Give the enums to define, in BTF's order."""
        found = []
        for id in sorted(self.names):
            kind = self.btf.type(id)
            if isinstance(kind, Enum):
                names = enumerator_names([one.name for one in kind.values])
                wrap = 1 << 32 if self._is_signed(kind) and not kind.signed else 0
                members = tuple(
                    (names[one.name], one.value - (wrap if one.value >= 1 << 31 else 0))
                    for one in kind.values
                )
                found.append(EnumClass(self.names[id], self._c_names[id], members))
        return found

    def structs(self, imports: Imports) -> list[StructClass]:
        """Give the structs to define: in BTF's order, except that parts come before the whole."""
        found: dict[int, StructClass] = {}

        def visit(id: int) -> None:
            kind = self.btf.type(id)
            if id in found or not isinstance(kind, Struct):
                return
            for slot in self._layouts[id].slots:
                if slot.type_id is None:
                    continue
                part, inner, _ = self._strip(slot.type_id)
                while isinstance(inner, Array):
                    part, inner, _ = self._strip(inner.type)
                if part in self.names:
                    visit(part)
            found[id] = self._struct(id, imports)

        for id in sorted(self.names):
            visit(id)
        return list(found.values())

    def _struct(self, id: int, imports: Imports) -> StructClass:
        kind = self.btf.type(id)
        assert isinstance(kind, Struct)
        layout = self._layouts[id]
        stored = {f"_union_{offset}" for offset, _ in layout.unions}
        own = {*self.names.values(), *self.views.values()}
        names = self._field_names(layout, STRUCT_ATTRIBUTES | own | stored)
        hidden = frozenset(names.values())
        fields = {}
        for place, name in names.items():
            slot = layout.slots[place]
            assert slot.type_id is not None
            if slot.width:
                use = self._bitfield(slot, imports, hidden)
            else:
                use = self._describe(slot.type_id, imports, hidden)
            default = use.default
            if slot.union is not None:
                default = f"{imports.name('field', hidden)}(default={default}, kw_only=True)"
            part = ""
            if id in self.views:
                part = use.annotation if slot.width else self.part(slot.type_id, imports, hidden)
            fields[place] = Field(name, slot.offset, use, default, part)
        is_union = isinstance(kind, Union)
        inits = _signatures(layout, fields)
        wanted = [
            *(("object", "overload") if len(inits) > 1 else ()),
            *(("Part", "View") if id in self.views else ()),
        ]
        return StructClass(
            self.names[id],
            self._c_names[id],
            kind.size,
            imports.name("Union" if is_union else "Struct"),
            tuple(fields.values()),
            () if is_union else layout.unions,
            tuple(slot.note for slot in layout.slots if slot.note),
            inits,
            self.views.get(id, ""),
            {name: imports.name(name, hidden) for name in wanted},
        )

    @staticmethod
    def _field_names(layout: Layout, reserved: Set[str]) -> dict[int, str]:
        """Name the fields: place in `slots` to attribute."""
        places = [place for place, slot in enumerate(layout.slots) if slot.type_id is not None]
        c_names = [layout.slots[place].name for place in places]
        attributes = Scope.members(dict.fromkeys(c_names), reserved)
        scope = Scope(attributes.values())
        names: dict[int, str] = {}
        for place, c_name in zip(places, c_names, strict=True):
            # Twice the same name, as only anonymous members of no compiler's making have it.
            name = attributes[c_name]
            names[place] = scope.add(name) if name in names.values() else name
        return names


def _signatures(layout: Layout, fields: Mapping[int, Field]) -> tuple[tuple[str, ...], ...]:
    """Write the parameters of a constructor that the fields alone do not give."""
    unions = {place for place in fields if layout.slots[place].union is not None}
    if not unions and all(f.type.accepts == f.type.annotation for f in fields.values()):
        return ()

    def parameter(place: int) -> str:
        return f"{fields[place].name}: {fields[place].type.accepts} = ..."

    this = "self"
    while any(field.name == this for field in fields.values()):
        this = f"_{this}"
    common = [this, *(parameter(place) for place in fields if place not in unions)]
    return tuple(
        (*common, *(["*"] if way else []), *(parameter(place) for place in way if place in fields))
        for way in layout.ways
    )


def opaque(size: int, note: str, imports: Imports, hidden: Set[str] = frozenset()) -> PyType:
    """Write `size` bytes whose meaning is not expressed, and why."""
    return _bytes("opaque", size, note, imports, hidden)


def _bytes(factory: str, size: int, note: str, imports: Imports, hidden: Set[str]) -> PyType:
    as_bytes = imports.name("bytes", hidden)
    ctype = f"{imports.name(factory, hidden)}({size})"
    return PyType(as_bytes, as_bytes, ctype, f"{as_bytes}({size})", note)


def _integer(size: int, signed: bool) -> str:
    """Name the CType of an integer, "" if there is none of that size."""
    return f"{'i' if signed else 'u'}{size * 8}" if size in (1, 2, 4, 8, 16) else ""
