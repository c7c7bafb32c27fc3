"""Each public name has one home, and what a module promises in `__all__` is there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.unit.test_imports import RUNTIME, SOURCES, modules

MODULES = [(module, path) for module, path in modules() if path.stem != "__main__"]


def promised(path: Path) -> list[str] | None:
    """Read `__all__` off the source; None where the module has none."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def defined_classes(path: Path) -> set[str]:
    body = ast.parse(path.read_text()).body
    return {
        node.name
        for node in body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


@pytest.mark.parametrize(("module", "path"), MODULES, ids=[module for module, _ in MODULES])
def test_promised_names_are_there(module: str, path: Path) -> None:
    """Every name in `__all__` is there once and can be fetched from the module."""
    names = promised(path) or []
    assert len(names) == len(set(names))
    loaded = importlib.import_module(module)
    assert [name for name in names if not hasattr(loaded, name)] == []


#: Names that C or the kernel gives to two views of one thing; modules tell them apart.
SHARED = {
    "Array": "a BTF kind, and the codec of its values",
    "Enum": "a BTF kind, and the codec of its values",
    "Struct": "a BTF kind, and the base of its values' classes",
    "Union": "a BTF kind, and the base of its values' classes",
    "LinkInfo": "the kernel's struct, and what users get of it",
}


@pytest.mark.parametrize("package", sorted(SOURCES))
def test_class_has_one_home(package: str) -> None:
    """No two modules define public classes of one name: other places re-export it."""
    homes: dict[str, list[str]] = {}
    for module, path in MODULES:
        if module.split(".")[0] == package:
            for name in defined_classes(path):
                homes.setdefault(name, []).append(module)
    assert {
        name: where for name, where in homes.items() if len(where) > 1 and name not in SHARED
    } == {}


def test_top_level_names_are_those_of_their_homes() -> None:
    """What the runtime's package offers for convenience is the object that its home defines."""
    top = importlib.import_module(RUNTIME)
    folder = SOURCES[RUNTIME]
    for name in promised(folder / "__init__.py") or []:
        thing = getattr(top, name)
        home = getattr(thing, "__module__", None)
        if home is not None:
            assert getattr(importlib.import_module(home), name) is thing


def test_type_checkers_see_the_same_names() -> None:
    """The lazy package names for type checkers (`X as X`) just what `__all__` promises."""
    path = SOURCES[RUNTIME] / "__init__.py"
    seen = {
        alias.asname
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname is not None and alias.asname == alias.name
    }
    names = {name for name in promised(path) or [] if not name.startswith("__")}
    assert seen == names
