"""The command `bpfgen`: the only place that prints or exits."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from bpfgen_runtime.errors import BpfError

from . import __version__, naming
from .text import printable

__all__ = ["main"]

#: Anything larger is no BPF object; a device or a pipe without end would be read for ever.
_MAX_SIZE = 1 << 30


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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bpfgen")
def main() -> None:
    """Turn compiled BPF objects into typed Python modules."""


@main.command()
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
def skeleton(
    obj: Path, output: Path | None, name: str | None, events: Sequence[tuple[str, str]], check: bool
) -> None:
    """Generate the typed module of a BPF object."""
    to_stdout = output == Path("-")
    if check and to_stdout:
        raise click.UsageError("--check compares with a file: -o - has none")
    if name is not None and not naming.is_identifier(name):
        raise click.BadParameter(f"{name!r} is no identifier", param_hint="--name")
    if len(dict(events)) != len(events):
        raise click.BadParameter("a map is named twice", param_hint="--event")
    target = output or obj.parent / f"{naming.module_name(obj.name)}.py"

    def generate() -> str:
        from .generate import generate

        return generate(_read(obj), file_name=obj.name, name=name, events=dict(events))

    text = _guard(obj, generate)
    if to_stdout:
        _print(text)
        return
    from . import publish

    if not check:
        _guard(target, lambda: publish.write(target, text))
    elif not _guard(target, lambda: publish.is_current(target, text)):
        what = "is not what bpfgen generates now" if target.exists() else "does not exist"
        _fail(target, f"{what}: run bpfgen skeleton without --check")


@main.command()
@click.argument("obj", metavar="OBJ", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
def inspect(obj: Path, as_json: bool) -> None:
    """List what a BPF object contains; also objects that this version cannot load."""

    def read() -> str:
        from . import inspect as inspection
        from .generate import read_object

        facts = inspection.describe(read_object(_read(obj), naming.object_name(obj.name)))
        return inspection.as_json(facts) if as_json else inspection.as_tables(facts, _width())

    _print(_guard(obj, read))


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        data = file.read(_MAX_SIZE + 1)
    if len(data) > _MAX_SIZE:
        raise BpfError(f"larger than {_MAX_SIZE >> 20} MiB: no BPF object")
    return data


def _guard(path: Path, action: Callable[[], Any]) -> Any:
    """Run an action; what is wrong with the file becomes one line on stderr and status 1."""
    try:
        return action()
    except OSError as error:
        _fail(path, error.strerror or str(error))
    except BpfError as error:
        _fail(path, str(error))
    except RecursionError:
        _fail(path, "types are nested too deep")


def _fail(path: Path, reason: str) -> NoReturn:
    click.echo(printable(f"bpfgen: {path}: {reason}"), err=True)
    raise click.exceptions.Exit(1)


def _print(text: str) -> None:
    try:
        # As in files: UTF-8, whatever the locale.
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(1) from None


def _width() -> int | None:
    return None if sys.stdout.isatty() else 120
