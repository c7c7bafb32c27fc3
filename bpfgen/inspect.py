"""What a BPF object contains, as facts, as JSON, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from bpfgen_runtime.btf import Func, Var
from bpfgen_runtime.spec import MapSpec, ObjectSpec, ProgramSpec
from bpfgen_runtime.uapi import const

from .text import printable

__all__ = ["as_json", "as_tables", "describe"]

#: Of `describe`: raised when a key goes or changes its meaning, not when one is added.
FORMAT = 1

_INSN_SIZE = 8

_MAP_FLAGS = [
    "BPF_F_NO_PREALLOC",
    "BPF_F_NO_COMMON_LRU",
    "BPF_F_NUMA_NODE",
    "BPF_F_RDONLY",
    "BPF_F_WRONLY",
    "BPF_F_STACK_BUILD_ID",
    "BPF_F_ZERO_SEED",
    "BPF_F_RDONLY_PROG",
    "BPF_F_WRONLY_PROG",
    "BPF_F_CLONE",
    "BPF_F_MMAPABLE",
    "BPF_F_PRESERVE_ELEMS",
    "BPF_F_INNER_MAP",
]


def describe(spec: ObjectSpec) -> dict[str, Any]:
    """Give the facts about an object, as plain values.

    The keys are those of `bpfgen inspect --json`, which scripts rely on.
    """
    return {
        "format": FORMAT,
        "name": spec.name,
        "byte_order": "little" if spec.byte_order == "<" else "big",
        "license": spec.license,
        "kern_version": spec.kern_version,
        "programs": [_program(each) for each in spec.programs.values()],
        "subprograms": [
            {"name": each.name, "instructions": each.insn_count, "size": len(each.code)}
            for each in spec.subprograms
        ],
        "maps": [_map(spec, each) for each in spec.maps.values()],
        "globals": [
            {
                "name": each.name,
                "section": each.section,
                "type": _c_type(spec, each.type_id),
                "offset": each.offset,
                "size": each.size,
                "static": each.is_static,
            }
            for each in spec.variables.values()
        ],
        "externs": [
            {
                "name": each.name,
                "section": each.section,
                "type": _c_type(spec, each.type_id),
                "weak": each.is_weak,
            }
            for each in spec.externs.values()
        ],
        "unsupported": sorted(
            {*spec.unsupported, *(each.unsupported for each in spec.maps.values())} - {""}
        ),
    }


def _program(spec: ProgramSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "section": spec.section,
        "type": _enumerator("BPF_PROG_TYPE_", spec.prog_type),
        "attach_type": _attach_type(spec),
        "attach_target": spec.attach_target,
        "autoload": spec.autoload,
        "instructions": spec.insn_count,
        "size": len(spec.code),
    }


def _map(spec: ObjectSpec, each: MapSpec) -> dict[str, Any]:
    return {
        "name": each.name,
        "type": _enumerator("BPF_MAP_TYPE_", each.map_type),
        "key": _c_type(spec, each.key_type_id),
        "key_size": each.key_size,
        "value": None if each.is_data else _c_type(spec, each.value_type_id),
        "value_size": each.value_size,
        "max_entries": each.max_entries,
        "flags": _flags(each.map_flags),
    }


def _c_type(spec: ObjectSpec, type_id: int) -> str | None:
    """Spell a type; of a variable or function, its own. None where the object gives none."""
    if not type_id or spec.btf is None:
        return None
    kind = spec.btf.type(type_id)
    return spec.btf.c_name(kind.type if isinstance(kind, (Var, Func)) else type_id)


def _enumerator(prefix: str, value: int) -> str:
    """Name a number as the kernel's header does, without the prefix."""
    names = [
        name.removeprefix(prefix)
        for name, number in vars(const).items()
        if name.startswith(prefix) and number == value and not name.startswith("__")
    ]
    return names[0].lower() if names else str(value)


def _attach_type(spec: ProgramSpec) -> str | None:
    """Name the attach type; None where the section gives none, since 0 is also one of them."""
    from bpfgen_runtime.sections import find
    from bpfgen_runtime.uapi.enums import AttachType

    definition = find(spec.section)[0]
    if definition is None or not (spec.expected_attach_type or definition.flags):
        return None
    try:
        return AttachType(spec.expected_attach_type).name.lower()
    except ValueError:
        return str(spec.expected_attach_type)


def _flags(flags: int) -> list[str]:
    names = []
    for name in _MAP_FLAGS:
        bit = getattr(const, name)
        if flags & bit:
            names.append(name)
            flags &= ~bit
    return names + ([hex(flags)] if flags else [])


def as_json(facts: dict[str, Any]) -> str:
    """Write the facts for scripts."""
    return json.dumps(facts, indent=2) + "\n"


def as_tables(facts: dict[str, Any], width: int | None) -> str:
    """Write the facts for people.

    Args:
        width: of the tables, in columns; None for the terminal's.
    """
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def table(title: str, columns: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Print one table; columns that end in `>` are of numbers."""
        rows = list(rows)
        if not rows:
            return
        grid = Table(title=title, title_justify="left", title_style="bold")
        for column in columns.split():
            grid.add_column(
                column.rstrip(">").replace("_", " "),
                justify="right" if column.endswith(">") else "left",
                overflow="fold",
            )
        for row in rows:
            # Text, not markup: `[1]` in a C type is no style.
            grid.add_row(*[Text("" if cell is None else printable(str(cell))) for cell in row])
        console.print(grid)

    buffer = StringIO()
    console = Console(file=buffer, width=width, force_terminal=width is None, highlight=False)
    license = printable(facts["license"]) or "none"
    console.print(Text(f"{facts['name']}: {facts['byte_order']}-endian, license {license}"))
    table(
        "Programs",
        "name section type attach_type insns> bytes>",
        (
            (p["name"], p["section"], p["type"], p["attach_type"], p["instructions"], p["size"])
            for p in facts["programs"]
        ),
    )
    table(
        "Subprograms",
        "name insns> bytes>",
        ((p["name"], p["instructions"], p["size"]) for p in facts["subprograms"]),
    )
    table(
        "Maps",
        "name type key value max_entries> flags",
        (
            (
                m["name"],
                m["type"],
                _typed(m["key"], m["key_size"]),
                _typed(m["value"], m["value_size"]),
                m["max_entries"],
                " ".join(m["flags"]),
            )
            for m in facts["maps"]
        ),
    )
    table(
        "Globals",
        "name section type bytes>",
        ((v["name"], v["section"], v["type"], v["size"]) for v in facts["globals"]),
    )
    table(
        "Externs",
        "name section type weak",
        (
            (e["name"], e["section"], e["type"], "yes" if e["weak"] else "")
            for e in facts["externs"]
        ),
    )
    if facts["unsupported"]:
        console.print(Text(f"cannot be loaded yet: {', '.join(facts['unsupported'])}"))
    return buffer.getvalue()


def _typed(c_type: str | None, size: int) -> str:
    return c_type or (f"{size} bytes" if size else "")
