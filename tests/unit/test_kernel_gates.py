"""Gates of kernel features: they skip where a feature cannot be, and fail where it must be."""

from __future__ import annotations

import pytest

from tests.support.kernels import DOCUMENT, GATES, Gate, Version, running, verdict, with_table


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


@pytest.mark.live
@pytest.mark.parametrize("name", GATES)
def test_this_kernel_has_what_it_must_have(name: str) -> None:
    """No probe misses what the running kernel's release has."""
    decision, why = verdict(GATES[name], running(), strict=False)
    assert decision != "fail", why


def test_table_is_current() -> None:
    """docs/kernels.md has the gates of now; `python -m tests.support.kernels` puts them there."""
    text = DOCUMENT.read_text()
    assert with_table(text) == text
