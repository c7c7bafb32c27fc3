"""What relocations of the 13 kinds put into their instructions."""

from __future__ import annotations

from typing import Literal

import pytest
from bpfgen_runtime.btf import (
    Array,
    BtfType,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Fwd,
    Member,
    Ptr,
    Struct,
    Typedef,
)
from bpfgen_runtime.core import Resolver
from bpfgen_runtime.core.value import Resolution
from bpfgen_runtime.errors import BtfError, RelocationError
from bpfgen_runtime.uapi import const as k

from tests.support.coretypes import FIRST, INT, LONG, UCHAR, UINT, ULONG, USHORT, side

A = FIRST
U64 = (1 << 64) - 1

LOCAL: list[BtfType] = [
    Struct("s", 16, [Member("a", UINT, 0), Member("b", A + 1, 32), Member("p", A + 2, 64)]),
    Array(USHORT, INT, 2),
    Ptr(A),
]
TARGET: list[BtfType] = [
    Fwd("unrelated"),
    Struct("s", 64, [Member("p", A + 3, 64), Member("b", A + 2, 128), Member("a", ULONG, 256)]),
    Array(USHORT, INT, 8),
    Ptr(0),
]


def resolve(
    local: list[BtfType],
    target: list[BtfType],
    path: str,
    kind: int,
    order: Literal["<", ">"] = "<",
) -> Resolution:
    return Resolver(side(*local, order=order), side(*target, order=order)).resolve(A, path, kind)


@pytest.mark.parametrize(
    ("path", "kind", "original", "value", "validate"),
    [
        ("0:0", k.BPF_CORE_FIELD_BYTE_OFFSET, 0, 32, True),
        ("0:1", k.BPF_CORE_FIELD_BYTE_OFFSET, 4, 16, True),
        ("0:1:1", k.BPF_CORE_FIELD_BYTE_OFFSET, 6, 18, True),
        ("1:2", k.BPF_CORE_FIELD_BYTE_OFFSET, 24, 72, True),
        ("3", k.BPF_CORE_FIELD_BYTE_OFFSET, 48, 192, True),
        ("0:0", k.BPF_CORE_FIELD_BYTE_SIZE, 4, 8, True),
        ("0:1", k.BPF_CORE_FIELD_BYTE_SIZE, 4, 16, True),
        ("0:1:1", k.BPF_CORE_FIELD_BYTE_SIZE, 2, 2, True),
        ("0:2", k.BPF_CORE_FIELD_BYTE_SIZE, 8, 8, True),
        ("0:2", k.BPF_CORE_FIELD_EXISTS, 1, 1, True),
        ("0:0", k.BPF_CORE_FIELD_SIGNED, 0, 0, True),
        ("0:0", k.BPF_CORE_FIELD_LSHIFT_U64, 32, 0, True),
        ("0:0", k.BPF_CORE_FIELD_RSHIFT_U64, 32, 0, True),
        (
            "0:1",
            k.BPF_CORE_FIELD_LSHIFT_U64,
            32,
            0xFFFFFFC0,
            True,
        ),  # of 16 bytes: 32-bit arithmetic
        ("0", k.BPF_CORE_TYPE_ID_LOCAL, A, A, False),
        ("0", k.BPF_CORE_TYPE_ID_TARGET, A, A + 1, False),
        ("0", k.BPF_CORE_TYPE_EXISTS, 1, 1, True),
        ("0", k.BPF_CORE_TYPE_SIZE, 16, 64, True),
        ("0", k.BPF_CORE_TYPE_MATCHES, 1, 0, True),
    ],
)
def test_kinds(path: str, kind: int, original: int, value: int, validate: bool) -> None:
    """Each kind of field and type relocation, found on the target."""
    result = resolve(LOCAL, TARGET, path, kind)
    assert (result.original, result.value, result.validate) == (original, value, validate)
    assert not result.poison


@pytest.mark.parametrize(
    ("path", "kind", "value", "poison"),
    [
        ("0:0", k.BPF_CORE_FIELD_BYTE_OFFSET, 0, True),
        ("0:0", k.BPF_CORE_FIELD_BYTE_SIZE, 0, True),
        ("0:0", k.BPF_CORE_FIELD_SIGNED, 0, True),
        ("0:0", k.BPF_CORE_FIELD_LSHIFT_U64, 0, True),
        ("0:0", k.BPF_CORE_FIELD_RSHIFT_U64, 0, True),
        ("0:0", k.BPF_CORE_FIELD_EXISTS, 0, False),
        ("0", k.BPF_CORE_TYPE_ID_LOCAL, A, False),
        ("0", k.BPF_CORE_TYPE_ID_TARGET, 0, False),
        ("0", k.BPF_CORE_TYPE_EXISTS, 0, False),
        ("0", k.BPF_CORE_TYPE_MATCHES, 0, False),
        ("0", k.BPF_CORE_TYPE_SIZE, 0, False),
    ],
)
def test_missing(path: str, kind: int, value: int, poison: bool) -> None:
    """Without a type of that name, what asks gets 0 and what reads is poisoned."""
    result = resolve(LOCAL, [], path, kind)
    assert (result.value, result.poison, result.target) == (value, poison, None)


@pytest.mark.parametrize(
    ("local", "target", "value"),
    [
        (Enum("e", 4, [Enumerator("X", 1)]), Enum("e", 4, [Enumerator("X", 9)]), 9),
        (
            Enum("e", 4, [Enumerator("X", -1)], signed=True),
            Enum("e", 4, [Enumerator("X", -5)], signed=True),
            U64 - 4,
        ),
        (
            Enum("e", 4, [Enumerator("X", 1)]),
            Enum("e", 4, [Enumerator("X", 0x80000000)]),
            0xFFFFFFFF80000000,  # as libbpf: the field of struct btf_enum is signed
        ),
        (
            Enum("e", 4, [Enumerator("X", 1)]),
            Enum64("e", 8, [Enumerator("X", 0xFEDCBA9876543210)]),
            0xFEDCBA9876543210,
        ),
        (
            Enum64("e", 8, [Enumerator("X", -(1 << 40))], signed=True),
            Enum64("e", 8, [Enumerator("X", -(1 << 41))], signed=True),
            U64 + 1 - (1 << 41),
        ),
    ],
)
def test_enumerators(local: BtfType, target: BtfType, value: int) -> None:
    """Values of enumerators, of 32 and of 64 bits, are extended as libbpf does."""
    result = resolve([local], [target], "0", k.BPF_CORE_ENUMVAL_VALUE)
    assert (result.value, result.poison) == (value, False)
    assert resolve([local], [target], "0", k.BPF_CORE_ENUMVAL_EXISTS).value == 1


def test_missing_enumerator() -> None:
    """An enumerator that is not there has no value, and its absence can be asked for."""
    local, target = [Enum("e", 4, [Enumerator("X", 1)])], [Enum("e", 4, [Enumerator("Y", 1)])]
    result = resolve(list(local), list(target), "0", k.BPF_CORE_ENUMVAL_VALUE)
    assert (result.original, result.poison, result.type_found) == (1, True, True)
    result = resolve(list(local), list(target), "0", k.BPF_CORE_ENUMVAL_EXISTS)
    assert (result.original, result.value, result.poison) == (1, 0, False)


@pytest.mark.parametrize(
    ("type_id", "offset", "width", "expected"),
    [
        # offset, size, left shift on little endian, on big endian, right shift
        (UINT, 3, 5, (0, 4, 56, 35, 59)),
        (UINT, 35, 5, (4, 4, 56, 35, 59)),
        (UINT, 0, 32, (0, 4, 32, 32, 32)),
        (UCHAR, 6, 2, (0, 1, 56, 62, 62)),
        (UCHAR, 6, 4, (0, 2, 54, 54, 60)),  # two bytes must be loaded
        (UINT, 30, 4, (0, 8, 30, 30, 60)),  # eight
        (ULONG, 40, 20, (0, 8, 4, 40, 44)),
        (UINT, 64, 0, (8, 4, 32, 32, 32)),  # no bitfield
        (USHORT, 16, 0, (2, 2, 48, 48, 48)),
    ],
)
def test_bitfields(type_id: int, offset: int, width: int, expected: tuple[int, ...]) -> None:
    """A bitfield is read with the smallest aligned load that has all of its bits."""
    target: list[BtfType] = [Struct("s", 16, [Member("f", type_id, offset, width)], kind_flag=True)]
    local: list[BtfType] = [Struct("s", 4, [Member("f", UINT, 0, 3)], kind_flag=True)]
    kinds = (
        (k.BPF_CORE_FIELD_BYTE_OFFSET, "<"),
        (k.BPF_CORE_FIELD_BYTE_SIZE, "<"),
        (k.BPF_CORE_FIELD_LSHIFT_U64, "<"),
        (k.BPF_CORE_FIELD_LSHIFT_U64, ">"),
        (k.BPF_CORE_FIELD_RSHIFT_U64, "<"),
    )
    assert (
        tuple(resolve(local, target, "0:0", kind, order).value for kind, order in kinds)  # type: ignore[arg-type]
        == expected
    )
    exact = k.BPF_CORE_FIELD_RSHIFT_U64
    assert [resolve(local, target, "0:0", kind).validate for kind, _ in kinds] == [
        kind == exact for kind, _ in kinds
    ]


@pytest.mark.parametrize(
    ("type_id", "offset", "width", "message"),
    [
        (UINT, 62, 4, "cannot be read with one 8-byte load"),
        (A + 1, 0, 4, "has no bytes"),
    ],
)
def test_bad_bitfields(type_id: int, offset: int, width: int, message: str) -> None:
    """A bitfield that no load covers, or whose type has no size, is an error."""
    types: list[BtfType] = [
        Struct("s", 16, [Member("f", type_id, offset, width)], kind_flag=True),
        Struct("empty", 0, []),
    ]
    with pytest.raises(RelocationError, match=message):
        resolve(types, types, "0:0", k.BPF_CORE_FIELD_BYTE_OFFSET)


@pytest.mark.parametrize(
    ("type_id", "signed"),
    [
        (INT, 1),
        (UINT, 0),
        (A + 1, 1),
        (A + 2, 0),
        (A + 3, 0),
        (A + 4, 1),
    ],
)
def test_signed(type_id: int, signed: int) -> None:
    """Integers and enums are signed or not; all else is not."""
    types: list[BtfType] = [
        Struct("s", 8, [Member("f", type_id, 0)]),
        Enum("negative", 4, [], signed=True),
        Enum("positive", 4, []),
        Ptr(INT),
        Typedef("t", LONG),
    ]
    assert resolve(types, types, "0:0", k.BPF_CORE_FIELD_SIGNED).value == signed


@pytest.mark.parametrize(
    ("local", "target", "sizes", "bad"),
    [
        (UINT, UINT, (4, 4), False),
        (INT, INT, (4, 4), False),
        (UINT, ULONG, (4, 8), False),
        (ULONG, UCHAR, (8, 1), False),
        (INT, LONG, (4, 8), True),
        (INT, ULONG, (4, 8), True),
        (UINT, LONG, (4, 8), True),
        (A + 1, A + 1, (8, 8), False),
        (A + 2, A + 3, (2, 8), True),  # arrays: their elements' sizes
        (A + 2, A + 2, (2, 2), False),
        (A + 4, A + 5, (4, 8), True),  # enums
        (A + 6, A + 7, (4, 8), True),  # floats
    ],
)
def test_sizes_of_loads(local: int, target: int, sizes: tuple[int, int], bad: bool) -> None:
    """A load may change its size for pointers and unsigned integers only."""
    rest: list[BtfType] = [
        Ptr(INT),
        Array(USHORT, INT, 2),
        Array(ULONG, INT, 2),
        Enum("e", 4, []),
        Enum64("e", 8, []),
        Float("f", 4),
        Float("f", 8),
    ]
    result = resolve(
        [Struct("s", 16, [Member("f", local, 0)]), *rest],
        [Struct("s", 16, [Member("f", target, 0)]), *rest],
        "0:0",
        k.BPF_CORE_FIELD_BYTE_OFFSET,
    )
    assert (result.original_size, result.size, result.bad_resize) == (*sizes, bad)


def test_pointers_of_another_size() -> None:
    """On a kernel of 32 bits a load of a pointer becomes one of 4 bytes."""
    types: list[BtfType] = [Struct("s", 16, [Member("p", A + 1, 64)]), Ptr(INT)]
    local, target = side(*types), side(*types)
    target.pointer_size = 4
    result = Resolver(local, target).resolve(A, "0:0", k.BPF_CORE_FIELD_BYTE_OFFSET)
    assert (result.original_size, result.size, result.bad_resize) == (8, 4, False)


def test_bitfield_here_integer_there() -> None:
    """A direct load of what is a bitfield on one side only cannot be right."""
    local: list[BtfType] = [Struct("s", 4, [Member("f", UINT, 0, 3)], kind_flag=True)]
    target: list[BtfType] = [Struct("s", 4, [Member("f", UINT, 0)])]
    assert resolve(local, target, "0:0", k.BPF_CORE_FIELD_BYTE_OFFSET).bad_resize
    assert resolve(target, local, "0:0", k.BPF_CORE_FIELD_BYTE_OFFSET).bad_resize


@pytest.mark.parametrize(
    "kind",
    [k.BPF_CORE_FIELD_SIGNED, k.BPF_CORE_FIELD_LSHIFT_U64, k.BPF_CORE_FIELD_RSHIFT_U64],
)
def test_kinds_that_elements_lack(kind: int) -> None:
    """Sign and shifts of an array's element cannot be asked."""
    with pytest.raises(RelocationError, match="array element struct s::b"):
        resolve(LOCAL, TARGET, "0:1:1", kind)


def test_size_of_what_has_none() -> None:
    """The size of a forward declaration is BTF's error."""
    with pytest.raises(BtfError, match="has no size"):
        resolve([Fwd("f")], [Fwd("f")], "0", k.BPF_CORE_TYPE_SIZE)
