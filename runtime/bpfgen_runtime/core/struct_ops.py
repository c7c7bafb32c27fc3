"""Fit a struct_ops map's struct to the kernel's: members go by name, as in CO-RE.

The kernel takes a value `struct bpf_struct_ops_NAME`, whose member of type `struct NAME` is what
the object's struct, less its flavor, stands for.
"""

from __future__ import annotations

from ..btf.types import BTF_KIND_STRUCT, FuncProto, Member, Ptr, Struct, kind_name
from ..errors import NotSupportedError
from .names import essential_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Protocol

    from ..btf.btf import Btf
    from ..loader.struct_ops import StructOps

    class Found(Protocol):
        """Where a type of the kernel is; `kernel_types.KernelType` is one."""

        btf: Btf
        type_id: int
        btf_fd: int


__all__ = ["KernelOps", "match_struct_ops"]

VALUE_PREFIX = "bpf_struct_ops_"


class KernelOps:
    """A struct_ops map as the running kernel wants it.

    Attributes:
        btf_fd: the BTF of the kernel module that has the types, 0 for the kernel itself.
        type_id: of `struct NAME`: what the programs attach to.
        value_type_id: of `struct bpf_struct_ops_NAME`.
        value: its initial bytes, without the programs.
        functions: `(member's name, its index in the kernel's struct, offset in value, program)`.
    """

    __slots__ = ("btf_fd", "functions", "type_id", "value", "value_type_id")

    def __init__(self, btf_fd: int, type_id: int, value_type_id: int, value: bytearray) -> None:
        self.btf_fd = btf_fd
        self.type_id = type_id
        self.value_type_id = value_type_id
        self.value = value
        self.functions: list[tuple[str, int, int, str]] = []


def match_struct_ops(
    map_name: str, ops: StructOps, local: Btf, find: Callable[[str, int], Found | None]
) -> KernelOps:
    """Find the kernel's struct and lay out the map's value as it has it.

    Members that the kernel lacks are left out if they are zero: an object may be built for newer
    kernels, too.

    Args:
        find: finds a type of the kernel and its modules by name and kind.

    Raises:
        NotSupportedError: the kernel has no such struct, or a member is not as it needs it; names
            the map and the member.
    """
    struct = local.type(ops.type_id)
    assert isinstance(struct, Struct)
    name = essential_name(struct.name)
    there = find(VALUE_PREFIX + name, BTF_KIND_STRUCT)
    if there is None:
        raise NotSupportedError(
            f"struct_ops map {map_name!r}: struct {VALUE_PREFIX}{name}",
            f"The running kernel's BTF does not have it: {name} cannot be implemented by BPF there",
        )
    kernel = there.btf
    value_type = kernel.type(there.type_id)
    assert isinstance(value_type, Struct)
    type_ids = kernel.find(name, BTF_KIND_STRUCT)
    data = next((one for one in value_type.members if one.type in type_ids[:1]), None)
    if data is None:
        raise NotSupportedError(
            f"struct_ops map {map_name!r}: struct {VALUE_PREFIX}{name} without a struct {name}"
        )
    found = KernelOps(there.btf_fd, data.type, there.type_id, bytearray(value_type.size))
    kernel_struct = kernel.type(data.type)
    assert isinstance(kernel_struct, Struct)
    by_name = {
        one.name: (index, one) for index, one in reversed([*enumerate(kernel_struct.members)])
    }
    for member in struct.members:
        program = ops.functions.get(member.name)
        start = member.bit_offset // 8
        size = local.size_of(member.type)
        contents = ops.contents[start : start + size]
        if member.name not in by_name:
            if program is not None or any(contents):
                raise NotSupportedError(
                    f"struct_ops map {map_name!r}: member {member.name!r}",
                    f"The running kernel's struct {name} does not have it; "
                    + (f"set functions[{member.name!r}] = None" if program else "leave it zero"),
                )
            continue
        index, theirs = by_name[member.name]
        _check(map_name, local, member, kernel, theirs)
        at = data.bit_offset // 8 + theirs.bit_offset // 8
        pointer = local.type(local.resolve(member.type))
        if isinstance(pointer, Ptr):
            if program is not None:
                _check_function(map_name, kernel, theirs)
                found.functions.append((member.name, index, at, program))
            elif any(contents) and member.name not in ops.declared:
                raise NotSupportedError(
                    f"struct_ops map {map_name!r}: an address as member {member.name!r}",
                    "Of pointers a map takes programs only; leave it zero",
                )
            continue
        kernel_size = kernel.size_of(theirs.type)
        if size != kernel_size:
            raise NotSupportedError(
                f"struct_ops map {map_name!r}: member {member.name!r} of {size} bytes",
                f"In the running kernel it has {kernel_size}",
            )
        found.value[at : at + size] = contents
    return found


def _check(map_name: str, local: Btf, member: Member, kernel: Btf, there: Member) -> None:
    if member.bitfield_size or there.bitfield_size:
        raise NotSupportedError(
            f"struct_ops map {map_name!r}: member {member.name!r}", "It is a bitfield"
        )
    ours = kind_name(local.kind(local.resolve(member.type)))
    theirs = kind_name(kernel.kind(kernel.resolve(there.type)))
    if ours != theirs:
        raise NotSupportedError(
            f"struct_ops map {map_name!r}: member {member.name!r} of kind {ours}",
            f"In the running kernel it is of kind {theirs}",
        )


def _check_function(map_name: str, kernel: Btf, there: Member) -> None:
    pointer = kernel.type(kernel.resolve(there.type))
    if not isinstance(pointer, Ptr) or not isinstance(
        kernel.type(kernel.resolve(pointer.type)), FuncProto
    ):
        raise NotSupportedError(
            f"struct_ops map {map_name!r}: a program as member {there.name!r}",
            "In the running kernel it is no function",
        )
