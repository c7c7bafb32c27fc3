"""Run live tests on other kernels, in virtual machines, and say what came out.

    .venv/bin/python tools/test_kernels.py ["6.12 5.10 …"] [-- PYTEST ARGUMENTS]

See docs/kernels.md. Exits with 1 if a test failed, if a kernel did not run the tests to their end,
and if there was no test to run.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kernels import machine, report
from kernels.debian import KernelError
from kernels.store import Kernel, Store
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
KERNELS = "5.10 6.1 6.12 7.x"
TESTS = ("tests/live", "tests/oracle")


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    console = Console(soft_wrap=True)
    wanted = " ".join(options.kernels).split() or KERNELS.split()
    tests = options.pytest or [place for place in TESTS if (ROOT / place).is_dir()]
    try:
        store = Store()
        with store.locked():
            tools = store.boot_tools()
            kernels = [store.kernel(series, update=options.update) for series in wanted]
    except (KernelError, OSError) as error:
        print(f"test_kernels: {error}", file=sys.stderr)
        return 1
    _warm_up(tests)
    runs = ROOT / "build" / "kernels"

    def run(kernel: Kernel) -> machine.Outcome:
        out = _own_directory(runs, kernel.release)
        command = _command(tests, out)
        with store.slot(options.jobs):
            console.print(f"Linux {kernel.release}: booting", highlight=False)
            return machine.run(kernel, command, out, tools=tools, limit=options.limit)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            outcomes = list(pool.map(run, kernels))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            machine.end_all()
            raise
    return _summary(console, kernels, outcomes)


def _own_directory(runs: Path, release: str) -> Path:
    """Make the empty directory of a run; another one if a run has it already."""
    out = runs / release
    out.mkdir(parents=True, exist_ok=True)
    # Held until this process ends.
    lock = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return _own_directory(runs, f"{release}.{os.getpid()}")
    for old in out.iterdir():
        old.unlink()
    return out


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="test_kernels.py", description=__doc__)
    parser.add_argument("kernels", nargs="*", help=f"series, default: {KERNELS}")
    parser.add_argument("--update", action="store_true", help="ask Debian for newer kernels")
    parser.add_argument("--jobs", type=int, default=2, help="kernels at a time (2)")
    parser.add_argument("--limit", type=int, default=600, help="seconds for the tests of one (600)")
    own, pytest = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        own, pytest = arguments[:at], arguments[at + 1 :]
    options = parser.parse_args(own)
    options.pytest = pytest
    return options


def _warm_up(tests: list[str]) -> None:
    """Do once here what every guest would do slowly: compile Python modules and BPF objects."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    collect = ("-m", "pytest", "--collect-only", "-q", *tests)
    for words in (("-m", "tests.support.compile_all"), collect):
        subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )


def _command(tests: list[str], out: Path) -> str:
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
        "-m",
        "live and not host_only",
    ]
    words += ["--durations=10", f"--junitxml={out}/junit.xml", *tests]
    # What is missing there is not to be skipped: it is this machine's file system.
    settings = "BPFGEN_MATRIX=true CI=true HOME=/root"
    return f"cd {shlex.quote(str(ROOT))} && {settings} {shlex.join(words)}"


def _summary(console: Console, kernels: list[Kernel], outcomes: list[machine.Outcome]) -> int:
    table = Table("kernel", "passed", "failed", "skipped", "seconds", "")
    for column in table.columns[1:5]:
        column.justify = "right"
    good = True
    for kernel, outcome in zip(kernels, outcomes, strict=True):
        result = report.read(outcome.directory / "junit.xml")
        reason = outcome.reason
        if outcome.status == 124:
            reason = "out of time (see --limit)"
        elif result is None and not reason:
            reason = "pytest did not get to its end"
        elif result is not None and outcome.status not in (0, 1, None):
            reason = f"pytest: exit status {outcome.status}"
        ok = outcome.status == 0 and result is not None and result.ok and not reason
        good = good and ok
        if not ok:
            _show(console, kernel, outcome)
        counts = ["-"] * 3
        if result is not None:
            counts = [str(n) for n in (result.passed, len(result.failed), len(result.skipped))]
        colour = "green" if ok else "red"
        table.add_row(
            kernel.release,
            *counts,
            f"{outcome.seconds:.0f}",
            f"[{colour}]{reason or ('ok' if ok else 'failed')}",
        )
    console.print(table)
    _show_skips(console, kernels, outcomes)
    return 0 if good else 1


def _show(console: Console, kernel: Kernel, outcome: machine.Outcome) -> None:
    console.rule(f"Linux {kernel.release}: {outcome.directory}")
    for name in ("output.txt", "guest.log"):
        path = outcome.directory / name
        if path.exists() and path.stat().st_size:
            console.print(path.read_text(errors="replace"), markup=False, highlight=False)
            return


def _show_skips(console: Console, kernels: list[Kernel], outcomes: list[machine.Outcome]) -> None:
    where: dict[str, list[str]] = {}
    for kernel, outcome in zip(kernels, outcomes, strict=True):
        result = report.read(outcome.directory / "junit.xml")
        for test in result.skipped if result is not None else ():
            short = ".".join(kernel.release.split(".")[:2])
            where.setdefault(test.reason, []).append(short)
    for reason, places in sorted(where.items()):
        counts = ", ".join(f"{place}: {places.count(place)}" for place in dict.fromkeys(places))
        console.print(f"skipped ({counts}): {reason}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
