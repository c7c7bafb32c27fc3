"""BTF types as values."""

from __future__ import annotations

import copy
import pickle

import pytest
from bpfgen_runtime import btf
from bpfgen_runtime.btf import (
    VOID,
    Const,
    Int,
    Member,
    Ptr,
    Struct,
    Union,
    Volatile,
    is_char,
    kind_name,
)

from tests.support.btfbuilder import ALL_KINDS


def test_every_kind_has_a_class_with_its_number() -> None:
    """The kinds 1 to 19 each have one class, and KIND_NAMES knows it by the kernel's name."""
    assert {t.kind for t in ALL_KINDS} == set(range(1, 20))
    for t in ALL_KINDS:
        assert getattr(btf, f"BTF_KIND_{kind_name(t.kind)}") == t.kind
    assert kind_name(23) == "kind 23"


def test_types_compare_and_hash_by_content() -> None:
    """Equal fields make equal types; another class with the same fields is another type."""
    assert Ptr(1) == Ptr(1) != Ptr(2)
    assert Ptr(1) != Const(1) != Volatile(1)
    assert Struct("s", 4, [Member("a", 1, 0)]) != Union("s", 4, [Member("a", 1, 0)])
    assert len({*ALL_KINDS, *copy.deepcopy(ALL_KINDS)}) == len(set(ALL_KINDS))


@pytest.mark.parametrize("t", ALL_KINDS, ids=repr)
def test_repr_is_the_call_that_makes_the_type(t: btf.BtfType) -> None:
    """repr() shows each field by name, as the constructor takes it."""
    assert eval(repr(t), vars(btf)) == t


@pytest.mark.parametrize("t", ALL_KINDS, ids=repr)
def test_types_pickle(t: btf.BtfType) -> None:
    """Types survive a round trip through pickle."""
    assert pickle.loads(pickle.dumps(t)) == t


def test_types_have_no_dict() -> None:
    """Types use slots: a misspelt attribute is an error."""
    with pytest.raises(AttributeError):
        Int("int", 4).encodign = 1  # type: ignore[attr-defined]


def test_match_statement_takes_fields_by_position() -> None:
    """Types can be taken apart by `match`."""
    match Int("int", 4, encoding=btf.BTF_INT_SIGNED):
        case Int(name, size):
            assert (name, size) == ("int", 4)
        case _:
            pytest.fail("an Int matches Int")


def test_nameless_kinds_have_the_empty_name() -> None:
    """`name` can be read from every type."""
    assert VOID.name == Ptr(1).name == ""


@pytest.mark.parametrize(
    ("encoding", "signed", "boolean"),
    [(0, False, False), (btf.BTF_INT_SIGNED, True, False), (btf.BTF_INT_BOOL, False, True)],
)
def test_int_encoding_bits(encoding: int, signed: bool, boolean: bool) -> None:
    """Signedness and boolness are bits of the encoding."""
    t = Int("x", 1, encoding)
    assert (t.is_signed, t.is_bool) == (signed, boolean)


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (Int("char", 1, btf.BTF_INT_SIGNED), True),
        (Int("char", 1), True),
        (Int("signed char", 1, btf.BTF_INT_SIGNED), False),
        (Int("unsigned char", 1), False),
        (Int("char", 2), False),
        (Ptr(1), False),
    ],
)
def test_only_plain_char_is_text(t: btf.BtfType, expected: bool) -> None:
    """C's `char` is told by its name; its signed and unsigned kin are numbers."""
    assert is_char(t) is expected


def test_kind_flag_follows_the_members() -> None:
    """A struct with a bitfield needs kind_flag, so it is set by default."""
    assert Struct("s", 4, [Member("a", 1, 0, 3)]).kind_flag is True
    assert Struct("s", 4, [Member("a", 1, 0)]).kind_flag is False
