"""Small objects built in code for tests of the loader: programs, map definitions, global data."""

from __future__ import annotations

from collections.abc import Sequence

from bpfgen_runtime.btf import (
    Array,
    BtfType,
    Datasec,
    Int,
    Member,
    Ptr,
    SecVar,
    Struct,
    Var,
)
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.elf.image import ElfImage
from bpfgen_runtime.elf.reader import read_elf

from tests.support.elfwriter import SHF_ALLOC, SHF_WRITE, STT_OBJECT, ElfWriter, minimal

INT, U64 = 1, 2  # the first types of every Types


class Types:
    """BTF in the making: `add` gives the new type's id."""

    def __init__(self) -> None:
        self.types: list[BtfType] = [Int("int", 4, encoding=1), Int("unsigned long long", 8)]

    def add(self, new: BtfType) -> int:
        self.types.append(new)
        return len(self.types)

    def uint(self, number: int) -> int:
        """The carrier of `__uint(field, number)`."""
        return self.add(Ptr(self.add(Array(INT, INT, number))))

    def pointer(self, type_id: int) -> int:
        """The carrier of `__type(field, type)`."""
        return self.add(Ptr(type_id))

    def build(self) -> bytes:
        return encode(self.types, byte_order="<")


def map_image(
    types: Types,
    fields: Sequence[tuple[str, int]],
    *,
    name: str = "m",
    linkage: int = 1,
    section_size: int | None = None,
    datasec_size: int = 0,
    elf: ElfWriter | None = None,
) -> ElfImage:
    """Build an object of one program and one map with the given (field, type id) pairs."""
    elf = minimal() if elf is None else elf
    size = 8 * len(fields)
    members = [Member(field, type_id, 64 * i) for i, (field, type_id) in enumerate(fields)]
    definition = types.add(Struct("", size, members))
    var = types.add(Var(name, definition, linkage))
    types.add(Datasec(".maps", datasec_size, [SecVar(var, 0, size)]))
    real_size = size if section_size is None else section_size
    section = elf.section(".maps", bytes(real_size), flags=SHF_ALLOC | SHF_WRITE, align=8)
    elf.symbol(name, section, size=size, type=STT_OBJECT)
    elf.section(".BTF", types.build())
    return read_elf(elf.build(), name="built")
