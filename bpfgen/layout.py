"""Which bytes of a struct or union become which field, and which become none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import NamedTuple

from bpfgen_runtime.btf import Array, Btf, BtfType, Int, Member, Ptr, Struct, TypeTag, Union
from bpfgen_runtime.errors import BtfError

__all__ = ["KERNEL_MANAGED", "Layout", "Slot", "lay_out", "managed"]

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

#: Tags of pointers that the kernel manages inside map values likewise.
_KPTR_TAGS = frozenset(["kptr", "kptr_untrusted", "percpu_kptr"])

#: Of anonymous struct in anonymous struct: what nests deeper was written by no compiler.
_DEPTH = 64

#: With more ways to give members of unions than this, a constructor is one signature, not one each.
_WAYS = 16


class Slot(NamedTuple):
    """A member, seen from the struct as a whole: those of anonymous members are its own.

    Attributes:
        name: the C name; "" for what a compiler would not leave without.
        offset, size: bytes.
        type_id: the member's type; None for what gets no field.
        shift, width: of a bitfield: bits of the first byte before it, and its own.
        union: the number in `Layout.unions` of the anonymous union that it is part of, else None.
        note: why it gets no field; its bytes are written as zeros.
    """

    name: str
    offset: int
    size: int
    type_id: int | None
    shift: int = 0
    width: int = 0
    union: int | None = None
    note: str = ""


class Layout(NamedTuple):
    """A struct's members.

    Attributes:
        slots: in the order of C, or by offset where that is another.
        unions: offset and size of the bytes that several members share.
        ways: the sets of members, by their place in `slots`, that a constructor may be given
            besides those outside of unions; one at least.
    """

    slots: tuple[Slot, ...]
    unions: tuple[tuple[int, int], ...]
    ways: tuple[tuple[int, ...], ...]


def lay_out(btf: Btf, struct: Struct) -> Layout:
    """Lay a struct or union out."""
    walk = _Walk(btf, struct)
    if isinstance(struct, Union):
        union = walk.union_at(0, struct.size)
        ways = walk.alternatives(struct.members, 0, union, 0)
    else:
        ways = walk.together(struct.members, 0, None, 0)
    slots, unions = walk.slots, walk.unions
    if _overlap(slots, unions):
        # As no compiler lets them. One union of all bytes still expresses every member.
        slots = [slot._replace(union=0) for slot in slots]
        unions, ways = [(0, struct.size)], [tuple(range(len(slots)))]
    in_unions = [
        tuple(i for i in way if slots[i].union is not None and not slots[i].note) for way in ways
    ]
    distinct = list(dict.fromkeys(in_unions))
    if len(distinct) > 1:
        distinct = [way for way in distinct if way] or [()]
    if len(distinct) > _WAYS:
        distinct = [tuple(i for i, slot in enumerate(slots) if slot.union is not None)]
    return Layout(tuple(slots), tuple(unions), tuple(distinct or [()]))


class _Walk:
    """Collects the slots of one struct, and the ways of giving members of its unions."""

    def __init__(self, btf: Btf, struct: Struct) -> None:
        self.btf = btf
        self.struct = struct
        self.slots: list[Slot] = []
        self.unions: list[tuple[int, int]] = []

    def union_at(self, offset: int, size: int) -> int | None:
        if size == 0:
            return None
        self.unions.append((offset, size))
        return len(self.unions) - 1

    def together(
        self, members: Sequence[Member], base: int, union: int | None, depth: int
    ) -> list[tuple[int, ...]]:
        """Walk over members of a struct at `base` (bits): each of them may be given."""
        parts = [self._member(member, base, union, depth) for member in members]
        count = 1
        for ways in parts:
            count *= len(ways)
        if count > _WAYS**2:  # too many to write down: all at once, as one way
            return [tuple(dict.fromkeys(slot for ways in parts for way in ways for slot in way))]
        return [tuple(slot for way in each for slot in way) for each in product(*parts)]

    def alternatives(
        self, members: Sequence[Member], base: int, union: int | None, depth: int
    ) -> list[tuple[int, ...]]:
        """Walk over members of a union: one of them may be given."""
        found = [w for member in members for w in self._member(member, base, union, depth) if w]
        return found or [()]

    def _member(
        self, member: Member, base: int, union: int | None, depth: int
    ) -> list[tuple[int, ...]]:
        start = base + member.bit_offset
        kind = self.btf.type(self.btf.resolve(member.type))
        width = bitfield_width(member, kind)
        if not member.name:
            if width or not isinstance(kind, Struct):
                return [()]  # an unnamed bitfield is padding
            if depth > _DEPTH:
                raise BtfError(
                    f"struct {self.struct.name or '{...}'} contains itself", section=".BTF"
                )
            if not isinstance(kind, Union):
                return self.together(kind.members, start, union, depth + 1)
            if union is None and start // 8 + kind.size <= self.struct.size:
                union = self.union_at(start // 8, kind.size)
            return self.alternatives(kind.members, start, union, depth + 1)
        self.slots.append(self._slot(member, kind, start, width, union))
        return [(len(self.slots) - 1,)]

    def _slot(
        self, member: Member, kind: BtfType, start: int, width: int, union: int | None
    ) -> Slot:
        if width and isinstance(kind, Int):
            start += kind.offset
        offset, shift = divmod(start, 8)
        size = (shift + width + 7) // 8 if width else self.btf.size_of(member.type)
        slot = Slot(member.name, offset, size, member.type, shift if width else 0, width, union)
        text = f"{member.name}: {self.btf.c_name(member.type)}"
        if offset + size > self.struct.size:
            note = f"{text} at {offset}, behind the end"
        elif managed(self.btf, member.type):
            note = f"{text}, managed by the kernel; zero in user space"
        elif size == 0:
            note = f"{text}, no bytes of its own"
        else:
            return slot
        return slot._replace(type_id=None, union=None, note=note)


def _overlap(slots: Sequence[Slot], unions: Sequence[tuple[int, int]]) -> bool:
    """Tell whether members overlap other than by being in a union."""
    places = [(offset * 8, (offset + size) * 8) for offset, size in unions]
    for slot in slots:
        if slot.union is None and not slot.note:
            begin = slot.offset * 8 + slot.shift
            places.append((begin, begin + (slot.width or slot.size * 8)))
    places.sort()
    return any(end > begin for (_, end), (begin, _) in pairwise(places))


def bitfield_width(member: Member, kind: BtfType) -> int:
    """Give a bitfield's width in bits, 0 for a member that is none.

    Args:
        kind: the member's type without modifiers.
    """
    if member.bitfield_size:
        return member.bitfield_size
    # Before v4.20 the width stood in the integer type.
    if isinstance(kind, Int) and (kind.bits != kind.size * 8 or member.bit_offset % 8):
        return kind.bits
    return 0


def managed(btf: Btf, type_id: int) -> bool:
    """Tell whether the kernel keeps a value of its own there: a lock, a kptr, or an array of such.

    Kernel: btf_parse_fields, kernel/bpf/btf.c.
    """
    kind = btf.type(btf.resolve(type_id))
    while isinstance(kind, Array):
        kind = btf.type(btf.resolve(kind.type))
    if isinstance(kind, Ptr):
        tag = btf.type(kind.type)
        return isinstance(tag, TypeTag) and tag.name in _KPTR_TAGS
    return isinstance(kind, Struct) and kind.name in KERNEL_MANAGED
