"""`bpfgen vmlinux`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from .common import guard, print_parts

__all__ = ["command"]


@click.command(epilog="""\b
Exit status: 0, 1 if there is no such BTF or type, 2 for wrong usage.

\b
Examples:
  bpfgen vmlinux > vmlinux.h
  bpfgen vmlinux --btf 5.10.btf --root task_struct > task.h""")
@click.option(
    "--btf",
    "source",
    metavar="FILE|MODULE",
    default="vmlinux",
    help="Another kernel's BTF, or that of a module. Default: the running kernel's.",
)
@click.option(
    "--root",
    "roots",
    metavar="NAME",
    multiple=True,
    help="Only types of this name and what they need. May be given several times.",
)
def command(source: str, roots: tuple[str, ...]) -> None:
    """Write the kernel's types as vmlinux.h, the header of BPF programs.

    With clang, each access to a struct of the header becomes a CO-RE relocation, so that a program
    built here runs on other kernels. Define BPF_NO_PRESERVE_ACCESS_INDEX before the header is
    included to have none.
    """

    def parts() -> Iterator[str]:
        from bpfgen_runtime.btf.dump import vmlinux_h

        from ..btfsource import read_source, types_named

        btf = read_source(source)
        yield from vmlinux_h(btf, types_named(btf, roots))

    guard(Path(source), lambda: print_parts(parts()))
