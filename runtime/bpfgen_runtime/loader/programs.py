"""Functions of executable sections: entry programs and the subprograms of `.text`."""

from __future__ import annotations

from .. import sections
from ..elf.image import (
    SHF_EXECINSTR,
    SHT_PROGBITS,
    STB_LOCAL,
    STT_FUNC,
    STV_HIDDEN,
    STV_INTERNAL,
)
from ..errors import ElfError
from ..spec import ProgramSpec, RelocSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..elf.image import ElfImage, Reloc, Section, Symbol

__all__ = ["TEXT_SECTION", "functions"]

TEXT_SECTION = ".text"

_INSN_SIZE = 8


def functions(image: ElfImage) -> Iterator[ProgramSpec]:
    """Read every function of the executable sections, by section and place.

    Raises:
        ElfError: a function outside its section or of no whole number of instructions, a damaged
            relocation, or a static function with a `SEC()` of its own.
    """
    by_section: dict[int, list[Symbol]] = {}
    for symbol in image.symbols:
        if symbol.type == STT_FUNC:
            by_section.setdefault(symbol.shndx, []).append(symbol)
    for section in image.sections:
        if (
            section.type == SHT_PROGBITS
            and section.flags & SHF_EXECINSTR
            and section.index in by_section
        ):
            symbols = sorted(by_section[section.index], key=_value)
            yield from _section_functions(image, section, symbols)


def _value(symbol: Symbol) -> int:
    return symbol.value


def _offset(reloc: Reloc) -> int:
    return reloc.offset


def _section_functions(
    image: ElfImage, section: Section, symbols: list[Symbol]
) -> Iterator[ProgramSpec]:
    is_text = section.name == TEXT_SECTION
    relocs = sorted(image.relocations(section.index), key=_offset)
    place = 0
    name = section.name.removeprefix("?")
    definition = None if is_text else sections.find(name)[0]
    for symbol in symbols:
        start, size = symbol.value, symbol.size
        end = start + size
        if size == 0 or start % _INSN_SIZE or size % _INSN_SIZE:
            raise ElfError(
                f"function {symbol.name!r} has no whole number of instructions",
                section=section.name,
                offset=start,
            )
        if end > len(section.data):
            raise ElfError(
                f"function {symbol.name!r} ends outside its section",
                section=section.name,
                offset=start,
            )
        if symbol.bind == STB_LOCAL and not is_text:
            raise ElfError(
                f"program {symbol.name!r} is static: remove `static`, or its SEC() if it is a"
                " subprogram",
                section=section.name,
                offset=start,
            )
        while place < len(relocs) and relocs[place].offset < start:
            place += 1
        after = place
        while after < len(relocs) and relocs[after].offset < end:
            after += 1
        spec = ProgramSpec(
            symbol.name,
            name,
            section.data[start : start + size],
            section_index=section.index,
            insn_offset=start // _INSN_SIZE,
            relocs=tuple(
                RelocSpec((reloc.offset - start) // _INSN_SIZE, reloc.type, reloc.symbol)
                for reloc in relocs[place:after]
            ),
            autoload=name == section.name,
            is_subprogram=is_text,
            is_global=symbol.bind != STB_LOCAL,
            is_hidden=symbol.visibility in (STV_INTERNAL, STV_HIDDEN),
            byte_order=image.byte_order,
        )
        if definition is not None:
            spec.prog_type = definition.prog_type
            spec.expected_attach_type = definition.expected_attach_type
            spec.sec_flags = definition.flags
            spec.attach_target = definition.target(name)
        yield spec
