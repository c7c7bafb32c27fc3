"""The largest resident set of a process, which peak.c measures: see there why a parent does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.measure import Sample

SOURCE = Path(__file__).resolve().parent / "peak.c"


def build_launcher(target: Path) -> None:
    """Compile peak.c. Raises CalledProcessError where that fails."""
    subprocess.run(["gcc", "-O2", "-Wall", SOURCE, "-o", target], check=True)


def peak_memory(launcher: Path, *command: str | Path) -> Sample:
    """Sample the MiB that a process takes at most.

    Args:
        launcher: what `build_launcher` made.
    """

    def sample() -> float:
        done = subprocess.run([launcher, *command], check=True, stdout=subprocess.PIPE)
        return int(done.stdout) / 1024

    return sample
