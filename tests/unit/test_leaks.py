"""The leak check sees what a test leaves behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import leaks
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
