"""A parsed BPF object file: sections, symbols, relocations; and the packed form for skeletons."""

from __future__ import annotations

import struct
from zlib import crc32

from ..errors import ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    ByteOrder = Literal["<", ">"]

__all__ = ["ElfImage", "Reloc", "Section", "Symbol", "object_name"]

SHT_NULL = 0
SHT_PROGBITS = 1
SHT_SYMTAB = 2
SHT_STRTAB = 3
SHT_RELA = 4
SHT_NOBITS = 8
SHT_REL = 9
SHF_WRITE = 1
SHF_ALLOC = 2
SHF_EXECINSTR = 4
SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00
SHN_ABS = 0xFFF1
SHN_COMMON = 0xFFF2
STB_LOCAL = 0
STB_GLOBAL = 1
STB_WEAK = 2
STT_NOTYPE = 0
STT_OBJECT = 1
STT_FUNC = 2
STT_SECTION = 3
STT_FILE = 4
STV_DEFAULT = 0
STV_INTERNAL = 1
STV_HIDDEN = 2
STV_PROTECTED = 3
EM_NONE = 0
EM_BPF = 247

# How an index in an instruction or a data word is filled in: the relocation types of EM_BPF.
R_BPF_NONE = 0
R_BPF_64_64 = 1
R_BPF_64_ABS64 = 2
R_BPF_64_ABS32 = 3
R_BPF_64_NODYLD32 = 4
R_BPF_64_32 = 10

BPF_OBJ_NAME_LEN = 16

#: Longer names are refused: entries that all point into one long string would otherwise need memory
#: that grows with the square of the file.
MAX_NAME = 4096

# The packed form, little-endian whatever the object's order: header, CRC-32 of all the rest, one
# record per section, one per symbol, every name ended by a NUL (the object's, the sections', the
# symbols'), the sections' data.
_MAGIC = b"BPFI"
_VERSION = 1
_HEADER = struct.Struct("<4sBBHIII")  # magic version order machine sections symbols names
_CRC = struct.Struct("<I")
_SECTION = struct.Struct("<IIIIQQQQ")  # type link info data-length flags size align entsize
_SYMBOL = struct.Struct("<QQHBBB")  # value size shndx type bind visibility


class Section:
    """One section header and its bytes.

    Attributes:
        index: its place in the section header table; symbols and relocations refer to it.
        type, flags: `SHT_*`, `SHF_*`.
        size: bytes in the file, or for `SHT_NOBITS` in memory.
        align: bytes.
        link, info: other sections' indexes; their meaning depends on the type.
        entsize: bytes per record of a table, else 0.
        data: the contents; empty for `SHT_NOBITS`, and for what BPF never reads: debug information,
            tables of names, the symbol table (see `ElfImage.symbols`).
    """

    __slots__ = (
        "align",
        "data",
        "entsize",
        "flags",
        "index",
        "info",
        "link",
        "name",
        "size",
        "type",
    )

    def __init__(
        self,
        index: int,
        name: str,
        type: int,
        flags: int,
        size: int,
        align: int,
        link: int,
        info: int,
        entsize: int,
        data: bytes,
    ) -> None:
        self.index = index
        self.name = name
        self.type = type
        self.flags = flags
        self.size = size
        self.align = align
        self.link = link
        self.info = info
        self.entsize = entsize
        self.data = data

    def __repr__(self) -> str:
        return f"<Section {self.index} {self.name!r} type={self.type} size={self.size}>"


class Symbol:
    """One entry of the symbol table.

    Attributes:
        index: its place in the table; relocations refer to it.
        name: empty for the symbols that stand for a section.
        value: offset in bytes within its section.
        size: bytes, 0 if unknown.
        type, bind, visibility: `STT_*`, `STB_*`, `STV_*`.
        shndx: the section's index, `SHN_UNDEF` for externs, or a reserved index (`SHN_ABS`, …).
    """

    __slots__ = ("bind", "index", "name", "shndx", "size", "type", "value", "visibility")

    def __init__(
        self,
        index: int,
        name: str,
        value: int,
        size: int,
        type: int,
        bind: int,
        visibility: int,
        shndx: int,
    ) -> None:
        self.index = index
        self.name = name
        self.value = value
        self.size = size
        self.type = type
        self.bind = bind
        self.visibility = visibility
        self.shndx = shndx

    def __repr__(self) -> str:
        return f"<Symbol {self.index} {self.name!r} shndx={self.shndx} value={self.value:#x}>"


class Reloc:
    """One entry of a `SHT_REL` section.

    Attributes:
        offset: bytes into the section that is to be changed.
        type: `R_BPF_*`.
        symbol: index into `ElfImage.symbols`.
    """

    __slots__ = ("offset", "symbol", "type")

    def __init__(self, offset: int, type: int, symbol: int) -> None:
        self.offset = offset
        self.type = type
        self.symbol = symbol

    def __repr__(self) -> str:
        return f"<Reloc offset={self.offset:#x} type={self.type} symbol={self.symbol}>"


class ElfImage:
    """The parts of an object file that BPF needs.

    Attributes:
        name: the object's name, see `object_name`.
        byte_order: `"<"` little-endian or `">"` big-endian, as the struct module writes it.
        machine: `EM_BPF`, or `EM_NONE` as old compilers wrote.
        sections: in the file's order; `sections[i].index == i`, the null section included.
        symbols: in the file's order; `symbols[i].index == i`, the null symbol included.
    """

    __slots__ = ("byte_order", "machine", "name", "sections", "symbols")

    def __init__(
        self,
        name: str,
        byte_order: ByteOrder,
        machine: int,
        sections: tuple[Section, ...],
        symbols: tuple[Symbol, ...],
    ) -> None:
        self.name = name
        self.byte_order = byte_order
        self.machine = machine
        self.sections = sections
        self.symbols = symbols

    def __repr__(self) -> str:
        return f"<ElfImage {self.name!r} {len(self.sections)} sections {len(self.symbols)} symbols>"

    def section(self, name: str) -> Section | None:
        """Return the first section of that name, None if there is none."""
        for section in self.sections:
            if section.name == name:
                return section
        return None

    def relocations(self, section_index: int) -> tuple[Reloc, ...]:
        """Return the relocations that apply to a section, in the file's order.

        Raises:
            ElfError: the table is damaged; an offset lies outside of the section, or in a section
                of instructions not at the start of one; a symbol does not exist or lies in no
                section.
        """
        relocs: list[Reloc] = []
        for table in self.sections:
            if table.type == SHT_REL and table.info == section_index and table.data:
                relocs += self.table_relocations(table)
        return tuple(relocs)

    def table_relocations(self, table: Section, label: str = "") -> list[Reloc]:
        """Return the entries of one `SHT_REL` section; see `relocations`.

        Args:
            table: the section.
            label: names the file in errors; without it the object's name does.
        """
        label = label or self.name
        if table.entsize != 16 or len(table.data) % 16:
            raise ElfError(
                f"{label}: entries of {table.entsize} bytes in a relocation table of"
                f" {len(table.data)}; ELF64 has them of 16",
                section=table.name,
            )
        if table.info >= len(self.sections):
            what = f"{label}: relocations of section {table.info}, there are {len(self.sections)}"
            raise ElfError(what, section=table.name)
        target = self.sections[table.info]
        step = 8 if target.flags & SHF_EXECINSTR else 1
        symbols = self.symbols
        relocs = []
        for offset, info in struct.iter_unpack(self.byte_order + "QQ", table.data):
            symbol = info >> 32
            if offset % step or offset >= target.size:
                what = (
                    f"{label}: relocation at {offset:#x} is outside of section {target.name!r}"
                    f" ({target.size:#x} bytes) or not at the start of an instruction"
                )
            elif symbol >= len(symbols):
                what = f"{label}: relocation by symbol {symbol}, there are {len(symbols)}"
            elif symbols[symbol].shndx >= len(self.sections):
                what = f"{label}: relocation by symbol {symbols[symbol].name!r}, of no section"
            else:
                relocs.append(Reloc(offset, info & 0xFFFFFFFF, symbol))
                continue
            raise ElfError(what, section=table.name)
        return relocs

    def pack(self) -> bytes:
        """Return the image in this module's own form; the same image gives the same bytes."""
        parts = [
            _SECTION.pack(s.type, s.link, s.info, len(s.data), s.flags, s.size, s.align, s.entsize)
            for s in self.sections
        ]
        parts += [
            _SYMBOL.pack(s.value, s.size, s.shndx, s.type, s.bind, s.visibility)
            for s in self.symbols
        ]
        texts = [self.name, *(s.name for s in self.sections), *(s.name for s in self.symbols)]
        names = "".join([text + "\0" for text in texts]).encode("utf-8", "surrogateescape")
        body = b"".join([*parts, names, *(s.data for s in self.sections)])
        header = _HEADER.pack(
            _MAGIC,
            _VERSION,
            1 if self.byte_order == "<" else 2,
            self.machine,
            len(self.sections),
            len(self.symbols),
            len(names),
        )
        return header + _CRC.pack(crc32(body, crc32(header))) + body

    @classmethod
    def unpack(cls, data: bytes) -> ElfImage:
        """Rebuild an image from `pack()`'s result.

        Raises:
            ElfError: the bytes are not a packed image, of another version, or damaged.
        """
        if data[:4] != _MAGIC:
            raise ElfError("not a packed BPF object")
        if data[4:5] != bytes((_VERSION,)):
            raise ElfError(
                f"packed BPF object of another format than {_VERSION}, which this bpfgen-runtime"
                " reads; generate the skeleton again"
            )
        sections_at = _HEADER.size + _CRC.size
        if len(data) < sections_at:
            raise _damaged()
        header = data[: _HEADER.size]
        _, _, order, machine, n_sections, n_symbols, names_size = _HEADER.unpack(header)
        symbols_at = sections_at + n_sections * _SECTION.size
        names_at = symbols_at + n_symbols * _SYMBOL.size
        at = names_at + names_size
        crc = crc32(data[sections_at:], crc32(header))
        if order not in (1, 2) or at > len(data) or (crc,) != _CRC.unpack_from(data, _HEADER.size):
            raise _damaged()
        names = data[names_at:at].decode("utf-8", "surrogateescape").split("\0")
        if len(names) != n_sections + n_symbols + 2:  # the object's name, and "" after the last NUL
            raise _damaged()

        sections = []
        records = _SECTION.iter_unpack(data[sections_at:symbols_at])
        for index, (type_, link, info, length, flags, size, align, entsize) in enumerate(records):
            content = data[at : at + length]
            at += length
            name = names[index + 1]
            sections.append(
                Section(index, name, type_, flags, size, align, link, info, entsize, content)
            )
        if at != len(data):
            raise _damaged()
        symbols = []
        records = _SYMBOL.iter_unpack(data[symbols_at:names_at])
        for index, (value, size, shndx, type_, bind, visibility) in enumerate(records):
            name = names[n_sections + 1 + index]
            symbols.append(Symbol(index, name, value, size, type_, bind, visibility, shndx))
        order_mark: ByteOrder = "<" if order == 1 else ">"
        return cls(names[0], order_mark, machine, tuple(sections), tuple(symbols))


def _damaged() -> ElfError:
    return ElfError("packed BPF object is damaged; generate the skeleton again")


def object_name(path: str) -> str:
    """Return the name that libbpf gives an object opened from `path`, at most 15 bytes.

    The file's name, cut to what fits (`BPF_OBJ_NAME_LEN` with the NUL) and then at the first dot.
    The kernel names of global data maps start with it.
    """
    raw = path.rpartition("/")[2].encode("utf-8", "surrogateescape")
    return raw[: BPF_OBJ_NAME_LEN - 1].partition(b".")[0].decode("utf-8", "surrogateescape")
