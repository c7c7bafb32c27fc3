"""NumPy dtypes of C types: the same bytes at the same places."""

from __future__ import annotations

import sys
from typing import Any

import numpy
import pytest
from bpfgen_runtime.errors import NotSupportedError
from bpfgen_runtime.values import (
    CharArray,
    Struct,
    Union,
    array,
    be,
    bits,
    bool8,
    byte_array,
    char_array,
    dataclass,
    enum_of,
    f32,
    f64,
    field,
    i8,
    i16,
    i64,
    opaque,
    pointer,
    u8,
    u16,
    u32,
    u64,
    u128,
)
from bpfgen_runtime.values.dtype import array_of, dtype_of

from tests.support.maps import Kind


@dataclass(frozen=True, slots=True)
class Point(Struct):
    """Two numbers with padding between and behind them."""

    SIZE = 12
    LAYOUT = (("x", 0, u8), ("y", 4, i16))

    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class Wide(Struct):
    """The same in a big-endian object."""

    SIZE = 8
    BYTE_ORDER = ">"
    LAYOUT = (("x", 0, u16), ("y", 4, u32))

    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class Either(Union):
    """Two members over the same bytes."""

    SIZE = 8
    LAYOUT = (("number", 0, u64), ("text", 0, char_array(8)))

    number: int = field(default=0, kw_only=True)
    text: CharArray = field(default=CharArray(), kw_only=True)


@dataclass(frozen=True, slots=True)
class Everything(Struct):
    """A field of each kind."""

    SIZE = 96
    LAYOUT = (
        ("flag", 0, bool8),
        ("kind", 4, enum_of(Kind, u32)),
        ("name", 8, char_array(5)),
        ("where", 16, pointer),
        ("point", 24, Point),
        ("counts", 36, array(u16, 3)),
        ("grid", 44, array(array(u8, 2), 3)),
        ("low", 50, bits(u32, 0, 3)),
        ("high", 50, bits(u32, 3, 5)),
        ("raw", 51, byte_array(3)),
        ("lock", 56, opaque(4)),
        ("big", 64, u128),
        ("either", 80, Either),
        ("nothing", 88, array(u32, 0)),
    )

    flag: bool = False
    kind: Kind = Kind(0)
    name: CharArray = CharArray()
    where: int = 0
    point: Point = Point()
    counts: tuple[int, ...] = (0,) * 3
    grid: tuple[tuple[int, ...], ...] = ((0, 0),) * 3
    low: int = 0
    high: int = 0
    raw: bytes = bytes(3)
    big: int = 0
    either: Either = Either()
    nothing: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("ctype", "expected"),
    [
        (u8, "u1"),
        (i8, "i1"),
        (u32, "<u4"),
        (i64, "<i8"),
        (be(u32), ">u4"),
        (be(array(u16, 2)), (">u2", (2,))),
        (bool8, "?"),
        (f32, "<f4"),
        (f64, "<f8"),
        (pointer, "<u8"),
        (enum_of(Kind, u16), "<u2"),
        (char_array(16), "S16"),
        (byte_array(6), "V6"),
        (opaque(3), "V3"),
        (u128, "V16"),
        (array(array(u32, 2), 3), ("<u4", (3, 2))),
    ],
)
def test_dtype(ctype: Any, expected: Any) -> None:
    """Each type has the dtype of its bytes."""
    assert dtype_of(ctype) == numpy.dtype(expected)
    assert dtype_of(ctype).itemsize == ctype.size


@pytest.mark.parametrize("cls", [Point, Wide, Either, Everything])
def test_layout_of_structs(cls: type[Struct]) -> None:
    """A struct's dtype has its size, and its fields where C has them; empty ones are left out."""
    dtype = dtype_of(cls)
    assert dtype.itemsize == cls.SIZE
    assert dtype.fields is not None
    places = {name: offset for name, (_, offset, *_) in dtype.fields.items()}
    assert places == {
        name: offset for name, offset, _ in cls.LAYOUT if name not in ("lock", "nothing")
    }


def test_values() -> None:
    """Bytes of structs are read as the same values by both."""
    one = Everything(
        flag=True,
        kind=Kind.B,
        name=CharArray("abc"),
        where=1 << 40,
        point=Point(1, -2),
        counts=(7, 8, 9),
        grid=((1, 2), (3, 4), (5, 6)),
        raw=b"xyz",
        either=Either(number=65),
    )
    row = array_of(Everything.__ctype__, bytearray(one.to_bytes()), (1,), (Everything.SIZE,))[0]
    assert (row["flag"], row["kind"], row["name"], row["where"]) == (True, 2, b"abc", 1 << 40)
    assert row["point"].tolist() == (1, -2)
    assert row["counts"].tolist() == [7, 8, 9]
    assert row["grid"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert row["raw"].tobytes() == b"xyz"
    assert (row["either"]["number"], row["either"]["text"]) == (65, b"A")
    wide = Wide(1, 2)
    [row] = array_of(Wide.__ctype__, bytearray(wide.to_bytes()), (1,), (8,))
    assert row.tolist() == (1, 2)


def test_strides() -> None:
    """Values may lie farther apart than they are long, in several dimensions."""
    data = bytearray(range(32))
    found = array_of(u16, data, (2, 2), (16, 8))
    assert found.tolist() == [[0x0100, 0x0908], [0x1110, 0x1918]]
    found[1, 0] = 5
    assert data[16] == 5  # the same memory


def test_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where NumPy is not installed, the error says how to get it."""
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(NotSupportedError, match=r"pip install bpfgen-runtime\[numpy\]"):
        dtype_of(u32)
