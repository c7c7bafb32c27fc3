"""What the commands share: reading objects, one line for what is wrong, standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn, TypeVar

import click
from bpfgen_runtime.errors import BpfError

from ..text import printable

__all__ = [
    "STDIO",
    "complain",
    "fail",
    "guard",
    "print_parts",
    "print_text",
    "read_file",
    "reason_of",
]

T = TypeVar("T")

#: As an input standard input, as an output standard output.
STDIO = Path("-")

#: Anything larger is no BPF object; a device or a pipe without end would be read for ever.
_MAX_SIZE = 1 << 30


def read_file(path: Path) -> bytes:
    """Read a file, or standard input for `-`.

    Raises:
        OSError: it cannot be read.
        BpfError: it is larger than any BPF object.
    """
    if path == STDIO:
        data = sys.stdin.buffer.read(_MAX_SIZE + 1)
    else:
        with open(path, "rb") as file:
            data = file.read(_MAX_SIZE + 1)
    if len(data) > _MAX_SIZE:
        raise BpfError(f"larger than {_MAX_SIZE >> 20} MiB: no BPF object")
    return data


def reason_of(error: Exception) -> str:
    """Say what is wrong, without the file's name; errors that are no fault of the input go on.

    Raises:
        Exception: the error itself, where it is a bug of ours.
    """
    if isinstance(error, BpfError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, RecursionError):
        return "types are nested too deep"
    raise error


def guard(path: Path, action: Callable[[], T]) -> T:
    """Run an action; what is wrong with the file becomes one line on stderr and status 1."""
    try:
        return action()
    except (OSError, BpfError, RecursionError) as error:
        if isinstance(error, BpfError) and hasattr(error, "__rich__"):
            from bpfgen_runtime.report import show

            show(error)  # the verifier's reasons take more than a line
            raise click.exceptions.Exit(1) from error
        fail(path, reason_of(error))


def complain(path: Path | str, reason: str) -> None:
    """Write one line on stderr about a file."""
    click.echo(printable(f"bpfgen: {path}: {reason}"), err=True)


def fail(path: Path | str, reason: str) -> NoReturn:
    """Write one line on stderr about a file, and end with status 1."""
    complain(path, reason)
    raise click.exceptions.Exit(1)


def print_text(text: str) -> None:
    """Write to standard output."""
    print_parts((text,))


def print_parts(parts: Iterable[str]) -> None:
    """Write to standard output piece by piece, as the pieces come.

    Bytes of an input that were no UTF-8 come out as they were.
    """
    try:
        for part in parts:
            # As in files: UTF-8, whatever the locale.
            sys.stdout.buffer.write(part.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(1) from None
