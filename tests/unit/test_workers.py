"""Work in processes: every result, in whatever order, errors raised, processes gone."""

from __future__ import annotations

import os
import signal

import pytest

from bpfgen import workers


def test_all_results() -> None:
    """Each item's result comes once, with its place; large results come whole."""
    found = dict(workers.run(lambda item: b"x" * item, [0, 1, 300_000, 7, 70_000], processes=3))
    assert {place: len(data) for place, data in found.items()} == {
        0: 0,
        1: 1,
        2: 300_000,
        3: 7,
        4: 70_000,
    }


def test_processes_are_others() -> None:
    """Several items are worked on by as many processes as were asked for, one item by this."""

    def who(item: int) -> int:
        return os.getpid()

    found = dict(workers.run(who, list(range(50)), processes=2))
    assert len(found) == 50
    assert os.getpid() not in found.values()
    assert list(workers.run(who, [1], processes=2)) == [(0, os.getpid())]
    assert list(workers.run(who, [1, 2], processes=1)) == [(0, os.getpid()), (1, os.getpid())]
    assert list(workers.run(who, [])) == []


def test_errors_are_raised_here() -> None:
    """An exception in a process is raised where the results are read."""

    def fail(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        dict(workers.run(fail, [1, 2, 3, 4], processes=2))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # nobody is left


def test_killed_process() -> None:
    """Processes that are killed are noticed, and waited for."""

    def die(item: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(RuntimeError, match="before its work was done"):
        dict(workers.run(die, [1, 2, 3, 4], processes=2))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_leaving_early() -> None:
    """Whoever stops reading leaves no process and no descriptor behind."""
    before = os.listdir("/proc/self/fd")
    results = workers.run(lambda item: item, list(range(100)), processes=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
