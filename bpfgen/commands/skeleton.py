"""`bpfgen skeleton`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from bpfgen_runtime.errors import BpfError, GenerateError, LinkerError

from .. import naming
from .common import STDIO, complain, guard, print_text, read_file, reason_of

__all__ = ["EventOption", "command"]


class EventOption(click.ParamType[tuple[str, str]]):
    """An option's value `MAP=STRUCT`."""

    name = "MAP=STRUCT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        from ..events import parse_event

        if isinstance(value, tuple):
            return value
        try:
            return parse_event(str(value))
        except GenerateError as error:
            self.fail(str(error), param, ctx)


class _Job(NamedTuple):
    """One object, and what is to come of it.

    Attributes:
        linked: what is linked into the object; empty if it is a file.
        target: None for standard output.
    """

    obj: Path
    linked: Sequence[Path]
    file_name: str
    target: Path | None
    name: str | None
    events: Mapping[str, str]
    sidecar: bool
    check: bool


class _Complaint(NamedTuple):
    path: Path
    reason: str


@click.command(epilog="""\b
Exit status: 0, 1 if an object could not be made a module (or --check found a
difference), 2 for wrong usage. Several objects that are to be one module, by
--name or -o OUT.py, are linked; else each has a module of its own, and is tried
whatever happens to others.

\b
Examples:
  bpfgen skeleton execsnoop.bpf.o              execsnoop_skel.py beside the object
  bpfgen skeleton build/*.bpf.o -o src/app     a module for each, in src/app
  bpfgen skeleton build/*.bpf.o -o src/app --check
  bpfgen skeleton a.bpf.o b.bpf.o -o app_skel.py     one module of the two, linked
  clang -g -O2 -target bpf -c x.bpf.c -o - | bpfgen skeleton - --name x > x_skel.py""")
@click.argument(
    "objects",
    metavar="OBJ...",
    type=click.Path(path_type=Path),
    nargs=-1,
    required=True,
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="A file, a directory that is there, or - for standard output. "
    "Default: NAME_skel.py beside OBJ.",
)
@click.option("--name", metavar="NAME", help="What to call the object. Default: by its file name.")
@click.option(
    "--event",
    "events",
    type=EventOption(),
    multiple=True,
    help="The type of a ring buffer's records. May be given for several maps.",
)
@click.option(
    "--sidecar",
    is_flag=True,
    help="Leave the object out of the module: it is put beside it, and read from there.",
)
@click.option(
    "--link",
    "is_linked",
    is_flag=True,
    help="Link the objects statically, and make one module of the result, called by --name or OUT. "
    "So it is without this option where --name or OUT is that of one module.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 unless OUT is current.")
def command(
    objects: Sequence[Path],
    output: Path | None,
    name: str | None,
    events: Sequence[tuple[str, str]],
    sidecar: bool,
    is_linked: bool,
    check: bool,
) -> None:
    """Generate the typed module of each BPF object.

    OBJ may be - for standard input, which needs --name.
    """
    linked: Sequence[Path] = ()
    if is_linked or (len(objects) > 1 and _is_one_module(output, name)):
        linked = objects
        objects = [objects[0].parent / f"{_name_of_linked(objects, output, name)}.bpf.o"]
    _check_usage(objects, output, name, events, sidecar, check)
    jobs = []
    for obj in objects:
        # From standard input: as if of a file called so.
        file_name = f"{name}.bpf.o" if obj == STDIO else obj.name
        target = _target(obj, file_name, output)
        own_name = None if obj == STDIO else name
        jobs.append(_Job(obj, linked, file_name, target, own_name, dict(events), sidecar, check))
    if len({job.target for job in jobs}) != len(jobs):
        raise click.UsageError("two of the objects would be written to one module")
    if jobs[0].target is None:
        print_text(guard(objects[0], lambda: _text(_read(jobs[0]), jobs[0])))
        return
    if len(jobs) > 1:
        from .. import generate  # noqa: F401  # before the processes part

    from .. import workers

    complaints = dict(workers.run(_make, jobs))
    failed = [each for _, each in sorted(complaints.items()) if each is not None]
    for path, reason in failed:
        complain(path, reason)
    others = len(jobs) - len(failed)
    if failed and others and not check:
        modules = f"{others} other modules are" if others > 1 else "one other module is"
        click.echo(f"bpfgen: {modules} written", err=True)
    if failed:
        raise click.exceptions.Exit(1)


def _is_one_module(output: Path | None, name: str | None) -> bool:
    """Tell whether options say that there is to be one module, of however many objects."""
    return name is not None or (
        output is not None and output.suffix == ".py" and not output.is_dir()
    )


def _check_usage(
    objects: Sequence[Path],
    output: Path | None,
    name: str | None,
    events: Sequence[tuple[str, str]],
    sidecar: bool,
    check: bool,
) -> None:
    to_stdout = output == STDIO or (output is None and STDIO in objects)
    if check and to_stdout:
        raise click.UsageError("--check compares with a file: -o - has none")
    if sidecar and to_stdout:
        raise click.UsageError("--sidecar puts the object beside the module: -o - has no place")
    if name is not None and not naming.is_identifier(name):
        raise click.BadParameter(f"{name!r} is no identifier", param_hint="--name")
    if len(dict(events)) != len(events):
        raise click.BadParameter("a map is named twice", param_hint="--event")
    if STDIO in objects and name is None:
        raise click.UsageError("an object from standard input needs a --name")
    if len(objects) == 1:
        return
    for option, given in (("--event", events), ("-o -", to_stdout)):
        if given:
            raise click.UsageError(
                f"{option} is for one object, not for {len(objects)}: give them one by one, or "
                "use bpfgen build, whose configuration has names and events for each"
            )
    if output is not None and not output.is_dir():
        raise click.UsageError(
            f"-o {output}: for several objects it must be a directory that is there, or OUT.py"
        )


def _target(obj: Path, file_name: str, output: Path | None) -> Path | None:
    module = f"{naming.module_name(file_name)}.py"
    if output == STDIO or (output is None and obj == STDIO):
        return None
    if output is None:
        return obj.parent / module
    return output / module if output.is_dir() else output


def _make(job: _Job) -> _Complaint | None:
    """Generate one module and write or compare it; say what is wrong."""
    from .. import publish

    assert job.target is not None
    place = job.obj
    try:
        data = _read(job)
        outputs: list[tuple[Path, str | bytes]] = [(job.target, _text(data, job))]
        if job.sidecar:
            outputs.append((job.target.parent / job.file_name, data))
        for path, contents in outputs:
            place = path
            if not job.check:
                publish.write(path, contents)
            elif not publish.is_current(path, contents):
                what = "is not what bpfgen generates now" if path.exists() else "does not exist"
                return _Complaint(path, f"{what}: run bpfgen skeleton without --check")
    except (OSError, BpfError, RecursionError) as error:
        return _Complaint(place, reason_of(error))
    return None


def _name_of_linked(objects: Sequence[Path], output: Path | None, name: str | None) -> str:
    if STDIO in objects:
        raise click.UsageError("what is linked must be files, not standard input")
    if name is not None:
        return name
    if output is None or output.suffix != ".py" or output.is_dir():
        raise click.UsageError("--link makes one object of several: give --name, or -o OUT.py")
    return output.stem.removesuffix("_skel")


def _read(job: _Job) -> bytes:
    if not job.linked:
        return read_file(job.obj)
    from bpfgen_runtime.linker import link

    try:
        return link(job.linked, name=job.file_name)
    except LinkerError as error:
        raise GenerateError(error.message.replace("\n ", ";")) from error
    except OSError as error:
        raise GenerateError(f"{error.filename}: {error.strerror}") from error


def _text(data: bytes, job: _Job) -> str:
    from ..generate import generate

    return generate(
        data, file_name=job.file_name, name=job.name, events=job.events, sidecar=job.sidecar
    )
