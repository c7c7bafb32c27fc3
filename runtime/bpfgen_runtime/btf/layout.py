"""Sizes and alignments of types, by libbpf's rules (btf__resolve_size, btf__align_of)."""

from __future__ import annotations

from ..errors import BtfError
from .btf import MAX_RESOLVE_DEPTH, Btf
from .parse import SECTION
from .types import (
    BTF_KIND_ARRAY,
    BTF_KIND_DATASEC,
    BTF_KIND_DECL_TAG,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FLOAT,
    BTF_KIND_INT,
    BTF_KIND_PTR,
    BTF_KIND_STRUCT,
    BTF_KIND_UNION,
    MODIFIER_KINDS,
    Array,
    Enum,
    Float,
    Int,
    Ptr,
    Struct,
    kind_name,
)

# Kinds whose third word is their size.
_SIZED = frozenset(
    (
        BTF_KIND_INT,
        BTF_KIND_FLOAT,
        BTF_KIND_STRUCT,
        BTF_KIND_UNION,
        BTF_KIND_ENUM,
        BTF_KIND_ENUM64,
        BTF_KIND_DATASEC,
    )
)
_U32_MAX = 0xFFFFFFFF


def size_of(btf: Btf, type_id: int) -> int:
    """See `Btf.size_of`."""
    # On the words: to decode all members of a large struct for its size would take a millisecond.
    count = 1
    at = type_id
    for _ in range(MAX_RESOLVE_DEPTH):
        kind = btf.kind(at)
        if kind in MODIFIER_KINDS or kind == BTF_KIND_DECL_TAG:
            at = btf.target(at)
        elif kind == BTF_KIND_ARRAY:
            array = btf.type(at)
            assert isinstance(array, Array)
            count *= array.nelems
            at = array.type
        else:
            if kind == BTF_KIND_PTR:
                size = btf.pointer_size
            elif kind in _SIZED:
                words, start = btf.record(at)
                size = words[start + 2]
            else:
                raise _error(btf, at, "has no size")
            if size * count > _U32_MAX:
                raise _error(btf, type_id, f"has {size * count} bytes, more than 32 bits can say")
            return size * count
        if count > _U32_MAX:
            raise _error(btf, type_id, "has more elements than 32 bits can say")
    raise _error(btf, type_id, f"contains itself, or is nested deeper than {MAX_RESOLVE_DEPTH}")


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
