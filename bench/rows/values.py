"""C values: structs to dataclasses and back, globals; against the plain Python for the same."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import make_dataclass
from typing import Any

from bpfgen_runtime.values import (
    CharArray,
    DataSection,
    Global,
    Struct,
    bits,
    char_array,
    dataclass,
    u32,
    u64,
)

from bench.measure import Row, Sample

COUNT = 20_000


@dataclass(frozen=True, slots=True)
class Record(Struct):
    """72 bytes, 8 fields."""

    SIZE = 72
    LAYOUT = (
        ("a", 0, u64),
        ("b", 8, u32),
        ("c", 12, u32),
        ("d", 16, u64),
        ("e", 24, u64),
        ("f", 32, u64),
        ("g", 40, u64),
        ("comm", 48, char_array(16)),
    )

    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0
    f: int = 0
    g: int = 0
    comm: CharArray = CharArray()


@dataclass(frozen=True, slots=True)
class Bitfields(Struct):
    """8 bytes, 5 bitfields of one word and a number."""

    SIZE = 8
    LAYOUT = (
        ("a", 0, bits(u32, 0, 3)),
        ("b", 0, bits(u32, 3, 5)),
        ("c", 1, bits(u32, 0, 8)),
        ("d", 2, bits(u32, 0, 15)),
        ("e", 3, bits(u32, 7, 1)),
        ("f", 4, u32),
    )

    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0
    f: int = 0


class Bss(DataSection):
    """A section of one number."""

    __slots__ = ()

    number: Global[int] = Global(u32, 4)


Plain: Any = make_dataclass("Plain", [*"abcdefg", "comm"], slots=True)
PlainBits: Any = make_dataclass("PlainBits", [*"abcdef"], slots=True)


def rows(stack: ExitStack) -> list[Row]:
    format = struct.Struct("<QIIQQQQ16s8x")
    one = format.pack(1 << 60, 1, 2, 3, 4, 5, 6, b"postgres")
    buffer = one * COUNT
    record = Record.from_bytes(one)
    words = struct.Struct("<II")
    bit_buffer = words.pack(0x12345678, 5) * COUNT
    section, view = Bss(bytearray(8)), memoryview(bytearray(8)).cast("I")

    def plain_decode() -> None:
        for values in format.iter_unpack(buffer):
            Plain(*values)

    def encode() -> None:
        for _ in range(COUNT):
            record.to_bytes()

    def plain_encode() -> None:
        r, pack = record, format.pack
        for _ in range(COUNT):
            pack(r.a, r.b, r.c, r.d, r.e, r.f, r.g, r.comm)

    def plain_bits() -> None:
        for w, f in words.iter_unpack(bit_buffer):
            PlainBits(w & 7, w >> 3 & 31, w >> 8 & 255, w >> 16 & 0x7FFF, w >> 31 & 1, f)

    def read() -> None:
        for _ in range(COUNT):
            section.number  # noqa: B018  the access is what is measured

    def plain_read() -> None:
        for _ in range(COUNT):
            view[1]

    peer = "Python's struct"
    return [
        Row(
            "struct to dataclass",
            "ns",
            f"{peer}, mutable dataclass",
            _timed(lambda: _exhaust(Record, buffer)),
            _timed(plain_decode),
            max_ratio=1.4,
        ),
        Row("struct to bytes", "ns", peer, _timed(encode), _timed(plain_encode), max_ratio=2),
        Row(
            "bitfields to dataclass",
            "ns",
            f"{peer}, shifts, mutable dataclass",
            _timed(lambda: _exhaust(Bitfields, bit_buffer)),
            _timed(plain_bits),
            max_ratio=1.4,
        ),
        Row(
            "global read",
            "ns",
            "an item of a memoryview",
            _timed(read),
            _timed(plain_read),
            max_ratio=4,
        ),
    ]


def _exhaust(cls: type[Struct], buffer: bytes) -> None:
    for _ in cls.iter_unpack(buffer):
        pass


def _timed(work: Callable[[], None]) -> Sample:
    """Make the sample of one of `COUNT` operations."""

    def sample() -> float:
        begin = time.perf_counter_ns()
        work()
        return (time.perf_counter_ns() - begin) / COUNT

    return sample
