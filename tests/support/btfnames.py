"""Names of what the kernel calls by number: BTF objects, their types, what programs attach to."""

from __future__ import annotations

import ctypes
import functools
import os
from errno import E2BIG
from typing import NamedTuple

from bpfgen_runtime.btf import Btf, Struct
from bpfgen_runtime.btf.kernel import kernel_btf, module_btf
from bpfgen_runtime.errors import BpfError, SyscallError
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi.attr_more import BtfInfo


class TypeName(NamedTuple):
    """A type of the kernel's, a module's or a program's BTF.

    Attributes:
        number: there.
        name: kind and name, `"Func tcp_reno_ssthresh"`.
        where: `"vmlinux"`, a module's name, or `""` for the BTF of an object.
    """

    number: int
    name: str
    where: str


@functools.lru_cache(maxsize=64)
def loaded_btf(number: int) -> Btf:
    """Read BTF back from the kernel by its id, which no other gets as long as this one is there."""
    with bpf.btf_get_fd_by_id(number) as fd:
        size = bpf.btf_get_info_by_fd(fd.fileno()).btf_size
        data = (ctypes.c_char * size)()
        wanted = BtfInfo(btf=ctypes.addressof(data), btf_size=size)
        bpf.obj_get_info_by_fd(bpf_fd=fd.fileno(), info=wanted)
    return Btf.parse(bytes(data))


def type_name(btf: Btf, type_id: int, where: str = "") -> TypeName:
    """Name a type of a BTF at hand."""
    try:
        name = f"{type(btf.type(type_id)).__name__} {btf.name(type_id)}"
    except (BpfError, LookupError):
        name = "no type"
    return TypeName(type_id, name, where)


def kernel_type(type_id: int, where: str = "vmlinux") -> TypeName:
    """Name a type of the kernel's BTF or of a module's."""
    return type_name(kernel_btf() if where == "vmlinux" else module_btf(where), type_id, where)


def member_name(struct: TypeName, index: int) -> str:
    """Name a member of a struct of the kernel's or a module's."""
    btf = kernel_btf() if struct.where == "vmlinux" else module_btf(struct.where)
    found = btf.type(struct.number)
    assert isinstance(found, Struct)
    return found.members[index].name


def btf_name(fd: int) -> tuple[int, str]:
    """Give id and name of a BTF object; that of an object's BTF is empty.

    Kernel: struct bpf_btf_info.name, since v5.11.
    """
    name = ctypes.create_string_buffer(64)
    info = BtfInfo(name=ctypes.addressof(name), name_len=len(name))
    try:
        bpf.obj_get_info_by_fd(bpf_fd=fd, info=info)
    except SyscallError as error:
        if error.errno != E2BIG:
            raise
        return bpf.btf_get_info_by_fd(fd).id, ""  # an older kernel, of which modules have no BTF
    return info.id, name.value.decode()


def type_by_fd(fd: int, type_id: int) -> TypeName:
    """Name a type of the BTF behind a descriptor."""
    number, name = btf_name(fd)
    return kernel_type(type_id, name) if name else type_name(loaded_btf(number), type_id)


def type_by_id(btf_id: int, type_id: int) -> TypeName:
    """Name a type of the BTF with an id; id 0 is the kernel's."""
    if btf_id == 0:
        return kernel_type(type_id)
    with bpf.btf_get_fd_by_id(btf_id) as fd:
        return type_by_fd(fd.fileno(), type_id)


def attach_target(fd: int, type_id: int) -> TypeName | None:
    """Name what a program is to attach to, by `attach_btf_obj_fd`/`attach_prog_fd` and its type."""
    if fd == 0:
        return kernel_type(type_id) if type_id else None
    if os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:bpf-prog":
        return type_name(loaded_btf(bpf.prog_get_info_by_fd(fd).btf_id), type_id, "a program")
    return type_by_fd(fd, type_id)
