"""Types, events and sections of an object become the classes of its module."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Btf, encode
from bpfgen_runtime.btf.types import (
    Array,
    BtfType,
    Const,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Int,
    Member,
    Ptr,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Volatile,
)
from bpfgen_runtime.errors import BpfError, BtfError, GenerateError, NotSupportedError
from bpfgen_runtime.values import Address, CharArray
from bpfgen_runtime.values import Struct as Value
from hypothesis import given
from hypothesis import strategies as st

from bpfgen.deflate import deflate
from bpfgen.generate import generate
from bpfgen.imports import Imports
from bpfgen.pytypes import PyType, Root, TypeTable
from tests.golden.regenerate import Case
from tests.support.elfwriter import STT_FUNC, ElfWriter
from tests.support.modules import load_module

U32 = Int("unsigned int", 4)


def table(types: list[BtfType], *roots: int, order: str = "<") -> TypeTable:
    """Make the table of BTF types (ids from 1), `roots` being what a module needs."""
    btf = Btf.parse(encode(types, byte_order=order))
    return TypeTable(btf, order, [Root(id, f"root{id}") for id in roots], set())


def use(types: list[BtfType], root: int, order: str = "<") -> PyType:
    made = table(types, root, order=order)
    return made.describe(root, Imports(made.names.values()))


SCALARS = [
    (Int("signed char", 1, encoding=1), "int", "i8"),
    (Int("char", 1, encoding=1), "int", "i8"),
    (Int("unsigned char", 1), "int", "u8"),
    (Int("short", 2, encoding=1), "int", "i16"),
    (U32, "int", "u32"),
    (Int("long long", 8, encoding=1), "int", "i64"),
    (Int("unsigned __int128", 16), "int", "u128"),
    (Int("_Bool", 1, encoding=4), "bool", "bool8"),
    (Float("float", 4), "float", "f32"),
    (Float("double", 8), "float", "f64"),
    (Float("half", 2), "bytes", "opaque(2)"),
    (Float("long double", 16), "bytes", "opaque(16)"),
    (Int("odd", 3), "bytes", "opaque(3)"),
    (Enum("later", 4), "int", "u32"),
    (Enum("small", 1, [Enumerator("A", 1)]), "Small", "enum_of(Small, u8)"),
    (Enum("sign", 4, [Enumerator("A", -1)], signed=True), "Sign", "enum_of(Sign, i32)"),
    (Enum64("big", 8, [Enumerator("A", 1 << 40)]), "Big", "enum_of(Big, u64)"),
    (Struct("flow_key", 4, [Member("a", 1, 0)]), "FlowKey", "FlowKey"),
    (Union("either", 4, [Member("a", 1, 0)]), "Either", "Either"),
    (Ptr(1), "Address", "pointer"),
    (Array(1, 1, 3), "tuple[int, ...]", "array(u32, 3)"),
]


@pytest.mark.parametrize(("type_", "annotation", "ctype"), SCALARS, ids=lambda x: str(x)[:24])
def test_types(type_: BtfType, annotation: str, ctype: str) -> None:
    """Each kind of C type has its Python type; what has none is opaque bytes of its size."""
    found = use([U32, type_], 2)
    assert (found.annotation, found.ctype) == (annotation, ctype)
    assert bool(found.note) == ctype.startswith("opaque")


@pytest.mark.parametrize("wrap", [Const, Volatile, lambda id: Typedef("other", id)])
def test_names_of_names_vanish(wrap: type[Const]) -> None:
    """Qualifiers and typedefs of types that have a name of their own leave no trace."""
    types = [U32, Struct("flow", 4, [Member("a", 1, 0)]), wrap(2), wrap(3), wrap(1)]
    assert use(types, 4).annotation == "Flow"
    assert use(types, 5).annotation == "int"


def test_big_endian_types() -> None:
    """In a big-endian object a type on its own says so, unless order does not matter to it."""
    types = [
        U32,
        Int("unsigned char", 1),
        Int("char", 1, encoding=1),
        Array(1, 1, 2),
        Array(2, 1, 2),
    ]
    types += [Array(3, 1, 2), Struct("flow", 4, [Member("a", 1, 0)]), Array(7, 1, 2), Ptr(1)]
    types += [Int("unsigned __int128", 16)]
    assert [use(types, id, ">").ctype for id in range(1, 11)] == [
        "be(u32)",
        "u8",
        "i8",
        "be(array(u32, 2))",
        "byte_array(2)",
        "char_array(2)",
        "Flow",
        "array(Flow, 2)",
        "be(pointer)",
        "be(u128)",
    ]


@pytest.mark.parametrize(
    ("enum", "storage", "values"),
    [
        (Enum("e", 4, [Enumerator("A", 0xFFFFFFFF)]), "i32", [-1]),
        (Enum("e", 4, [Enumerator("A", 0xFFFFFC18), Enumerator("B", 5)]), "i32", [-1000, 5]),
        (Enum("e", 4, [Enumerator("A", 1 << 31)]), "u32", [1 << 31]),
        (Enum("e", 1, [Enumerator("A", 0xFFFFFFFB), Enumerator("B", 100)]), "i8", [-5, 100]),
        (Enum("e", 1, [Enumerator("A", 200)]), "u8", [200]),
        (Enum("e", 2, [Enumerator("A", 1000), Enumerator("B", 1000)]), "u16", [1000, 1000]),
        (Enum64("e", 8, [Enumerator("A", (1 << 64) - 1)]), "u64", [(1 << 64) - 1]),
        (Enum64("e", 8, [Enumerator("A", -1)], signed=True), "i64", [-1]),
    ],
)
def test_signs_of_enums(enum: Enum, storage: str, values: list[int]) -> None:
    """Old BTF does not say that an enum is signed; its values do."""
    assert use([enum], 1).ctype == f"enum_of(E, {storage})"
    (made,) = table([enum], 1).enums()
    assert [value for _, value in made.members] == values


def test_signs_where_the_object_tells_them() -> None:
    """In BTF that tells signs, 0xffffffff of an unsigned enum is what it says."""
    types: list[BtfType] = [
        Enum("e", 4, [Enumerator("A", 0xFFFFFFFF)]),
        Enum("other", 4, [Enumerator("B", -1)], signed=True),
    ]
    assert use(types, 1).ctype == "enum_of(E, u32)"


def test_kptrs() -> None:
    """Pointers that the kernel manages get no field, nor do arrays of them."""
    types: list[BtfType] = [
        U32,
        Struct("value", 48, [Member("a", 3, 0), Member("b", 4, 64), Member("c", 6, 320)]),
        Ptr(5),
        Array(3, 1, 4),
        TypeTag("kptr", 1),
        Ptr(7),
        TypeTag("other", 1),
    ]
    (made,) = table(types, 2).structs(Imports(()))
    assert [field.name for field in made.fields] == ["c"]
    assert len(made.notes) == 2


GOLDEN_STRUCTS = ("bitfields", "enums", "layouts", "nested", "opaque", "scalars", "text", "unions")


@pytest.mark.parametrize("name", GOLDEN_STRUCTS)
def test_any_bytes_are_read(name: str) -> None:
    """Garbage, such as a bool of 2, an unknown enumerator or invalid text, never stops a read.

    What is read prints, hashes, and is written as bytes that read the same.
    """
    module = load_module(Case(name).module)
    noise = random.Random(name)
    structs = [
        cls
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, Value) and cls.__module__ == module.__name__
    ]
    assert structs
    for cls in structs:
        for raw in (b"\xff" * cls.SIZE, b"\2" * cls.SIZE, *map(noise.randbytes, [cls.SIZE] * 20)):
            value = cls.from_bytes(raw)
            assert cls.__name__ in repr(value)
            assert isinstance(hash(value), int)
            encoded = value.to_bytes()
            assert repr(cls.from_bytes(encoded)) == repr(value)
            assert cls.from_bytes(encoded).to_bytes() == encoded


def test_same_name_twice() -> None:
    """Different types of one name are both kept; the first in BTF keeps the name."""
    types = [
        U32,
        Struct("point", 4, [Member("x", 1, 0)]),
        Struct("point", 8, [Member("x", 1, 0), Member("y", 1, 32)]),
        Enum("point", 4, [Enumerator("A", 1)]),
        Struct("", 4, [Member("x", 1, 0)]),
        Typedef("point", 5),
    ]
    assert table(types, 6, 4, 3, 2).names == {2: "Point", 3: "Point2", 4: "Point3", 5: "Point4"}


def test_only_what_is_reached() -> None:
    """Types that nothing needs, and those behind pointers, get no class."""
    types = [
        U32,
        Struct("used", 24, [Member("next", 3, 0), Member("inner", 4, 64), Member("some", 5, 128)]),
        Ptr(2),
        Struct("inner", 8, [Member("pointer", 7, 0)]),
        Array(6, 1, 2),
        Struct("element", 4, [Member("a", 1, 0)]),
        Ptr(8),
        Struct("behind", 4, [Member("a", 1, 0)]),
        Struct("unused", 4, [Member("a", 1, 0)]),
    ]
    made = table(types, 2)
    assert set(made.names.values()) == {"Used", "Inner", "Element"}
    order = [each.name for each in made.structs(Imports(()))]
    assert order == ["Inner", "Element", "Used"]


def test_unnamed_types() -> None:
    """Types without a name are called after their typedef, else after where they are used."""
    types = [
        U32,
        Struct("", 4, [Member("a", 1, 0)]),
        Typedef("pair_t", 2),
        Typedef("other_pair", 3),
        Struct("outer", 8, [Member("inner", 6, 0), Member("mode", 7, 32)]),
        Struct("", 4, [Member("a", 1, 0)]),
        Enum("", 4, [Enumerator("ON", 1)]),
        Struct("", 4, [Member("a", 1, 0)]),
    ]
    made = table(types, 4, 5, 8)
    assert made.names == {2: "PairT", 5: "Outer", 6: "OuterInner", 7: "OuterMode", 8: "Root8"}


@pytest.mark.parametrize(
    "types",
    [
        [U32, Struct("loop", 4, [Member("self", 2, 0)])],
        [U32, Struct("loop", 4, [Member("selves", 3, 0)]), Array(2, 1, 1)],
        [U32, Struct("loop", 4, [Member("", 2, 0)])],
        [U32, Union("loop", 4, [Member("", 3, 0)]), Struct("other", 4, [Member("", 2, 0)])],
    ],
    ids=["contains itself", "array of itself", "anonymous", "anonymous, by turns"],
)
def test_impossible_structs(types: list[BtfType]) -> None:
    """A struct in itself, as no compiler lets it be, is an error, not a class."""
    with pytest.raises(BtfError, match="contains itself"):
        table(types, 2).structs(Imports(()))


@pytest.mark.parametrize(
    ("struct", "fields", "unions"),
    [
        (Struct("long", 4, [Member("a", 1, 0), Member("b", 1, 32)]), {"a": 0}, ()),
        (Struct("both", 8, [Member("a", 1, 0), Member("b", 1, 16)]), {"a": 0, "b": 2}, ((0, 8),)),
        (Struct("back", 8, [Member("a", 1, 32), Member("b", 1, 0)]), {"a": 4, "b": 0}, ()),
        (Struct("twice", 8, [Member("a", 1, 0), Member("a", 1, 32)]), {"a": 0, "a2": 4}, ()),
        (
            Struct("bits", 4, [Member("a", 1, 0, 9), Member("b", 1, 8, 4)]),
            {"a": 0, "b": 1},
            ((0, 4),),
        ),
    ],
    ids=["too long", "overlap", "backwards", "name twice", "overlapping bits"],
)
def test_odd_structs(
    struct: Struct, fields: dict[str, int], unions: tuple[tuple[int, int], ...]
) -> None:
    """Of a struct that no C compiler lays out, each member within it can still be read."""
    (made,) = table([U32, struct], 2).structs(Imports(()))
    assert {field.name: field.offset for field in made.fields} == fields
    assert made.unions == unions


def case_with(name: str, events: Mapping[str, str]) -> str:
    data = Case(name).object.read_bytes()
    return generate(data, file_name=f"{name}.bpf.o", events=events)


@pytest.mark.parametrize(
    "wanted", ["asked_event", "struct asked_event", "  struct asked_event ", "asked_event "]
)
def test_event_option(wanted: str) -> None:
    """A map's event type can be given with or without `struct`."""
    assert "unknown: RingBuf[AskedEvent]" in case_with("events", {"unknown": wanted})


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (
            {"nosuch": "asked_event"},
            "no map of the object; ring and perf buffers: tagged, asked",
        ),
        ({"unknown": "no_event"}, "no type 'no_event'; it has struct tagged_event"),
        ({"unknown": "no_event"}, "struct no_event *unused_no_event __attribute__((unused));"),
        ({"unknown": "enum asked_event"}, "no type 'enum asked_event'"),
        ({"unknown": "unsigned nothing"}, "no type 'unsigned nothing'"),
    ],
)
def test_wrong_event_option(events: dict[str, str], message: str) -> None:
    """An unknown map or type is an error that lists what there is and says what to do."""
    with pytest.raises(GenerateError) as caught:
        case_with("events", events)
    assert message in str(caught.value)


def test_event_of_keyed_map() -> None:
    """Maps of keys and values have no events."""
    with pytest.raises(GenerateError, match="'hash' is no ring or perf buffer"):
        case_with("maps", {"hash": "key"})


def test_big_endian_values() -> None:
    """The classes of a big-endian object read and write big-endian bytes; only load refuses it."""
    module = load_module(Case("bigendian").module)
    with module.Bigendian.open() as opened:
        header = opened.data.header
        assert (header.version, header.length, header.delta, header.after) == (4, 5, -2, 0xABC)
        assert header.word >> 24 == 0x45
        assert header.to_bytes() == b"\x45" + header.to_bytes()[1:4] + b"\xab\xc0\0\0"
        opened.data.at.header.length = 6
        assert opened.data.header.word >> 24 == 0x46
    record = module.Record(
        at=1, delta=-2, kind=module.Kind.KIND_B, ports=(3, 4), comm="abc", where=0xFFFF
    )
    raw = record.to_bytes()
    assert raw == bytes.fromhex(
        "0000000000000001 fffffffe 00001234 0003 0004 00000000 6162630000000000 000000000000ffff"
    )
    assert module.Record.from_bytes(raw) == record
    with module.Bigendian.open() as opened:
        assert opened.rodata.limit == 1
        assert opened.data.counts == (3, 4)
        opened.data.counts = (0x0102, 5)
        assert bytes(opened.spec.maps[".data"].contents)[8:].startswith(bytes(6) + b"\1\2")
        with pytest.raises(NotSupportedError, match="big-endian"):
            opened.load()
        assert opened.data.counts == (0x0102, 5)


def test_initial_values() -> None:
    """An open skeleton has the initial values of globals, of every shape and section."""
    module = load_module(Case("globals").module)
    with module.Globals.open() as opened:
        assert opened.rodata.config == module.Config(low=1, high=2, name="first")
        assert opened.rodata.answer == 42
        assert opened.rodata_limits.limits == (1, 2, 3)
        assert opened.data.port == 8080
        assert opened.data_stats.total == 5
        assert opened.bss.per_kind == (0, 0, 0, 0)
        assert not hasattr(opened.bss, "unseen")
        opened.rodata.config = module.Config(name="other")
        assert opened.rodata.config.name == b"other"


def test_values_of_every_scalar() -> None:
    """A struct of every scalar round-trips, and its zero is C's."""
    module = load_module(Case("scalars").module)
    zero = module.Scalars2()
    assert zero.to_bytes() == bytes(module.Scalars2.SIZE)
    full = module.Scalars2(
        s8=-128,
        u16=65535,
        s64=-(1 << 63),
        u128=(1 << 128) - 1,
        letter=65,
        flag=True,
        real32=0.5,
        level=module.Level.LEVEL_HIGH,
        color=module.ColorT(7),
        pointer=1 << 63,
    )
    again = module.Scalars2.from_bytes(full.to_bytes())
    assert again == full
    assert isinstance(again.pointer, Address)
    assert again.color.is_named is False


def test_text_and_bytes() -> None:
    """char is text, unsigned char bytes, signed char numbers."""
    module = load_module(Case("text").module)
    texts = module.Texts(
        comm="bash", lines=(CharArray("a"),) * 4, mac=b"\1\2\3\4\5\6", offsets=(-1, 0, 1)
    )
    again = module.Texts.from_bytes(texts.to_bytes())
    assert again == texts
    assert isinstance(again.comm, CharArray)
    assert str(again.comm) == "bash"
    with module.Text.open() as opened:
        assert str(opened.rodata.greeting) == "hello"
        opened.rodata.only_comm = "init"
        assert opened.rodata.only_comm == b"init"


def test_unions_and_bitfields_round_trip() -> None:
    """Unions keep all their bytes; padding and what the kernel manages are written zero."""
    module = load_module(Case("opaque").module)
    raw = bytes(range(64))
    mixed = module.Mixed.from_bytes(raw)
    padding = {4, 5, 6, 7, 34, 35, 57, 58, 59}
    expected = bytearray(0 if at in padding else at for at in raw)
    expected[53] &= 0xF0  # 4 bits without a name
    assert mixed.to_bytes() == expected
    assert mixed.v4 == int.from_bytes(raw[36:40], "little")
    assert mixed.v6 == raw[36:52]
    assert (mixed.a, mixed.b) == (raw[52] & 7, raw[52] >> 3)
    assert mixed.value.text == mixed.value.number.to_bytes(8, "little")
    assert module.Locked.from_bytes(b"\xff" * 24).to_bytes() == b"\0\0\0\0\xff\xff\xff\xff" + bytes(
        16
    )


def test_hostile_names(tmp_path: Path) -> None:
    """A file's name cannot break out of the strings and comments that it stands in."""
    data = Case("minimal").object.read_bytes()
    name = 'a"""\nimport os\n"\\N{x}\'#.bpf.o'
    text = generate(data, file_name=name)
    path = tmp_path / "hostile_skel.py"
    path.write_text(text)
    module = load_module(path)
    assert not hasattr(module, "os")
    assert module.__doc__.splitlines()[0].startswith('Skeleton of a"""')


def test_hostile_object(tmp_path: Path) -> None:
    """Names of sections and functions in an object cannot become code in its module."""
    elf = ElfWriter()
    text = elf.code('tp/x")\nimport os\n#\\', bytes.fromhex("b700000000000000 9500000000000000"))
    elf.symbol('f"\nimport os\n', text, size=16, type=STT_FUNC)
    elf.section(".BTF", encode([U32]))
    path = tmp_path / "hostile_skel.py"
    path.write_text(generate(elf.build(), file_name="hostile.bpf.o"))
    module = load_module(path)
    assert not hasattr(module, "os")
    assert module.HostilePrograms.MEMBERS[0][:2] == ("f_import_os_", 'f"\nimport os\n')


@given(
    st.binary(max_size=2000) | st.lists(st.sampled_from([b"ab", b"\0" * 9, b"abc"])).map(b"".join)
)
def test_deflate(data: bytes) -> None:
    """What is compressed here, zlib unpacks."""
    assert zlib.decompress(deflate(data)) == data


def test_deflate_is_no_larger_than_zlib() -> None:
    """It packs an object about as well as zlib, and always into the same bytes."""
    data = Case("names").object.read_bytes()
    assert len(deflate(data)) < 1.1 * len(zlib.compress(data, 9))
    assert zlib.crc32(deflate(b"bpf" * 1000 + bytes(range(256)))) == 523403773


@pytest.mark.parametrize("size", [300, 70_000, 300_000])
def test_deflate_of_long_runs(size: int) -> None:
    """Matches, windows and blocks longer than the format's limits are split."""
    data = b"".join(i.to_bytes(2, "big") for i in range(size // 5)) + bytes(size // 2)
    assert zlib.decompress(deflate(data)) == data


def test_damaged_module(tmp_path: Path) -> None:
    """A module whose embedded object is damaged says so, and what to do, once it is read."""
    text = Case("minimal").module.read_text()
    head, mark, rest = text.partition('image="""\n')
    path = tmp_path / "damaged_skel.py"
    path.write_text(f"{head}{mark}{rest[8:]}")
    opened = load_module(path).Minimal.open()  # by the plan, without reading the object
    with pytest.raises(BpfError, match="generate it again"):
        opened.spec.inflate()


def test_module_of_another_abi(tmp_path: Path) -> None:
    """A module of an unknown ABI is refused first of all, with the command that remakes it."""
    text = Case("minimal").module.read_text()
    text = text.replace("abi=1", "abi=99").replace("import EmbeddedObject", "import Nothing")
    path = tmp_path / "future_skel.py"
    path.write_text(text)
    with pytest.raises(NotSupportedError) as caught:
        load_module(path)
    assert "bpfgen skeleton minimal.bpf.o" in str(caught.value)
    assert "99" in str(caught.value)
