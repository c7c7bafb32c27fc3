"""The import directions of docs/architecture.md, read off the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = "bpfgen_runtime"
SOURCES = {RUNTIME: ROOT / "runtime" / RUNTIME, "bpfgen": ROOT / "bpfgen"}

#: Left never imports from right; within one group anything goes.
LAYERS = (
    ("errors", "errors_more", "report", "verifier"),
    ("abi", "uapi", "values"),
    ("sys", "host", "elf", "insn", "disasm", "map_classes", "sections"),
    ("btf",),
    ("core", "spec", "spec_more", "loader", "linker"),
    ("features", "sanitize", "arg_ctx"),
    ("attach_target", "core_target", "externs", "kernel_types", "linked", "relocate"),
    ("plan",),
    ("map", "program"),
    ("load", "load_maps", "object"),
    (
        "link",
        "stream",
        "ringbuf",
        "userringbuf",
        "perfbuf",
        "perfmem",
        "poller",
        "usdt",
        "struct_ops",
    ),
    ("skeleton", "sidecar"),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

#: Bytes in, values out, the same on every machine.
PURE = {
    "errors",
    "errors_more",
    "report",
    "verifier",
    "abi",
    "uapi",
    "values",
    "elf",
    "insn",
    "disasm",
    "map_classes",
    "sections",
    "btf",
}
PURE |= {"core", "spec", "spec_more", "loader", "linker", "linked", "relocate", "plan"}
IMPURE_MODULES = {f"{RUNTIME}.btf.kernel"}

#: What reaches into the operating system beyond reading files.
SYSTEM = {"fcntl", "mmap", "select", "selectors", "socket", "signal", "subprocess"}

THIRD_PARTY = {"elftools", "jinja2", "black", "click", "rich", "numpy", "pyroute2", "hypothesis"}


class Import(NamedTuple):
    """One import: `module` imports `target`, both absolute; for type checkers only or for real."""

    module: str
    target: str
    line: int
    typing_only: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def part(module: str) -> str:
    """Give the part of the architecture: the first name below the package, "" for the package."""
    return module.partition(".")[2].partition(".")[0]


def is_pure(module: str) -> bool:
    return part(module) in PURE and module not in IMPURE_MODULES


def modules() -> list[tuple[str, Path]]:
    found = []
    for package, folder in SOURCES.items():
        for path in sorted(folder.rglob("*.py")):
            names = (package, *path.relative_to(folder).with_suffix("").parts)
            found.append((".".join(name for name in names if name != "__init__"), path))
    return found


def imports_in(module: str, path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(), str(path))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = {name for name, _ in modules()}
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:
        node, typing_only = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, typing_only)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                target = inner if inner in names else base
                yield Import(module, target, node.lineno, typing_only)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending += [(child, True) for child in node.body]
            pending += [(child, typing_only) for child in node.orelse]
            continue
        pending += [(child, typing_only) for child in ast.iter_child_nodes(node)]


EVERY = [found for module, path in modules() for found in imports_in(module, path)]


def of(package: str) -> list[Import]:
    return [one for one in EVERY if one.module.split(".")[0] == package]


def inside(imports: list[Import], package: str) -> list[Import]:
    return [one for one in imports if one.target.split(".")[0] == package]


def test_every_part_has_a_place() -> None:
    """Each module and package of the runtime stands in the architecture's list of layers."""
    parts = {part(module) for module, _ in modules() if module.startswith(f"{RUNTIME}.")}
    assert parts - set(RANK) == set()


def test_imports_point_down() -> None:
    """No part of the runtime imports, at run time, one that stands right of it.

    Annotations may name anything, and the package itself, which re-exports all parts, is exempt.
    """
    wrong = [
        str(one)
        for one in inside(of(RUNTIME), RUNTIME)
        if not one.typing_only
        and one.module != RUNTIME
        and RANK.get(part(one.target), len(LAYERS)) > RANK[part(one.module)]
    ]
    assert wrong == []


def test_pure_part_imports_only_pure() -> None:
    """The pure part imports no module that reaches into the kernel, ours or Python's."""
    wrong = [
        str(one)
        for one in of(RUNTIME)
        if is_pure(one.module)
        and not one.typing_only
        and (
            one.target.split(".")[0] in SYSTEM
            or (one.target.startswith(f"{RUNTIME}.") and not is_pure(one.target))
        )
    ]
    assert wrong == []


def test_runtime_never_imports_generator() -> None:
    """The runtime imports nothing of the generator, not even for annotations."""
    assert [str(one) for one in inside(of(RUNTIME), "bpfgen")] == []


def test_generator_imports_only_pure_part() -> None:
    """The generator runs where there is no kernel: it imports only the runtime's pure part."""
    wrong = [
        str(one)
        for one in inside(of("bpfgen"), RUNTIME)
        if not is_pure(one.target) and not one.typing_only
    ]
    assert wrong == []


def test_pyelftools_in_one_module() -> None:
    """Only elf/reader.py and elf/dwarf.py import pyelftools."""
    users = {one.module for one in EVERY if one.target.split(".")[0] == "elftools"}
    assert users <= {f"{RUNTIME}.elf.reader", f"{RUNTIME}.elf.dwarf"}


def test_numpy_in_one_module() -> None:
    """Only values/dtype.py imports NumPy, in a function: it is an option."""
    users = {
        one.module for one in EVERY if one.target.split(".")[0] == "numpy" and not one.typing_only
    }
    assert users == {f"{RUNTIME}.values.dtype"}
    code = f"import sys, {RUNTIME}.map.columns; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-I", "-c", code], check=False).returncode == 0


def test_runtime_needs_nothing_else() -> None:
    """Beyond pyelftools, and NumPy and rich where they are there, no third-party module is used."""
    users = {
        str(one)
        for one in of(RUNTIME)
        if one.target.split(".")[0] in THIRD_PARTY - {"elftools", "numpy"}
        and not one.typing_only
        and one.module != f"{RUNTIME}.report"  # which does without rich, too
    }
    assert users == set()


@pytest.mark.parametrize("name", ["CDLL", "PyDLL", "pythonapi", "cdll"])
def test_foreign_calls_only_in_sys(name: str) -> None:
    """Only the modules of sys/ call C functions through ctypes."""
    users = {
        module
        for module, path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.alias) and node.name == name)
    }
    assert {user for user in users if not user.startswith(f"{RUNTIME}.sys.")} == set()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import os.path", ("os.path", False)),
        ("from bpfgen_runtime import errors", ("bpfgen_runtime.errors", False)),
        ("from bpfgen_runtime.errors import BpfError", ("bpfgen_runtime.errors", False)),
        ("from . import errors", ("bpfgen_runtime.errors", False)),
        ("from ..x import y", ("bpfgen_runtime.x", False)),
        ("if TYPE_CHECKING:\n    import enum", ("enum", True)),
        ("def f():\n    import enum", ("enum", False)),
    ],
)
def test_reader_of_imports(line: str, expected: tuple[str, bool], tmp_path: Path) -> None:
    """The reader that these tests rest on resolves every form of import to the module it names."""
    path = tmp_path / "m.py"
    path.write_text(line)
    package = f"{RUNTIME}.sub.m" if ".." in line else f"{RUNTIME}.m"
    found = [(one.target, one.typing_only) for one in imports_in(package, path)]
    assert found == [expected]


@pytest.mark.parametrize(
    ("statement", "spared"),
    [
        ("from bpfgen_runtime.uapi.attr import MapCreateAttr", "bpfgen_runtime.uapi.attr_more"),
        ("from bpfgen_runtime.sys.bpf import map_create", "bpfgen_runtime.sys.bpf_more"),
        ("import bpfgen_runtime.link", "bpfgen_runtime.program"),
        ("import bpfgen_runtime.link.tracepoint", "bpfgen_runtime.link.xdp"),
        ("import bpfgen_runtime.link.tracepoint", "dataclasses"),
        ("import bpfgen_runtime.link.tracepoint", "enum"),
    ],
)
def test_start_up_is_spared(statement: str, spared: str) -> None:
    """What is for later, or for other families, is not imported along."""
    code = f"import sys; {statement}; sys.exit({spared!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-I", "-c", code], check=False).returncode == 0
