"""Global data: the maps behind `.data`, `.rodata`, `.bss`, and what BTF says of their variables."""

from __future__ import annotations

from ..btf.types import (
    BTF_FUNC_GLOBAL,
    BTF_FUNC_STATIC,
    BTF_KIND_DATASEC,
    BTF_KIND_FUNC,
    BTF_VAR_GLOBAL_EXTERN,
    BTF_VAR_STATIC,
    Datasec,
    Func,
    SecVar,
    Var,
)
from ..elf.image import (
    BPF_OBJ_NAME_LEN,
    SHF_EXECINSTR,
    SHT_NOBITS,
    SHT_PROGBITS,
    STB_GLOBAL,
    STB_WEAK,
    STT_OBJECT,
    STV_HIDDEN,
    STV_INTERNAL,
)
from ..errors import BtfError
from ..spec import MapSpec, VariableSpec
from ..uapi.const import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, BPF_MAP_TYPE_ARRAY
from .arena import ARENA_SECTION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..btf.btf import Btf
    from ..btf.types import BtfType
    from ..elf.image import ElfImage, Section, Symbol
    from ..spec import ObjectSpec, ProgramSpec

__all__ = [
    "EXTERN_SECTIONS",
    "KCONFIG_SECTION",
    "KSYMS_SECTION",
    "LINK_THEM",
    "collect_variables",
    "data_maps",
    "fix_up",
    "kernel_name",
]

KCONFIG_SECTION = ".kconfig"
KSYMS_SECTION = ".ksyms"

#: Sections of externs, which `loader.externs` sees to.
EXTERN_SECTIONS = (KCONFIG_SECTION, KSYMS_SECTION)

#: What to do about an extern that neither the kernel nor its configuration has.
LINK_THEM = (
    ": if another object defines it, link the two, by `bpfgen link` or `bpfgen skeleton --link`"
)

#: Sections of structs that implement kernel functions; see `struct_ops`.
STRUCT_OPS_SECTIONS = (".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link")


def data_maps(image: ElfImage, btf: Btf | None) -> Iterator[MapSpec]:
    """Make a map of one entry of each section of global data that is not empty."""
    for section in image.sections:
        if section.size == 0 or not _is_data(section):
            continue
        spec = MapSpec(
            section.name,
            BPF_MAP_TYPE_ARRAY,
            key_size=4,
            value_size=section.size,
            max_entries=1,
            kernel_name=kernel_name(image.name, section.name),
            section=section.name,
            section_index=section.index,
            contents=bytearray(section.data or section.size),
        )
        if spec.is_rodata:
            spec.map_flags = BPF_F_RDONLY_PROG
        # Sections of string literals (.rodata.str1.1) have no variables, hence nothing in BTF.
        type_id = btf.find_datasec(section.name) if btf is not None else None
        if btf is not None and type_id is not None:
            spec.value_type_id = type_id
            if _has_visible_variable(btf, type_id):
                spec.map_flags |= BPF_F_MMAPABLE
        yield spec


def _is_data(section: Section) -> bool:
    if section.type == SHT_PROGBITS:
        return not section.flags & SHF_EXECINSTR and _is_or_under(section.name, ".data", ".rodata")
    return section.type == SHT_NOBITS and _is_or_under(section.name, ".bss")


def _is_or_under(name: str, *stems: str) -> bool:
    return any(name == stem or name.startswith(stem + ".") for stem in stems)


def _has_visible_variable(btf: Btf, type_id: int) -> bool:
    datasec = btf.type(type_id)
    assert isinstance(datasec, Datasec)
    for place in datasec.vars:
        var = btf.type(place.type)
        if isinstance(var, Var) and var.linkage != BTF_VAR_STATIC:
            return True
    return False


def kernel_name(object_name: str, section_name: str) -> str:
    """Name the map of a data section as libbpf does, in at most 15 bytes.

    The standard sections have as much of the object's name before them as fits beside seven bytes
    of section name; sections with a name of their own (`.data.stats`) stand alone, cut off.
    """
    longest = BPF_OBJ_NAME_LEN - 1
    suffix = min(max(7, len(section_name)), longest)
    prefix = 0 if "." in section_name[1:] else longest - suffix
    name = object_name[:prefix] + section_name[:suffix]
    return "".join([c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in name])


# --- BTF


def fix_up(btf: Btf, image: ElfImage, functions: Iterable[ProgramSpec]) -> Btf:
    """Return the BTF as the kernel wants it.

    Clang leaves the sizes of sections and the offsets of variables to the linker, which an object
    may not have seen: they are taken from ELF. A hidden variable or subprogram is made static: the
    first does not make its section mmap-able, the second is verified together with its callers.

    Raises:
        BtfError: a section or variable that ELF does not have.
    """
    changes: dict[int, BtfType] = {}
    symbols: dict[str, Symbol] | None = None
    words, starts = btf.records()
    for type_id, at in enumerate(starts, btf.start_id):
        if words[at + 1] >> 24 == BTF_KIND_DATASEC:
            if symbols is None:
                symbols = {
                    symbol.name: symbol
                    for symbol in image.symbols
                    if symbol.type == STT_OBJECT and symbol.bind in (STB_GLOBAL, STB_WEAK)
                }
            _fix_section(btf, image, type_id, symbols, changes)
    for function in functions:
        if function.is_subprogram and function.is_hidden and function.is_global:
            for type_id in btf.find(function.name, BTF_KIND_FUNC):
                func = btf.type(type_id)
                if isinstance(func, Func) and func.linkage == BTF_FUNC_GLOBAL:
                    changes[type_id] = Func(func.name, func.type, BTF_FUNC_STATIC)
    fixed = btf.replace(changes) if changes else btf
    fixed.pointer_size = 8
    return fixed


def _fix_section(
    btf: Btf,
    image: ElfImage,
    type_id: int,
    symbols: dict[str, Symbol],
    changes: dict[int, BtfType],
) -> None:
    datasec = btf.type(type_id)
    assert isinstance(datasec, Datasec)
    name, size = datasec.name, datasec.size
    if name in EXTERN_SECTIONS:
        return
    needs_places = size == 0
    if needs_places:
        section = image.section(name)
        if section is None or section.size == 0:
            for place in datasec.vars:
                var = btf.type(place.type)
                if isinstance(var, Var) and var.linkage == BTF_VAR_GLOBAL_EXTERN:
                    raise BtfError(
                        f"extern {var.name!r} is in section {name!r}, which the file does not have"
                        f"{LINK_THEM}"
                    )
            raise BtfError(f"BTF describes section {name!r}, which the file does not have")
        size = section.size
        if size > 0xFFFFFFFF:
            raise BtfError(f"section {name!r} has {size} bytes, more than BTF can say")
    places = []
    for place in datasec.vars:
        var = btf.type(place.type)
        if not isinstance(var, Var):
            raise BtfError(f"type {place.type}, in section {name!r}, is no variable")
        if var.linkage not in (BTF_VAR_STATIC, BTF_VAR_GLOBAL_EXTERN):
            symbol = symbols.get(var.name)
            if symbol is None:
                raise BtfError(f"variable {var.name!r} of section {name!r} has no symbol")
            if needs_places:
                if symbol.value + place.size > size:
                    raise BtfError(f"variable {var.name!r} ends outside section {name!r}")
                place = SecVar(place.type, symbol.value, place.size)
            if symbol.visibility in (STV_HIDDEN, STV_INTERNAL):
                changes[place.type] = Var(var.name, var.type, BTF_VAR_STATIC)
        places.append(place)
    places.sort(key=_place)  # the kernel wants them in order
    if needs_places or tuple(places) != datasec.vars:
        changes[type_id] = Datasec(name, size, places)


def _place(var: SecVar) -> int:
    return var.offset


# --- variables


def collect_variables(spec: ObjectSpec) -> dict[str, VariableSpec]:
    """List the variables of all data sections and of the arena; see `ObjectSpec.variables`."""
    found: dict[str, VariableSpec] = {}
    if spec.btf is None:
        return found
    by_place: dict[tuple[int, str], Symbol | None] = {}
    for symbol in spec.image.symbols:
        if symbol.type == STT_OBJECT:
            # Two in one section: static variables of objects that were linked. BTF knows better.
            key = (symbol.shndx, symbol.name)
            by_place[key] = None if key in by_place else symbol
    for map_spec in spec.maps.values():
        section_index, size = map_spec.section_index, map_spec.value_size
        type_id: int | None = map_spec.value_type_id if map_spec.is_data else 0
        if map_spec.arena_data is not None:
            section = spec.image.section(ARENA_SECTION)
            assert section is not None, "that is where the data is from"
            section_index, size = section.index, len(map_spec.arena_data)
            type_id = spec.btf.find_datasec(ARENA_SECTION)
        if not type_id:
            continue
        datasec = spec.btf.type(type_id)
        assert isinstance(datasec, Datasec)
        for place in datasec.vars:
            var = spec.btf.type(place.type)
            assert isinstance(var, Var)
            offset = place.offset
            is_static = var.linkage == BTF_VAR_STATIC
            known = by_place.get((section_index, var.name))
            if is_static and known is not None:
                # `fix_up` knows no place for static variables, as their names need not be unique.
                offset = known.value
            if offset + place.size > size:
                raise BtfError(f"variable {var.name!r} ends outside section {datasec.name!r}")
            found.setdefault(
                var.name,
                VariableSpec(
                    var.name, map_spec.name, offset, place.size, var.type, is_static, spec
                ),
            )
    return found
