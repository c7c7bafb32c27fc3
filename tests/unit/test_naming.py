"""C names become Python names by the rule of docs/naming.md."""

from __future__ import annotations

import keyword
from enum import IntEnum

import pytest
from bpfgen_runtime.skeleton import LinkGroup, MapGroup, OpenMapGroup, ProgramGroup
from bpfgen_runtime.values import DataSection, Struct
from bpfgen_runtime.values.enums import CEnum
from hypothesis import given
from hypothesis import strategies as st

from bpfgen import naming


@pytest.mark.parametrize(
    ("c_name", "expected"),
    [
        ("exec_event", "ExecEvent"),
        ("execEvent", "ExecEvent"),
        ("event", "Event"),
        ("_event", "Event"),
        ("__event__", "Event"),
        ("a__b", "AB"),
        ("TCP_STATE", "TcpState"),
        ("FOO", "Foo"),
        ("pair_t", "PairT"),
        ("IPv4_addr", "IPv4Addr"),
        ("ipv4_2_addr", "Ipv42Addr"),
        ("none", "None_"),
        ("true", "True_"),
        ("_1st", "_1st"),
        ("__", "__"),
        ("", "_"),
        ("Option<u32>", "OptionU32"),
        ("größe", "GrE"),
        ("foo.llvm.12", "FooLlvm12"),
    ],
)
def test_class_names(c_name: str, expected: str) -> None:
    """Types get CapWords names."""
    assert naming.cap_words(c_name) == expected


@pytest.mark.parametrize(
    ("c_name", "expected"),
    [
        ("pid", "pid"),
        ("Pid", "Pid"),
        ("_pid", "_pid"),
        ("pid_", "pid_"),
        ("from", "from_"),
        ("None", "None_"),
        ("match", "match"),  # a soft keyword is a legal name
        ("type", "type"),
        ("__pid", "pid_"),
        ("__init__", "init_"),
        ("___", "underscores_3"),
        ("__class", "class_"),
        ("__1st", "underscores_1st"),
        ("foo.bar", "foo_bar"),
        ("taken", "taken_"),
        ("taken_too", "taken_too__"),
    ],
)
def test_member_names(c_name: str, expected: str) -> None:
    """Members keep their C names unless Python gives them another meaning."""
    reserved = {"taken", "taken_too", "taken_too_"}
    assert naming.member_name(c_name, reserved) == expected


@pytest.mark.parametrize(
    ("c_names", "expected"),
    [
        (["from", "from_"], ["from_2", "from_"]),
        (["from_", "from"], ["from_", "from_2"]),
        (["__a", "a_", "a_2", "a"], ["a_3", "a_", "a_2", "a"]),
        (["__from", "from"], ["from_", "from_2"]),
        (["x", "y"], ["x", "y"]),
        ([], []),
    ],
)
def test_colliding_members(c_names: list[str], expected: list[str]) -> None:
    """A name that C spelled so keeps it; the others are numbered in order."""
    assert list(naming.Scope.members(c_names).values()) == expected


def test_scope_numbers_from_two() -> None:
    """A scope gives each name once, and counts on from 2."""
    scope = naming.Scope(["Taken"])
    assert [scope.add(name) for name in ("A", "A", "A", "A2", "Taken")] == [
        "A",
        "A2",
        "A3",
        "A22",
        "Taken2",
    ]


@given(st.lists(st.text(max_size=6), unique=True, max_size=8))
def test_members_are_distinct_identifiers(c_names: list[str]) -> None:
    """Whatever an object calls its members, they get distinct names that classes can have."""
    names = naming.Scope.members(c_names, {"x"})
    assert list(names) == c_names
    assert len(set(names.values())) == len(c_names)
    for name in names.values():
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert not name.startswith("__")
        assert name != "x"


@pytest.mark.parametrize(
    ("c_names", "expected"),
    [
        (["A", "a", "B"], ["A", "a", "B"]),
        (["_Made__A", "B"], ["Made__A", "B"]),
        (["_Made__A", "Made__A"], ["Made__A2", "Made__A"]),
        (["name", "mro", "int", "_x_", "__x"], ["name_", "mro_", "int", "_x__", "x_"]),
        (["", "-", "+"], ["__", "__2", "__3"]),
    ],
)
def test_enumerators(c_names: list[str], expected: list[str]) -> None:
    """Enumerators keep their names, also those that differ only in case, unless enum minds."""
    names = naming.enumerator_names(c_names)
    assert list(names) == c_names
    assert list(names.values()) == expected
    made = CEnum("Made", {name: value for value, name in enumerate(names.values())})  # type: ignore[call-overload]
    assert [member.name for member in made] == list(names.values())


@given(st.text(max_size=8))
def test_class_names_are_identifiers(c_name: str) -> None:
    """Whatever an object calls a type, a class can be called so."""
    name = naming.cap_words(c_name)
    assert name.isidentifier()
    assert not keyword.iskeyword(name)


@given(st.lists(st.from_regex(r"\A[A-Za-z_]\w{0,5}\Z"), unique=True, min_size=1, max_size=8))
def test_enumerators_make_an_enum(c_names: list[str]) -> None:
    """Whatever C calls its enumerators, Python's enum takes their names as members."""
    names = naming.enumerator_names(c_names)
    made = CEnum("made", {name: value for value, name in enumerate(names.values())})  # type: ignore[call-overload]
    assert [member.name for member in made] == list(names.values())


@pytest.mark.parametrize(
    ("file_name", "module", "class_name"),
    [
        ("execsnoop.bpf.o", "execsnoop_skel", "Execsnoop"),
        ("exec_snoop.bpf.o", "exec_snoop_skel", "ExecSnoop"),
        ("exec-snoop.o", "exec_snoop_skel", "ExecSnoop"),
        ("a.b.bpf.o", "a_b_skel", "AB"),
        ("noextension", "noextension_skel", "Noextension"),
        ("2fa.bpf.o", "_2fa_skel", "_2fa"),
        (".o", "_o_skel", "O"),
        ("class.bpf.o", "class_skel", "Class"),
        ("none.o", "none_skel", "None_"),
    ],
)
def test_names_from_files(file_name: str, module: str, class_name: str) -> None:
    """The file's name gives the module's and the skeleton's."""
    assert naming.module_name(file_name) == module
    assert naming.cap_words(naming.object_name(file_name)) == class_name


@pytest.mark.parametrize(
    ("section", "expected"),
    [(".bss", "bss"), (".data.stats", "data_stats"), (".rodata.a-b", "rodata_a_b")],
)
def test_section_names(section: str, expected: str) -> None:
    """A data section's attribute is its name without the leading dot."""
    assert naming.section_name(section) == expected


def test_keywords_are_this_pythons() -> None:
    """The pinned list has all keywords of the Python that runs this."""
    assert set(keyword.kwlist) <= naming.KEYWORDS


@pytest.mark.parametrize(
    ("base", "reserved"),
    [
        (Struct, naming.STRUCT_ATTRIBUTES),
        (DataSection, naming.SECTION_ATTRIBUTES),
        (MapGroup, naming.GROUP_ATTRIBUTES),
        (OpenMapGroup, naming.GROUP_ATTRIBUTES),
        (ProgramGroup, naming.GROUP_ATTRIBUTES),
        (LinkGroup, naming.GROUP_ATTRIBUTES),
        (CEnum, naming.ENUM_ATTRIBUTES),
        (IntEnum, naming.ENUM_ATTRIBUTES),
    ],
)
def test_reserved_names_are_complete(base: type, reserved: frozenset[str]) -> None:
    """Members of a generated class hide nothing that its base class has."""
    own = {name for name in dir(base) if not name.startswith("__")}
    sunder = {name for name in own if name.startswith("_") and name.endswith("_")}  # enum's own
    assert own - sunder - reserved == set()
