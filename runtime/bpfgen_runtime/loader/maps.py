"""BTF-defined maps: the anonymous structs of section `.maps`, read as libbpf's conventions say.

A definition's values live in types, not in bytes: `__uint(max_entries, 64)` is a pointer to an
array of 64 ints, `__type(key, u32)` a pointer to u32, `__ulong(map_extra, x)` an enum whose one
enumerator is x.
"""

from __future__ import annotations

from ..btf import (
    BTF_VAR_GLOBAL_ALLOCATED,
    BTF_VAR_GLOBAL_EXTERN,
    Array,
    Datasec,
    Enum,
    Enum64,
    FuncProto,
    Fwd,
    Ptr,
    Struct,
    Var,
)
from ..errors import BtfError, FormatError
from ..spec import MapSpec
from ..uapi.const import (
    BPF_MAP_TYPE_ARRAY_OF_MAPS,
    BPF_MAP_TYPE_HASH_OF_MAPS,
    BPF_MAP_TYPE_PROG_ARRAY,
)
from .globals import LINK_THEM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..btf import Btf, Member
    from ..elf.image import ElfImage

__all__ = ["LIBBPF_PIN_BY_NAME", "LIBBPF_PIN_NONE", "MAPS_SECTION", "read_definition", "user_maps"]

MAPS_SECTION = ".maps"

#: `enum libbpf_pin_type` of bpf_helpers.h.
LIBBPF_PIN_NONE = 0
LIBBPF_PIN_BY_NAME = 1

_POINTER_SIZE = 8

_MAP_IN_MAP = (BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS)

# Fields that hold one number, and the MapSpec attribute that takes it.
_NUMBERS = {
    "type": "map_type",
    "max_entries": "max_entries",
    "map_flags": "map_flags",
    "numa_node": "numa_node",
    "key_size": "key_size",
    "value_size": "value_size",
    "pinning": "pinning",
}


def user_maps(image: ElfImage, btf: Btf | None) -> Iterator[MapSpec]:
    """Read the map definitions of section `.maps`, in the order of BTF.

    Raises:
        BtfError: no BTF, or BTF without the section's variables.
        FormatError: a definition that libbpf refuses too; names the map and the field.
    """
    section = image.section(MAPS_SECTION)
    if section is None:
        return
    if btf is None:
        raise BtfError(
            "maps are defined by BTF, and the object has none: compile with clang -g",
            section=MAPS_SECTION,
        )
    type_id = btf.find_datasec(MAPS_SECTION)
    if type_id is None:
        raise BtfError("BTF has no DATASEC for the section", section=MAPS_SECTION)
    datasec = btf.type(type_id)
    assert isinstance(datasec, Datasec)
    for place in datasec.vars:
        var = btf.type(place.type)
        if not isinstance(var, Var) or not var.name:
            raise BtfError(f"type {place.type} is no named variable", section=MAPS_SECTION)
        if place.offset + place.size > section.size:
            raise _bad(var.name, "its variable ends outside the section")
        if var.linkage == BTF_VAR_GLOBAL_EXTERN:
            raise _bad(var.name, f"it is an extern{LINK_THEM}")
        if var.linkage != BTF_VAR_GLOBAL_ALLOCATED:
            raise _bad(var.name, "a map must be a global variable, not static")
        definition = btf.type(btf.resolve(var.type))
        if not isinstance(definition, Struct):
            raise _bad(var.name, "its type is no struct")
        if definition.size > place.size:
            raise _bad(var.name, "its type is larger than its variable")
        spec = MapSpec(
            var.name,
            0,
            section=MAPS_SECTION,
            section_index=section.index,
            section_offset=place.offset,
        )
        _read_definition(btf, definition, spec)
        if spec.pinning and "/" in spec.name:
            raise _bad(spec.name, "a map of this name cannot be pinned by it")
        yield spec


def read_definition(btf: Btf, var_id: int, *, is_extern: bool = False) -> MapSpec:
    """Read the definition or the extern declaration of one map, whatever section it is in.

    Args:
        var_id: its VAR.
        is_extern: it may leave its type out, which is 0 then.

    Raises:
        BtfError, FormatError: as for `user_maps`.
    """
    var = btf.type(var_id)
    definition = btf.type(btf.resolve(var_id))
    if not isinstance(definition, Struct):
        raise _bad(var.name, "its type is no struct")
    spec = MapSpec(var.name, 0, section=MAPS_SECTION)
    _read_definition(btf, definition, spec, is_extern=is_extern)
    return spec


def _read_definition(
    btf: Btf,
    definition: Struct,
    spec: MapSpec,
    *,
    is_inner: bool = False,
    is_extern: bool = False,
) -> None:
    for index, member in enumerate(definition.members):
        field = member.name
        if field in _NUMBERS:
            attribute = _NUMBERS[field]
            number = _number(btf, member, spec.name)
            if field.endswith("_size"):
                _set_size(spec, attribute, number)
            else:
                setattr(spec, attribute, number)
        elif field in ("key", "value"):
            pointer = btf.type(member.type)
            if not isinstance(pointer, Ptr):
                raise _bad(spec.name, f"{field} is not given by __type()")
            content = btf.type(btf.resolve(pointer.type))
            if isinstance(content, Fwd):
                raise _bad(
                    spec.name,
                    f"{field} is {btf.c_name(pointer.type)!r}, which is only declared: clang leaves"
                    " out structs that nothing but the definition of an inner map uses; keep it by"
                    f" a global variable, `{btf.c_name(pointer.type)} unused;`",
                )
            _set_size(spec, f"{field}_size", btf.size_of(pointer.type))
            setattr(spec, f"{field}_type_id", pointer.type)
        elif field == "map_extra":
            spec.map_extra = _long_number(btf, member, spec.name)
        elif field == "values":
            if is_inner:
                raise _bad(spec.name, "a map in a map cannot be a map of maps itself")
            if index != len(definition.members) - 1:
                raise _bad(spec.name, "values must be the last field")
            _read_values(btf, member, spec, is_extern)
        else:
            raise _bad(spec.name, f"unknown field {field!r}")
    if spec.map_type == 0 and not is_extern:
        raise _bad(spec.name, "it has no type")
    if spec.pinning not in (LIBBPF_PIN_NONE, LIBBPF_PIN_BY_NAME):
        raise _bad(spec.name, f"pinning is {spec.pinning}, neither none nor by name")
    if is_inner and any(member.name == "pinning" for member in definition.members):
        raise _bad(spec.name, "a map in a map cannot be pinned by its definition")


def _read_values(btf: Btf, member: Member, spec: MapSpec, is_extern: bool) -> None:
    """Read `__array(values, …)`: the inner map's definition, or a program array's prototype."""
    in_map = spec.map_type in _MAP_IN_MAP
    untyped = is_extern and not spec.map_type
    if not in_map and not untyped and spec.map_type != BPF_MAP_TYPE_PROG_ARRAY:
        raise _bad(spec.name, "values is for maps of maps and program arrays only")
    _set_size(spec, "value_size", 4)
    array = btf.type(member.type)
    if not isinstance(array, Array) or array.nelems:
        raise _bad(spec.name, "values is not given by __array()")
    pointer = btf.type(btf.resolve(array.type))
    inner = btf.type(btf.resolve(pointer.type)) if isinstance(pointer, Ptr) else None
    in_map = isinstance(inner, Struct) if untyped else in_map
    if not isinstance(inner, Struct if in_map else FuncProto):
        what = "an inner map's struct" if in_map else "a program's prototype"
        raise _bad(spec.name, f"values does not point to {what}")
    if in_map:
        assert isinstance(inner, Struct)
        spec.inner = MapSpec(f"{spec.name}.inner", 0, section=MAPS_SECTION)
        _read_definition(btf, inner, spec.inner, is_inner=True, is_extern=is_extern)


def _set_size(spec: MapSpec, attribute: str, size: int) -> None:
    old = getattr(spec, attribute)
    if old and old != size:
        what = attribute.replace("_", " ")
        raise _bad(spec.name, f"conflicting {what}: {old} and {size} bytes")
    setattr(spec, attribute, size)


def _number(btf: Btf, member: Member, map_name: str) -> int:
    pointer = btf.type(btf.resolve(member.type))
    array = btf.type(pointer.type) if isinstance(pointer, Ptr) else None
    if not isinstance(array, Array):
        raise _bad(map_name, f"{member.name} is not given by __uint()")
    return array.nelems


def _long_number(btf: Btf, member: Member, map_name: str) -> int:
    carrier = btf.type(btf.resolve(member.type))
    if isinstance(carrier, Ptr):
        return _number(btf, member, map_name)
    if not isinstance(carrier, (Enum, Enum64)) or len(carrier.values) != 1:
        raise _bad(map_name, f"{member.name} is given by neither __ulong() nor __uint()")
    return carrier.values[0].value & (1 << 64) - 1


def _bad(map_name: str, what: str) -> FormatError:
    return FormatError(f"map {map_name!r}: {what}", section=MAPS_SECTION)
