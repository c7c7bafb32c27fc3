"""The text of C declarations: names, qualifiers, pointers, arrays, prototypes, and bodies."""

from __future__ import annotations

from ..errors import BtfError
from .btf import Btf
from .flat import embedded, flat_of
from .parse import SECTION
from .placement import UNITS, Places
from .types import (
    BTF_KIND_ARRAY,
    BTF_KIND_CONST,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FLOAT,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_FWD,
    BTF_KIND_INT,
    BTF_KIND_PTR,
    BTF_KIND_RESTRICT,
    BTF_KIND_STRUCT,
    BTF_KIND_TYPE_TAG,
    BTF_KIND_TYPEDEF,
    BTF_KIND_UNION,
    BTF_KIND_VOLATILE,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    #: What stands left of a declaration's name, the id of the nameless type whose body comes in
    #: there, what is left of the name behind that, and what is right of it.
    _Chain = tuple[str, int | None, str, str]

_QUALIFIERS = {
    BTF_KIND_CONST: "const",
    BTF_KIND_VOLATILE: "volatile",
    BTF_KIND_RESTRICT: "restrict",
}
#: Typedefs that every compiler has, and may have otherwise: what they stand for is written.
BUILT_IN = frozenset(("__builtin_va_list",))
_ENUMS = (BTF_KIND_ENUM, BTF_KIND_ENUM64)
_AROUND = (BTF_KIND_ARRAY, BTF_KIND_FUNC_PROTO)
#: Pointers and arrays of one declaration.
_MAX_CHAIN = 128
#: Bodies within bodies.
_MAX_LEVEL = 64
#: Declarations, written ones and parameters, for each word of the types: what is behind that comes
#: of nameless types that others use again and again, whose text would not end.
_PER_WORD = 16
#: Types whose declarations are kept, to be put around other names.
_KEPT_CHAINS = 1 << 12


class Declarators:
    """Declarations of a BTF's types; each name is given out as C needs it, once.

    Args:
        brief: without qualifiers, type tags, and the bodies of nameless types.
    """

    def __init__(self, btf: Btf, *, brief: bool = False) -> None:
        self._flat = flat = flat_of(btf)
        self._brief = brief
        self._places = Places(flat, btf.pointer_size)
        self._left = 10000 + _PER_WORD * len(flat.words)
        self._depth = 0
        #: Names of structs, unions and enums: which of the three it is, and of which of them
        #: nothing is defined yet.
        self._tags: dict[str, str] = {}
        self._only_declared: set[str] = set()
        self._tag_counts: dict[str, int] = {}
        self._idents: set[str] = set()
        self._ident_counts: dict[str, int] = {}
        #: By type id, whether its name has been given out; those that got another than their own.
        self._given = bytearray(len(flat.starts))
        self._renamed: dict[int, str] = {}
        self._chains: dict[int, _Chain] = {}

    def tag(self, type_id: int) -> str:
        """Return `struct name` for a STRUCT, UNION, ENUM or FWD."""
        flat = self._flat
        word = self._word(type_id)
        if not self._given[type_id]:
            kind = flat.kinds[type_id]
            info = flat.words[flat.starts[type_id] + 1]
            declared = kind == BTF_KIND_FWD or (kind in _ENUMS and not info & 0xFFFFFF)
            self._give(type_id, self._unique_tag(flat.name(type_id), word, declared))
        return f"{word} {self._renamed.get(type_id) or flat.name(type_id)}"

    def _give(self, type_id: int, name: str) -> None:
        self._given[type_id] = 1
        if name != self._flat.name(type_id):
            self._renamed[type_id] = name

    def _word(self, type_id: int) -> str:
        kind = self._flat.kinds[type_id]
        if kind == BTF_KIND_FWD:
            info = self._flat.words[self._flat.starts[type_id] + 1]
            return "union" if info >> 31 else "struct"
        if kind in _ENUMS:
            return "enum"
        return "union" if kind == BTF_KIND_UNION else "struct"

    def _unique_tag(self, name: str, word: str, declared: bool) -> str:
        tags = self._tags
        if tags.get(name) == word:
            if declared:
                return name
            if name in self._only_declared:
                self._only_declared.remove(name)
                return name
        unique = _unique(name, tags, self._tag_counts)
        tags[unique] = word
        if declared:
            self._only_declared.add(unique)
        return unique

    def ident(self, type_id: int) -> str:
        """Return a TYPEDEF's name."""
        if not self._given[type_id]:
            self._give(type_id, self._unique_ident(self._flat.name(type_id)))
        return self._renamed.get(type_id) or self._flat.name(type_id)

    def _unique_ident(self, name: str) -> str:
        # Typedefs and enumerators are in one name space.
        unique = _unique(name, self._idents, self._ident_counts)
        self._idents.add(unique)
        return unique

    def declare(self, type_id: int, name: str, level: int) -> str:
        """Return the declaration of a name, "" for the type alone, without the semicolon.

        Args:
            level: how many bodies it is in, for the indentation of a nameless type's.
        """
        self._enter(type_id, level)
        chain = self._chains.get(type_id)
        if chain is None:
            chain = self._chain(type_id, level)
        head, nameless, left, right = chain
        if nameless is not None:
            head += self._body(nameless, level) + (" " if left or name else "")
        self._depth -= 1
        return f"{head}{left}{name}{right}" if name else f"{(head + left).rstrip(' ')}{right}"

    def _enter(self, type_id: int, level: int) -> None:
        self._left -= 1
        self._depth += 1
        if self._left < 0 or level > _MAX_LEVEL or self._depth > _MAX_CHAIN:
            raise BtfError(
                f"type [{type_id}] is within nameless types that are nested deeper than "
                f"{_MAX_LEVEL}, or used so often that their text does not end",
                section=SECTION,
            )

    def _nameless(self, type_id: int, level: int) -> str:
        """Return a member without name, whose members are in C the struct's own.

        C has that of structs without a tag alone. Where one has a name, as in kernels built with
        -fms-extensions, its body is written out, or else it would declare nothing.
        """
        named = embedded(self._flat, type_id)
        if not named:
            return self.declare(type_id, "", level)
        self._enter(type_id, level)
        text = self.struct(named, level, tagged=False)
        self._depth -= 1
        return text

    def _body(self, type_id: int, level: int) -> str:
        if self._flat.kinds[type_id] in (BTF_KIND_STRUCT, BTF_KIND_UNION):
            return self.struct(type_id, level)
        return self.enum(type_id, level)

    def _chain(self, type_id: int, level: int) -> _Chain:
        """Go from the declared thing to the type at the end, and put together what is around it."""
        flat = self._flat
        words, starts, kinds = flat.words, flat.starts, flat.kinds
        left = right = qualifiers = ""
        keep = True
        at_id = type_id
        for _ in range(_MAX_CHAIN):
            kind = kinds[at_id]
            at = starts[at_id]
            if kind == BTF_KIND_PTR:
                left = f"*{' ' if qualifiers else ''}{qualifiers}{left}"
                qualifiers = ""
                at_id = words[at + 2]
                if self._behind_qualifiers(at_id) in _AROUND:
                    left, right = f"({left}", f"{right})"
            elif self._brief and (kind in _QUALIFIERS or kind == BTF_KIND_TYPE_TAG):
                at_id = words[at + 2]
            elif kind in _QUALIFIERS:
                qualifiers = f"{_QUALIFIERS[kind]} {qualifiers}"
                at_id = words[at + 2]
            elif kind == BTF_KIND_TYPE_TAG:
                tag = flat.names[words[at]]
                if not words[at + 1] >> 31:
                    tag = f"btf_type_tag({_quoted(tag)})"
                left = f"__attribute__(({tag})) {qualifiers}{left}"
                qualifiers = ""
                at_id = words[at + 2]
            elif kind == BTF_KIND_TYPEDEF and flat.name(at_id) in BUILT_IN:
                at_id = words[at + 2]
            elif kind == BTF_KIND_ARRAY:
                qualifiers = ""  # gcc gives its elements' once more
                right += f"[{words[at + 5]}]"
                at_id = words[at + 3]
            elif kind == BTF_KIND_FUNC_PROTO:
                qualifiers = ""  # gcc's volatile is its noreturn
                params, plain = self._params(at, level)
                keep &= plain
                right += f"({params})"
                at_id = words[at + 2]
            else:
                break
        else:
            raise BtfError(
                f"type [{type_id}] refers to itself, or through more than {_MAX_CHAIN} others",
                section=SECTION,
            )
        head = self._end_of_chain(at_id)
        if isinstance(head, str):
            chain: _Chain = (f"{qualifiers}{head} ", None, left, right)
        else:
            chain = (qualifiers, head, left, right)
        if keep:
            if len(self._chains) >= _KEPT_CHAINS:
                self._chains.clear()
            self._chains[type_id] = chain
        return chain

    def _end_of_chain(self, type_id: int) -> str | int:
        kind = self._flat.kinds[type_id]
        if not type_id:
            return "void"
        if kind in (BTF_KIND_INT, BTF_KIND_FLOAT):
            return self._flat.name(type_id)
        if kind == BTF_KIND_TYPEDEF:
            return self.ident(type_id)
        if kind in (BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_ENUM, BTF_KIND_ENUM64, BTF_KIND_FWD):
            if self._flat.name(type_id):
                return self.tag(type_id)
            return self._word(type_id) if self._brief else type_id
        raise BtfError(
            f"type [{type_id}], a {kind_name(kind)}, is where C has a type", section=SECTION
        )

    def _behind_qualifiers(self, type_id: int) -> int:
        flat = self._flat
        for _ in range(_MAX_CHAIN):
            kind = flat.kinds[type_id]
            built_in = kind == BTF_KIND_TYPEDEF and flat.name(type_id) in BUILT_IN
            if kind not in _QUALIFIERS and kind != BTF_KIND_TYPE_TAG and not built_in:
                return kind
            type_id = flat.words[flat.starts[type_id] + 2]
        return 0  # a loop, which is found elsewhere

    def _params(self, at: int, level: int) -> tuple[str, bool]:
        """Return the text between a prototype's parentheses, and whether it is always the same."""
        words, names = self._flat.words, self._flat.names
        last = (words[at + 1] & 0xFFFFFF) - 1
        texts = []
        plain = True
        for number in range(last + 1):
            name, type_id = words[at + 3 + 2 * number], words[at + 4 + 2 * number]
            if type_id or number < last:
                texts.append(self.declare(type_id, names[name], level))
                chain = self._chains.get(type_id)
                plain &= chain is not None and chain[1] is None
            else:
                texts.append("..." if number else "void")
        return ", ".join(texts) or "void", plain

    def enum(self, type_id: int, level: int) -> str:
        """Return an enum with its enumerators; without any it is only declared."""
        words, at = self._flat.words, self._flat.starts[type_id]
        names = self._flat.names
        info, size = words[at + 1], words[at + 2]
        vlen = info & 0xFFFFFF
        head = self.tag(type_id) if words[at] else "enum"
        if not vlen:
            return head
        large = info >> 24 & 0x7F == BTF_KIND_ENUM64
        step = 3 if large else 2
        end = at + 3 + step * vlen
        values = list(words[at + 4 : end : step])
        if large:
            values = [v | h << 32 for v, h in zip(values, words[at + 5 : end : 3], strict=True)]
        bits = 64 if large else 32
        if info >> 31:
            values = [value - (value >> bits - 1 << bits) for value in values]
        suffix = ("LL" if info >> 31 else "ULL") if large else ""
        indent = "\t" * (level + 1)
        self._left -= vlen
        lines = [
            f"{indent}{self._unique_ident(names[name])} = {value}{suffix},"
            for name, value in zip(words[at + 3 : end : step], values, strict=True)
        ]
        wide = any(not -(1 << 31) <= value < 1 << 32 for value in values)
        mode = {1: "byte", 2: "HI", 8: "" if wide else "word"}.get(size, "")
        attribute = f" __attribute__((mode({mode})))" if mode else ""
        return "\n".join([f"{head} {{", *lines, f"{indent[:-1]}}}{attribute}"])

    def struct(self, type_id: int, level: int, *, tagged: bool = True) -> str:
        """Return a struct or union with its members.

        Args:
            tagged: with its name, if it has one.
        """
        flat = self._flat
        if tagged and flat.words[flat.starts[type_id]]:
            head = self.tag(type_id)
        else:
            head = "struct" if flat.kinds[type_id] == BTF_KIND_STRUCT else "union"
        lines = [f"{head} {{"]
        indent = "\t" * (level + 1)
        declare, names = self.declare, flat.names
        lay, attribute = self._places.members(type_id)
        for name, member, width in lay:
            if member < 0:
                lines.append(f"{indent}{UNITS[-member]}: {width};")
            elif width:
                lines.append(f"{indent}{declare(member, names[name], level + 1)}: {width};")
            elif name:
                lines.append(f"{indent}{declare(member, names[name], level + 1)};")
            else:
                lines.append(f"{indent}{self._nameless(member, level + 1)};")
        if len(lines) == 1:
            return f"{lines[0]}}}{attribute}"
        lines.append(f"{indent[:-1]}}}{attribute}")
        return "\n".join(lines)


def _unique(name: str, taken: Container[str], counts: dict[str, int]) -> str:
    """Return a name, or the next of `name___2`, `name___3`, … if that is taken."""
    if name not in taken:
        return name
    count = counts.get(name, 1) + 1
    while (other := f"{name}___{count}") in taken:
        count += 1
    counts[name] = count
    return other


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
