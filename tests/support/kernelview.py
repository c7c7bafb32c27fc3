"""What the kernel says of a program or map, as values that two loads can be compared by."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping
from typing import Any

from bpfgen_runtime.btf import Btf
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi.attr_more import BtfInfo, MapInfo, ProgInfo

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
        "attach_btf_id": info.attach_btf_id,
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
        if opcode == 0 and insns and insns[-1][0] == _LDIMM64 and -0x10000 <= imm < -0x100:
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
        "kernel_value_type": info.btf_vmlinux_value_type_id,
        "btf": _type_names(info),
        "frozen": _frozen(fd),
    }


def map_id(fd: int) -> int:
    """The kernel's number of a map."""
    return bpf.map_get_info_by_fd(fd).id


def _type_names(info: MapInfo) -> tuple[str, str] | None:
    if info.btf_id == 0:
        return None
    btf = loaded_btf(info.btf_id)
    return _named(btf, info.btf_key_type_id), _named(btf, info.btf_value_type_id)


def loaded_btf(number: int) -> Btf:
    """Read BTF back from the kernel by its id."""
    with bpf.btf_get_fd_by_id(number) as fd:
        size = bpf.btf_get_info_by_fd(fd.fileno()).btf_size
        data = (ctypes.c_char * size)()
        wanted = BtfInfo(btf=ctypes.addressof(data), btf_size=size)
        bpf.obj_get_info_by_fd(bpf_fd=fd.fileno(), info=wanted)
    return Btf.parse(bytes(data))


def _named(btf: Btf, type_id: int) -> str:
    return f"{type(btf.type(type_id)).__name__} {btf.name(type_id)}"


def _frozen(fd: int) -> bool:
    with open(f"/proc/self/fdinfo/{fd}") as file:
        fields = dict(line.split(":\t", 1) for line in file.read().splitlines())
    return fields["frozen"].strip() == "1"
