"""`bpfgen btf`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from .common import guard, print_parts

__all__ = ["command"]


@click.group()
def command() -> None:
    """Read BTF, the types of kernels and BPF objects."""


@command.command(epilog="""\b
Exit status: 0, 1 if there is no such BTF or type, 2 for wrong usage.

\b
Examples:
  bpfgen btf dump execsnoop.bpf.o
  bpfgen btf dump vmlinux --root task_struct
  bpfgen btf dump nf_conntrack --format raw
  bpfgen btf dump execsnoop.bpf.o --format json | jq '.types[].name'""")
@click.argument("source", metavar="FILE|vmlinux|MODULE")
@click.option(
    "--format",
    "form",
    type=click.Choice(("c", "raw", "json")),
    default="c",
    show_default=True,
    help="C that compiles to the same layout, or a list of the types by their ids.",
)
@click.option(
    "--root",
    "roots",
    metavar="NAME",
    multiple=True,
    help="Only types of this name; in C with all that they need. May be given several times.",
)
@click.option(
    "--base",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What a split BTF continues. Default: the kernel's, for its modules.",
)
def dump(source: str, form: str, roots: tuple[str, ...], base: Path | None) -> None:
    """Write the types of an object, of the running kernel, or of a kernel module.

    FILE is raw BTF, or an ELF file with BTF in it, or - for standard input. Variables and functions
    are only in the formats raw and json, and so are the declaration tags.
    """

    def parts() -> Iterator[str]:
        from ..btfsource import read_source, types_named

        btf = read_source(source, base)
        ids = types_named(btf, roots)
        if form == "c":
            from bpfgen_runtime.btf.dump import dump_c

            yield from dump_c(btf, ids)
        elif form == "raw":
            from bpfgen_runtime.btf.listing import dump_raw

            yield from dump_raw(btf, ids)
        else:
            from bpfgen_runtime.btf.listing import type_facts

            start = '{"types":['
            for type_id in range(btf.start_id, len(btf)) if ids is None else ids:
                yield start + json.dumps(type_facts(btf, type_id), separators=(",", ":"))
                start = ",\n"
            yield (start if start.startswith("{") else "") + "]}\n"

    guard(Path(source), lambda: print_parts(parts()))
