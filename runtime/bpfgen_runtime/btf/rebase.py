"""Other ids and other bases: `permute`, `distill_base`, `relocate`.

A kernel module's BTF refers to its kernel's by ids, which the next build of that kernel gives to
other types. *Distilled* BTF comes with a base of its own, in which there is just enough of each
type that it refers to (name, kind, size) to find it in another kernel: `relocate` does that.
"""

from __future__ import annotations

from struct import pack

from ..errors import BtfError
from .btf import Btf
from .build import BtfBuilder
from .encoder import assemble
from .fields import check_ids, ids_of, one_record, own_records, rewrite
from .parse import SECTION
from .types import (
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FLOAT,
    BTF_KIND_FWD,
    BTF_KIND_INT,
    BTF_KIND_STRUCT,
    BTF_KIND_UNION,
    Array,
    BtfType,
    Const,
    Enum,
    Float,
    Fwd,
    Int,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Volatile,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["distill_base", "permute", "relocate"]

_COMPOSITES = (BTF_KIND_STRUCT, BTF_KIND_UNION)
_ENUMS = (BTF_KIND_ENUM, BTF_KIND_ENUM64)
#: What goes into a distilled base, if it has a name.
_DISTILLED = (BTF_KIND_INT, BTF_KIND_FLOAT, BTF_KIND_FWD, *_COMPOSITES, *_ENUMS)
#: What a base may have that split BTF refers to no type of.
_DECLARATIONS = ("FUNC", "VAR", "DATASEC", "DECL_TAG")
_MAX_CHAIN = 128


def permute(btf: Btf, ids: Sequence[int]) -> Btf:
    """Return BTF with the same types under other ids, as libbpf's btf__permute does.

    Args:
        ids: for each own type in its order, from the lowest id on, its new id: the numbers from
            btf.start_id to len(btf) - 1, each once.

    Raises:
        ValueError: `ids` is no such list.
        BtfError, NotSupportedError: as for `dedup`.
    """
    if sorted(ids) != list(range(btf.start_id, len(btf))):
        raise ValueError(
            f"the new ids must be the numbers from {btf.start_id} to {len(btf) - 1}, each once"
        )
    new = [*range(btf.start_id), *ids]
    records: list[list[int]] = [[] for _ in ids]
    for type_id, kind, record in own_records(btf):
        check_ids(btf, type_id, ids_of(kind, record))
        moved = rewrite(kind, record, _same, new.__getitem__)
        records[new[type_id] - btf.start_id] = moved
    words = [word for record in records for word in record]
    packed = pack(f"{btf.byte_order}{len(words)}I", *words)
    permuted = Btf.parse(assemble(btf.byte_order, packed, btf.string_section()), base=btf.base)
    permuted.pointer_size = btf.pointer_size
    return permuted


def _same(offset: int) -> int:
    return offset


def distill_base(btf: Btf) -> tuple[Btf, Btf]:
    """Return a small base and the split BTF on it, as libbpf's btf__distill_base does.

    The base has the named integers, floats, structs, unions, enums and declarations that the split
    BTF leads to, structs and enums without what is in them. All else that it uses of the old base
    (pointers, typedefs, prototypes, what has no name) is added behind its own types, which keep
    their order.

    Raises:
        BtfError: it refers to a variable or a function of the base, or to what does not exist.
        NotSupportedError: a type is of a kind that is not known here.
        ValueError: the BTF has no base.
    """
    if btf.base is None:
        raise ValueError("only split BTF has a base that can be distilled")
    used = _used_of_base(btf)
    base = BtfBuilder(byte_order=btf.byte_order)
    ids = {0: 0}
    for type_id in used:
        t = btf.type(type_id)
        if t.kind in _DISTILLED and t.name:
            ids[type_id] = base.add(_shell(t))
    small = base.build()
    small.pointer_size = btf.pointer_size
    whole = [*range(btf.start_id, len(btf)), *(i for i in used if i not in ids)]
    ids.update(zip(whole, range(len(small), len(small) + len(whole)), strict=True))
    split = BtfBuilder(small)
    for type_id in whole:
        split.copy(btf, type_id, ids)
    return small, split.build()


def _shell(t: BtfType) -> BtfType:
    """Return what is left of a type in a distilled base: composites and enums without contents."""
    if isinstance(t, Struct):
        return type(t)(t.name, t.size)
    if isinstance(t, Enum):
        return Enum(t.name, t.size)  # relocation takes it for an ENUM64, too
    return t


def _used_of_base(btf: Btf) -> list[int]:
    """Return the ids of the base's types that a split BTF leads to, ascending."""
    found: set[int] = set()
    pending: list[int] = []
    for type_id, kind, record in own_records(btf):
        ids = ids_of(kind, record)
        check_ids(btf, type_id, ids)
        pending += ids
    while pending:
        type_id = pending.pop()
        if not 0 < type_id < btf.start_id or type_id in found:
            continue
        found.add(type_id)
        t = btf.type(type_id)
        if kind_name(t.kind) in _DECLARATIONS:
            raise BtfError(
                f"type [{type_id}] of the base is a {kind_name(t.kind)}, which nothing on top of "
                "it may refer to",
                section=SECTION,
            )
        if not (t.kind in _COMPOSITES and t.name):
            pending += ids_of(*one_record(btf, type_id))
    return sorted(found)


def relocate(btf: Btf, base: Btf) -> tuple[Btf, list[int]]:
    """Put BTF with a distilled base onto a full one, as libbpf's btf__relocate does.

    Types of the distilled base are found by name and kind, integers also by encoding; the size has
    to be the same for integers, floats and enums, for structs that the BTF contains by value, and
    where the new base has several of a name.

    Returns:
        The BTF on its new base, and the new id of each type by the old one.

    Raises:
        BtfError: a type of the distilled base is not in the new one, or is there more than once;
            or the BTF is damaged.
        NotSupportedError: a type is of a kind that is not known here.
        ValueError: the BTF has no distilled base.
    """
    old = btf.base
    if old is None or old.base is not None or old is base:
        raise ValueError("only split BTF on a distilled base can be relocated")
    embedded = _contained_in(btf)
    ids = [0]
    for type_id, t in old.types():
        if t.kind not in _DISTILLED or not t.name:
            raise BtfError(
                f"type [{type_id}] {kind_name(t.kind)} {t.name!r} is none of a distilled base",
                section=SECTION,
            )
        ids.append(_find(base, t, type_id in embedded))
    ids += range(len(base), len(base) + len(btf) - btf.start_id)
    moved = BtfBuilder(base)
    for type_id in range(btf.start_id, len(btf)):
        moved.copy(btf, type_id, ids)
    return moved.build(), ids


def _find(base: Btf, wanted: BtfType, embedded: bool) -> int:
    """Return the id of a type of a base that a distilled one stands for."""
    every = base.find(wanted.name)
    if isinstance(wanted, Struct):
        named = [i for i in every if base.kind(i) in _COMPOSITES]
        sized = embedded or len(named) > 1
        found = [i for i in every if base.kind(i) == wanted.kind]
        found = [i for i in found if not sized or base.size_of(i) == wanted.size]
    elif isinstance(wanted, Fwd):
        # What was declared may be defined by now.
        kind = BTF_KIND_UNION if wanted.is_union else BTF_KIND_STRUCT
        found = [i for i in every if base.kind(i) == kind or base.type(i) == wanted]
    elif isinstance(wanted, Enum):
        found = [i for i in every if base.kind(i) in _ENUMS and base.size_of(i) == wanted.size]
    else:
        found = [i for i in every if _same_number(base.type(i), wanted)]
    if len(found) != 1:
        what = "not there" if not found else f"there {len(found)} times: {found}"
        raise BtfError(
            f"{kind_name(wanted.kind)} {wanted.name!r} of the distilled base is {what} in the new "
            "base",
            section=SECTION,
        )
    return found[0]


def _same_number(one: BtfType, two: BtfType) -> bool:
    if isinstance(one, Int) and isinstance(two, Int):
        return (one.size, one.encoding) == (two.size, two.encoding)
    return isinstance(one, Float) and one == two


def _contained_in(btf: Btf) -> set[int]:
    """Return the ids of the base's structs that own structs contain by value."""
    found = set()
    for _, kind, record in own_records(btf):
        if kind not in _COMPOSITES:
            continue
        for member in ids_of(kind, record):
            at = member
            for _ in range(_MAX_CHAIN):
                t = btf.type(at)
                if not isinstance(t, (Array, Const, Restrict, Typedef, TypeTag, Volatile)):
                    break
                at = t.type
            if isinstance(t, Struct) and at < btf.start_id:
                found.add(at)
    return found
