"""BTF-defined maps: what a definition's fields become, and which definitions are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bpfgen_runtime.btf import (
    Const,
    Datasec,
    Enum,
    Enum64,
    Enumerator,
    FuncProto,
    Fwd,
    Int,
    Member,
    Ptr,
    SecVar,
    Struct,
    Typedef,
    Var,
)
from bpfgen_runtime.btf.types import Array
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import BtfError, ElfError, FormatError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.spec import MapSpec
from bpfgen_runtime.uapi.const import (
    BPF_MAP_TYPE_ARRAY_OF_MAPS,
    BPF_MAP_TYPE_HASH,
    BPF_MAP_TYPE_PROG_ARRAY,
)

from tests.support.elfwriter import SHF_ALLOC, SHF_WRITE, STT_OBJECT, minimal
from tests.support.objects import INT, U64, Types, map_image

Fields = list[tuple[str, int]]


def load(make: Callable[[Types], Fields], **how: object) -> MapSpec:
    types = Types()
    return load_spec(map_image(types, make(types), **how)).maps["m"]  # type: ignore[arg-type]


def test_every_field() -> None:
    """Each field of a definition reaches its attribute; types give sizes and ids."""
    types = Types()
    value = types.add(Struct("value", 24))
    fields = [
        ("type", types.uint(BPF_MAP_TYPE_HASH)),
        ("max_entries", types.uint(10)),
        ("map_flags", types.uint(4)),
        ("numa_node", types.uint(1)),
        ("key", types.pointer(U64)),
        ("value", types.pointer(types.add(Typedef("value_t", value)))),
        ("map_extra", types.uint(5)),
        ("pinning", types.uint(0)),
    ]
    spec = load_spec(map_image(types, fields)).maps["m"]
    assert (spec.map_type, spec.max_entries, spec.map_flags, spec.numa_node) == (1, 10, 4, 1)
    assert (spec.key_size, spec.value_size) == (8, 24)
    assert (spec.key_type_id, spec.value_type_id) == (
        U64,
        types.types.index(Typedef("value_t", value)) + 1,
    )
    assert (spec.map_extra, spec.pinning, spec.unsupported) == (5, 0, "")
    assert (spec.section, spec.section_offset, spec.kernel_name) == (".maps", 0, "m")
    assert not spec.is_data


def test_sizes_without_types() -> None:
    """`key_size` and `value_size` leave the type ids at 0."""
    spec = load(
        lambda t: [("type", t.uint(1)), ("key_size", t.uint(6)), ("value_size", t.uint(10))]
    )
    assert (spec.key_size, spec.value_size, spec.key_type_id, spec.value_type_id) == (6, 10, 0, 0)


def test_size_and_type_that_agree() -> None:
    """A size given twice is accepted when it is the same."""
    spec = load(lambda t: [("type", t.uint(1)), ("key_size", t.uint(8)), ("key", t.pointer(U64))])
    assert (spec.key_size, spec.key_type_id) == (8, U64)


@pytest.mark.parametrize(
    ("carrier", "value"),
    [
        (Enum("", 4, [Enumerator("__unique", 7)]), 7),
        (Enum64("", 8, [Enumerator("__unique", 1 << 40)]), 1 << 40),
        (Enum64("", 8, [Enumerator("__unique", -1)], signed=True), (1 << 64) - 1),
    ],
)
def test_ulong(carrier: Enum, value: int) -> None:
    """`__ulong(map_extra, x)` is an enum of one; the value is taken as unsigned 64 bits."""
    spec = load(lambda t: [("type", t.uint(1)), ("map_extra", t.add(carrier))])
    assert spec.map_extra == value


def test_definition_behind_modifiers() -> None:
    """A definition may be a typedef of a const struct; carriers of numbers may be typedefs, too."""
    types = Types()
    number = types.add(Typedef("n", types.uint(1)))
    types_fields = [("type", number)]
    image = map_image(types, types_fields)
    assert load_spec(image).maps["m"].map_type == 1


def inner(t: Types, *fields: tuple[str, int]) -> int:
    """The carrier of `__array(values, struct {fields})`."""
    members = [Member(name, type_id, 64 * i) for i, (name, type_id) in enumerate(fields)]
    return t.add(Array(t.pointer(t.add(Struct("", 8 * len(members), members))), INT, 0))


WRONG: list[tuple[str, Callable[[Types], Fields], str]] = [
    ("unknown", lambda t: [("type", t.uint(1)), ("entries", t.uint(1))], "unknown field 'entries'"),
    ("no type", lambda t: [("max_entries", t.uint(1))], "it has no type"),
    ("number", lambda t: [("type", INT)], r"type is not given by __uint\(\)"),
    ("number 2", lambda t: [("map_flags", t.pointer(INT))], r"map_flags is not given by __uint"),
    ("key", lambda t: [("key", INT)], r"key is not given by __type\(\)"),
    ("key const", lambda t: [("key", t.add(Const(t.pointer(INT))))], "key is not given by __type"),
    (
        "key sizes",
        lambda t: [("key", t.pointer(INT)), ("key_size", t.uint(8))],
        "conflicting key size: 4 and 8 bytes",
    ),
    (
        "value sizes",
        lambda t: [("value_size", t.uint(16)), ("value", t.pointer(U64))],
        "conflicting value size: 16 and 8 bytes",
    ),
    ("pinning", lambda t: [("type", t.uint(1)), ("pinning", t.uint(2))], "pinning is 2"),
    ("ulong", lambda t: [("map_extra", INT)], "map_extra is given by neither"),
    (
        "ulong of two",
        lambda t: [("map_extra", t.add(Enum("", 4, [Enumerator("a", 1), Enumerator("b", 2)])))],
        "map_extra is given by neither",
    ),
    (
        "values of a hash",
        lambda t: [("type", t.uint(1)), ("values", t.add(Array(INT, INT, 0)))],
        "values is for maps of maps and program arrays only",
    ),
    (
        "values first",
        lambda t: [("values", t.add(Array(INT, INT, 0))), ("type", t.uint(12))],
        "values must be the last field",
    ),
    (
        "values with elements",
        lambda t: [("type", t.uint(12)), ("values", t.add(Array(t.pointer(INT), INT, 2)))],
        r"values is not given by __array\(\)",
    ),
    (
        "values to an int",
        lambda t: [("type", t.uint(12)), ("values", t.add(Array(t.pointer(INT), INT, 0)))],
        "values does not point to an inner map's struct",
    ),
    (
        "inner without a type",
        lambda t: [("type", t.uint(12)), ("values", inner(t, ("max_entries", t.uint(1))))],
        "it has no type",
    ),
    (
        "inner pinned",
        lambda t: [
            ("type", t.uint(12)),
            ("values", inner(t, ("type", t.uint(1)), ("pinning", t.uint(0)))),
        ],
        "a map in a map cannot be pinned",
    ),
    (
        "inner of inner",
        lambda t: [
            ("type", t.uint(12)),
            ("values", inner(t, ("type", t.uint(12)), ("values", inner(t)))),
        ],
        "a map in a map cannot be a map of maps itself",
    ),
    (
        "values to no function",
        lambda t: [("type", t.uint(3)), ("values", t.add(Array(t.pointer(INT), INT, 0)))],
        "values does not point to a program's prototype",
    ),
]


@pytest.mark.parametrize(("make", "message"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_wrong_definitions(make: Callable[[Types], Fields], message: str) -> None:
    """What libbpf refuses is refused, by an error that names section, map and field."""
    with pytest.raises(FormatError, match=rf"^map 'm(\.inner)?': .*{message}") as caught:
        load(make)
    assert caught.value.section == ".maps"


def test_key_without_size() -> None:
    """A key of a type without size is refused; the message says where such types come from."""
    with pytest.raises(FormatError, match="key is 'struct later', which is only declared"):
        load(lambda t: [("type", t.uint(1)), ("key", t.pointer(t.add(Fwd("later"))))])


def test_static_map() -> None:
    """A static map is refused: nothing could find it by name."""
    with pytest.raises(FormatError, match="must be a global variable"):
        load(lambda t: [("type", t.uint(1))], linkage=0)


def test_two_maps_of_one_name() -> None:
    """A name means one map; the error has the name and the section."""
    types = Types()
    definition = types.add(Struct("", 8, [Member("type", types.uint(1), 0)]))
    variables = [SecVar(types.add(Var("m", definition, 1)), offset, 8) for offset in (0, 8)]
    types.add(Datasec(".maps", 16, variables))
    elf = minimal()
    section = elf.section(".maps", bytes(16), flags=SHF_ALLOC | SHF_WRITE, align=8)
    elf.symbol("m", section, size=8, type=STT_OBJECT)
    elf.section(".BTF", types.build())
    with pytest.raises(ElfError, match="two maps are called 'm'") as caught:
        load_spec(elf.build())
    assert caught.value.section == ".maps"


@pytest.mark.parametrize("datasec_size", [0, 8])
def test_map_outside_its_section(datasec_size: int) -> None:
    """A variable that ends behind the section is refused, by whomever its place was filled in."""
    with pytest.raises(FormatError, match=r"'m'.* ends outside"):
        load(lambda t: [("type", t.uint(1))], section_size=4, datasec_size=datasec_size)


def test_maps_without_btf() -> None:
    """Maps need BTF; the message says how to get it."""
    elf = minimal()
    elf.section(".maps", bytes(8))
    with pytest.raises(BtfError, match="compile with clang -g"):
        load_spec(elf.build())


def test_maps_not_in_btf() -> None:
    """BTF that does not know the section is no help either."""
    elf = minimal()
    elf.section(".maps", bytes(8))
    elf.section(".BTF", Types().build())
    with pytest.raises(BtfError, match="no DATASEC"):
        load_spec(elf.build())


def test_variable_that_is_no_map() -> None:
    """A plain variable in `.maps` is refused."""
    types = Types()
    var = types.add(Var("m", INT))
    types.add(Datasec(".maps", 4, [SecVar(var, 0, 4)]))
    elf = minimal()
    section = elf.section(".maps", bytes(4))
    elf.symbol("m", section, size=4, type=1)
    elf.section(".BTF", types.build())
    with pytest.raises(FormatError, match="its type is no struct"):
        load_spec(elf.build())


def test_legacy_maps_section() -> None:
    """`SEC("maps")` of old sources gets told what to do instead."""
    elf = minimal()
    elf.section("maps", bytes(20))
    with pytest.raises(FormatError, match=r'SEC\("\.maps"\)'):
        load_spec(read_elf(elf.build()))


def test_pinning() -> None:
    """`LIBBPF_PIN_BY_NAME` is noted; where to pin is decided at load."""
    spec = load(lambda t: [("type", t.uint(1)), ("pinning", t.uint(1))])
    assert (spec.pinning, spec.pin_path, spec.unsupported) == (1, None, "")


def test_pinning_by_a_path() -> None:
    """A map whose name would lead to another directory cannot be pinned by it."""
    types = Types()
    fields = [("type", types.uint(1)), ("pinning", types.uint(1))]
    with pytest.raises(FormatError, match=r"map '\.\./m': a map of this name cannot be pinned"):
        load_spec(map_image(types, fields, name="../m"))


def test_inner_map() -> None:
    """`__array(values, struct {...})` is the definition of the inner map; values have 4 bytes."""
    spec = load(
        lambda t: [
            ("type", t.uint(BPF_MAP_TYPE_ARRAY_OF_MAPS)),
            ("max_entries", t.uint(3)),
            (
                "values",
                inner(
                    t,
                    ("type", t.uint(BPF_MAP_TYPE_HASH)),
                    ("max_entries", t.uint(7)),
                    ("key", t.pointer(INT)),
                    ("value", t.pointer(U64)),
                ),
            ),
        ]
    )
    assert (spec.value_size, spec.max_entries, spec.values) == (4, 3, {})
    assert isinstance(spec.inner, MapSpec)
    assert (spec.inner.name, spec.inner.map_type, spec.inner.max_entries) == ("m.inner", 1, 7)
    assert (spec.inner.key_type_id, spec.inner.value_type_id) == (INT, U64)
    assert (spec.inner.key_size, spec.inner.value_size) == (4, 8)
    twin = spec.copy()
    assert isinstance(twin.inner, MapSpec)
    twin.inner.max_entries = 8
    assert spec.inner.max_entries == 7


def test_program_array_with_a_prototype() -> None:
    """`__array(values, int (void *))` gives values of 4 bytes; without entries it can be loaded."""
    spec = load(
        lambda t: [
            ("type", t.uint(BPF_MAP_TYPE_PROG_ARRAY)),
            ("values", t.add(Array(t.add(Ptr(t.add(FuncProto(INT)))), INT, 0))),
        ]
    )
    assert (spec.value_size, spec.unsupported) == (4, "")


def test_copy_and_type() -> None:
    """A copy is independent; `type` is the enum, or the number where there is no name for it."""
    spec = load(lambda t: [("type", t.uint(1)), ("max_entries", t.uint(3))])
    twin = spec.copy()
    twin.max_entries = 5
    assert (spec.max_entries, spec.type.name) == (3, "HASH")  # type: ignore[union-attr]
    twin.type = 12345
    assert twin.type == 12345
    assert "max_entries=5" in repr(twin)


def test_int_types_are_not_carriers() -> None:
    """A member of an unexpected kind is told apart from a missing one."""
    with pytest.raises(FormatError, match=r"max_entries is not given by __uint\(\)"):
        load(lambda t: [("type", t.uint(1)), ("max_entries", t.add(Int("x", 4)))])
