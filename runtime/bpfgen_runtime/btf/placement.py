"""Where C puts the members of a struct, and what it takes to have them where the BTF says.

A compiler puts a member at the next multiple of its alignment, and a bitfield at the next bit
unless it would straddle a unit of its type. Where a member is further on, nameless bitfields fill
the gap. Where one is not that far, or its place is no multiple, the struct must have been packed.

The psABIs of x86-64, arm64 and BPF agree in this but for one thing: on arm64 a struct is aligned as
its nameless bitfields are, too. So a struct that has some of integers wider than its alignment is
written as packed, with that alignment, and everything that packing takes away as padding.
"""

from __future__ import annotations

from ..errors import BtfError
from .flat import Flat
from .parse import SECTION
from .types import (
    BTF_KIND_ARRAY,
    BTF_KIND_DECL_TAG,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FLOAT,
    BTF_KIND_INT,
    BTF_KIND_PTR,
    BTF_KIND_STRUCT,
    BTF_KIND_UNION,
    MODIFIER_KINDS,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    #: Offset of the name, type, and bits if it is a bitfield, else 0. Padding is a bitfield
    #: without name of an integer of -type bits.
    Place = tuple[int, int, int]
    _Member = tuple[int, int, int, int]

#: References on the way from a type to what has a size.
_MAX_CHAIN = 128
_MAX_DEPTH = 128
_SIZED = frozenset((BTF_KIND_INT, BTF_KIND_FLOAT, BTF_KIND_ENUM, BTF_KIND_ENUM64))
_COMPOSITES = frozenset((BTF_KIND_STRUCT, BTF_KIND_UNION))
_BEHIND = MODIFIER_KINDS | {BTF_KIND_DECL_TAG}
_PACKED = " __attribute__((packed))"
_U32_MAX = 0xFFFFFFFF
_MAX_ALIGN = 1 << 16
#: Nameless bitfields in all structs: a kernel's have some 10,000.
_MAX_PADDING = 1 << 18
#: Integers that padding is made of, by their bits.
UNITS = {64: "long", 32: "int", 16: "short", 8: "char"}


class Places:
    """Sizes, alignments and members, as compilers see the text that is written."""

    def __init__(self, flat: Flat, pointer_size: int) -> None:
        self._flat = flat
        self._pointer = pointer_size
        self._units = tuple(UNITS) if self._pointer == 8 else tuple(UNITS)[1:]
        #: By type id: bytes, and bytes of alignment; 0 where C has none.
        self._sizes: dict[int, tuple[int, int]] = {}
        #: Each of those pairs once.
        self._distinct: dict[tuple[int, int], tuple[int, int]] = {}
        self._left = _MAX_PADDING
        self._attributes: dict[int, str] = {}
        #: Unions that are larger than their members, by no alignment's doing.
        self._enlarged: set[int] = set()

    def size_align(self, type_id: int, depth: int = 0) -> tuple[int, int]:
        """Return the bytes that a type takes, and its alignment.

        Raises:
            BtfError: it has no size, or contains itself.
        """
        known = self._sizes.get(type_id)
        if known is None:
            found = self._find_size(type_id, depth)
            known = self._sizes[type_id] = self._distinct.setdefault(found, found)
        return known

    def _find_size(self, type_id: int, depth: int) -> tuple[int, int]:
        flat = self._flat
        words, starts, kinds = flat.words, flat.starts, flat.kinds
        at_id, count = type_id, 1
        for _ in range(_MAX_CHAIN):
            kind, at = kinds[at_id], starts[at_id]
            if kind == BTF_KIND_PTR:
                size = align = self._pointer
            elif kind in _SIZED:
                size = words[at + 2]
                align = min(size, self._pointer)
            elif kind in _COMPOSITES:
                size, align = words[at + 2], self._align_of(at_id, depth)
            elif kind == BTF_KIND_ARRAY:
                count *= words[at + 5]
                at_id = words[at + 3]
                continue
            elif kind in _BEHIND:
                at_id = words[at + 2]
                continue
            else:
                break
            if not align or size * count > _U32_MAX:
                raise self._error(type_id, f"has {size * count} bytes, which C cannot have")
            return size * count, align
        raise self._error(type_id, "is in a struct, but has no size")

    def _align_of(self, type_id: int, depth: int) -> int:
        """Return a composite's alignment, and note whether it is packed."""
        if depth > _MAX_DEPTH:
            raise self._error(type_id, f"contains itself, or is nested deeper than {_MAX_DEPTH}")
        flat = self._flat
        words, at = flat.words, flat.starts[type_id]
        size = words[at + 2]
        most, largest = 1, 0
        packed = False
        for _, member, place, width in _members(words, at):
            one, align = self._sizes.get(member) or self.size_align(member, depth + 1)
            if width:
                packed |= place % (8 * one) + width > 8 * one
                one = (width + 7) // 8
            else:
                packed |= place % (8 * align) != 0
            if align > most:
                most = align
            if one > largest:
                largest = one
        if packed or size % most:
            self._attributes[type_id] = _PACKED
            most = 1
        if flat.kinds[type_id] == BTF_KIND_UNION:
            wanted = most
            while _round_up(largest, wanted) < size and wanted <= _MAX_ALIGN:
                wanted *= 2
            if wanted > most and _round_up(largest, wanted) == size:
                self._attributes[type_id] = f" __attribute__((aligned({wanted})))"
                most = wanted
            elif _round_up(largest, most) > size:
                raise self._error(type_id, "has members beyond its end")
            elif _round_up(largest, most) < size:
                self._enlarged.add(type_id)
        return most

    def members(self, type_id: int) -> tuple[list[Place], str]:
        """Return what to write between a struct's braces, and the attribute behind them.

        Raises:
            BtfError: members overlap, or are beyond the end.
        """
        flat = self._flat
        words, at = flat.words, flat.starts[type_id]
        size = words[at + 2]
        _, align = self.size_align(type_id)
        attribute = self._attributes.get(type_id, "")
        every = list(_members(words, at))
        if flat.kinds[type_id] == BTF_KIND_UNION:
            found: list[Place] = [(name, member, width) for name, member, _, width in every]
            if type_id in self._enlarged:
                if 8 * size not in self._units:
                    raise self._error(type_id, f"has {size} bytes, which C cannot give it")
                found.append((0, -8 * size, 8 * size))
                attribute = _packed(align)
            return found, attribute
        places = [one[2] for one in every]
        if places != sorted(places):
            every.sort(key=lambda one: one[2])  # Rust places them as it likes
        packed = attribute == _PACKED
        found = self._placed(type_id, every, size, align, packed)
        if not packed and any(-8 * align > member for _, member, _ in found):
            return self._placed(type_id, every, size, align, True), _packed(align)
        return found, attribute

    def _placed(
        self, type_id: int, every: list[_Member], size: int, align: int, packed: bool
    ) -> list[Place]:
        """Return a struct's members, and padding where one is further on than C puts it."""
        found: list[Place] = []
        sizes = self._sizes
        end = 0
        for name, member, place, width in every:
            one, one_align = sizes[member]
            if width and (packed or end % (8 * one) + width <= 8 * one):
                natural = end
            else:
                natural = _round_up(end, 8 * one if width else 8 if packed else 8 * one_align)
            if natural != place:
                if place < end:
                    raise self._error(type_id, "has members that overlap")
                self._pad(found, end, place)
            found.append((name, member, width))
            end = place + (width or 8 * one)
        if end > 8 * size:
            raise self._error(type_id, "has members beyond its end")
        if _round_up(end, 8 * align) != 8 * size:
            self._pad(found, end, 8 * size)
        return found

    def _pad(self, found: list[Place], start: int, end: int) -> None:
        """Append nameless bitfields from a bit to another, none across a unit of its type."""
        while start < end:
            for bits in self._units:
                boundary = _round_up(start + 1, bits)
                if boundary <= end:
                    break
            else:
                boundary = end
            found.append((0, -bits, boundary - start))
            start = boundary
            self._left -= 1
            if self._left < 0:
                raise BtfError(
                    f"the structs need more than {_MAX_PADDING} pieces of padding",
                    section=SECTION,
                )

    def _error(self, type_id: int, what: str) -> BtfError:
        kind = kind_name(self._flat.kinds[type_id])
        return BtfError(
            f"type [{type_id}] {kind} {self._flat.name(type_id)!r} {what}", section=SECTION
        )


def _members(words: Sequence[int], at: int) -> Iterable[_Member]:
    """Give each member's name, type, place in bits, and bits if it is a bitfield, else 0."""
    info = words[at + 1]
    body = words[at + 3 : at + 3 + 3 * (info & 0xFFFFFF)]
    places: Iterable[int] = body[2::3]
    widths: Iterable[int] = (0,) * (info & 0xFFFFFF)
    if info >> 31:
        widths = [place >> 24 for place in places]
        places = [place & 0xFFFFFF for place in places]
    return zip(body[0::3], body[1::3], places, widths, strict=True)


def _packed(align: int) -> str:
    return _PACKED if align == 1 else f" __attribute__((packed, aligned({align})))"


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
