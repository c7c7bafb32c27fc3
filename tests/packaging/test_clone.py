"""`make demo` in a fresh copy of this repository: no .venv, nothing built."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT


@pytest.mark.live
@pytest.mark.needs("make", "tracefs")
def test_demo_in_a_fresh_clone(tmp_path: Path) -> None:
    """`make demo` sets up what it needs, without a terminal or a home, and shows events."""
    clone = tmp_path / "a clone"  # a path with a space, as some have
    # The working tree's files, not HEAD's: what is tested is what is about to be committed.
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.rstrip("\0").split("\0"):
        if os.path.lexists(ROOT / name):  # else deleted and not yet committed so
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name, follow_symlinks=False)
    done = subprocess.run(
        ["make", "demo"],
        cwd=clone,
        env=_plain_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exec events came from this machine's kernel." in done.stdout


def _plain_environment() -> dict[str, str]:
    """Leave out what running under this project's own make and virtual environment has set."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "MFLAGS", "VIRTUAL_ENV", "PYTHON", "PYTEST"))
    }
