"""What came out of a run of pytest, from the JUnit file that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree


class Test(NamedTuple):
    """One test that did not simply pass."""

    name: str
    reason: str


class Result(NamedTuple):
    """A run's tests."""

    passed: int
    failed: tuple[Test, ...]
    skipped: tuple[Test, ...]

    @property
    def ok(self) -> bool:
        """Nothing failed, and something ran."""
        return self.passed > 0 and not self.failed


def read(path: Path) -> Result | None:
    """Read a JUnit file; None if there is none, or half of one: pytest did not get to its end."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (FileNotFoundError, ElementTree.ParseError):
        return None
    failed: list[Test] = []
    skipped: list[Test] = []
    passed = 0
    for case in cases:
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name', '')}"
        outcome = [child for child in case if child.tag in ("failure", "error", "skipped")]
        if not outcome:
            passed += 1
        for child in outcome:
            test = Test(name, (child.get("message") or "").strip())
            (skipped if child.tag == "skipped" else failed).append(test)
    return Result(passed, tuple(failed), tuple(skipped))
