"""Build what is measured: peers in C, objects, skeletons for both sides, all in build/bench."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from bench.measure import Sample

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
WORK = ROOT / "build" / "bench"

#: Objects that both sides have a skeleton of.
OBJECTS = ("execsnoop", "maptable", "perffill", "ringfill", "tasktree")


def prepare() -> None:
    """Make build/bench anew. Raises CalledProcessError where a tool fails."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for name in ("execsnoop", "tasktree"):
        shutil.copy(ROOT / "examples" / name / f"{name}.bpf.o", WORK)
    triplet = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    clang = f"clang -g -O2 -Wall -Werror -target bpf -mcpu=v3 -I/usr/include/{triplet}"
    for source in sorted((BENCH / "bpf").glob("*.bpf.c")):
        _run(*clang.split(), "-c", source, "-o", f"{source.stem}.o")
    for name in OBJECTS:
        _run(bpfgen(), "skeleton", f"{name}.bpf.o")
        header = _run("bpftool", "gen", "skeleton", f"{name}.bpf.o")
        (WORK / f"{name}.skel.h").write_bytes(header)
    for source in sorted((BENCH / "peers").glob("*.c")):
        _run("gcc", "-O2", "-Wall", f"-I{WORK}", source, "-lbpf", "-o", source.stem)


def bpfgen() -> Path:
    """Give the path of the command that belongs to the running Python."""
    return Path(sys.executable).parent / "bpfgen"


def target_python() -> Path:
    """Make the Python of a target host, with the runtime in it as pip installs it, nothing else.

    A development environment's is slower to start: each editable install has a .pth file that
    imports something.
    """
    target = WORK / "target"
    python = target / "bin" / "python"
    if not python.exists():
        _run(sys.executable, "-m", "venv", "--without-pip", target)
        [packages] = target.glob("lib/python*/site-packages")
        installed = packages / "bpfgen_runtime"
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "runtime" / "bpfgen_runtime", installed, ignore=without)
        _run(python, "-m", "compileall", "-q", installed, WORK / "execsnoop_skel.py")
    return python


def skeleton(name: str) -> Any:
    """Import a skeleton made by `prepare`; not known before, hence untyped here."""
    if str(WORK) not in sys.path:
        sys.path.insert(0, str(WORK))
    return importlib.import_module(f"{name}_skel")


def whole_process(*command: str | Path) -> Sample:
    """Sample the milliseconds that a process takes, run in build/bench."""

    def sample() -> float:
        begin = time.perf_counter_ns()
        subprocess.run(command, cwd=WORK, check=True, stdout=subprocess.DEVNULL)
        return (time.perf_counter_ns() - begin) / 1e6

    return sample


def _run(*command: str | Path) -> bytes:
    return subprocess.run(command, cwd=WORK, check=True, stdout=subprocess.PIPE).stdout
