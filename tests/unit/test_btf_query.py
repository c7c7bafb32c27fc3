"""What a Btf answers about its types: names, sizes, alignments, tags, C text."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import (
    BTF_KIND_INT,
    BTF_KIND_STRUCT,
    BTF_KIND_TYPEDEF,
    Array,
    Btf,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
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
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    Volatile,
    encode,
)
from bpfgen_runtime.errors import BtfError

from tests.support.btfbuilder import ALL_KINDS, info, raw_btf

INT = Int("int", 4, encoding=1)


def btf_of(*types: BtfType) -> Btf:
    return Btf.parse(encode(types))


class TestFind:
    """Lookup by name."""

    def test_all_ids_ascending(self) -> None:
        """One name may be several types; a kind narrows it down."""
        btf = btf_of(INT, Struct("a", 0), Typedef("a", 2), Struct("a", 4))
        assert btf.find("a") == [2, 3, 4]
        assert btf.find("a", BTF_KIND_STRUCT) == [2, 4]
        assert btf.find("a", BTF_KIND_TYPEDEF) == [3]
        assert btf.find("a", BTF_KIND_INT) == []

    def test_the_answer_is_the_callers(self) -> None:
        """Changing an answer does not change the next."""
        btf = btf_of(INT)
        btf.find("int").append(7)
        assert btf.find("int") == [1]

    @pytest.mark.parametrize("name", ["", "in", "nt", "int\0", "missing", "\0"])
    def test_no_such_name(self, name: str) -> None:
        """Parts of names, members' names and the empty name find nothing."""
        assert btf_of(INT, Struct("s", 4, [Member("in", 1, 0)])).find(name) == []

    def test_a_name_may_be_the_end_of_another_string(self) -> None:
        """A string table may share suffixes: an offset then points inside of a longer string."""
        strings = b"\0unsigned int\0"
        records = [1, info(1), 4, 32, 10, info(1), 4, 32, 9, info(8), 1]
        btf = Btf.parse(raw_btf(records, strings))
        assert btf.find("int") == [2]
        assert btf.find("unsigned int") == [1]
        assert btf.find(" int") == [3]

    def test_a_string_may_be_there_twice(self) -> None:
        """A string table need not be deduplicated."""
        btf = Btf.parse(raw_btf([5, info(1), 4, 32, 1, info(1), 4, 32], b"\0int\0int\0"))
        assert btf.find("int") == [1, 2]

    def test_offsets_that_look_alike_in_bytes_are_told_apart(self) -> None:
        """The search among offsets is by word: 0x0001 followed by 0x0000 is not 0x0100."""
        strings = b"\0" + b"a\0" * 127 + b"b\0" + b"int\0"
        at = strings.index(b"int")
        assert at == 0x101
        btf = Btf.parse(raw_btf([at, info(8), 0, 1, info(8), 0, 0x100, info(8), 0], strings))
        assert [btf.find(name) for name in ("int", "a", "b")] == [[1], [2], []]

    def test_find_datasec(self) -> None:
        """A section's variables are found by its name, or None."""
        btf = btf_of(INT, Typedef(".bss", 1), Var("v", 1), Datasec(".bss", 4, [SecVar(3, 0, 4)]))
        assert btf.find_datasec(".bss") == 4
        assert btf.find_datasec(".data") is None


class TestResolve:
    """Through modifiers, typedefs, type tags and VAR."""

    def test_the_chain_is_followed_to_its_end(self) -> None:
        """All that only decorates is skipped; a pointer is an end."""
        btf = btf_of(
            INT,
            Const(1),
            Volatile(2),
            Typedef("t", 3),
            TypeTag("tag", 4),
            Ptr(5),
            Restrict(6),
            Var("v", 7),
        )
        assert [btf.resolve(i) for i in range(9)] == [0, 1, 1, 1, 1, 1, 6, 6, 6]

    def test_const_void_is_void(self) -> None:
        """Void stays 0."""
        assert btf_of(Const(0)).resolve(1) == 0

    def test_a_loop_is_an_error(self) -> None:
        """A typedef of itself is bad BTF, not an endless loop, for every question."""
        btf = btf_of(Typedef("a", 2), Const(1), Array(1, 1, 2), Struct("s", 4, [Member("m", 1, 0)]))
        for ask in (btf.resolve, btf.size_of, btf.align_of):
            with pytest.raises(BtfError, match="itself"):
                ask(1)
        assert btf.c_name(1) == "a"  # C text ends at the first name
        with pytest.raises(BtfError, match="itself"):
            btf.size_of(3)
        with pytest.raises(BtfError, match="itself"):
            btf.align_of(4)
        with pytest.raises(BtfError, match="itself"):
            btf.validate()


class TestSizeAndAlign:
    """sizeof and alignof, by libbpf's rules."""

    @pytest.mark.parametrize(
        ("t", "size", "align"),
        [
            (INT, 4, 4),
            (Int("__int128", 16), 16, 8),
            (Float("double", 8), 8, 8),
            (Float("long double", 16), 16, 8),
            (Ptr(0), 8, 8),
            (Enum("e", 1), 1, 1),
            (Enum64("e", 8), 8, 8),
            (Array(1, 1, 3), 12, 4),
            (Array(1, 1, 0), 0, 4),
            (Const(1), 4, 4),
            (Typedef("t", 1), 4, 4),
            (TypeTag("t", 1), 4, 4),
            (Struct("s", 8, [Member("a", 1, 0), Member("b", 1, 32)]), 8, 4),
            (Struct("packed", 5, [Member("a", 1, 0)]), 5, 1),
            (Struct("packed", 8, [Member("a", 1, 8)]), 8, 1),
            (Struct("bits", 4, [Member("a", 1, 3, 5)]), 4, 4),
            (Struct("empty", 0), 0, 1),
            (Union("u", 4, [Member("a", 1, 0), Member("b", 1, 0)]), 4, 4),
        ],
        ids=repr,
    )
    def test_types_that_have_both(self, t: BtfType, size: int, align: int) -> None:
        """Each kind of data has a size and an alignment."""
        btf = btf_of(INT, t)
        assert (btf.size_of(2), btf.align_of(2)) == (size, align)

    @pytest.mark.parametrize(
        "t", [Fwd("f"), FuncProto(0), Func("f", 3), Const(0), Array(0, 1, 2)], ids=repr
    )
    def test_types_that_have_neither(self, t: BtfType) -> None:
        """What is incomplete, or code, has no size: an error that names it."""
        btf = btf_of(INT, t, FuncProto(0))
        with pytest.raises(BtfError, match="has no size"):
            btf.size_of(2)
        with pytest.raises(BtfError, match="has no alignment"):
            btf.align_of(2)

    def test_a_section_has_a_size_only(self) -> None:
        """A DATASEC's size is that of the section; a VAR's is that of its type."""
        btf = btf_of(INT, Var("v", 1), Datasec(".bss", 64, [SecVar(2, 0, 4)]))
        assert (btf.size_of(3), btf.size_of(2), btf.align_of(2)) == (64, 4, 4)
        with pytest.raises(BtfError, match="has no alignment"):
            btf.align_of(3)

    def test_nested_arrays_multiply(self) -> None:
        """T[2][3] has six elements."""
        assert btf_of(INT, Array(1, 1, 3), Array(2, 1, 2)).size_of(3) == 24

    @pytest.mark.parametrize("types", [
        (Array(1, 1, 0xFFFFFFFF),),
        (Array(1, 1, 1 << 20), Array(2, 1, 1 << 20)),
        tuple(Array(i + 1, 1, 0xFFFFFFFF) for i in range(20)),
    ])  # fmt: skip
    def test_sizes_beyond_32_bits(self, types: tuple[BtfType, ...]) -> None:
        """No object is that large: an error, as in libbpf."""
        btf = btf_of(INT, *types)
        with pytest.raises(BtfError, match="more"):
            btf.size_of(len(btf) - 1)

    def test_a_struct_that_contains_itself(self) -> None:
        """By value, or as an array of itself: an error, not a RecursionError."""
        btf = btf_of(Struct("s", 4, [Member("m", 2, 0)]), Array(1, 3, 2), INT)
        for type_id in (1, 2):
            with pytest.raises(BtfError, match="itself"):
                btf.align_of(type_id)
        with pytest.raises(BtfError, match="contains itself"):
            btf.validate()

    def test_an_array_of_itself(self) -> None:
        """An array whose element is the array is an error."""
        btf = btf_of(Array(1, 2, 1), INT)
        for ask in (btf.size_of, btf.align_of):
            with pytest.raises(BtfError, match="itself"):
                ask(1)
        with pytest.raises(BtfError, match="itself"):
            btf.c_name(1)

    def test_deep_nesting_is_refused(self) -> None:
        """More levels than the kernel allows are refused, however many there are."""
        structs = [Struct(f"s{i}", 4, [Member("m", i, 0)]) for i in range(1, 3000)]
        btf = btf_of(INT, *structs)
        assert btf.align_of(20) == 4
        with pytest.raises(BtfError, match="deeper than 32"):
            btf.align_of(2999)
        with pytest.raises(BtfError, match="deeper than 32"):
            btf.validate()

    def test_an_integer_of_size_0_has_no_alignment(self) -> None:
        """Size 0 is damage that must not become a division by zero."""
        btf = btf_of(Int("nothing", 0), Struct("s", 0, [Member("m", 1, 0)]))
        with pytest.raises(BtfError, match="size 0"):
            btf.align_of(2)


class TestPointerSize:
    """Told by `long`."""

    @pytest.mark.parametrize(
        ("types", "expected"),
        [
            ((), 8),
            ((INT,), 8),
            ((Int("long", 4),), 4),
            ((Int("long unsigned int", 8),), 8),
            ((Int("unsigned long", 4),), 4),
            ((Int("long", 2), Int("unsigned long", 4)), 4),
            ((Typedef("long", 2), INT), 8),
        ],
    )
    def test_it_is_guessed(self, types: tuple[BtfType, ...], expected: int) -> None:
        """The size of `long` under any of its names, else 8."""
        assert btf_of(*types).pointer_size == expected

    def test_it_can_be_assigned(self) -> None:
        """A loader of BPF objects knows better; alignments follow."""
        btf = btf_of(Int("long", 4), Ptr(1))
        assert (btf.size_of(2), btf.align_of(2)) == (4, 4)
        btf.pointer_size = 8
        assert (btf.size_of(2), btf.align_of(2)) == (8, 8)
        with pytest.raises(ValueError, match="4 or 8"):
            btf.pointer_size = 2

    def test_a_split_has_its_bases(self) -> None:
        """The base decides."""
        base = btf_of(Int("long", 4))
        assert Btf.parse(encode([Ptr(1)], base=base), base=base).size_of(2) == 4


class TestDeclTags:
    """Declaration tags."""

    def test_by_type_and_component(self) -> None:
        """Tags on the type itself and on its parts are told apart, in order."""
        btf = btf_of(
            INT,
            Struct("s", 4, [Member("m", 1, 0)]),
            DeclTag("b", 2),
            DeclTag("a", 2),
            DeclTag("member", 2, component=0),
        )
        assert btf.decl_tags(2) == ["b", "a"]
        assert btf.decl_tags(2, 0) == ["member"]
        assert btf.decl_tags(2, 1) == btf.decl_tags(1) == []

    def test_a_split_adds_to_its_base(self) -> None:
        """Tags in a split BTF may be on types of the base."""
        base = btf_of(INT, Typedef("t", 1), DeclTag("below", 2))
        split = Btf.parse(encode([DeclTag("above", 2)], base=base), base=base)
        assert split.decl_tags(2) == ["below", "above"]


def test_c_names() -> None:
    """Types read as in C."""
    char = Int("char", 1)
    types: list[tuple[BtfType, str]] = [
        (INT, "int"),
        (char, "char"),
        (Const(2), "const char"),
        (Ptr(3), "const char *"),
        (Const(4), "const char *const"),
        (Struct("foo", 4), "struct foo"),
        (Ptr(6), "struct foo *"),
        (Array(1, 1, 4), "int [4]"),
        (Array(8, 1, 2), "int [2][4]"),
        (Ptr(8), "int (*)[4]"),
        (Array(7, 1, 3), "struct foo *[3]"),
        (FuncProto(1, [Param("a", 4), Param("", 0)]), "int (const char *a, ...)"),
        (Ptr(12), "int (*)(const char *a, ...)"),
        (FuncProto(0), "void (void)"),
        (Func("run", 14), "void run(void)"),
        (Var("v", 10), "int (*v)[4]"),
        (Typedef("number_t", 1), "number_t"),
        (Volatile(17), "volatile number_t"),
        (Union("", 4), "union {...}"),
        (Enum("e", 4), "enum e"),
        (Fwd("f"), "struct f"),
        (Fwd("f", is_union=True), "union f"),
        (TypeTag("user", 1), "int"),
        (Ptr(23), "int *"),
        (Restrict(24), "int *restrict"),
        (Ptr(0), "void *"),
        (Const(8), "const int [4]"),
        (FuncProto(13, [Param("f", 8)]), "int (*(int f[4]))(const char *a, ...)"),
        (TypeTag("rcu", 8), "int [4]"),
        (Ptr(29), "int (*)[4]"),
        (Array(13, 1, 2), "int (*[2])(const char *a, ...)"),
        (Ptr(27), "const int (*)[4]"),
        (Float("double", 8), "double"),
        (Datasec(".bss", 0), ".bss"),
    ]  # fmt: skip
    btf = btf_of(*(t for t, _ in types))
    assert [btf.c_name(i) for i in range(len(btf))] == ["void", *(text for _, text in types)]


@pytest.mark.parametrize("types", [
    [Ptr(2), FuncProto(0, [Param("f", 1)])],
    [FuncProto(0, [Param("f", i + 2), Param("g", i + 2)]) for i in range(28)] + [INT],
])  # fmt: skip
def test_c_names_too_long_to_write(types: list[BtfType]) -> None:
    """Prototypes that take themselves, or each the next one twice, are an error, at once."""
    with pytest.raises(BtfError, match="more than 1000 parts, or nested"):
        btf_of(*types).c_name(1)


def test_repr_says_what_it_is() -> None:
    """A Btf shows its size and byte order."""
    base = btf_of(INT)
    assert repr(base).startswith("<Btf: 1 types, byte order ")
    assert "on a base of 2" in repr(Btf.parse(encode([Ptr(1)], base=base), base=base))


class TestValidate:
    """The whole check for BTF that somebody else built."""

    def test_all_kinds_are_valid(self) -> None:
        """What a compiler writes passes."""
        btf_of(*ALL_KINDS).validate()

    def test_void_may_be_referred_to(self) -> None:
        """void is a valid target of modifiers, parameters and variables (typeless ksyms)."""
        btf_of(Const(0), Var("ksym", 1, linkage=2), FuncProto(0, [Param("", 0)]), Ptr(0)).validate()

    def test_a_section_may_hold_functions(self) -> None:
        """clang lists extern functions (kfuncs) in .ksyms."""
        kfunc = Func("kfunc", 1, linkage=2)
        btf_of(FuncProto(0), kfunc, Datasec(".ksyms", 0, [SecVar(2, 0, 0)])).validate()

    @pytest.mark.parametrize(
        ("types", "words"),
        [
            ([Func("f", 2), INT], r"FUNC 'f' may not refer to \[2\], a INT"),
            ([Ptr(2), Var("v", 3), INT], "a VAR"),
            ([Typedef("t", 2), Datasec(".bss", 0)], "a DATASEC"),
            ([Array(2, 3, 1), DeclTag("d", 3), Struct("s", 4)], "a DECL_TAG"),
            ([Struct("s", 4, [Member("m", 2, 0)]), Func("f", 3), FuncProto(0)], "a FUNC"),
            ([FuncProto(2), Datasec(".bss", 0)], "a DATASEC"),
            ([FuncProto(0, [Param("p", 2)]), Datasec(".bss", 0)], "a DATASEC"),
            ([Datasec(".bss", 4, [SecVar(2, 0, 4)]), INT], "a INT"),
            ([DeclTag("d", 2), INT], "a INT"),
            ([DeclTag("d", 2, 1), Struct("s", 4, [Member("m", 3, 0)]), INT], "component 1"),
            ([DeclTag("d", 2, 0), Typedef("t", 3), INT], "component 0"),
            ([DeclTag("d", 2, 1), Func("f", 3), FuncProto(0, [Param("a", 4)]), INT], "component 1"),
            ([Const(2), Const(1)], "itself"),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, types: list[BtfType], words: str) -> None:
        """A reference to what cannot be meant, or a component that is not there."""
        with pytest.raises(BtfError, match=words) as caught:
            btf_of(*types).validate()
        assert caught.value.section == ".BTF"
