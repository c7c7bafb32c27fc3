"""What the kernel says of an object's programs and maps, as values to compare two loads by."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping
from sys import byteorder
from typing import Any

from bpfgen_runtime.errors import KeyMissingError
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.uapi.attr_more import MapInfo, ProgInfo

from tests.support.btfnames import TypeName, loaded_btf, type_by_id, type_name

_LDIMM64 = 0x18
_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE = 1, 2


def program_view(fd: int, map_names: Mapping[int, str]) -> dict[str, Any]:
    """Describe a program: identity, verified instructions, function and line records, types.

    Args:
        map_names: names by the kernel's map ids, which stand in the instructions.
    """
    first = bpf.prog_get_info_by_fd(fd)
    info = ProgInfo()
    code = (ctypes.c_char * first.xlated_prog_len)()
    func_info = (ctypes.c_char * (first.nr_func_info * first.func_info_rec_size))()
    line_info = (ctypes.c_char * (first.nr_line_info * first.line_info_rec_size))()
    map_ids = (ctypes.c_uint32 * first.nr_map_ids)()
    info.xlated_prog_len = first.xlated_prog_len
    info.xlated_prog_insns = ctypes.addressof(code)
    info.nr_func_info, info.func_info_rec_size = first.nr_func_info, first.func_info_rec_size
    info.func_info = ctypes.addressof(func_info)
    info.nr_line_info, info.line_info_rec_size = first.nr_line_info, first.line_info_rec_size
    info.line_info = ctypes.addressof(line_info)
    info.nr_map_ids = first.nr_map_ids
    info.map_ids = ctypes.addressof(map_ids)
    bpf.obj_get_info_by_fd(bpf_fd=fd, info=info)
    return {
        "type": info.type,
        "name": info.name,
        "tag": bytes(info.tag).hex(),
        "gpl": info.gpl_compatible,
        "attach": _attach(info),
        "verified_insns": info.verified_insns,
        "maps": sorted(map_names.get(number, "?") for number in map_ids),
        "code": _with_names(bytes(code), map_names),
        "func_info": list(struct.iter_unpack("=2I", bytes(func_info))),
        "line_info": list(struct.iter_unpack("=4I", bytes(line_info))),
        "types": list(loaded_btf(info.btf_id).types()) if info.btf_id else None,
    }


def _with_names(code: bytes, map_names: Mapping[int, str]) -> list[tuple[Any, ...]]:
    insns: list[tuple[Any, ...]] = []
    for opcode, registers, offset, imm in struct.iter_unpack("=BBhi", code):
        if opcode == 0 and insns and insns[-1][0] == _LDIMM64 and -0x1000000 <= imm < -0x100:
            # An address of memory, as of a timer's program: another one in each load.
            insns[-1] = (*insns[-1][:3], "an address")
            insns.append((opcode, registers, offset, "an address"))
        elif opcode == _LDIMM64 and registers >> 4 in (_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE):
            insns.append((opcode, registers, offset, map_names[imm]))
        else:
            insns.append((opcode, registers, offset, imm))
    return insns


def map_view(fd: int) -> dict[str, Any]:
    """Describe a map: definition, types by name, and whether it is frozen."""
    info = bpf.map_get_info_by_fd(fd)
    return {
        "type": info.type,
        "name": info.name,
        "key_size": info.key_size,
        "value_size": info.value_size,
        "max_entries": info.max_entries,
        "map_flags": info.map_flags,
        "map_extra": info.map_extra,
        "kernel_value_type": _kernel_value_type(info),
        "btf": _type_names(info),
        "frozen": _frozen(fd),
    }


def map_id(fd: int) -> int:
    """The kernel's number of a map."""
    return bpf.map_get_info_by_fd(fd).id


def _attach(info: ProgInfo) -> TypeName | None:
    # Kernel: struct bpf_prog_info.attach_btf_id, since v6.0.
    return type_by_id(info.attach_btf_obj_id, info.attach_btf_id) if info.attach_btf_id else None


def _kernel_value_type(info: MapInfo) -> TypeName | None:
    # Kernel: struct bpf_map_info.btf_vmlinux_id, of struct_ops in modules, too, since v6.9.
    number = info.btf_vmlinux_value_type_id
    return type_by_id(info.btf_vmlinux_id, number) if number else None


def _type_names(info: MapInfo) -> tuple[str, str] | None:
    if info.btf_id == 0:
        return None
    btf = loaded_btf(info.btf_id)
    return (
        type_name(btf, info.btf_key_type_id).name,
        type_name(btf, info.btf_value_type_id).name,
    )


def _frozen(fd: int) -> bool:
    with open(f"/proc/self/fdinfo/{fd}") as file:
        fields = dict(line.split(":\t", 1) for line in file.read().splitlines())
    return fields["frozen"].strip() == "1"


# --- a whole object


def object_view(programs: dict[str, int], maps: dict[str, int], btf_fd: int) -> dict[str, Any]:
    """Describe all that a load made.

    Args:
        programs: descriptors by name.
        maps: likewise.
        btf_fd: of the object's BTF, negative if it has none.
    """
    names = {map_id(fd): name for name, fd in maps.items()}
    types = None
    if btf_fd >= 0:
        types = list(loaded_btf(bpf.btf_get_info_by_fd(btf_fd).id).types())
    return {
        "programs": {name: program_view(fd, names) for name, fd in programs.items()},
        "maps": {name: map_view(fd) for name, fd in maps.items()},
        "data": {name: _data(fd) for name, fd in maps.items() if _is_data(fd)},
        "slots": {name: _slots(fd) for name, fd in maps.items() if _holds(fd)},
        "types": types,
        "number of types": None if types is None else len(types),
    }


def _is_data(fd: int) -> bool:
    info = bpf.map_get_info_by_fd(fd)
    return bool(info.type == k.BPF_MAP_TYPE_ARRAY and info.max_entries == 1)


def _data(fd: int) -> bytes:
    value = bytearray(bpf.map_get_info_by_fd(fd).value_size)
    bpf.map_lookup_elem(map_fd=fd, key=bytes(4), value=value)
    return bytes(value)


def _holds(fd: int) -> bool:
    return bpf.map_get_info_by_fd(fd).type in (
        k.BPF_MAP_TYPE_ARRAY_OF_MAPS,
        k.BPF_MAP_TYPE_HASH_OF_MAPS,
        k.BPF_MAP_TYPE_PROG_ARRAY,
    )


def _slots(fd: int) -> list[Any]:
    info = bpf.map_get_info_by_fd(fd)
    is_programs = info.type == k.BPF_MAP_TYPE_PROG_ARRAY
    found: list[Any] = []
    for slot in range(info.max_entries):
        value = bytearray(4)
        try:
            bpf.map_lookup_elem(map_fd=fd, key=slot.to_bytes(4, byteorder), value=value)
        except KeyMissingError:
            found.append(None)
            continue
        number = int.from_bytes(value, byteorder)
        if is_programs:
            with bpf.prog_get_fd_by_id(number) as held:
                found.append(bytes(bpf.prog_get_info_by_fd(held.fileno()).name))
        else:
            with bpf.map_get_fd_by_id(number) as held:
                found.append(map_view(held.fileno()))
    return found
