"""The corpus is as large as asked for, and the table of differences is what the oracle meets."""

from __future__ import annotations

import ast
import functools

import pytest

from tests.oracle.case import BULLETS
from tests.oracle.corpus import CASES
from tests.oracle.differences import DIFFERENCES, DOCUMENT, document
from tests.oracle.refusals import REFUSALS
from tests.support.clang import ROOT
from tests.support.kernels import GATES


def test_size() -> None:
    """At least 60 objects of our own, each case under a name of its own."""
    assert len({case.name for case in CASES}) == len(CASES)
    objects = {case.source or case.name for case in CASES}
    for name in objects:
        folder, _, short = name.rpartition("/")
        place = ROOT / folder / short if folder else ROOT / "tests" / "bpf"
        assert (place / f"{short}.bpf.c").exists(), name
    assert len(objects) >= 60
    assert len(CASES) >= 120


@pytest.mark.parametrize("bullet", BULLETS)
def test_every_bullet_has_a_case(bullet: str) -> None:
    """What the issue lists, some object shows; and it loads, unless it is about refusals."""
    assert [case.name for case in CASES if bullet in case.covers]


def test_cases_are_well_formed() -> None:
    """Cases name bullets, gates and differences that exist, and failures what our error says."""
    for case in CASES:
        assert set(case.covers) <= set(BULLETS), case.name
        assert set(case.needs) <= set(GATES), case.name
        assert bool(case.fails) == bool(case.message), case.name
        assert set(case.differences) <= {each.key for each in DIFFERENCES}, case.name


def test_every_failure_has_libbpfs_reason() -> None:
    """What libbpf says and returns is known of each case that fails, and of no other."""
    assert {case.name for case in CASES if case.fails} == set(REFUSALS)
    for refusal in REFUSALS.values():
        assert refusal.errno > 0
        assert refusal.says


def test_newer_cases_have_facts() -> None:
    """Where the system's libbpf may be too old to compare with, there is something to hold to."""
    for case in CASES:
        assert case.libbpf <= (1, 0) or case.fails or case.facts, case.name


def test_differences_are_documented() -> None:
    """docs/differences.md is what the table says."""
    assert DOCUMENT.read_text() == document(), "run python -m tests.oracle.differences"


def test_cases_with_a_difference_are_in_its_row() -> None:
    """Where the oracle does not compare all, the table names the case."""
    rows = {each.key: each.tests for each in DIFFERENCES}
    for case in CASES:
        for key in case.differences:
            assert f"oracle/test_oracle.py::test_load[{case.name}]" in rows[key]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: each.key)
def test_differences_have_tests(difference: object) -> None:
    """Each test that the table names exists, and each case in brackets."""
    tests = getattr(difference, "tests", ())
    assert tests
    for test in tests:
        file, _, name = test.partition("::")
        function, bracket, case = name.partition("[")
        assert function in _functions(file), test
        if bracket:
            assert case.removesuffix("]") in {each.name for each in CASES}, test


@functools.cache
def _functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
