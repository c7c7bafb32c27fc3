"""Count starts and ends of programs: two BPF sources, linked into one object with one skeleton."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from bpfgen_runtime.report import run
from lifecycle_skel import Lifecycle, Name

PROGRAM = "lifecycle-demo"  # 14 of the 15 bytes that a process's name has
TIMES = 3


def run_program() -> None:
    """Run a copy of `true` under a name of its own, so that nobody else's runs are counted."""
    true = shutil.which("true")
    assert true is not None
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / PROGRAM
        shutil.copy(true, program)
        for _ in range(TIMES):
            subprocess.run([program], check=True)


def main() -> None:
    with Lifecycle.open_and_load() as skel:
        skel.attach()
        run_program()
        skel.detach()
        counts = skel.maps.by_name[Name(PROGRAM)]
        print(f"{PROGRAM}: started {counts.started}, ended {counts.ended}")
        counted = skel.bss.events >= 2 * TIMES
        print(f"events of both sources: {'all counted' if counted else 'lost'}")


if __name__ == "__main__":
    raise SystemExit(run(main))
