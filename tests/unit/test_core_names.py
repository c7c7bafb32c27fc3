"""Essential names: what is left without a flavor."""

from __future__ import annotations

import pytest
from bpfgen_runtime.core import essential_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("task_struct", "task_struct"),
        ("task_struct___old", "task_struct"),
        ("a___b", "a"),
        ("a___b___c", "a___b"),  # the last one counts
        ("___a", "___a"),
        ("a___", "a___"),
        ("a____b", "a____b"),  # four underscores are no separator
        ("a___b____c", "a"),
        ("a_____b___c", "a_____b"),
        ("_a___b", "_a"),
        ("a__b", "a__b"),
        ("___", "___"),
        ("", ""),
        ("é___ü", "é"),
    ],
)
def test_essential_name(name: str, expected: str) -> None:
    """A flavor begins at the last `___` between two characters that are no underscores."""
    assert essential_name(name) == expected


def test_long_run_of_underscores() -> None:
    """A hostile name costs time in proportion to its length."""
    assert essential_name("_" * 100_000) == "_" * 100_000
