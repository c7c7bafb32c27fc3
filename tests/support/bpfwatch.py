"""What a loader asks of the kernel: `union bpf_attr` of each BPF_PROG_LOAD and BPF_MAP_CREATE.

Taken at the system call, of libbpf's as of ours, so that nothing between a loader's good intentions
and the kernel can hide. Descriptors are named while they are open: after a failure, nobody knows
any more what they were.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.uapi.attr import MapCreateAttr, ProgLoadAttr

from tests.support.btfnames import (
    TypeName,
    attach_target,
    btf_name,
    kernel_type,
    member_name,
    type_by_fd,
)

_LDIMM64 = 0x18
_CALL = 0x85
_PSEUDO_MAPS = (1, 2)
_PSEUDO_BTF_ID = 3
_PSEUDO_KFUNC_CALL = 2
#: Helpers with such numbers stand for what is not there: libbpf's POISON_*_BASE and ours.
_POISON = 2_000_000_000

Asked = dict[str, Any]


class MapName(NamedTuple):
    """A map of which a descriptor was seen: its id, and the name that the kernel has for it."""

    number: int
    kernel_name: str


class Attempt(NamedTuple):
    """One call: what the kernel was asked, and its answer, 0 or an errno."""

    name: str
    asked: Asked
    errno: int


class Watch:
    """The calls of one load, told of each by `saw`.

    Args:
        named: gives the name of the program that is being loaded, by the address of its
            instructions and the name given to the kernel; or of the map that is being created, at
            address 0. None for what is not to be recorded, as probes of features.
    """

    def __init__(self, named: Callable[[int, str], str | None]) -> None:
        self._named = named
        self.programs: list[Attempt] = []
        self.maps: list[Attempt] = []

    def saw(self, number: int, arguments: tuple[int, ...]) -> Callable[[int, int], None] | None:
        """Record a call of syscall(3) to come; a `tests.support.gothook.Watcher`."""
        if number != bpf.NR_BPF or arguments[0] not in (k.BPF_PROG_LOAD, k.BPF_MAP_CREATE):
            return None
        command, address, size = arguments[:3]
        attr = ProgLoadAttr() if command == k.BPF_PROG_LOAD else MapCreateAttr()
        ctypes.memmove(ctypes.addressof(attr), address, min(size, ctypes.sizeof(attr)))
        if isinstance(attr, ProgLoadAttr):
            calls, name = self.programs, self._named(attr.insns, attr.prog_name.decode())
        else:
            calls, name = self.maps, self._named(0, attr.map_name.decode())
        if name is None:
            return None
        asked = _program(attr) if isinstance(attr, ProgLoadAttr) else _map(attr)
        return lambda result, errno: calls.append(Attempt(name, asked, errno if result < 0 else 0))

    def programs_in_the_end(self, maps: Mapping[int, str]) -> dict[str, Asked]:
        """Give what the kernel was asked last of each program.

        What was refused before differs: a loader may ask for features that the kernel lacks, or
        probe for them. What the kernel took, or refused in the end, does not.

        Args:
            maps: names by id, of those that are known; the others keep the kernel's.
        """
        return {each.name: _with_names(each.asked, maps) for each in self.programs}

    def maps_in_the_end(self) -> list[Asked]:
        """Give what the kernel was asked last of each map, in an order that does not depend on it.

        A refused map is asked for again, under the same name, in another way, or is the last one.
        """
        last = self.maps[-1:]
        calls = [each for each in self.maps[:-1] if not each.errno] + last
        return sorted((each.asked for each in calls), key=repr)


def _program(attr: ProgLoadAttr) -> Asked:
    attach = attach_target(attr.attach_prog_fd, attr.attach_btf_id)
    attach_type: Any = attr.expected_attach_type
    if attr.prog_type == k.BPF_PROG_TYPE_STRUCT_OPS and attach is not None:
        attach_type = member_name(attach, attach_type)
    return {
        "type": attr.prog_type,
        "attach type": attach_type,
        "attach": attach,
        "flags": attr.prog_flags,
        "log level": attr.log_level,
        "name": attr.prog_name,
        "license": ctypes.string_at(attr.license),
        "kernel version": attr.kern_version,
        "interface": attr.prog_ifindex,
        "insns": _insns(attr),
        "has types": bool(attr.prog_btf_fd),
        "functions": _records(attr.func_info, attr.func_info_rec_size, attr.func_info_cnt),
        "lines": _records(attr.line_info, attr.line_info_rec_size, attr.line_info_cnt),
    }


def _records(address: int, size: int, count: int) -> list[bytes]:
    return [ctypes.string_at(address + at, size) for at in range(0, size * count, size or 1)]


def _insns(attr: ProgLoadAttr) -> list[tuple[Any, ...]]:
    """Decode instructions: maps, types and functions of the kernel by name."""
    fds = ctypes.cast(attr.fd_array, ctypes.POINTER(ctypes.c_int)) if attr.fd_array else None
    code = ctypes.string_at(attr.insns, attr.insn_cnt * 8)
    found: list[tuple[Any, ...]] = []
    for opcode, registers, offset, imm in struct.iter_unpack("=BBhi", code):
        pseudo = registers >> 4
        value: Any = imm
        if opcode == _LDIMM64 and pseudo in _PSEUDO_MAPS:
            value = map_name(imm)
        elif opcode == _CALL and pseudo == _PSEUDO_KFUNC_CALL:
            where = btf_name(fds[offset])[1] if offset and fds is not None else "vmlinux"
            offset, value = 0, kernel_type(imm, where)
        elif found and found[-1][0] == _LDIMM64 and found[-1][1] >> 4 == _PSEUDO_BTF_ID:
            where = btf_name(imm)[1] if imm else "vmlinux"
            found[-1] = (*found[-1][:3], kernel_type(found[-1][3], where))
            value = 0
        found.append((opcode, registers, offset, value))
    return found


def map_name(fd: int) -> MapName:
    """Name the map behind a descriptor."""
    info = bpf.map_get_info_by_fd(fd)
    return MapName(info.id, info.name.decode())


def _map(attr: MapCreateAttr) -> Asked:
    key = value = None
    if attr.btf_fd:
        key = type_by_fd(attr.btf_fd, attr.btf_key_type_id)
        value = type_by_fd(attr.btf_fd, attr.btf_value_type_id)
    kernel_value = None
    if attr.btf_vmlinux_value_type_id:
        fd = attr.value_type_btf_obj_fd
        in_module = attr.map_flags & k.BPF_F_VTYPE_BTF_OBJ_FD and fd
        where = btf_name(fd)[1] if in_module else "vmlinux"
        kernel_value = kernel_type(attr.btf_vmlinux_value_type_id, where)
    return {
        "name": attr.map_name,
        "type": attr.map_type,
        "key size": attr.key_size,
        "value size": attr.value_size,
        "max entries": attr.max_entries,
        "flags": attr.map_flags,
        "inner map": _inner(attr.inner_map_fd),
        "NUMA node": attr.numa_node,
        "interface": attr.map_ifindex,
        "key": key,
        "value": value,
        "value of the kernel": kernel_value,
        "extra": attr.map_extra,
    }


def _inner(fd: int) -> tuple[Any, ...] | None:
    if fd == 0:
        return None
    info = bpf.map_get_info_by_fd(fd)
    return info.type, info.key_size, info.value_size, info.max_entries, info.map_flags


def of_the_kernel(asked: Asked) -> tuple[str, ...]:
    """List what a program's instructions have of the kernel's BTF, and "poison" for such calls."""
    return tuple(
        value.name if isinstance(value, TypeName) else "poison"
        for opcode, _, _, value in asked["insns"]
        if isinstance(value, TypeName) or (opcode == _CALL and value >= _POISON)
    )


def _with_names(asked: Asked, maps: Mapping[int, str]) -> Asked:
    named = [
        (
            (*insn[:3], maps.get(insn[3].number, insn[3].kernel_name))
            if isinstance(insn[3], MapName)
            else insn
        )
        for insn in asked["insns"]
    ]
    return {**asked, "insns": named}
