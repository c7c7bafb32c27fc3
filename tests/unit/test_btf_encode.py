"""BTF from values: what is written, what is refused, and corrections in place."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import (
    BTF_FUNC_GLOBAL,
    Array,
    Btf,
    BtfType,
    Const,
    Datasec,
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
    Restrict,
    SecVar,
    StringTable,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    Void,
    Volatile,
    encode,
)
from bpfgen_runtime.errors import NotSupportedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.btfbuilder import ALL_KINDS, info, raw_btf

LAST = 12  # types of a random BTF; ids refer to them or to void
U32 = st.integers(0, 0xFFFFFFFF)
U8 = st.integers(0, 255)
IDS = st.integers(0, LAST)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6)


def enumerators(low: int, high: int) -> st.SearchStrategy[list[Enumerator]]:
    return st.lists(st.builds(Enumerator, NAMES, st.integers(low, high)), max_size=4)


def enums(cls: type[Enum], bits: int) -> st.SearchStrategy[BtfType]:
    return st.booleans().flatmap(
        lambda signed: st.builds(
            cls,
            NAMES,
            U32,
            enumerators(-(1 << bits - 1) if signed else 0, (1 << bits - signed) - 1),
            st.just(signed),
        )
    )


def composites(cls: type[Struct]) -> st.SearchStrategy[BtfType]:
    plain = st.lists(st.builds(Member, NAMES, IDS, U32), max_size=4)
    packed = st.lists(st.builds(Member, NAMES, IDS, st.integers(0, 0xFFFFFF), U8), max_size=4)
    return st.one_of(
        st.builds(cls, NAMES, U32, plain, st.just(False)),
        st.builds(cls, NAMES, U32, packed, st.just(True)),
    )


TYPES: st.SearchStrategy[BtfType] = st.one_of(
    st.builds(Int, NAMES, U32, st.integers(0, 15), U8, U8),
    *(st.builds(cls, IDS) for cls in (Ptr, Volatile, Const, Restrict)),
    st.builds(Array, IDS, IDS, U32),
    composites(Struct),
    composites(Union),
    enums(Enum, 32),
    enums(Enum64, 64),
    st.builds(Fwd, NAMES, st.booleans()),
    st.builds(Typedef, NAMES, IDS),
    st.builds(TypeTag, NAMES, IDS, st.booleans()),
    st.builds(Func, NAMES, IDS, st.integers(0, 2)),
    st.builds(FuncProto, IDS, st.lists(st.builds(Param, NAMES, IDS), max_size=4)),
    st.builds(Var, NAMES, IDS, U32),
    st.builds(Datasec, NAMES, U32, st.lists(st.builds(SecVar, IDS, U32, U32), max_size=4)),
    st.builds(Float, NAMES, U32),
    st.builds(DeclTag, NAMES, IDS, st.integers(-1, 0xFFFF), st.booleans()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TYPES, min_size=LAST, max_size=LAST), st.sampled_from("<>"))
def test_parse_undoes_encode(types: list[BtfType], order: str) -> None:
    """Any types survive encoding and parsing, and the same types give the same bytes."""
    data = encode(types, byte_order=order)
    parsed = Btf.parse(data)
    assert [t for _, t in parsed.types()] == types
    assert parsed.to_bytes() == data == encode(parsed)
    assert encode((t for _, t in parsed.types()), byte_order=order) == data
    other = "<" if order == ">" else ">"
    swapped = encode(parsed, byte_order=other)
    assert swapped == encode(types, byte_order=other)
    for type_id, t in parsed.types():
        assert parsed.kind(type_id) == t.kind
        assert parsed.name(type_id) == t.name
        if t.name:
            assert type_id in parsed.find(t.name)
            assert type_id in parsed.find(t.name, t.kind)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(TYPES, min_size=LAST, max_size=LAST),
    st.lists(TYPES, max_size=LAST),
    st.sampled_from("<>"),
)
def test_split_btf_parses_back(below: list[BtfType], above: list[BtfType], order: str) -> None:
    """Types on top of a base survive too, with ids and names of both."""
    base = Btf.parse(encode(below, byte_order=order))
    split = Btf.parse(encode(above, base=base), base=base)
    assert [t for _, t in split.types()] == above
    assert [split.type(i) for i in range(1, len(split))] == below + above
    for type_id, t in enumerate(below + above, 1):
        if t.name:
            assert type_id in split.find(t.name)


def test_strings_are_written_once() -> None:
    """The string table holds each name once, in the order of first use, after the empty one."""
    data = encode([Int("a", 4), Struct("b", 4, [Member("a", 1, 0)]), Typedef("a", 1)])
    assert data.endswith(b"\0a\0b\0")


def test_the_string_table_refuses_nul() -> None:
    """NUL ends a string, so it cannot be in one."""
    with pytest.raises(ValueError, match="NUL"):
        StringTable().add("a\0b")


@pytest.mark.parametrize(
    ("t", "words"),
    [
        (Int("x", 1 << 32), "cannot encode type"),
        (Int("x", -1), "cannot encode type"),
        (Int("x", 4, encoding=16), "encoding 16"),
        (Int("x", 4, bits=256), "bits 256"),
        (Int("x", 4, offset=256), "offset 256"),
        (Enum("e", 4, [Enumerator("A", -1)]), "A = -1 does not fit 32 bits"),
        (Enum("e", 4, [Enumerator("A", 1 << 31)], signed=True), "does not fit"),
        (Enum64("e", 8, [Enumerator("A", 1 << 64)]), "does not fit 64 bits"),
        (Struct("s", 4, [Member("m", 1, 0, 3)], kind_flag=False), "needs kind_flag"),
        (Struct("s", 4, [Member("m", 1, 1 << 24, 3)]), "bit_offset"),
        (Struct("s", 4, [Member("m", 1, 0, 256)]), "bitfield_size"),
        (Func("f", 1, linkage=1 << 24), "number of elements"),
        (DeclTag("t", 1, component=-2), "cannot encode type"),
        (Typedef("a\0b", 1), "NUL"),
        (Void(), "Void has no encoding"),
    ],
)
def test_what_does_not_fit_is_refused(t: BtfType, words: str) -> None:
    """A value too large for its field is an error that shows the type, never cut off."""
    with pytest.raises(ValueError, match=words) as caught:
        encode([Int("int", 4), t])
    assert "type [2]" in str(caught.value)


class TestReplace:
    """Corrections that a loader makes: same length, same strings."""

    def parsed(self, order: str = "<") -> Btf:
        return Btf.parse(encode(ALL_KINDS, byte_order=order))

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_only_the_named_types_change(self, order: str) -> None:
        """A section's size and offsets, and a linkage, are exchanged; all else is untouched."""
        before = self.parsed(order)
        datasec = Datasec(".bss", 64, [SecVar(15, 16, 4)])
        func = Func("handle", 13, BTF_FUNC_GLOBAL)
        after = before.replace({16: datasec, 14: func})
        expected = list(ALL_KINDS)
        expected[15], expected[13] = datasec, func
        assert [t for _, t in after.types()] == expected
        assert [t for _, t in before.types()] == list(ALL_KINDS)
        assert after.to_bytes() == encode(expected, byte_order=order)

    @pytest.mark.parametrize("type_id", range(1, len(ALL_KINDS) + 1))
    def test_every_kind_can_be_replaced_by_itself(self, type_id: int) -> None:
        """Replacing a type by an equal one changes no byte."""
        parsed = self.parsed()
        assert parsed.replace({type_id: parsed.type(type_id)}).to_bytes() == parsed.to_bytes()

    def test_a_name_keeps_its_own_offset(self) -> None:
        """Where the strings hold a name twice, an unchanged name stays with its copy."""
        data = raw_btf([5, info(1), 4, 32], b"\0int\0int\0")
        parsed = Btf.parse(data)
        assert parsed.replace({1: Int("int", 4, bits=32)}).to_bytes() == data

    def test_the_pointer_size_is_kept(self) -> None:
        """What was assigned to the original holds for the copy."""
        parsed = self.parsed()
        parsed.pointer_size = 4
        assert parsed.replace({}).pointer_size == 4

    def test_a_name_may_be_any_that_the_blob_has(self) -> None:
        """A new name is taken from the strings."""
        after = self.parsed().replace({10: Typedef("point", 1)})
        assert after.type(10) == Typedef("point", 1)
        assert after.find("point") == [5, 10]

    @pytest.mark.parametrize(
        ("type_id", "t", "words"),
        [
            (0, Int("int", 4), "not in this BTF"),
            (25, Int("int", 4), "not in this BTF"),
            (16, Datasec(".bss", 8), "takes 12 bytes, not 24"),
            (10, Typedef("unheard_of", 1), "not among the strings"),
            (10, Int("int", 4), "takes 16 bytes, not 12"),
            (16, Datasec(".bss", -1, [SecVar(15, 0, 4)]), "cannot replace type"),
        ],
    )
    def test_what_would_move_other_types_is_refused(
        self, type_id: int, t: BtfType, words: str
    ) -> None:
        """A longer or shorter record, a new string, or an id that is not here is an error."""
        with pytest.raises(ValueError, match=words):
            self.parsed().replace({type_id: t})


@pytest.mark.parametrize("order", ["<", ">"])
def test_extend(order: str) -> None:
    """New types come behind the old ones, which keep ids, strings, and string offsets."""
    old = Btf.parse(encode(ALL_KINDS, byte_order=order))
    new = (Var("brand_new", 1, 1), Int("int", 8), Var("brand_new", 1, 1), Var("new", 1, 1))
    longer = old.extend(new)
    assert [t for _, t in longer.types()] == [*ALL_KINDS, *new]
    assert longer.string_section().startswith(old.string_section())
    assert longer.string_section()[len(old.string_section()) :] == b"brand_new\0new\0"
    assert longer.find("brand_new") == [len(old), len(old) + 2]
    assert longer.pointer_size == old.pointer_size
    longer.validate()
    assert len(old) == len(ALL_KINDS) + 1


def test_extend_refuses_what_it_cannot_place() -> None:
    """A layout section is not carried along, so such BTF is refused."""
    blob = raw_btf([0, info(1), 4, 32], layout=bytes(8))
    with pytest.raises(NotSupportedError, match="layout"):
        Btf.parse(blob).extend([Var("x", 1)])
