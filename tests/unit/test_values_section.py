"""Global variables over a section's memory."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from typing import Any

import pytest
from bpfgen_runtime.errors import ClosedError
from bpfgen_runtime.values import (
    Address,
    CharArray,
    Constant,
    DataSection,
    Global,
    Struct,
    array,
    be,
    bool8,
    char_array,
    dataclass,
    f32,
    i8,
    i64,
    pointer,
    u8,
    u16,
    u32,
    u64,
    u128,
)


@dataclass(frozen=True, slots=True)
class Point(Struct):
    """struct point, 8 bytes."""

    SIZE = 8
    LAYOUT = (("x", 0, u32), ("y", 4, u32))

    x: int = 0
    y: int = 0


class Bss(DataSection):
    """.bss"""

    __slots__ = ()

    byte: Global[int] = Global(u8, 1)
    flag: Global[bool] = Global(bool8, 2)
    signed: Global[int] = Global(i8, 3)
    word: Global[int] = Global(u32, 4)
    long: Global[int] = Global(u64, 8)
    negative: Global[int] = Global(i64, 16)
    real: Global[float] = Global(f32, 24)
    odd: Global[int] = Global(u16, 29)
    where: Global[Address] = Global(pointer, 32)
    wide: Global[int] = Global(u128, 40)
    point: Global[Point] = Global(Point, 56)
    points: Global[tuple[Point, ...]] = Global(array(Point, 2), 64)
    text: Global[CharArray] = Global(char_array(8), 80)
    swapped: Global[int] = Global(be(u32), 88)
    limit: Constant[int] = Constant(u32, 92)
    spot: Constant[Point] = Constant(Point, 96)


SIZE = 105  # no multiple of anything

# variable, value, offset, format
CASES: list[tuple[str, Any, int, bytes]] = [
    ("byte", 255, 1, b"\xff"),
    ("flag", True, 2, b"\1"),
    ("signed", -1, 3, b"\xff"),
    ("word", 0xDEADBEEF, 4, struct.pack("<I", 0xDEADBEEF)),
    ("long", 1 << 63, 8, struct.pack("<Q", 1 << 63)),
    ("negative", -(1 << 63), 16, struct.pack("<q", -(1 << 63))),
    ("real", 0.5, 24, struct.pack("<f", 0.5)),
    ("odd", 0x1234, 29, b"\x34\x12"),
    ("where", Address(0xFFFF800000000000), 32, struct.pack("<Q", 0xFFFF800000000000)),
    ("wide", 1 << 127, 40, (1 << 127).to_bytes(16, "little")),
    ("point", Point(1, 2), 56, struct.pack("<II", 1, 2)),
    ("points", (Point(1, 2), Point(3, 4)), 64, struct.pack("<4I", 1, 2, 3, 4)),
    ("text", CharArray("hello"), 80, b"hello\0\0\0"),
    ("swapped", 1, 88, b"\0\0\0\1"),
]


@pytest.fixture(params=["bytearray", "mmap"])
def memory(request: pytest.FixtureRequest) -> Any:
    """The memory of a section before load, and after."""
    return bytearray(SIZE) if request.param == "bytearray" else mmap.mmap(-1, SIZE)


@pytest.mark.parametrize(("name", "value", "offset", "raw"), CASES, ids=[case[0] for case in CASES])
def test_variable(name: str, value: Any, offset: int, raw: bytes, memory: Any) -> None:
    """A variable reads and writes its own bytes, as a value of its type, and no others."""
    section = Bss(memory)
    zero = getattr(section, name)
    setattr(section, name, value)
    expected = bytearray(SIZE)
    expected[offset : offset + len(raw)] = raw
    assert bytes(memory[:]) == expected
    assert getattr(section, name) == value
    assert type(getattr(section, name)) is type(value)
    memory[offset : offset + len(raw)] = bytes(len(raw))
    assert getattr(section, name) == zero


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("word", -1, OverflowError, r"\.bss\.word: -1 does not fit u32"),
        ("word", "x", TypeError, r"\.bss\.word: u32 needs an int, not str"),
        ("odd", 1 << 16, OverflowError, r"\.bss\.odd: 65536 does not fit u16"),
        ("real", 1e39, OverflowError, r"\.bss\.real: 1e\+39 does not fit float"),
        ("wide", -1, OverflowError, r"\.bss\.wide: -1 does not fit u128"),
        ("point", Point(-1), OverflowError, r"\.bss\.point: Point\.x: -1 does not fit"),
        ("point", (1, 2), TypeError, r"\.bss\.point: needs Point, not tuple"),
        ("points", (Point(),), ValueError, r"\.bss\.points: .* needs 2 values, not 1"),
        ("text", "too long!", ValueError, r"\.bss\.text: 9 bytes do not fit char\[8\]"),
    ],
)
def test_refusal(name: str, value: Any, error: type[Exception], message: str) -> None:
    """What does not fit is refused by a message that names the variable; nothing is written."""
    memory = bytearray(SIZE)
    section = Bss(memory, name=".bss")
    with pytest.raises(error, match=message):
        setattr(section, name, value)
    assert not any(memory)


def test_bool_of_any_byte() -> None:
    """A bool that a program set to another byte than 1 is True."""
    assert Bss(bytearray(b"\x80" * SIZE)).flag is True


@pytest.mark.parametrize(("name", "value"), [("limit", 5), ("spot", Point(1, 2))])
def test_constant(name: str, value: Any) -> None:
    """A constant is read, and refuses assignment with a sentence that says what to do."""
    memory = bytearray(SIZE)
    offset = {"limit": 92, "spot": 96}[name]
    memory[offset : offset + 8] = (
        struct.pack("<II", 5, 0) if name == "limit" else b"\1\0\0\0\2\0\0\0"
    )
    section = Bss(memory, name=".rodata")
    assert getattr(section, name) == value
    with pytest.raises(AttributeError, match=rf"rodata\.{name} is a constant: .* set before load"):
        setattr(section, name, value)


@pytest.mark.parametrize("name", ["word", "point"])
def test_read_only_memory(name: str) -> None:
    """Variables in read-only memory refuse assignment like constants."""
    section = Bss(bytes(SIZE))
    with pytest.raises(AttributeError, match=f"Bss.{name} is a constant"):
        setattr(section, name, getattr(section, name))


@pytest.mark.parametrize(
    "use",
    [
        lambda section: section.word,
        lambda section: section.point,
        lambda section: section.flag,
        lambda section: setattr(section, "word", 1),
        lambda section: setattr(section, "text", "x"),
    ],
)
def test_closed(use: Callable[[Bss], Any]) -> None:
    """After close each access is a ClosedError that names the variable."""
    section = Bss(bytearray(SIZE), name=".bss")
    section.close()
    section.close()
    with pytest.raises(ClosedError, match=r"\.bss\.\w+: the section is closed"):
        use(section)
    assert repr(section) == "<.bss, closed>"


def test_close_lets_the_memory_go() -> None:
    """A closed section's memory can be unmapped at once."""
    memory = mmap.mmap(-1, SIZE)
    section = Bss(memory)
    section.word = 1
    with pytest.raises(BufferError):
        memory.close()
    section.close()
    memory.close()


def test_unknown_variable() -> None:
    """A misspelt variable is an error, not a new attribute."""
    with pytest.raises(AttributeError, match="wrod"):
        Bss(bytearray(SIZE)).wrod = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", range(1, 17))
def test_small_section(size: int) -> None:
    """A section of any size holds variables up to its last byte."""

    class Small(DataSection):
        __slots__ = ()
        last: Global[int] = Global(u8, size - 1)

    section = Small(bytearray(size))
    section.last = 7
    assert section.last == 7


def test_repr_shows_the_values() -> None:
    """A section prints as its variables and their values, inherited ones too."""

    class Base(DataSection):
        __slots__ = ()
        a: Global[int] = Global(u32, 0)

    class More(Base):
        __slots__ = ()
        b: Global[bool] = Global(bool8, 4)

    section = More(bytearray(5))
    section.a = 3
    assert repr(section) == "More(a=3, b=False)"
