"""Members of unions: put together into bytes, and shown."""

from __future__ import annotations

from .ctype import Bits, in_order, placed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .ctype import CType
    from .struct import Struct

__all__ = ["join", "shown"]


def join(
    cls: type[Struct], slot: str, base: bytes | None, members: Iterable[tuple[str, Any]]
) -> bytes:
    """Make the bytes of a union of the members given to a constructor.

    Args:
        slot: the union's name in the class.
        base: the bytes that the members are written over; None for zeros. `dataclasses.replace`
            gives them, and all members that it does not change with them.
        members: names and values, `...` for what is not given.

    Raises:
        TypeError: two members share bits, or a value is of the wrong type.
        OverflowError, ValueError: a value does not fit; the message names the member.
    """
    begin, size = next((offset, size) for name, offset, size in cls._unions if name == slot)
    given = [(name, value) for name, value in members if value is not ...]
    if base is None:
        if not given:
            return bytes(size)
        raw = bytearray(size)
    else:
        raw = bytearray(base)
        if len(raw) != size:
            raise ValueError(f"{cls.__name__}.{slot} needs {size} bytes, not {len(raw)}")
    places = _places(cls)
    written: list[tuple[str, int, int]] = []
    for name, value in given:
        offset, ctype = places[name]
        offset -= begin
        if base is not None and _same(value, ctype.decode(base, offset)):
            continue
        first, last = _bits(offset, ctype)
        for other, low, high in written:
            if first < high and low < last:
                raise TypeError(
                    f"{cls.__name__}: {other} and {name} share bytes: give only one of them"
                )
        written.append((name, first, last))
        try:
            if isinstance(ctype, Bits):
                ctype.store(raw, offset, value)
            else:
                raw[offset : offset + ctype.size] = ctype.encode(value)
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"{cls.__name__}.{name}") from None
    return bytes(raw)


def _same(value: Any, old: Any) -> bool:
    """Tell whether a value is the old one; NaNs are."""
    return bool(value is old or value == old or (value != value and old != old))


def _places(cls: type[Struct]) -> dict[str, tuple[int, CType[Any]]]:
    return {
        name: (offset, in_order(ctype, cls.BYTE_ORDER))
        for name, offset, ctype in cls.LAYOUT
        if name in cls._members
    }


def _bits(offset: int, ctype: CType[Any]) -> tuple[int, int]:
    """Give a member's first bit and the one behind its last, in the order of the bytes."""
    if isinstance(ctype, Bits):
        return offset * 8 + ctype.shift, offset * 8 + ctype.shift + ctype.width
    return offset * 8, (offset + ctype.size) * 8


def shown(instance: Struct) -> str:
    """Write a struct with unions: `|` stands between members that share bytes."""
    cls = type(instance)
    places, text = _places(cls), ""
    union, end = "", 0
    for name in cls._shown:
        separator = ", " if text else ""
        slot = cls._members[name][0] if name in cls._members else ""
        if slot:
            first, last = _bits(*places[name])
            if slot == union and first < end:
                separator = " | "
            end = last
        union = slot
        text += f"{separator}{name}={getattr(instance, name)!r}"
    return f"{cls.__qualname__}({text})"
