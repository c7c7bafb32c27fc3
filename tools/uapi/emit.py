"""Write the generated modules' text."""

from __future__ import annotations

from collections.abc import Iterable

from . import patches, tables
from .model import Composite, Member, Scalar, Vector

Enumerators = list[tuple[str, int]]


def const_module(header: str, enums: list[tuple[str, str, Enumerators, Enumerators]]) -> str:
    """Write const.py.

    Args:
        header: the first comment.
        enums: key, title, enumerators from BTF, newer ones from the patch table.
    """
    out = [f'"""The BPF UAPI\'s constants, under the kernel\'s names.\n\n{header}"""\n']
    seen: dict[str, int] = {}
    for key, title, known, newer in enums:
        if key in tables.ENUMS_ONLY:
            continue
        out.append(f"\n# {title}")
        out += _assignments(known, seen)
        if newer:
            out.append("# ... and of kernels newer than the one this was made from")
            out += _assignments(newer, seen)
    for reason, values in patches.DEFINES:
        out.append(f"\n# {reason}")
        out += _assignments(values.items(), seen)
    return "\n".join(out) + "\n"


def start_module(header: str, const: str) -> str:
    """Write start.py: the part of const.py, whose text is given, that every start needs."""
    lines = dict(line.split(" = ") for line in const.splitlines() if " = " in line)
    out = [f'"""The constants of `const` that every start needs.\n\n{header}"""\n']
    out += [f"{name} = {lines[name]}" for name in tables.START_UP_CONSTANTS]
    return "\n".join(out) + "\n"


def _assignments(values: Iterable[tuple[str, int]], seen: dict[str, int]) -> list[str]:
    lines = []
    for name, value in values:
        if seen.setdefault(name, value) != value:
            raise ValueError(f"{name} is both {seen[name]} and {value}")
        lines.append(f"{name} = {value:#x}" if value >= 1 << 16 else f"{name} = {value}")
    return lines


def enums_module(header: str, enums: dict[str, Enumerators]) -> str:
    """Write enums.py: one IntEnum per entry of `tables.ENUMS`."""
    names = sorted(name for name, _, _ in tables.ENUMS)
    out = [
        f'"""The BPF UAPI\'s enums for users: `const` less the common prefixes.\n\n{header}"""\n',
        "from __future__ import annotations\n",
        "from enum import IntEnum\n",
        "__all__ = [" + ", ".join(f'"{name}"' for name in names) + "]\n",
    ]
    for name, enum, prefix in tables.ENUMS:
        out.append(f'\nclass {name}(IntEnum):\n    """enum {enum}"""\n')
        for enumerator, value in enums[enum]:
            if not enumerator.startswith(prefix):
                raise ValueError(f"{enumerator} of enum {enum} does not start with {prefix}")
            out.append(f"    {enumerator[len(prefix):]} = {value}")
        out.append("")
    return "\n".join(out) + "\n"


class StructWriter:
    """Turns laid-out composites into ctypes classes, those they consist of first.

    Every byte belongs to a field: padding is spelled out, so that 32-bit machines lay the fields
    out as a 64-bit kernel does. An anonymous union of equal scalars becomes one field and aliases
    of it.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.ctypes: set[str] = set()
        self._classes: list[str] = []
        self._aliases: list[str] = []

    def add(self, name: str, composite: Composite, doc: str, *, unnamed: str = "") -> list[str]:
        """Write one class and those that it contains; return the annotations of its members.

        Args:
            name: the class, or for an unnamed part the class of the nearest part with a name.
            composite: what it is laid out like.
            doc: what it is in C.
            unnamed: what to add to the name for an unnamed part.
        """
        stem = name
        if unnamed:
            name = f"_{name}{unnamed}"
        else:
            self.names.append(name)
        base = "Union" if composite.is_union else "Structure"
        self.ctypes.add(base)
        fields: list[str] = []
        hints: list[str] = []
        anonymous: list[str] = []
        end = 0  # in bytes, of what the fields so far cover
        for member in composite.members:
            start = member.offset // 8
            if member.bits:  # the unit of the declared type that the bitfield lies in
                start -= start % member.type.size
            if not composite.is_union:
                self._pad(fields, end, start)
            end = max(end, start + member.type.size)
            if member.name or (isinstance(member.type, Composite) and _twins(member.type)):
                field, some = self._named(name, stem, member, doc)
            else:
                assert isinstance(member.type, Composite), f"{name} has an anonymous scalar"
                if _has_twins(member.type):
                    raise ValueError(f"{name}: aliases do not reach through an anonymous member")
                part = f"{unnamed}At{start}"
                some = self.add(stem, member.type, f"{doc}, unnamed part", unnamed=part)
                anonymous.append(f"_at{start}")
                field = f'("_at{start}", _{stem}{part})'
            fields.append(field)
            hints += some
        if not composite.is_union:
            self._pad(fields, end, composite.size)
        text = [f'class {name}({base}):\n    """{doc}"""\n']
        if anonymous:
            text.append("    _anonymous_ = (" + "".join(f'"{at}", ' for at in anonymous) + ")")
        text.append("    _fields_ = (" + "".join(f"{field}, " for field in fields) + ")\n")
        text.append("    if TYPE_CHECKING:")
        text += [f"        {hint}" for hint in hints]
        self._classes.append("\n".join(text))
        return hints

    def module(self, doc: str, tail: str = "") -> str:
        """Put the classes together as one module."""
        names = sorted(self.names)
        return "\n\n".join(
            [
                f'"""{doc}"""',
                "from __future__ import annotations",
                "from ctypes import " + ", ".join(sorted(self.ctypes, key=_by_width)),
                "TYPE_CHECKING = False",
                "__all__ = [" + ", ".join(f'"{name}"' for name in names) + "]",
                *self._classes,
                "# Names for the same bytes.\n" + "\n".join(self._aliases) if self._aliases else "",
                tail,
            ]
        )

    def _named(self, owner: str, stem: str, member: Member, doc: str) -> tuple[str, list[str]]:
        """Return the `_fields_` entry and the annotations of a member with a name."""
        kind = member.type
        if isinstance(kind, Composite) and not member.name:
            first, *others = kind.members
            entry, hints = self._named(owner, stem, first, doc)
            for other in others:
                self._aliases.append(f"{owner}.{other.name} = {owner}.{first.name}")
                hints += self._named(owner, stem, other, doc)[1]
            return entry, hints
        if isinstance(kind, Composite):
            inner = stem + "".join(part.capitalize() for part in member.name.split("_"))
            self.add(inner, kind, f"{doc.removesuffix(', unnamed part')}: {member.name}")
            return f'("{member.name}", {inner})', [f"{member.name}: {inner}"]
        if isinstance(kind, Vector):
            element = "c_char" if kind.is_char else self._scalar(kind.element)
            self.ctypes |= {element} if kind.is_char else {element, "Array"}
            hint = "bytes" if kind.is_char else f"Array[{element}]"
            return f'("{member.name}", {element} * {kind.count})', [f"{member.name}: {hint}"]
        width = f", {member.bits}" if member.bits else ""
        return f'("{member.name}", {self._scalar(kind)}{width})', [f"{member.name}: int"]

    def _scalar(self, scalar: Scalar) -> str:
        name = f"c_{'' if scalar.signed else 'u'}int{scalar.size * 8}"
        self.ctypes.add(name)
        return name

    def _pad(self, fields: list[str], end: int, start: int) -> None:
        if end < start:
            self.ctypes.add("c_uint8")
            fields.append(f'("_pad{end}", c_uint8 * {start - end})')


def _by_width(name: str) -> tuple[str, int]:
    """Sort c_uint8 before c_uint32, as isort does."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


def _twins(composite: Composite) -> bool:
    """Tell whether this is a union of scalars of one type."""
    kinds = {member.type for member in composite.members}
    return composite.is_union and len(kinds) == 1 and isinstance(kinds.pop(), Scalar)


def _has_twins(composite: Composite) -> bool:
    return any(
        isinstance(member.type, Composite) and not member.name and _twins(member.type)
        for member in composite.members
    )
