"""BTF from a file: raw, as in /sys/kernel/btf and from BTFHub, or the section `.BTF` of ELF."""

from __future__ import annotations

import os

from ..errors import BtfError, ElfError, SyscallError
from .btf import Btf
from .parse import SECTION

_ELF_MAGIC = b"\x7fELF"


def read_btf(path: str | os.PathLike[str], *, base: Btf | None = None) -> Btf:
    """Read and index a file of BTF, as libbpf's btf__parse does.

    Args:
        path: raw BTF of either byte order, or an ELF file (a vmlinux, an object) with BTF in it.
        base: what a split BTF (a kernel module's) continues.

    Raises:
        BtfError: the file holds no BTF, or it is damaged; the message names the file.
        SyscallError: the file cannot be read.
    """
    name = os.fsdecode(path)
    what = f"read the BTF file {name!r}"
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SyscallError(error.errno or 0, "open", what) from error
    except ValueError as error:  # a NUL in the path
        raise BtfError(f"{what}: {error}") from error
    try:
        return btf_in(data, base=base)
    except (BtfError, ElfError) as error:
        raise BtfError(f"{what}: {error.message}") from error


def btf_in(data: bytes, *, base: Btf | None = None) -> Btf:
    """Index the BTF that a file's content is, or has in it if it is ELF.

    Raises:
        BtfError, ElfError: there is none, or it is damaged.
    """
    return Btf.parse(_section(data) if data.startswith(_ELF_MAGIC) else data, base=base)


def _section(content: bytes) -> bytes:
    from ..elf.reader import read_section

    found = read_section(content, SECTION)
    if found is None:
        raise BtfError(f"this ELF file has no section {SECTION!r}")
    return found
