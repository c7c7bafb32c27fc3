"""Both distributions, built once per session as a user's build front end builds them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Distribution name as in file names -> its source directory.
SOURCES = {"bpfgen": ROOT, "bpfgen_runtime": ROOT / "runtime"}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Build each distribution: (name, "sdist" | "wheel" | "wheel of the sdist") -> file."""
    files = {}
    for name, source in SOURCES.items():
        from_sdist = tmp_path_factory.mktemp(f"{name}-sdist")
        from_tree = tmp_path_factory.mktemp(f"{name}-tree")
        _build(source, from_sdist)  # the sdist, and a wheel made of it
        _build(source, from_tree, "--wheel")
        [files[name, "sdist"]] = from_sdist.glob("*.tar.gz")
        [files[name, "wheel of the sdist"]] = from_sdist.glob("*.whl")
        [files[name, "wheel"]] = from_tree.glob("*.whl")
    return files


def _build(source: Path, target: Path, *options: str) -> None:
    # hatchling is in the test environment; an isolated build would ask the network for it.
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(target),
        str(source),
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
