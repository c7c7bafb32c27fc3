"""One input of the static linker, read and checked as libbpf's linker checks its own.

`elf.reader` is not used: importing pyelftools alone takes longer than linking two objects.
"""

from __future__ import annotations

import struct

from ..btf.btf import Btf
from ..btf.types import (
    BTF_FUNC_STATIC,
    BTF_KIND_DATASEC,
    BTF_KIND_FUNC,
    BTF_KIND_VAR,
    BTF_VAR_GLOBAL_ALLOCATED,
    BTF_VAR_STATIC,
)
from ..elf.image import (
    EM_BPF,
    MAX_NAME,
    R_BPF_64_32,
    R_BPF_64_64,
    R_BPF_64_ABS32,
    R_BPF_64_ABS64,
    SHF_EXECINSTR,
    SHN_COMMON,
    SHN_LORESERVE,
    SHN_UNDEF,
    SHT_NOBITS,
    SHT_PROGBITS,
    SHT_REL,
    SHT_STRTAB,
    SHT_SYMTAB,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
    STT_NOTYPE,
    STT_OBJECT,
    STT_SECTION,
    STV_DEFAULT,
    STV_HIDDEN,
)
from ..errors import ElfError, FormatError, LinkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..btf.ext import BtfExt
    from ..elf.image import ByteOrder
    from .output import OutputSection, OutputSymbol

_EHDR_SIZE = 64
_SHDR_SIZE = 64
_SYM_SIZE = 24
_REL_SIZE = 16
_INSN_SIZE = 8
_ET_REL = 1
_SHT_LLVM_ADDRSIG = 0x6FFF4C03

#: Sections of more cannot be described by BTF, nor be values of maps.
_MAX_SIZE = 0xFFFFFFFF
#: More is padding without end; the largest that BPF has a use for is a page of 64 KiB.
_MAX_ALIGN = 1 << 20

#: Where clang declares externs without a section; for the linker only, the loader never sees it.
EXTERN_SECTION = ".extern"
_RELOCATIONS = (R_BPF_64_64, R_BPF_64_32, R_BPF_64_ABS64, R_BPF_64_ABS32)


class InputSection:
    """A section of an input.

    Attributes:
        index: in the file; 0 for one that only BTF has (`.kconfig`, `.ksyms`): it is ephemeral.
        data: its bytes, b"" for SHT_NOBITS and for what the linker drops.
        is_dropped: nothing of it gets into the output.
        datasec: id of its DATASEC, 0 if BTF has none.
        variables: (VAR's or FUNC's id, offset in the section, size) of each variable in it.
        out, offset: where it got to, once it is merged.
    """

    __slots__ = (
        "align",
        "data",
        "datasec",
        "entsize",
        "flags",
        "index",
        "info",
        "is_dropped",
        "link",
        "name",
        "offset",
        "out",
        "size",
        "type",
        "variables",
    )

    def __init__(
        self,
        index: int,
        name: str,
        type: int = 0,
        flags: int = 0,
        size: int = 0,
        link: int = 0,
        info: int = 0,
        align: int = 0,
        entsize: int = 0,
    ) -> None:
        self.index = index
        self.name = name
        self.type = type
        self.flags = flags
        self.size = size
        self.link = link
        self.info = info
        self.align = align
        self.entsize = entsize
        self.data = b""
        self.is_dropped = _is_dropped(name, type, size)
        self.datasec = 0
        self.variables: list[tuple[int, int, int]] = []
        self.out: OutputSection | None = None
        self.offset = 0

    @property
    def is_ephemeral(self) -> bool:
        return self.index == 0

    @property
    def is_data(self) -> bool:
        return self.type in (SHT_PROGBITS, SHT_NOBITS)

    @property
    def is_relocations(self) -> bool:
        return self.type == SHT_REL

    @property
    def is_code(self) -> bool:
        return bool(self.flags & SHF_EXECINSTR)


class InputSymbol:
    """A symbol of an input; `out` is what it became, None if it is dropped."""

    __slots__ = ("bind", "name", "out", "shndx", "size", "type", "value", "visibility")

    def __init__(
        self, name: str, type: int, bind: int, visibility: int, shndx: int, value: int, size: int
    ) -> None:
        self.name = name
        self.type = type
        self.bind = bind
        self.visibility = visibility
        self.shndx = shndx
        self.value = value
        self.size = size
        self.out: OutputSymbol | None = None

    @property
    def is_extern(self) -> bool:
        return self.shndx == SHN_UNDEF

    @property
    def is_section(self) -> bool:
        return self.type == STT_SECTION


class InputObject:
    """An input.

    Attributes:
        label: what messages call it.
        sections: by index, the null section included; ephemeral ones are behind them.
        symbols: by index, the null symbol included.
        btf, btf_ext: None if it has none.
    """

    def __init__(self, label: str, data: bytes) -> None:
        self.label = label
        self._data = data
        self.btf: Btf | None = None
        self.btf_ext: BtfExt | None = None
        self._places: dict[str, tuple[int, int]] = {}
        self._loose: dict[str, int] = {}
        self._ambiguous: dict[str, tuple[int, int]] = {}
        try:
            self.byte_order, count, headers_at, names_index = self._read_header()
            self.sections = self._read_sections(count, headers_at, names_index)
            self._by_name: dict[str, InputSection] = {}
            for section in self.sections[1:]:
                self._by_name.setdefault(section.name, section)
            self.symbols = self._read_symbols()
            for section in self.sections:
                if section.type == SHT_REL and not section.is_dropped:
                    self._check_relocations(section)
            self._read_btf()
        except FormatError as error:
            error.message = f"{label}: {error.message}"
            raise

    def section(self, name: str) -> InputSection | None:
        """Return the first section of that name, None if there is none."""
        return self._by_name.get(name)

    def relocations(self, table: InputSection) -> Iterator[tuple[int, int, int]]:
        """Yield (offset, type, symbol's index) of each entry of a relocation section."""
        for offset, info in struct.iter_unpack(self.byte_order + "QQ", table.data):
            yield offset, info & 0xFFFFFFFF, info >> 32

    def declaration(self, name: str) -> tuple[int, int]:
        """Return the id of the VAR or FUNC of a global or extern, and of the DATASEC it is in.

        The latter is 0 if it is in none, as functions are.

        Raises:
            LinkerError: BTF has none, or two.
        """
        found = self._places.get(name)
        if found is None:
            loose = self._loose.get(name)
            if loose is None:
                why = (
                    "there is no BTF: compile with clang -g" if self.btf is None else "BTF lacks it"
                )
                raise LinkerError(f"{self.label}: nothing is known of symbol {name!r}: {why}")
            return loose, 0
        if name in self._ambiguous:
            one, other = self._ambiguous[name]
            raise LinkerError(
                f"{self.label}: BTF has two types of symbol {name!r}, [{one}] and [{other}]"
            )
        return found

    # --- ELF --------------------------------------------------------------------------------------

    def _read_header(self) -> tuple[ByteOrder, int, int, int]:
        data = self._data
        if data[:4] != b"\x7fELF" or len(data) < _EHDR_SIZE:
            raise ElfError("not an ELF object" if data else "the file is empty")
        if data[4] != 2:
            raise ElfError("a 32-bit ELF file; BPF objects are ELF64")
        if data[5] not in (1, 2):
            raise ElfError(f"unknown byte order {data[5]} in the ELF header")
        order: ByteOrder = "<" if data[5] == 1 else ">"
        fields = struct.unpack_from(order + "HHIQQQIHHHHHH", data, 16)
        type_, machine, _, _, _, headers_at, _, _, _, _, entsize, count, names_index = fields
        if machine != EM_BPF:
            raise ElfError(f"ELF for machine {machine}, not for BPF (compile with -target bpf)")
        if type_ != _ET_REL:
            raise ElfError(f"an ELF file of type {type_}, not a relocatable object")
        if entsize != _SHDR_SIZE or not headers_at or not 0 < count < SHN_LORESERVE:
            raise ElfError(f"{count} section headers of {entsize} bytes at {headers_at:#x}")
        if headers_at + count * _SHDR_SIZE > len(data):
            raise ElfError(f"truncated: {count} section headers at {headers_at:#x} end beyond it")
        return order, count, headers_at, names_index

    def _read_sections(self, count: int, headers_at: int, names_index: int) -> list[InputSection]:
        data = self._data
        raw = data[headers_at : headers_at + count * _SHDR_SIZE]
        headers = list(struct.iter_unpack(self.byte_order + "IIQQQQIIQQ", raw))
        if not 0 < names_index < count or headers[names_index][1] != SHT_STRTAB:
            raise ElfError(f"section {names_index} is no table of section names")
        names = self._content(headers[names_index][4], headers[names_index][5], "section names")
        sections = []
        total = 0
        for index, header in enumerate(headers):
            name_at, type_, flags, _, offset, size, link, info, align, entsize = header
            if index == 0:
                sections.append(InputSection(0, ""))
                continue
            name = _name(names, name_at, f"section {index}")
            if not name:
                raise ElfError(f"section {index} has no name")
            section = InputSection(index, name, type_, flags, size, link, info, align, entsize)
            sections.append(section)
            if type_ == SHT_STRTAB:
                section.data = self._content(offset, size, name)
            elif not section.is_dropped:
                _check_section(section)
                if type_ != SHT_NOBITS:
                    section.data = self._content(offset, size, name)
                    total += size
        if total > len(data):
            raise ElfError("sections overlap")
        return sections

    def _content(self, offset: int, size: int, name: str) -> bytes:
        if offset + size > len(self._data):
            raise ElfError(
                f"it ends at {offset + size:#x}, beyond the file's {len(self._data):#x} bytes",
                section=name,
            )
        return self._data[offset : offset + size]

    def _read_symbols(self) -> list[InputSymbol]:
        tables = [section for section in self.sections if section.type == SHT_SYMTAB]
        if len(tables) != 1:
            what = "more than one symbol table" if tables else "no symbol table; is it stripped?"
            raise ElfError(what)
        table = tables[0]
        if table.entsize != _SYM_SIZE or table.size % _SYM_SIZE:
            raise ElfError(f"symbols of {table.entsize} bytes", section=table.name)
        if not 0 < table.link < len(self.sections):
            raise ElfError("its table of names does not exist", section=table.name)
        strings = self.sections[table.link]
        if strings.type != SHT_STRTAB:
            raise ElfError("its table of names is none", section=table.name)
        symbols: list[InputSymbol] = []
        for fields in struct.iter_unpack(self.byte_order + "IBBHQQ", table.data):
            name_at, info, other, shndx, value, size = fields
            if not symbols:
                if any(fields):
                    raise ElfError("the first symbol is not empty", section=table.name)
                symbols.append(InputSymbol("", 0, 0, 0, 0, 0, 0))
                continue
            name = _name(strings.data, name_at, f"symbol {len(symbols)}")
            symbol = InputSymbol(name, info & 15, info >> 4, other & 3, shndx, value, size)
            why = self._wrong_symbol(symbol)
            if why:
                raise ElfError(f"symbol {len(symbols)} {name!r} {why}", section=table.name)
            symbols.append(symbol)
        return symbols

    def _wrong_symbol(self, symbol: InputSymbol) -> str:
        if symbol.bind not in (STB_LOCAL, STB_GLOBAL, STB_WEAK):
            return f"is bound as {symbol.bind}, neither local nor global nor weak"
        if symbol.visibility not in (STV_DEFAULT, STV_HIDDEN):
            return f"has visibility {symbol.visibility}, neither default nor hidden"
        if symbol.is_extern:
            if symbol.type != STT_NOTYPE or symbol.bind == STB_LOCAL or symbol.value or symbol.size:
                return "is extern, but has a type, a place or no linkage"
            if not symbol.name:
                return "is extern and has no name"
            return ""
        if symbol.shndx == SHN_COMMON:
            return "is a common block; compile with -fno-common"
        if len(self.sections) <= symbol.shndx < SHN_LORESERVE:
            return f"is of section {symbol.shndx}, of {len(self.sections)}"
        if symbol.type == STT_SECTION and symbol.value:
            return "stands for a section, but not for its start"
        if symbol.shndx < SHN_LORESERVE:
            section = self.sections[symbol.shndx]
            if not section.is_dropped and symbol.value + symbol.size > section.size:
                return f"ends outside of its section {section.name!r}"
        return ""

    def _check_relocations(self, table: InputSection) -> None:
        def wrong(why: str) -> ElfError:
            return ElfError(why, section=table.name)

        if table.entsize != _REL_SIZE or table.size % _REL_SIZE:
            raise wrong(f"relocations of {table.entsize} bytes")
        sections = self.sections
        if table.link >= len(sections) or sections[table.link].type != SHT_SYMTAB:
            raise wrong(f"section {table.link}, by whose symbols it relocates, is no symbol table")
        if not 0 < table.info < len(sections):
            raise wrong(f"section {table.info}, which it relocates, does not exist")
        target = sections[table.info]
        if table.name != ".rel" + target.name:
            raise wrong(f"it relocates {target.name!r}, which does not fit its name")
        if target.is_dropped:
            return
        if target.type not in (SHT_PROGBITS, SHT_NOBITS):
            raise wrong(f"{target.name!r}, which it relocates, is neither code nor data")
        for offset, type_, symbol in self.relocations(table):
            if type_ not in _RELOCATIONS:
                raise wrong(f"relocation of type {type_} at {offset:#x}")
            if not 0 < symbol < len(self.symbols):
                raise wrong(f"relocation at {offset:#x} by symbol {symbol}, which does not exist")
            width = 16 if type_ == R_BPF_64_64 and target.is_code else 8
            width = 4 if type_ == R_BPF_64_ABS32 else width
            if offset + width > target.size or (target.is_code and offset % _INSN_SIZE):
                raise wrong(
                    f"relocation at {offset:#x} is outside of {target.name!r}, or not at the start"
                    " of an instruction"
                )

    # --- BTF --------------------------------------------------------------------------------------

    def _read_btf(self) -> None:
        section = self._by_name.get(".BTF")
        ext = self._by_name.get(".BTF.ext")
        if section is not None:
            self.btf = Btf.parse(section.data)
            section.is_dropped = True  # made anew
            if self.btf.byte_order != self.byte_order:
                raise ElfError("BTF of the other byte order", section=".BTF")
            self.btf.validate()
            self._read_declarations(self.btf)
            if ext is not None:
                from ..btf.ext import BtfExt

                self.btf_ext = BtfExt.parse(ext.data, self.btf)
                ext.is_dropped = True
        elif ext is not None:
            raise ElfError("there is no .BTF for it", section=".BTF.ext")

    def _read_declarations(self, btf: Btf) -> None:
        """Note which globals BTF declares, and what is in each section."""
        objects: dict[tuple[int, str], int] = {}
        for symbol in self.symbols:
            if symbol.type == STT_OBJECT:
                objects.setdefault((symbol.shndx, symbol.name), symbol.value)
        words, starts = btf.records()
        for type_id, at in enumerate(starts, 1):
            kind = words[at + 1] >> 24 & 0x7F
            if kind == BTF_KIND_DATASEC:
                self._read_datasec(btf, type_id, at, objects)
            elif is_global(btf, type_id):
                self._loose[btf.name(type_id)] = type_id

    def _read_datasec(
        self, btf: Btf, datasec: int, at: int, objects: dict[tuple[int, str], int]
    ) -> None:
        words, starts = btf.records()
        section_name = btf.name(datasec)
        section = None
        if section_name != EXTERN_SECTION:
            section = self._by_name.get(section_name)
            if section is None:
                section = self._by_name[section_name] = InputSection(0, section_name)
                self.sections.append(section)
            section.datasec = datasec
        first = at + 3
        last = first + 3 * (words[at + 1] & 0xFFFFFF)
        for place in range(first, last, 3):
            type_id, offset, size = words[place : place + 3]
            name = btf.name(type_id)
            if is_global(btf, type_id) and name not in self._places:
                other = self._loose.get(name, type_id)
                if other != type_id:
                    self._ambiguous[name] = (other, type_id)
                self._places[name] = (type_id, datasec)
            if section is None:
                continue
            linkage = words[starts[type_id - 1] + 3] if btf.kind(type_id) == BTF_KIND_VAR else None
            if linkage == BTF_VAR_GLOBAL_ALLOCATED and not section.is_dropped:
                # Clang leaves the place of globals to a relocation by their symbols.
                value = objects.get((section.index, name))
                if value is None:
                    raise ElfError(f"variable {name!r} has no symbol", section=section_name)
                offset = value
            is_here = linkage in (BTF_VAR_GLOBAL_ALLOCATED, BTF_VAR_STATIC) and section.index
            if is_here and offset + size > section.size:
                raise ElfError(f"variable {name!r} ends outside of it", section=section_name)
            section.variables.append((type_id, offset, size))


def is_global(btf: Btf, type_id: int) -> bool:
    """Tell whether a type is a VAR or FUNC, global or extern."""
    words, at = btf.record(type_id)
    kind = words[at + 1] >> 24 & 0x7F
    if kind == BTF_KIND_VAR:
        return words[at + 3] != BTF_VAR_STATIC
    return kind == BTF_KIND_FUNC and words[at + 1] & 0xFFFF != BTF_FUNC_STATIC


def _is_dropped(name: str, type_: int, size: int) -> bool:
    if type_ in (SHT_STRTAB, _SHT_LLVM_ADDRSIG):
        return True
    if type_ == SHT_PROGBITS and not size and name == ".text":  # an object without subprograms
        return True
    target = name.removeprefix(".rel")
    if target.startswith(".debug_"):
        return True
    return target != name and target in (".BTF", ".BTF.ext")


def _check_section(section: InputSection) -> None:
    def wrong(why: str) -> ElfError:
        return ElfError(why, section=section.name)

    if section.type not in (SHT_PROGBITS, SHT_NOBITS, SHT_SYMTAB, SHT_REL):
        raise wrong(f"a section of type {section.type:#x} cannot be linked")
    if section.align & (section.align - 1) or section.align > _MAX_ALIGN:
        raise wrong(f"alignment {section.align} is no power of two, or too large")
    if section.size > _MAX_SIZE:
        raise wrong(f"{section.size} bytes are too many")
    if section.name in (".BTF", ".BTF.ext") and section.type != SHT_PROGBITS:
        raise wrong(f"a section of type {section.type} where type information belongs")
    if section.is_code and (section.type != SHT_PROGBITS or section.size % _INSN_SIZE):
        raise wrong(f"{section.size} bytes are no whole number of instructions")


def _name(table: bytes, offset: int, what: str) -> str:
    end = table.find(b"\0", offset, offset + MAX_NAME)
    if end < 0:
        raise ElfError(f"{what} has no proper name (at {offset:#x} of the names)")
    return table[offset:end].decode("utf-8", "surrogateescape")
