"""How bench judges: ratios, targets, the turns that samples are taken in."""

from __future__ import annotations

import pytest

from bench.measure import WARM_UP, Result, Row, measure


def row(unit: str = "ms", max_ratio: float | None = None, min_ours: float | None = None) -> Row:
    return Row("r", unit, "p", lambda: 0.0, lambda: 0.0, max_ratio=max_ratio, min_ours=min_ours)


@pytest.mark.parametrize(
    ("made", "ours", "peer", "ratio", "ok", "target"),
    [
        (row(), 30.0, 2.0, 15.0, True, None),
        (row(max_ratio=10), 20.0, 2.0, 10.0, True, "ratio <= 10"),
        (row(max_ratio=10), 20.2, 2.0, 10.1, False, "ratio <= 10"),
        (row("M records/s"), 2.0, 100.0, 50.0, True, None),
        (row("M records/s", min_ours=1), 1.0, 100.0, 100.0, True, "ours >= 1"),
        (row("M records/s", min_ours=1), 0.9, 0.1, 1 / 9, False, "ours >= 1"),
    ],
)
def test_ratio_and_target(
    made: Row, ours: float, peer: float, ratio: float, ok: bool, target: str | None
) -> None:
    """The ratio says how many times slower ours is, for times and for rates."""
    result = Result(made, ours, peer)
    assert result.ratio == pytest.approx(ratio)
    assert (result.ok, made.target) == (ok, target)


def test_samples_alternate_and_the_first_do_not_count() -> None:
    """Ours and the peer take turns, either may be first, and the warm-up is left out."""
    order: list[str] = []
    ours = iter([99.0] * WARM_UP + [1.0, 3.0, 2.0])
    peer = iter([99.0] * WARM_UP + [4.0, 6.0, 5.0])

    def sample(name: str) -> float:
        order.append(name)
        return next(ours if name == "ours" else peer)

    made = Row("r", "ms", "p", lambda: sample("ours"), lambda: sample("peer"), rounds=3)
    result = measure(made)
    assert (result.ours, result.peer) == (2.0, 5.0)
    pairs = {tuple(order[i : i + 2]) for i in range(0, len(order), 2)}
    assert pairs == {("ours", "peer"), ("peer", "ours")}
