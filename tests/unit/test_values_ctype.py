"""Types: bytes to values and back, and what does not fit."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from bpfgen_runtime.values import (
    Address,
    CharArray,
    CType,
    Struct,
    array,
    as_ctype,
    be,
    bool8,
    byte_array,
    char_array,
    dataclass,
    enum_of,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    i128,
    opaque,
    pointer,
    struct_of,
    u8,
    u16,
    u32,
    u64,
    u128,
)
from bpfgen_runtime.values.enums import CEnum
from hypothesis import given
from hypothesis import strategies as st


class Kind(CEnum):
    """An enum with a hole."""

    NONE = 0
    FILE = 1
    LAST = 7


@dataclass(frozen=True, slots=True)
class Pair(Struct):
    """struct pair, 8 bytes with padding between."""

    SIZE = 8
    LAYOUT = (("a", 0, u8), ("b", 4, u32))

    a: int = 0
    b: int = 0


INTEGERS = [
    (u8, 8, False),
    (u16, 16, False),
    (u32, 32, False),
    (u64, 64, False),
    (u128, 128, False),
]
INTEGERS += [(i8, 8, True), (i16, 16, True), (i32, 32, True), (i64, 64, True), (i128, 128, True)]

# type, value, its bytes in a little-endian object
SAMPLES: list[tuple[CType[Any], Any, bytes]] = [
    (u32, 0x01020304, b"\x04\x03\x02\x01"),
    (i16, -2, b"\xfe\xff"),
    (u128, 1 << 64 | 2, b"\x02" + bytes(7) + b"\x01" + bytes(7)),
    (i128, -1, b"\xff" * 16),
    (bool8, True, b"\x01"),
    (f32, 1.5, struct.pack("<f", 1.5)),
    (f64, -0.1, struct.pack("<d", -0.1)),
    (pointer, Address(0xFFFF800000000000), b"\0\0\0\0\0\x80\xff\xff"),
    (char_array(6), CharArray("bash"), b"bash\0\0"),
    (char_array(0), CharArray(), b""),
    (char_array(20), CharArray("x" * 20), b"x" * 20),
    (byte_array(6), b"\0\1\2\0\0\0", b"\0\1\2\0\0\0"),
    (opaque(3), b"\1\0\0", b"\1\0\0"),
    (enum_of(Kind, u32), Kind.LAST, b"\7\0\0\0"),
    (enum_of(Kind, i8), Kind(-3), b"\xfd"),
    (array(u16, 3), (1, 2, 3), b"\1\0\2\0\3\0"),
    (array(u16, 0), (), b""),
    (array(u8, 100), tuple(range(100)), bytes(range(100))),
    (array(array(u8, 2), 3), ((1, 2), (3, 4), (5, 6)), b"\1\2\3\4\5\6"),
    (array(char_array(3), 2), (CharArray("ab"), CharArray("cde")), b"ab\0cde"),
    (array(enum_of(Kind, u8), 70), (Kind.FILE,) * 70, b"\1" * 70),
    (array(Pair, 2), (Pair(1, 2), Pair(3, 4)), b"\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0"),
    (array(Pair, 40), (Pair(1, 2),) * 40, b"\1\0\0\0\2\0\0\0" * 40),
    (struct_of(Pair), Pair(1, 2), b"\1\0\0\0\2\0\0\0"),
]
SAMPLE_IDS = [repr(ctype) for ctype, _, _ in SAMPLES]


@pytest.mark.parametrize(("ctype", "value", "raw"), SAMPLES, ids=SAMPLE_IDS)
def test_value_and_its_bytes(ctype: CType[Any], value: Any, raw: bytes) -> None:
    """Each type decodes its bytes to the value, of the value's very type, and encodes it back."""
    assert ctype.size == len(raw)
    assert ctype.encode(value) == raw
    decoded = ctype.decode(raw)
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize(("ctype", "value", "raw"), SAMPLES, ids=SAMPLE_IDS)
def test_decode_at_offset_of_any_buffer(ctype: CType[Any], value: Any, raw: bytes) -> None:
    """A value is found at an offset in bytes, bytearrays and memoryviews alike."""
    for kind in (bytes, bytearray, memoryview):
        assert ctype.decode(kind(b"???" + raw + b"!"), 3) == value


@pytest.mark.parametrize(("ctype", "value", "raw"), SAMPLES, ids=SAMPLE_IDS)
def test_decode_many(ctype: CType[Any], value: Any, raw: bytes) -> None:
    """A buffer of whole values decodes to all of them."""
    if raw:
        assert ctype.decode_many(raw * 3) == [value] * 3


@pytest.mark.parametrize(("ctype", "value", "raw"), SAMPLES, ids=SAMPLE_IDS)
def test_short_buffer(ctype: CType[Any], value: Any, raw: bytes) -> None:
    """A buffer that ends too early is a ValueError that tells both sizes."""
    if raw:
        with pytest.raises(
            ValueError, match=rf"needs {len(raw)} bytes, the buffer has {len(raw) - 1}"
        ):
            ctype.decode(raw[:-1])


@pytest.mark.parametrize(("ctype", "bits", "signed"), INTEGERS)
@pytest.mark.parametrize("order", ["little", "big"])
def test_integer_limits(ctype: CType[int], bits: int, signed: bool, order: Any) -> None:
    """Integers encode up to their limits in both byte orders; one more is an OverflowError."""
    ctype = be(ctype) if order == "big" else ctype
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    for value in (low, high, low + 1, 1, high // 3):
        raw = value.to_bytes(bits // 8, order, signed=signed)
        assert ctype.encode(value) == raw
        assert ctype.decode(raw) == value
    for value in (low - 1, high + 1, 1 << 200):
        with pytest.raises(OverflowError, match=f"{value} does not fit {ctype.c_name}"):
            ctype.encode(value)


@pytest.mark.parametrize("ctype", [ctype for ctype, _, _ in INTEGERS] + [pointer])
@pytest.mark.parametrize("value", ["1", None, 1.0, b"1"])
def test_integer_refuses_other_types(ctype: CType[Any], value: Any) -> None:
    """What is no integer is a TypeError that shows the value."""
    with pytest.raises(TypeError, match="needs an int"):
        ctype.encode(value)


@pytest.mark.parametrize(
    ("ctype", "value", "error", "message"),
    [
        (f32, 1e39, OverflowError, "does not fit float"),
        (f64, "x", TypeError, "double needs a float"),
        (char_array(4), "12345", ValueError, r"5 bytes do not fit char\[4\]"),
        (char_array(4), "äöü", ValueError, r"6 bytes do not fit char\[4\]"),
        (char_array(4), 5, TypeError, "needs str or bytes"),
        (byte_array(4), b"12345", ValueError, "needs 4 bytes, not 5"),
        (byte_array(4), b"123", ValueError, "needs 4 bytes, not 3"),
        (byte_array(4), "1234", TypeError, "needs bytes"),
        (array(u8, 2), (1, 2, 3), ValueError, r"u8\[2\] needs 2 values, not 3"),
        (array(u8, 2), (1, 256), OverflowError, r"\[1\]: 256 does not fit u8"),
        (array(u8, 2), 5, TypeError, "needs 2 values, not int"),
        (array(u8, 100), (0,) * 99, ValueError, "needs 100 values, not 99"),
        (array(u8, 100), (0,) * 99 + (-1,), OverflowError, r"\[99\]: -1 does not fit"),
        (array(u8, 0), (1,), ValueError, "needs 0 values, not 1"),
        (array(array(u8, 2), 2), ((1, 2), (3, -1)), OverflowError, r"\[1\]: \[1\]: -1"),
        (struct_of(Pair), (1, 2), TypeError, "needs Pair, not tuple"),
        (enum_of(Kind, u8), 256, OverflowError, "256 does not fit enum Kind"),
    ],
)
def test_refusal(ctype: CType[Any], value: Any, error: type[Exception], message: str) -> None:
    """A value that does not fit is refused by a message that says what and where."""
    with pytest.raises(error, match=message):
        ctype.encode(value)


@pytest.mark.parametrize("byte", range(256))
def test_bool_of_any_byte(byte: int) -> None:
    """Any byte but zero is True: C would call it undefined, programs write it anyway."""
    assert bool8.decode(bytes([byte])) is (byte != 0)


def test_enum_encodes_from_int() -> None:
    """An enum encodes from a plain int as well, named or not."""
    assert enum_of(Kind, u16).encode(5) == b"\5\0"  # type: ignore[arg-type]


def test_names() -> None:
    """Types print in C's spelling: the outermost length of an array comes first."""
    assert array(array(u32, 2), 3).c_name == "u32[3][2]"
    assert repr(be(u16)) == "<Scalar u16, big-endian>"


def test_as_ctype_refuses_what_is_no_type() -> None:
    """Neither a CType nor a Struct class is a TypeError."""
    with pytest.raises(TypeError, match="neither a CType nor a Struct"):
        as_ctype(int)
    with pytest.raises(TypeError, match="stored in an integer"):
        enum_of(Kind, array(u8, 1))  # type: ignore[arg-type]


def test_big_endian_reaches_into_arrays() -> None:
    """A big-endian array has big-endian elements, small or large, nested or not."""
    assert be(array(u16, 2)).encode((1, 2)) == b"\0\1\0\2"
    assert be(array(u16, 100)).encode((1,) * 100) == b"\0\1" * 100
    assert be(array(array(u32, 1), 2)).decode(b"\0\0\0\1\0\0\0\2") == ((1,), (2,))
    assert be(enum_of(Kind, u32)).decode(b"\0\0\0\1") is Kind.FILE


def _values(ctype: str) -> st.SearchStrategy[Any]:
    signed = ctype in "bhiq"
    bits = struct.calcsize("<" + ctype) * 8
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high)


@given(st.data())
def test_arrays_equal_struct(data: st.DataObject) -> None:
    """Arrays of any length, flattened or not, encode as `struct` does."""
    code = data.draw(st.sampled_from("BbHhIiQq"))
    ctype = {"B": u8, "b": i8, "H": u16, "h": i16, "I": u32, "i": i32, "Q": u64, "q": i64}[code]
    values = tuple(data.draw(st.lists(_values(code), max_size=80)))
    raw = struct.pack(f"<{len(values)}{code}", *values)
    assert array(ctype, len(values)).encode(values) == raw
    assert array(ctype, len(values)).decode(raw) == values
