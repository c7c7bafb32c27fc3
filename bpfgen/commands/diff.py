"""`bpfgen diff`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .common import guard, print_text, read_file

__all__ = ["command"]


@click.command(epilog="""\b
Exit status: 0 if all that is pinned or stored still fits, 1 if not or if an input is no BPF object,
2 for wrong usage.

\b
Examples:
  bpfgen diff released/execsnoop.bpf.o execsnoop.bpf.o
  bpfgen diff --json old.bpf.o new.bpf.o | jq '.changes[] | select(.breaks)'""")
@click.argument("old", metavar="OLD.o", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW.o", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
def command(old: Path, new: Path, as_json: bool) -> None:
    """List what a new version of an object changes in maps, values, events and globals.

    A change breaks what the old version has left: a pinned map that the new one cannot take, stored
    values or records that it would misread.
    """
    from .. import diff, naming
    from ..generate import read_object

    specs = []
    data = []
    for path in (old, new):
        data.append(guard(path, lambda path=path: read_file(path)))  # type: ignore[misc]
        name = naming.object_name(path.name)
        specs.append(guard(path, lambda name=name: read_object(data[-1], name)))  # type: ignore[misc]
    changes = guard(new, lambda: diff.compare(specs[0], specs[1], (data[0], data[1])))
    width = None if sys.stdout.isatty() else 120
    print_text(diff.as_json(changes) if as_json else diff.as_table(changes, width))
    if any(change.breaks for change in changes):
        raise click.exceptions.Exit(1)
