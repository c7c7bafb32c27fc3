"""Access paths in the object's own BTF: offsets, names, and what is refused."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import Array, Const, Enum, Enumerator, Fwd, Member, Struct, Typedef, Union
from bpfgen_runtime.core.access import parse_access
from bpfgen_runtime.errors import BtfError, RelocationError
from bpfgen_runtime.uapi import const as k

from tests.support.coretypes import FIRST, INT, UINT, ULONG, side

OFFSET = k.BPF_CORE_FIELD_BYTE_OFFSET

FOUR, UNION, POINT, FLEX, FLEX_ARRAY, COLOUR, CONST, ALIAS, FORWARD, LOOP, SELF = range(
    FIRST, FIRST + 11
)
BTF = side(
    Array(POINT, INT, 4),  # FOUR
    Union("", 8, [Member("low", UINT, 0), Member("all", ULONG, 0)]),  # UNION
    Struct("point", 16, [Member("x", INT, 0), Member("", UNION, 64)]),  # POINT
    Struct(
        "flex",
        72,
        [Member("points", FOUR, 0), Member("n", INT, 512), Member("tail", FLEX_ARRAY, 576)],
    ),  # FLEX
    Array(CONST, INT, 0),  # FLEX_ARRAY
    Enum("colour", 4, [Enumerator("RED", 0), Enumerator("GREEN", 1)]),  # COLOUR
    Const(POINT),  # CONST
    Typedef("point_t", CONST),  # ALIAS
    Fwd("nowhere"),  # FORWARD
    Typedef("loop", LOOP),  # LOOP
    Struct("self", 4, [Member("", SELF, 0)]),  # SELF
)


@pytest.mark.parametrize(
    ("root", "path", "bits", "text"),
    [
        (POINT, "0", 0, "struct point (0 @ offset 0)"),
        (POINT, "2", 256, "struct point::[2] (2 @ offset 32)"),
        (POINT, "0:0", 0, "struct point::x (0:0 @ offset 0)"),
        (POINT, "0:1:0", 64, "struct point::low (0:1:0 @ offset 8)"),
        (POINT, "1:1:1", 192, "struct point::[1].all (1:1:1 @ offset 24)"),
        (ALIAS, "0:1:0", 64, "point_t::low (0:1:0 @ offset 8)"),
        (FLEX, "0:0:3", 384, "struct flex::points[3] (0:0:3 @ offset 48)"),
        (FLEX, "0:0:3:1:1", 448, "struct flex::points[3].all (0:0:3:1:1 @ offset 56)"),
        (FLEX, "0:2:9:0", 576 + 9 * 128, "struct flex::tail[9].x (0:2:9:0 @ offset 216)"),
        (INT, "3", 96, "int::[3] (3 @ offset 12)"),
    ],
)
def test_fields(root: int, path: str, bits: int, text: str) -> None:
    """Offsets count from the root; anonymous members are in the path but not in the name."""
    access = parse_access(BTF, root, path, OFFSET)
    assert (access.bit_offset, str(access)) == (bits, text)


def test_types_and_enumerators() -> None:
    """A type has the path "0", an enumerator its index."""
    assert str(parse_access(BTF, ALIAS, "0", k.BPF_CORE_TYPE_SIZE)) == "point_t"
    green = parse_access(BTF, COLOUR, "1", k.BPF_CORE_ENUMVAL_VALUE)
    assert (str(green), green.field) == ("enum colour::GREEN", "GREEN")


@pytest.mark.parametrize(
    ("root", "path", "kind", "message"),
    [
        (POINT, "", OFFSET, "not numbers between colons"),
        (POINT, ":", OFFSET, "not numbers between colons"),
        (POINT, "0:", OFFSET, "not numbers between colons"),
        (POINT, "0::1", OFFSET, "not numbers between colons"),
        (POINT, "-1", OFFSET, "not numbers between colons"),
        (POINT, "0:x", OFFSET, "not numbers between colons"),
        (POINT, "0:²", OFFSET, "not numbers between colons"),
        (POINT, "0:" + "9" * 5000, OFFSET, "too large"),
        (POINT, ":".join(["0"] * 65), OFFSET, "more than 64 numbers"),
        (POINT, "0:2", OFFSET, "has 2 members"),
        (POINT, "0:0:0", OFFSET, "no members and no elements"),
        (FLEX, "0:0:4", OFFSET, "ends before element 4"),
        (POINT, "0", 13, "relocation kind 13 is unknown"),
        (POINT, "1", k.BPF_CORE_TYPE_EXISTS, 'has the path "0"'),
        (POINT, "0:0", k.BPF_CORE_TYPE_SIZE, 'has the path "0"'),
        (COLOUR, "2", k.BPF_CORE_ENUMVAL_VALUE, "no enumerator's index"),
        (COLOUR, "0:0", k.BPF_CORE_ENUMVAL_VALUE, "no enumerator's index"),
        (POINT, "0", k.BPF_CORE_ENUMVAL_EXISTS, "no enumerator's index"),
    ],
)
def test_malformed(root: int, path: str, kind: int, message: str) -> None:
    """A path that leads nowhere is refused, and the message quotes it."""
    with pytest.raises(RelocationError, match=message) as error:
        parse_access(BTF, root, path, kind)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(("root", "path"), [(FORWARD, "0"), (LOOP, "0"), (0, "0"), (999, "0")])
def test_types_without_size(root: int, path: str) -> None:
    """A field of a type that has no size, is a loop, or is not there, is BTF's error."""
    with pytest.raises(BtfError):
        parse_access(BTF, root, path, OFFSET)


def test_struct_within_itself() -> None:
    """A path through a struct that contains itself ends with the path."""
    assert parse_access(BTF, SELF, "0:0:0:0", OFFSET).bit_offset == 0
