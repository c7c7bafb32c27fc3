"""Sizes and alignments of types, by libbpf's rules (btf__resolve_size, btf__align_of)."""

from __future__ import annotations

from ..errors import BtfError
from .btf import MAX_RESOLVE_DEPTH, Btf
from .parse import SECTION
from .types import (
    MODIFIER_KINDS,
    Array,
    BtfType,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Int,
    Ptr,
    Struct,
    kind_name,
)

_U32_MAX = 0xFFFFFFFF


def size_of(btf: Btf, type_id: int) -> int:
    """See `Btf.size_of`."""
    count = 1
    at = type_id
    for _ in range(MAX_RESOLVE_DEPTH):
        if btf.kind(at) in MODIFIER_KINDS:
            at = btf.target(at)
            continue
        t = btf.type(at)
        if isinstance(t, Array):
            count *= t.nelems
            at = t.type
        elif isinstance(t, DeclTag):
            at = t.type
        else:
            size = _own_size(btf, t)
            if size is None:
                raise _error(btf, at, "has no size")
            if size * count > _U32_MAX:
                raise _error(btf, type_id, f"has {size * count} bytes, more than 32 bits can say")
            return size * count
        if count > _U32_MAX:
            raise _error(btf, type_id, "has more elements than 32 bits can say")
    raise _error(btf, type_id, f"contains itself, or is nested deeper than {MAX_RESOLVE_DEPTH}")


def _own_size(btf: Btf, t: BtfType) -> int | None:
    if isinstance(t, (Int, Float, Struct, Enum, Datasec)):
        return t.size
    return btf.pointer_size if isinstance(t, Ptr) else None


def align_of(btf: Btf, type_id: int, known: dict[int, int], depth: int = 0) -> int:
    """See `Btf.align_of`.

    Args:
        known: alignments already found, by id; more are added.
        depth: how many types contain this one.
    """
    if depth > MAX_RESOLVE_DEPTH:
        raise _error(btf, type_id, f"contains itself, or is nested deeper than {MAX_RESOLVE_DEPTH}")
    at = btf.resolve(type_id)
    align = known.get(at)
    if align is not None:
        return align
    t = btf.type(at)
    if isinstance(t, (Int, Float, Enum)):
        align = min(btf.pointer_size, t.size)
    elif isinstance(t, Ptr):
        align = btf.pointer_size
    elif isinstance(t, Array):
        align = align_of(btf, t.type, known, depth + 1)
    elif isinstance(t, Struct):
        align = 1
        packed = False
        for member in t.members:
            one = align_of(btf, member.type, known, depth + 1)
            align = max(align, one)
            packed |= not member.bitfield_size and member.bit_offset % (8 * one) != 0
        if packed or t.size % align:
            align = 1
    else:
        raise _error(btf, at, "has no alignment")
    if not align:
        raise _error(btf, at, "has size 0, so it has no alignment")
    known[at] = align
    return align


def _error(btf: Btf, type_id: int, what: str) -> BtfError:
    kind = kind_name(btf.kind(type_id))
    return BtfError(f"type [{type_id}] {kind} {btf.name(type_id)!r} {what}", section=SECTION)
