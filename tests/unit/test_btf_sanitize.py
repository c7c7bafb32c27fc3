"""BTF for older kernels: what becomes of each kind, byte for byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from bpfgen_runtime.btf import (
    BTF_INT_SIGNED,
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
)
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.btf.sanitize import features_used, sanitize

INT = Int("int", 4, BTF_INT_SIGNED)

# The types behind `INT`, the feature that a kernel lacks, and what they become.
CASES: dict[str, tuple[Sequence[BtfType], str, Sequence[BtfType]]] = {
    "VAR and DATASEC": (
        [Var("x", 1), Datasec(".data.x", 8, [SecVar(2, 4, 4)])],
        "BTF_DATASEC",
        [Int("x", 1), Struct("_data_x", 8, [Member("x", 2, 32)])],
    ),
    "DATASEC with a question mark": (
        [Var("x", 1), Datasec("?.data?", 4, [SecVar(2, 0, 4)])],
        "BTF_QMARK_DATASEC",
        [Var("x", 1), Datasec("_.data?", 4, [SecVar(2, 0, 4)])],
    ),
    "DATASEC without variables": (
        [Datasec(".rodata", 20), Ptr(2)],
        "BTF_EMPTY_DATASEC",
        [Struct("", 20), Ptr(2)],
    ),
    "DECL_TAG": (
        [Var("x", 1), DeclTag("tag", 2, -1)],
        "BTF_DECL_TAG",
        [Var("x", 1), Int("tag", 1)],
    ),
    "FUNC_PROTO and FUNC": (
        [FuncProto(1, [Param("a", 1), Param("b", 1)]), Func("f", 2, 1)],
        "BTF_FUNC",
        [Enum("", 4, [Enumerator("a", 1), Enumerator("b", 1)]), Typedef("f", 2)],
    ),
    "global FUNC": (
        [FuncProto(1), Func("f", 2, 1), Func("g", 2, 0)],
        "BTF_GLOBAL_FUNC",
        [FuncProto(1), Func("f", 2, 0), Func("g", 2, 0)],
    ),
    "FLOAT": (
        [Float("double", 8), Ptr(2)],
        "BTF_FLOAT",
        [Struct("", 8), Ptr(2)],
    ),
    "TYPE_TAG": (
        [TypeTag("user", 1), Ptr(2)],
        "BTF_TYPE_TAG",
        [Const(1), Ptr(2)],
    ),
    "signed ENUM": (
        [Enum("e", 4, [Enumerator("minus", -1)], signed=True)],
        "BTF_ENUM64",
        [Enum("e", 4, [Enumerator("minus", 0xFFFFFFFF)])],
    ),
    "ENUM64": (
        [Enum64("e", 8, [Enumerator("big", 1 << 40), Enumerator("small", 1)]), Ptr(2)],
        "BTF_ENUM64",
        [
            Union("e", 8, [Member("big", 4, 0), Member("small", 4, 0)]),
            Ptr(2),
            Int("enum64_placeholder", 1),
        ],
    ),
}


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("name", CASES)
def test_kind_becomes(name: str, byte_order: str) -> None:
    """A kind that the kernel lacks becomes one that it has, in the same place; others stay."""
    types, lacking, expected = CASES[name]
    btf = Btf.parse(encode([INT, *types], byte_order=byte_order))
    assert lacking in features_used(btf)
    result = sanitize(btf, {lacking})
    assert [t for _, t in result.types()] == [INT, *expected]
    assert result.byte_order == byte_order
    assert lacking not in features_used(result)
    result.validate()


@pytest.mark.parametrize("name", CASES)
def test_records_keep_their_places(name: str) -> None:
    """Bytes change only inside the records and the names concerned: ids and offsets stay."""
    types, lacking, _ = CASES[name]
    btf = Btf.parse(encode([INT, *types], byte_order="<"))
    result = sanitize(btf, {lacking})
    assert result.records()[1][: len(types) + 1] == btf.records()[1]
    assert len(result.string_section()) >= len(btf.string_section())
    if lacking != "BTF_ENUM64":
        assert len(result.to_bytes()) == len(btf.to_bytes())


def test_bytes_of_a_datasec() -> None:
    """A DATASEC as a struct: name, kind and vlen, size; of each member name, type, bit offset."""
    btf = Btf.parse(encode([INT, Var("x", 1), Datasec(".bss", 4, [SecVar(2, 0, 4)])]))
    result = sanitize(btf, {"BTF_DATASEC"})
    words, starts = result.records()
    name = {text: result.string_offsets(text)[-1] for text in ("x", "_bss")}
    assert list(words[starts[1] :]) == [
        *(name["x"], 1 << 24, 1, 8),
        *(name["_bss"], 4 << 24 | 1, 4),
        *(name["x"], 2, 0),
    ]


def test_nothing_lacking_changes_nothing() -> None:
    """For a kernel that lacks nothing the bytes are the same."""
    types = [t for case in CASES.values() for t in case[0] if isinstance(t, (Float, TypeTag))]
    btf = Btf.parse(encode([INT, *types]))
    assert sanitize(btf, set()).to_bytes() == btf.to_bytes()


def test_only_what_is_used_is_asked_for() -> None:
    """BTF of plain types needs nothing but BTF: no probe runs for kinds that are not there."""
    assert features_used(Btf.parse(encode([INT, Struct("s", 4, [Member("a", 1, 0)])]))) == {"BTF"}
    assert features_used(Btf.parse(encode([INT, Enum("e", 4, [Enumerator("a", 1)])]))) == {"BTF"}


def test_layout_is_taken_out() -> None:
    """A layout section goes, and the strings move up behind the types."""
    plain = encode([INT], byte_order="<")
    _, type_len, _, str_len = struct.unpack_from("<4I", plain, 8)
    layout = struct.pack("<BBHBBH", 0, 0, 0, 4, 0, 0)
    header = plain[:4] + struct.pack(
        "<7I", 32, 0, type_len, type_len + len(layout), str_len, type_len, len(layout)
    )
    btf = Btf.parse(header + plain[24 : 24 + type_len] + layout + plain[24 + type_len :])
    assert "BTF_LAYOUT" in features_used(btf)
    result = sanitize(btf, {"BTF_LAYOUT"})
    expected = plain[:4] + struct.pack("<7I", 32, 0, type_len, type_len, str_len, 0, 0)
    assert result.to_bytes() == expected + plain[24:]
    assert result.type(1) == INT
