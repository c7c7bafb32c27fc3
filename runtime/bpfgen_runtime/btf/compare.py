"""Hold the layout of a Python type against that of a C type: the same bytes, read the same way?"""

from __future__ import annotations

from ..values.ctype import Array, CType, Scalar, StructType, as_ctype
from . import types as t
from .layout import size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .btf import Btf

__all__ = ["differences"]

#: Of struct in struct; BTF may come from anybody.
_DEPTH = 32


def differences(ctype: CType[Any], btf: Btf, type_id: int, place: str) -> list[str]:
    """Tell, a line for each, where a C type's layout is not the one expected.

    Sizes, the places of fields, and how numbers are read (signed, floating) count. Names count
    where both sides have them: at the same place a field may be called otherwise. Bitfields,
    unions, and what is opaque are compared by their size.

    Args:
        ctype: the type expected.
        type_id: the type in `btf` that is there.
        place: what to call it.
    """
    return list(_compare(ctype, btf, type_id, place, 0))


def _compare(ctype: CType[Any], btf: Btf, type_id: int, place: str, depth: int) -> Iterator[str]:
    id = btf.resolve(type_id)
    kind = btf.type(id)
    size = size_of(btf, id)
    if size != ctype.size:
        yield f"{place}: {btf.c_name(type_id)} of {size} bytes, expected {_shown(ctype)}"
    if isinstance(ctype, StructType):
        if isinstance(kind, t.Struct) and not isinstance(kind, t.Union):
            if depth < _DEPTH:
                yield from _compare_fields(ctype, btf, kind, place, depth)
        elif size == ctype.size and not isinstance(kind, t.Union):
            yield f"{place}: {btf.c_name(type_id)}, expected {_shown(ctype)}"
    elif size != ctype.size:
        return
    elif isinstance(ctype, Array):
        if isinstance(kind, t.Array) and kind.nelems and ctype.length:
            yield from _compare(ctype.element, btf, kind.type, f"{place}[]", depth + 1)
    elif isinstance(ctype, Scalar) and _reading(ctype) not in _readings(kind):
        yield f"{place}: {btf.c_name(type_id)}, expected {ctype.c_name}"


def _compare_fields(
    ctype: StructType[Any], btf: Btf, kind: t.Struct, place: str, depth: int
) -> Iterator[str]:
    expected = {name: (offset, as_ctype(field)) for name, offset, field in ctype.struct.LAYOUT}
    found: dict[str, tuple[int, t.Member]] = {}
    by_place: dict[int, str] = {}
    for offset, member in _members(btf, kind, 0, depth):
        found.setdefault(member.name, (offset, member))
        by_place.setdefault(offset, member.name)
    matched = set()
    for name, (offset, field) in expected.items():
        other = name if name in found else by_place.get(offset * 8, "")
        if other in expected and other != name:
            other = ""
        if not other:
            yield f"{place}.{name}: missing, expected {_shown(field)} at offset {offset}"
            continue
        matched.add(other)
        at, member = found[other]
        if member.bitfield_size or at % 8:
            continue  # expected as the bytes around it
        if at != offset * 8:
            yield f"{place}.{name}: at offset {at // 8}, expected at {offset}"
        yield from _compare(field, btf, member.type, f"{place}.{name}", depth + 1)
    covered = [(offset, offset + field.size) for offset, field in expected.values()]
    for name, (at, member) in found.items():
        if name in matched or member.bitfield_size or _is_no_field(btf, member):
            continue
        if not any(start * 8 <= at < end * 8 for start, end in covered):
            yield f"{place}.{name}: {btf.c_name(member.type)} at offset {at // 8}, not expected"


def _members(btf: Btf, kind: t.Struct, start: int, depth: int) -> Iterator[tuple[int, t.Member]]:
    """Yield members with their offsets (bits), those of anonymous structs and unions too."""
    for member in kind.members:
        offset = start + member.bit_offset
        if member.name:
            yield offset, member
            continue
        inner = btf.type(btf.resolve(member.type))
        if isinstance(inner, t.Struct) and depth < _DEPTH:
            yield from _members(btf, inner, offset, depth + 1)


def _is_no_field(btf: Btf, member: t.Member) -> bool:
    """Tell whether a member has no value: locks, timers and their like; empty ones."""
    kind = btf.type(btf.resolve(member.type))
    if isinstance(kind, t.Struct) and kind.name.startswith("bpf_"):
        return True
    return not size_of(btf, member.type)


def _reading(ctype: Scalar[Any]) -> str:
    if ctype.code in "fd":
        return "float"
    return "signed" if ctype.code.islower() else "unsigned"


def _readings(kind: t.BtfType) -> tuple[str, ...]:
    """Return the ways in which a value may be read."""
    if isinstance(kind, t.Float):
        return ("float",)
    if isinstance(kind, t.Int) and kind.size > 1:
        return ("signed",) if kind.is_signed else ("unsigned",)
    # `char` has no certain sign, nor have enums in BTF, and pointers have none.
    return ("signed", "unsigned") if isinstance(kind, (t.Int, t.Enum, t.Ptr)) else ()


def _shown(ctype: CType[Any]) -> str:
    return f"{ctype.c_name} of {ctype.size} bytes"
