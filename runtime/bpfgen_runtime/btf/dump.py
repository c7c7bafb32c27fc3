"""`dump_c`: types as C that any compiler lays out in the same way.

Each named definition is written once, after what it needs: *complete* types for what it contains by
value (and for elements of arrays), a mere *declaration* for what it points at. A need is written as
one number: 2 * type id, plus 1 if the type has to be complete. Whoever writes a definition first
asks for its needs; a struct that is not there yet and only has to be declared is declared by
`struct name;`. So cycles through pointers end, and others cannot be in C.

`declarator` makes the text of one declaration, `struct` the places of members.
"""

from __future__ import annotations

from ..errors import BtfError
from .btf import Btf
from .declarator import BUILT_IN, Declarators
from .flat import embedded, flat_of
from .parse import SECTION
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
    BTF_KIND_UNKN,
    BTF_KIND_VAR,
    BTF_KIND_VOLATILE,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["dump_c", "vmlinux_h"]

#: Definitions within definitions, and types within types.
MAX_DEPTH = 128

_COMPOSITES = frozenset((BTF_KIND_STRUCT, BTF_KIND_UNION))
_ENUMS = frozenset((BTF_KIND_ENUM, BTF_KIND_ENUM64))
_QUALIFIERS = frozenset((BTF_KIND_CONST, BTF_KIND_VOLATILE, BTF_KIND_RESTRICT, BTF_KIND_TYPE_TAG))
_PLAIN = frozenset((BTF_KIND_UNKN, BTF_KIND_INT, BTF_KIND_FLOAT))
_DEFINED = frozenset((*_COMPOSITES, *_ENUMS, BTF_KIND_FWD, BTF_KIND_TYPEDEF, BTF_KIND_INT))
#: What declares no type of its own.
_SILENT = frozenset((BTF_KIND_FUNC, BTF_KIND_VAR, BTF_KIND_DATASEC, BTF_KIND_DECL_TAG))

#: Integers of gcc's that other compilers lack: what arm_neon.h says, and what they are.
_ALIASES = {
    "__Poly8_t": "unsigned char",
    "__Poly16_t": "unsigned short",
    "__Poly64_t": "unsigned long long",
    "__Poly128_t": "unsigned __int128",
}

_HEAD = """\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

"""
_TAIL = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
"""


def dump_c(btf: Btf, roots: Iterable[int] | None = None) -> Iterator[str]:
    """Yield the C of types, each definition with what it needs before it.

    Sizes and offsets are those in the BTF, by padding and `packed`; alignments larger than the
    members' are not kept. Of types that share a name, the second becomes `name___2`. Variables and
    functions are left out.

    Args:
        roots: ids of the types wanted; by default all of this blob, those of its base only as far
            as they are needed.

    Raises:
        BtfError: a type refers to what does not exist, contains itself, or has members that overlap
            as C's cannot.
        NotSupportedError: a type is of a kind that is not known here.
    """
    dumper = _Dumper(btf)
    wanted = range(btf.start_id, len(btf)) if roots is None else roots
    try:
        for type_id in wanted:
            dumper.add(type_id)
            if dumper.text:
                yield "".join(dumper.text)
                dumper.text.clear()
    except IndexError as cause:
        raise BtfError("a type refers to a type id that does not exist", section=SECTION) from cause


def vmlinux_h(btf: Btf, roots: Iterable[int] | None = None) -> Iterator[str]:
    """Yield a kernel's types as the header that BPF programs include.

    clang makes each access to its structs a CO-RE relocation (preserve_access_index), unless
    BPF_NO_PRESERVE_ACCESS_INDEX is defined.

    Args:
        roots: as for `dump_c`.
    """
    yield _HEAD
    yield from dump_c(btf, roots)
    yield _TAIL


class _Dumper:
    def __init__(self, btf: Btf) -> None:
        self._flat = flat = flat_of(btf)
        self._declarators = Declarators(btf)
        self._done = bytearray(2 * len(flat.starts))
        #: Of prototypes, and of composites without name; None while they are being found.
        self._needs: dict[int, tuple[int, ...] | None] = {}
        self._open: set[int] = set()
        self._referenced: bytearray | None = None
        #: What has been written and not been taken yet.
        self.text: list[str] = []

    def add(self, type_id: int) -> None:
        """Write a type, unless it is there, and what it needs."""
        kind = self._flat.kinds[type_id]
        if kind in _SILENT:
            return
        if kind in _DEFINED and self._flat.name(type_id):
            self._require(2 * type_id + 1, 0)
        elif kind in _ENUMS:
            # Nameless enums are written where they are used, and here if that is nowhere.
            if not self._is_referenced(type_id):
                self._write(self._declarators.enum(type_id, 0))
        else:
            # Most prototypes are one function's, so what they need is not kept.
            proto = kind == BTF_KIND_FUNC_PROTO
            for need in self._inner_needs(type_id, 0) if proto else self._needs_of(type_id, True):
                self._require(need, 0)

    def _write(self, text: str) -> None:
        self.text.append(text + ";\n\n")

    def _needs_of(self, type_id: int, complete: bool, depth: int = 0) -> tuple[int, ...]:
        """Return what has to be there before a type can be used: by value, or only be named."""
        flat = self._flat
        words, starts, kinds = flat.words, flat.starts, flat.kinds
        at_id = type_id
        for passed in range(depth, MAX_DEPTH):
            kind, at = kinds[at_id], starts[at_id]
            if kind == BTF_KIND_PTR:
                complete = False
                at_id = words[at + 2]
            elif kind in _QUALIFIERS:
                at_id = words[at + 2]
            elif kind == BTF_KIND_ARRAY:
                complete = True
                at_id = words[at + 3]
            elif kind == BTF_KIND_TYPEDEF and flat.names[words[at]] in BUILT_IN:
                at_id = words[at + 2]
            elif kind in _PLAIN:
                aliased = kind == BTF_KIND_INT and flat.names[words[at]] in _ALIASES
                return (2 * at_id + 1,) if aliased else ()
            elif kind == BTF_KIND_FUNC_PROTO or (kind in _COMPOSITES and not words[at]):
                return self._kept_needs(at_id, passed)
            elif kind in _COMPOSITES or kind == BTF_KIND_TYPEDEF:
                return (2 * at_id + complete,)
            elif kind in _ENUMS or kind == BTF_KIND_FWD:
                return (2 * at_id + 1,) if words[at] or kind == BTF_KIND_FWD else ()
            else:
                raise BtfError(
                    f"type [{at_id}], a {kind_name(kind)}, is where C has a type", section=SECTION
                )
        raise self._loop(type_id)

    def _kept_needs(self, type_id: int, depth: int) -> tuple[int, ...]:
        """Do as `_inner_needs`, once for each type; find types that contain themselves."""
        known = self._needs.get(type_id, ())
        if known is None or depth >= MAX_DEPTH:
            raise self._loop(type_id)
        if known or type_id in self._needs:
            return known
        self._needs[type_id] = None
        found = self._needs[type_id] = self._inner_needs(type_id, depth)
        return found

    def _inner_needs(self, type_id: int, depth: int) -> tuple[int, ...]:
        """Return what a prototype needs, or a composite of which only the body is written."""
        found: dict[int, None] = {}
        if self._flat.kinds[type_id] in _COMPOSITES:
            for needs in self._members_needs(type_id, depth + 1):
                found.update(dict.fromkeys(needs))
        else:
            words, at = self._flat.words, self._flat.starts[type_id]
            vlen = words[at + 1] & 0xFFFFFF
            for each in dict.fromkeys(words[at + 2 : at + 4 + 2 * vlen : 2]):
                found.update(dict.fromkeys(self._needs_of(each, False, depth + 1)))
        return tuple(found)

    def _members_needs(self, type_id: int, depth: int) -> Iterator[tuple[int, ...]]:
        """Yield what a composite's members need, those of one type once."""
        words, at = self._flat.words, self._flat.starts[type_id]
        vlen = words[at + 1] & 0xFFFFFF
        if not vlen:
            return
        types = words[at + 4 : at + 4 + 3 * vlen : 3]
        names = words[at + 3 : at + 3 + 3 * vlen : 3]
        if 0 not in names:
            for member in dict.fromkeys(types):
                yield self._needs_of(member, True, depth)
            return
        for name, member in dict.fromkeys(zip(names, types, strict=True)):
            inner = 0 if name else embedded(self._flat, member)
            yield self._kept_needs(inner, depth) if inner else self._needs_of(member, True, depth)

    def _require(self, need: int, depth: int) -> None:
        """Write what a need asks for, unless it is there."""
        if self._done[need]:
            return
        type_id, complete = need >> 1, need & 1
        if depth > MAX_DEPTH:
            raise self._loop(type_id)
        kind = self._flat.kinds[type_id]
        if kind in _COMPOSITES:
            if complete:
                self._define(type_id, depth)
            else:
                self._write(self._declarators.tag(type_id))
                self._done[need] = 1
            return
        if kind == BTF_KIND_TYPEDEF:
            self._define_typedef(type_id, complete, depth)
            return
        if kind in _ENUMS:
            self._write(self._declarators.enum(type_id, 0))
        elif kind == BTF_KIND_FWD:
            self._write(self._declarators.tag(type_id))
        else:
            name = self._flat.name(type_id)
            if name in _ALIASES:
                self._write(f"typedef {_ALIASES[name]} {name}")
        self._done[2 * type_id] = self._done[2 * type_id + 1] = 1

    def _define(self, type_id: int, depth: int) -> None:
        if type_id in self._open:
            raise self._loop(type_id)
        self._open.add(type_id)
        done = self._done
        itself = 2 * type_id
        for needs in self._members_needs(type_id, 0):
            for need in needs:
                if not done[need] and need != itself:
                    self._require(need, depth + 1)
        self._write(self._declarators.struct(type_id, 0))
        done[itself] = done[itself + 1] = 1
        self._open.remove(type_id)

    def _define_typedef(self, type_id: int, complete: int, depth: int) -> None:
        at = self._flat.starts[type_id]
        target = self._flat.words[at + 2]
        key = 2 * type_id + complete
        if ~key in self._open:
            raise self._loop(type_id)
        self._open.add(~key)
        for need in self._needs_of(target, bool(complete)):
            if not self._done[need]:
                self._require(need, depth + 1)
        if not self._done[2 * type_id]:
            name = self._flat.name(type_id)
            if not target and name == "__gnuc_va_list":
                # Old gcc says that it is void.
                self._write(f"typedef __builtin_va_list {name}")
            elif name not in BUILT_IN:
                ours = self._declarators.ident(type_id)
                self._write(f"typedef {self._declarators.declare(target, ours, 0)}")
        self._done[2 * type_id] = self._done[key] = 1
        self._open.remove(~key)

    def _is_referenced(self, type_id: int) -> bool:
        if self._referenced is None:
            from .fields import IDS, ids_of

            flat = self._flat
            marks = self._referenced = bytearray(len(flat.starts))
            ends = flat.starts[2:]
            ends.append(len(flat.words))
            for at, end, kind in zip(flat.starts[1:], ends, flat.kinds[1:], strict=True):
                if IDS.get(kind):
                    for target in ids_of(kind, flat.words[at:end]):
                        marks[target] = 1
        return bool(self._referenced[type_id])

    def _loop(self, type_id: int) -> BtfError:
        kind = kind_name(self._flat.kinds[type_id])
        return BtfError(
            f"type [{type_id}] {kind} {self._flat.name(type_id)!r} contains itself, or is nested "
            f"deeper than {MAX_DEPTH}: C cannot say it",
            section=SECTION,
        )
