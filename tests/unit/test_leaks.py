"""The leak check sees what a test leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import leaks
from tests.support.clang import ROOT
from tests.support.requirements import REQUIREMENTS, cgroup2_root, require


def test_nothing_new_is_no_leak() -> None:
    """A process that opened nothing since the snapshot has no leaks."""
    assert leaks.leaks_since(leaks.snapshot()) == []


def test_open_descriptor_is_a_leak() -> None:
    """A descriptor opened since the snapshot is listed with its target, until it is closed."""
    before = leaks.snapshot()
    fd = os.open("/dev/zero", os.O_RDONLY)
    try:
        assert leaks.leaks_since(before, patience=0) == [f"descriptor {fd} /dev/zero"]
    finally:
        os.close(fd)
    assert leaks.leaks_since(before) == []


def test_running_child_is_a_leak() -> None:
    """A child process still running is listed."""
    before = leaks.snapshot()
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert leaks.leaks_since(before, patience=0) == [f"child process {child.pid}"]
        finally:
            child.kill()


@pytest.mark.needs("root", "cgroup2")
def test_names_of_other_processes_are_not_ours() -> None:
    """A cgroup named after another living process is that one's; one named after ours is a leak."""
    root = Path(cgroup2_root())
    before = leaks.snapshot()
    foreign, own = root / f"{leaks.PREFIX}x-{os.getppid()}-0", root / leaks.unique_name("x")
    try:
        foreign.mkdir()
        own.mkdir()
        left = leaks.leaks_since(before, patience=0)
        assert f"cgroup {own}" in left
        assert f"cgroup {foreign}" not in left
    finally:
        own.rmdir()
        foreign.rmdir()


@pytest.mark.parametrize("ci", ["true", ""])
def test_missing_thing_skips_or_fails_in_ci(ci: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing requirement skips with the package's name, and fails under CI=true."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setitem(
        REQUIREMENTS, "clang", REQUIREMENTS["clang"]._replace(is_there=lambda: False)
    )
    expected = pytest.fail.Exception if ci else pytest.skip.Exception
    with pytest.raises(expected, match="needs clang: apt-get install clang"):
        require("clang")


def run_pytest(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run one made-up test under this repository's conftest and options."""
    source = tmp_path / "test_made_up.py"
    source.write_text(f"import os\nimport pytest\n\n{body}")
    config = str(ROOT / "pyproject.toml")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", config, str(source)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.needs("root", "bpf")
def test_live_test_that_leaks_fails(tmp_path: Path) -> None:
    """A live test that leaves a descriptor open is in error, by name, and so is the run."""
    done = run_pytest(
        tmp_path, "@pytest.mark.live\ndef test_it():\n    os.open('/dev/zero', os.O_RDONLY)\n"
    )
    assert done.returncode == 1, done.stdout
    assert "ERROR" in done.stdout
    assert "::test_it - Failed: left behind: descriptor" in done.stdout


def test_session_that_leaks_fails(tmp_path: Path) -> None:
    """A run whose tests all pass fails if the session ends with more than it began with."""
    done = run_pytest(tmp_path, "def test_it():\n    os.open('/dev/zero', os.O_RDONLY)\n")
    assert done.returncode == 1, done.stdout
    assert "1 passed" in done.stdout
    assert "left behind by the session" in done.stdout


def test_unclosed_owner_fails_the_test(tmp_path: Path) -> None:
    """An `Fd` that is dropped without `close` warns, and the warning fails the test."""
    done = run_pytest(
        tmp_path,
        "from bpfgen_runtime.sys.fd import Fd\n\n"
        "def test_it():\n    Fd(os.open('/dev/zero', os.O_RDONLY))\n",
    )
    assert done.returncode == 1, done.stdout
    assert "ResourceWarning: unclosed" in done.stdout
