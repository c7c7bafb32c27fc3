"""`bpfgen link`. It reads its arguments itself (see `__main__`); `command` is for click's list."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    command: click.Command

__all__ = ["command", "run"]

_USAGE = "Usage: bpfgen link OUT.o IN.o..."

_HELP = f"""{_USAGE}

  Link compiled BPF objects statically into one, as bpftool gen object does.

  Sections of one name are merged, static names stay apart, globals, externs and
  maps of one name become one, types are merged. - is standard output or input.
  Externs that are in none of the inputs stay externs, and are named on stderr.

Options:
  -h, --help  Show this message and exit.

Exit status: 0, 1 if the objects cannot be linked (OUT.o is not touched then), 2
for wrong usage.

Examples:
  bpfgen link app.bpf.o main.bpf.o stats.bpf.o
  bpfgen skeleton app.bpf.o
"""


def run(arguments: Sequence[str]) -> int:
    """Link and return the exit status.

    Args:
        arguments: behind `bpfgen link`.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [a for a in arguments[:end] if a.startswith("-") and a != "-"]
    if "-h" in options or "--help" in options:
        sys.stdout.write(_HELP)
        return 0
    paths = [a for a in arguments[:end] if a not in options] + list(arguments[end + 1 :])
    if options or len(paths) < 2:
        what = f"no such option: {options[0]}" if options else "it needs OUT.o and one IN.o or more"
        sys.stderr.write(f"{_USAGE}\nTry 'bpfgen link -h' for help.\n\nError: {what}\n")
        return 2
    from bpfgen_runtime.errors import BpfError
    from bpfgen_runtime.linker.linker import Linker

    target, *inputs = paths
    linker = Linker(target)
    place = target
    try:
        for place in inputs:
            if place == "-":
                linker.add_bytes(sys.stdin.buffer.read(), "standard input")
            else:
                linker.add_file(place)
        place = target
        if target == "-":
            sys.stdout.buffer.write(linker.finalize())
            sys.stdout.buffer.flush()
        else:
            linker.write(target)
    except OSError as error:
        return _complain(f"{place}: {error.strerror or error}")
    except BpfError as error:
        return _complain(str(error))
    except RecursionError:
        return _complain(f"{place}: types are nested too deep")
    unresolved = linker.unresolved()
    if unresolved:
        _complain(f"{target}: left unresolved: {', '.join(unresolved)}")
    return 0


def _complain(message: str) -> int:
    from ..text import printable

    lines = [printable(line) for line in message.split("\n")]
    sys.stderr.write("bpfgen: " + "\n".join(lines) + "\n")
    return 1


def __getattr__(name: str) -> object:
    if name != "command":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import click

    class Raw(click.Command):
        """The arguments as they are: click would drop a `--`."""

        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            ctx.params["arguments"] = args
            return []

    def link(arguments: list[str]) -> None:
        raise click.exceptions.Exit(run(arguments))

    return Raw("link", callback=link, short_help="Link compiled BPF objects statically.")
