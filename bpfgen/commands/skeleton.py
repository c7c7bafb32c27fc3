"""`bpfgen skeleton`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .. import naming
from .common import STDIO, fail, guard, print_text, read_file

__all__ = ["command"]


class _Event(click.ParamType[tuple[str, str]]):
    name = "MAP=STRUCT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        map_name, _, type_name = str(value).partition("=")
        if not map_name.strip() or not type_name.strip():
            self.fail(f"{value!r} is not of the form MAP=STRUCT", param, ctx)
        return map_name.strip(), type_name.strip()


@click.command()
@click.argument("obj", metavar="OBJ", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT.py",
    help="Where to write; - is standard output. Default: NAME_skel.py beside OBJ.",
)
@click.option("--name", metavar="NAME", help="What to call the object. Default: by its file name.")
@click.option(
    "--event",
    "events",
    type=_Event(),
    multiple=True,
    help="The type of a ring buffer's records. May be given for several maps.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 unless OUT.py is current.")
def command(
    obj: Path, output: Path | None, name: str | None, events: Sequence[tuple[str, str]], check: bool
) -> None:
    """Generate the typed module of a BPF object."""
    to_stdout = output == STDIO
    if check and to_stdout:
        raise click.UsageError("--check compares with a file: -o - has none")
    if name is not None and not naming.is_identifier(name):
        raise click.BadParameter(f"{name!r} is no identifier", param_hint="--name")
    if len(dict(events)) != len(events):
        raise click.BadParameter("a map is named twice", param_hint="--event")
    target = output or obj.parent / f"{naming.module_name(obj.name)}.py"

    def generate() -> str:
        from ..generate import generate

        return generate(read_file(obj), file_name=obj.name, name=name, events=dict(events))

    text = guard(obj, generate)
    if to_stdout:
        print_text(text)
        return
    from .. import publish

    if not check:
        guard(target, lambda: publish.write(target, text))
    elif not guard(target, lambda: publish.is_current(target, text)):
        what = "is not what bpfgen generates now" if target.exists() else "does not exist"
        fail(target, f"{what}: run bpfgen skeleton without --check")
