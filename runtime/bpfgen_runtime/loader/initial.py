"""What maps of maps and program arrays hold at first: `.values = {[0] = &inner}` in C.

The C compiler leaves a relocation in `.maps` for each slot, at the place of the slot's pointer.
"""

from __future__ import annotations

from ..btf import Struct, Var
from ..elf.image import SHN_LORESERVE
from ..errors import FormatError
from ..uapi.const import (
    BPF_MAP_TYPE_ARRAY_OF_MAPS,
    BPF_MAP_TYPE_HASH_OF_MAPS,
    BPF_MAP_TYPE_PROG_ARRAY,
)
from .maps import MAPS_SECTION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..elf.image import Reloc, Symbol
    from ..spec import MapSpec, ObjectSpec

__all__ = ["collect_values"]

_POINTER_SIZE = 8


def collect_values(spec: ObjectSpec) -> None:
    """Fill in `MapSpec.values` of an object whose maps and programs have been read.

    Raises:
        FormatError: a relocation of `.maps` that is no slot of such a map, or whose symbol is no
            map of `.maps` or no entry program; names the map and the symbol.
    """
    section = spec.image.section(MAPS_SECTION)
    if section is None:
        return
    relocs = spec.image.relocations(section.index)
    if not relocs:
        return
    assert spec.btf is not None, "maps have been read, hence there is BTF"
    datasec = spec.btf.type(spec.btf.find_datasec(MAPS_SECTION) or 0)
    for reloc in relocs:
        for place in getattr(datasec, "vars", ()):
            if place.offset <= reloc.offset <= place.offset + place.size - _POINTER_SIZE:
                var = spec.btf.type(place.type)
                assert isinstance(var, Var)
                target = spec.maps[var.name]
                slot = _slot(spec, target, var.type, reloc.offset - place.offset)
                target.values[slot] = _value(spec, target, reloc, section.index)
                break
        else:
            raise FormatError(
                "a relocation that belongs to no map", section=MAPS_SECTION, offset=reloc.offset
            )


def _slot(spec: ObjectSpec, target: MapSpec, type_id: int, offset: int) -> int:
    """Find which slot of `values`, the last field, lies at an offset of the definition."""
    assert spec.btf is not None
    definition = spec.btf.type(spec.btf.resolve(type_id))
    assert isinstance(definition, Struct)
    last = definition.members[-1] if definition.members else None
    if last is None or last.name != "values" or offset * 8 < last.bit_offset:
        raise _bad(target, "only its field values can be initialised")
    slot, rest = divmod(offset - last.bit_offset // 8, _POINTER_SIZE)
    if rest:
        raise _bad(target, f"an initial value at offset {offset}, between two slots")
    return slot


def _value(spec: ObjectSpec, target: MapSpec, reloc: Reloc, maps_index: int) -> str:
    symbol: Symbol = spec.image.symbols[reloc.symbol]
    if target.map_type in (BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS):
        if symbol.shndx != maps_index or symbol.name not in spec.maps:
            raise _bad(target, f"its initial value {symbol.name!r} is no map of .maps")
        if target.map_type == BPF_MAP_TYPE_HASH_OF_MAPS and target.key_size != 4:
            raise _bad(
                target,
                f"a hash of maps with initial values has keys of 4 bytes, not {target.key_size}",
            )
        return symbol.name
    if target.map_type != BPF_MAP_TYPE_PROG_ARRAY:
        raise _bad(target, "a map of its type has no initial values")
    program = spec.programs.get(symbol.name)
    if (
        program is None
        or symbol.shndx >= SHN_LORESERVE
        or (program.section_index, program.insn_offset * 8) != (symbol.shndx, symbol.value)
    ):
        raise _bad(target, f"its initial value {symbol.name!r} is no entry program")
    return symbol.name


def _bad(target: MapSpec, what: str) -> FormatError:
    return FormatError(f"map {target.name!r}: {what}", section=MAPS_SECTION)
