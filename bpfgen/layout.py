"""Which bytes of a struct become which field, and which become none."""

from __future__ import annotations

from typing import NamedTuple

from bpfgen_runtime.btf import Btf, Int, Member, Struct
from bpfgen_runtime.errors import BtfError

__all__ = ["KERNEL_MANAGED", "Slot", "bitfield_width", "slots"]

#: Structs that the kernel manages inside map values: user space sees zeros and must write zeros.
KERNEL_MANAGED = frozenset(
    [
        "bpf_dynptr",
        "bpf_list_head",
        "bpf_list_node",
        "bpf_rb_node",
        "bpf_rb_root",
        "bpf_refcount",
        "bpf_res_spin_lock",
        "bpf_spin_lock",
        "bpf_task_work",
        "bpf_timer",
        "bpf_wq",
    ]
)


class Slot(NamedTuple):
    """A run of a struct's bytes.

    Attributes:
        name: the C name of the member, or what to call it where C has no name.
        is_named: whether C has one.
        offset, size: bytes.
        type_id: the member's type; None for bytes that are not expressed, or left out.
        note: why they are not.
        is_field: False for what gets no field at all; its bytes are written as zeros.
    """

    name: str
    is_named: bool
    offset: int
    size: int
    type_id: int | None = None
    note: str = ""
    is_field: bool = True


def slots(btf: Btf, struct: Struct) -> list[Slot]:
    """Lay a struct out in slots by rising offset.

    Raises:
        BtfError: members overlap or lie outside the struct.
    """
    found: list[Slot] = []
    bits: list[tuple[Member, int]] = []
    for member in struct.members:
        width = bitfield_width(btf, member)
        if width:
            bits.append((member, width))
            continue
        if bits:
            found.append(_bits_slot(bits))
            bits = []
        found.append(_slot(btf, member))
    if bits:
        found.append(_bits_slot(bits))
    end = 0
    for slot in found:
        if slot.offset < end or slot.offset + slot.size > struct.size:
            raise BtfError(
                f"struct {struct.name or '{...}'} of {struct.size} bytes: member {slot.name!r} "
                f"({slot.size} bytes at {slot.offset}) overlaps another or the end",
                section=".BTF",
            )
        end = slot.offset + slot.size
    return found


def bitfield_width(btf: Btf, member: Member) -> int:
    """Give a bitfield's width in bits, 0 for a member that is none."""
    if member.bitfield_size:
        return member.bitfield_size
    kind = btf.type(btf.resolve(member.type))
    # Before v4.20 the width stood in the integer type.
    if isinstance(kind, Int) and (kind.bits != kind.size * 8 or member.bit_offset % 8):
        return kind.bits
    return 0


def _slot(btf: Btf, member: Member) -> Slot:
    offset = member.bit_offset // 8
    size = btf.size_of(member.type)
    text = btf.c_name(member.type)
    if not member.name:
        return Slot(f"anon_{offset}", False, offset, size, note=f"anonymous {text}: opaque for now")
    kind = btf.type(btf.resolve(member.type))
    if isinstance(kind, Struct) and kind.name in KERNEL_MANAGED:
        note = f"{member.name}: {text}, managed by the kernel; zero in user space"
        return Slot(member.name, True, offset, size, None, note, is_field=False)
    if size == 0:
        note = f"{member.name}: {text}, no bytes of its own"
        return Slot(member.name, True, offset, size, None, note, is_field=False)
    return Slot(member.name, True, offset, size, member.type)


def _bits_slot(bits: list[tuple[Member, int]]) -> Slot:
    start = min(member.bit_offset for member, _ in bits) // 8
    end = max(member.bit_offset + width for member, width in bits)
    names = ", ".join(f"{member.name}:{width}" for member, width in bits)
    size = (end + 7) // 8 - start
    return Slot(f"bits_{start}", False, start, size, note=f"bitfields {names}: opaque for now")
