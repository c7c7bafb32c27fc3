"""`bpfgen min-core-btf`."""

from __future__ import annotations

from pathlib import Path

import click
from bpfgen_runtime.errors import BpfError

from .common import fail, guard, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfgen_runtime.btf import Btf, BtfExt

__all__ = ["command"]


@click.command(epilog="""\b
Exit status: 0, 1 if an input is no such file, a relocation is ambiguous, or there is none, 2 for
wrong usage.

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

    from .. import publish

    kernel = guard(source, lambda: read_btf(source))
    found = []
    for path in objects:
        parts = guard(path, lambda path=path: _types_of(path))  # type: ignore[misc]
        if parts is not None:
            found.append(parts)
    if not any(list(ext.core_relos) for _, ext in found):
        fail(", ".join(map(str, objects)), "no CO-RE relocations, so no BTF of a kernel is needed")
    smallest = guard(source, lambda: min_core_btf(kernel, found))
    guard(target, lambda: publish.write(target, smallest.to_bytes()))


def _types_of(path: Path) -> tuple[Btf, BtfExt] | None:
    """Read what CO-RE relocations are made of, None if there are none; the rest does not matter."""
    from bpfgen_runtime.btf import Btf, BtfExt
    from bpfgen_runtime.elf.reader import read_section

    data = read_file(path)
    types = read_section(data, ".BTF")
    if types is None:
        raise BpfError("no BTF, and so no CO-RE relocations: compile it with -g")
    ext = read_section(data, ".BTF.ext")
    if ext is None:  # an object without functions
        return None
    btf = Btf.parse(types)
    return btf, BtfExt.parse(ext, btf)
