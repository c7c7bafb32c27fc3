"""Struct classes: frozen dataclasses to everyone who asks, exact to the byte."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import struct
import sys
from typing import TYPE_CHECKING, Any

import pytest
from bpfgen_runtime.values import (
    CharArray,
    CType,
    Struct,
    array,
    as_ctype,
    be,
    byte_array,
    char_array,
    dataclass,
    enum_of,
    i32,
    i128,
    u8,
    u16,
    u32,
    u64,
    u128,
)
from bpfgen_runtime.values.enums import CEnum
from hypothesis import given
from hypothesis import strategies as st


class Kind(CEnum):
    """An enum."""

    NONE = 0
    FILE = 1


@dataclass(frozen=True, slots=True)
class Inner(Struct):
    """struct inner, 8 bytes, 2 of them padding."""

    SIZE = 8
    LAYOUT = (("a", 0, u32), ("b", 4, u16))

    a: int = 0
    b: int = 0


@dataclass(frozen=True, slots=True)
class Event(Struct):
    """struct event, 72 bytes."""

    SIZE = 72
    LAYOUT = (
        ("ts", 0, u64),
        ("pid", 8, u32),
        ("kind", 12, enum_of(Kind, u32)),
        ("comm", 16, char_array(16)),
        ("inner", 32, Inner),
        ("counts", 40, array(u32, 4)),
        ("mac", 56, byte_array(6)),
        ("lock", 64, u32),
    )

    ts: int = 0
    pid: int = 0
    kind: Kind = Kind(0)
    comm: CharArray = CharArray()
    inner: Inner = Inner()
    counts: tuple[int, ...] = (0, 0, 0, 0)
    mac: bytes = bytes(6)

    if TYPE_CHECKING:

        def __init__(
            self,
            ts: int = ...,
            pid: int = ...,
            kind: Kind = ...,
            comm: CharArray | str | bytes = ...,
            inner: Inner = ...,
            counts: tuple[int, ...] = ...,
            mac: bytes = ...,
        ) -> None: ...


NO_TEXT, NO_INNER = CharArray(), Inner()


@dataclasses.dataclass(frozen=True)
class RealEvent:
    """The same by the standard library, to compare with."""

    ts: int = 0
    pid: int = 0
    kind: Kind = Kind.NONE
    comm: CharArray = NO_TEXT
    inner: Inner = NO_INNER
    counts: tuple[int, ...] = (0, 0, 0, 0)
    mac: bytes = bytes(6)


EVENT = Event(5, 7, Kind.FILE, "bash", Inner(1, 2), (1, 2, 3, 4), b"\1\2\3\4\5\6")
RAW = struct.pack("<QII16sIH2x4I6s10x", 5, 7, 1, b"bash", 1, 2, 1, 2, 3, 4, b"\1\2\3\4\5\6")


def struct_class(name: str, namespace: dict[str, Any], base: type[Struct] = Struct) -> Any:
    """Make a struct class as a class statement does."""
    metaclass: Any = type(Struct)
    return metaclass(name, (base,), {"__module__": __name__, "__qualname__": name, **namespace})


def fresh() -> Any:
    """Make a class like Event none of whose methods is compiled yet."""
    return struct_class("Event", {}, Event)


def test_bytes_of_struct() -> None:
    """A struct encodes with zero padding and decodes to an equal one of the very class."""
    assert EVENT.to_bytes() == RAW
    assert Event.from_bytes(RAW) == EVENT
    assert type(Event.from_bytes(RAW)) is Event
    assert type(Event.from_bytes(RAW).inner) is Inner


def test_default_is_zero() -> None:
    """Without arguments a struct is C's `{}`."""
    assert Event().to_bytes() == bytes(72)
    assert Event.from_bytes(bytes(72)) == Event()


def test_hidden_entry_is_padding() -> None:
    """Bytes of a layout entry that is no field are ignored when decoded and zero when encoded."""
    assert Event.from_bytes(RAW[:64] + b"\xff" * 8).to_bytes() == RAW


def test_longer_buffer() -> None:
    """What follows the struct is ignored; an offset says where it begins."""
    assert Event.from_bytes(RAW + b"tail") == EVENT
    assert Event.from_bytes(memoryview(b"head" + RAW), 4) == EVENT


def test_short_buffer() -> None:
    """A buffer that is too short is a ValueError that names the struct and both sizes."""
    with pytest.raises(ValueError, match="Event needs 72 bytes, the buffer has 71"):
        Event.from_bytes(RAW[:-1])


def test_iter_unpack() -> None:
    """A buffer of whole records is decoded one by one; any other is refused at once."""
    other = dataclasses.replace(EVENT, pid=9)
    assert list(Event.iter_unpack(RAW + other.to_bytes())) == [EVENT, other]
    with pytest.raises(ValueError, match="100 bytes are not whole records of Event"):
        Event.iter_unpack(bytes(100))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"pid": -1}, OverflowError, r"Event\.pid: -1 does not fit u32 \(0 to 4294967295\)"),
        ({"pid": 1.5}, TypeError, r"Event\.pid: u32 needs an int, not float"),
        ({"comm": "x" * 17}, ValueError, r"Event\.comm: 17 bytes do not fit char\[16\]"),
        ({"inner": Inner(b=1 << 16)}, OverflowError, r"Event\.inner: Inner\.b: 65536 does not"),
        ({"inner": None}, TypeError, r"Event\.inner: needs Inner, not NoneType"),
        ({"counts": (1, 2, 3)}, ValueError, r"Event\.counts: u32\[4\] needs 4 values, not 3"),
        ({"counts": (1, 2, 3, "4")}, TypeError, r"Event\.counts: \[3\]: u32 needs an int"),
        ({"mac": b"12345"}, ValueError, r"Event\.mac: .* needs 6 bytes, not 5"),
        ({"kind": 1 << 32}, OverflowError, r"Event\.kind: 4294967296 does not fit enum Kind"),
    ],
)
def test_refusal_names_the_field(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    """What does not fit is refused on encoding, by a message that names the field."""
    event = Event(**change)
    with pytest.raises(error, match=message):
        event.to_bytes()


def test_text_is_coerced() -> None:
    """str, bytes and a tail of NULs all make the same char array on construction."""
    assert Event(comm="bash") == Event(comm=b"bash\0\0") == Event(comm=CharArray("bash"))
    assert type(Event(comm=b"bash").comm) is CharArray


def test_arguments_as_of_a_function() -> None:
    """The constructor takes positional and keyword arguments and refuses others like any."""
    assert Event(1, pid=2) == Event(ts=1, pid=2)
    for arguments, keywords in (((1,), {"ts": 2}), ((), {"nope": 1}), ((0,) * 8, {})):
        with pytest.raises(TypeError, match="argument"):
            Event(*arguments, **keywords)  # type: ignore[arg-type]


def test_frozen() -> None:
    """Fields cannot be assigned or deleted, nor others added."""
    for name in ("pid", "nope"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=name):
            setattr(EVENT, name, 1)
        with pytest.raises(dataclasses.FrozenInstanceError, match=name):
            delattr(EVENT, name)
    assert not hasattr(EVENT, "__dict__")
    decoded = Event.from_bytes(RAW)
    with pytest.raises(dataclasses.FrozenInstanceError):
        decoded.pid = 1  # type: ignore[misc]


def test_behaves_as_real_dataclass() -> None:
    """Representation, fields, parameters and conversions are those of the real thing."""
    values = {field.name: getattr(EVENT, field.name) for field in dataclasses.fields(EVENT)}
    real = RealEvent(**values)
    assert repr(EVENT) == repr(real).replace("RealEvent", "Event")
    assert dataclasses.is_dataclass(Event)
    assert dataclasses.is_dataclass(EVENT)
    assert Event.__match_args__ == RealEvent.__match_args__
    assert Event.__dataclass_params__.frozen  # type: ignore[attr-defined]
    for ours, theirs in zip(dataclasses.fields(Event), dataclasses.fields(RealEvent), strict=True):
        assert (ours.name, ours.type, ours.default) == (theirs.name, theirs.type, theirs.default)
    assert dataclasses.astuple(EVENT) == dataclasses.astuple(real)
    assert dataclasses.asdict(EVENT) == dataclasses.asdict(real)
    assert hash(EVENT) == hash(tuple(values.values()))


def test_signature() -> None:
    """The signature is the real one, before and after the first use."""
    parameters = inspect.signature(RealEvent).parameters
    for cls in (fresh(), Event):
        assert [str(p) for p in inspect.signature(cls).parameters.values()] == [
            str(p) for p in parameters.values()
        ]


def test_equality() -> None:
    """Structs are equal by their values within one class only."""

    @dataclass(frozen=True, slots=True)
    class Other(Struct):
        SIZE = 8
        LAYOUT = (("a", 0, u32), ("b", 4, u16))
        a: int = 0
        b: int = 0

    assert Inner(1, 2) == Inner(1, 2) != Inner(2, 1)
    assert Inner(1, 2) != Other(1, 2)
    assert Inner(1, 2) != (1, 2)
    assert len({Inner(1, 2), Inner(1, 2), Inner(2, 1)}) == 2


def test_copies() -> None:
    """Copies, pickles and replacements are equal, frozen, of the same class."""
    for same in (copy.copy(EVENT), copy.deepcopy(EVENT), dataclasses.replace(EVENT)):
        assert same == EVENT
        assert type(same) is Event
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(EVENT, protocol)) == EVENT
    assert dataclasses.replace(EVENT, comm="sh").comm == b"sh"  # type: ignore[arg-type]
    if sys.version_info >= (3, 13):
        assert copy.replace(EVENT, pid=1) == dataclasses.replace(EVENT, pid=1)


def test_match() -> None:
    """Structs match by position and by name."""
    match EVENT:
        case Event(5, pid, inner=Inner(b=b)):
            assert (pid, b) == (7, 2)
        case _:
            pytest.fail("no match")


@pytest.mark.parametrize(
    "use",
    [
        lambda cls: cls(1, comm="x"),
        lambda cls: cls(),
        lambda cls: cls.from_bytes(RAW),
        lambda cls: next(cls.iter_unpack(RAW)),
        lambda cls: dataclasses.fields(cls),
        lambda cls: hash(cls()),
        lambda cls: repr(cls()),
        lambda cls: cls().to_bytes(),
    ],
)
def test_any_use_may_be_the_first(use: Any) -> None:
    """Methods are compiled when first used, whichever comes first; the second use is the same."""
    cls = fresh()
    first = use(cls)
    assert repr(use(cls)) == repr(first)


def test_subclass_with_methods() -> None:
    """A subclass decodes to itself, and may have methods and a constructor of its own."""

    class Named(Event):
        def __init__(self, name: str) -> None:
            super().__init__(comm=name, pid=1)

        def text(self) -> str:
            return f"{self.pid}:{self.comm}"

    assert Named("x").text() == "1:x"
    assert type(Named.from_bytes(RAW)) is Named
    assert Named.from_bytes(RAW).text() == "7:bash"
    assert Named("x").to_bytes() == Event(comm="x", pid=1).to_bytes()
    assert type(Event.from_bytes(RAW)) is Event
    assert Named("x") == Named("x") != Event(comm="x", pid=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Named("x").pid = 2  # type: ignore[misc]


def test_subclass_with_another_base() -> None:
    """A subclass that has a `__dict__` by another base decodes and constructs as well."""

    class Mixin:
        def double(self) -> int:
            return 2 * self.pid  # type: ignore[attr-defined, no-any-return]

    class Mixed(Mixin, Event):
        pass

    assert Mixed(pid=3).double() == 6
    assert Mixed.from_bytes(RAW).double() == 14


def test_packed_and_misaligned() -> None:
    """Fields may be at any offset."""

    @dataclass(frozen=True, slots=True)
    class Packed(Struct):
        SIZE = 19
        LAYOUT = (("a", 0, u8), ("b", 1, u64), ("c", 9, u16), ("d", 13, u32))
        a: int = 0
        b: int = 0
        c: int = 0
        d: int = 0

    value = Packed(1, 2, 3, 4)
    assert value.to_bytes() == struct.pack("<BQH2xI2x", 1, 2, 3, 4)
    assert Packed.from_bytes(value.to_bytes()) == value


def test_fields_in_any_order() -> None:
    """The constructor's order is that of the fields, whatever the layout's."""

    @dataclass(frozen=True, slots=True)
    class Swapped(Struct):
        SIZE = 8
        LAYOUT = (("second", 4, u32), ("first", 0, u32))
        second: int = 0
        first: int = 0

    assert Swapped(2, 1).to_bytes() == struct.pack("<II", 1, 2)
    assert Swapped.from_bytes(struct.pack("<II", 1, 2)) == Swapped(second=2, first=1)


def test_overlapping_fields() -> None:
    """Fields over the same bytes are each decoded where they are, also inside other structs."""

    @dataclass(frozen=True, slots=True)
    class Overlay(Struct):
        SIZE = 8
        LAYOUT = (("word", 0, u64), ("low", 0, u32), ("half", 2, u16))
        word: int = 0
        low: int = 0
        half: int = 0

    @dataclass(frozen=True, slots=True)
    class Around(Struct):
        SIZE = 24
        LAYOUT = (("a", 0, u8), ("overlays", 8, array(Overlay, 2)))
        a: int = 0
        overlays: tuple[Overlay, ...] = (Overlay(),) * 2

    raw = bytes(range(1, 9))
    overlay = Overlay.from_bytes(raw)
    assert (overlay.word, overlay.low, overlay.half) == (
        int.from_bytes(raw, "little"),
        0x04030201,
        0x0403,
    )
    assert overlay.to_bytes() == raw
    assert next(Overlay.iter_unpack(raw)) == overlay
    around = Around(1, (overlay, overlay))
    assert Around.from_bytes(around.to_bytes()) == around


def test_big_endian() -> None:
    """BYTE_ORDER holds for all fields of a struct and for the structs in it that have it too."""

    @dataclass(frozen=True, slots=True)
    class Big(Struct):
        SIZE = 8
        BYTE_ORDER = ">"
        LAYOUT = (("a", 0, u32), ("b", 4, u16))
        a: int = 0
        b: int = 0

    @dataclass(frozen=True, slots=True)
    class Outer(Struct):
        SIZE = 92
        BYTE_ORDER = ">"
        LAYOUT = (
            ("big", 0, Big),
            ("little", 8, Inner),
            ("array", 16, array(u16, 2)),
            ("wide", 24, u128),
            ("signed", 40, i128),
            ("many", 56, array(array(u16, 2), 9)),
        )
        big: Big = Big()
        little: Inner = Inner()
        array: tuple[int, ...] = (0, 0)
        wide: int = 0
        signed: int = 0
        many: tuple[tuple[int, ...], ...] = ((0, 0),) * 9

    value = Outer(Big(1, 2), Inner(3, 4), (5, 6), 7 << 70, -8, ((9, 10),) * 9)
    raw = struct.pack(">IHxxx", 1, 2)[:8] + struct.pack("<IH2x", 3, 4) + struct.pack(">HH4x", 5, 6)
    raw += (7 << 70).to_bytes(16, "big") + (-8).to_bytes(16, "big", signed=True)
    raw += struct.pack(">18H", *(9, 10) * 9)
    assert value.to_bytes() == raw
    assert Outer.from_bytes(raw) == value
    with pytest.raises(OverflowError, match=r"Outer\.wide: .* does not fit u128"):
        Outer(wide=1 << 128).to_bytes()
    with pytest.raises(OverflowError, match=r"Outer\.big: Big\.b: 65536"):
        Outer(big=Big(b=65536)).to_bytes()
    assert as_ctype(Outer) is be(Outer)


def test_empty_struct() -> None:
    """A struct without fields or bytes, and an array of it, are what they are in GNU C."""

    @dataclass(frozen=True, slots=True)
    class Empty(Struct):
        SIZE = 0
        LAYOUT = ()

    @dataclass(frozen=True, slots=True)
    class Holder(Struct):
        SIZE = 4
        LAYOUT = (("few", 0, array(Empty, 2)), ("many", 0, array(Empty, 100)), ("a", 0, u32))
        few: tuple[Empty, ...] = (Empty(),) * 2
        many: tuple[Empty, ...] = (Empty(),) * 100
        a: int = 0

    assert Empty().to_bytes() == b""
    assert Empty.from_bytes(b"") == Empty()
    assert repr(Empty()).endswith("Empty()")
    assert Holder.from_bytes(Holder(a=5).to_bytes()) == Holder(a=5)


def test_one_field() -> None:
    """A struct of one field compares, hashes and prints by it."""

    @dataclass(frozen=True, slots=True)
    class One(Struct):
        SIZE = 4
        LAYOUT = (("a", 0, i32),)
        a: int = 0

    assert One(1) == One(1) != One(2)
    assert repr(One(-1)).endswith("One(a=-1)")
    assert One.from_bytes(One(-1).to_bytes()) == One(-1)


def test_field_names_like_ours() -> None:
    """Fields may have the names that the compiled code is made of."""
    names = ["self", "cls", "value", "buffer", "offset", "refused", "tuples", "g0", "v1", "out"]
    layout = tuple((name, i, u8) for i, name in enumerate(names))
    namespace: dict[str, Any] = {"SIZE": len(names), "LAYOUT": layout}
    namespace["__annotations__"] = dict.fromkeys(names, "int")
    cls = struct_class("Names", namespace)
    value = cls(*range(len(names)))
    assert value.to_bytes() == bytes(range(len(names)))
    assert cls.from_bytes(value.to_bytes()) == value


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ((("a", 5, u32),), r"Wrong\.a ends after the struct's 8 bytes"),
        ((("a", -1, u32),), r"Wrong\.a ends after"),
        ((("b", 0, u32),), r"Wrong\.LAYOUT does not say where 'a' is"),
        ((("a", 0, int),), "neither a CType nor a Struct class"),
    ],
)
def test_wrong_layout(layout: Any, message: str) -> None:
    """A layout that cannot be is a TypeError at first use that names struct and field."""
    namespace = {"SIZE": 8, "LAYOUT": layout, "__annotations__": {"a": "int"}}
    cls = struct_class("Wrong", namespace)
    with pytest.raises(TypeError, match=message):
        cls.from_bytes(bytes(8))


def test_decorator_is_for_structs_only() -> None:
    """The stand-in refuses other classes and other options."""
    with pytest.raises(TypeError, match=r"frozen=True, slots=True"):
        dataclass(frozen=True)
    with pytest.raises(TypeError, match="is no Struct"):
        dataclass(frozen=True, slots=True)(int)


def test_field_without_default() -> None:
    """A field may have no default if none before it has one."""

    @dataclass(frozen=True, slots=True)
    class Required(Struct):
        SIZE = 8
        LAYOUT = (("a", 0, u32), ("b", 4, u32))
        a: int
        b: int = 2

    assert Required(1).b == 2
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Required()  # type: ignore[call-arg]


SCALARS = {"B": u8, "H": u16, "I": u32, "Q": u64}


@st.composite
def layouts(draw: st.DrawFn) -> tuple[str, list[tuple[int, str, int]], int]:
    """Draw a byte order, fields (offset, code, count: 0 for no array), and a size."""
    fields, end = [], 0
    for _ in range(draw(st.integers(1, 12))):
        offset = end + draw(st.integers(0, 5))
        code = draw(st.sampled_from("BHIQs"))
        count = (
            draw(st.sampled_from([0, 1, 3, 64, 65])) if code != "s" else draw(st.integers(0, 20))
        )
        fields.append((offset, code, count))
        end = offset + max(count, 1 if code != "s" else 0) * struct.calcsize("<" + code)
    return draw(st.sampled_from("<>")), fields, end + draw(st.integers(0, 7))


@given(layouts(), st.data())
def test_any_layout(
    drawn: tuple[str, list[tuple[int, str, int]], int], data: st.DataObject
) -> None:
    """A struct of any layout holds each field where the layout says, and nothing in between."""
    order, fields, size = drawn
    layout, expected = [], bytearray(size)
    raw = data.draw(st.binary(min_size=size, max_size=size))
    for index, (offset, code, count) in enumerate(fields):
        ctype: CType[Any]
        if code == "s":
            ctype = byte_array(count)
        else:
            ctype = array(SCALARS[code], count) if count else SCALARS[code]
        layout.append((f"f{index}", offset, ctype))
        expected[offset : offset + ctype.size] = raw[offset : offset + ctype.size]
    namespace = {
        "SIZE": size,
        "LAYOUT": tuple(layout),
        "BYTE_ORDER": order,
        "__annotations__": {name: "int" for name, _, _ in layout},
    }
    cls = struct_class("Any", namespace)
    value = cls.from_bytes(raw)
    assert value.to_bytes() == expected
    if size:
        assert list(cls.iter_unpack(raw * 2)) == [value] * 2
    for name, (offset, code, count) in zip(cls.__match_args__, fields, strict=True):
        number = count if code == "s" else count or 1
        unpacked = struct.unpack_from(f"{order}{number}{code}", raw, offset)
        assert getattr(value, name) == (unpacked if count and code != "s" else unpacked[0])
