"""Generated text is what is expected, byte by byte, wherever and whenever it is generated."""

from __future__ import annotations

import ast
import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.regenerate import CASES, COMMAND, SOURCES, Case, generate

IDS = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_module_is_as_expected(case: Case) -> None:
    """The object of each case generates its committed module."""
    expected, text = case.module.read_text(), generate(case)
    if text != expected:
        lines = difflib.unified_diff(
            expected.splitlines(), text.splitlines(), "committed", "generated now", lineterm="", n=1
        )
        pytest.fail("\n".join([*list(lines)[:60], f"to accept: {COMMAND}"]), pytrace=False)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_object_is_of_its_source(case: Case) -> None:
    """Each object was compiled from the source beside it, as the record of hashes says."""
    recorded = json.loads(SOURCES.read_text())
    assert recorded[case.name] == case.digest(), f"to compile again: {COMMAND} --compile"


def test_cases_cover_what_they_should() -> None:
    """There are at least eight cases, one of them big-endian."""
    assert len(CASES) >= 8
    assert any(case.object.read_bytes()[5] == 2 for case in CASES)  # EI_DATA: ELFDATA2MSB


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_no_place_in_text_or_object(case: Case) -> None:
    """Neither the module nor the object mentions the checkout's path."""
    place = os.fsencode(str(Path(__file__).resolve().parents[2]))
    assert place not in case.module.read_bytes()
    assert place not in case.object.read_bytes()


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_same_text_everywhere(seed: str, tmp_path: Path) -> None:
    """Directory, hash seed, locale, time zone and a project's black settings change nothing."""
    case = next(case for case in CASES if case.name == "names")
    place = tmp_path / "some where"
    place.mkdir()
    (place / "pyproject.toml").write_text("[tool.black]\nline-length = 40\n")
    shutil.copy(case.object, place)
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "LC_ALL": "C",
        "TZ": "Asia/Tokyo",
        "SOURCE_DATE_EPOCH": seed,
    }
    subprocess.run(
        [Path(sys.executable).parent / "bpfgen", "skeleton", place / case.object.name],
        cwd=tmp_path,
        env=environment,
        umask=0o077,
        check=True,
    )
    assert (place / case.module.name).read_bytes() == case.module.read_bytes()


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_public_names_are_defined(case: Case) -> None:
    """`__all__` of a module names its types and the skeleton's two states, each defined there."""
    tree = ast.parse(case.module.read_text())
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assignments = [node for node in tree.body if isinstance(node, ast.Assign)]
    public = next(
        ast.literal_eval(node.value)
        for node in assignments
        if ast.unparse(node.targets[0]) == "__all__"
    )
    assert len(set(public)) == len(public)
    assert set(public) <= classes
    assert {name for name in classes if name.startswith("Open")} & set(public)
