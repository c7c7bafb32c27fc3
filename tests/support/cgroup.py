"""Control groups of the tests' own, below the root of cgroup2."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.leaks import PATIENCE, unique_name
from tests.support.requirements import cgroup2_root, require


@contextlib.contextmanager
def temporary_cgroup() -> Iterator[Path]:
    """Make a cgroup for the block; at its end what still runs in it is killed and it is removed."""
    require("root", "cgroup2")
    path = Path(cgroup2_root()) / unique_name("test")
    path.mkdir()
    try:
        yield path
    finally:
        for pid in (path / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        _remove(path)


def run_in(cgroup: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a child process that is in the cgroup from its first line on."""
    enter = f"open({str(cgroup / 'cgroup.procs')!r}, 'w').write('0')\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", enter + code],
        capture_output=True,
        text=True,
        timeout=30,
    )


def _remove(path: Path) -> None:
    # A process that has ended may still be in its cgroup for a moment: EBUSY until it is not.
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            path.rmdir()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
