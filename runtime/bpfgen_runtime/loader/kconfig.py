"""Values of `.kconfig` externs: from the text of a kernel configuration to bytes.

The rules are libbpf's: the first character of a value says what it is, and it must suit the type
that the object declared.
"""

from __future__ import annotations

from ..errors import FormatError, RelocationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..elf.image import ByteOrder
    from ..spec import ExternSpec

__all__ = ["KconfigValues"]

_TRISTATE = {"n": 0, "y": 1, "m": 2}  # enum libbpf_tristate of bpf_helpers.h

_U64 = 1 << 64


class KconfigValues:
    """The contents of section `.kconfig` under construction.

    Attributes:
        contents: the section's bytes; zero for what has no value yet.
        missing: the externs without a value, by name.
    """

    __slots__ = ("_order", "contents", "missing")

    def __init__(self, externs: list[ExternSpec], contents: bytearray, order: ByteOrder) -> None:
        self.contents = contents
        self.missing = {extern.name: extern for extern in externs}
        self._order: ByteOrder = order

    def read(self, text: str, source: str) -> None:
        """Take values from the text of a configuration; what has one already keeps it.

        Args:
            text: lines such as `CONFIG_HZ=250`; all others pass.
            source: where it is from, for messages.

        Raises:
            FormatError: a line that begins as a setting is none.
            RelocationError: a value does not suit its extern's type.
        """
        for number, line in enumerate(text.split("\n"), 1):
            if not line.startswith("CONFIG_"):
                continue
            name, separator, value = line.partition("=")
            if not separator or not value:
                what = "value" if separator else "'='"
                raise FormatError(
                    f"{source}, line {number}: {line!r} has no {what}", section=".kconfig"
                )
            extern = self.missing.get(name)
            if extern is not None:
                self._set_text(extern, value, f"{source}, line {number}")

    def set_number(self, extern: ExternSpec, value: int, source: str = "bpfgen") -> None:
        """Give an extern a number.

        Raises:
            RelocationError: its type cannot hold it.
        """
        if extern.value_kind not in ("int", "char", "bool"):
            raise _misfit(extern, str(value), "an integer, char or bool", source)
        if extern.value_kind == "bool" and value > 1:
            raise _misfit(extern, str(value), "an integer", source)
        bits = 8 * extern.size
        half = 1 << bits - 1 if extern.is_signed else 0
        # 64 bits take every number; negative ones come as their two's complement.
        if bits < 64 and (value + half) % _U64 >= 1 << bits:
            number = value - _U64 if extern.is_signed and value >> 63 else value
            raise RelocationError(
                f"{_place(extern)}: value {number} of {source} does not fit {extern.size} bytes"
            )
        self._put(extern, value)

    def _set_text(self, extern: ExternSpec, value: str, source: str) -> None:
        kind = extern.value_kind
        if value[0] in _TRISTATE:
            if kind == "bool" and value[0] != "m":
                self._put(extern, value[0] == "y")
            elif kind == "tristate":
                self._put(extern, _TRISTATE[value[0]])
            elif kind == "char":
                self._put(extern, ord(value[0]))
            else:
                others = "a tristate or char" if value[0] == "m" else "a bool, tristate or char"
                raise _misfit(extern, value, others, source)
        elif value[0] == '"':
            if kind != "text":
                raise _misfit(extern, value, "an array of char", source)
            if len(value) < 2 or not value.endswith('"'):
                raise RelocationError(
                    f"{_place(extern)}: the string {value} of {source} has no end"
                )
            # What is too long is cut off, as there.
            text = value[1:-1].encode("utf-8", "surrogateescape")[: extern.size - 1]
            self._write(extern, text.ljust(extern.size, b"\0"))
        else:
            number = _number(value)
            if number is None:
                raise RelocationError(
                    f"{_place(extern)}: value {value!r} of {source} is no integer of 64 bits"
                )
            if kind not in ("int", "char"):
                raise _misfit(extern, value, "an integer", source)
            self.set_number(extern, number, source)

    def _put(self, extern: ExternSpec, value: int) -> None:
        order = "little" if self._order == "<" else "big"
        value %= 1 << 8 * extern.size
        self._write(extern, value.to_bytes(extern.size, order))  # type: ignore[arg-type]

    def _write(self, extern: ExternSpec, raw: bytes) -> None:
        self.contents[extern.offset : extern.offset + extern.size] = raw
        del self.missing[extern.name]


def _number(text: str) -> int | None:
    """Read an integer as strtoull with base 0 does; None if it is none, or too large."""
    digits = text.lstrip(" \t\v\f\r")
    negative = digits.startswith("-")
    digits = digits[1:] if digits[:1] in ("-", "+") else digits
    base = 10
    if digits[:2] in ("0x", "0X"):
        base, digits = 16, digits[2:]
    elif digits.startswith("0"):
        base = 8
    allowed = "0123456789abcdefABCDEF" if base == 16 else "0123456789"[:base]
    if not digits or digits.strip(allowed):
        return None
    value = int(digits, base)
    if value >= _U64:
        return None
    return -value % _U64 if negative else value


def _place(extern: ExternSpec) -> str:
    return f"extern {extern.name!r} of .kconfig"


def _misfit(extern: ExternSpec, value: str, wanted: str, source: str) -> RelocationError:
    kinds = {"int": "an integer", "char": "a char", "bool": "a bool", "tristate": "a tristate"}
    declared = kinds.get(extern.value_kind, "an array of char")
    return RelocationError(
        f"{_place(extern)} is declared as {declared}; value {value} of {source} is for {wanted}"
    )
