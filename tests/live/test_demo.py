"""The demo, the README's example and the examples, run in this machine's kernel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.requirements import tool
from tests.unit.test_readme import example

ROOT = Path(__file__).resolve().parents[2]
DEMO = (sys.executable, str(ROOT / "tools" / "demo.py"))

pytestmark = [pytest.mark.needs("tracefs"), pytest.mark.host_only]


def test_demo_shows_events_of_this_kernel() -> None:
    """The demo prints the events of the programs that it starts, decoded, and counts them."""
    done = _run(*DEMO)
    assert done.returncode == 0, done.stderr
    events = [line for line in done.stdout.splitlines() if line.startswith("ExecEvent(")]
    assert any(re.search(r"comm=.*b?'uname'.*filename=.*/uname'", line) for line in events), events
    assert done.stdout.endswith(f"{len(events)} exec events came from this machine's kernel.\n")


def test_demo_without_clang_uses_the_committed_object(tmp_path: Path) -> None:
    """Where there is no clang, the committed object is generated from and runs."""
    for name in ("true", "uname", "date"):
        (tmp_path / name).symlink_to(tool_path(name))
    done = _run(*DEMO, PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "the committed execsnoop.bpf.o is used" in done.stdout
    assert "ExecEvent(" in done.stdout


@pytest.mark.needs("setpriv")
def test_demo_without_privilege_says_what_is_missing() -> None:
    """Without the permission to use BPF the demo does all up to the load and exits with 0."""
    done = _run(tool("setpriv"), "--bounding-set=-all", "--inh-caps=-all", *DEMO)
    assert done.returncode == 0, done.stderr
    assert "==> mypy --strict main.py execsnoop_skel.py" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Not run live: the permission to use BPF is missing; to get it: ")


def test_readme_example_runs(tmp_path: Path) -> None:
    """The README's example prints a program start and ends."""
    shutil.copy(ROOT / "examples/execsnoop/execsnoop_skel.py", tmp_path)
    (tmp_path / "app.py").write_text(example())
    # Into a file: a pipe that nobody reads while this test starts programs would fill up.
    with (tmp_path / "output").open("w+") as output:
        command = [sys.executable, "-W", "error", "app.py"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output) as application:
            deadline = time.monotonic() + 30
            while application.poll() is None:
                _run("true")
                if time.monotonic() > deadline:
                    application.kill()
                time.sleep(0.1)
    text = (tmp_path / "output").read_text()
    assert application.returncode == 0, text
    assert re.search(r"^ +\d+ +0 \S+ /\S+$", text, re.MULTILINE), text
    assert re.search(r"^user 0: \d+ program starts$", text, re.MULTILINE), text


def test_lifecycle_counts_what_was_run() -> None:
    """examples/lifecycle, linked of two sources, counts starts in one and ends in the other."""
    done = _run(sys.executable, "-W", "error", str(ROOT / "examples/lifecycle/main.py"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "lifecycle-demo: started 3, ended 3",
        "events of both sources: all counted",
    ]


@pytest.mark.needs("ip")
def test_xdp_count_counts_what_was_sent() -> None:
    """examples/xdp_count prints the packets that it sent, by protocol, with their bytes."""
    done = _run(sys.executable, "-W", "error", str(ROOT / "examples/xdp_count/main.py"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "PROTO_ICMP: 3 packets, 102 bytes",
        "PROTO_TCP: 5 packets, 170 bytes",
        "PROTO_UDP: 7 packets, 238 bytes",
    ]


def test_tasktree_agrees_with_proc() -> None:
    """examples/tasktree gives parents, exit codes and a bit of scheduling as /proc and libc do."""
    script = str(ROOT / "examples/tasktree/main.py")
    policy = os.sched_getscheduler(0)
    with subprocess.Popen(["sh", "-c", "exit 3"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # it stays, as a zombie
        status = int(Path(f"/proc/{ended.pid}/stat").read_text().split()[-1])
        parameters = os.sched_param(0)
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, parameters)
        try:
            done = _run(sys.executable, "-W", "error", script, "--pid", str(os.getpid()))
        finally:
            os.sched_setscheduler(0, policy, parameters)
    assert done.returncode == 0, done.stderr
    assert status == 3 << 8
    me, *rest = done.stdout.splitlines()
    comm = Path("/proc/self/comm").read_text().strip()
    assert me == f"{comm} {os.getpid()}, resets on fork"
    assert f"  sh {ended.pid}, exit status 3, signal 0" in rest
    whole = _run(sys.executable, script).stdout
    assert whole.startswith("0\n  ")  # the kernel's idle task, which the iterator leaves out
    assert re.search(r"^  kthreadd 2\n    \S", whole, re.MULTILINE)
    assert f" {os.getpid()}\n" in whole


@pytest.mark.parametrize("data", [b"", b"\x9f\xeb\x01"])
def test_tasktree_by_a_bad_btf_file(data: bytes, tmp_path: Path) -> None:
    """A BTF file that is none ends the load with an error naming it, and what it was read for."""
    path = tmp_path / "bad.btf"
    path.write_bytes(data)
    script = str(ROOT / "examples/tasktree/main.py")
    done = _run(sys.executable, script, "--btf", str(path))
    assert done.returncode == 1
    where = "function 'walk' of section 'iter/task', instruction 0"
    assert f"BtfError: {where}: read the BTF file '{path}': BTF needs a header" in done.stderr


def _run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=120
    )


def tool_path(name: str) -> str:
    path = shutil.which(name)
    assert path is not None
    return path
