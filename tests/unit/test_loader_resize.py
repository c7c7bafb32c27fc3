"""Data sections of another size: their contents, their variables, their types."""

from __future__ import annotations

import warnings

import pytest
from bpfgen_runtime.btf import Array, Btf, Datasec, Int, SecVar, Struct, Typedef, Var
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.loader.resize import resized, with_size
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.values import DataSection, Global, u32

from tests.support.clang import compile_bpf

INT, PAIR, PAIRS, SCALAR, TABLE = 1, 2, 3, 5, 6
SECTION = 7


def btf(*places: SecVar, size: int = 12) -> Btf:
    """A section with an int and, behind a typedef, an array of pairs."""
    types = [
        Int("int", 4, encoding=1),
        Struct("pair", 8),
        Array(PAIR, INT, 1),
        Typedef("pairs", PAIRS),
        Var("scalar", INT),
        Var("table", 4),
        Datasec(".data.x", size, places),
    ]
    return Btf.parse(encode(types, byte_order="<"))


BOTH = (SecVar(SCALAR, 0, 4), SecVar(TABLE, 4, 8))


@pytest.mark.parametrize(("size", "count"), [(12, 1), (20, 2), (4 + 8 * 1000, 1000), (4, 0)])
def test_the_last_array_takes_the_difference(size: int, count: int) -> None:
    """The section, the place and the type of its last variable agree on the new size."""
    changed = with_size(btf(*BOTH), SECTION, size)
    assert changed.type(SECTION) == Datasec(".data.x", size, [BOTH[0], SecVar(TABLE, 4, size - 4)])
    table = changed.type(TABLE)
    assert table == Var("table", 8)
    assert changed.type(8) == Array(PAIR, INT, count)
    assert changed.size_of(TABLE) == 8 * count
    changed.validate()


@pytest.mark.parametrize(
    ("places", "size", "message"),
    [
        (BOTH, 13, "13 bytes are no whole number of elements of 'table'"),
        (BOTH, 2, "2 bytes are no whole number"),
        ((BOTH[1], SecVar(SCALAR, 12, 4)), 32, "its last variable, 'scalar', is no array"),
        ((), 32, "it has no variables"),
    ],
)
def test_sizes_that_types_cannot_say(places: tuple[SecVar, ...], size: int, message: str) -> None:
    """Such a size is refused, with the variable's name."""
    with pytest.raises(ValueError, match=message):
        with_size(btf(*places), SECTION, size)


def test_elements_of_no_size() -> None:
    """An array of empty structs cannot fill anything."""
    types = [
        Int("int", 4),
        Struct("empty", 0),
        Array(2, 1, 1),
        Var("v", 3),
        Datasec(".data.x", 0, [SecVar(4, 0, 0)]),
    ]
    with pytest.raises(ValueError, match="elements of 0 bytes"):
        with_size(Btf.parse(encode(types, byte_order="<")), 5, 8)


@pytest.fixture
def spec() -> ObjectSpec:
    return load_spec(str(compile_bpf("maps_resized")))


@pytest.mark.needs("clang", "libbpf-dev")
def test_contents_and_variables_follow(spec: ObjectSpec) -> None:
    """New bytes are zero, those that stay keep their value, the last variable has the new size."""
    table = spec.maps[".data.plain"]
    table.value_size = 16
    assert table.contents == b"\1" + bytes(15)
    assert spec.variables["plain"].size == 16
    table.value_size = 4
    assert table.contents == b"\1" + bytes(3)
    spec.maps[".data.table"].value_size = 24
    spec.variables["table"].set(bytes(range(24)))
    assert spec.maps[".data.table"].contents == bytes(range(24))
    assert spec.variables["slots"].size == 4
    with pytest.raises(ValueError, match="-1 bytes"):
        table.value_size = -1


@pytest.mark.needs("clang", "libbpf-dev")
def test_types_at_load(spec: ObjectSpec) -> None:
    """The spec keeps its types; a load gets others, and a spec unchanged gets the same."""
    before = spec.btf
    spec.maps[".data.table"].value_size = 80
    changed = resized(spec)
    assert spec.btf is before
    assert changed.btf is not None
    datasec = changed.btf.type(spec.maps[".data.table"].value_type_id)
    assert isinstance(datasec, Datasec)
    assert (datasec.size, datasec.vars[-1].size) == (80, 80)
    spec.maps[".data.table"].value_size = 8
    assert resized(spec).btf is before


@pytest.mark.needs("clang", "libbpf-dev")
def test_section_that_loses_its_types(spec: ObjectSpec) -> None:
    """As with libbpf the section loads without types; a warning says why."""
    spec.maps[".data.plain"].value_size = 64
    with pytest.warns(RuntimeWarning, match=r"'\.data\.plain' is loaded without types: .*'plain'"):
        changed = resized(spec)
    assert changed.maps[".data.plain"].value_type_id == 0
    assert spec.maps[".data.plain"].value_type_id != 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert changed.maps[".data.table"].value_type_id != 0


class Section(DataSection):
    """A section of one variable."""

    __slots__ = ()

    first: Global[int] = Global(u32, 0)


@pytest.mark.needs("clang", "libbpf-dev")
def test_sections_of_open_skeletons_follow(spec: ObjectSpec) -> None:
    """What shows a section's variables before load goes on to, with the values they had."""
    table = spec.maps[".data.table"]
    assert table.contents is not None
    shown = Section(table.contents)
    table._viewers.append(shown)
    shown.first = 5
    table.value_size = 800
    assert shown.first == 5
    shown.first = 6
    assert table.contents is not None
    assert (len(table.contents), table.contents[0]) == (800, 6)
