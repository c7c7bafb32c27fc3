"""The entry of the command; `python -m bpfgen` is the same as `bpfgen`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command."""
    if sys.argv[1:2] == ["link"]:
        _link(sys.argv[2:])
    from .cli import main as every

    every(prog_name="bpfgen")


def _link(arguments: list[str]) -> None:
    """Link and exit.

    Two objects are linked in the time in which an interpreter starts, so what else it does counts:
    click is not imported, and neither is garbage collected nor the interpreter taken apart.
    """
    import gc
    import os

    gc.disable()
    from .commands.link import run

    status = run(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
