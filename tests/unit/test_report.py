"""Errors as applications and the command show them."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import click
import pytest
from bpfgen_runtime.errors import BpfError, ClosedError, VerifierError
from bpfgen_runtime.report import run, show

from bpfgen.commands.common import guard

LOG = "0: R1=ctx() R10=fp0\n; x = [b]; @ a.bpf.c:9\n0: (79) r0 = *(u64 *)(r9 +0)\nR9 !read_ok\n"


def refused() -> VerifierError:
    return VerifierError(errno.EACCES, "BPF_PROG_LOAD", "load program 'bad'", LOG)


def test_status() -> None:
    """0 where main comes to its end, 1 after an error of ours; others' errors pass."""

    def fail(error: Exception) -> None:
        raise error

    assert run(lambda: None) == 0
    assert run(lambda: fail(ClosedError("closed"))) == 1
    with pytest.raises(ZeroDivisionError):
        run(lambda: fail(ZeroDivisionError()))


@pytest.mark.parametrize("error", [ClosedError("it is closed"), refused()])
def test_text(error: BpfError) -> None:
    """What is written is the error's class and message."""
    file = io.StringIO()
    show(error, file)
    assert file.getvalue() == f"{type(error).__name__}: {error}\n"


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The command shows what the verifier said on lines of their own, and ends with status 1."""

    def fail() -> None:
        raise refused()

    with pytest.raises(click.exceptions.Exit) as caught:
        guard(Path("x.bpf.o"), fail)
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == f"VerifierError: {refused()}\n"
