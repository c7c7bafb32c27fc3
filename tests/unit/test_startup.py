"""What a process imports from its start until its programs are attached: the start-up budget."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.regenerate import Case

ROOT = Path(__file__).resolve().parents[2]

#: Each costs milliseconds: docs/architecture.md has the figures and the rule.
DENIED = {
    "argparse",
    "collections",
    "contextlib",
    "ctypes.util",
    "dataclasses",
    "elftools",
    "enum",
    "functools",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "re",
    "socket",
    "subprocess",
    "tempfile",
    "traceback",
    "typing",
    "warnings",
    "weakref",
}

SCRIPT = """
import sys
sys.path[:0] = {paths!r}
before = set(sys.modules)
{body}
print(" ".join(sorted(set(sys.modules) - before)))
"""

IMPORT = "from {module} import {name}"
OPEN = "opened = {name}.open()"
LOAD_AND_ATTACH = """
skel = opened.load()
skel.attach()
skel.destroy()
"""


def imported(case: Case, class_name: str, *steps: str) -> set[str]:
    """Run steps in a process of its own, without site-packages, and give what they imported."""
    body = "\n".join(steps).format(module=case.module.stem, name=class_name)
    paths = [str(ROOT / "runtime"), str(case.module.parent)]
    command = [sys.executable, "-I", "-S", "-c", SCRIPT.format(paths=paths, body=body)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def assert_within_budget(modules: set[str]) -> None:
    assert modules & DENIED == set()
    outside = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert {name for name in outside if not name.endswith("_skel")} == {"bpfgen_runtime"}


@pytest.mark.parametrize(
    ("name", "class_name"),
    [("globals", "Globals"), ("maps", "Maps"), ("events", "Tracer"), ("programs", "Programs")],
)
def test_import_and_open(name: str, class_name: str) -> None:
    """Importing and opening a skeleton imports nothing that is slow, and no third-party module."""
    assert_within_budget(imported(Case(name), class_name, IMPORT, OPEN))


def test_enums_are_the_exception() -> None:
    """A module with C enums needs `enum`, but not what `dataclasses` and `typing` need."""
    modules = imported(Case("scalars"), "Scalars", IMPORT, OPEN)
    assert "enum" in modules
    assert modules & {"dataclasses", "inspect", "re", "typing"} == set()


@pytest.mark.live
@pytest.mark.parametrize(
    ("name", "class_name"), [("globals", "Globals"), ("maps", "Maps"), ("events", "Tracer")]
)
def test_load_and_attach(name: str, class_name: str) -> None:
    """Loading and attaching a skeleton keeps to the same budget."""
    assert_within_budget(imported(Case(name), class_name, IMPORT, OPEN, LOAD_AND_ATTACH))


@pytest.mark.live
def test_load_by_plan() -> None:
    """An object with a plan is loaded without what reads and links objects, and map classes."""
    modules = imported(Case("events"), "Tracer", IMPORT, OPEN, LOAD_AND_ATTACH)
    parts = {name.split(".")[1] for name in modules if name.startswith("bpfgen_runtime.")}
    assert parts & {"elf", "btf", "loader", "relocate", "insn", "core"} == set()
    assert parts & {"map", "ringbuf", "errors_more"} == set()
    assert "bpfgen_runtime.uapi.const" not in modules


def test_package_is_lazy() -> None:
    """Importing the runtime's package imports no part of it until a name is used."""
    steps = ["import bpfgen_runtime"]
    modules = imported(Case("maps"), "Maps", *steps)
    assert {name for name in modules if name.startswith("bpfgen_runtime")} == {"bpfgen_runtime"}
    modules = imported(Case("maps"), "Maps", *steps, "bpfgen_runtime.ClosedError")
    assert {name for name in modules if name.startswith("bpfgen_runtime")} == {
        "bpfgen_runtime",
        "bpfgen_runtime.errors",
    }


def test_unknown_name_of_the_package() -> None:
    """The lazy package has no attributes but those it promises."""
    import bpfgen_runtime

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        bpfgen_runtime.nonsense  # type: ignore[attr-defined]  # noqa: B018
    assert set(bpfgen_runtime.__all__) <= set(dir(bpfgen_runtime))
