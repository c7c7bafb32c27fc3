"""What bench says a process takes: its own memory, whoever starts it; nothing of one that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.memory import build_launcher, peak_memory

MIB = 1 << 20

pytestmark = pytest.mark.needs("gcc")


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bench") / "peak"
    build_launcher(target)
    return target


def test_a_large_parent_does_not_count(launcher: Path) -> None:
    """`true` takes a few MiB, also when it is a process of some hundred that measures it."""
    ballast = bytearray(b"x") * (100 * MIB)
    assert peak_memory(launcher, "true")() < 10
    assert len(ballast) == 100 * MIB


def test_the_largest_is_measured_not_the_last(launcher: Path) -> None:
    """Memory that was given back counts."""
    code = f"ballast = bytearray(b'x') * {64 * MIB}; del ballast"
    assert 64 < peak_memory(launcher, sys.executable, "-c", code)() < 128


@pytest.mark.parametrize("command", ["false", "/nonexistent/command"])
def test_a_command_that_fails_is_no_sample(launcher: Path, command: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        peak_memory(launcher, command)()
