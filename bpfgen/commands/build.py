"""`bpfgen build`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from bpfgen_runtime.errors import BpfError

from .. import build as step
from .. import config as configuration
from .. import naming
from ..config import Config, Target
from ..text import printable
from ..watch import changed
from .common import complain, guard
from .skeleton import EventOption

__all__ = ["command"]


@click.command(epilog="""\b
Exit status: 0, 1 if anything failed (the rest is built all the same), 2 for wrong
usage or a wrong configuration. --watch goes on after failures, until Ctrl-C (0).

\b
Examples:
  bpfgen build                         all that [tool.bpfgen] names
  bpfgen build bpf/execsnoop.bpf.c     execsnoop_skel.py, where the project wants it
  bpfgen build a.bpf.c b.bpf.c --link both -o src/app
  bpfgen build --watch""")
@click.argument("sources", metavar="[SRC.bpf.c]...", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "-o",
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where modules go. Default: as configured, else beside the source.",
)
@click.option("--link", metavar="NAME", help="Link all SRC into one object of that name.")
@click.option(
    "--event",
    "events",
    type=EventOption(),
    multiple=True,
    help="The type of a ring buffer's records; for one object.",
)
@click.option("--sidecar", is_flag=True, help="Leave the objects beside the modules.")
@click.option(
    "-I",
    "include_dirs",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Where headers are, before those configured.",
)
@click.option("--cflag", "cflags", multiple=True, metavar="FLAG", help="A further flag of clang.")
@click.option("--clang", metavar="PATH", help="Which clang.")
@click.option("--arch", metavar="ARCH", help="__TARGET_ARCH_x. Default: this machine's.")
@click.option(
    "--vmlinux-h", type=click.Path(path_type=Path), metavar="FILE", help='What "vmlinux.h" is.'
)
@click.option("--build-dir", type=click.Path(path_type=Path), metavar="DIR", help=".bpfgen")
@click.option(
    "--check-types/--no-check-types",
    default=None,
    help="mypy --strict over the modules. Default: if mypy is installed.",
)
@click.option("--force", is_flag=True, help="Also what has not changed.")
@click.option("--watch", is_flag=True, help="Build again whenever an input changes.")
@click.option("-q", "--quiet", is_flag=True, help="Only what goes wrong.")
@click.pass_context
def command(context: click.Context, /, sources: Sequence[Path], **options: Any) -> None:
    """Compile BPF programs, and generate their modules.

    Without SRC, all that [tool.bpfgen] of pyproject.toml names, here or in a directory above. What
    has not changed is not built again.
    """
    sources = tuple(Path(os.path.abspath(source)) for source in sources)
    shown = _Display(options["quiet"])
    if options["watch"]:
        _watch(sources, options, shown)
        return
    config, targets = _plan(sources, options)
    if not _build(config, targets, options["force"], shown):
        context.exit(1)


def _plan(sources: Sequence[Path], options: dict[str, Any]) -> tuple[Config, list[Target]]:
    """Give the configuration and the targets; what is wrong with them is status 2."""
    try:
        file = configuration.find(Path.cwd())
        config = Config(root=Path.cwd()) if file is None else configuration.load(file)
    except BpfError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from error
    changes: dict[str, Any] = {
        key: options[key] for key in ("clang", "arch", "check_types") if options[key] is not None
    }
    if options["arch"] not in (None, *configuration.ARCHITECTURES):
        known = ", ".join(configuration.ARCHITECTURES)
        raise click.BadParameter(f"{options['arch']!r} is none of {known}", param_hint="--arch")
    for key in ("build_dir", "vmlinux_h", "output_dir"):
        if options[key] is not None:
            changes[key] = Path.cwd() / options[key]
    here = tuple(Path.cwd() / each for each in options["include_dirs"])
    config = replace(
        config,
        **changes,
        include_dirs=here + config.include_dirs,
        cflags=config.cflags + options["cflags"],
        sidecar=config.sidecar or options["sidecar"],
    )
    targets = list(config.targets)
    if options["link"] is not None:
        targets = [_linked(config, sources, options["link"])]
    elif sources:
        targets = []
        for source in sources:
            target = configuration.target_of_source(config, source)
            if target not in targets:
                targets.append(target)
        if len({target.name for target in targets}) != len(targets):
            raise click.UsageError("two sources would be objects of the same name")
    elif not targets:
        raise click.UsageError(
            "no SRC, and no pyproject.toml from here upward whose [tool.bpfgen] names any"
        )
    if options["output_dir"] is not None:
        targets = [replace(each, output_dir=Path.cwd() / options["output_dir"]) for each in targets]
    if options["sidecar"]:
        targets = [replace(each, sidecar=True) for each in targets]
    if options["events"]:
        if len(targets) != 1:
            raise click.UsageError("--event is for one object: [tool.bpfgen] has events for each")
        events = dict(targets[0].events) | dict(options["events"])
        targets = [replace(targets[0], events=events)]
    return config, targets


def _linked(config: Config, sources: Sequence[Path], name: str) -> Target:
    if not sources:
        raise click.UsageError("--link wants the sources to link")
    if not naming.is_identifier(name):
        raise click.BadParameter(f"{name!r} is no identifier", param_hint="--link")
    return Target(
        name=name,
        sources=tuple(sources),
        object=None,
        output_dir=config.output_dir or sources[0].parent,
        sidecar=config.sidecar,
    )


def _build(config: Config, targets: list[Target], force: bool, shown: _Display) -> bool:
    """Build, show what happens, and tell whether all went well."""
    try:
        with_mypy = step.wants_mypy(config)
    except BpfError as error:
        raise click.UsageError(str(error)) from error
    good = []
    with shown.progress(len(targets)) as advance:
        outcomes = step.build(config, targets, force=force, colour=shown.colour)
        # Only the build directory can fail as a whole: None is the end.
        while outcome := guard(config.build_dir, lambda: next(outcomes, None)):
            advance(outcome.target.name)
            shown.outcome(outcome)
            if outcome.status != "failed":
                good.append(outcome.target)
    if with_mypy and good:
        report = step.check_types(config, good, colour=shown.colour)
        if report:
            shown.raw(report)
            complain("mypy --strict", "not all modules pass")
            return False
    return len(good) == len(targets)


def _watch(sources: Sequence[Path], options: dict[str, Any], shown: _Display) -> None:
    """Build now and after every change, until Ctrl-C."""
    force = options["force"]
    try:
        while True:
            start = time.time_ns()
            config, targets = _plan(sources, options)
            _build(config, targets, force, shown)
            force = False
            shown.line("watching", "waiting for changes, Ctrl-C ends it")
            changed(step.inputs(config, targets), start)
    except KeyboardInterrupt:
        shown.line("watching", "done")


class _Display:
    """Says on stderr what happens: in colour and with progress on a terminal, else plain lines."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.terminal = sys.stderr.isatty()
        self.colour = self.terminal and not os.environ.get("NO_COLOR")

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[str], None]]:
        """Show how far a build is, on one line that goes away; only on a terminal."""
        if not self.terminal or self.quiet or total < 2:
            yield lambda name: None
            return
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        done = 0
        # No refreshing thread: processes are made while this is shown.
        with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

            def advance(name: str) -> None:
                nonlocal done
                done += 1
                live.update(Text(f"{done}/{total} {printable(name)}"), refresh=True)

            live.update(Text(f"0/{total}"), refresh=True)
            yield advance

    def outcome(self, outcome: step.Outcome) -> None:
        """Say what became of a target, behind what clang wrote about it."""
        if outcome.diagnostics:
            self.raw(outcome.diagnostics)
        if outcome.status == "failed":
            complain(outcome.target.name, outcome.reason)
        elif outcome.status == "current":
            self.line(outcome.target.name, "up to date", fg="bright_black")
        else:
            notes = ", ".join(outcome.notes) or "unchanged"
            self.line(outcome.target.name, notes, fg="green")

    def line(self, name: str, text: str, fg: str | None = None) -> None:
        if not self.quiet:
            name = click.style(printable(name), fg=fg, bold=True) if self.colour else name
            click.echo(f"{name}: {printable(text)}", err=True, color=self.colour)

    def raw(self, text: str) -> None:
        """Pass on what a tool wrote."""
        click.echo(text, err=True, nl=not text.endswith("\n"), color=self.colour)
