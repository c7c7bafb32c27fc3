"""Writes small ELF objects, so that rare and damaged inputs are built in the test that needs them.

    elf = ElfWriter(">")
    text = elf.code("xdp", bytes(8))
    elf.symbol("drop", text, size=8, type=STT_FUNC)
    elf.relocs(text, [(0, R_BPF_64_64, elf.symbol("counts"))])
    data = elf.build()

Anything may be wrong on purpose: no value is checked, and `build` takes replacements for the fields
of the file header.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

SHT_PROGBITS = 1
SHT_SYMTAB = 2
SHT_STRTAB = 3
SHT_NOBITS = 8
SHT_REL = 9
SHF_WRITE = 1
SHF_ALLOC = 2
SHF_EXECINSTR = 4
STB_LOCAL = 0
STB_GLOBAL = 1
STB_WEAK = 2
STT_NOTYPE = 0
STT_OBJECT = 1
STT_FUNC = 2
STT_SECTION = 3
SHN_ABS = 0xFFF1
SHN_COMMON = 0xFFF2
R_BPF_64_64 = 1
R_BPF_64_ABS64 = 2
R_BPF_64_ABS32 = 3
R_BPF_64_32 = 10
EM_BPF = 247
ET_REL = 1

HEADER_SIZE = 64


@dataclass
class _Section:
    name: str | int
    data: bytes
    type: int
    flags: int
    align: int
    link: int
    info: int
    entsize: int
    size: int | None
    offset: int | None


@dataclass
class _Symbol:
    name: str | int
    section: int
    value: int
    size: int
    type: int
    bind: int
    visibility: int


@dataclass
class ElfWriter:
    """One ELF64 file in the making; sections and symbols are numbered as they are added, from 1.

    Args:
        byte_order: of the file, `"<"` or `">"`.
        machine, type: `e_machine`, `e_type`.
        symbol_table: False leaves `.symtab` out.
    """

    byte_order: Literal["<", ">"] = "<"
    machine: int = EM_BPF
    type: int = ET_REL
    symbol_table: bool = True
    _sections: list[_Section] = field(default_factory=list)
    _symbols: list[_Symbol] = field(default_factory=list)

    def section(
        self,
        name: str | int,
        data: bytes = b"",
        *,
        type: int = SHT_PROGBITS,
        flags: int = 0,
        align: int = 1,
        link: int = 0,
        info: int = 0,
        entsize: int = 0,
        size: int | None = None,
        offset: int | None = None,
    ) -> int:
        """Add a section and return its index; a name that is a number is used as `sh_name` itself.

        `size` and `offset` replace what the header says, not where the data is written.
        """
        self._sections.append(
            _Section(name, data, type, flags, align, link, info, entsize, size, offset)
        )
        return len(self._sections)

    def code(self, name: str, data: bytes) -> int:
        """Add a section of instructions and return its index."""
        return self.section(name, data, flags=SHF_ALLOC | SHF_EXECINSTR, align=8)

    def relocs(
        self, section: int, entries: Iterable[tuple[int, int, int]], *, entsize: int = 16
    ) -> int:
        """Add a section's relocations, (offset, type, symbol) each, and return their index.

        Their symbols are those of `.symtab`.
        """
        data = b"".join(
            struct.pack(self.byte_order + "QQ", offset, symbol << 32 | type_)
            for offset, type_, symbol in entries
        )
        name = ".rel"
        if 0 < section <= len(self._sections):
            name += str(self._sections[section - 1].name)
        return self.section(name, data, type=SHT_REL, info=section, entsize=entsize, align=8)

    def symbol(
        self,
        name: str | int,
        section: int = 0,
        *,
        value: int = 0,
        size: int = 0,
        type: int = STT_NOTYPE,
        bind: int = STB_GLOBAL,
        visibility: int = 0,
    ) -> int:
        """Add a symbol and return its index; a name that is a number is used as `st_name`."""
        self._symbols.append(_Symbol(name, section, value, size, type, bind, visibility))
        return len(self._symbols)

    def build(self, *, symbol_entsize: int = 24, **header: int) -> bytes:
        """Return the file: header, the sections' data, section headers.

        Behind the sections that were added come `.symtab`, `.strtab` and `.shstrtab`.

        Args:
            symbol_entsize: of `.symtab`.
            header: fields of the file header to replace: `e_shoff`, `e_shnum`, `e_shstrndx`, ….
        """
        symbol_names = _Strings()
        symbols = struct.pack(self.byte_order + "IBBHQQ", 0, 0, 0, 0, 0, 0)
        for symbol in self._symbols:
            symbols += struct.pack(
                self.byte_order + "IBBHQQ",
                symbol_names.offset(symbol.name),
                symbol.bind << 4 | symbol.type,
                symbol.visibility,
                symbol.section,
                symbol.value,
                symbol.size,
            )
        sections = list(self._sections)
        if self.symbol_table:
            strings_index = len(sections) + 2
            sections.append(
                _Section(
                    ".symtab",
                    symbols,
                    SHT_SYMTAB,
                    0,
                    8,
                    strings_index,
                    1,
                    symbol_entsize,
                    None,
                    None,
                )
            )
            for section in sections:
                if section.type == SHT_REL and not section.link:
                    section.link = strings_index - 1
        strings = bytes(symbol_names.data)
        sections.append(_Section(".strtab", strings, SHT_STRTAB, 0, 1, 0, 0, 0, None, None))
        names = _Strings()
        name_offsets = [names.offset(section.name) for section in sections]
        name_offsets.append(names.offset(".shstrtab"))
        sections.append(
            _Section(".shstrtab", bytes(names.data), SHT_STRTAB, 0, 1, 0, 0, 0, None, None)
        )

        body = bytearray(HEADER_SIZE)
        headers = bytes(64)
        for section, name in zip(sections, name_offsets, strict=True):
            body += bytes(-len(body) % max(section.align, 1))
            headers += struct.pack(
                self.byte_order + "IIQQQQIIQQ",
                name,
                section.type,
                section.flags,
                0,
                len(body) if section.offset is None else section.offset,
                len(section.data) if section.size is None else section.size,
                section.link,
                section.info,
                section.align,
                section.entsize,
            )
            body += section.data
        body += bytes(-len(body) % 8)
        fields = {
            "e_type": self.type,
            "e_machine": self.machine,
            "e_version": 1,
            "e_entry": 0,
            "e_phoff": 0,
            "e_shoff": len(body),
            "e_flags": 0,
            "e_ehsize": HEADER_SIZE,
            "e_phentsize": 0,
            "e_phnum": 0,
            "e_shentsize": 64,
            "e_shnum": len(sections) + 1,
            "e_shstrndx": len(sections),
        }
        unknown = header.keys() - fields.keys()
        assert not unknown, f"no such fields: {unknown}"
        fields |= header
        order = 1 if self.byte_order == "<" else 2
        body[:16] = b"\x7fELF" + bytes((2, order, 1, 0)) + bytes(8)
        body[16:HEADER_SIZE] = struct.pack(self.byte_order + "HHIQQQIHHHHHH", *fields.values())
        return bytes(body) + headers


class _Strings:
    """A string table under construction."""

    def __init__(self) -> None:
        self.data = bytearray(1)

    def offset(self, text: str | int) -> int:
        if isinstance(text, int):
            return text
        if not text:
            return 0
        at = len(self.data)
        self.data += text.encode("utf-8", "surrogateescape") + b"\0"
        return at


def minimal(byte_order: Literal["<", ">"] = "<") -> ElfWriter:
    """Return a writer with one program of one `exit`, its symbol, and a licence."""
    elf = ElfWriter(byte_order)
    text = elf.code("xdp", b"\x95" + bytes(7))
    elf.symbol("drop", text, size=8, type=STT_FUNC)
    elf.symbol("_license", elf.section("license", b"GPL\0"), size=4, type=STT_OBJECT)
    return elf
