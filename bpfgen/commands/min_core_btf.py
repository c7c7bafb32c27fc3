"""`bpfgen min-core-btf`."""

from __future__ import annotations

from pathlib import Path

import click

from .common import guard, read_file

__all__ = ["command"]


@click.command(epilog="""\b
Exit status: 0, 1 if an input is no such file or a relocation is ambiguous, 2 for wrong usage.

\b
Example:
  bpfgen min-core-btf 5.4.0-91-generic.btf min.btf execsnoop.bpf.o""")
@click.argument("source", metavar="SRC.btf", type=click.Path(path_type=Path))
@click.argument("target", metavar="DST.btf", type=click.Path(path_type=Path))
@click.argument(
    "objects", metavar="OBJ...", type=click.Path(path_type=Path), nargs=-1, required=True
)
def command(source: Path, target: Path, objects: tuple[Path, ...]) -> None:
    """Write the smallest BTF with which the objects' CO-RE relocations come out as with SRC.btf.

    For kernels without BTF: DST.btf goes along with the objects, and is what their loader is told
    to use (btf_custom_path).
    """
    from bpfgen_runtime.btf.file import read_btf
    from bpfgen_runtime.core.mincore import min_core_btf

    from .. import naming, publish
    from ..generate import read_object

    kernel = guard(source, lambda: read_btf(source))
    found = []
    for path in objects:
        spec = guard(
            path,
            lambda path=path: read_object(  # type: ignore[misc]
                read_file(path), naming.object_name(path.name)
            ),
        )
        if spec.btf is not None and spec.btf_ext is not None:
            found.append((spec.btf, spec.btf_ext))
    smallest = guard(source, lambda: min_core_btf(kernel, found))
    guard(target, lambda: publish.write(target, smallest.to_bytes()))
