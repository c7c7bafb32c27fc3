"""BTF type by type, and out of other BTF."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import (
    Btf,
    BtfBuilder,
    BtfType,
    Const,
    Datasec,
    Int,
    Member,
    Ptr,
    SecVar,
    Struct,
    Typedef,
    Var,
    encode,
)
from bpfgen_runtime.errors import BtfError, NotSupportedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.btfbuilder import ALL_KINDS, info, raw_btf
from tests.unit.test_btf_encode import LAST, TYPES


def types_of(btf: Btf) -> list[BtfType]:
    return [t for _, t in btf.types()]


def test_types_are_numbered_in_their_order() -> None:
    """Types of every kind get the ids from 1 on, and the blob is what `encode` gives."""
    builder = BtfBuilder(byte_order="<")
    assert [builder.add(t) for t in ALL_KINDS] == list(range(1, len(ALL_KINDS) + 1))
    assert len(builder) == len(ALL_KINDS) + 1
    assert types_of(builder.build()) == list(ALL_KINDS)
    assert builder.to_bytes() == encode(ALL_KINDS, byte_order="<")
    assert builder.to_bytes(byte_order=">") == encode(ALL_KINDS, byte_order=">")


def test_strings_are_kept_once() -> None:
    """A string gets the offset that it has already, also when it is asked for by itself."""
    builder = BtfBuilder()
    builder.add(Int("number", 4))
    offset = builder.add_str("number")
    assert builder.add_str("") == 0
    assert builder.build().string(offset) == "number"
    assert builder.build().string_section().count(b"number") == 1


def test_append_moves_ids_by_one_offset() -> None:
    """Each reference in what is appended grows by the number returned; void stays void."""
    builder = BtfBuilder(byte_order="<")
    builder.add(Int("long", 8))
    other = Btf.parse(encode([Ptr(2), Const(0), Typedef("p", 1)], byte_order=">"))
    assert builder.append(other) == 1
    assert types_of(builder.build())[1:] == [Ptr(3), Const(0), Typedef("p", 2)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(TYPES, min_size=LAST, max_size=LAST),
    st.lists(TYPES, min_size=LAST, max_size=LAST),
    st.sampled_from("<>"),
)
def test_appending_keeps_types(one: list[BtfType], two: list[BtfType], order: str) -> None:
    """Appended to nothing a BTF is itself; appended to others it can be read by its offset."""
    first, second = Btf.parse(encode(one)), Btf.parse(encode(two, byte_order=order))
    builder = BtfBuilder()
    assert builder.append(first) == 0
    assert types_of(builder.build()) == one
    offset = builder.append(second)
    built = builder.build()
    assert types_of(built)[: len(one)] == one
    for type_id, t in second.types():
        copy = built.type(type_id + offset)
        assert (copy.kind, copy.name) == (t.kind, t.name)
    assert types_of(BtfBuilder.of(built).build()) == types_of(built)


def test_a_builder_of_a_btf_goes_on_where_it_ended() -> None:
    """`of` keeps ids and string offsets, also of strings that no type uses."""
    before = Btf.parse(raw_btf([1, info(1), 4, 32], b"\0int\0unused\0"))
    builder = BtfBuilder.of(before)
    assert builder.add_str("unused") == 5
    assert builder.add(Ptr(1)) == 2
    after = builder.build()
    assert after.string_section() == before.string_section()
    assert types_of(after) == [Int("int", 4), Ptr(1)]


def test_merge_leaves_out_what_is_known() -> None:
    """Types in `known` are not added, and what referred to them refers to what stands for them."""
    builder = BtfBuilder()
    known = builder.add(Int("int", 4))
    other = Btf.parse(
        encode([Int("int", 4), Var("v", 1), Datasec(".bss", 4, [SecVar(2, 0, 4)]), Ptr(1)])
    )
    assert builder.merge(other, {1: known, 3: 0}) == [0, known, 2, 0, 3]
    assert types_of(builder.build()) == [Int("int", 4), Var("v", 1), Ptr(1)]


def test_replace_takes_another_length() -> None:
    """A type can be replaced by a longer one; those behind it keep their ids."""
    builder = BtfBuilder()
    first = builder.add(Struct("s", 4))
    builder.add(Int("int", 4))
    builder.replace(first, Struct("s", 4, [Member("a", 2, 0)]))
    assert types_of(builder.build()) == [Struct("s", 4, [Member("a", 2, 0)]), Int("int", 4)]
    with pytest.raises(ValueError, match="type id 3 is not in this BTF"):
        builder.replace(3, Ptr(1))


def test_split_btf_continues_its_base() -> None:
    """With a base, ids and strings go on from it; its strings are used again."""
    base = Btf.parse(encode([Int("int", 4)]))
    builder = BtfBuilder(base)
    assert builder.add(Typedef("int", 1)) == 2
    split = builder.build()
    assert split.base is base
    assert split.string_section() == b""
    more = BtfBuilder(base)
    more.add(Ptr(1))
    assert more.append(split) == 1
    assert types_of(more.build()) == [Ptr(1), Typedef("int", 1)]
    with pytest.raises(ValueError, match="the same base"):
        BtfBuilder().append(split)
    with pytest.raises(ValueError, match="byte order of its base"):
        BtfBuilder(base, byte_order=">" if base.byte_order == "<" else "<")


@pytest.mark.parametrize(
    ("record", "match"),
    [
        ([0, info(2), 7], "type id 7, which does not exist, the last is 2"),
        ([0, info(4, 1), 4, 99, 0, 0], "string offset 0x63"),
    ],
)
def test_append_is_all_or_nothing(record: list[int], match: str) -> None:
    """BTF with a damaged type is refused, and leaves the builder as it was."""
    builder = BtfBuilder()
    builder.add(Int("int", 4))
    damaged = Btf.parse(raw_btf([0, info(2), 0, *record]))
    with pytest.raises(BtfError, match=match):
        builder.append(damaged)
    assert types_of(builder.build()) == [Int("int", 4)]


def test_a_newer_kind_is_refused() -> None:
    """What the words of a newer kind mean is not known, so ids in it cannot be moved."""
    layout = b"".join(bytes((0, 0, 0, 0)) for _ in range(20)) + bytes((4, 0, 0, 0))
    newer = Btf.parse(raw_btf([0, info(20), 0, 5], layout=layout))
    with pytest.raises(NotSupportedError, match="kind 20"):
        BtfBuilder().append(newer)


def test_what_cannot_be_encoded_is_named() -> None:
    """A field too large for BTF is refused with the type that has it."""
    with pytest.raises(ValueError, match=r"cannot encode type \[1\] Int\("):
        BtfBuilder().add(Int("int", 1 << 32))
