"""Unions, anonymous unions in structs, and bitfields: exact bits, pleasant in Python."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import pickle
import sys
from typing import Any

import pytest
from bpfgen_runtime.values import (
    CharArray,
    Struct,
    Union,
    array,
    bits,
    bool8,
    byte_array,
    char_array,
    dataclass,
    enum_of,
    f32,
    field,
    i8,
    i32,
    i64,
    i128,
    u8,
    u16,
    u32,
    u64,
)
from bpfgen_runtime.values.ctype import Bits
from bpfgen_runtime.values.enums import CEnum
from hypothesis import given
from hypothesis import strategies as st


class Mode(CEnum):
    """An enum."""

    OFF = 0
    ON = 1


@dataclass(frozen=True, slots=True)
class Value(Union):
    """union value, 12 bytes."""

    SIZE = 12
    LAYOUT = (
        ("number", 0, u64),
        ("small", 0, i8),
        ("real", 0, f32),
        ("flag", 0, bool8),
        ("mode", 4, enum_of(Mode, u32)),
        ("text", 0, char_array(12)),
    )
    number: int = field(default=0, kw_only=True)
    small: int = field(default=0, kw_only=True)
    real: float = field(default=0.0, kw_only=True)
    flag: bool = field(default=False, kw_only=True)
    mode: Mode = field(default=Mode(0), kw_only=True)
    text: CharArray = field(default=CharArray(), kw_only=True)


@dataclass(frozen=True, slots=True)
class Address(Struct):
    """An anonymous union, in one branch of which two members stand side by side."""

    SIZE = 32
    UNIONS = ((4, 16),)
    LAYOUT = (
        ("family", 0, u16),
        ("v4", 4, u32),
        ("v6", 4, byte_array(16)),
        ("id", 4, u32),
        ("low", 8, bits(u32, 0, 4)),
        ("high", 8, bits(i32, 4, 28)),
        ("value", 20, Value),
    )
    family: int = 0
    v4: int = field(default=0, kw_only=True)
    v6: bytes = field(default=bytes(16), kw_only=True)
    id: int = field(default=0, kw_only=True)
    low: int = field(default=0, kw_only=True)
    high: int = field(default=0, kw_only=True)
    value: Value = Value()


make_value: Any = Value
make_address: Any = Address

RAW = bytes(range(32))


def test_every_member_reads_the_same_bytes() -> None:
    """Each member of a union is decoded from the union's bytes."""
    value = Value.from_bytes(RAW)
    assert value.number == int.from_bytes(RAW[:8], "little")
    assert value.small == 0
    assert value.mode == 0x07060504
    assert value.text == RAW[:12]
    assert value.to_bytes() == RAW[:12]


@pytest.mark.parametrize(
    ("given", "raw"),
    [
        ({}, bytes(12)),
        ({"number": 1 << 40}, bytes(5) + b"\1" + bytes(6)),
        ({"small": -1}, b"\xff" + bytes(11)),
        ({"flag": True}, b"\1" + bytes(11)),
        ({"mode": Mode.ON}, bytes(4) + b"\1" + bytes(7)),
        ({"text": "text"}, b"text" + bytes(8)),
        ({"small": -1, "mode": Mode.ON}, b"\xff\0\0\0\1" + bytes(7)),  # they share no bits
    ],
)
def test_made_of_one_member(given: dict[str, Any], raw: bytes) -> None:
    """A union is made of one member; the bytes behind it are zero."""
    assert make_value(**given).to_bytes() == raw
    assert Value.from_bytes(raw) == make_value(**given)


@pytest.mark.parametrize(
    ("make", "arguments", "error", "message"),
    [
        (make_value, {"number": 1, "text": "x"}, TypeError, "Value: number and text share bytes"),
        (make_value, {"number": 1, "mode": 1}, TypeError, "number and mode share bytes"),
        (make_value, {"nonsense": 1}, TypeError, "unexpected keyword argument 'nonsense'"),
        (make_value, {"small": 128}, OverflowError, r"Value\.small: 128 does not fit i8"),
        (make_value, {"text": "x" * 13}, ValueError, r"Value\.text: 13 bytes do not fit"),
        (make_value, {"number": "1"}, TypeError, r"Value\.number: u64 needs an int"),
        (make_address, {"v4": 1, "v6": bytes(16)}, TypeError, "v4 and v6 share bytes"),
        (make_address, {"v6": bytes(16), "high": 1}, TypeError, "v6 and high share bytes"),
        (make_address, {"low": 16}, OverflowError, r"Address\.low: 16 does not fit u32:4"),
        (make_address, {"value": Value(number=1), "v4": -1}, OverflowError, r"Address\.v4"),
    ],
)
def test_refusals(
    make: Any, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Two members over the same bits are refused, and what does not fit, by the constructor."""
    with pytest.raises(error, match=message):
        make(**arguments)


def test_members_are_given_by_keyword() -> None:
    """A union takes no positional arguments, a struct only those of its other fields."""
    with pytest.raises(TypeError, match="positional argument"):
        make_value(1)
    assert Address(1, Value(small=2)) == Address(family=1, value=Value(small=2))
    assert Address.__match_args__ == ("family", "value")
    assert Value.__match_args__ == ()


def test_members_side_by_side() -> None:
    """Members of one branch are given together, bitfields of one word, too."""
    made = make_address(id=7, low=15, high=-1)
    assert made.to_bytes()[4:12] == b"\7\0\0\0\xff\xff\xff\xff"
    assert (made.v4, made.low, made.high) == (7, 15, -1)
    assert dataclasses.replace(made, low=0).high == -1


def test_equal_by_bytes() -> None:
    """Unions are equal and hash by their bytes, whatever they were made of."""
    assert Value(text="\1") == Value(number=1) == Value(flag=True)
    assert len({Value(text="\1"), Value(number=1), Value(number=2)}) == 2
    assert Value.from_bytes(b"\2" + bytes(11)) != Value(flag=True)
    assert Value(number=1) != 1
    assert Address(v4=1) == Address.from_bytes(Address(v4=1).to_bytes())


def test_replace_writes_over() -> None:
    """`replace` writes one member over the bytes, and keeps all that it does not cover."""
    value = Value(text="abcdefghijkl")
    assert dataclasses.replace(value) == value
    assert dataclasses.replace(value, small=65).text == b"Abcdefghijkl"
    assert dataclasses.replace(value, number=0).to_bytes() == bytes(8) + b"ijkl"
    address = Address(family=2, v4=0x01020304)
    assert dataclasses.replace(address, family=3).v4 == 0x01020304
    assert dataclasses.replace(address, v6=bytes(16)).v4 == 0
    assert dataclasses.replace(address, v4=5).v6 == b"\5" + bytes(15)
    with pytest.raises(TypeError, match="v4 and v6 share bytes"):
        dataclasses.replace(address, v4=1, v6=b"\2" * 16)
    if sys.version_info >= (3, 13):
        assert copy.replace(address, v4=5) == dataclasses.replace(address, v4=5)


def test_replace_beside_odd_bytes() -> None:
    """Bytes that no member would encode to (a bool of 2, a NaN) stay when another is changed."""
    value = Value.from_bytes(b"\2\0\xc0\x7f" + bytes(8))
    assert math.isnan(value.real)
    assert value.flag is True
    assert dataclasses.replace(value, mode=Mode.ON).to_bytes() == b"\2\0\xc0\x7f\1" + bytes(7)


def test_shown() -> None:
    """All members are shown, `|` between those that share bytes."""
    assert repr(Address(v4=1)) == (
        "Address(family=0, v4=1 | v6=b'\\x01" + "\\x00" * 15 + "' | id=1, low=0, high=0, "
        "value=Value(number=0 | small=0 | real=0.0 | flag=False, mode=<Mode.OFF: 0> | text=b''))"
    )


def test_as_dataclasses() -> None:
    """`fields`, `asdict` and `astuple` have the members, and nothing else."""
    assert dataclasses.is_dataclass(Value)
    names = [each.name for each in dataclasses.fields(Address)]
    assert names == ["family", "v4", "v6", "id", "low", "high", "value"]
    assert dataclasses.asdict(Value(small=1)) == {
        "number": 1,
        "small": 1,
        "real": math.ldexp(1, -149),
        "flag": True,
        "mode": Mode.OFF,
        "text": b"\1",
    }
    assert dataclasses.asdict(Address(v4=1))["value"]["number"] == 0
    assert dataclasses.astuple(Address(v4=1))[1] == 1
    parameters = inspect.signature(Address).parameters
    assert list(parameters)[:2] == ["family", "value"]
    assert parameters["v4"].kind is inspect.Parameter.KEYWORD_ONLY


def test_frozen() -> None:
    """Members cannot be assigned, on the union or on the struct around it."""
    for instance, name in ((Value(), "number"), (Address(), "v4"), (Address(), "family")):
        with pytest.raises(dataclasses.FrozenInstanceError, match=name):
            setattr(instance, name, 1)
    assert not hasattr(Value(), "__dict__")


def test_copies() -> None:
    """Copies and pickles have the same bytes."""
    address = Address.from_bytes(RAW)
    for again in (
        copy.copy(address),
        copy.deepcopy(address),
        *(pickle.loads(pickle.dumps(address, each)) for each in range(pickle.HIGHEST_PROTOCOL + 1)),
    ):
        assert again == address
        assert again.to_bytes() == address.to_bytes()
        assert type(again) is Address


def test_match() -> None:
    """Members match by name."""
    match Address(family=2, v4=7):
        case Address(family=2, v4=found):
            assert found == 7
        case _:
            pytest.fail("no match")


def test_subclass() -> None:
    """A subclass of a union keeps its members, and may have methods."""

    class Named(Value):
        def double(self) -> int:
            return 2 * self.number

    assert Named(number=4).double() == 8
    assert Named.from_bytes(bytes(12)).double() == 0
    assert type(dataclasses.replace(Named(number=4), small=1)) is Named


def test_arrays_of_unions() -> None:
    """Unions are elements of arrays like structs."""
    ctype = array(Value, 2)
    assert ctype.decode(Value(number=1).to_bytes() * 2) == (Value(number=1),) * 2
    assert ctype.encode((Value(), Value(small=-1))) == bytes(12) + b"\xff" + bytes(11)


# Bitfields


def struct_class(name: str, size: int, order: str, layout: tuple[Any, ...]) -> Any:
    metaclass: Any = type(Struct)
    namespace = {
        "__module__": __name__,
        "__qualname__": name,
        "SIZE": size,
        "BYTE_ORDER": order,
        "LAYOUT": layout,
        "__annotations__": {entry[0]: "int" for entry in layout},
        **{entry[0]: 0 for entry in layout},
    }
    return metaclass(name, (Struct,), namespace)


@st.composite
def packed_bits(draw: st.DrawFn) -> tuple[list[tuple[int, int, bool]], list[int], str]:
    """Draw bitfields as (first bit, width, signed) one behind the other, values, and an order."""
    at, fields, values = draw(st.integers(0, 9)), [], []
    for _ in range(draw(st.integers(1, 12))):
        width, signed = draw(st.integers(1, 100)), draw(st.booleans())
        fields.append((at, width, signed))
        low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
        values.append(draw(st.one_of(st.just(low), st.just(high), st.integers(low, high))))
        at += width + draw(st.sampled_from([0, 0, 0, 1, 5, 13]))
    return fields, values, draw(st.sampled_from("<>"))


@given(packed_bits())
def test_any_bitfields(drawn: tuple[list[tuple[int, int, bool]], list[int], str]) -> None:
    """Bitfields of any width, sign and place are exactly their bits, in both byte orders.

    Compiled code, single values, and arithmetic on the whole struct as one number agree.
    """
    fields, values, order = drawn
    size = (max(at + width for at, width, _ in fields) + 7) // 8
    layout = tuple(
        (f"f{index}", at // 8, bits(i128 if signed else u64, at % 8, width))
        for index, (at, width, signed) in enumerate(fields)
    )
    cls = struct_class("Any", size, order, layout)
    whole = 0
    for (at, width, _), value in zip(fields, values, strict=True):
        low = at if order == "<" else size * 8 - at - width
        whole |= (value & (1 << width) - 1) << low
    raw = whole.to_bytes(size, "little" if order == "<" else "big")
    assert cls(*values).to_bytes() == raw
    assert cls.from_bytes(raw) == cls(*values)
    assert next(cls.iter_unpack(raw)) == cls(*values)
    for (_, offset, ctype), value in zip(layout, values, strict=True):
        assert ctype.with_order(order).decode(raw, offset) == value
    for index, (_, width, signed) in enumerate(fields):
        too_much = [*values[:index], 1 << width - signed, *values[index + 1 :]]
        with pytest.raises(OverflowError, match=rf"Any\.f{index}: {too_much[index]} does not fit"):
            cls(*too_much).to_bytes()


def test_bitfield_types() -> None:
    """A bitfield has its type's values: bools, enumerators, signed numbers."""
    layout = (
        ("flag", 0, bits(bool8, 0, 1)),
        ("mode", 0, bits(enum_of(Mode, u32), 1, 3)),
        ("number", 0, bits(i64, 4, 4)),
    )
    cls = struct_class("Typed", 1, "<", layout)
    made = cls.from_bytes(b"\xf3")
    assert (made.flag, made.mode, made.number) == (True, Mode.ON, -1)
    assert isinstance(made.flag, bool)
    assert isinstance(made.mode, Mode)
    unknown = cls.from_bytes(b"\x0e")
    assert (unknown.mode, unknown.mode.is_named) == (7, False)
    assert unknown.to_bytes() == b"\x0e"
    assert cls(1, 0, -8).to_bytes() == b"\x81"


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (8, OverflowError, r"One\.f: 8 does not fit u8:3 \(0 to 7\)"),
        (-1, OverflowError, "does not fit u8:3"),
        (1.0, TypeError, "u8:3 needs an int, not float"),
        ("1", TypeError, "u8:3 needs an int, not str"),
        (None, TypeError, "u8:3 needs an int, not NoneType"),
    ],
)
def test_bitfield_refusals(value: Any, error: type[Exception], message: str) -> None:
    """A bitfield that does not fit is refused by a message that names it and its bounds."""
    cls = struct_class("One", 1, "<", (("f", 0, bits(u8, 0, 3)),))
    with pytest.raises(error, match=message):
        cls(value).to_bytes()


def test_bitfields_are_of_integers() -> None:
    """There are no bitfields of text or arrays."""
    with pytest.raises(TypeError, match="a bitfield is of an integer type"):
        Bits(char_array(4), 0, 3)


def test_bitfields_beyond_the_buffer() -> None:
    """A bitfield of which bytes are missing is a ValueError, not a smaller number."""
    with pytest.raises(ValueError, match="needs 2 bytes, the buffer has 1"):
        bits(u16, 4, 9).decode(b"\0")
