"""Finding local paths and types in another BTF: names, kinds, arrays, anonymous members."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfType,
    Const,
    Enum,
    Enum64,
    Enumerator,
    Float,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Struct,
    Typedef,
    Union,
)
from bpfgen_runtime.core.access import parse_access
from bpfgen_runtime.core.candidates import find_candidates
from bpfgen_runtime.core.compat import fields_compatible, types_compatible, types_match
from bpfgen_runtime.core.match import match_access
from bpfgen_runtime.errors import BtfError, RelocationError
from bpfgen_runtime.uapi import const as k

from tests.support.coretypes import FIRST, INT, LONG, UCHAR, UINT, side

Relation = Callable[[Btf, int, Btf, int], bool]

A, B, C, D, E = range(FIRST, FIRST + 5)
OFFSET = k.BPF_CORE_FIELD_BYTE_OFFSET


def found_at(local: Btf, path: str, target: Btf, kind: int = OFFSET) -> str | None:
    """Match type A's path with type A of the target; the target's path and bit offset."""
    found = match_access(parse_access(local, A, path, kind), target, A)
    return None if found is None else f"{':'.join(map(str, found.raw))} {found.bit_offset}"


PLAIN = side(Struct("s", 8, [Member("a", INT, 0), Member("b", INT, 32)]))
NESTED = side(
    Struct("s", 8, [Member("in", B, 0)]),
    Struct("in", 8, [Member("pad", INT, 0), Member("v", UINT, 32)]),
)
ARRAYS = side(Struct("s", 64, [Member("m", B, 0)]), Array(C, INT, 4), Array(INT, INT, 4))


@pytest.mark.parametrize(
    ("local", "path", "target", "expected"),
    [
        (PLAIN, "0:1", PLAIN, "0:1 32"),
        (PLAIN, "0", PLAIN, "0 0"),
        (PLAIN, "2:1", PLAIN, "2:1 160"),
        # elsewhere, larger, another integer, in a union
        (PLAIN, "0:1", side(Struct("s", 16, [Member("b", LONG, 64)])), "0:0 64"),
        (PLAIN, "2:1", side(Struct("s", 16, [Member("b", LONG, 64)])), "2:0 320"),
        (PLAIN, "0:1", side(Union("s", 8, [Member("a", INT, 0), Member("b", INT, 0)])), "0:1 0"),
        # gone, of another kind, behind a pointer, root of another kind
        (PLAIN, "0:1", side(Struct("s", 4, [Member("a", INT, 0)])), None),
        (PLAIN, "0:1", side(Struct("s", 4, [Member("b___x", INT, 0)])), None),
        (PLAIN, "0:1", side(Struct("s", 4, [Member("b", B, 0)]), Ptr(INT)), None),
        (PLAIN, "0:1", side(Struct("s", 4, [Member("b", B, 0)]), Array(INT, INT, 2)), None),
        (PLAIN, "0:1", side(Enum("s", 4, [Enumerator("b", 0)])), None),
        # behind typedefs and modifiers
        (
            PLAIN,
            "0:1",
            side(Struct("s", 8, [Member("b", B, 32)]), Typedef("t", C), Const(UINT)),
            "0:0 32",
        ),
        # in anonymous members, which may hold it or not
        (
            PLAIN,
            "0:1",
            side(
                Struct("s", 24, [Member("", B, 0), Member("", C, 64)]),
                Struct("", 8, [Member("x", INT, 0), Member("", D, 32)]),
                Union("", 16, [Member("y", LONG, 0), Member("", E, 64)]),
                Struct("", 4, [Member("z", INT, 0)]),
                Struct("", 8, [Member("q", INT, 0), Member("b", INT, 32)]),
            ),
            "0:1:1:1 160",
        ),
        # not in named ones
        (
            PLAIN,
            "0:1",
            side(Struct("s", 8, [Member("in", B, 0)]), Struct("", 8, [Member("b", INT, 0)])),
            None,
        ),
        (NESTED, "0:0:1", NESTED, "0:0:1 32"),
        (NESTED, "0:0:1", PLAIN, None),
        (
            NESTED,
            "0:0:1",
            side(Struct("s", 8, [Member("in", B, 64)]), Union("u", 4, [Member("v", UCHAR, 0)])),
            "0:0:0 64",
        ),
        # arrays: within bounds, in two dimensions, of other element sizes
        (ARRAYS, "0:0:3:2", ARRAYS, "0:0:3:2 448"),
        (
            ARRAYS,
            "0:0:3:2",
            side(Struct("s", 64, [Member("m", B, 0)]), Array(C, INT, 3), Array(INT, INT, 4)),
            None,
        ),
        (
            ARRAYS,
            "0:0:3:2",
            side(Struct("s", 64, [Member("m", B, 0)]), Array(C, INT, 4), Array(LONG, INT, 3)),
            "0:0:3:2 704",
        ),
        (ARRAYS, "0:0:3:2", side(Struct("s", 64, [Member("m", B, 0)]), Array(INT, INT, 9)), None),
        # flexible arrays at the end of a struct know no bounds
        (
            ARRAYS,
            "0:0:3",
            side(Struct("s", 64, [Member("m", B, 64)]), Array(C, INT, 0), Array(INT, INT, 2)),
            "0:0:3 256",
        ),
        (
            ARRAYS,
            "0:0:3",
            side(
                Struct("s", 64, [Member("m", B, 64), Member("after", INT, 64)]),
                Array(C, INT, 0),
                Array(INT, INT, 2),
            ),
            None,
        ),
    ],
)
def test_fields(local: Btf, path: str, target: Btf, expected: str | None) -> None:
    """Named members and array elements are found where the target has them."""
    assert found_at(local, path, target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (side(Enum("e", 4, [Enumerator("X", 5), Enumerator("ONE", 7)])), "1 0"),
        (side(Enum("e", 4, [Enumerator("ONE___2", 7)])), "0 0"),
        (side(Enum64("e", 8, [Enumerator("ONE", 7)])), "0 0"),
        (side(Enum("e", 4, [Enumerator("ONE_", 7)])), None),
        (side(Enum("e", 4, [])), None),
        (side(Typedef("e", B), Enum("", 4, [Enumerator("ONE", 7)])), "0 0"),
        (side(Struct("e", 4, [Member("ONE", INT, 0)])), None),
    ],
)
def test_enumerators(target: Btf, expected: str | None) -> None:
    """Enumerators are found by essential name, in enums of 32 and of 64 bits."""
    local = side(Enum("e", 4, [Enumerator("ONE___mine", 1)]))
    assert found_at(local, "0", target, k.BPF_CORE_ENUMVAL_VALUE) == expected


def proto(result: int, *params: int) -> FuncProto:
    return FuncProto(result, [Param("", one) for one in params])


#: Local types, target types, then: are fields compatible, do types exist, do they match.
PAIRS: list[tuple[list[BtfType], list[BtfType], tuple[bool, bool, bool]]] = [
    ([Typedef("t", INT)], [Typedef("t", INT)], (True, True, True)),
    ([Typedef("t", INT)], [Typedef("t", UINT)], (True, True, False)),  # names differ, sign differs
    ([Int("i", 4)], [Int("i", 8)], (True, True, False)),
    ([Int("i", 4, encoding=1)], [Int("i", 4)], (True, True, False)),
    ([Int("i", 4)], [Int("i", 4, encoding=4)], (True, True, True)),
    ([Int("i", 4, bits=3, offset=1)], [Int("i", 4)], (False, False, True)),
    ([Float("f", 8)], [Float("f", 4)], (True, False, False)),
    ([Fwd("w")], [Fwd("w")], (True, True, True)),
    ([Fwd("w")], [Fwd("w", is_union=True)], (True, True, False)),
    ([Fwd("w")], [Fwd("other")], (False, True, False)),
    ([Struct("s", 0, [])], [Struct("s", 4, [Member("a", INT, 0)])], (True, True, True)),
    ([Struct("s", 0, [])], [Union("s", 0, [])], (True, False, False)),
    ([Struct("s", 0, [])], [Fwd("s")], (False, False, False)),
    ([Struct("s", 4, [Member("a", INT, 0)])], [Struct("s", 0, [])], (True, True, False)),
    (
        [Struct("s", 4, [Member("a", INT, 0)])],
        [Struct("s", 8, [Member("z", INT, 0), Member("a", INT, 32)])],
        (True, True, True),
    ),
    (
        [Struct("s", 4, [Member("a", INT, 0)])],
        [Struct("s", 8, [Member("a", LONG, 0)])],
        (True, True, False),
    ),
    (
        [Struct("s", 4, [Member("", B, 0)]), Union("", 4, [Member("a", INT, 0)])],
        [Struct("s", 4, [Member("", B, 0)]), Union("", 4, [Member("a", INT, 0)])],
        (True, True, True),
    ),
    (
        [Struct("s", 4, [Member("", B, 0)]), Union("", 4, [Member("a", INT, 0)])],
        [Struct("s", 4, [Member("a", INT, 0)])],
        (True, True, False),
    ),
    # behind pointers only name and kind of structs count, and FWD stands for them
    ([Ptr(B), Struct("s", 4, [Member("a", INT, 0)])], [Ptr(B), Struct("s", 0, [])], (True,) * 3),
    ([Ptr(B), Struct("s", 0, [])], [Ptr(B), Fwd("s")], (True, False, True)),
    ([Ptr(B), Union("s", 0, [])], [Ptr(B), Fwd("s")], (True, False, False)),
    ([Ptr(B), Fwd("s")], [Ptr(B), Struct("s", 0, [])], (True, False, True)),
    ([Ptr(B), Fwd("s")], [Ptr(B), Union("s", 0, [])], (True, False, False)),
    ([Ptr(B), Fwd("s", is_union=True)], [Ptr(B), Union("s", 0, [])], (True, False, True)),
    ([Ptr(B), Fwd("s")], [Ptr(B), Fwd("s", is_union=True)], (True, True, False)),
    ([Ptr(B), Fwd("s")], [Ptr(INT)], (True, False, False)),
    ([Ptr(B), Struct("s", 0, [])], [Ptr(B), Struct("t", 0, [])], (True, True, False)),
    ([Ptr(B), Struct("s___1", 0, [])], [Ptr(B), Struct("s", 0, [])], (True, True, True)),
    ([Ptr(0)], [Ptr(0)], (True, True, True)),
    ([Ptr(0)], [Ptr(INT)], (True, False, False)),
    ([Ptr(INT)], [Array(INT, INT, 1)], (False, False, False)),
    # arrays: length counts only for a match
    ([Array(INT, INT, 2)], [Array(INT, INT, 2)], (True, True, True)),
    ([Array(INT, INT, 2)], [Array(INT, INT, 3)], (True, True, False)),
    ([Array(INT, INT, 2)], [Array(B, INT, 2), Ptr(INT)], (False, False, False)),
    # enums: names for fields, size and enumerators for a match
    ([Enum("e", 4, [])], [Enum64("e", 8, [])], (True, True, False)),
    ([Enum("e", 8, [])], [Enum64("e", 8, [])], (True, True, True)),
    ([Enum("e", 4, [])], [Enum("other", 4, [])], (False, True, False)),
    ([Enum("", 4, [])], [Enum("other", 4, [])], (True, True, False)),
    ([Enum("e", 4, [])], [Int("e", 4)], (False, False, False)),
    (
        [Enum("e", 4, [Enumerator("A___1", 1)])],
        [Enum("e", 4, [Enumerator("B", 1), Enumerator("A", 9)])],
        (True, True, True),
    ),
    (
        [Enum("e", 4, [Enumerator("A", 1)])],
        [Enum("e", 4, [Enumerator("B", 1)])],
        (True, True, False),
    ),
    (
        [Enum("e", 4, [Enumerator("A", 1), Enumerator("B", 1)])],
        [Enum("e", 4, [Enumerator("A", 1)])],
        (True, True, False),
    ),
    # signatures
    ([proto(INT, LONG)], [proto(INT, LONG)], (False, True, True)),
    ([proto(INT, LONG)], [proto(INT, UINT)], (False, True, False)),
    ([proto(INT, LONG)], [proto(INT)], (False, False, False)),
    ([proto(INT)], [proto(0)], (False, False, False)),
    ([proto(INT, B), Ptr(A)], [proto(INT, INT)], (False, False, False)),
]


@pytest.mark.parametrize(("local", "target", "expected"), PAIRS)
def test_relations(
    local: list[BtfType], target: list[BtfType], expected: tuple[bool, bool, bool]
) -> None:
    """The three relations between types, by libbpf's rules."""
    ours, theirs = side(*local), side(*target)
    assert (
        fields_compatible(ours, A, theirs, A),
        types_compatible(ours, A, theirs, A),
        types_match(ours, A, theirs, A),
    ) == expected


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([Array(A, INT, 1)], (RelocationError, RelocationError, RelocationError)),
        ([Ptr(A)], (True, RelocationError, RelocationError)),
        ([Typedef("t", A)], (BtfError, BtfError, BtfError)),
        ([proto(A)], (False, RelocationError, RelocationError)),
        ([proto(INT, B), Ptr(A)], (False, RelocationError, RelocationError)),
        ([Struct("s", 4, [Member("a", A, 0)])], (True, True, RelocationError)),
    ],
)
def test_cycles(types: list[BtfType], expected: tuple[bool | type[Exception], ...]) -> None:
    """Types that contain themselves end in an answer or an error, not in a loop."""
    btf = side(*types)
    relations: tuple[Relation, ...] = (fields_compatible, types_compatible, types_match)
    for relation, outcome in zip(relations, expected, strict=True):
        if isinstance(outcome, bool):
            assert relation(btf, A, btf, A) is outcome
        else:
            with pytest.raises(outcome):
                relation(btf, A, btf, A)


@pytest.mark.parametrize("relation", [fields_compatible, types_compatible, types_match])
def test_too_deep(relation: Relation) -> None:
    """More than 32 arrays, one in the other, are taken for a cycle."""
    btf = side(*[Array(A + i + 1, INT, 1) for i in range(40)], Int("end", 4))
    with pytest.raises(RelocationError, match="more than 32 levels deep"):
        relation(btf, A, btf, A)


def test_wide_types_take_no_exponential_time() -> None:
    """Structs of which each has the next one twice are compared once each."""
    depth = 30
    types: list[BtfType] = [
        Struct(f"s{i}", 4, [Member("a", A + i + 1, 0), Member("b", A + i + 1, 0)])
        for i in range(depth)
    ]
    local, target = side(*types, Int("end", 4)), side(*types, Int("end", 4, encoding=1))
    assert not types_match(local, A, target, A)
    assert types_match(local, A, local, A)


def test_anonymous_members_take_no_exponential_time() -> None:
    """Anonymous unions of which each has the next one twice are searched once each."""
    depth = 60
    types: list[BtfType] = [
        Union("s" if not i else "", 4, [Member("", A + i + 1, 0), Member("", A + i + 1, 0)])
        for i in range(depth)
    ]
    target = side(*types, Union("", 4, [Member("x", INT, 0)]))
    assert found_at(PLAIN, "0:1", target) is None


def test_anonymous_cycle() -> None:
    """An anonymous struct that contains itself is more than 64 levels deep."""
    target = side(Struct("s", 4, [Member("", B, 0)]), Struct("", 4, [Member("", B, 0)]))
    with pytest.raises(RelocationError, match="nests more than 64 levels"):
        found_at(PLAIN, "0:1", target)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        (Struct("s", 0, []), [A, A + 3]),
        (Struct("s___mine", 0, []), [A, A + 3]),
        (Struct("s___2___mine", 0, []), []),
        (Union("s", 0, []), [A + 1]),
        (Enum("e", 4, []), [A + 4, A + 5]),
        (Struct("s_", 0, []), [A + 6]),
        (Struct("t", 0, []), []),
    ],
)
def test_candidates(local: BtfType, expected: list[int]) -> None:
    """Candidates have the essential name and the kind; enums of both sizes are one kind."""
    target = side(
        Struct("s", 0, []),
        Union("s", 0, []),
        Struct("xs", 0, []),
        Struct("s___2", 0, []),
        Enum("e", 4, []),
        Enum64("e", 8, []),
        Struct("s_", 0, []),
        Struct("t____4", 0, []),
    )
    assert find_candidates(local, target) == expected
