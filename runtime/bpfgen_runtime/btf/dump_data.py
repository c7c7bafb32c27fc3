"""`dump_type_data`: bytes as the C initialiser of their type, to be read."""

from __future__ import annotations

from struct import unpack

from ..errors import BtfError
from .btf import Btf
from .declarator import Declarators
from .parse import SECTION
from .types import (
    BTF_FUNC_EXTERN,
    BTF_FUNC_STATIC,
    Array,
    BtfType,
    Datasec,
    Enum,
    Enum64,
    Float,
    Int,
    Member,
    Ptr,
    Struct,
    Var,
    is_char,
    kind_name,
)

__all__ = ["dump_type_data"]

_MAX_DEPTH = 64
#: Values in the text for each byte of data: more come of unions whose members are all of the bytes.
_PER_BYTE = 64


def dump_type_data(
    btf: Btf,
    type_id: int,
    data: bytes,
    *,
    indent: str = "\t",
    level: int = 0,
    compact: bool = False,
    skip_names: bool = False,
    emit_zeroes: bool = False,
    emit_strings: bool = False,
) -> str:
    r"""Return data as C would write it for an initialiser, as btf_dump__dump_type_data does.

        (struct point){
            .x = (int)1,
        }

    Integers are decimal, bitfields, pointers and integers of 16 bytes hexadecimal; an enum's value
    is its name. An array of char ends at its first NUL. What is zero is left out, except in arrays.

    Args:
        type_id: of anything that has a size, or a VAR or DATASEC.
        data: at least as many bytes as the type has, in the BTF's byte order.
        indent: what lines of members begin with, once for each level.
        level: how many levels all lines begin with.
        compact: all on one line.
        skip_names: without names of types and members.
        emit_zeroes: with what is zero.
        emit_strings: arrays of char as `"text"`, where a NUL ends them.

    Raises:
        BtfError: the type, or what it contains, has no size or one that its kind cannot have.
        ValueError: there are fewer bytes than the type has.
    """
    size = btf.size_of(type_id)
    if len(data) < size:
        raise ValueError(f"type [{type_id}] has {size} bytes, there are only {len(data)}")
    writer = _Writer(btf, bytes(data), size)
    writer.indent, writer.level = indent, level
    writer.compact, writer.skip_names = compact, skip_names
    writer.zeroes, writer.strings = emit_zeroes, emit_strings
    writer.value(type_id, 0)
    return "".join(writer.parts)


class _Writer:
    indent: str
    level: int
    compact: bool
    skip_names: bool
    zeroes: bool
    strings: bool

    def __init__(self, btf: Btf, data: bytes, size: int) -> None:
        self._btf = btf
        self._data = data
        self._order = btf.byte_order
        self._names = Declarators(btf, brief=True)
        self._left = 10000 + _PER_BYTE * size
        self._depth = 0
        self._in_array = False
        self.parts: list[str] = []

    def value(self, type_id: int, at: int, member: Member | None = None) -> None:
        """Write the value of a type at a byte; for a bitfield `at` is that of its struct."""
        self._left -= 1
        if self._left < 0 or self._depth > _MAX_DEPTH:
            raise self._error(type_id, "contains itself, or the same bytes too often")
        btf = self._btf
        t = btf.type(btf.resolve(type_id)) if btf.kind(type_id) != Var.kind else btf.type(type_id)
        bits = None
        if member is not None and member.bitfield_size:
            bits = self._bits(type_id, at, member)
        elif member is not None:
            at += member.bit_offset // 8
        optional = self._depth and not self.zeroes and not self._in_array
        if optional and not (self._is_set(t, type_id, at) if bits is None else bits):
            return
        self._start_line()
        if not self.skip_names:
            if member is not None and member.name:
                self.parts.append(f".{member.name} = ")
            if not self._in_array and not isinstance(t, (Var, Datasec)):
                self.parts.append(f"({self._type_name(type_id)})")
        if isinstance(t, Struct):
            self._struct(t, at)
        elif isinstance(t, Array):
            self._array(t, at)
        elif isinstance(t, Var):
            self._variable(t, at)
        elif isinstance(t, Datasec):
            self._section(t, at)
        else:
            self._end(self._scalar(t, type_id, at, bits))

    def _type_name(self, type_id: int) -> str:
        try:
            return self._names.declare(type_id, "", 0)
        except IndexError as cause:
            raise self._error(type_id, "refers to a type id that does not exist") from cause

    def _start_line(self) -> None:
        if not self.compact:
            self.parts.append(self.indent * (self.level + self._depth))

    def _end(self, text: str) -> None:
        self.parts.append(text)
        if self._depth:
            self.parts.append("," if self.compact else ",\n")

    def _open(self, bracket: str) -> None:
        self._depth += 1
        self.parts.append(bracket if self.compact else f"{bracket}\n")

    def _close(self, bracket: str) -> None:
        self._depth -= 1
        self._start_line()
        self._end(bracket)

    def _struct(self, t: Struct, at: int) -> None:
        self._open("{")
        for member in t.members:
            self.value(member.type, at, member)
        self._close("}")

    def _array(self, t: Array, at: int) -> None:
        size = self._btf.size_of(t.type)
        element = self._btf.type(self._btf.resolve(t.type))
        raw = self._data[at : at + size * t.nelems]
        text = is_char(element)
        if text and self.strings and b"\0" in raw:
            self._end(_quoted(raw[: raw.index(b"\0")]))
            return
        self._open("[")
        before, self._in_array = self._in_array, True
        if text:
            for char in raw[: raw.index(b"\0") + 1] if b"\0" in raw else raw:
                self._start_line()
                self._end(_char(char, element))
        else:
            for number in range(t.nelems if size else 0):
                self.value(t.type, at + number * size)
        self._in_array = before
        self._close("]")

    def _variable(self, t: Var, at: int) -> None:
        linkage = {BTF_FUNC_STATIC: "static ", BTF_FUNC_EXTERN: "extern "}.get(t.linkage, "")
        self.parts.append(f"{linkage}{self._type_name(t.type)} {t.name} = ")
        self.value(t.type, at)

    def _section(self, t: Datasec, at: int) -> None:
        self._end(f'SEC("{t.name}") ')
        for var in t.vars:
            if at + var.offset + self._btf.size_of(var.type) > len(self._data):
                raise self._error(var.type, f"is beyond the end of section {t.name!r}")
            self.value(var.type, at + var.offset)
            self.parts.append(";")

    def _is_set(self, t: BtfType, type_id: int, at: int) -> bool:
        if isinstance(t, Array):
            element = self._btf.type(self._btf.resolve(t.type))
            if is_char(element):
                return bool(t.nelems) and self._data[at : at + 1] != b"\0"
        return any(self._data[at : at + self._btf.size_of(type_id)])

    def _bits(self, type_id: int, at: int, member: Member) -> int:
        """Return a bitfield's value, without a sign."""
        size = self._btf.size_of(type_id)
        start, width = member.bit_offset, member.bitfield_size
        first = at + start // 8
        end = at + (start + width + 7) // 8
        if size > 16 or end > len(self._data):
            raise self._error(type_id, "is that of a bitfield, but too large, or beyond the data")
        number = self._number(self._data[first:end])
        if self._order == "<":
            number >>= start % 8
        else:
            number >>= 8 * (end - first) - start % 8 - width
        return number & (1 << width) - 1

    def _scalar(self, t: BtfType, type_id: int, at: int, bits: int | None) -> str:
        if isinstance(t, (Int, Enum, Float)):
            size = t.size
        elif isinstance(t, Ptr):
            size = self._btf.pointer_size
        else:
            raise self._error(type_id, "has no value")
        raw = self._data[at : at + size]
        if bits is None and len(raw) < size:
            raise self._error(type_id, f"of {size} bytes is beyond the end of the data")
        number = self._number(raw) if bits is None else bits
        if isinstance(t, Enum):
            return self._enumerator(t, number, size)
        if bits is not None or isinstance(t, Ptr):
            return f"{number:#x}"
        if isinstance(t, Float):
            return self._float(raw, type_id)
        if size == 16:
            return f"{number:#x}"
        if size not in (1, 2, 4, 8):
            raise self._error(type_id, f"is no integer of C: it has {size} bytes")
        return str(_signed(number, 8 * size) if t.is_signed else number)

    def _number(self, raw: bytes) -> int:
        return int.from_bytes(raw, "little" if self._order == "<" else "big")

    def _enumerator(self, t: Enum, number: int, size: int) -> str:
        if t.signed:
            number = _signed(number, 8 * size)
        # Old compilers call enums with negative values unsigned: then the values wrap.
        for one in t.values:
            if one.value == number:
                return one.name
        return f"{number}{'LL' if t.signed else 'ULL'}" if isinstance(t, Enum64) else str(number)

    def _float(self, raw: bytes, type_id: int) -> str:
        if len(raw) in (4, 8):
            (number,) = unpack(f"{self._order}{'f' if len(raw) == 4 else 'd'}", raw)
            return f"{number:f}"
        if len(raw) == 16 and self._order == "<":
            return _long_double(raw)
        raise self._error(type_id, f"is no number that can be written: it has {len(raw)} bytes")

    def _error(self, type_id: int, what: str) -> BtfError:
        kind = kind_name(self._btf.kind(type_id))
        return BtfError(
            f"type [{type_id}] {kind} {self._btf.name(type_id)!r} {what}", section=SECTION
        )


def _signed(number: int, bits: int) -> int:
    return number - (number >> bits - 1 << bits)


def _char(char: int, t: BtfType) -> str:
    if not char:
        return "'\\0'"
    if 32 <= char < 127:
        return f"'{chr(char)}'"
    return str(_signed(char, 8) if isinstance(t, Int) and t.is_signed else char)


def _quoted(text: bytes) -> str:
    return '"' + "".join(chr(c) if 32 <= c < 127 else f"\\x{c:02x}" for c in text) + '"'


def _long_double(raw: bytes) -> str:
    """Write x86's number of 80 bits with six digits behind the point, exactly."""
    mantissa = int.from_bytes(raw[:8], "little")
    exponent = int.from_bytes(raw[8:10], "little")
    sign = "-" if exponent >> 15 else ""
    exponent &= 0x7FFF
    if exponent == 0x7FFF:
        return f"{sign}{'nan' if mantissa << 1 & 0xFFFFFFFFFFFFFFFF else 'inf'}"
    shift = max(exponent, 1) - 16383 - 63
    if shift > 1000:
        return f"{sign}{mantissa:#x}p{shift:+}"  # hundreds of digits help nobody
    millionths = mantissa * 10**6
    if shift >= 0:
        millionths <<= shift
    else:
        millionths, rest = divmod(millionths, 1 << -shift)
        half = 1 << -shift - 1
        millionths += rest > half or (rest == half and millionths & 1)
    return f"{sign}{millionths // 10**6}.{millionths % 10**6:06}"
