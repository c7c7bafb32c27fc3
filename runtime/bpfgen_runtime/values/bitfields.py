"""Code for bitfields: those that share bytes are taken out of one number, and put into one."""

from __future__ import annotations

from .ctype import Enum, int_range
from .source import enum_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .codec import FieldPlan
    from .ctype import Bits
    from .source import Source

__all__ = ["BitRun"]

#: `struct` codes of numbers by their size, the largest first.
_CODES = ((8, "Q"), (4, "I"), (2, "H"), (1, "B"))


class BitRun:
    """Bitfields that share bytes, to `struct` as few numbers as possible.

    Attributes:
        offset, end: its bytes in the struct.
        format, count: as of plans.
    """

    def __init__(self, fields: list[FieldPlan], order: str) -> None:
        self.fields = fields
        self.order = order

    def close(self) -> None:
        """Work out the format: all fields are there."""
        self.offset = min(field.offset for field in self.fields)
        self.end = max(field.end for field in self.fields)
        self.format = ""
        self._pieces: list[tuple[int, int]] = []  # lowest bit and bits of each number
        size, done = self.end - self.offset, 0
        while done < size:
            length, code = next(pair for pair in _CODES if pair[0] <= size - done)
            low = size - done - length if self.order == ">" else done
            self.format += code
            self._pieces.append((low * 8, length * 8))
            done += length
        self.count = len(self._pieces)

    def _low(self, field: FieldPlan) -> int:
        """Give how many bits of the run are of lower value than the field."""
        bits: Bits[Any] = field.ctype  # type: ignore[assignment]
        before = (field.offset - self.offset) * 8 + bits.shift
        if self.order == ">":
            return (self.end - self.offset) * 8 - before - bits.width
        return before

    def decode(self, source: Source, flat: list[str]) -> list[tuple[str, str]]:
        """Write what decodes the variables; give each field's name and expression."""
        terms = [
            f"{name} << {low}" if low else name
            for name, (low, _) in zip(flat, self._pieces, strict=True)
        ]
        number = flat[0]
        if len(terms) > 1:
            number = source.var()
            source.line(f"{number} = {' | '.join(terms)}")
        found = []
        for field in self.fields:
            bits: Bits[Any] = field.ctype  # type: ignore[assignment]
            low, ones = self._low(field), (1 << bits.width) - 1
            value = f"{number} >> {low} & {ones}" if low else f"{number} & {ones}"
            if bits.wrap is bool:
                value = f"({value}) != 0"
            elif bits.signed:
                sign = 1 << bits.width - 1
                value = f"({value} ^ {sign}) - {sign}"
            if isinstance(bits.element, Enum):
                value = f"{source.bind(enum_cache(bits.element.enum))}[{value}]"
            elif bits.wrap not in (None, bool):
                value = f"{source.bind(bits.wrap)}({value})"
            found.append((field.name, value))
        return found

    def encode(self, source: Source, owner: str) -> list[str]:
        """Write what checks the fields of `owner`; return the arguments for `pack`."""
        terms = []
        for field in self.fields:
            bits: Bits[Any] = field.ctype  # type: ignore[assignment]
            low, ones = self._low(field), (1 << bits.width) - 1
            value = source.var()
            if bits.wrap is bool:
                source.line(f"{value} = 1 if {owner}.{field.name} else 0")
            else:
                least, most = int_range(bits.width, bits.signed)
                source.line(f"{value} = {owner}.{field.name}")
                source.line(f"if not {least} <= {value} <= {most}: return refused(value)")
            if bits.signed:
                value = f"({value} & {ones})"
            terms.append(f"{value} << {low}" if low else value)
        number = source.var()
        source.line(f"{number} = {' | '.join(terms)}")
        if len(self._pieces) == 1:
            return [number]
        return [f"{number} >> {low} & {(1 << bits) - 1}" for low, bits in self._pieces]
