"""Reads an object's debug information (DWARF 4 and 5) into plain values; pyelftools parses it.

For tools that look at objects, not for programs that load them. What is read: types, and of each
function where its variables are. The tree of entries is walked here, place by place, so that no
damaged reference makes it endless; pyelftools parses one entry at a time.
"""

from __future__ import annotations

import io
import struct
import zlib

from ..errors import ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["Die", "Place", "read_dwarf"]

#: Of more entries only these are read: a second or so of work for each 50,000.
MAX_ENTRIES = 400_000
_MAX_UNITS = 256
_MAX_DEPTH = 256
#: Debug information is refused if unpacking makes it larger.
_MAX_SIZE = 1 << 28

_SHF_COMPRESSED = 1 << 11
_ELFCOMPRESS_ZLIB = 1
#: Relocation types by how many bytes they change; LLVM before 13 had two for all.
_WIDTHS = {1: 8, 2: 8, 3: 4, 4: 4, 10: 4}

#: Attributes that are kept, without their prefix.
_KEPT = {
    *("abstract_origin", "bit_offset", "bit_size", "byte_size", "const_value", "count"),
    *("data_bit_offset", "data_member_location", "decl_file", "declaration", "encoding"),
    *("high_pc", "location", "low_pc", "name", "ranges", "specification", "type", "upper_bound"),
}

_REFERENCES = {f"DW_FORM_ref{suffix}" for suffix in ("1", "2", "4", "8", "_udata", "_addr")}


class Place:
    """Where a variable is, for a range of code.

    Attributes:
        begin, end: byte offsets in the section of the function's code; None: all of its scope.
        ops: the DWARF expression, bytes.
    """

    __slots__ = ("begin", "end", "ops")

    def __init__(self, begin: int | None, end: int | None, ops: bytes) -> None:
        self.begin = begin
        self.end = end
        self.ops = ops


class Die:
    """One debugging information entry.

    Attributes:
        offset: in .debug_info; `type`, `abstract_origin` and `specification` refer to it.
        tag: without its prefix, `structure_type`; a number in decimal where it has no name.
        attributes: by name without prefix: ints, strings (`name`, `decl_file`), lists of `Place`
            (`location`) and of (begin, end) (`ranges`). `high_pc` is the address after the end.
        children: in order.
    """

    __slots__ = ("attributes", "children", "offset", "tag")

    def __init__(self, offset: int, tag: str, attributes: dict[str, Any]) -> None:
        self.offset = offset
        self.tag = tag
        self.attributes = attributes
        self.children: list[Die] = []

    def get(self, name: str) -> Any:
        """Return an attribute, None if it has none of that name."""
        return self.attributes.get(name)

    def walk(self) -> Iterator[Die]:
        """Yield this entry and all below it."""
        pending = [self]
        while pending:
            one = pending.pop()
            yield one
            pending += reversed(one.children)

    def __repr__(self) -> str:
        return f"<Die {self.offset:#x} {self.tag} {self.get('name') or ''}>"


def read_dwarf(content: bytes) -> list[Die]:
    """Return the object's compilation units; none if it has no debug information.

    Args:
        content: the ELF file.

    Raises:
        ElfError: the debug information is damaged, or larger than is sensible.
    """
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.construct import ConstructError

    try:
        return _read(content)
    except (
        ELFError,
        DWARFError,
        ConstructError,
        AssertionError,
        AttributeError,
        LookupError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
        NotImplementedError,
        struct.error,
        zlib.error,
    ) as error:
        # What pyelftools runs into on damaged input is of all kinds.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ElfError(
            f"debug information cannot be read: {reason}", section=".debug_info"
        ) from error


def _read(content: bytes) -> list[Die]:
    from elftools.elf.elffile import ELFFile

    if b".debug_info" not in content:
        return []
    elf = ELFFile(io.BytesIO(_relocated(content)))
    if not elf.has_dwarf_info():
        return []
    info = elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
    units: list[Die] = []
    budget = MAX_ENTRIES
    for number, unit in enumerate(info.iter_CUs()):
        if number >= _MAX_UNITS:
            raise ElfError(f"more than {_MAX_UNITS} units", section=".debug_info")
        if unit.header.get("unit_type", "DW_UT_compile") != "DW_UT_compile":
            continue
        reader = _Unit(info, unit, budget)
        units += reader.read()
        budget = reader.budget
    return units


class _Unit:
    """One compilation unit on its way."""

    def __init__(self, info: Any, unit: Any, budget: int) -> None:
        from elftools.dwarf.locationlists import LocationParser

        self.info = info
        self.unit = unit
        self.budget = budget
        self.stream = info.debug_info_sec.stream
        self.version: int = unit["version"]
        self.base = 0
        self.files: dict[int, str] | None = None
        lists = info.location_lists()
        self.places = None if lists is None else LocationParser(lists)
        self.range_lists = info.range_lists()

    def read(self) -> list[Die]:
        from elftools.dwarf.die import DIE

        unit = self.unit
        end = unit.cu_offset + unit.size
        at = unit.cu_die_offset
        top = unit.get_top_DIE()
        low = top.attributes.get("DW_AT_low_pc")
        self.base = low.value if low is not None and isinstance(low.value, int) else 0
        roots: list[Die] = []
        above: list[Die] = []
        while at < end:
            entry = DIE(cu=unit, stream=self.stream, offset=at)
            self._spend(1)
            if entry.size <= 0:
                raise ElfError("an entry of no size", section=".debug_info", offset=at)
            at += entry.size
            if entry.is_null():
                if not above:
                    break
                above.pop()
                continue
            die = self._die(entry)
            (above[-1].children if above else roots).append(die)
            if entry.has_children:
                above.append(die)
                if len(above) > _MAX_DEPTH:
                    raise ElfError("entries nested too deep", section=".debug_info", offset=at)
            elif not above:
                break
        return roots

    def _spend(self, amount: int) -> None:
        """Note work: entries may share long texts and lists, so the file's size bounds nothing."""
        self.budget -= amount
        if self.budget < 0:
            raise ElfError(f"more than {MAX_ENTRIES} entries", section=".debug_info")

    def _die(self, entry: Any) -> Die:
        found: dict[str, Any] = {}
        for key, attribute in entry.attributes.items():
            if isinstance(attribute.value, (bytes, list)):
                self._spend(len(attribute.value) >> 6)
            name = str(key).removeprefix("DW_AT_")
            if name in _KEPT:
                value = self._value(name, attribute, entry)
                if value is not None:
                    found[name] = value
        low, high = found.get("low_pc"), entry.attributes.get("DW_AT_high_pc")
        if high is not None and high.form != "DW_FORM_addr" and isinstance(low, int):
            found["high_pc"] = low + int(high.value)  # of any other form it is a length
        return Die(entry.offset, str(entry.tag).removeprefix("DW_TAG_"), found)

    def _value(self, name: str, attribute: Any, entry: Any) -> Any:
        value, form = attribute.value, attribute.form
        if name == "location":
            return self._location(attribute, entry)
        if name == "ranges":
            return self._ranges(value)
        if name == "decl_file":
            return self._file(value)
        if form in _REFERENCES:
            return value if form == "DW_FORM_ref_addr" else value + self.unit.cu_offset
        if isinstance(value, bytes):
            return value.decode("utf-8", "surrogateescape")
        if isinstance(value, bool):
            return int(value)
        # Expressions, where C needs numbers, come as lists.
        return value if isinstance(value, int) else None

    def _location(self, attribute: Any, entry: Any) -> list[Place] | None:
        if attribute.form in ("DW_FORM_exprloc", "DW_FORM_block", "DW_FORM_block1"):
            return [Place(None, None, bytes(attribute.value))]
        if self.places is None or not self.places.attribute_has_location(attribute, self.version):
            return None
        base, found = self.base, []
        one: Any
        for one in self.places.parse_from_attribute(attribute, self.version, die=entry):
            if hasattr(one, "base_address"):
                base = one.base_address
            elif hasattr(one, "begin_offset"):
                start = 0 if one.is_absolute else base
                found.append(
                    Place(start + one.begin_offset, start + one.end_offset, bytes(one.loc_expr))
                )
            else:
                found.append(Place(None, None, bytes(one.loc_expr)))
        self._spend(len(found))
        return found

    def _ranges(self, offset: int) -> list[tuple[int, int]] | None:
        if self.range_lists is None:
            return None
        base, found = self.base, []
        for one in self.range_lists.get_range_list_at_offset(offset, cu=self.unit):
            if hasattr(one, "base_address"):
                base = one.base_address
            else:
                start = 0 if one.is_absolute else base
                found.append((start + one.begin_offset, start + one.end_offset))
        self._spend(len(found))
        return found

    def _file(self, number: int) -> str | None:
        if self.files is None:
            self.files = {}
            program = self.info.line_program_for_CU(self.unit)
            if program is not None:
                # Counted from 1, and from DWARF 5 on from 0.
                first = 0 if program["version"] >= 5 else 1
                for index, one in enumerate(program["file_entry"], first):
                    self.files[index] = one.name.decode("utf-8", "surrogateescape")
        return self.files.get(number)


def _relocated(content: bytes) -> bytes:
    """Return the file with its debug sections unpacked and relocated.

    pyelftools relocates those of few machines. Sections that change are put behind the file's end,
    and their headers changed to say so.
    """
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(content))
    order = "<" if elf.little_endian else ">"
    headers = [elf._get_section_header(number) for number in range(elf.num_sections())]
    result = bytearray(content)
    symbols: list[int] | None = None
    changed: dict[int, bytearray] = {}
    for number, header in enumerate(headers):
        name = elf._get_section_name(header)
        if name.startswith(".debug_") and header["sh_flags"] & _SHF_COMPRESSED:
            changed[number] = _unpack(content, header, order, name)
    for header in headers:
        target = header["sh_info"]
        if header["sh_type"] != "SHT_REL" or not 0 < target < len(headers):
            continue
        if not elf._get_section_name(headers[target]).startswith(".debug_"):
            continue
        if symbols is None:
            symbols = _symbol_values(content, headers, header["sh_link"], order)
        if target not in changed:
            start = headers[target]["sh_offset"]
            changed[target] = bytearray(content[start : start + headers[target]["sh_size"]])
        start = header["sh_offset"]
        table = content[start : start + header["sh_size"]]
        _apply(changed[target], table[: len(table) // 16 * 16], symbols, order)
    for number, data in changed.items():
        at = elf["e_shoff"] + number * elf["e_shentsize"]
        flags = headers[number]["sh_flags"] & ~_SHF_COMPRESSED
        struct.pack_into(order + "Q", result, at + 8, flags)
        struct.pack_into(order + "QQ", result, at + 24, len(result), len(data))
        result += data
    return bytes(result)


def _unpack(content: bytes, header: Any, order: str, name: str) -> bytearray:
    start = header["sh_offset"]
    raw = content[start : start + header["sh_size"]]
    kind, _, size, _ = struct.unpack_from(order + "IIQQ", raw)
    if kind != _ELFCOMPRESS_ZLIB or size > _MAX_SIZE:
        raise ValueError(f"{name} is compressed in a way that is not known")
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(raw[24:], size + 1)
    if len(data) != size:
        raise ValueError(f"{name} is not of the size that it says")
    return bytearray(data)


def _symbol_values(content: bytes, headers: list[Any], number: int, order: str) -> list[int]:
    table = headers[number]
    data = content[table["sh_offset"] : table["sh_offset"] + table["sh_size"]]
    # struct Elf64_Sym: u32 name, u8 info, u8 other, u16 shndx, u64 value, u64 size.
    return [one[0] for one in struct.iter_unpack(order + "8xQ8x", data[: len(data) // 24 * 24])]


def _apply(data: bytearray, table: bytes, symbols: list[int], order: str) -> None:
    """Add the symbols' values to the words of a section; the addends are in place."""
    for offset, info in struct.iter_unpack(order + "QQ", table):
        width = _WIDTHS.get(info & 0xFFFFFFFF)
        value = symbols[info >> 32]
        if width is None or not value:
            continue
        form = order + ("Q" if width == 8 else "I")
        old = struct.unpack_from(form, data, offset)[0]
        struct.pack_into(form, data, offset, old + value & (1 << 8 * width) - 1)
