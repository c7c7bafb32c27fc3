"""Where the BTF commands take BTF from: a file, the running kernel, one of its modules."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bpfgen_runtime.btf import Btf
from bpfgen_runtime.btf.file import btf_in, read_btf
from bpfgen_runtime.errors import BpfError

__all__ = ["read_source", "types_named"]

_KERNEL = Path("/sys/kernel/btf")


def read_source(source: str, base: Path | None = None) -> Btf:
    """Read BTF by what a user calls it.

    Args:
        source: a file (raw BTF, or ELF with a section `.BTF`), `-` for standard input, or
            `vmlinux`, or a kernel module's name. A file of that name in the current directory goes
            first.
        base: the BTF that a split one continues; by default the kernel's for its modules.

    Raises:
        BpfError: there is no such BTF, or it is damaged.
    """
    if source == "-":
        return btf_in(sys.stdin.buffer.read(), base=None if base is None else read_btf(base))
    path = Path(source)
    if not path.exists() and os.sep not in source:
        path = _KERNEL / source.replace("-", "_")
        if not path.exists():
            raise BpfError("neither a file nor a loaded kernel module that has BTF")
    if base is not None:
        return read_btf(path, base=read_btf(base))
    if path.parent == _KERNEL and path.name != "vmlinux":
        return read_btf(path, base=read_btf(_KERNEL / "vmlinux"))
    return read_btf(path)


def types_named(btf: Btf, names: tuple[str, ...]) -> list[int] | None:
    """Return the ids of all types with one of some names, ascending; None if no name is given.

    Args:
        names: `task_struct`, or `struct task_struct`, which is the same.

    Raises:
        BpfError: there is no type of a name.
    """
    if not names:
        return None
    found: set[int] = set()
    for name in names:
        ids = btf.find(name.split()[-1] if name.strip() else name)
        if not ids:
            raise BpfError(f"there is no type {name!r}")
        found.update(ids)
    return sorted(found)
