"""BTF under other ids, on a distilled base, and back on a full one."""

from __future__ import annotations

import random

import pytest
from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfType,
    Const,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Struct,
    Typedef,
    Union,
    Var,
    dedup,
    encode,
)
from bpfgen_runtime.btf.rebase import distill_base, permute, relocate
from bpfgen_runtime.errors import BtfError

from tests.support.btfbuilder import ALL_KINDS
from tests.support.btfunits import Program, joined

INT = Int("int", 4, 1)
BASE: list[BtfType] = [
    INT,  # 1
    Struct("a", 8, [Member("x", 1, 0), Member("y", 1, 32)]),  # 2
    Ptr(2),  # 3
    Typedef("a_t", 2),  # 4
    Enum64("e", 8, [Enumerator("TOP", 1 << 40)]),  # 5
    Struct("", 4, [Member("z", 1, 0)]),  # 6
    Fwd("f"),  # 7
    Float("double", 8),  # 8
    Struct("unused", 4, [Member("x", 1, 0)]),  # 9
    Union("u", 4, [Member("x", 1, 0)]),  # 10
    FuncProto(1, [Param("u", 10)]),  # 11
]
OWN: list[BtfType] = [
    Struct("own", 40, [Member("p", 3, 0), Member("a", 4, 64), Member("e", 5, 128)]),  # 12
    Array(6, 1, 2),  # 13
    Ptr(7),  # 14
    Ptr(11),  # 15
    Const(8),  # 16
]


def split(own: list[BtfType], base: Btf) -> Btf:
    return Btf.parse(encode(own, base=base), base=base)


def types_of(btf: Btf) -> list[BtfType]:
    return [t for _, t in btf.types()]


def test_permuted_types_refer_to_the_new_ids() -> None:
    """Each type moves to its new id, and what refers to it follows; strings stay where they are."""
    btf = Btf.parse(encode([INT, Ptr(1), Struct("s", 8, [Member("p", 2, 0)])]))
    moved = permute(btf, [3, 1, 2])
    assert types_of(moved) == [Ptr(3), Struct("s", 8, [Member("p", 1, 0)]), INT]
    assert moved.string_section() == btf.string_section()


@pytest.mark.parametrize("order", "<>")
def test_permuting_back_gives_the_same_bytes(order: str) -> None:
    """A permutation and its inverse, of all kinds, in both byte orders, change nothing."""
    btf = Btf.parse(encode(ALL_KINDS, byte_order=order))
    ids = list(range(1, len(btf)))
    random.Random(1).shuffle(ids)
    inverse = [ids.index(number) + 1 for number in range(1, len(btf))]
    assert permute(permute(btf, ids), inverse).to_bytes() == btf.to_bytes()


@pytest.mark.parametrize("ids", [[1], [1, 1], [0, 1], [2, 3], [1, 2, 3]])
def test_what_is_no_permutation_is_refused(ids: list[int]) -> None:
    """The new ids are the old ones in another order."""
    with pytest.raises(ValueError, match="from 1 to 2, each once"):
        permute(Btf.parse(encode([INT, Ptr(1)])), ids)


def test_split_btf_keeps_its_bases_ids() -> None:
    """Only own types are permuted."""
    base = Btf.parse(encode([INT]))
    assert types_of(permute(split([Ptr(1), Const(2)], base), [3, 2])) == [Const(3), Ptr(1)]


def test_a_distilled_base_has_names_kinds_and_sizes() -> None:
    """Named types stay in the base, as shells; what else is used comes behind the own types."""
    base, own = distill_base(split(OWN, Btf.parse(encode(BASE))))
    assert types_of(base) == [
        INT,
        Struct("a", 8),
        Enum("e", 8),
        Fwd("f"),
        Float("double", 8),
        Union("u", 4),
    ]
    assert own.base is base
    assert types_of(own) == [
        Struct("own", 40, [Member("p", 12, 0), Member("a", 13, 64), Member("e", 3, 128)]),  # 7
        Array(14, 1, 2),
        Ptr(4),
        Ptr(15),
        Const(5),
        Ptr(2),  # 12
        Typedef("a_t", 2),  # 13
        Struct("", 4, [Member("z", 1, 0)]),  # 14
        FuncProto(1, [Param("u", 6)]),  # 15
    ]


def test_distilled_btf_goes_back_onto_its_base() -> None:
    """Relocated to where it came from, and deduplicated, it is what it was."""
    full = Btf.parse(encode(BASE))
    before = split(OWN, full)
    _, own = distill_base(before)
    moved, ids = relocate(own, full)
    assert ids[:8] == [0, 1, 2, 5, 7, 8, 10, 12]
    assert dedup(moved).btf.to_bytes() == before.to_bytes()


def test_relocation_finds_types_in_another_base() -> None:
    """In another build types have other ids and contents; a declared struct may be defined."""
    _, own = distill_base(split(OWN, Btf.parse(encode(BASE))))
    other = Btf.parse(
        encode(
            [
                Union("u", 8, [Member("x", 3, 0)]),
                Struct("f", 4),
                INT,
                Enum("e", 8, [Enumerator("A", 1)]),
                Float("double", 8),
                Struct("a", 8, [Member("y", 3, 0)]),
                Int("int", 4),  # unsigned: another one
            ]
        )
    )
    moved, ids = relocate(own, other)
    assert ids[:7] == [0, 3, 6, 4, 2, 5, 1]
    assert types_of(moved)[0] == Struct(
        "own", 40, [Member("p", 13, 0), Member("a", 14, 64), Member("e", 4, 128)]
    )
    moved.validate()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({2: Struct("a", 12)}, "STRUCT 'a' of the distilled base is not there"),
        ({2: Union("a", 8)}, "STRUCT 'a' of the distilled base is not there"),
        ({1: Int("int", 8, 1)}, "INT 'int' of the distilled base is not there"),
        ({8: Float("double", 4)}, "FLOAT 'double' of the distilled base is not there"),
        ({5: Enum("e", 4)}, "ENUM 'e' of the distilled base is not there"),
        ({7: Fwd("f", is_union=True)}, "FWD 'f' of the distilled base is not there"),
        ({9: Struct("a", 8)}, "STRUCT 'a' of the distilled base is there 2 times"),
    ],
)
def test_what_is_not_in_the_base_is_an_error(change: dict[int, BtfType], match: str) -> None:
    """A type that is missing, of another kind or size, or ambiguous, is named."""
    _, own = distill_base(split(OWN, Btf.parse(encode(BASE))))
    other = [change.get(number, t) for number, t in enumerate(BASE, 1)]
    with pytest.raises(BtfError, match=match):
        relocate(own, Btf.parse(encode(other)))


def test_only_contained_structs_must_have_their_size() -> None:
    """A struct that is only pointed at may have grown; of two of a name the size decides."""
    pointing: list[BtfType] = [Ptr(2)]
    base = [INT, Struct("a", 8, [Member("x", 1, 0)])]
    _, own = distill_base(split(pointing, Btf.parse(encode(base))))
    grown = Btf.parse(encode([INT, Struct("a", 16, [Member("x", 1, 0)])]))
    assert types_of(relocate(own, grown)[0]) == [Ptr(2)]
    two = Btf.parse(encode([Struct("a", 16), Struct("a", 8)]))
    assert types_of(relocate(own, two)[0]) == [Ptr(2)]


def test_wrong_use() -> None:
    """BTF without a base, a base's functions, and what is no distilled base, are refused."""
    whole = Btf.parse(encode([INT]))
    with pytest.raises(ValueError, match="only split BTF has a base"):
        distill_base(whole)
    with pytest.raises(ValueError, match="on a distilled base"):
        relocate(whole, whole)
    functions = Btf.parse(encode([FuncProto(0), Func("f", 1), Var("v", 1)]))
    with pytest.raises(BtfError, match="is a FUNC, which nothing"):
        distill_base(split([DeclTag("t", 2)], functions))
    with pytest.raises(BtfError, match="is none of a distilled base"):
        relocate(split([Ptr(2)], Btf.parse(encode([INT, Ptr(1)]))), whole)


def test_random_split_btf_survives() -> None:
    """Distilled, relocated and deduplicated, random BTF says what it said before."""
    for seed in range(60):
        rng = random.Random(seed)
        program = Program(rng, rng.randrange(2, 8))
        base = dedup(joined([program.unit(1.0)])).btf
        named = [i for i, t in base.types() if not isinstance(t, (Func, Var))]
        own: list[BtfType] = [Const(rng.choice(named)) for _ in range(3)]
        before = dedup(split([*own, Struct("x", 4)], base)).btf
        _, distilled = distill_base(before)
        moved, _ = relocate(distilled, base)
        assert dedup(moved).btf.to_bytes() == before.to_bytes(), f"seed {seed}"
