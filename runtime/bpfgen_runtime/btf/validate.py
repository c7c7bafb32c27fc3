"""The whole check of a BTF blob that somebody else built: `Btf.validate`.

It works on the words, not on decoded types: an object's few hundred types are checked in well under
a millisecond. The rules are libbpf's (valid ids and strings, FUNC refers to FUNC_PROTO) and those
of the kernel that users of `Btf` rely upon: what may refer to what, and that nothing contains
itself.
"""

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
    BTF_KIND_FUNC,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_PTR,
    BTF_KIND_STRUCT,
    BTF_KIND_TYPEDEF,
    BTF_KIND_UNION,
    BTF_KIND_VAR,
    MODIFIER_KINDS,
    FuncProto,
    Struct,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Words from one name to the next, after the record's fixed part.
_NAMES_EVERY = {
    BTF_KIND_STRUCT: 3,
    BTF_KIND_UNION: 3,
    BTF_KIND_ENUM: 2,
    BTF_KIND_ENUM64: 3,
    BTF_KIND_FUNC_PROTO: 2,
}
_DECLARATIONS = frozenset((BTF_KIND_FUNC, BTF_KIND_VAR, BTF_KIND_DATASEC, BTF_KIND_DECL_TAG))
_ONLY = {
    BTF_KIND_FUNC: frozenset((BTF_KIND_FUNC_PROTO,)),
    BTF_KIND_DATASEC: frozenset((BTF_KIND_VAR, BTF_KIND_FUNC)),
    BTF_KIND_DECL_TAG: frozenset(
        (BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_TYPEDEF, BTF_KIND_FUNC, BTF_KIND_VAR)
    ),
}
# Kinds whose third word is a type id, and that refer to nothing else.
_REFERENCES = MODIFIER_KINDS | {BTF_KIND_PTR, BTF_KIND_FUNC, BTF_KIND_DECL_TAG}
_CONTAINERS = MODIFIER_KINDS | {BTF_KIND_ARRAY, BTF_KIND_STRUCT, BTF_KIND_UNION}


def validate(btf: Btf) -> None:
    """See `Btf.validate`."""
    btf.check_names()
    words, starts = btf.records()
    end_string = max(btf.end_string_offset, 1)
    kinds = bytes([words[at + 1] >> 24 & 0x7F for at in starts])
    kind_of = _kind_lookup(btf, kinds)
    inner: dict[int, Iterable[int]] = {}
    for number, at in enumerate(starts):
        kind = kinds[number]
        vlen = words[at + 1] & 0xFFFFFF
        type_id = btf.start_id + number
        stride = _NAMES_EVERY.get(kind)
        if stride and vlen:
            names = words[at + 3 : at + 3 + stride * vlen : stride]
            _check_strings(btf, names, end_string, at + 3, stride)
        ids = _referred(btf, kind, vlen, at)
        if not ids:
            continue
        allowed = _ONLY.get(kind)
        for target in ids:
            found = kind_of(target)
            if found in _DECLARATIONS if allowed is None else found not in allowed:
                raise BtfError(
                    f"type [{type_id}] {kind_name(kind)} {btf.name(type_id)!r} may not refer to "
                    f"[{target}], a {kind_name(found)}",
                    section=SECTION,
                    offset=btf.offset_of(at),
                )
        if kind in _CONTAINERS:
            inner[type_id] = set(ids)
        elif kind == BTF_KIND_DECL_TAG:
            _check_component(btf, type_id, at)
    _check_nesting(btf, inner)


def _kind_lookup(btf: Btf, kinds: bytes) -> Callable[[int], int]:
    if btf.base is None:
        return (b"\0" + kinds).__getitem__
    return btf.kind


def _referred(btf: Btf, kind: int, vlen: int, at: int) -> list[int]:
    """Return the ids that a record refers to, all of which exist."""
    words, _ = btf.records()
    first, stride = at + 3, 0
    if kind in _REFERENCES:
        first = at + 2
        ids = [words[first]]
    elif kind == BTF_KIND_ARRAY:
        stride = 1
        ids = list(words[first : first + 2])
    elif kind in (BTF_KIND_STRUCT, BTF_KIND_UNION):
        first, stride = at + 4, 3
        ids = list(words[first : first - 1 + 3 * vlen : 3])
    elif kind == BTF_KIND_FUNC_PROTO:
        btf.check_id(words[at + 2], at + 2)
        first, stride = at + 4, 2
        ids = list(words[first : first - 1 + 2 * vlen : 2])
        btf.check_ids(ids, first, stride)
        return [words[at + 2], *ids]
    elif kind == BTF_KIND_DATASEC:
        stride = 3
        ids = list(words[first : first + 3 * vlen : 3])
    else:
        return []
    btf.check_ids(ids, first, stride)
    return ids


def _check_strings(btf: Btf, names: Iterable[int], end: int, first: int, stride: int) -> None:
    if max(names) < end:
        return
    for number, name in enumerate(names):
        if name >= end:
            raise BtfError(
                f"a name at {name:#x} is beyond the strings, which end at {end:#x}",
                section=SECTION,
                offset=btf.offset_of(first + stride * number),
            )


def _check_component(btf: Btf, tag_id: int, at: int) -> None:
    words, _ = btf.records()
    component = words[at + 3]
    if component == 0xFFFFFFFF:
        return
    tagged = btf.type(btf.target(tag_id))
    if tagged.kind == BTF_KIND_FUNC:
        tagged = btf.type(btf.target(btf.target(tag_id)))
    parts = 0
    if isinstance(tagged, Struct):
        parts = len(tagged.members)
    elif isinstance(tagged, FuncProto):
        parts = len(tagged.params)
    if component >= parts:
        raise BtfError(
            f"type [{tag_id}] DECL_TAG is on component {component}, of which there are {parts}",
            section=SECTION,
            offset=btf.offset_of(at + 3),
        )


def _check_nesting(btf: Btf, inner: dict[int, Iterable[int]]) -> None:
    """Raise BtfError for a type that contains itself by value, or by way of typedefs."""
    heights: dict[int, int] = {}

    def height(type_id: int, depth: int) -> int:
        known = heights.get(type_id)
        if known is None:
            if depth <= MAX_RESOLVE_DEPTH:
                below = [height(i, depth + 1) for i in inner[type_id] if i in inner]
                known = 1 + max(below, default=0)
                heights[type_id] = known
            if known is None or known > MAX_RESOLVE_DEPTH:
                raise BtfError(
                    f"type [{type_id}] {kind_name(btf.kind(type_id))} {btf.name(type_id)!r} "
                    f"contains itself, or is nested deeper than {MAX_RESOLVE_DEPTH}",
                    section=SECTION,
                )
        return known

    for type_id in inner:
        height(type_id, 0)
