"""Externs: what an object asks of the kernel (`.ksyms`) and of its configuration (`.kconfig`)."""

from __future__ import annotations

from ..btf.types import (
    BTF_FUNC_EXTERN,
    BTF_FUNC_GLOBAL,
    BTF_INT_BOOL,
    BTF_INT_SIGNED,
    BTF_KIND_DATASEC,
    BTF_VAR_GLOBAL_ALLOCATED,
    BTF_VAR_GLOBAL_EXTERN,
    Array,
    Datasec,
    Enum,
    Enum64,
    Func,
    FuncProto,
    Int,
    Param,
    SecVar,
    Var,
)
from ..elf.image import SHN_UNDEF, STB_GLOBAL, STB_WEAK, STT_NOTYPE
from ..errors import BtfError
from ..spec import ExternSpec, MapSpec
from ..uapi.const import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, BPF_MAP_TYPE_ARRAY
from .globals import (
    EXTERN_SECTIONS,
    KCONFIG_SECTION,
    KSYMS_SECTION,
    LINK_THEM,
    kernel_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf.btf import Btf
    from ..btf.types import BtfType
    from ..elf.image import ElfImage

__all__ = ["collect_externs", "declare_externs", "kconfig_map"]

#: What stands for externs in the BTF that the kernel gets, by libbpf's name.
_DUMMY = "dummy_ksym"

_TRISTATE = "libbpf_tristate"


def collect_externs(image: ElfImage, btf: Btf | None) -> list[ExternSpec]:
    """List an object's externs in libbpf's order: those of `.kconfig` first.

    That order gives the offsets within `.kconfig`: by alignment downwards, size upwards, name.

    Raises:
        BtfError: an undefined symbol that BTF does not declare as an extern of one of the two
            sections, or with a type that no configuration has; names symbol and section.
    """
    externs = []
    sections: dict[int, str] | None = None  # id of a VAR or FUNC -> its section
    for symbol in image.symbols:
        if (
            symbol.shndx != SHN_UNDEF
            or symbol.bind not in (STB_GLOBAL, STB_WEAK)
            or symbol.type != STT_NOTYPE
            or not symbol.name
        ):
            continue
        if btf is None:
            raise BtfError(f"extern {symbol.name!r} needs BTF: compile with clang -g")
        if sections is None:
            sections = _section_by_member(btf)
        type_id = _declaration(btf, symbol.name)
        section = sections.get(type_id)
        if section is None:
            raise BtfError(f"extern {symbol.name!r} is in no section that BTF describes{LINK_THEM}")
        if section not in EXTERN_SECTIONS:
            raise BtfError(f"extern {symbol.name!r} is in section {section!r}{LINK_THEM}")
        extern = ExternSpec(
            symbol.name,
            section,
            type_id,
            symbol.index,
            isinstance(btf.type(type_id), Func),
            symbol.bind == STB_WEAK,
        )
        if section == KCONFIG_SECTION:
            _describe_setting(extern, btf)
        else:
            extern.value_type_id = btf.resolve(btf.target(type_id))
        externs.append(extern)
    settings = [extern for extern in externs if extern.section == KCONFIG_SECTION]
    aligns = {e.name: btf.align_of(e.value_type_id) for e in settings} if btf is not None else {}
    settings.sort(key=lambda e: (-aligns[e.name], e.size, e.name))
    end = 0
    for extern in settings:
        align = aligns[extern.name]
        extern.offset = (end + align - 1) // align * align
        end = extern.offset + extern.size
    symbols = [extern for extern in externs if extern.section != KCONFIG_SECTION]
    return settings + sorted(symbols, key=lambda e: e.name)


def _declaration(btf: Btf, name: str) -> int:
    """Find the VAR or FUNC of an extern."""
    for type_id in btf.find(name):
        found = btf.type(type_id)
        if isinstance(found, (Var, Func)):
            linkage = BTF_VAR_GLOBAL_EXTERN if isinstance(found, Var) else BTF_FUNC_EXTERN
            if found.linkage != linkage:
                raise BtfError(
                    f"{name!r} is undefined in the file, and no extern in its BTF: it was defined"
                    " static, or in an object that was not linked"
                )
            return type_id
    raise BtfError(f"extern {name!r} is in no section that BTF describes{LINK_THEM}")


def _section_by_member(btf: Btf) -> dict[int, str]:
    found: dict[int, str] = {}
    for type_id in range(btf.start_id, len(btf)):
        if btf.kind(type_id) == BTF_KIND_DATASEC:
            datasec = btf.type(type_id)
            assert isinstance(datasec, Datasec)
            for place in datasec.vars:
                found.setdefault(place.type, datasec.name)
    return found


# --- .kconfig


def _describe_setting(extern: ExternSpec, btf: Btf) -> None:
    if extern.is_func:
        raise BtfError(f"extern {extern.name!r} of {extern.section} is a function")
    extern.value_type_id = btf.target(extern.type_id)
    extern.value_kind, extern.is_signed = _value_kind(btf, extern.value_type_id)
    if not extern.value_kind:
        raise BtfError(
            f"extern {extern.name!r} of {extern.section} is declared as"
            f" {btf.c_name(extern.value_type_id)}: a setting is an integer, bool, char, array of"
            f" char or enum {_TRISTATE}"
        )
    extern.size = btf.size_of(extern.value_type_id)


def _value_kind(btf: Btf, type_id: int) -> tuple[str, bool]:
    """Tell what values a type takes, "" for none, and whether it is signed."""
    found = btf.type(btf.resolve(type_id))
    if isinstance(found, Int):
        if found.encoding & BTF_INT_BOOL:
            return ("bool" if found.size == 1 else ""), False
        is_signed = bool(found.encoding & BTF_INT_SIGNED)
        if found.size == 1:
            return "char", is_signed
        return ("int" if found.size in (2, 4, 8) else ""), is_signed
    if isinstance(found, Enum):
        right = found.name == _TRISTATE and (found.size == 4 or isinstance(found, Enum64))
        return ("tristate" if right else ""), False
    if isinstance(found, Array) and found.nelems and _value_kind(btf, found.type)[0] == "char":
        return "text", False
    return "", False


def kconfig_map(image: ElfImage, btf: Btf | None, externs: list[ExternSpec]) -> MapSpec | None:
    """Make the map of the settings; None if the object asks for none. Load fills in the values."""
    settings = [extern for extern in externs if extern.section == KCONFIG_SECTION]
    if not settings or btf is None:
        return None
    size = settings[-1].offset + settings[-1].size
    return MapSpec(
        KCONFIG_SECTION,
        BPF_MAP_TYPE_ARRAY,
        key_size=4,
        value_size=size,
        max_entries=1,
        map_flags=BPF_F_RDONLY_PROG | BPF_F_MMAPABLE,
        kernel_name=kernel_name(image.name, KCONFIG_SECTION),
        section=KCONFIG_SECTION,
        section_index=-1,  # no section of the file's
        value_type_id=btf.find_datasec(KCONFIG_SECTION) or 0,
        contents=bytearray(size),
    )


# --- BTF


def declare_externs(btf: Btf, externs: list[ExternSpec]) -> Btf:
    """Return the BTF with externs told as variables of the object, which is all the kernel takes.

    Settings get their places. Each kernel symbol becomes an int; a function is replaced in its
    section by a variable, and gets names for parameters that have none.

    Raises:
        BtfError: an extern that is declared, but not among the symbols.
    """
    by_name = {extern.name: extern for extern in externs}
    changes: dict[int, BtfType] = {}
    kconfig, ksyms = btf.find_datasec(KCONFIG_SECTION), btf.find_datasec(KSYMS_SECTION)
    if ksyms is not None:
        section = btf.type(ksyms)
        assert isinstance(section, Datasec)
        int_id = _find_int(btf)
        dummy_id = 0
        if any(isinstance(btf.type(place.type), Func) for place in section.vars):
            # libbpf adds it even where no symbol is left of the functions.
            dummy_id = len(btf)
            btf = btf.extend([Var(_DUMMY, int_id, BTF_VAR_GLOBAL_ALLOCATED)])
        if any(extern.section == KSYMS_SECTION for extern in externs):
            places: list[SecVar] = []
            for place in section.vars:
                declared = _known(btf, place.type, by_name, KSYMS_SECTION)
                if isinstance(declared, Func):
                    _name_parameters(btf, declared, changes)
                    changes[place.type] = Func(declared.name, declared.type, BTF_FUNC_GLOBAL)
                    stand_in = dummy_id
                else:
                    changes[place.type] = Var(declared.name, int_id, BTF_VAR_GLOBAL_ALLOCATED)
                    stand_in = place.type
                places.append(SecVar(stand_in, 4 * len(places), 4))
            changes[ksyms] = Datasec(KSYMS_SECTION, 4 * len(places), places)
    if kconfig is not None and any(extern.section == KCONFIG_SECTION for extern in externs):
        section = btf.type(kconfig)
        assert isinstance(section, Datasec)
        settings: list[SecVar] = []
        size = 0
        for place in section.vars:
            declared = _known(btf, place.type, by_name, KCONFIG_SECTION)
            extern = by_name[declared.name]
            changes[place.type] = Var(declared.name, declared.type, BTF_VAR_GLOBAL_ALLOCATED)
            settings.append(SecVar(place.type, extern.offset, place.size))
            size = max(size, extern.offset + extern.size)
        settings.sort(key=lambda place: place.offset)  # the kernel wants them in order
        changes[kconfig] = Datasec(KCONFIG_SECTION, size, settings)
    if not changes:
        return btf
    changed = btf.replace(changes)
    changed.pointer_size = btf.pointer_size
    return changed


def _known(btf: Btf, type_id: int, externs: dict[str, ExternSpec], section: str) -> Var | Func:
    declared = btf.type(type_id)
    if not isinstance(declared, (Var, Func)):
        raise BtfError(f"type {type_id}, in section {section!r}, is no variable and no function")
    if declared.name not in externs:
        raise BtfError(f"extern {declared.name!r} of section {section!r} has no symbol")
    return declared


def _find_int(btf: Btf) -> int:
    """Return the first integer of 32 bits, 0 (void) if there is none, as libbpf does."""
    for type_id in range(1, len(btf)):
        found = btf.type(type_id) if btf.kind(type_id) == Int.kind else None
        if isinstance(found, Int) and found.bits == 32:
            return type_id
    return 0


def _name_parameters(btf: Btf, func: Func, changes: dict[int, BtfType]) -> None:
    """The kernel wants a name for every parameter of a function that is not extern."""
    proto = btf.type(func.type)
    assert isinstance(proto, FuncProto)
    if any(param.type and not param.name for param in proto.params):
        changes[func.type] = FuncProto(
            proto.type,
            [
                Param(_DUMMY if param.type and not param.name else param.name, param.type)
                for param in proto.params
            ],
        )
