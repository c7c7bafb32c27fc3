"""Deduplication: what is one type, what is not, and the same numbers as libbpf."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from bpfgen_runtime.btf import (
    BTF_FUNC_GLOBAL,
    BTF_FUNC_STATIC,
    Array,
    Btf,
    BtfBuilder,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Deduped,
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
    SecVar,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    dedup,
    encode,
)
from bpfgen_runtime.btf.file import read_btf
from bpfgen_runtime.errors import BtfError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.btfbuilder import ALL_KINDS, info, raw_btf
from tests.support.btfunits import MORE_SORTS, SORTS, Program, joined
from tests.support.clang import SOURCES, compile_bpf
from tests.support.libbpf_btf import LibbpfBtf
from tests.unit.test_btf_encode import LAST, TYPES

INT = Int("int", 4, 1)
A, B = Enumerator("A", 1), Enumerator("B", 2)


def deduped(*types: BtfType, base: Btf | None = None) -> list[BtfType]:
    found = dedup(Btf.parse(encode(types, base=base), base=base))
    return [t for _, t in found.btf.types()]


@pytest.mark.parametrize("t", [t for t in ALL_KINDS if t.kind not in (14, 15)], ids=repr)
def test_each_kind_is_merged(t: BtfType) -> None:
    """A type of any kind that is there twice is there once afterwards, and keeps its content."""
    types = [*ALL_KINDS, t]
    found = dedup(Btf.parse(encode(types)))
    assert [each for _, each in found.btf.types()] == list(ALL_KINDS)
    assert found.ids == [*range(len(ALL_KINDS) + 1), ALL_KINDS.index(t) + 1]


def test_variables_are_never_merged() -> None:
    """VARs and DATASECs that look alike stay two."""
    types = [INT, Var("v", 1), Var("v", 1), *2 * [Datasec(".bss", 4, [SecVar(2, 0, 4)])]]
    assert deduped(*types) == types


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Int("int", 4), Int("int", 4, 1)),
        (Int("int", 4), Int("int", 4, bits=31)),
        (Int("int", 4), Int("unsigned", 4)),
        (Float("f", 4), Float("f", 8)),
        (Struct("s", 4), Struct("s", 8)),
        (Struct("s", 4), Union("s", 4)),
        (Struct("s", 4, [Member("a", 0, 0)]), Struct("s", 4, [Member("b", 0, 0)])),
        (Struct("s", 4, [Member("a", 0, 0)]), Struct("s", 4, [Member("a", 0, 8)])),
        (Struct("s", 4, [Member("a", 0, 0)], False), Struct("s", 4, [Member("a", 0, 0)], True)),
        (Enum("e", 4, [A]), Enum("e", 4, [B])),
        (Enum("e", 4, [A]), Enum("e", 4, [A, B])),
        (Enum("e", 4, [A]), Enum("e", 4, [A], signed=True)),
        (Enum("e", 8, [A]), Enum64("e", 8, [A])),
        (Array(0, 0, 1), Array(0, 0, 2)),
        (FuncProto(0, [Param("a", 0)]), FuncProto(0, [Param("b", 0)])),
        (Func("f", 0, BTF_FUNC_STATIC), Func("f", 0, BTF_FUNC_GLOBAL)),
        (DeclTag("t", 0), DeclTag("t", 0, 1)),
        (DeclTag("t", 0), DeclTag("t", 0, attribute=True)),
        (TypeTag("t", 0), TypeTag("u", 0)),
        (Typedef("t", 0), Typedef("u", 0)),
        (Ptr(0), Const(0)),
        (Fwd("s"), Fwd("s", is_union=True)),
        (Fwd("s"), Fwd("t")),
    ],
)
def test_what_differs_stays(one: BtfType, two: BtfType) -> None:
    """Types that differ in any of their own fields are two."""
    assert deduped(one, two) == [one, two]


def test_what_refers_to_different_types_stays() -> None:
    """Equal words that lead to different types, however far away, are different types."""
    types = [INT, Int("char", 1), Ptr(1), Ptr(2), Const(3), Const(4), Ptr(5), Ptr(6)]
    assert deduped(*types) == types


def cycle(first: int, size: int = 16) -> list[BtfType]:
    """Return a list's head and its pointer: struct node { struct node *next, *prev; }."""
    return [
        Struct("node", size, [Member("next", first + 1, 0), Member("prev", first + 1, 64)]),
        Ptr(first),
    ]


def test_cycles_through_pointers_are_merged() -> None:
    """Structs that lead back to themselves are one if they are alike all the way round."""
    assert deduped(*cycle(1), *cycle(3)) == cycle(1)
    assert deduped(*cycle(1), *cycle(3, size=24)) == [*cycle(1), *cycle(3, size=24)]


def test_an_unrolled_cycle_is_the_cycle() -> None:
    """A cycle of two equal structs says the same as one that refers to itself."""
    pair: list[BtfType] = [
        Struct("node", 8, [Member("next", 2, 0)]),
        Ptr(3),
        Struct("node", 8, [Member("next", 4, 0)]),
        Ptr(1),
    ]
    assert deduped(*pair) == [Struct("node", 8, [Member("next", 2, 0)]), Ptr(1)]


def test_a_declaration_becomes_the_definition() -> None:
    """A FWD goes for the struct or union of its name, and what referred to it is merged."""
    assert deduped(Fwd("s"), Ptr(1), INT, Struct("s", 4, [Member("a", 3, 0)]), Ptr(4)) == [
        Ptr(3),
        INT,
        Struct("s", 4, [Member("a", 2, 0)]),
    ]
    assert deduped(Fwd("s", is_union=True), Union("s", 4)) == [Union("s", 4)]


def test_a_declaration_of_another_kind_stays() -> None:
    """`union s;` is not what `struct s {}` defines; a nameless FWD declares nothing."""
    types: list[BtfType] = [Fwd("s", is_union=True), Struct("s", 4), Fwd(""), Struct("", 4)]
    assert deduped(*types) == types


def test_halves_of_a_cycle_become_one() -> None:
    """Units that each define one struct of a pair, and declare the other, agree in the end."""
    one = [Struct("a", 8, [Member("b", 2, 0)]), Ptr(3), Fwd("b")]
    two = [Struct("b", 8, [Member("a", 5, 0)]), Ptr(6), Fwd("a")]
    three = [
        Struct("a", 8, [Member("b", 8, 0)]),
        Ptr(9),
        Struct("b", 8, [Member("a", 10, 0)]),
        Ptr(7),
    ]
    assert deduped(*one, *two, *three) == [
        Struct("a", 8, [Member("b", 2, 0)]),
        Ptr(3),
        Struct("b", 8, [Member("a", 4, 0)]),
        Ptr(1),
    ]


def holder(name: str, first: int, inner: BtfType, *more: BtfType) -> list[BtfType]:
    """Return struct name { struct inner *p; } and what it points at, from an id on."""
    return [Struct(name, 8, [Member("p", first + 1, 0)]), Ptr(first + 2), inner, *more]


def test_the_types_around_a_declaration_tell_its_definition() -> None:
    """Of two definitions of a name, that is meant which an otherwise equal struct points at."""
    for size, other in ((4, 8), (8, 4)):
        known = holder("a", 1, Struct("x", size))
        assert deduped(*known, Struct("x", other), *holder("a", 5, Fwd("x"))) == [
            *known,
            Struct("x", other),
        ]


def test_without_types_around_it_an_ambiguous_declaration_stays() -> None:
    """A pointer says nothing about which definition of a name is meant, nor does another struct."""
    types = [*holder("a", 1, Struct("x", 4)), Struct("x", 8), *holder("b", 5, Fwd("x"))]
    assert deduped(*types) == types


def test_what_one_struct_tells_holds_for_the_others() -> None:
    """Once a struct tells which definition is meant, the name's other declarations follow it."""
    types = [*holder("a", 1, Struct("x", 4)), Struct("x", 8), *holder("a", 5, Fwd("x"))]
    assert deduped(*types, *holder("b", 8, Fwd("x"))) == [
        *types[:4],
        Struct("b", 8, [Member("p", 2, 0)]),
    ]


def test_each_struct_has_its_own_definition() -> None:
    """Where two structs tell different definitions, each goes for what it equals."""
    known = [*holder("a", 1, Struct("x", 4)), *holder("b", 4, Struct("x", 8))]
    declared = [*holder("a", 7, Fwd("x")), *holder("b", 10, Fwd("x"))]
    assert deduped(*known, *declared) == known
    assert deduped(*holder("a", 1, Fwd("x")), *holder("b", 4, Fwd("x"))) == [
        *holder("a", 1, Fwd("x")),
        Struct("b", 8, [Member("p", 2, 0)]),
    ]


def test_structs_that_each_say_half_become_one() -> None:
    """Two structs of which each declares what the other defines are one that says both."""

    def pair(first: int, x: BtfType, y: BtfType) -> list[BtfType]:
        members = [Member("x", first + 1, 0), Member("y", first + 2, 64)]
        return [Struct("s", 16, members), Ptr(first + 3), Ptr(first + 4), x, y]

    halves = [*pair(1, Fwd("x"), Struct("y", 4)), *pair(6, Struct("x", 4), Fwd("y"))]
    found = deduped(*halves, Struct("x", 8), Struct("y", 8))
    assert [t for t in found if isinstance(t, Fwd)] == []
    assert sorted((t.name, t.size) for t in found if isinstance(t, Struct)) == [
        ("s", 16),
        ("x", 4),
        ("x", 8),
        ("y", 4),
        ("y", 8),
    ]
    assert len(found) == 7


def test_a_typedef_tells_its_definition_too() -> None:
    """A typedef of a declaration goes for the one of a definition, as in newer libbpf."""
    types = [Struct("x", 4), Typedef("t", 1), Struct("x", 8), Fwd("x"), Typedef("t", 4), Ptr(5)]
    assert deduped(*types) == [*types[:3], Ptr(2)]


def test_many_definitions_take_bounded_time() -> None:
    """Structs of one name that all differ, and declare what differs, end within the bound."""
    types: list[BtfType] = []
    for number in range(400):
        inner = Fwd("x") if number % 2 else Struct("x", number)
        types += holder("a", len(types) + 1, Const(len(types) + 4), inner)
        types += holder("y", len(types) + 1, Fwd("y"))
        types.append(Struct("y", number))
    btf = Btf.parse(encode(types))
    found = dedup(btf).btf
    assert not any(isinstance(t, Fwd) and t.name == "x" for _, t in found.types())
    assert dedup(found).btf.to_bytes() == found.to_bytes()


def test_a_declared_enum_becomes_the_enum() -> None:
    """An enum without values is one that is only declared: of whatever size, it is the full one."""
    assert deduped(Enum("e", 4), Ptr(1), Enum64("e", 8, [A]), Ptr(3)) == [
        Ptr(2),
        Enum64("e", 8, [A]),
    ]
    assert deduped(Enum("e", 4), Enum64("e", 8)) == [Enum("e", 4)]
    nameless: list[BtfType] = [Enum("", 4), Enum("", 4, [A])]
    assert deduped(*nameless) == nameless


def test_split_btf_uses_its_base() -> None:
    """Types that the base has are taken from it; the base itself never changes.

    So what it only declares (`t`) is not what is defined on top of it.
    """
    base = Btf.parse(encode([INT, Struct("s", 4, [Member("a", 1, 0)]), Ptr(2), Fwd("t"), Ptr(4)]))
    own = [
        INT,  # 6
        Struct("s", 4, [Member("a", 6, 0)]),  # 7
        Const(7),  # 8
        Fwd("s"),  # 9
        Ptr(9),  # 10
        Fwd("t"),  # 11
        Struct("t", 4, [Member("s", 10, 0)]),  # 12
        Ptr(11),  # 13
    ]
    found = dedup(Btf.parse(encode(own, base=base), base=base))
    assert [t for _, t in found.btf.types()] == [
        Const(2),
        Struct("t", 4, [Member("s", 3, 0)]),
    ]
    assert found.ids == [0, 1, 2, 3, 4, 5, 1, 2, 6, 2, 3, 4, 7, 5]
    assert found.btf.base is base


def test_strings_that_nothing_uses_go() -> None:
    """The strings are those of the types and those to be kept, each once."""
    btf = Btf.parse(raw_btf([9, info(1), 4, 32, 1, info(2), 0], b"\0gone\0me\0int\0int\0kept\0"))
    with_two_names = Btf.parse(
        raw_btf([9, info(1), 4, 32, 13, info(1), 4, 32], b"\0gone\0me\0int\0int\0kept\0")
    )
    found = dedup(with_two_names, keep_strings=[17, 13])
    assert found.btf.string_section() == b"\0int\0kept\0"
    assert found.strings == {0: 0, 9: 1, 13: 1, 17: 5}
    assert len(found.btf) == 2
    assert dedup(btf).btf.string_section() == b"\0int\0gone\0"


@pytest.mark.parametrize("order", "<>")
def test_byte_order_is_kept(order: str) -> None:
    """The result has the byte order of what was given."""
    found = dedup(Btf.parse(encode([*ALL_KINDS, INT], byte_order=order)))
    assert found.btf.to_bytes() == encode(ALL_KINDS, byte_order=order)


@pytest.mark.parametrize("record", [[0, info(2), 5], [0, info(4, 1), 4, 77, 1, 0]])
def test_damaged_btf_is_refused(record: list[int]) -> None:
    """An id or a string that does not exist is a BtfError."""
    with pytest.raises(BtfError):
        dedup(Btf.parse(raw_btf(record)))


def assert_declares(one: BtfType, two: BtfType) -> bool:
    """Tell whether a type only declares a name, and hold it against what it has become."""
    if isinstance(one, Fwd):
        assert two == one or type(two) is (Union if one.is_union else Struct)
        assert two.name == one.name
        return True
    if isinstance(one, Enum) and not one.values:
        assert isinstance(two, Enum)
        assert two.name == one.name
        return True
    return False


def assert_same(old: Btf, found: Deduped) -> None:
    """Every type is what it was, with other ids in it; a declaration may have become a definition.

    So what can be reached from a type is laid out and named as before, however far away it is.
    """
    builder = BtfBuilder(byte_order=old.byte_order)
    for type_id, _ in old.types():
        builder.copy(old, type_id, found.ids)
    expected = Btf.parse(builder.to_bytes())
    for type_id, one in old.types():
        two = found.btf.type(found.ids[type_id])
        assert assert_declares(one, two) or two == expected.type(type_id)


def assert_reaches_same(old: Btf, found: Deduped) -> None:
    """Compare all that can be reached from each type, step by step from both.

    This holds on top of a base as well, where a declaration has a definition on top of the base,
    and in types that are taken from the base still is one.
    """
    seen = set()
    pending = [(type_id, found.ids[type_id]) for type_id in range(1, len(old))]
    while pending:
        pair = pending.pop()
        if pair in seen or not any(pair):
            continue
        seen.add(pair)
        one, two = old.type(pair[0]), found.btf.type(pair[1])
        if assert_declares(one, two):
            continue
        (says, leads), (says_now, leads_now) = parts(one), parts(two)
        assert says == says_now
        pending += zip(leads, leads_now, strict=True)


def parts(t: BtfType) -> tuple[list[object], list[int]]:
    """Take a type apart: what it says itself, and the ids of the types that it leads to."""
    says: list[object] = [getattr(t, "kind", None)]
    leads = []
    for field in t.__match_args__:
        value = getattr(t, field)
        if field in ("type", "index_type"):
            leads.append(value)
        elif field in ("members", "params", "vars"):
            for each in value:
                own, inner = parts(each)
                says.append(own)
                leads += inner
        else:
            says.append(value)
    return says, leads


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TYPES, min_size=LAST, max_size=LAST), st.integers(1, 3))
def test_once_is_enough(types: list[BtfType], copies: int) -> None:
    """The result of deduplication has no duplicates: again, and nothing changes, not a byte.

    Copies of one unit come out as that unit does alone, but for its variables.
    """
    unit = Btf.parse(encode(types))
    whole = joined(copies * [unit])
    assert_same(whole, dedup(whole))
    found = dedup(whole).btf
    assert dedup(found).btf.to_bytes() == found.to_bytes()
    if not any(isinstance(t, (Var, Datasec)) for t in types):
        assert found.to_bytes() == dedup(unit).btf.to_bytes()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 3))
def test_names_mean_what_they_meant(seed: int, variants: int) -> None:
    """What can be reached from each type is laid out and named as before."""
    rng = random.Random(seed)
    program = Program(rng, variants=variants, sorts=MORE_SORTS)
    before = joined([program.unit(rng.random()) for _ in range(rng.randrange(1, 4))])
    found = dedup(before)
    assert_same(before, found)
    assert_reaches_same(before, found)
    assert dedup(found.btf).btf.to_bytes() == found.btf.to_bytes()


def libbpf_count(btf: Btf) -> int:
    with LibbpfBtf(btf.to_bytes()) as theirs:
        theirs.dedup()
        return len(theirs)


@pytest.mark.needs("libbpf")
@pytest.mark.parametrize("sorts", [SORTS, MORE_SORTS])
def test_as_many_types_as_libbpf_of_random_units(sorts: tuple[str, ...]) -> None:
    """Units that declare and define parts of one program come to as many types as with libbpf."""
    for seed in range(200):
        rng = random.Random(seed)
        program = Program(rng, rng.randrange(2, 10), 1, sorts)
        units = [program.unit(rng.choice((0.3, 0.6, 0.9))) for _ in range(rng.randrange(1, 6))]
        whole = joined(units)
        assert len(dedup(whole).btf) == libbpf_count(whole), f"seed {seed}"


@pytest.mark.needs("libbpf")
@pytest.mark.parametrize("sorts", [SORTS, MORE_SORTS])
@pytest.mark.parametrize("variants", [2, 3])
def test_no_more_types_than_libbpf_where_definitions_conflict(
    variants: int, sorts: tuple[str, ...]
) -> None:
    """Units whose definitions differ come to as many types as with libbpf, now and then to fewer.

    Several definitions may fit a declaration, and the choice decides how much else is merged; it is
    libbpf's. Fewer where a second look finds more.
    """
    fewer = 0
    for seed in (*range(150), 3351, 7860, 11544):  # the last three: order of libbpf's table
        rng = random.Random(seed)
        program = Program(rng, rng.randrange(2, 10), variants, sorts)
        shares = (0.3, 0.6, 0.9)
        whole = joined([program.unit(rng.choice(shares)) for _ in range(rng.randrange(1, 6))])
        ours, theirs = len(dedup(whole).btf), libbpf_count(whole)
        assert ours <= theirs, f"seed {seed}"
        fewer += ours < theirs
    assert fewer < 20


def objects(names: Iterable[str]) -> list[Btf]:
    return [read_btf(compile_bpf(name)) for name in names]


@pytest.mark.needs("libbpf", "clang")
def test_as_many_types_as_libbpf_of_compiled_objects() -> None:
    """Compiled objects, one after the other, come to as many types as with libbpf."""
    names = ("core_", "load_", "maps_", "ext_k")
    sources = sorted(path.name.split(".")[0] for path in SOURCES.glob("*.bpf.c"))
    every = objects(name for name in sources if name.startswith(names) and name != "core_made_up")
    assert len(every) > 50
    rng = random.Random(5)
    for count in (1, 2, 3, 8, len(every)):
        whole = joined(rng.sample(every, count))
        found = dedup(whole)
        assert len(found.btf) == libbpf_count(whole)
        found.btf.validate()


@pytest.mark.needs("libbpf", "clang")
def test_as_many_types_as_libbpf_of_split_btf() -> None:
    """An object's BTF on top of another one's, which is its base, likewise."""
    every = objects(("core_direct", "load_maps", "load_tracing", "maps_typed", "ext_ksym_typed"))
    for lower in every:
        for upper in every:
            base = dedup(lower).btf
            builder = BtfBuilder(base)
            builder.merge(upper)
            builder.merge(lower)
            split = builder.build()
            with (
                LibbpfBtf(base.to_bytes()) as their_base,
                LibbpfBtf(split.to_bytes(), their_base) as theirs,
            ):
                theirs.dedup()
                assert len(dedup(split).btf) == len(theirs)


def split_of(seed: int, variants: int, base_defines: float, defines: float) -> tuple[Btf, Btf]:
    """Return a base of two units, and one to three units on top of it."""
    rng = random.Random(seed)
    program = Program(rng, rng.randrange(2, 10), variants)
    base = dedup(joined([program.unit(base_defines) for _ in range(2)])).btf
    builder = BtfBuilder(base)
    for _ in range(rng.randrange(1, 4)):
        builder.merge(program.unit(defines))
    return base, builder.build()


def libbpf_split(base: Btf, split: Btf) -> Btf:
    with (
        LibbpfBtf(base.to_bytes()) as their_base,
        LibbpfBtf(split.to_bytes(), their_base) as theirs,
    ):
        theirs.dedup()
        return Btf.parse(theirs.to_bytes(), base=base)


@pytest.mark.needs("libbpf")
@pytest.mark.parametrize("variants", [1, 2, 3])
@pytest.mark.parametrize("defines", [0.3, 0.6, 1.0])
def test_no_more_types_than_libbpf_of_split_btf(variants: int, defines: float) -> None:
    """Units on top of a base that defines all that it knows come to as many types, or fewer.

    libbpf leaves cycles that it enters at types which the base has not.
    """
    fewer = 0
    for seed in range(80):
        base, split = split_of(seed, variants, 1.0, defines)
        ours, theirs = len(dedup(split).btf), len(libbpf_split(base, split))
        assert ours <= theirs, f"seed {seed}"
        fewer += ours < theirs
    assert fewer < 25


@pytest.mark.needs("libbpf")
def test_a_base_that_only_declares_takes_no_definition() -> None:
    """A struct that points at a definition is not one of a base that points at its declaration.

    libbpf takes it for that once another struct has shown it what the base declares, and then it
    does not lead to the definition any more: fewer types, which say less.
    """
    declared = [*holder("a", 1, Fwd("x")), Struct("b", 8, [Member("p", 2, 0)])]
    base = Btf.parse(encode(declared))
    own = [*holder("a", 5, Struct("x", 4)), Struct("b", 8, [Member("p", 6, 0)]), Var("v", 8)]
    split = Btf.parse(encode(own, base=base), base=base)
    assert [t for _, t in dedup(split).btf.types()] == own
    theirs = [t for _, t in libbpf_split(base, split).types()]
    assert theirs == [*own[:3], Var("v", 4)]
    assert base.type(4) == Struct("b", 8, [Member("p", 2, 0)])


@pytest.mark.parametrize("known", [Struct("x", 4), Fwd("x")])
def test_what_a_base_declares_is_bound_above_it(known: BtfType) -> None:
    """A declaration above a base that declares the name, too, goes for the definition around it."""
    base = Btf.parse(encode([Fwd("x"), Ptr(1)]))
    own = [*holder("s", 3, known), *holder("s", 6, Struct("x", 4) if known.kind == 7 else Fwd("x"))]
    found = dedup(Btf.parse(encode(own, base=base), base=base))
    assert sorted((t.name, t.kind) for _, t in found.btf.types()) == [("", 2), ("s", 4), ("x", 4)]


def test_a_base_keeps_its_declarations() -> None:
    """Whatever a base declares, what is on top of it says all that it said before."""
    for seed in range(100):
        rng = random.Random(seed)
        program = Program(rng, rng.randrange(2, 10), 1, rng.choice((SORTS, MORE_SORTS)))
        base = dedup(joined([program.unit(rng.random()) for _ in range(2)])).btf
        builder = BtfBuilder(base)
        for _ in range(rng.randrange(1, 4)):
            builder.merge(program.unit(rng.random()))
        split = builder.build()
        found = dedup(split)
        assert_reaches_same(split, found)
        again = dedup(found.btf).btf
        assert again.to_bytes() == found.btf.to_bytes()
