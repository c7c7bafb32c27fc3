"""Parts of global variables in place: assignments write the bytes of a part and no others."""

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
    Union,
    array,
    bits,
    bool8,
    byte_array,
    char_array,
    dataclass,
    enum_of,
    f64,
    field,
    i16,
    pointer,
    u8,
    u16,
    u32,
    u64,
    u128,
)
from bpfgen_runtime.values.enums import CEnum


class Mode(CEnum):
    """An enum."""

    OFF = 0
    ON = 1


@dataclass(frozen=True, slots=True)
class Point(Struct):
    """struct point, 8 bytes."""

    SIZE = 8
    LAYOUT = (("x", 0, u32), ("y", 4, u32))
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class Swapped(Struct):
    """A struct of a big-endian object, 8 bytes."""

    SIZE = 8
    BYTE_ORDER = ">"
    LAYOUT = (("x", 0, u32), ("y", 4, array(u16, 2)))
    x: int = 0
    y: tuple[int, ...] = (0, 0)


@dataclass(frozen=True, slots=True)
class Either(Union):
    """union either, 8 bytes."""

    SIZE = 8
    LAYOUT = (("whole", 0, u64), ("parts", 0, array(u16, 4)))
    whole: int = field(default=0, kw_only=True)
    parts: tuple[int, ...] = field(default=(0,) * 4, kw_only=True)


@dataclass(frozen=True, slots=True)
class Stats(Struct):
    """struct stats, 120 bytes."""

    SIZE = 120
    UNIONS = ((88, 4),)
    LAYOUT = (
        ("count", 0, u64),
        ("flag", 8, bool8),
        ("mode", 12, enum_of(Mode, u32)),
        ("comm", 16, char_array(8)),
        ("mac", 24, byte_array(6)),
        ("odd", 31, u16),
        ("low", 34, bits(u8, 0, 3)),
        ("high", 34, bits(i16, 3, 5)),
        ("real", 40, f64),
        ("point", 48, Point),
        ("points", 56, array(Point, 2)),
        ("grid", 72, array(array(u16, 3), 2)),
        ("word", 88, u32),
        ("byte", 88, u8),
        ("either", 96, Either),
        ("wide", 104, u128),
    )
    count: int = 0
    flag: bool = False
    mode: Mode = Mode(0)
    comm: CharArray = CharArray()
    mac: bytes = bytes(6)
    odd: int = 0
    low: int = 0
    high: int = 0
    real: float = 0.0
    point: Point = Point()
    points: tuple[Point, ...] = (Point(),) * 2
    grid: tuple[tuple[int, ...], ...] = ((0,) * 3,) * 2
    word: int = field(default=0, kw_only=True)
    byte: int = field(default=0, kw_only=True)
    either: Either = Either()
    wide: int = 0


class Bss(DataSection):
    """.bss"""

    __slots__ = ()
    SIZE = 200

    stats: Global[Stats] = Global(Stats, 8)
    number: Global[int] = Global(u32, 128)
    where: Global[Address] = Global(pointer, 136)
    swapped: Global[Swapped] = Global(Swapped, 144)
    limit: Constant[Point] = Constant(Point, 152)
    table: Global[tuple[Point, ...]] = Global(array(Point, 5), 160)


def at(section: Bss) -> Any:
    parts: Any = section.at  # type: ignore[attr-defined]
    return parts


def set_in(get: Callable[[Any], Any], name: str | int, value: Any) -> Callable[[Bss], None]:
    """Make the function that assigns a member or an element."""

    def assign(section: Bss) -> None:
        target = get(at(section))
        if isinstance(name, int):
            target[name] = value
        else:
            setattr(target, name, value)

    return assign


def stats(parts: Any) -> Any:
    return parts.stats


# what is assigned, at which offset, which bytes
CASES: list[tuple[Callable[[Bss], None], int, bytes]] = [
    (set_in(stats, "count", 1 << 63), 8, struct.pack("<Q", 1 << 63)),
    (set_in(stats, "flag", True), 16, b"\1"),
    (set_in(stats, "mode", Mode.ON), 20, b"\1\0\0\0"),
    (set_in(stats, "comm", "bash"), 24, b"bash\0\0\0\0"),
    (set_in(stats, "mac", b"123456"), 32, b"123456"),
    (set_in(lambda p: p.stats.mac, 5, 7), 37, b"\7"),
    (set_in(stats, "odd", 0x1234), 39, b"\x34\x12"),
    (set_in(stats, "real", 0.5), 48, struct.pack("<d", 0.5)),
    (set_in(stats, "point", Point(1, 2)), 56, struct.pack("<2I", 1, 2)),
    (set_in(lambda p: p.stats.point, "y", 3), 60, b"\3\0\0\0"),
    (set_in(lambda p: p.stats.points, 1, Point(4, 5)), 72, struct.pack("<2I", 4, 5)),
    (set_in(lambda p: p.stats.points[-1], "x", 6), 72, b"\6\0\0\0"),
    (set_in(lambda p: p.stats.grid, 1, (1, 2, 3)), 86, struct.pack("<3H", 1, 2, 3)),
    (set_in(lambda p: p.stats.grid[1], 2, 9), 90, b"\x09\0"),
    (set_in(stats, "word", 0x01020304), 96, b"\4\3\2\1"),
    (set_in(stats, "byte", 5), 96, b"\5"),
    (set_in(lambda p: p.stats.either, "whole", 1), 104, b"\1\0\0\0\0\0\0\0"),
    (set_in(lambda p: p.stats.either.parts, 3, 1), 110, b"\1\0"),
    (set_in(stats, "wide", 1 << 64), 112, bytes(8) + b"\1" + bytes(7)),
    (set_in(lambda p: p.swapped, "x", 1), 144, b"\0\0\0\1"),
    (set_in(lambda p: p.swapped.y, 1, 1), 150, b"\0\1"),
    (set_in(lambda p: p.table, 4, Point(7, 8)), 192, struct.pack("<2I", 7, 8)),
    (set_in(lambda p: p, "table", (Point(1),) * 5), 160, struct.pack("<2I", 1, 0) * 5),
]


@pytest.mark.parametrize(("assign", "offset", "raw"), CASES)
@pytest.mark.parametrize("fill", [0, 0xFF])
def test_only_the_part_is_written(
    assign: Callable[[Bss], None], offset: int, raw: bytes, fill: int
) -> None:
    """An assignment writes the bytes of the part; all others stay what they were."""
    memory = mmap.mmap(-1, 200)
    memory[:] = bytes([fill]) * 200
    section = Bss(memory)
    assign(section)
    expected = bytearray([fill]) * 200
    expected[offset : offset + len(raw)] = raw
    assert memory[:] == expected


def test_parts_are_read() -> None:
    """A part reads as what the copy has there, without a copy of the rest."""
    section = Bss(bytearray(range(200)))
    copy, view = section.stats, at(section).stats
    assert view() == copy
    for name in ("count", "flag", "mode", "comm", "odd", "low", "high", "real", "word", "wide"):
        assert getattr(view, name) == getattr(copy, name)
        assert type(getattr(view, name)) is type(getattr(copy, name))
    assert view.point() == copy.point
    assert [each() for each in view.points] == list(copy.points)
    assert view.grid() == copy.grid
    assert view.grid[1]() == copy.grid[1]
    assert tuple(view.grid[-1]) == copy.grid[-1]
    assert view.mac() == tuple(copy.mac)
    assert view.either.parts() == copy.either.parts
    assert at(section).swapped.y[0] == section.swapped.y[0]
    assert (len(view.points), len(at(section).table)) == (2, 5)


def test_bitfields_keep_their_neighbours() -> None:
    """To assign a bitfield leaves the other bits of its bytes alone."""
    memory = bytearray(b"\xff" * 200)
    section = Bss(memory)
    at(section).stats.low = 0
    assert memory[42] == 0b11111000
    at(section).stats.high = 5
    assert memory[42] == 0b00101000
    with pytest.raises(
        OverflowError, match=r"bss\.stats\.high: 16 does not fit i16:5 \(-16 to 15\)"
    ):
        Bss(memory, name="bss").at.stats.high = 16  # type: ignore[attr-defined]
    assert memory[42] == 0b00101000


def test_views_see_later_changes() -> None:
    """A view is of the memory, not of its contents at some time."""
    section = Bss(bytearray(200))
    view = at(section).stats
    section.stats = Stats(count=5)
    assert view.count == 5
    view.count += 1
    assert section.stats.count == 6


@pytest.mark.parametrize(
    ("assign", "error", "message"),
    [
        (set_in(stats, "count", -1), OverflowError, r"^bss\.stats\.count: -1 does not fit u64"),
        (set_in(stats, "point", (1, 2)), TypeError, r"^bss\.stats\.point: needs Point, not tuple"),
        (set_in(lambda p: p.stats.grid[1], 2, "x"), TypeError, r"^bss\.stats\.grid\[1\]\[2\]: u16"),
        (set_in(lambda p: p.stats.grid, 2, (1, 2, 3)), IndexError, r"grid\[2\]: there are 2"),
        (set_in(stats, "nonsense", 1), AttributeError, "StatsView has no member 'nonsense'"),
        (set_in(lambda p: p, "number", 1), AttributeError, "no member 'number'"),
        (set_in(lambda p: p, "limit", Point()), AttributeError, r"limit is a constant"),
    ],
)
def test_refusals(assign: Callable[[Bss], None], error: type[Exception], message: str) -> None:
    """What cannot be assigned is refused by a message that names the part; nothing is written."""
    memory = bytearray(200)
    with pytest.raises(error, match=message):
        assign(Bss(memory, name="bss"))
    assert not any(memory)


def test_read_only_memory() -> None:
    """In read-only memory parts are read, and refuse assignments as constants do."""
    section = Bss(bytes(200), name="rodata")
    assert at(section).stats.count == 0
    for assign in (set_in(stats, "count", 1), set_in(stats, "low", 1)):
        with pytest.raises(AttributeError, match=r"rodata\.stats\.\w+ is a constant"):
            assign(section)


def test_closed() -> None:
    """A view does not keep the memory: after close each access is an error."""
    memory = mmap.mmap(-1, 200)
    section = Bss(memory, name="bss")
    view, items = at(section).stats, at(section).table
    section.close()
    memory.close()
    for use in (lambda: view.count, lambda: view(), lambda: items[0].x, lambda: view.low):
        with pytest.raises(ClosedError, match="the section is closed"):
            use()
    with pytest.raises(ClosedError):
        view.count = 1


def test_longer_section() -> None:
    """In a resized section the last array is as long as there is room, whole and in part."""
    section = Bss(bytearray(160 + 8 * 100))
    assert len(section.table) == 100
    at(section).table[99].y = 5
    assert section.table[99] == Point(0, 5)
    section.table = (Point(1, 1),) * 100
    assert at(section).table[50]() == Point(1, 1)
    with pytest.raises(ValueError, match="needs 100 values, not 5"):
        section.table = (Point(),) * 5
    assert section.stats == Stats()


def test_resize_needs_an_open_skeleton() -> None:
    """A section on its own, as after load, cannot be resized."""
    with pytest.raises(ClosedError, match="before load"):
        Bss(bytearray(200)).resize(5)
