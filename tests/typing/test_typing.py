"""Generated modules under mypy --strict and pyright strict: what passes, and what must not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.golden.regenerate import CASES
from tests.support.checkers import Report, mypy_errors, pyright_errors

HERE = Path(__file__).parent

#: How many lines negative.py marks. Raise it with the file; lowering it wants a reason.
MARKED = 90

MARK = re.compile(r"# E: ([a-z-]+)$")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every golden module, positive.py and negative.py side by side."""
    path = tmp_path_factory.mktemp("typing")
    for case in CASES:
        shutil.copy(case.module, path)
    for name in ("positive.py", "negative.py"):
        shutil.copy(HERE / name, path)
    return path


@pytest.fixture(scope="module")
def by_mypy(place: Path) -> list[Report]:
    return mypy_errors(sorted(place.glob("*.py")), cwd=place)


@pytest.fixture(scope="module")
def by_pyright(place: Path) -> list[Report]:
    return pyright_errors(sorted(place.glob("*.py")), cwd=place)


@pytest.fixture(params=["mypy", "pyright"])
def reports(request: pytest.FixtureRequest) -> list[Report]:
    """What each type checker reports."""
    found: list[Report] = request.getfixturevalue(f"by_{request.param}")
    return found


def marked() -> dict[int, str]:
    """Read the marks of negative.py: line to mypy's error code."""
    lines = (HERE / "negative.py").read_text().splitlines()
    return {at: found[1] for at, line in enumerate(lines, 1) if (found := MARK.search(line))}


def test_modules_pass(reports: list[Report]) -> None:
    """Every golden module passes, and so do the uses of it that are right."""
    assert [one for one in reports if one.file != "negative.py"] == []


def test_marked_lines_are_errors(reports: list[Report]) -> None:
    """Each marked line of negative.py is an error, and no other line is."""
    lines = {one.line for one in reports if one.file == "negative.py"}
    messages = "\n".join(f"{one.line}: {one.message}" for one in reports)
    missed, unmarked = set(marked()) - lines, lines - set(marked())
    assert (missed, unmarked) == (set(), set()), messages


def test_errors_are_of_the_marked_kind(by_mypy: list[Report]) -> None:
    """mypy reports each marked line for the reason that the mark gives."""
    codes: dict[int, set[str]] = {}
    for one in by_mypy:
        if one.file == "negative.py":
            codes.setdefault(one.line, set()).add(one.code)
    wrong = {line: (code, codes.get(line)) for line, code in marked().items()}
    assert {line: pair for line, pair in wrong.items() if pair[0] not in (pair[1] or ())} == {}


def test_number_of_marks() -> None:
    """negative.py marks as many lines as it should: none was lost on the way."""
    assert len(marked()) == MARKED
