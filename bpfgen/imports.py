"""The one owner of what generated code imports, and of the names it uses them by.

An import never takes a name away from the user's types: where a class of the generated module, or
a member of the class being written, is called like something imported, the import gives way and is
used as `_Name`. The same holds for the builtins that annotations need (`bytes`, `tuple` …), which a
field's name would hide from the annotations below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

from bpfgen_runtime.sections import PROGRAM_MODULES

__all__ = ["Imports", "link_class"]

_VALUES = (
    "Address CharArray Constant DataSection Global Struct array be bool8 byte_array char_array "
    "dataclass enum_of f32 f64 i8 i16 i32 i64 i128 opaque pointer u8 u16 u32 u64 u128"
)


def link_class(program_class: str) -> str:
    """Give the class of the links that a program class makes; it is in the same module."""
    return f"{program_class.removesuffix('Program')}Link"


_BUILTINS = frozenset({"bool", "bytes", "classmethod", "float", "int", "str", "tuple", "type"})

_MODULES: dict[str, str] = {
    **dict.fromkeys(_VALUES.split(), "bpfgen_runtime.values"),
    "CEnum": "bpfgen_runtime.values.enums",
    **dict.fromkeys(
        ("ArrayMap", "HashMap", "Map", "PerCpuArrayMap", "PerCpuHashMap"), "bpfgen_runtime.map"
    ),
    "RingBuf": "bpfgen_runtime.ringbuf",
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
}

#: Needed by annotations only, hence imported under TYPE_CHECKING.
_TYPING_ONLY = frozenset({"MapSpec", "ProgramSpec"})


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
        return [_statement("builtins", pairs)] if pairs else []

    def _render(self, *, typing_only: bool) -> list[str]:
        modules: dict[str, list[tuple[str, str]]] = {}
        for name, local in self._used:
            if name not in _BUILTINS and (name in _TYPING_ONLY) == typing_only:
                modules.setdefault(_MODULES[name], []).append((name, local))
        return [_statement(module, modules[module]) for module in sorted(modules)]


def _statement(module: str, pairs: list[tuple[str, str]]) -> str:
    parts = [
        name if name == local else f"{name} as {local}" for name, local in sorted(pairs, key=_order)
    ]
    return f"from {module} import {', '.join(parts)}"


def _order(pair: tuple[str, str]) -> tuple[object, ...]:
    """isort's order: constants, classes, then the rest; numbers by value (u8 before u16)."""
    name, local = pair
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    return rank, parts, local
