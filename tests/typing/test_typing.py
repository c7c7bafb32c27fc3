"""Generated modules under mypy --strict and pyright strict: what passes, and what must not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.golden.regenerate import CASES
from tests.support.checkers import Report, mypy_errors, pyright_errors

HERE = Path(__file__).parent

#: Files of uses that are right, and of uses that must not pass.
POSITIVE = sorted(HERE.glob("positive*.py"))
NEGATIVE = sorted(HERE.glob("negative*.py"))

#: How many lines the latter mark. Raise it with the files; lowering it wants a reason.
MARKED = 225

MARK = re.compile(r"# E: ([a-z-]+)$")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every golden module and the files that use them, side by side."""
    path = tmp_path_factory.mktemp("typing")
    for case in CASES:
        shutil.copy(case.module, path)
    for file in (*POSITIVE, *NEGATIVE):
        shutil.copy(file, path)
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


def marked() -> dict[tuple[str, int], str]:
    """Read the marks: file and line to mypy's error code."""
    return {
        (file.name, at): found[1]
        for file in NEGATIVE
        for at, line in enumerate(file.read_text().splitlines(), 1)
        if (found := MARK.search(line))
    }


def test_modules_pass(reports: list[Report]) -> None:
    """Every golden module passes, and so do the uses of it that are right."""
    assert [one for one in reports if not one.file.startswith("negative")] == []


def test_marked_lines_are_errors(reports: list[Report]) -> None:
    """Each marked line is an error, and no other line is."""
    lines = {(one.file, one.line) for one in reports if one.file.startswith("negative")}
    messages = "\n".join(f"{one.file}:{one.line}: {one.message}" for one in reports)
    missed, unmarked = set(marked()) - lines, lines - set(marked())
    assert (missed, unmarked) == (set(), set()), messages


def test_errors_are_of_the_marked_kind(by_mypy: list[Report]) -> None:
    """mypy reports each marked line for the reason that the mark gives."""
    codes: dict[tuple[str, int], set[str]] = {}
    for one in by_mypy:
        codes.setdefault((one.file, one.line), set()).add(one.code)
    wrong = {place: (code, codes.get(place)) for place, code in marked().items()}
    assert {place: pair for place, pair in wrong.items() if pair[0] not in (pair[1] or ())} == {}


def test_number_of_marks() -> None:
    """As many lines are marked as should be: none was lost on the way."""
    assert len(marked()) == MARKED
