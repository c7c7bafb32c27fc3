"""C types as objects that turn bytes into Python values and back.

A `CType` knows a size and how to decode and encode one value. Simple ones do it here; arrays and
structs are compiled by `codec` at their first use.
"""

from __future__ import annotations

import struct as _struct

from .text import Address, CharArray

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import IntEnum
    from typing import Any, Generic, TypeVar

    from typing_extensions import Buffer

    from .codec import Codec
    from .struct import Struct

    T = TypeVar("T")
    S = TypeVar("S", bound=Struct)
    E = TypeVar("E", bound=IntEnum)

    class _Generic(Generic[T]):
        __slots__ = ()

else:
    T = S = E = object

    class _Generic:
        # Subscripts are for type checkers, but the bases below are subscripted here too.
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


__all__ = [
    "CType",
    "array",
    "as_ctype",
    "be",
    "bits",
    "bool8",
    "byte_array",
    "char_array",
    "enum_of",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "opaque",
    "pointer",
    "struct_of",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
]


class CType(_Generic[T]):
    """A C type: its size, and the way between its bytes and its Python value.

    Attributes:
        size: bytes, as C's `sizeof`. c_name: the type in C's spelling, for messages. order: `">"`
        for big-endian, `""` for the order of what contains it, which for a value on its own is
            little-endian.
    """

    __slots__ = ("_codec", "c_name", "order", "size")

    size: int
    c_name: str
    order: str
    _codec: Codec[T] | None

    def __init__(self, size: int, c_name: str, order: str = "") -> None:
        self.size = size
        self.c_name = c_name
        self.order = order
        self._codec = None

    @property
    def codec(self) -> Codec[T]:
        """The compiled codec; made at first use."""
        codec = self._codec
        if codec is None:
            from .codec import compile_codec

            codec = self._codec = compile_codec(self, self.order or "<")
        return codec

    def decode(self, buffer: Buffer, offset: int = 0) -> T:
        """Decode the value at `offset` (bytes) of the buffer.

        Raises:
            ValueError: the buffer ends before the value does.
        """
        return self.codec.decode(buffer, offset)

    def encode(self, value: T) -> bytes:
        """Encode the value as exactly `size` bytes, padding zero.

        Raises:
            OverflowError: a number is out of its type's range.
            TypeError: the value is of the wrong type.
            ValueError: text or an array is of the wrong length.
        """
        return self.codec.encode(value)

    def decode_many(self, buffer: Buffer) -> list[T]:
        """Decode a buffer of whole values, one after the other."""
        codec = self.codec
        return codec.build(codec.struct.iter_unpack(buffer))

    def with_order(self, order: str) -> CType[T]:
        """Return the type with its byte order fixed."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.c_name}{', big-endian' if self.order == '>' else ''}>"


class Scalar(CType[T]):
    """A number that `struct` knows.

    Attributes:
        code: its `struct` format character.
        wrap: what turns the number into the Python value; None where it already is.
    """

    __slots__ = ("code", "pack", "packer", "wrap")

    def __init__(
        self, code: str, c_name: str, order: str = "", wrap: Callable[[Any], T] | None = None
    ) -> None:
        packer = _struct.Struct((order or "<") + code)
        super().__init__(packer.size, c_name, order)
        self.code = code
        self.packer = packer
        self.pack = packer.pack
        self.wrap = wrap

    def decode(self, buffer: Buffer, offset: int = 0) -> T:
        try:
            value = self.packer.unpack_from(buffer, offset)[0]
        except _struct.error:
            raise too_short(self.c_name, self.size, buffer, offset) from None
        return value if self.wrap is None else self.wrap(value)

    def encode(self, value: T) -> bytes:
        try:
            return self.pack(value)
        except (_struct.error, TypeError, OverflowError):
            raise self.refusal(value) from None

    def refusal(self, value: object) -> Exception:
        """Return the error that says why the value does not encode."""
        code = self.code
        if code in "fd":
            if isinstance(value, (int, float)):
                return OverflowError(f"{value} does not fit {self.c_name}")
            return TypeError(f"{self.c_name} needs a float, not {type(value).__name__}: {value!r}")
        return refuse_int(self.c_name, self.size * 8, code.islower(), value)

    def with_order(self, order: str) -> Scalar[T]:
        return type(self)(self.code, self.c_name, order, self.wrap)


class Int128(CType[int]):
    """`__int128`, which `struct` does not know."""

    __slots__ = ("signed",)

    def __init__(self, signed: bool, c_name: str, order: str = "") -> None:
        super().__init__(16, c_name, order)
        self.signed = signed

    def with_order(self, order: str) -> Int128:
        return Int128(self.signed, self.c_name, order)


class Enum(Scalar[E]):
    """An enum over an integer type."""

    __slots__ = ("enum",)

    def __init__(self, enum: type[E], ctype: Scalar[int], order: str = "") -> None:
        super().__init__(ctype.code, f"enum {enum.__name__}", order or ctype.order, enum)
        self.enum = enum

    def with_order(self, order: str) -> Enum[E]:
        return Enum(self.enum, Scalar(self.code, self.c_name), order)


class Bytes(CType[bytes]):
    """`unsigned char[n]`, or what has no better representation: exactly n bytes."""

    __slots__ = ()

    def decode(self, buffer: Buffer, offset: int = 0) -> bytes:
        value = bytes(memoryview(buffer).cast("B")[offset : offset + self.size])
        if len(value) != self.size:
            raise too_short(self.c_name, self.size, buffer, offset)
        return value

    def encode(self, value: bytes) -> bytes:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"{self.c_name} needs bytes, not {type(value).__name__}: {value!r}")
        value = bytes(value)
        if len(value) != self.size:
            raise ValueError(f"{self.c_name} needs {self.size} bytes, not {len(value)}: {value!r}")
        return value

    def with_order(self, order: str) -> Bytes:
        return self


class Chars(CType[CharArray]):
    """`char[n]`: text."""

    __slots__ = ()

    def decode(self, buffer: Buffer, offset: int = 0) -> CharArray:
        value = bytes(memoryview(buffer).cast("B")[offset : offset + self.size])
        if len(value) != self.size:
            raise too_short(self.c_name, self.size, buffer, offset)
        return CharArray(value)

    def encode(self, value: str | bytes) -> bytes:
        value = CharArray(value)
        if len(value) > self.size:
            raise ValueError(f"{len(value)} bytes do not fit {self.c_name}: {bytes(value)!r}")
        return value.ljust(self.size, b"\0")

    def with_order(self, order: str) -> Chars:
        return self


class Array(CType["tuple[T, ...]"]):
    """`T[n]`: a tuple of exactly n values."""

    __slots__ = ("element", "length")

    def __init__(self, element: CType[T], length: int, order: str = "") -> None:
        # C writes the outer length first: u32[3][2] is three arrays of two.
        base, bracket, rest = element.c_name.partition("[")
        super().__init__(element.size * length, f"{base}[{length}]{bracket}{rest}", order)
        self.element = element
        self.length = length

    def with_order(self, order: str) -> Array[T]:
        return Array(self.element, self.length, order)


class Bits(CType[T]):
    """A bitfield, seen as the bytes that hold any of its bits.

    Attributes:
        element: the integer, bool or enum that C declares; its signedness counts, its size not.
        shift: bits of the first byte before it: of lower value in little-endian order, of higher
            value in big-endian order.
        width: in bits.
    """

    __slots__ = ("element", "shift", "signed", "width", "wrap")

    def __init__(self, element: CType[T], shift: int, width: int, order: str = "") -> None:
        super().__init__((shift + width + 7) // 8, f"{element.c_name}:{width}", order)
        self.element = element
        self.shift = shift
        self.width = width
        if isinstance(element, Scalar):
            self.signed = element.code in "bhiq"
            self.wrap: Any = bool if element.code == "?" else element.wrap
        elif isinstance(element, Int128):
            self.signed, self.wrap = element.signed, None
        else:
            raise TypeError(f"a bitfield is of an integer type, not of {element!r}")

    @property
    def low(self) -> int:
        """How many bits of its bytes, taken as one number, are of lower value."""
        return self.size * 8 - self.shift - self.width if self.order == ">" else self.shift

    @property
    def mask(self) -> int:
        """The bits that are its own, in its bytes taken as one number."""
        return ((1 << self.width) - 1) << self.low

    def decode(self, buffer: Buffer, offset: int = 0) -> T:
        number = self._number(memoryview(buffer).cast("B"), offset) >> self.low
        number &= (1 << self.width) - 1
        if self.signed and number >> self.width - 1:
            number -= 1 << self.width
        value: Any = number if self.wrap is None else self.wrap(number)
        return value  # type: ignore[no-any-return]

    def encode(self, value: T) -> bytes:
        return self._bits(value).to_bytes(self.size, "big" if self.order == ">" else "little")

    def store(self, memory: bytearray | memoryview, offset: int, value: T) -> None:
        """Write the value into its bytes, whose other bits stay as they are."""
        number = self._bits(value) | self._number(memory, offset) & ~self.mask
        order: Any = "big" if self.order == ">" else "little"
        memory[offset : offset + self.size] = number.to_bytes(self.size, order)

    def _number(self, memory: bytearray | memoryview, offset: int) -> int:
        raw = memory[offset : offset + self.size]
        if len(raw) != self.size:
            raise too_short(self.c_name, self.size, memory, offset)
        return int.from_bytes(raw, "big" if self.order == ">" else "little")

    def _bits(self, value: Any) -> int:
        if self.wrap is bool:
            return bool(value) << self.low
        low, high = int_range(self.width, self.signed)
        if not hasattr(value, "__index__") or not low <= value.__index__() <= high:
            raise refuse_int(self.c_name, self.width, self.signed, value)
        return int(value.__index__() << self.low) & self.mask

    def with_order(self, order: str) -> Bits[T]:
        return Bits(self.element, self.shift, self.width, order)


class StructType(CType["S"]):
    """A `Struct` class seen as a type; its byte order is the class's own."""

    __slots__ = ("struct",)

    def __init__(self, struct: type[S]) -> None:
        super().__init__(struct.SIZE, struct.__name__, struct.BYTE_ORDER)
        self.struct = struct

    def with_order(self, order: str) -> StructType[S]:
        return self


def placed(error: Exception, place: str) -> Exception:
    """Return the error again, saying in which field, element or variable it is."""
    for kind in (OverflowError, TypeError, ValueError):
        if isinstance(error, kind):
            return kind(f"{place}: {error}")
    raise error


def too_short(name: str, size: int, buffer: Buffer, offset: int = 0) -> ValueError:
    """Return the error for a buffer that ends before a value does."""
    have = memoryview(buffer).nbytes - offset
    return ValueError(f"{name} needs {size} bytes, the buffer has {max(have, 0)}")


def refuse_int(name: str, bits: int, signed: bool, value: object) -> Exception:
    """Return the error for a value that is no integer, or none of that width."""
    if not hasattr(value, "__index__"):
        return TypeError(f"{name} needs an int, not {type(value).__name__}: {value!r}")
    low, high = int_range(bits, signed)
    return OverflowError(f"{value} does not fit {name} ({low} to {high})")


def int_range(bits: int, signed: bool) -> tuple[int, int]:
    """Return the lowest and the highest value of an integer type."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


u8: CType[int] = Scalar("B", "u8")
u16: CType[int] = Scalar("H", "u16")
u32: CType[int] = Scalar("I", "u32")
u64: CType[int] = Scalar("Q", "u64")
u128: CType[int] = Int128(False, "u128")
i8: CType[int] = Scalar("b", "i8")
i16: CType[int] = Scalar("h", "i16")
i32: CType[int] = Scalar("i", "i32")
i64: CType[int] = Scalar("q", "i64")
i128: CType[int] = Int128(True, "i128")
#: `_Bool`: any byte but zero is True.
bool8: CType[bool] = Scalar("?", "bool")
f32: CType[float] = Scalar("f", "float")
f64: CType[float] = Scalar("d", "double")
#: A pointer: 64 bits in BPF, whatever the host has.
pointer: CType[Address] = Scalar("Q", "void *", wrap=Address)


def char_array(length: int) -> CType[CharArray]:
    """Return the type `char[length]`."""
    return Chars(length, f"char[{length}]")


def byte_array(length: int) -> CType[bytes]:
    """Return the type `unsigned char[length]`: exactly so many bytes."""
    return Bytes(length, f"unsigned char[{length}]")


def opaque(length: int) -> CType[bytes]:
    """Return a type of `length` bytes whose meaning is not expressed."""
    return Bytes(length, f"opaque[{length}]")


def enum_of(enum: type[E], ctype: CType[int]) -> CType[E]:
    """Return an enum's type over the integer type that stores it."""
    if not isinstance(ctype, Scalar):
        raise TypeError(f"an enum is stored in an integer, not in {ctype!r}")
    return Enum(enum, ctype)


def bits(ctype: CType[T], shift: int, width: int) -> CType[T]:
    """Return the type of a bitfield.

    Args:
        ctype: what C declares it as; an integer, a bool, or an enum.
        shift: how many bits of the byte in which it begins come before it, 0 to 7; counted from
            the lowest in a little-endian object, from the highest in a big-endian one, as BTF does.
        width: in bits.
    """
    return Bits(ctype, shift, width)


def array(ctype: CType[T] | type[T], length: int) -> CType[tuple[T, ...]]:
    """Return the type of an array; nest it for more dimensions, the outermost length last."""
    return Array(as_ctype(ctype), length)


def struct_of(struct: type[S]) -> CType[S]:
    """Return a `Struct` class's type; the class itself is accepted wherever this is."""
    return struct.__ctype__


def as_ctype(ctype: CType[T] | type[T]) -> CType[T]:
    """Return a `CType` as it is, and a `Struct` class's type."""
    if isinstance(ctype, CType):
        return ctype
    found: CType[T] | None = getattr(ctype, "__ctype__", None)
    if found is None:
        raise TypeError(f"neither a CType nor a Struct class: {ctype!r}")
    return found


def in_order(ctype: CType[T] | type[T], order: str) -> CType[T]:
    """Return a type as it is inside something of the given byte order."""
    ctype = as_ctype(ctype)
    return ctype.with_order(order) if order == ">" and not ctype.order else ctype


def be(ctype: CType[T] | type[T]) -> CType[T]:
    """Return the type in big-endian byte order, for the maps and globals of a big-endian object.

    A struct's own `BYTE_ORDER` decides for its fields.
    """
    return as_ctype(ctype).with_order(">")
