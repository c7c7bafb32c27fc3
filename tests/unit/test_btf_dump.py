"""BTF as C: what is written, and that compilers lay it out as the BTF says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from bpfgen_runtime.btf import (
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
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    Volatile,
    declarator,
    encode,
    flat,
    kernel_btf,
)
from bpfgen_runtime.btf.dump import dump_c, vmlinux_h
from bpfgen_runtime.btf.file import read_btf
from bpfgen_runtime.btf.listing import dump_raw, type_facts
from bpfgen_runtime.errors import BtfError
from click.testing import CliRunner

from bpfgen.cli import main
from tests.support.btfbuilder import ALL_KINDS
from tests.support.clang import compile_bpf
from tests.support.requirements import tool

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KERNEL = "/sys/kernel/btf/vmlinux"
INT, CHAR, LONG = Int("int", 4, 1), Int("char", 1, 1), Int("long", 8, 1)


def c_of(*types: BtfType, roots: list[int] | None = None) -> str:
    return "".join(dump_c(Btf.parse(encode(types)), roots))


def definitions(text: str) -> list[str]:
    """Cut C into definitions, white space being what formatters differ in."""
    each = [re.sub(r"\s+", " ", one).strip() for one in text.split(";\n\n")]
    return [one for one in each if one]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([INT, Typedef("t", 1)], "typedef int t"),
        ([INT, Ptr(1), Ptr(2), Typedef("t", 3)], "typedef int **t"),
        ([INT, Const(1), Ptr(2), Typedef("t", 3)], "typedef const int *t"),
        ([INT, Ptr(1), Const(2), Typedef("t", 3)], "typedef int * const t"),
        ([INT, Volatile(1), Const(2), Typedef("t", 3)], "typedef volatile const int t"),
        ([CHAR, Ptr(1), Restrict(2), Ptr(3), Typedef("t", 4)], "typedef char * restrict *t"),
        ([INT, Array(1, 1, 3), Array(2, 1, 2), Typedef("t", 3)], "typedef int t[2][3]"),
        ([INT, Ptr(1), Array(2, 1, 2), Typedef("t", 3)], "typedef int *t[2]"),
        ([INT, Array(1, 1, 2), Ptr(2), Typedef("t", 3)], "typedef int (*t)[2]"),
        ([INT, Array(1, 1, 2), Const(2), Typedef("t", 3)], "typedef int t[2]"),
        ([FuncProto(0), Ptr(1), Typedef("t", 2)], "typedef void (*t)(void)"),
        ([FuncProto(0, [Param("", 0)]), Ptr(1), Typedef("t", 2)], "typedef void (*t)(void)"),
        ([FuncProto(0), Typedef("t", 1)], "typedef void t(void)"),
        (
            [INT, FuncProto(1, [Param("a", 1), Param("", 0)]), Ptr(2), Typedef("t", 3)],
            "typedef int (*t)(int a, ...)",
        ),
        (
            [INT, FuncProto(6, [Param("", 3)]), Ptr(4), FuncProto(1), Typedef("t", 2), Ptr(1)],
            "typedef int *t(int (*)(void))",
        ),
        ([INT, FuncProto(1), Ptr(2), Array(3, 1, 4), Typedef("t", 4)], "typedef int (*t[4])(void)"),
        (
            [INT, FuncProto(3), Ptr(4), FuncProto(1), Ptr(2), Typedef("t", 5)],
            "typedef int (*(*t)(void))(void)",
        ),
        (
            [INT, TypeTag("user", 1), Ptr(2), Typedef("t", 3)],
            'typedef int __attribute__((btf_type_tag("user"))) *t',
        ),
        (
            [INT, TypeTag("address_space(1)", 1, attribute=True), Ptr(2), Typedef("t", 3)],
            "typedef int __attribute__((address_space(1))) *t",
        ),
        ([Float("double", 8), Typedef("t", 1)], "typedef double t"),
        (
            [Struct("", 0), Const(1), Ptr(2), Struct("s", 8, [Member("p", 3, 0)])],
            "struct s { const struct {} *p; }",
        ),
        ([Enum("", 4, [Enumerator("A", 1)]), Typedef("t", 1)], "typedef enum { A = 1, } t"),
        ([Enum("", 4, [Enumerator("A", 1)])], "enum { A = 1, }"),
        ([Enum("e", 4, [Enumerator("A", -1)], signed=True)], "enum e { A = -1, }"),
        ([Enum("e", 4, [Enumerator("A", 0xFFFFFFFF)])], "enum e { A = 4294967295, }"),
        ([Enum("e", 1, [Enumerator("A", 1)])], "enum e { A = 1, } __attribute__((mode(byte)))"),
        ([Enum("e", 2, [Enumerator("A", 1)])], "enum e { A = 1, } __attribute__((mode(HI)))"),
        ([Enum("e", 8, [Enumerator("A", 1)])], "enum e { A = 1, } __attribute__((mode(word)))"),
        ([Enum64("e", 8, [Enumerator("A", 1 << 40)])], "enum e { A = 1099511627776ULL, }"),
        (
            [Enum64("e", 8, [Enumerator("A", -1)], signed=True)],
            "enum e { A = -1LL, } __attribute__((mode(word)))",
        ),
        ([Enum("e", 4)], "enum e"),
        ([Fwd("s")], "struct s"),
        ([Fwd("u", is_union=True)], "union u"),
        ([Struct("s", 0)], "struct s {}"),
        ([Struct("s", 4)], "struct s { int: 32; } __attribute__((packed))"),
        (
            [CHAR, INT, Struct("s", 8, [Member("a", 1, 0), Member("b", 2, 32)])],
            "struct s { char a; int b; }",
        ),
        (
            [CHAR, INT, Struct("s", 8, [Member("a", 1, 0), Member("b", 1, 32)])],
            "struct s { char a; int: 24; char b; long: 24; } __attribute__((packed))",
        ),
        (
            [CHAR, INT, Struct("s", 32, [Member("a", 1, 0), Member("b", 2, 32)])],
            "struct s { char a; int: 24; int b; long: 64; long: 64; long: 64; } "
            "__attribute__((packed, aligned(4)))",
        ),
        (
            [INT, LONG, Struct("s", 16, [Member("a", 1, 0), Member("b", 2, 64)])],
            "struct s { int a; long b; }",
        ),
        (
            [Union("u", 4)],
            "union u { int: 32; } __attribute__((packed))",
        ),
        (
            [CHAR, INT, Struct("s", 5, [Member("a", 1, 0), Member("b", 2, 8)])],
            "struct s { char a; int b; } __attribute__((packed))",
        ),
        (
            [INT, Struct("s", 4, [Member("a", 1, 0, 3), Member("b", 1, 8, 5)])],
            "struct s { int a: 3; char: 5; int b: 5; }",
        ),
        (
            [INT, Union("", 4, [Member("a", 1, 0)]), Struct("s", 4, [Member("", 2, 0)])],
            "struct s { union { int a; }; }",
        ),
        (
            [INT, Struct("in", 4, [Member("a", 1, 0)]), Struct("s", 4, [Member("", 2, 0)])],
            "struct s { struct { int a; }; }",
        ),
        (
            [
                INT,
                Union("in", 4, [Member("a", 1, 0)]),
                Const(2),
                Struct("s", 4, [Member("", 3, 0)]),
            ],
            "struct s { union { int a; }; }",
        ),
        (
            [
                INT,
                Struct("", 4, [Member("a", 1, 0)]),
                Typedef("t", 2),
                Struct("s", 4, [Member("", 3, 0)]),
            ],
            "struct s { struct { int a; }; }",
        ),
        (
            [
                CHAR,
                INT,
                Struct("in", 5, [Member("a", 1, 0), Member("b", 2, 8)]),
                Struct("s", 6, [Member("", 3, 0), Member("c", 1, 40)]),
            ],
            "struct s { struct { char a; int b; } __attribute__((packed)); char c; }",
        ),
        (
            [INT, Union("u", 64, [Member("a", 1, 0)])],
            "union u { int a; } __attribute__((aligned(64)))",
        ),
        (
            [INT, CHAR, Array(2, 1, 5), Union("u", 5, [Member("a", 1, 0), Member("b", 3, 0)])],
            "union u { int a; char b[5]; } __attribute__((packed))",
        ),
        ([Int("__Poly8_t", 1), Typedef("t", 1)], "typedef unsigned char __Poly8_t"),
        ([Typedef("__gnuc_va_list", 0)], "typedef __builtin_va_list __gnuc_va_list"),
    ],
)
def test_one_definition(types: list[BtfType], expected: str) -> None:
    """A type is written as C writes it."""
    assert expected in definitions(c_of(*types))


def test_what_is_contained_comes_first() -> None:
    """A struct follows those that it contains, and what it points at is declared before it."""
    text = c_of(
        Struct("outer", 16, [Member("inner", 2, 0), Member("other", 3, 64)]),
        Struct("inner", 8, [Member("back", 4, 0)]),
        Ptr(5),
        Ptr(1),
        Struct("other", 8, [Member("outer", 4, 0)]),
    )
    assert definitions(text) == [
        "struct outer",
        "struct inner { struct outer *back; }",
        "struct other",
        "struct outer { struct inner inner; struct other *other; }",
        "struct other { struct outer *outer; }",
    ]


def test_members_written_in_place_need_what_they_need_themselves() -> None:
    """A named struct without a member's name is not needed, but what its members are is."""
    text = c_of(
        Struct("outer", 16, [Member("", 2, 0)]),
        Struct("named", 16, [Member("value", 3, 0), Member("up", 5, 64)]),
        Typedef("value_t", 4),
        Struct("value", 4, [Member("a", 6, 0)]),
        Ptr(7),
        INT,
        Struct("other", 0),
        roots=[1],
    )
    assert definitions(text) == [
        "struct value { int a; }",
        "typedef struct value value_t",
        "struct other",
        "struct outer { struct { value_t value; struct other *up; }; }",
    ]


def test_a_struct_needs_no_declaration_of_itself() -> None:
    """A list's node is written alone."""
    text = c_of(Struct("node", 8, [Member("next", 2, 0)]), Ptr(1))
    assert definitions(text) == ["struct node { struct node *next; }"]


def test_elements_of_arrays_come_first() -> None:
    """C wants an array's elements complete, even behind a pointer; so also what a typedef hides."""
    text = c_of(
        Struct("s", 8, [Member("p", 2, 0)]),
        Ptr(3),
        Array(4, 6, 2),
        Typedef("e_t", 5),
        Struct("e", 4, [Member("a", 6, 0)]),
        INT,
    )
    assert definitions(text) == [
        "struct e { int a; }",
        "typedef struct e e_t",
        "struct s { e_t (*p)[2]; }",
    ]


def test_a_typedef_can_come_before_its_struct() -> None:
    """What is only pointed at by a typedef's name needs the typedef, and that a declaration."""
    text = c_of(Struct("s", 8, [Member("p", 2, 0)]), Ptr(3), Typedef("s_t", 1))
    assert definitions(text) == [
        "struct s",
        "typedef struct s s_t",
        "struct s { s_t *p; }",
    ]


def test_names_are_made_unique() -> None:
    """Tags are one name space, typedefs and enumerators another; no flavour's name is taken."""
    text = c_of(
        Struct("s", 0),
        Struct("s", 4),
        Struct("s___2", 8),
        Union("s", 0),
        Enum("s", 4, [Enumerator("A", 0)]),
        Enum("", 4, [Enumerator("A", 1)]),
        Typedef("A", 0),
        Fwd("s"),
        Fwd("s", is_union=True),
        Typedef("t", 2),
    )
    assert definitions(text) == [
        "struct s {}",
        "struct s___2 { int: 32; } __attribute__((packed))",
        "struct s___2___2 { long: 64; } __attribute__((packed))",
        "union s___3 {}",
        "enum s___4 { A = 0, }",
        "enum { A___2 = 1, }",
        "typedef void A___3",
        "struct s",
        "union s___5",
        "typedef struct s___2 t",
    ]


def test_roots_bring_what_they_need() -> None:
    """Only the types asked for are written, with what is needed to compile them."""
    types = [INT, Struct("a", 4, [Member("x", 1, 0)]), Struct("b", 4, [Member("a", 2, 0)])]
    both = ["struct a { int x; }", "struct b { struct a a; }"]
    assert definitions(c_of(*types, Struct("c", 0), roots=[3])) == both


def test_split_btf_takes_what_it_needs_of_its_base() -> None:
    """Of a base only what a module's types refer to is written."""
    base = Btf.parse(encode([INT, Struct("a", 4, [Member("x", 1, 0)]), Struct("unused", 0)]))
    own = [Struct("b", 4, [Member("a", 2, 0)])]
    text = "".join(dump_c(Btf.parse(encode(own, base=base), base=base)))
    assert definitions(text) == ["struct a { int x; }", "struct b { struct a a; }"]


def test_the_text_does_not_depend_on_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and declarations that were dropped are made again as they were."""
    sources = [read_btf(path) for path in sorted(EXAMPLES.glob("*/*.bpf.o"))]
    sources.append(Btf.parse(encode(ALL_KINDS)))
    kept = ["".join(dump_c(btf)) for btf in sources]
    monkeypatch.setattr(flat, "_KEPT_NAMES", 1)
    monkeypatch.setattr(declarator, "_KEPT_CHAINS", 1)
    assert ["".join(dump_c(Btf.parse(btf.to_bytes()))) for btf in sources] == kept


def test_variables_and_functions_are_left_out() -> None:
    """Only types are written."""
    types = [INT, Var("v", 1), FuncProto(1), Func("f", 3), Datasec(".bss", 4), DeclTag("t", 2)]
    assert definitions(c_of(*types, Struct("s", 0))) == ["struct s {}"]


@pytest.mark.parametrize(
    ("types", "match"),
    [
        ([Struct("s", 4, [Member("s", 1, 0)])], "contains itself"),
        ([Struct("s", 4, [Member("", 1, 0)])], "contains itself"),
        (
            [Struct("s", 4, [Member("", 2, 0)]), Struct("t", 4, [Member("", 1, 0)])],
            "contains itself",
        ),
        ([Typedef("t", 1)], "contains itself"),
        ([Ptr(1)], "contains itself"),
        ([Struct("", 8, [Member("p", 2, 0)]), Ptr(1), Typedef("t", 1)], "contains itself"),
        ([Ptr(9), Typedef("t", 1)], "does not exist"),
        ([INT, Var("v", 1), Typedef("t", 2)], "a VAR, is where C has a type"),
        ([FuncProto(0), Struct("s", 8, [Member("f", 1, 0)])], "has no size"),
        ([INT, Struct("s", 8, [Member("a", 1, 0), Member("b", 1, 16)])], "overlap"),
        ([INT, Struct("s", 4, [Member("a", 1, 32)])], "beyond its end"),
        ([INT, Union("s", 1, [Member("a", 1, 0)])], "beyond its end"),
    ],
)
def test_what_c_cannot_say_is_an_error(types: list[BtfType], match: str) -> None:
    """Types that no C source can have made are refused, with the type that is at fault."""
    with pytest.raises(BtfError, match=match):
        c_of(*types)


def test_text_that_does_not_end_is_refused() -> None:
    """Nameless structs that each contain the next one twice are an error, not endless text."""
    depth = 60
    types: list[BtfType] = [
        Struct("", 0, [Member("", i + 2, 0), Member("", i + 2, 0)]) for i in range(depth)
    ]
    with pytest.raises(BtfError, match=r"nested deeper|text does not end"):
        c_of(*types, Struct("", 0), Struct("s", 0, [Member("", 1, 0)]))
    every: list[BtfType] = [
        Struct(f"s{i}", 0, [Member("", i + 2, 0), Member("", i + 2, 0)]) for i in range(depth)
    ]
    with pytest.raises(BtfError, match=r"nested deeper|text does not end"):
        c_of(*every, Struct("end", 0))
    chain: list[BtfType] = [Struct(f"s{i}", 0, [Member("", i + 2, 0)]) for i in range(5000)]
    with pytest.raises(BtfError, match="nested deeper"):
        c_of(*chain, Struct("end", 0))


ATTRIBUTE = r"(mode\(byte\)|aligned\(\d+\)|packed)"


def comparable(text: str) -> set[str]:
    """Give definitions without what the two write in their own way.

    That is: padding, attributes that bpftool 7.1 lacks, the number of a name that is there more
    than once, spaces around asterisks, and which structs had to be declared.
    """
    found = set()
    for one in definitions(text):
        one = re.sub(r"\b(long|int|short|char): \d+; ?", "", one)
        one = re.sub(rf" __attribute__\(\({ATTRIBUTE}(, {ATTRIBUTE})*\)\)", "", one)
        one = re.sub(r"___\d+\b", "", one)
        one = re.sub(r" ?\* ?", "*", one)
        if not re.fullmatch(r"(struct|union) \w+", one) and not one.startswith("#"):
            found.add(one)
    return found


@pytest.mark.needs("btf", "bpftool")
def test_the_kernel_in_c_has_what_bpftool_writes() -> None:
    """The same definitions with the same members, but for the order."""
    command = [tool("bpftool"), "btf", "dump", "file", KERNEL, "format", "c"]
    theirs = comparable(subprocess.run(command, check=True, capture_output=True).stdout.decode())
    ours = comparable("".join(vmlinux_h(kernel_btf())))
    # A va_list is written as what it is on the kernel's machine: on BPF it is another.
    different = {one for one in ours ^ theirs if "va_list" not in one}
    assert len(theirs) > 10_000
    assert different == set()


@pytest.mark.needs("bpftool", "clang")
def test_the_raw_list_is_bpftools() -> None:
    """The list of an object's types is, byte for byte, what bpftool writes."""
    for name in ("btf_kinds", "load_maps", "core_enums", "maps_typed", "ext_ksym_typed"):
        path = compile_bpf(name)
        command = [tool("bpftool"), "btf", "dump", "file", str(path), "format", "raw"]
        theirs = subprocess.run(command, check=True, capture_output=True).stdout.decode()
        assert "".join(dump_raw(read_btf(path))) == theirs


@pytest.mark.needs("bpftool", "clang", "btf")
@pytest.mark.parametrize("name", ["btf_kinds", "load_maps", "core_enums", "kernel"])
def test_the_json_is_bpftools(name: str) -> None:
    """Types as JSON have bpftool's keys and values.

    Except: bpftool 7.1 prints the values of an unsigned enum from 2^31 on as if of 64 bits.
    """
    path = KERNEL if name == "kernel" else str(compile_bpf(name))
    command = [tool("bpftool"), "-j", "btf", "dump", "file", path]
    theirs = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["types"]
    for one in theirs:
        if one["kind"] == "ENUM" and one["encoding"] == "UNSIGNED":
            for value in one["values"]:
                value["val"] &= 0xFFFFFFFF
    result = CliRunner().invoke(main, ["btf", "dump", path, "--format", "json"])
    assert result.exit_code == 0
    ours = json.loads(result.stdout)["types"]
    assert len(ours) == len(theirs)
    assert [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []


def test_the_list_has_every_kind() -> None:
    """Each kind has a line, and facts that are what JSON can hold."""
    btf = Btf.parse(encode(ALL_KINDS))
    lines = [line for line in "".join(dump_raw(btf)).splitlines() if line.startswith("[")]
    assert len(lines) == len(ALL_KINDS)
    assert lines[0] == "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED"
    assert lines[17] == "[18] DECL_TAG 'reviewed' type_id=5 component_idx=-1"
    assert type_facts(btf, 9) == {
        "id": 9,
        "kind": "FWD",
        "name": "opaque_union",
        "fwd_kind": "union",
    }
