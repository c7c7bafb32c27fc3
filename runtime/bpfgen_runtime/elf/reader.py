"""Reads a BPF object file into an `ElfImage`; besides `dwarf`, the only user of pyelftools.

pyelftools costs 30 ms to import, so it is imported when a file is read: a skeleton, which embeds a
packed image, never gets here. Only the sections that BPF needs are touched; debug information, most
of an object, stays unread.
"""

from __future__ import annotations

import io
import os
import struct

from ..errors import ElfError
from .image import (
    BPF_OBJ_NAME_LEN,
    EM_BPF,
    EM_NONE,
    MAX_NAME,
    SHF_EXECINSTR,
    SHN_LORESERVE,
    SHT_NOBITS,
    SHT_NULL,
    SHT_PROGBITS,
    SHT_REL,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    ElfImage,
    Section,
    Symbol,
    object_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .image import ByteOrder

__all__ = ["read_elf", "read_section"]

_SECTION_HEADER_SIZE = 64
_SYMBOL_SIZE = 24

# Contents that BPF never reads; `.rel` in front of such a name makes another one.
_UNREAD_PREFIXES = (".debug_", ".eh_frame", ".comment", ".note", ".llvm")
# libbpf and the kernel take type information as the compiler wrote it, unrelocated.
_UNREAD_RELOCATIONS = (".rel.BTF", ".rel.BTF.ext")

# What people pass by mistake: first bytes, what it is, what to do.
_MISTAKES = (
    (b"BC\xc0\xde", "LLVM bitcode", "compile without -emit-llvm and -flto"),
    (b"\xde\xc0\x17\x0b", "LLVM bitcode", "compile without -emit-llvm and -flto"),
    (b"!<arch>\n", "an archive", "extract the objects with ar x"),
    (b"!<thin>\n", "a thin archive", "pass its objects instead"),
    (b"\x9f\xeb\x01", "raw BTF", "a compiled BPF object is needed"),
    (b"\xeb\x9f\x01", "raw BTF", "a compiled BPF object is needed"),
    (b"\x1f\x8b", "gzip data", "unpack it first"),
    (b"MZ", "a Windows executable", "compile with clang -target bpf"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O file", "compile with clang -target bpf"),
)


def read_elf(source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> ElfImage:
    """Read a compiled BPF object.

    Accepted is what libbpf accepts: a relocatable ELF64 file of either byte order, for `EM_BPF` or,
    from old compilers, `EM_NONE`, with exactly one symbol table.

    Args:
        source: a path, or the file's bytes.
        name: the object's name, cut to 15 bytes; without it the file's name by libbpf's rule (see
            `object_name`), and "object" for bytes.

    Raises:
        ElfError: the file cannot be read (`__cause__` is the OSError), is no BPF object, or is
            damaged. The message is one line that begins with the path.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        label = name or "<bytes>"
        content = bytes(source)
        _check_is_elf(label, content[:4096])
        own_name = "object"
    else:
        label = os.fspath(source)
        content = _read_file(label)
        own_name = object_name(label)
    if name is not None:
        cut = name.encode("utf-8", "surrogateescape")[: BPF_OBJ_NAME_LEN - 1]
        own_name = cut.decode("utf-8", "surrogateescape")
    return _Reader(label, content).read(own_name)


def read_section(content: bytes, name: str) -> bytes | None:
    """Return one section of any ELF file, such as a vmlinux; None if it has no such section.

    Raises:
        ElfError: the file is damaged.
    """
    reader = _Reader("ELF", content)
    what = f"section {name!r}"
    section = reader._foreign(what, reader.elf.get_section_by_name, name)
    if section is None:
        return None
    data: bytes = reader._foreign(what, section.data)
    return data


def _read_file(path: str) -> bytes:
    if "\0" in path:  # open() would raise a plain ValueError
        raise ElfError(f"{path!r}: cannot read: no path has a NUL in it")
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
            # Looked at first: a large file of another kind is not read whole only to be refused.
            _check_is_elf(path, head)
            return head + file.read()
    except OSError as error:
        raise ElfError(f"{path}: cannot read: {error.strerror or error}") from error


def _check_is_elf(label: str, head: bytes) -> None:
    """Refuse what is not ELF at all, saying what it seems to be instead."""
    if head.startswith(b"\x7fELF"):
        return
    if not head:
        raise ElfError(f"{label}: the file is empty")
    for magic, what, advice in _MISTAKES:
        if head.startswith(magic):
            raise ElfError(f"{label}: not an ELF object but {what}; {advice}")
    if b"\0" not in head and b"#include" in head:
        raise ElfError(
            f"{label}: not an ELF object but C source; compile it first:"
            " clang -g -O2 -target bpf -c"
        )
    if head.isascii() and b"\0" not in head:
        raise ElfError(f"{label}: not an ELF object but text")
    raise ElfError(f"{label}: not an ELF object (it begins with {head[:4].hex(' ')})")


class _Reader:
    """One file on its way into an image."""

    def __init__(self, label: str, content: bytes) -> None:
        from elftools.common.utils import struct_parse
        from elftools.elf.elffile import ELFFile
        from elftools.elf.enums import ENUM_SH_TYPE_BASE

        self.label = label
        self.content = content
        self.stream = io.BytesIO(content)
        self.struct_parse = struct_parse
        self.section_types: Mapping[str, int] = ENUM_SH_TYPE_BASE
        self.elf = self._foreign("the ELF header", ELFFile, self.stream)
        self.byte_order: ByteOrder = "<" if self.elf.little_endian else ">"

    def read(self, name: str) -> ElfImage:
        """Check and read everything."""
        machine = self._check_header()
        headers = self._section_headers()
        sections = self._sections(headers)
        image = ElfImage(
            name, self.byte_order, machine, tuple(sections), tuple(self._symbols(headers, sections))
        )
        for section in sections:
            if section.type == SHT_REL and section.data:
                image.table_relocations(section, self.label)
        return image

    def _foreign(self, what: str, call: Callable[..., Any], *args: Any) -> Any:
        """Call into pyelftools; what it raises there is the file's fault.

        On damaged input it raises its own errors, and whatever its parsing runs into. Only
        its functions are called here, so catching them hides no mistake of this module.
        """
        from elftools.common.exceptions import ELFError
        from elftools.construct import ConstructError

        try:
            return call(*args)
        except (
            ELFError,
            ConstructError,
            AssertionError,
            LookupError,
            OverflowError,
            ValueError,
            struct.error,
        ) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise self._error(
                f"{what} cannot be read, the file is truncated or damaged: {reason}"
            ) from error

    def _error(self, message: str, section: str | None = None) -> ElfError:
        return ElfError(f"{self.label}: {message}", section=section)

    def _check_header(self) -> int:
        """Refuse ELF files that are not BPF objects; return `e_machine`."""
        header = self.elf.header
        if self.elf.elfclass != 64:
            raise self._error("a 32-bit ELF file; BPF objects are ELF64 (compile with -target bpf)")
        if header.e_machine not in ("EM_BPF", "EM_NONE"):
            raise self._error(
                f"ELF for machine {str(header.e_machine).removeprefix('EM_')}, not for BPF"
                " (compile with -target bpf)"
            )
        if header.e_type != "ET_REL":
            raise self._error(f"an ELF file of type {header.e_type}, not a relocatable object")
        return EM_BPF if header.e_machine == "EM_BPF" else EM_NONE

    def _section_headers(self) -> list[Any]:
        header = self.elf.header
        if header.e_shoff == 0:
            raise self._error("no section headers")
        if header.e_shentsize != _SECTION_HEADER_SIZE:
            raise self._error(
                f"section headers of {header.e_shentsize} bytes; ELF64 has them of 64"
            )
        count = self._foreign("the number of sections", self.elf.num_sections)
        if header.e_shoff + count * _SECTION_HEADER_SIZE > len(self.content):
            raise self._error(
                f"truncated: {count} section headers at {header.e_shoff:#x} end beyond the"
                f" file's {len(self.content):#x} bytes"
            )
        if not 0 < count < SHN_LORESERVE:
            raise self._error(f"{count} sections; 1 to {SHN_LORESERVE - 1} are supported")
        struct_type = self.elf.structs.Elf_Shdr
        return [
            self._foreign(
                f"section header {index}",
                self.struct_parse,
                struct_type,
                self.stream,
                header.e_shoff + index * _SECTION_HEADER_SIZE,
            )
            for index in range(count)
        ]

    def _sections(self, headers: list[Any]) -> list[Section]:
        names_index = self._foreign("the section names' index", self.elf.get_shstrndx)
        names = self._string_table(headers, names_index, "section names")
        sections = []
        total = 0
        for index, header in enumerate(headers):
            type_ = self._section_type(header)
            name = (
                "" if type_ == SHT_NULL else self._name(names, header.sh_name, f"section {index}")
            )
            data = b""
            if not _is_unread(name, type_):
                self._check_section(name, type_)
                data = self._data(header, repr(name))
                total += len(data)
                if total > len(self.content):
                    raise self._error("sections overlap", name)
            sections.append(
                Section(
                    index,
                    name,
                    type_,
                    header.sh_flags,
                    header.sh_size,
                    header.sh_addralign,
                    header.sh_link,
                    header.sh_info,
                    header.sh_entsize,
                    data,
                )
            )
        for section in sections:
            if (
                section.type == SHT_RELA
                and section.data
                and section.info < len(sections)
                and sections[section.info].flags & SHF_EXECINSTR
            ):
                raise self._error("RELA relocations; BPF objects have REL ones", section.name)
        return sections

    def _check_section(self, name: str, type_: int) -> None:
        if name == "maps":
            raise self._error(
                'legacy map definitions in SEC("maps") are not supported, as in libbpf since 1.0;'
                ' define the maps with BTF in SEC(".maps")'
            )
        if name in (".BTF", ".BTF.ext") and type_ != SHT_PROGBITS:
            raise self._error(f"a section of type {type_} where type information belongs", name)

    def _section_type(self, header: Any) -> int:
        # pyelftools turns known numbers into names, and leaves the others.
        type_ = header.sh_type
        return type_ if isinstance(type_, int) else self.section_types[type_]

    def _data(self, header: Any, what: str) -> bytes:
        if self._section_type(header) in (SHT_NULL, SHT_NOBITS):
            return b""
        end = header.sh_offset + header.sh_size
        if end > len(self.content):
            raise self._error(
                f"section {what} ends at {end:#x}, beyond the file's {len(self.content):#x} bytes:"
                " truncated or damaged"
            )
        return self.content[header.sh_offset : end]

    def _string_table(self, headers: list[Any], index: int, what: str) -> bytes:
        if not 0 < index < len(headers) or self._section_type(headers[index]) != SHT_STRTAB:
            raise self._error(f"no table of {what}: section {index} is none")
        return self._data(headers[index], f"{index} ({what})")

    def _name(self, table: bytes, offset: int, what: str) -> str:
        end = table.find(b"\0", offset, offset + MAX_NAME)
        if end < 0:
            raise self._error(f"{what} has no proper name (at {offset:#x} of the names)")
        return table[offset:end].decode("utf-8", "surrogateescape")

    def _symbols(self, headers: list[Any], sections: list[Section]) -> list[Symbol]:
        tables = [section for section in sections if section.type == SHT_SYMTAB]
        if not tables:
            raise self._error("no symbol table; is the object stripped?")
        if len(tables) > 1:
            raise self._error("more than one symbol table")
        table = tables[0]
        if table.entsize != _SYMBOL_SIZE or table.size % _SYMBOL_SIZE:
            raise self._error(
                f"symbols of {table.entsize} bytes in a table of {table.size};"
                " ELF64 has them of 24",
                table.name,
            )
        names = self._string_table(headers, table.link, "symbol names")
        records = struct.iter_unpack(
            self.byte_order + "IBBHQQ", self._data(headers[table.index], repr(table.name))
        )
        symbols = []
        for index, (at, info, other, shndx, value, size) in enumerate(records):
            if len(sections) <= shndx < SHN_LORESERVE:
                raise self._error(
                    f"symbol {index} is of section {shndx}, there are {len(sections)}"
                )
            name = self._name(names, at, f"symbol {index}")
            symbols.append(Symbol(index, name, value, size, info & 15, info >> 4, other & 3, shndx))
        return symbols


def _is_unread(name: str, type_: int) -> bool:
    if type_ in (SHT_SYMTAB, SHT_STRTAB) or name in _UNREAD_RELOCATIONS:
        return True
    return name.removeprefix(".rel").startswith(_UNREAD_PREFIXES)
