"""Types of an object's DWARF as BTF, for what BTF lacks: types that only local variables use."""

from __future__ import annotations

from collections.abc import Iterator

from bpfgen_runtime.btf import (
    BTF_INT_BOOL,
    BTF_INT_SIGNED,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FWD,
    BTF_KIND_STRUCT,
    BTF_KIND_UNION,
    Array,
    Btf,
    BtfType,
    Const,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Fwd,
    Int,
    Member,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    Union,
    Volatile,
)
from bpfgen_runtime.elf.dwarf import Die
from bpfgen_runtime.errors import BtfError

__all__ = ["DwarfTypes"]

_ATE_BOOLEAN, _ATE_FLOAT, _ATE_SIGNED, _ATE_SIGNED_CHAR = 2, 4, 5, 6

_MODIFIERS = {
    "const_type": Const,
    "volatile_type": Volatile,
    "restrict_type": Restrict,
    "atomic_type": None,
    "pointer_type": Ptr,
}
_AGGREGATES = {"structure_type": "struct", "union_type": "union", "class_type": "struct"}
#: C's words before a name, and what has such names; "" stands for names without one.
_WORDS = {
    "struct": ("structure_type",),
    "union": ("union_type",),
    "enum": ("enumeration_type",),
    "": ("structure_type", "typedef", "enumeration_type", "base_type"),
}
_DEPTH = 64
_U32 = 0xFFFFFFFF

#: The largest array whose size makes sense; beyond it the entry is damaged.
_MAX_ELEMENTS = (1 << 32) - 1


class DwarfTypes:
    """The types in an object's debug information, converted to BTF as they are asked for.

    A type that the BTF has, too, is taken from there, so that both are one class in Python.

    Args:
        btf: the object's; converted types get the ids after its last.
        units: see `read_dwarf`.
    """

    def __init__(self, btf: Btf, units: list[Die]) -> None:
        self._btf = btf
        self.units = units
        self.dies = {die.offset: die for unit in units for die in unit.walk()}
        self._types: list[BtfType] = []
        self._ids: dict[int, int] = {}
        self._open: set[int] = set()
        self._equal: dict[BtfType, int] = {}

    def extended(self) -> Btf:
        """Return the BTF with all that was converted."""
        return self._btf.extend(self._types) if self._types else self._btf

    def find(self, word: str, name: str) -> list[Die]:
        """Find defined types by their C name: `word` is "struct", "union", "enum" or ""."""
        return [
            die
            for die in self.dies.values()
            if die.tag in _WORDS.get(word, ())
            and die.get("name") == name
            and not die.get("declaration")
        ]

    def structs(self) -> Iterator[Die]:
        """Yield the structs that are defined and have a name, a typedef's or their own."""
        for die in self.dies.values():
            if die.tag == "structure_type" and die.get("name") and not die.get("declaration"):
                yield die
            elif die.tag == "typedef":
                target = self.dies.get(die.get("type") or -1)
                if target is not None and target.tag == "structure_type" and not target.get("name"):
                    yield die

    def strip(self, offset: int | None) -> Die | None:
        """Follow modifiers and typedefs; None for void and what is not there."""
        for _ in range(_DEPTH):
            die = self.dies.get(-1 if offset is None else offset)
            if die is None or (die.tag != "typedef" and _MODIFIERS.get(die.tag, Ptr) is Ptr):
                return die
            offset = die.get("type")
        return None

    def size(self, offset: int | None) -> int | None:
        """Return a type's size in bytes, None if it has none."""
        die = self.strip(offset)
        if die is None:
            return None
        if die.tag == "pointer_type":
            return 8
        if die.tag == "array_type":
            size = self.size(die.get("type"))
            for count in self._counts(die):
                size = None if size is None else size * count
            return size
        found = die.get("byte_size")
        return found if isinstance(found, int) and not die.get("declaration") else None

    def convert(self, offset: int | None) -> int:
        """Return the id of a type in `extended()`.

        Raises:
            BtfError: the entry is damaged, or of a kind that BTF has not.
        """
        if offset is None:
            return 0
        known = self._ids.get(offset)
        if known is not None:
            return known
        die = self.dies.get(offset)
        if die is None:
            raise _damaged(f"no type at {offset:#x}")
        if offset in self._open or len(self._open) > _DEPTH:
            raise _damaged(f"type {die.get('name')!r} contains itself")
        self._open.add(offset)
        try:
            made = self._convert(die)
        finally:
            self._open.discard(offset)
        id = made if isinstance(made, int) else self._add(made)
        self._ids[offset] = id
        return id

    def _add(self, made: BtfType) -> int:
        existing = self._existing(made)
        if existing is not None:
            return existing
        id = self._equal.get(made)
        if id is None:
            self._types.append(made)
            id = self._equal[made] = len(self._btf) + len(self._types) - 1
        return id

    def _existing(self, made: BtfType) -> int | None:
        """Find the same type in the BTF; parts were found before the whole."""
        if not made.name:
            return None
        for id in self._btf.find(made.name, made.kind):
            if self._same(self._btf.type(id), made):
                return id
        return None

    def _same(self, theirs: BtfType, made: BtfType) -> bool:
        if isinstance(made, Struct) and isinstance(theirs, Struct):
            if theirs.size != made.size or len(theirs.members) != len(made.members):
                return False
            return all(
                a.name == b.name
                and a.bit_offset == b.bit_offset
                and a.bitfield_size == b.bitfield_size
                and self._same_use(a.type, b.type)
                for a, b in zip(theirs.members, made.members, strict=True)
            )
        if isinstance(made, Enum) and isinstance(theirs, Enum):
            return _same_enum(theirs, made)
        if isinstance(made, Typedef) and isinstance(theirs, Typedef):
            return self._same_use(theirs.type, made.type)
        return theirs == made

    def _same_use(self, theirs: int, made: int, depth: int = 0) -> bool:
        """Tell whether two uses of types are the same; what pointers point to does not matter."""
        if theirs == made:
            return True
        if depth > _DEPTH:
            return False
        a, b = self._btf.type(theirs), self._type(made)
        if type(a) is not type(b):
            return False
        if isinstance(a, Ptr):
            return True
        if isinstance(a, Array) and isinstance(b, Array):
            return a.nelems == b.nelems and self._same_use(a.type, b.type, depth + 1)
        if isinstance(a, (Const, Volatile, Restrict)) and isinstance(
            b, (Const, Volatile, Restrict)
        ):
            return self._same_use(a.type, b.type, depth + 1)
        if isinstance(a, Struct) and not a.name and not b.name:
            return self._same(a, b)
        if isinstance(a, Enum) and not a.name and not b.name:
            return self._same(a, b)
        return False  # named ones would have the same id

    def _type(self, id: int) -> BtfType:
        own = id - len(self._btf)
        return self._types[own] if own >= 0 else self._btf.type(id)

    def _convert(self, die: Die) -> BtfType | int:
        tag, name = die.tag, _text(die.get("name"))
        if tag == "base_type":
            return _base_type(die, name)
        if tag in _AGGREGATES:
            if die.get("declaration"):
                return Fwd(name, tag == "union_type")
            return self._aggregate(die, name)
        if tag == "enumeration_type":
            return self._enum(die, name)
        if tag == "typedef":
            return Typedef(name, self.convert(die.get("type")))
        if tag == "array_type":
            return self._array(die)
        if tag == "pointer_type":
            return Ptr(self._pointee(die.get("type")))
        if tag in _MODIFIERS:
            make = _MODIFIERS[tag]
            inner = self.convert(die.get("type"))
            return inner if make is None else make(inner)
        if tag in ("unspecified_type", "subroutine_type"):
            return 0
        raise _damaged(f"{name or 'a type'!r} is a {tag}, which BTF cannot express")

    def _pointee(self, offset: int | None) -> int:
        """Convert what a pointer points to: of structs only the name, which ends all circles."""
        die = self.strip(offset)
        if die is None or die.tag not in (*_AGGREGATES, "base_type"):
            return 0
        if die.tag == "base_type":
            return self.convert(offset)
        name = _text(die.get("name"))
        if not name:
            return 0
        is_union = die.tag == "union_type"
        for kind in (BTF_KIND_UNION if is_union else BTF_KIND_STRUCT, BTF_KIND_FWD):
            for id in self._btf.find(name, kind):
                return id
        return self._add(Fwd(name, is_union))

    def _aggregate(self, die: Die, name: str) -> BtfType:
        size = die.get("byte_size")
        if not isinstance(size, int) or size < 0:
            raise _damaged(f"{die.tag} {name!r} has no size")
        members = [self._member(one, name) for one in die.children if one.tag == "member"]
        members = [one for one in members if one is not None]
        make = Union if die.tag == "union_type" else Struct
        return make(name, size, [one for one in members if one is not None])

    def _member(self, die: Die, where: str) -> Member | None:
        name = _text(die.get("name"))
        type_id = self.convert(die.get("type"))
        width = die.get("bit_size")
        start = die.get("data_member_location") or 0
        if not isinstance(start, int):
            raise _damaged(f"member {name!r} of {where!r} has no fixed place")
        if width is None:
            return Member(name, type_id, 8 * start)
        place = die.get("data_bit_offset")
        if place is None:
            # As of DWARF 3: bits from the storage's most significant end.
            storage = die.get("byte_size") or self.size(die.get("type")) or 0
            from_end = die.get("bit_offset") or 0
            if self._btf.byte_order == "<":
                place = 8 * start + 8 * storage - from_end - width
            else:
                place = 8 * start + from_end
        if not 0 <= width <= 128 or place < 0:
            raise _damaged(f"bitfield {name!r} of {where!r} is of no sensible size or place")
        if width == 0:
            return None  # only aligns what follows it
        return Member(name, type_id, place, width)

    def _counts(self, die: Die) -> Iterator[int]:
        for one in die.children:
            if one.tag != "subrange_type":
                continue
            count, upper = one.get("count"), one.get("upper_bound")
            if count is None and isinstance(upper, int):
                # -1, in whatever width, is that of an array without a length.
                count = 0 if upper in (0xFFFFFFFF, (1 << 64) - 1) else upper + 1
            count = 0 if count is None else count
            if not isinstance(count, int) or not 0 <= count <= _MAX_ELEMENTS:
                raise _damaged(f"an array of {count} elements")
            yield count

    def _array(self, die: Die) -> BtfType | int:
        id = self.convert(die.get("type"))
        index = self._add(Int("__ARRAY_SIZE_TYPE__", 4))
        counts = list(self._counts(die)) or [0]
        for count in reversed(counts[1:]):
            id = self._add(Array(id, index, count))
        return Array(id, index, counts[0])

    def _enum(self, die: Die, name: str) -> BtfType | int:
        size = die.get("byte_size") or self.size(die.get("type")) or 4
        if die.get("declaration"):
            return Enum(name, 4)
        values = [
            Enumerator(_text(one.get("name")), value)
            for one in die.children
            if one.tag == "enumerator" and isinstance(value := one.get("const_value"), int)
        ]
        base = self.strip(die.get("type"))
        signed = any(one.value < 0 for one in values) or (
            base is not None and base.get("encoding") in (_ATE_SIGNED, _ATE_SIGNED_CHAR)
        )
        wide = size == 8 or any(not -(1 << 31) <= one.value < 1 << 32 for one in values)
        if size not in (1, 2, 4, 8):
            raise _damaged(f"enum {name!r} of {size} bytes")
        for kind in (BTF_KIND_ENUM, BTF_KIND_ENUM64):
            for id in self._btf.find(name, kind) if name else ():
                theirs = self._btf.type(id)
                assert isinstance(theirs, Enum)
                if _same_enum(theirs, Enum(name, size, values)):
                    return id
        return (Enum64 if wide else Enum)(name, size, values, signed)


def _same_enum(theirs: Enum, made: Enum) -> bool:
    """Compare enums; compilers before 2022 put 32 bits of each value into BTF, without a sign."""
    return theirs.size == made.size and [(one.name, one.value & _U32) for one in theirs.values] == [
        (one.name, one.value & _U32) for one in made.values
    ]


def _base_type(die: Die, name: str) -> BtfType:
    size, encoding = die.get("byte_size"), die.get("encoding")
    if size not in (1, 2, 4, 8, 16):
        raise _damaged(f"{name!r} of {size} bytes")
    if encoding == _ATE_FLOAT:
        return Float(name, size)
    flags = {
        _ATE_BOOLEAN: BTF_INT_BOOL,
        _ATE_SIGNED: BTF_INT_SIGNED,
        _ATE_SIGNED_CHAR: BTF_INT_SIGNED,
    }
    return Int(name, size, flags.get(encoding, 0))


def _text(value: object) -> str:
    # What encodes as BTF: no NUL ends a name early.
    return value.replace("\0", "") if isinstance(value, str) else ""


def _damaged(what: str) -> BtfError:
    return BtfError(f"debug information: {what}", section=".debug_info")
