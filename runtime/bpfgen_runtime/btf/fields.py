"""Where in a type's record its names and type ids are: the one table behind all that rewrites BTF.

A record is the list of its 32-bit words; the name of the type itself is word 0.
"""

from __future__ import annotations

from ..errors import BtfError, NotSupportedError
from .btf import Btf
from .types import (
    BTF_KIND_ARRAY,
    BTF_KIND_CONST,
    BTF_KIND_DATASEC,
    BTF_KIND_DECL_TAG,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FLOAT,
    BTF_KIND_FUNC,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_FWD,
    BTF_KIND_INT,
    BTF_KIND_PTR,
    BTF_KIND_RESTRICT,
    BTF_KIND_STRUCT,
    BTF_KIND_TYPE_TAG,
    BTF_KIND_TYPEDEF,
    BTF_KIND_UNION,
    BTF_KIND_VAR,
    BTF_KIND_VOLATILE,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_TARGET = (slice(2, 3),)

#: Names behind word 0, by kind.
NAMES: dict[int, slice] = {
    BTF_KIND_STRUCT: slice(3, None, 3),
    BTF_KIND_UNION: slice(3, None, 3),
    BTF_KIND_ENUM: slice(3, None, 2),
    BTF_KIND_ENUM64: slice(3, None, 3),
    BTF_KIND_FUNC_PROTO: slice(3, None, 2),
}

#: Type ids, by kind; a kind that is not in it is newer than this module.
IDS: dict[int, tuple[slice, ...]] = {
    BTF_KIND_INT: (),
    BTF_KIND_PTR: _TARGET,
    BTF_KIND_ARRAY: (slice(3, 5),),
    BTF_KIND_STRUCT: (slice(4, None, 3),),
    BTF_KIND_UNION: (slice(4, None, 3),),
    BTF_KIND_ENUM: (),
    BTF_KIND_FWD: (),
    BTF_KIND_TYPEDEF: _TARGET,
    BTF_KIND_VOLATILE: _TARGET,
    BTF_KIND_CONST: _TARGET,
    BTF_KIND_RESTRICT: _TARGET,
    BTF_KIND_FUNC: _TARGET,
    BTF_KIND_FUNC_PROTO: (slice(2, 3), slice(4, None, 2)),
    BTF_KIND_VAR: _TARGET,
    BTF_KIND_DATASEC: (slice(3, None, 3),),
    BTF_KIND_FLOAT: (),
    BTF_KIND_DECL_TAG: _TARGET,
    BTF_KIND_TYPE_TAG: _TARGET,
    BTF_KIND_ENUM64: (),
}


def own_records(btf: Btf) -> Iterator[tuple[int, int, list[int]]]:
    """Yield (id, kind, words) of each of a blob's own types, ascending; the words are a copy.

    Raises:
        NotSupportedError: a kind is newer than this module: what its words mean is not known.
    """
    words, starts = btf.records()
    ends = [*starts[1:], len(words)]
    for number, (at, end) in enumerate(zip(starts, ends, strict=True)):
        kind = words[at + 1] >> 24 & 0x7F
        if kind not in IDS:
            raise NotSupportedError(f"rewriting BTF that has a type of {kind_name(kind)}")
        yield btf.start_id + number, kind, list(words[at:end])


def one_record(btf: Btf, type_id: int) -> tuple[int, list[int]]:
    """Return the kind and a copy of the words of a type, its own or the base's.

    Raises:
        BtfError: there is no such id, or it is `void`'s.
        NotSupportedError: as for own_records.
    """
    while type_id < btf.start_id and btf.base is not None:
        btf = btf.base
    words, at = btf.record(type_id)
    kind = words[at + 1] >> 24 & 0x7F
    if kind not in IDS:
        raise NotSupportedError(f"rewriting BTF that has a type of {kind_name(kind)}")
    _, starts = btf.records()
    number = type_id - btf.start_id + 1
    return kind, list(words[at : starts[number] if number < len(starts) else len(words)])


def ids_of(kind: int, record: Sequence[int]) -> list[int]:
    """Return the type ids that a record refers to, in its order, `void` and repeats included."""
    places = IDS[kind]
    if not places:
        return []
    found = list(record[places[0]])
    return found if len(places) == 1 else found + list(record[places[1]])


def check_ids(btf: Btf, type_id: int, ids: Sequence[int]) -> None:
    """Raise BtfError if a type refers to an id that does not exist."""
    if ids and max(ids) >= len(btf):
        _, at = btf.record(type_id)
        raise BtfError(
            f"type [{type_id}] {kind_name(btf.kind(type_id))} {btf.name(type_id)!r} refers to type "
            f"id {max(ids)}, which does not exist, the last is {len(btf) - 1}",
            section=".BTF",
            offset=btf.offset_of(at),
        )


def rewrite(
    kind: int, record: list[int], name: Callable[[int], int], type_id: Callable[[int], int]
) -> list[int]:
    """Put other names and ids into a record, in place, and return it.

    Args:
        name: gives the new offset of a string for the old one.
        type_id: gives the new id of a type for the old one.
    """
    record[0] = name(record[0])
    names = NAMES.get(kind)
    if names is not None:
        record[names] = map(name, record[names])
    for place in IDS[kind]:
        record[place] = map(type_id, record[place])
    return record
