"""Bytes as their C type: as libbpf prints them, and where not, why."""

from __future__ import annotations

import random
import re

import pytest
from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfType,
    Const,
    Datasec,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Ptr,
    SecVar,
    Struct,
    Typedef,
    Union,
    Var,
    encode,
    kernel_btf,
)
from bpfgen_runtime.btf.dump_data import dump_type_data
from bpfgen_runtime.errors import BtfError

from tests.support.libbpf_btf import LibbpfBtf

INT, CHAR, U8 = Int("int", 4, 1), Int("char", 1, 1), Int("unsigned char", 1)
WIDE = Int("__int128", 16, 1)
COLOUR = Enum("colour", 4, [Enumerator("RED", 0), Enumerator("BLUE", 7)])
BIG = Enum64("big", 8, [Enumerator("TOP", 1 << 40)])


def printed(types: list[BtfType], data: str, order: str = "<", **options: object) -> str:
    """Print data (hexadecimal) as the last of some types, on one line by default."""
    btf = Btf.parse(encode(types, byte_order=order))
    chosen: dict[str, object] = {"compact": True, **options}
    return dump_type_data(btf, len(types), bytes.fromhex(data), **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("types", "data", "expected"),
    [
        ([INT], "feffffff", "(int)-2"),
        ([Int("u", 8)], "ff" * 8, "(u)18446744073709551615"),
        ([WIDE], "01" + "00" * 15, "(__int128)0x1"),
        ([WIDE], "00" * 15 + "80", "(__int128)0x8" + "0" * 31),
        ([Int("_Bool", 1, 4)], "01", "(_Bool)1"),
        ([Ptr(0)], "efbeadde00000000", "(void *)0xdeadbeef"),
        ([Ptr(0)], "00" * 8, "(void *)0x0"),
        ([INT, Const(1), Typedef("t", 2)], "05000000", "(t)5"),
        ([INT, Const(1)], "05000000", "(int)5"),
        ([COLOUR], "07000000", "(enum colour)BLUE"),
        ([COLOUR], "08000000", "(enum colour)8"),
        ([Enum("e", 1, [Enumerator("NO", -1)], signed=True)], "ff", "(enum e)NO"),
        ([BIG], "00" * 5 + "010000", "(enum big)TOP"),
        ([BIG], "03" + "00" * 7, "(enum big)3ULL"),
        ([Float("float", 4)], "0000c03f", "(float)1.500000"),
        ([Float("double", 8)], "000000000000f83f", "(double)1.500000"),
        ([Float("long double", 16)], "00000000000000c0ff3f" + "00" * 6, "(long double)1.500000"),
        ([Float("long double", 16)], "00000000000000c0ffbf" + "00" * 6, "(long double)-1.500000"),
        ([Float("long double", 16)], "0000000000000080ff7f" + "00" * 6, "(long double)inf"),
        ([Float("long double", 16)], "ffffffffffffffff0080" + "00" * 6, "(long double)-0.000000"),
        ([INT, Array(1, 1, 2)], "0100000000000000", "(int[2])[1,0,]"),
        ([INT, Array(1, 1, 0)], "", "(int[0])[]"),
        ([CHAR, Array(1, 1, 4)], "61620a00", "(char[4])['a','b',10,'\\0',]"),
        ([CHAR, Array(1, 1, 4)], "61006200", "(char[4])['a','\\0',]"),
        ([CHAR, Array(1, 1, 2)], "6162", "(char[2])['a','b',]"),
        ([U8, Array(1, 1, 4)], "61006200", "(unsigned char[4])[97,0,98,0,]"),
        (
            [INT, Struct("point", 8, [Member("x", 1, 0), Member("y", 1, 32)])],
            "01000000ffffffff",
            "(struct point){.x = (int)1,.y = (int)-1,}",
        ),
        (
            [INT, Struct("point", 8, [Member("x", 1, 0), Member("y", 1, 32)])],
            "0000000003000000",
            "(struct point){.y = (int)3,}",
        ),
        (
            [INT, Struct("s", 4, [Member("low", 1, 0, 3), Member("high", 1, 3, 29)])],
            "0f000000",
            "(struct s){.low = (int)0x7,.high = (int)0x1,}",
        ),
        (
            [COLOUR, Struct("s", 4, [Member("a", 1, 0, 3), Member("b", 1, 3, 3)])],
            "0f000000",
            "(struct s){.a = (enum colour)BLUE,.b = (enum colour)1,}",
        ),
        (
            [INT, Union("", 4, [Member("a", 1, 0)]), Struct("s", 4, [Member("", 2, 0)])],
            "01000000",
            "(struct s){(union){.a = (int)1,},}",
        ),
        (
            [INT, Struct("e", 4, [Member("a", 1, 0)]), Array(2, 1, 2)],
            "0100000000000000",
            "(struct e[2])[{.a = 1,},{.a = 0,},]",
        ),
        (
            [Struct("e", 0), Array(1, 1, 1 << 31)],
            "",
            "(struct e[2147483648])[]",
        ),
        ([INT, Var("v", 1)], "05000000", "int v = (int)5"),
        ([INT, Var("v", 1, 0)], "05000000", "static int v = (int)5"),
        (
            [
                INT,
                Var("v", 1),
                Var("w", 1, 2),
                Datasec(".bss", 8, [SecVar(3, 4, 4), SecVar(2, 0, 4)]),
            ],
            "0500000006000000",
            'SEC(".bss") extern int w = (int)6;int v = (int)5;',
        ),
    ],
)
def test_values(types: list[BtfType], data: str, expected: str) -> None:
    """Each kind is written as C would, with its type before it."""
    assert printed(types, data) == expected


def test_lines_and_levels() -> None:
    """One member to a line, each level further in; zeroes only if asked for."""
    types: list[BtfType] = [
        INT,
        Struct("inner", 8, [Member("a", 1, 0), Member("b", 1, 32)]),
        Struct("outer", 12, [Member("in", 2, 0), Member("c", 1, 64)]),
    ]
    data = "010000000000000000000000"
    assert printed(types, data, compact=False) == (
        "(struct outer){\n\t.in = (struct inner){\n\t\t.a = (int)1,\n\t},\n}"
    )
    assert printed(types, data, compact=False, indent="  ", level=1, emit_zeroes=True) == (
        "  (struct outer){\n    .in = (struct inner){\n      .a = (int)1,\n      .b = (int)0,\n"
        "    },\n    .c = (int)0,\n  }"
    )
    assert printed(types, data, skip_names=True) == "{{1,},}"


def test_strings() -> None:
    """On request an array of char is text, if a NUL ends it."""
    types: list[BtfType] = [CHAR, Array(1, 1, 4)]
    assert printed(types, "61220a00", emit_strings=True) == '(char[4])"a"\\x0a"'
    assert printed(types, "61626364", emit_strings=True) == "(char[4])['a','b','c','d',]"


def test_big_endian() -> None:
    """Data is in the BTF's byte order, bitfields too."""
    types: list[BtfType] = [INT, Struct("s", 4, [Member("a", 1, 0, 3), Member("b", 1, 3, 29)])]
    assert printed(types, "e0000001", order=">") == "(struct s){.a = (int)0x7,.b = (int)0x1,}"
    assert printed([INT], "00000001", order=">") == "(int)1"


@pytest.mark.parametrize(
    ("types", "data", "error", "match"),
    [
        ([INT], "0000", ValueError, "has 4 bytes, there are only 2"),
        ([Fwd("s")], "", BtfError, "has no size"),
        ([FuncProto(0), Func("f", 1)], "", BtfError, "has no size"),
        ([Int("odd", 3)], "000000", BtfError, "3 bytes"),
        ([Float("half", 2)], "0000", BtfError, "2 bytes"),
        ([Struct("s", 4, [Member("s", 1, 0)])], "01" * 4, BtfError, "contains itself"),
        ([INT, Struct("s", 4, [Member("a", 1, 32)])], "01" * 4, BtfError, "no |beyond"),
        ([INT, Var("v", 1), Datasec("d", 4, [SecVar(2, 4, 4)])], "01" * 4, BtfError, "beyond"),
    ],
)
def test_what_cannot_be_printed(
    types: list[BtfType], data: str, error: type[Exception], match: str
) -> None:
    """Too little data is the caller's mistake, an impossible type the BTF's."""
    with pytest.raises(error, match=match):
        printed(types, data, emit_zeroes=True)


def test_text_is_bounded() -> None:
    """Unions within unions that all show the same bytes do not fill the memory."""
    types: list[BtfType] = [
        Union("", 4, [Member("", i + 2, 0), Member("", i + 2, 0)]) for i in range(30)
    ]
    btf = Btf.parse(encode([*types, INT]))
    with pytest.raises(BtfError, match="too often"):
        dump_type_data(btf, 1, b"\1\2\3\4")


def comparable(text: str) -> str:
    """Drop what differs without meaning: spaces, null pointers, commas.

    libbpf forgets the comma and the line's end behind a value that its enum does not name.
    """
    return re.sub(r"[\s,]", "", text.replace("(nil)", "0x0"))


@pytest.mark.needs("libbpf", "btf")
def test_as_libbpf_prints_it() -> None:
    """Random bytes of the kernel's types, with random options, are printed as by libbpf.

    The bytes are neither zero nor printable: in libbpf, a char array before other bytes changes how
    they are shown, and a struct whose first member is zero is left out whole. Version 1.1 also
    takes a bitfield near the end for one beyond it: types that end so are left out.
    """
    btf = kernel_btf()
    rng = random.Random(1)
    quiet = [c for c in range(1, 256) if not 32 <= c < 127]
    compared = refused = 0
    with LibbpfBtf(btf.to_bytes()) as theirs:
        for type_id in rng.sample(range(1, len(btf)), 2000):
            try:
                size = btf.size_of(type_id)
            except BtfError:
                continue
            if size > 3000:
                continue
            data = bytes(rng.choices(quiet, k=size))
            options = {
                "compact": rng.random() < 0.5,
                "skip_names": rng.random() < 0.3,
                "emit_zeroes": rng.random() < 0.5,
                "level": rng.randrange(3),
                "indent": rng.choice(("\t", "  ")),
            }
            ours = dump_type_data(btf, type_id, data, **options)  # type: ignore[arg-type]
            try:
                expected = theirs.dump_data(type_id, data, **options)  # type: ignore[arg-type]
            except ValueError:
                refused += 1
                continue
            if comparable(ours) != comparable(expected) and not options["emit_zeroes"]:
                # Whether an enum's bitfield is zero, it asks of the bits beside it, too.
                options["emit_zeroes"] = True
                ours = dump_type_data(btf, type_id, data, **options)  # type: ignore[arg-type]
                expected = theirs.dump_data(type_id, data, **options)  # type: ignore[arg-type]
            if comparable(ours) != comparable(expected):
                # In an array it goes on in silence.
                assert "}" in expected
                assert len(comparable(expected)) < len(comparable(ours))
                refused += 1
                continue
            compared += 1
    assert compared > 300
    assert refused < compared / 20
