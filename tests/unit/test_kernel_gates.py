"""Gates of kernel features: they skip where a feature cannot be, and fail where it must be."""

from __future__ import annotations

import pytest
from bpfgen_runtime.features import FEATURES

from tests.support.kernels import (
    DOCUMENT,
    GATES,
    PROBES,
    Gate,
    Version,
    right_answers,
    verdict,
    with_tables,
)


@pytest.mark.parametrize(
    ("works", "version", "strict", "decision"),
    [
        (True, (5, 15), True, "run"),
        (True, (5, 10), True, "run"),  # backported
        (False, (5, 10), True, "skip"),
        (None, (5, 10), True, "skip"),
        (False, (5, 15), False, "fail"),
        (False, (7, 2), True, "fail"),
        (None, (6, 18), False, "skip"),
        (None, (6, 12), True, "fail"),
    ],
)
def test_verdict(works: bool | None, version: Version, strict: bool, decision: str) -> None:
    """What the probe sees decides; the version only says whether not seeing it is a failure."""
    assert verdict(Gate((5, 15), lambda: works), version, strict=strict)[0] == decision


def test_reason_names_the_release() -> None:
    """A skip says from which release on the feature is there."""
    _, why = verdict(Gate((5, 15), lambda: False), (5, 10), strict=True)
    assert "5.15" in why


def test_each_probe_has_its_release() -> None:
    """A new probe says since when the kernel has what it looks for."""
    assert set(PROBES) == set(FEATURES)
    assert GATES["perf link"] == Gate((5, 15), FEATURES["PERF_LINK"].probe)


@pytest.mark.parametrize(
    ("name", "version", "answers"),
    [
        ("PERF_LINK", (5, 14), {False}),
        ("PERF_LINK", (5, 15), {True}),
        ("PERF_LINK", (6, 1), {True}),
        ("UPROBE_MULTI_LINK", (6, 5), {False}),
        ("UPROBE_MULTI_LINK", (6, 6), {True, False}),
        ("UPROBE_MULTI_LINK", (6, 10), {True}),
    ],
)
def test_right_answers(name: str, version: Version, answers: set[bool]) -> None:
    """The release decides, but for what stable releases took from later ones."""
    assert right_answers(name, version) == answers


def test_tables_are_current() -> None:
    """docs/kernels.md has those of now; `python -m tests.support.kernels` puts them there."""
    text = DOCUMENT.read_text()
    assert with_tables(text) == text
