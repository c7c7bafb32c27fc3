"""Marks, shared fixtures, and the check that nothing is left behind.

Marks: `live` (needs root and BPF; everything under tests/live has it) and
`needs("clang", "bpftool", …)` (names of tests/support/requirements.py).
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import clang, leaks
from tests.support.requirements import LIVE, REQUIREMENTS, require

_BEFORE = pytest.StashKey[leaks.Snapshot]()
_LEFT = pytest.StashKey[list[str]]()
_MOUNTED = pytest.StashKey[list[str]]()

#: What live tests need mounted: type and place.
_MOUNTS = (("tracefs", "/sys/kernel/tracing", "events"), ("bpf", "/sys/fs/bpf", "progs.debug"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: runs BPF in this machine's kernel; needs root")
    config.addinivalue_line("markers", "needs(*names): things of tests/support/requirements.py")
    config.addinivalue_line("markers", "kernel(*names): features of tests/support/kernels.py")
    config.addinivalue_line("markers", "host_only: says nothing of a kernel: not for the matrix")
    if config.pluginmanager.has_plugin("hypothesispytest"):
        from hypothesis import HealthCheck, settings

        # What a machine is busy with is not the tests' affair.
        calm = [HealthCheck.too_slow]
        settings.register_profile("calm", deadline=None, suppress_health_check=calm)
        if settings.get_current_profile_name() == "default":  # not in CI, which has one like it
            settings.load_profile("calm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    live = Path(__file__).parent / "live"
    for item in items:
        if live in item.path.parents:
            item.add_marker(pytest.mark.live)
        for name in _gates(item):
            # Imported late: it takes the runtime along, whose import tests of start-up look at.
            from tests.support.kernels import expected_failure

            reason = expected_failure(name)
            if reason is not None:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def pytest_sessionstart(session: pytest.Session) -> None:
    # Before Linux 5.11 maps count against it, and not all tests make theirs by the loader, which
    # sees to it; tests/live/test_older_kernels.py has it low again.
    with contextlib.suppress(ValueError):  # not ours to raise
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)
    session.stash[_MOUNTED] = _mount_missing()
    session.stash[_BEFORE] = leaks.snapshot()


def pytest_collection_finish() -> None:
    # Where a test seems to leave something, the leak check collects garbage, and need not look at
    # all tests for it: a tenth of a second here, a second where instructions are translated.
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = [name for mark in item.iter_markers("needs") for name in mark.args]
    if item.get_closest_marker("live") is not None:
        names += LIVE
    require(*names)
    for name in _gates(item):
        from tests.support.kernels import require_kernel

        require_kernel(name)


def _gates(item: pytest.Item) -> list[str]:
    return [name for mark in item.iter_markers("kernel") for name in mark.args]


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a live test that ends with more descriptors, links, pins … than it began with."""
    if request.node.get_closest_marker("live") is None:
        yield
        return
    before = leaks.snapshot()
    yield
    left = leaks.leaks_since(before)
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _BEFORE not in session.stash:
        return  # stopped before the start: a usage error
    gc.collect()
    left = leaks.leaks_since(session.stash[_BEFORE])
    session.config.stash[_LEFT] = left
    if left and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    mounted = session.stash[_MOUNTED]
    for place in reversed(mounted):
        subprocess.run(["umount", place], check=True)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    left = config.stash.get(_LEFT, [])
    if left:
        terminalreporter.section("left behind by the session", red=True)
        for line in left:
            terminalreporter.line(line)


def _mount_missing() -> list[str]:
    """Mount what live tests need and this machine has not mounted, if we may."""
    mounted = []
    if REQUIREMENTS["root"].is_there():
        for kind, place, witness in _MOUNTS:
            if os.path.isdir(place) and not os.path.lexists(f"{place}/{witness}"):
                done = subprocess.run(["mount", "-t", kind, kind, place], capture_output=True)
                if done.returncode == 0:  # else the tests that need it say so
                    mounted.append(place)
    return mounted


@pytest.fixture(scope="session")
def compile_bpf() -> Callable[..., Path]:
    """Compile tests/bpf/NAME.bpf.c: `compile_bpf("name", *flags)` gives the object's path."""
    return clang.compile_bpf


@pytest.fixture
def pin_dir() -> Iterator[Path]:
    """Make a directory of this test alone on the BPF file system, removed with its pins."""
    require("bpf")
    path = Path(leaks.BPFFS_DIR) / leaks.unique_name("pins")
    path.mkdir()
    yield path
    for child in path.iterdir():
        child.unlink()
    path.rmdir()
