"""Write the expected outputs of tests/golden again.

    python -m tests.golden.regenerate              the modules, from the committed objects
    python -m tests.golden.regenerate --compile    the objects too, from their sources (clang, llvm)

A case is a folder: NAME.bpf.c, its object NAME.bpf.o, and NAME_skel.py, the module expected for it.
Lines `// clang: OPTIONS` and `// bpfgen: OPTIONS` of the source give options. The objects are
committed because another version of clang makes other ones; `sources.json` says from which sources
they were made.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from bpfgen.cli import main as bpfgen
from tests.support.clang import FLAGS
from tests.support.requirements import multiarch_include

HERE = Path(__file__).parent
SOURCES = HERE / "sources.json"
COMMAND = "python -m tests.golden.regenerate"


class Case(NamedTuple):
    """One folder of tests/golden."""

    name: str

    @property
    def source(self) -> Path:
        return HERE / self.name / f"{self.name}.bpf.c"

    @property
    def object(self) -> Path:
        return self.source.with_suffix(".o")

    @property
    def module(self) -> Path:
        return HERE / self.name / f"{self.name}_skel.py"

    def options(self, tool: str) -> list[str]:
        """Give the options that the source has for `clang` or `bpfgen`."""
        mark = f"// {tool}: "
        lines = self.source.read_text().splitlines()
        return [
            word
            for line in lines
            if line.startswith(mark)
            for word in shlex.split(line[len(mark) :])
        ]

    def digest(self) -> str:
        """Give the hash of what the object is made from."""
        return hashlib.sha256(self.source.read_bytes()).hexdigest()


CASES = [Case(path.name) for path in sorted(HERE.iterdir()) if list(path.glob("*.bpf.c"))]


def generate(case: Case) -> str:
    """Run bpfgen on the case's object and give what it prints."""
    arguments = ["skeleton", str(case.object), "-o", "-", *case.options("bpfgen")]
    result = CliRunner().invoke(bpfgen, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def compile_case(case: Case) -> None:
    """Compile the case's object, the same wherever that is done.

    That is without debug information, unless the source has a line `// keep: debug information`.
    """
    environment = os.environ | {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"}
    clang = ["clang", *FLAGS, "-fdebug-compilation-dir=.", f"-I{multiarch_include()}"]
    commands = [
        [*clang, *case.options("clang"), "-c", case.source.name, "-o", case.object.name],
    ]
    if case.options("keep") != ["debug", "information"]:
        commands.append(["llvm-strip", "-g", case.object.name])
    for command in commands:
        subprocess.run(command, cwd=case.source.parent, env=environment, check=True)


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--compile"]):
        print(f"usage: {COMMAND} [--compile]", file=sys.stderr)
        return 2
    if arguments:
        for case in CASES:
            compile_case(case)
        SOURCES.write_text(
            json.dumps({case.name: case.digest() for case in CASES}, indent=2) + "\n"
        )
    for case in CASES:
        case.module.write_text(generate(case))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
