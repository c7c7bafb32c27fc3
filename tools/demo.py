"""Show the whole path on this machine: object, skeleton, mypy, kernel, events.

    make demo

Works in build/demo, on copies: another version of clang makes another object, and that is not to
end up in the committed files. Exits with 0 if events came from the kernel, or if what they take is
not there (root, BPF, tracefs), which it says in one line; with 1 if anything failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from build_examples import BPFGEN, ROOT, compile_object

EXAMPLE = ROOT / "examples" / "execsnoop"
WORK = ROOT / "build" / "demo"
SECONDS = 5
TRACEFS = "/sys/kernel/tracing"

#: Loads as the application does and prints nothing, or what is missing.
PROBE = """
import errno
from bpfgen_runtime.errors import SyscallError
from execsnoop_skel import Execsnoop

try:
    Execsnoop.open().load().destroy()
except SyscallError as error:
    if error.errno in (errno.EPERM, errno.EACCES):
        print("the permission to use BPF")
    elif error.errno == errno.ENOSYS:
        print("bpf(2) in this kernel")
    else:
        raise
"""


def main() -> int:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    shutil.copy(EXAMPLE / "main.py", WORK)

    target = WORK / "execsnoop.bpf.o"
    if _can_compile():
        _say("compile examples/execsnoop/execsnoop.bpf.c with clang")
        compile_object(EXAMPLE / "execsnoop.bpf.c", target)
    else:
        _say("no clang (or no headers of libbpf-dev): the committed execsnoop.bpf.o is used")
        shutil.copy(EXAMPLE / target.name, target)

    _say("bpfgen skeleton execsnoop.bpf.o")
    subprocess.run([BPFGEN, "skeleton", target.name], cwd=WORK, check=True)

    _say("mypy --strict main.py execsnoop_skel.py")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(WORK / "mypy")]
    subprocess.run([*mypy, "main.py", "execsnoop_skel.py"], cwd=WORK, check=True)

    _mount_tracefs()
    missing = _missing()
    if missing is not None:
        print(f"Not run live: {missing}")
        return 0
    _say(f"main.py --seconds {SECONDS}, while programs are started")
    events = _run()
    print(f"{events} exec events came from this machine's kernel.")
    return 0 if events else 1


def _can_compile() -> bool:
    return shutil.which("clang") is not None and Path("/usr/include/bpf/bpf_helpers.h").exists()


def _mount_tracefs() -> None:
    """Mount tracefs where nobody has: the kernel tells there what a tracepoint's number is."""
    if os.geteuid() == 0 and os.path.isdir(TRACEFS) and not os.path.isdir(f"{TRACEFS}/events"):
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACEFS], capture_output=True)


def _missing() -> str | None:
    """Say what keeps the application from running here, and how to get it; None if nothing does."""
    command = [sys.executable, "-c", PROBE]
    probe = subprocess.run(command, cwd=WORK, stdout=subprocess.PIPE, text=True, check=True)
    what = probe.stdout.strip()
    if what and os.geteuid() != 0:
        how = "be root (sudo make demo)"
    elif what:
        how = "give this container CAP_BPF and CAP_PERFMON, or use a kernel with CONFIG_BPF_SYSCALL"
    elif os.path.isdir(f"{TRACEFS}/events"):
        return None
    else:
        what = f"tracefs, where tracepoints have their numbers, at {TRACEFS}"
        how = f"mount -t tracefs tracefs {TRACEFS} (as root, on a kernel with CONFIG_FTRACE)"
    return f"{what} is missing; to get it: {how}"


def _run() -> int:
    """Run the application, start programs meanwhile, pass on its lines; give the event count."""
    command = [sys.executable, "-u", "main.py", "--seconds", str(SECONDS)]
    events = 0
    with subprocess.Popen(command, cwd=WORK, stdout=subprocess.PIPE, text=True) as application:
        done = threading.Event()
        starter = threading.Thread(target=_start_programs, args=(done,))
        starter.start()
        assert application.stdout is not None
        for line in application.stdout:
            print(line, end="", flush=True)
            events += line.startswith("ExecEvent(")
        done.set()
        starter.join()
    if application.returncode != 0:
        raise subprocess.CalledProcessError(application.returncode, command)
    return events


def _start_programs(done: threading.Event) -> None:
    while not done.wait(0.7):
        for command in (["true"], ["uname", "-r"], ["date", "+%s"]):
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def _say(text: str) -> None:
    print(f"==> {text}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed, exit status {error.returncode}: {error.cmd}")
