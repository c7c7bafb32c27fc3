"""Writes an `ElfImage` as an ELF file; the same image gives the same bytes.

The order of sections and symbols is the image's. Contents of tables of names and of the symbol
table are made here, from the names and from `ElfImage.symbols`.
"""

from __future__ import annotations

import struct

from ..errors import ElfError
from .image import SHT_NOBITS, SHT_NULL, SHT_STRTAB, SHT_SYMTAB, STB_LOCAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .image import ElfImage, Section

__all__ = ["write_elf"]

_EHDR_SIZE = 64
_SHDR_SIZE = 64
_SYM_SIZE = 24
_ET_REL = 1
_EV_CURRENT = 1
_ELFCLASS64 = 2
_ELFDATA2LSB = 1
_ELFDATA2MSB = 2


def write_elf(image: ElfImage) -> bytes:
    """Return a relocatable ELF64 file of an image: header, sections, section headers.

    There must be one symbol table, whose `link` is its table of names; a section `.shstrtab` has
    the sections' names, without one they are in the symbols' table. `info` of the symbol table is
    made as ELF wants it where local symbols come first: the number of the first that is not.

    Raises:
        ElfError: the image does not hold a section's contents (debug information is not read), or
            has no symbol table or no table of names for it.
    """
    order = image.byte_order
    sections = image.sections
    tables = [section for section in sections if section.type == SHT_SYMTAB]
    if len(tables) != 1 or not 0 < tables[0].link < len(sections):
        raise ElfError(f"{image.name}: cannot write: it needs one symbol table, with names")
    symbol_names = sections[tables[0].link]
    section_names = image.section(".shstrtab") or symbol_names
    if symbol_names.type != SHT_STRTAB or section_names.type != SHT_STRTAB:
        raise ElfError(f"{image.name}: cannot write: a table of names is of another type")

    texts: dict[int, _Names] = {symbol_names.index: _Names(), section_names.index: _Names()}
    add = texts[section_names.index].add
    name_offsets = [add(section.name) for section in sections]
    add = texts[symbol_names.index].add
    pack = struct.Struct(order + "IBBHQQ").pack
    symbols = [
        pack(add(s.name), s.bind << 4 | s.type, s.visibility, s.shndx, s.value, s.size)
        for s in image.symbols
    ]
    contents = {index: bytes(names.data) for index, names in texts.items()}
    contents[tables[0].index] = b"".join(symbols)
    locals_end = max([s.index + 1 for s in image.symbols if s.bind == STB_LOCAL], default=0)

    body = bytearray(_EHDR_SIZE)
    headers = []
    for section, name in zip(sections, name_offsets, strict=True):
        data = contents.get(section.index, section.data)
        size = len(data) if section.index in contents else section.size
        if section.type != SHT_NULL:
            body += bytes(-len(body) % max(section.align, 1))
        _check(image, section, data, size)
        headers.append(
            struct.pack(
                order + "IIQQQQIIQQ",
                name,
                section.type,
                section.flags,
                0,
                len(body) if section.type != SHT_NULL else 0,
                size,
                section.link,
                locals_end if section is tables[0] else section.info,
                section.align,
                section.entsize,
            )
        )
        body += data
    body += bytes(-len(body) % 8)
    body[:16] = b"\x7fELF" + bytes(
        (_ELFCLASS64, _ELFDATA2LSB if order == "<" else _ELFDATA2MSB, _EV_CURRENT, *bytes(9))
    )
    struct.pack_into(
        order + "HHIQQQIHHHHHH",
        body,
        16,
        _ET_REL,
        image.machine,
        _EV_CURRENT,
        0,
        0,
        len(body),
        0,
        _EHDR_SIZE,
        0,
        0,
        _SHDR_SIZE,
        len(sections),
        section_names.index,
    )
    return b"".join([body, *headers])


def _check(image: ElfImage, section: Section, data: bytes, size: int) -> None:
    if section.align & (section.align - 1):
        raise ElfError(
            f"{image.name}: cannot write: alignment {section.align} is no power of two",
            section=section.name,
        )
    if len(data) != (0 if section.type in (SHT_NOBITS, SHT_NULL) else size):
        raise ElfError(
            f"{image.name}: cannot write: {len(data)} of {size} bytes of contents are there",
            section=section.name,
        )


class _Names:
    """A table of names under construction: each name once, in the order of their first use."""

    __slots__ = ("_offsets", "data")

    def __init__(self) -> None:
        self.data = bytearray(1)
        self._offsets = {"": 0}

    def add(self, text: str) -> int:
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = len(self.data)
            self.data += text.encode("utf-8", "surrogateescape") + b"\0"
        return offset
