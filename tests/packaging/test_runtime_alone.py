"""The runtime wheel alone, in an environment that has nothing else, serves a skeleton."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

Built = dict[tuple[str, str], Path]

#: What the generator and the tests use; none of it may be asked of an application's host.
ABSENT = ("bpfgen", "jinja2", "black", "mypy", "click", "rich", "elftools", "numpy", "pyroute2")

OPEN = """
import importlib.util, sys
present = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is not None]
assert not present, present

from execsnoop_skel import ExecEvent, Execsnoop

opened = Execsnoop.open()
opened.rodata.min_uid = 7
assert opened.rodata.min_uid == 7
assert ExecEvent.from_bytes(ExecEvent(pid=5, comm="init").to_bytes()).comm == b"init"
"""

LIVE = """
import os, subprocess
from execsnoop_skel import Execsnoop

with Execsnoop.open() as opened, opened.load() as skel:
    skel.attach()
    child = subprocess.Popen(["true"])
    child.wait()
    for event in skel.maps.events.poll(timeout=5.0):
        if event.pid == child.pid:
            break
    else:
        raise AssertionError("no event of the child within 5 seconds")
    assert skel.bss.seen >= 1
"""


@pytest.fixture(scope="module")
def host(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a fresh virtual environment with the runtime wheel in it, and a skeleton beside."""
    home = tmp_path_factory.mktemp("host")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "venv/bin/python")]
    wheel = str(built["bpfgen_runtime", "wheel"])
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    shutil.copy(ROOT / "examples/execsnoop/execsnoop_skel.py", home)
    return home


def test_opens_a_skeleton_without_any_other_package(host: Path) -> None:
    """Open, constants, and values need nothing beyond the runtime wheel, not even pyelftools."""
    _run(host, OPEN, *ABSENT)


@pytest.mark.live
@pytest.mark.needs("tracefs")
def test_runs_a_skeleton_without_any_other_package(host: Path) -> None:
    """Load, attach, and poll in the kernel need nothing beyond the runtime wheel."""
    _run(host, LIVE)


def _run(host: Path, program: str, *arguments: str) -> None:
    command = [str(host / "venv/bin/python"), "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, cwd=host, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
