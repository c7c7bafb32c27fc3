"""The static linker: a whole `bpfgen link`, and how linking grows with the number of objects."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bpfgen_runtime.linker import link

from bench.measure import Row, Sample
from bench.work import BENCH, ROOT, WORK, target_python, whole_process

#: As uv writes the script of a command; that of older pips also imports re.
COMMAND = """\
#!{python}
import sys
from bpfgen.__main__ import main
if __name__ == "__main__":
    sys.exit(main())
"""

OBJECTS = 64


def rows(stack: ExitStack) -> list[Row]:
    objects = _compile()
    first, second = objects[:2]
    return [
        Row(
            "linking two objects, a process",
            "ms",
            "bpftool gen object",
            ours=whole_process(_installed_command(), "link", "ours.o", first, second),
            peer=whole_process("bpftool", "gen", "object", "theirs.o", first, second),
            max_ratio=12,
        ),
        Row(
            f"linking {OBJECTS} objects",
            "ms",
            "ours: linking one",
            ours=_link(objects),
            peer=_link(objects[:1]),
            rounds=11,
            max_ratio=80,
        ),
    ]


def _compile() -> list[Path]:
    """Compile bench/bpf/linked.bpf.c under different names, some 20 kB each."""
    triplet = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    clang = f"clang -g -O2 -Wall -Werror -target bpf -mcpu=v3 -I/usr/include/{triplet}".split()

    def one(number: int) -> Path:
        target = WORK / f"linked{number}.o"
        source = BENCH / "bpf" / "linked.bpf.c"
        subprocess.run([*clang, f"-DID={number}", "-c", source, "-o", target], check=True)
        return target

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(OBJECTS)))


def _installed_command() -> Path:
    """Put the generator beside the runtime, as pip installs it, and give the command's path."""
    python = target_python()
    command = python.parent / "bpfgen"
    if not command.exists():
        [packages] = python.parents[1].glob("lib/python*/site-packages")
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "bpfgen", packages / "bpfgen", ignore=without)
        subprocess.run([python, "-m", "compileall", "-q", packages / "bpfgen"], check=True)
        command.write_text(COMMAND.format(python=python))
        command.chmod(0o755)
    return command


def _link(objects: list[Path]) -> Sample:
    def sample() -> float:
        begin = time.perf_counter_ns()
        link(objects)
        return (time.perf_counter_ns() - begin) / 1e6

    return sample
