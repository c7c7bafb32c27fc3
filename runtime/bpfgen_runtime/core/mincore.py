"""`min_core_btf`: of a kernel's BTF, only what some objects' CO-RE relocations ask for (BTFGen).

With such a BTF beside it (`btf_custom_path`) an object runs on a kernel that has none of its own.
What a relocation looks at is found by resolving it: the members on the way to a field, the kind and
size of what it leads to, an enum's names. What is behind a pointer counts only where types are
compared as such.
"""

from __future__ import annotations

from ..btf import (
    BTF_KIND_INT,
    Array,
    Btf,
    BtfExt,
    Const,
    CoreRelo,
    FuncProto,
    Member,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Volatile,
)
from ..btf.build import BtfBuilder
from ..errors import RelocationError
from ..uapi.const import BPF_CORE_TYPE_ID_LOCAL, BPF_CORE_TYPE_ID_TARGET, BPF_CORE_TYPE_MATCHES
from .access import ENUM_KINDS, TYPE_KINDS, Access, strip
from .resolve import Resolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["min_core_btf"]

_THROUGH = (Typedef, Const, Volatile, Restrict, TypeTag)


def min_core_btf(source: Btf, objects: Iterable[tuple[Btf, BtfExt]]) -> Btf:
    """Return the smallest BTF with which objects' CO-RE relocations come out as with another.

    Args:
        source: a kernel's BTF, without a base.
        objects: the `.BTF` and `.BTF.ext` of each.

    Raises:
        RelocationError: a relocation is malformed, or ambiguous in `source`.
        BtfError: a BTF is damaged.
    """
    every = list(objects)
    kept = _Kept(source)
    for local, ext in every:
        resolver = Resolver(local, source)
        for path, relo in _relocations(local, ext):
            for target in resolver.targets(relo.type_id, path, relo.kind):
                kept.add(target)
    smallest = kept.build()
    for local, ext in every:
        before, after = Resolver(local, source), Resolver(local, smallest)
        for path, relo in _relocations(local, ext):
            key = (relo.type_id, path, relo.kind)
            one, two = before.resolve(*key), after.resolve(*key)
            same = one.poison == two.poison and (
                one.value == two.value or relo.kind == BPF_CORE_TYPE_ID_TARGET
            )
            if not same:
                raise RelocationError(
                    f"CO-RE: {one.local} comes out as {one.value}, but as {two.value} with the "
                    "smallest BTF: use the whole one"
                )
    return smallest


def _relocations(local: Btf, ext: BtfExt) -> Iterator[tuple[str, CoreRelo]]:
    for section in ext.core_relos:
        for relo in ext.core_relos.records(section):
            if relo.kind != BPF_CORE_TYPE_ID_LOCAL:
                yield local.string(relo.access_str_off), relo


class _Kept:
    """The types, and of structs the members, that are needed."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._types: dict[int, set[int]] = {}
        self._followed: set[int] = set()
        self._matched: set[tuple[int, bool]] = set()
        if btf.pointer_size != 8:
            # Without a `long` of 4 bytes pointers would be taken for 8.
            for type_id in btf.find("long int", BTF_KIND_INT) + btf.find("long", BTF_KIND_INT):
                self._value(type_id)

    def add(self, target: Access) -> None:
        """Keep what the resolution of one relocation has led to."""
        if target.kind == BPF_CORE_TYPE_MATCHES:
            self._match(target.root_id)
        elif target.kind in TYPE_KINDS:
            self._type(target.root_id)
        elif target.kind in ENUM_KINDS:
            self._value(target.root_id)
        else:
            self._field(target)

    def _field(self, target: Access) -> None:
        btf = self._btf
        self._value(target.root_id)
        type_id = target.root_id
        for number in target.raw[1:]:
            type_id, t = strip(btf, type_id)
            if isinstance(t, Struct):
                self._types[type_id].add(number)
                type_id = t.members[number].type
            else:
                assert isinstance(t, Array)
                type_id = t.type
            self._value(type_id)

    def _value(self, type_id: int) -> None:
        """Keep a type so far as its size and kind need it."""
        while type_id and type_id not in self._types:
            self._types[type_id] = set()
            t = self._btf.type(type_id)
            if isinstance(t, Array):
                self._value(t.index_type)
            elif not isinstance(t, _THROUGH):
                return
            type_id = t.type

    def _type(self, first: int) -> None:
        """Keep a type with all that it refers to, structs without their members."""
        pending = [first]
        while pending:
            type_id = pending.pop()
            self._value(type_id)
            if type_id in self._followed:
                continue
            self._followed.add(type_id)
            t = self._btf.type(type_id)
            if isinstance(t, (Ptr, FuncProto, *_THROUGH)):
                pending.append(t.type)
            if isinstance(t, FuncProto):
                pending += [param.type for param in t.params]
            elif isinstance(t, Array):
                pending += [t.type, t.index_type]

    def _match(self, first: int) -> None:
        """Keep a type with its members and theirs; behind pointers, structs without."""
        pending = [(first, False)]
        while pending:
            type_id, behind = one = pending.pop()
            if one in self._matched:
                continue
            self._matched.add(one)
            self._type(type_id)
            t = self._btf.type(type_id)
            if isinstance(t, (*_THROUGH, Array)):
                pending.append((t.type, behind))
            elif isinstance(t, Ptr):
                pending.append((t.type, True))
            elif isinstance(t, FuncProto):
                pending += [(each, behind) for each in (t.type, *(p.type for p in t.params))]
            elif isinstance(t, Struct) and not behind:
                self._types[type_id].update(range(len(t.members)))
                pending += [(member.type, False) for member in t.members]

    def build(self) -> Btf:
        """Return the BTF of what is kept, in the order of its ids."""
        ids = _Ids(zip(sorted(self._types), range(1, len(self._types) + 1), strict=True))
        builder = BtfBuilder(byte_order=self._btf.byte_order)
        for type_id in ids:
            t = self._btf.type(type_id)
            if isinstance(t, Struct):
                members = [
                    Member(m.name, ids[m.type], m.bit_offset, m.bitfield_size)
                    for m in (t.members[number] for number in sorted(self._types[type_id]))
                ]
                builder.add(type(t)(t.name, t.size, members, t.kind_flag))
            elif isinstance(t, Ptr):
                builder.add(Ptr(ids[t.type] if type_id in self._followed else 0))
            else:
                builder.copy(self._btf, type_id, ids)
        built = builder.build()
        built.pointer_size = self._btf.pointer_size
        return built


class _Ids(dict[int, int]):
    def __missing__(self, type_id: int) -> int:
        return 0  # what nobody asks for is void
