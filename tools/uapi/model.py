"""What the generator needs of a kernel's BTF: structs and unions as laid-out trees."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scalar:
    """An integer, enum or pointer: `size` bytes."""

    size: int
    signed: bool


@dataclass(frozen=True)
class Vector:
    """A fixed array of integers; `is_char` where C says char, which reads as bytes of text."""

    element: Scalar
    count: int
    is_char: bool

    @property
    def size(self) -> int:
        return self.element.size * self.count


@dataclass(frozen=True)
class Composite:
    """A struct or union."""

    is_union: bool
    size: int
    members: tuple[Member, ...] = field(repr=False)


@dataclass(frozen=True)
class Member:
    """One member; `name` is empty for an anonymous struct or union, `bits` is 0 for no bitfield.

    `offset` counts bits from the composite's start.
    """

    name: str
    type: Scalar | Vector | Composite
    offset: int
    bits: int


def walk(composite: Composite, base: int = 0, prefix: str = "") -> list[tuple[str, int, int, int]]:
    """Flatten to (dotted name, bit offset, bytes, bitfield width); anonymous levels vanish."""
    found: list[tuple[str, int, int, int]] = []
    for member in composite.members:
        at = base + member.offset
        if member.name:
            found.append((prefix + member.name, at, member.type.size, member.bits))
        if isinstance(member.type, Composite):
            inner = prefix + member.name + "." if member.name else prefix
            found += walk(member.type, at, inner)
    return found
