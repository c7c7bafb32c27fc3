"""`bpfgen inspect`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .. import naming
from .common import STDIO, guard, print_text, read_file

__all__ = ["command"]


@click.command(epilog="""\b
Exit status: 0, 1 if OBJ is no BPF object, 2 for wrong usage.

\b
Examples:
  bpfgen inspect execsnoop.bpf.o
  bpfgen inspect --json execsnoop.bpf.o | jq '.maps[].name'""")
@click.argument("obj", metavar="OBJ", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
def command(obj: Path, as_json: bool) -> None:
    """List what a BPF object contains; also objects that this version cannot load.

    OBJ may be - for standard input.
    """

    def read() -> str:
        from .. import inspect as inspection
        from ..generate import read_object

        name = "stdin" if obj == STDIO else naming.object_name(obj.name)
        facts = inspection.describe(read_object(read_file(obj), name))
        return inspection.as_json(facts) if as_json else inspection.as_tables(facts, _width())

    print_text(guard(obj, read))


def _width() -> int | None:
    return None if sys.stdout.isatty() else 120
