"""Rows, and how a row is measured: ours and the peer alternately, medians compared."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

Sample = Callable[[], float]

WARM_UP = 2  # rounds not counted


@dataclass(frozen=True)
class Row:
    """One thing that is measured.

    Args:
        name: what the row is called, in the table and in bench.json.
        unit: of one sample; a unit that ends in "/s" is a rate, where more is better.
        peer_name: what ours is compared with.
        ours: takes one sample.
        peer: takes one sample.
        rounds: how many samples of each are taken.
        max_ratio: the target, where it is how many times slower than the peer ours may be.
        min_ours: the target, where it is a rate to reach.
    """

    name: str
    unit: str
    peer_name: str
    ours: Sample
    peer: Sample
    rounds: int = 21
    max_ratio: float | None = None
    min_ours: float | None = None

    @property
    def target(self) -> str | None:
        if self.max_ratio is not None:
            return f"ratio <= {self.max_ratio:g}"
        return None if self.min_ours is None else f"ours >= {self.min_ours:g}"


@dataclass(frozen=True)
class Result:
    """Medians of one row; `ratio` says how many times slower ours is, for times and rates alike."""

    row: Row
    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        return self.peer / self.ours if self.row.unit.endswith("/s") else self.ours / self.peer

    @property
    def ok(self) -> bool:
        if self.row.max_ratio is not None:
            return self.ratio <= self.row.max_ratio
        return self.row.min_ours is None or self.ours >= self.row.min_ours


def measure(row: Row) -> Result:
    """Take `row.rounds` samples of each side, by turns, so that both see the same machine."""
    ours: list[float] = []
    peer: list[float] = []
    for number in range(WARM_UP + row.rounds):
        sides = [(ours, row.ours), (peer, row.peer)]
        for samples, sample in sides if number % 2 else reversed(sides):
            samples.append(sample())
    return Result(row, statistics.median(ours[WARM_UP:]), statistics.median(peer[WARM_UP:]))


def served(stack: ExitStack, *command: str | Path) -> Sample:
    """Start a peer that measures itself (`serve` of peers/peer.h); each sample is a round of it."""
    process = stack.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    assert process.stdin is not None
    assert process.stdout is not None
    to_peer, from_peer = process.stdin, process.stdout

    def sample() -> float:
        to_peer.write("\n")
        to_peer.flush()
        answer = from_peer.readline()
        if not answer:
            raise RuntimeError(f"{command[0]} ended with status {process.wait()}")
        return float(answer)

    return sample
