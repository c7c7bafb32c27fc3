"""What the linker makes: sections that grow input by input, and symbols."""

from __future__ import annotations

from struct import Struct

from ..elf.image import (
    SHF_EXECINSTR,
    SHN_UNDEF,
    SHT_NOBITS,
    SHT_REL,
    SHT_STRTAB,
    SHT_SYMTAB,
    STB_LOCAL,
    ElfImage,
    Section,
    Symbol,
)
from ..errors import LinkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..elf.image import ByteOrder
    from .compat import Declaration
    from .inputs import InputObject, InputSection

_SHF_STRINGS = 0x20
_SHF_INFO_LINK = 0x40


class OutputSection:
    """A section under construction.

    Attributes:
        data: its bytes; stays empty for SHT_NOBITS, whose `size` grows alone.
        is_ephemeral: only BTF knows it so far; an input with contents makes it a real one.
        first: label of the input that it came from first.
        parts: the inputs' sections in it, in their order.
        symbol: the one that stands for the section, None if no input has it.
        relocations: (offset, type, symbol) each.
        index: in the file, set by `image_of`; 0 for an ephemeral one.
    """

    __slots__ = (
        "align",
        "data",
        "entsize",
        "first",
        "flags",
        "index",
        "is_ephemeral",
        "name",
        "parts",
        "relocations",
        "size",
        "symbol",
        "type",
    )

    def __init__(self, name: str, first: str) -> None:
        self.name = name
        self.first = first
        self.type = self.flags = self.entsize = self.size = self.index = 0
        self.align = 1
        self.data = bytearray()
        self.is_ephemeral = True
        self.parts: list[tuple[InputObject, InputSection]] = []
        self.symbol: OutputSymbol | None = None
        self.relocations: list[tuple[int, int, OutputSymbol]] = []

    @property
    def is_code(self) -> bool:
        return bool(self.flags & SHF_EXECINSTR)

    def append(self, source: InputObject, section: InputSection) -> None:
        """Put an input's section behind what is there, aligned.

        Raises:
            LinkerError: it is of another type, or has other flags or entries.
        """
        section.out = self
        self.parts.append((source, section))
        if section.is_ephemeral:
            return
        if self.is_ephemeral:
            self.is_ephemeral = False
            self.type, self.flags = section.type, section.flags
            self.entsize = section.entsize
        else:
            self._check_fits(source, section)
        self.align = max(self.align, section.align)
        section.offset = self.size + -self.size % self.align
        self.size = section.offset + section.size
        if self.type != SHT_NOBITS:
            self.data += bytes(section.offset - len(self.data))
            self.data += section.data

    def _check_fits(self, source: InputObject, section: InputSection) -> None:
        for what, ours, theirs in (
            ("type", self.type, section.type),
            ("flags", self.flags, section.flags),
            ("entry size", self.entsize, section.entsize),
        ):
            if ours != theirs:
                raise LinkerError(
                    f"section {self.name!r} cannot be merged: its {what} is {ours:#x} in"
                    f" {self.first} and {theirs:#x} in {source.label}"
                )


class OutputSymbol:
    """A symbol of the output.

    Attributes:
        section: where it is defined; None for an extern, or with a reserved `shndx` (SHN_ABS).
        is_extern, is_weak: of globals; what is strong once stays so, as in libbpf.
        strong_by: label of the input whose extern declaration made it strong, "" if none did.
        source: the input that defines it, or that declared it first while none does.
        type_id: id of its VAR or FUNC in that input's BTF, 0 for local symbols.
        declared_in: `section`, but of an extern that which BTF has it in (`.ksyms`, `.maps`).
        others: of an extern map, the declarations that say what that of `source` does not.
    """

    __slots__ = (
        "bind",
        "declared_in",
        "index",
        "is_extern",
        "is_weak",
        "name",
        "others",
        "section",
        "shndx",
        "size",
        "source",
        "strong_by",
        "type",
        "type_id",
        "value",
        "visibility",
    )

    def __init__(self, name: str, bind: int, source: InputObject) -> None:
        self.name = name
        self.bind = bind
        self.source = source
        self.strong_by = ""
        self.type = self.visibility = self.value = self.size = self.index = self.type_id = 0
        self.shndx = SHN_UNDEF
        self.section: OutputSection | None = None
        self.declared_in: OutputSection | None = None
        self.others: tuple[Declaration, ...] = ()
        self.is_extern = self.is_weak = False


def image_of(
    name: str,
    byte_order: ByteOrder,
    machine: int,
    sections: Iterable[OutputSection],
    symbols: Iterable[OutputSymbol],
    made: Mapping[str, bytes],
) -> ElfImage:
    """Return the file: merged sections, each with its relocations behind it, then those of `made`.

    Local symbols come first, as ELF wants it, else the order is kept.
    """
    ordered = sorted(symbols, key=lambda symbol: symbol.bind != STB_LOCAL)
    for index, symbol in enumerate(ordered, 1):
        symbol.index = index
    result = [
        Section(0, "", 0, 0, 0, 0, 0, 0, 0, b""),
        Section(1, ".strtab", SHT_STRTAB, _SHF_STRINGS, 0, 1, 0, 0, 0, b""),
        Section(2, ".symtab", SHT_SYMTAB, 0, 0, 8, 1, 0, 24, b""),
    ]

    def add(name: str, type: int, flags: int, size: int, align: int, data: bytes) -> Section:
        section = Section(len(result), name, type, flags, size, align, 0, 0, 0, data)
        result.append(section)
        return section

    real = [section for section in sections if not section.is_ephemeral]
    for part in real:
        added = add(part.name, part.type, part.flags, part.size, part.align, bytes(part.data))
        added.entsize = part.entsize
        part.index = added.index
    pack = Struct(byte_order + "QQ").pack
    for part in real:
        if part.relocations:
            data = b"".join([pack(at, s.index << 32 | type_) for at, type_, s in part.relocations])
            table = add(".rel" + part.name, SHT_REL, _SHF_INFO_LINK, len(data), 8, data)
            table.link, table.info, table.entsize = 2, part.index, 16
    for each, data in made.items():
        add(each, 1, 0, len(data), 8, data)
    table_of_symbols = [Symbol(0, "", 0, 0, 0, 0, 0, 0)]
    for s in ordered:
        shndx = s.shndx if s.section is None else s.section.index
        table_of_symbols.append(
            Symbol(s.index, s.name, s.value, s.size, s.type, s.bind, s.visibility, shndx)
        )
    return ElfImage(name, byte_order, machine, tuple(result), tuple(table_of_symbols))
