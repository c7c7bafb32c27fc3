"""The one owner of what generated code imports, and of the names it uses them by.

An import never takes a name away from the user's types: where a class of the generated module, or
a member of the class being written, is called like something imported, the import gives way and is
used as `_Name`. The same holds for the builtins that annotations need (`bytes`, `tuple` …), which a
field's name would hide from the annotations below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

from bpfgen_runtime.map_classes import every_class
from bpfgen_runtime.sections import PROGRAM_MODULES

__all__ = ["Imports", "isort_key", "link_class", "natural_key"]

_VALUES = (
    "Address CharArray Constant DataSection Global Struct Union array be bits bool8 byte_array "
    "char_array dataclass enum_of field f32 f64 i8 i16 i32 i64 i128 opaque pointer u8 u16 u32 u64 "
    "u128"
)


def link_class(program_class: str) -> str:
    """Give the class of the links that a program class makes; it is in the same module."""
    return f"{program_class.removesuffix('Program')}Link"


_BUILTINS = frozenset(
    {"bool", "bytes", "classmethod", "float", "int", "object", "property", "str", "tuple", "type"}
)

_MAPS = {one.name: f"bpfgen_runtime.{one.home.rpartition('.')[0]}" for one in every_class()}

_MODULES: dict[str, str] = {
    **dict.fromkeys(_VALUES.split(), "bpfgen_runtime.values"),
    "CEnum": "bpfgen_runtime.values.enums",
    **dict.fromkeys(("by_size", "by_tag"), "bpfgen_runtime.values.records"),
    **dict.fromkeys(("Items", "Part", "Parts", "View"), "bpfgen_runtime.values.view"),
    **_MAPS,
    "BuildIdFrame": "bpfgen_runtime.map",
    "StructOpsLink": "bpfgen_runtime.link.struct_ops",
    **{name: f"bpfgen_runtime.{module}" for name, module in PROGRAM_MODULES.items()},
    **{link_class(name): f"bpfgen_runtime.{module}" for name, module in PROGRAM_MODULES.items()},
    "Link": "bpfgen_runtime.link",
    **dict.fromkeys(
        (
            "EmbeddedObject",
            "LinkGroup",
            "MapGroup",
            "OpenMapGroup",
            "OpenProgramGroup",
            "OpenSkeleton",
            "ProgramGroup",
            "Skeleton",
        ),
        "bpfgen_runtime.skeleton",
    ),
    **dict.fromkeys(("MapSpec", "ProgramSpec"), "bpfgen_runtime.spec"),
    "Members": "bpfgen_runtime.skeleton",
    "SidecarObject": "bpfgen_runtime.sidecar",
    "ClassVar": "typing",
    "overload": "typing",
}

#: Needed by annotations only, hence imported under TYPE_CHECKING: classes of maps are imported when
#: a map is asked for, those of links by the program's.
_TYPING_ONLY = frozenset(
    {"BuildIdFrame", "ClassVar", "MapSpec", "Members", "ProgramSpec", "overload"}
    | {"Items", "Part", "Parts", "View"}
    | set(_MAPS)
    | {name for name in _MODULES if name.endswith("Link")}
)


class Imports:
    """Collects what one generated module imports while its text is being planned.

    Args:
        classes: the names of the module's own classes.
    """

    def __init__(self, classes: Iterable[str]) -> None:
        self._classes = frozenset(classes)
        self._used: set[tuple[str, str]] = set()  # (name, name in the module)

    def name(self, name: str, hidden: Set[str] = frozenset()) -> str:
        """Give the name by which to use an import or a builtin.

        Args:
            name: a name of the tables above.
            hidden: names of the members of the class in whose body it is used.
        """
        local = f"_{name}" if name in self._classes or name in hidden else name
        while local in hidden:  # a field called `_bytes` beside one called `bytes`
            local = f"_{local}"
        if name not in _BUILTINS or local != name:
            self._used.add((name, local))
        return local

    def lines(self) -> list[str]:
        """Give the import statements needed at run time, sorted as isort does."""
        return self._render(typing_only=False)

    def typing_lines(self) -> list[str]:
        """Give the import statements needed by annotations only."""
        return self._render(typing_only=True)

    def builtin_lines(self) -> list[str]:
        """Give the import statements for builtins that a member's name hides."""
        pairs = [pair for pair in self._used if pair[0] in _BUILTINS]
        return _statements("builtins", pairs)

    def _render(self, *, typing_only: bool) -> list[str]:
        modules: dict[str, list[tuple[str, str]]] = {}
        for name, local in self._used:
            if name not in _BUILTINS and (name in _TYPING_ONLY) == typing_only:
                modules.setdefault(_MODULES[name], []).append((name, local))
        lines: list[str] = []
        # Python's own come first, and a blank line behind them.
        for group in (modules.keys() & {"typing"}, modules.keys() - {"typing"}):
            lines += [""] if lines else []
            for module in sorted(group):
                lines += _statements(module, modules[module])
        return lines


def _statements(module: str, pairs: list[tuple[str, str]]) -> list[str]:
    """Write the imports from one module as isort does: a line for each that gets another name."""
    plain = sorted((name for name, local in pairs if name == local), key=isort_key)
    lines = [f"from {module} import {', '.join(plain)}"] if plain else []
    renamed = sorted((pair for pair in pairs if pair[0] != pair[1]), key=lambda p: isort_key(p[0]))
    lines += [f"from {module} import {name} as {local}" for name, local in renamed]
    # A module's lines go by the first name in each.
    return sorted(lines, key=lambda line: isort_key(line.split()[3].rstrip(",")))


def isort_key(name: str) -> tuple[object, ...]:
    """Order names as isort does: constants, classes, the rest; numbers by value (u8, u16)."""
    bare = name.lstrip("_")
    rank = 0 if name.isupper() and len(name) > 1 else 1 if bare[:1].isupper() else 2
    return rank, natural_key(name)


def natural_key(name: str) -> list[str | int]:
    """Order names by their characters, numbers by value; texts and numbers alternate."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
