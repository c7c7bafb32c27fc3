"""What C has to say about the layout of a BTF's structs, as `dump_c` has written them."""

from __future__ import annotations

from collections.abc import Iterator

from bpfgen_runtime.btf import (
    Array,
    Btf,
    Const,
    Enum,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Volatile,
)
from bpfgen_runtime.btf.dump import _Dumper

_QUALIFIERS = (Const, Volatile, Restrict, TypeTag)


class Layout:
    """The types of a BTF under the names that they have in its C, and assertions about them.

    Attributes:
        tags: by id of each named struct and union, `struct name`.
        seen: the ids of the nameless ones that an assertion has been made about.
    """

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        dumper = _Dumper(btf)
        for type_id in range(btf.start_id, len(btf)):
            dumper.add(type_id)
        self.tags: dict[int, str] = {}
        self.seen: set[int] = set()
        self._typedefs: list[tuple[int, str]] = []
        for type_id, t in btf.types():
            if isinstance(t, Struct) and t.name:
                self.tags[type_id] = dumper._declarators.tag(type_id)
            elif isinstance(t, Typedef):
                self._typedefs.append((t.type, dumper._declarators.ident(type_id)))

    def checks(self) -> Iterator[str]:
        """Yield an assertion for each struct's size and each member's place.

        Structs without name are checked where a typedef or another struct's member has them.
        """
        for type_id, tag in self.tags.items():
            yield from self._struct(type_id, tag)
        for type_id, name in self._typedefs:
            yield from self._nameless(type_id, name)

    def _struct(self, type_id: int, expression: str) -> Iterator[str]:
        t = self.btf.type(type_id)
        yield f'_Static_assert(sizeof({expression}) == {t.size}, "size of {expression}");'
        yield from self._members(type_id, expression, 0)

    def _members(self, type_id: int, expression: str, start: int) -> Iterator[str]:
        t = self.btf.type(type_id)
        assert isinstance(t, Struct)
        for member in t.members:
            place = start + member.bit_offset // 8
            if not member.name:
                inner = behind(self.btf, member.type)
                if isinstance(self.btf.type(inner), Struct):
                    self.seen.add(inner)
                    yield from self._members(inner, expression, place)
            elif not member.bitfield_size:
                yield (
                    f"_Static_assert(__builtin_offsetof({expression}, {member.name}) == {place}, "
                    f'"{member.name} of {expression}");'
                )
                within = f"(({expression} *)0)->{member.name}"
                yield from self._nameless(member.type, f"__typeof__({within})")

    def _nameless(self, type_id: int, expression: str) -> Iterator[str]:
        """Yield assertions about a type without name, behind pointers and arrays as well."""
        t = self.btf.type(type_id)
        while isinstance(t, (Array, Ptr, *_QUALIFIERS)):
            if isinstance(t, (Array, Ptr)):
                expression = f"__typeof__((({expression} *)0)[0][0])"
            type_id = t.type
            t = self.btf.type(type_id)
        if isinstance(t, Struct) and not t.name:
            self.seen.add(type_id)
            yield from self._struct(type_id, expression)
        elif isinstance(t, Enum) and not t.name and t.values:
            yield f'_Static_assert(sizeof({expression}) == {t.size}, "size of {expression}");'


def behind(btf: Btf, type_id: int) -> int:
    """Return what is behind qualifiers and typedefs."""
    while isinstance(t := btf.type(type_id), (*_QUALIFIERS, Typedef)):
        type_id = t.type
    return type_id
