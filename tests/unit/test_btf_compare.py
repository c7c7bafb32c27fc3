"""Layouts of Python types held against BTF."""

from __future__ import annotations

from typing import Any

import pytest
from bpfgen_runtime.btf import Btf
from bpfgen_runtime.btf.compare import differences
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.btf.types import Array, Float, Int, Member, Ptr, Struct, Typedef, Union
from bpfgen_runtime.values import (
    Address,
    CharArray,
    array,
    bits,
    bool8,
    byte_array,
    char_array,
    dataclass,
    enum_of,
    f64,
    i32,
    opaque,
    pointer,
    u8,
    u16,
    u32,
    u64,
)
from bpfgen_runtime.values import Struct as Value

from tests.support.maps import Kind

U32, U64, I32, CHAR, PTR, TEXT, NUMBERS, DOUBLE, INNER, OUTER, ALIAS, LOCKED, UNION = range(1, 14)
TYPES = (
    Int("unsigned int", 4),  # 1
    Int("unsigned long long", 8),  # 2
    Int("int", 4, encoding=1),  # 3
    Int("char", 1, encoding=1),  # 4
    Ptr(U32),  # 5
    Array(CHAR, U32, 12),  # 6
    Array(U32, U32, 3),  # 7
    Float("double", 8),  # 8
    Struct("inner", 8, [Member("a", U32, 0), Member("from", U32, 32)]),  # 9
    Struct(
        "outer",
        56,
        [
            Member("count", U64, 0),
            Member("inner", INNER, 64),
            Member("text", TEXT, 128),
            Member("low", U32, 224, 3),
            Member("high", U32, 227, 5),
            Member("", UNION, 256),
            Member("where", PTR, 320),
            Member("lock", LOCKED, 384),
        ],
    ),  # 10
    Typedef("inner_t", INNER),  # 11
    Struct("bpf_spin_lock", 4, [Member("val", U32, 0)]),  # 12
    Union("", 8, [Member("v4", U32, 0), Member("v6", U64, 0)]),  # 13
)
BTF = Btf.parse(encode(TYPES, byte_order="<"))


@dataclass(frozen=True, slots=True)
class Inner(Value):
    """struct inner, one of whose members is a keyword of Python."""

    SIZE = 8
    LAYOUT = (("a", 0, u32), ("from_", 4, u32))

    a: int = 0
    from_: int = 0


@dataclass(frozen=True, slots=True)
class Outer(Value):
    """struct outer."""

    SIZE = 56
    LAYOUT = (
        ("count", 0, u64),
        ("inner", 8, Inner),
        ("text", 16, char_array(12)),
        ("low", 28, bits(u32, 0, 3)),
        ("high", 28, bits(u32, 3, 5)),
        ("v4", 32, u32),
        ("v6", 32, u64),
        ("where", 40, pointer),
    )

    count: int = 0
    inner: Inner = Inner()
    text: CharArray = CharArray()
    low: int = 0
    high: int = 0
    v4: int = 0
    v6: int = 0
    where: Address = Address(0)


def changed(base: type[Any], *, size: int | None = None, **places: Any) -> Any:
    """Make a class like another with fields put elsewhere: `name=(offset, type)`, None for none."""
    layout = {name: (offset, ctype) for name, offset, ctype in base.LAYOUT} | places
    fields = tuple((name, *place) for name, place in layout.items() if place is not None)
    body = {"SIZE": base.SIZE if size is None else size, "LAYOUT": fields}
    annotations = dict.fromkeys((name for name, *_ in fields), int)
    defaults = dict.fromkeys(annotations, 0)
    made = type(Value)(
        base.__name__, (Value,), {"__annotations__": annotations, **defaults, **body}
    )
    return made.__ctype__  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ctype", "type_id"),
    [
        (u32, U32),
        (i32, I32),
        (enum_of(Kind, u32), U32),
        (pointer, PTR),
        (u64, PTR),
        (f64, DOUBLE),
        (char_array(12), TEXT),
        (byte_array(12), TEXT),
        (array(u32, 3), NUMBERS),
        (opaque(8), INNER),
        (Inner.__ctype__, ALIAS),
        (Outer.__ctype__, OUTER),
        (u8, CHAR),
        (bool8, CHAR),
    ],
)
def test_alike(ctype: Any, type_id: int) -> None:
    """What the generator makes of a type is like it; locks, bitfields and unions are no trouble."""
    assert differences(ctype, BTF, type_id, "value") == []


@pytest.mark.parametrize(
    ("ctype", "type_id", "expected"),
    [
        (u64, U32, ["value: unsigned int of 4 bytes, expected u64 of 8 bytes"]),
        (u32, I32, ["value: int, expected u32"]),
        (u64, DOUBLE, ["value: double, expected u64"]),
        (array(i32, 3), NUMBERS, ["value[]: unsigned int, expected i32"]),
        (Inner.__ctype__, U64, ["value: unsigned long long, expected Inner of 8 bytes"]),
        (
            changed(Inner, size=12, from_=(8, u32)),
            INNER,
            [
                "value: struct inner of 8 bytes, expected Inner of 12 bytes",
                "value.from_: missing, expected u32 of 4 bytes at offset 8",
                "value.from: unsigned int at offset 4, not expected",
            ],
        ),
        (changed(Inner, a=(4, u32), from_=None), INNER, ["value.a: at offset 0, expected at 4"]),
        (
            changed(Inner, from_=(4, u16)),
            INNER,
            ["value.from_: unsigned int of 4 bytes, expected u16 of 2 bytes"],
        ),
        (
            changed(Outer, inner=(8, changed(Inner, a=(0, i32)))),
            OUTER,
            ["value.inner.a: unsigned int, expected i32"],
        ),
        (
            changed(Outer, text=None),
            OUTER,
            ["value.text: char [12] at offset 16, not expected"],
        ),
    ],
)
def test_different(ctype: Any, type_id: int, expected: list[str]) -> None:
    """Each difference is a line that names the field, what is there, and what was expected."""
    assert differences(ctype, BTF, type_id, "value") == expected
