"""What values cost: at import, and against the plain Python that one would write instead.

Ratios of the best of several runs in one process, so that a busy machine does not matter much.
"""

from __future__ import annotations

import dataclasses
import gc
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bpfgen_runtime.values import (
    CharArray,
    DataSection,
    Global,
    Struct,
    char_array,
    dataclass,
    u32,
    u64,
)


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


Plain = dataclasses.make_dataclass("Plain", list("abcdefgh"), slots=True)

FORMAT = struct.Struct("<QIIQQQQ16s8x")
ONE = FORMAT.pack(1 << 60, 1, 2, 3, 4, 5, 6, b"postgres")
COUNT = 2000


def within(limit: float, ours: Callable[[], Any], theirs: Callable[[], Any]) -> bool:
    """Tell whether ours costs at most `limit` times theirs: their best times, had in turns.

    Without garbage collection, like timeit: thousands of tests have left it much to go through. As
    in `make bench`, a miss is measured up to twice again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return any(_ratio(ours, theirs) <= limit for _ in range(3))
    finally:
        if was_enabled:
            gc.enable()


def _ratio(ours: Callable[[], Any], theirs: Callable[[], Any]) -> float:
    best = [float("inf")] * 2
    for _ in range(40):
        for which, function in enumerate((ours, theirs)):
            begin = time.perf_counter()
            function()
            best[which] = min(best[which], time.perf_counter() - begin)
    return best[0] / best[1]


def test_decode() -> None:
    """Decoding into frozen classes costs at most 1.4 times what plain mutable ones do."""
    buffer = ONE * COUNT
    assert within(
        1.4,
        lambda: list(Record.iter_unpack(buffer)),
        lambda: [Plain(*values) for values in FORMAT.iter_unpack(buffer)],
    )


def test_encode() -> None:
    """to_bytes costs at most twice what `struct.pack` of the same fields does."""
    record = Record.from_bytes(ONE)

    def ours() -> None:
        for _ in range(COUNT):
            record.to_bytes()

    def theirs() -> None:
        r, pack = record, FORMAT.pack
        for _ in range(COUNT):
            pack(r.a, r.b, r.c, r.d, r.e, r.f, r.g, r.comm)

    assert within(2, ours, theirs)


def test_read_global() -> None:
    """Reading a global number costs at most four times what an item of a memoryview does."""

    class Bss(DataSection):
        __slots__ = ()
        x: Global[int] = Global(u32, 4)

    section, view = Bss(bytearray(8)), memoryview(bytearray(8)).cast("I")

    def ours() -> None:
        for _ in range(COUNT):
            section.x  # noqa: B018  the access is what is measured

    def theirs() -> None:
        for _ in range(COUNT):
            view[1]

    assert within(4, ours, theirs)


#: What none of the start-up set may import; see docs/architecture.md.
FORBIDDEN = {"dataclasses", "typing", "enum", "re", "inspect", "functools", "contextlib", "types"}


def test_import_is_light() -> None:
    """Importing and declaring structs with inner structs compiles nothing and imports no luxury."""
    code = """
import sys
before = set(sys.modules)
from bpfgen_runtime.values import *
from bpfgen_runtime.values import dataclass

@dataclass(frozen=True, slots=True)
class Inner(Struct):
    SIZE = 4
    LAYOUT = (("a", 0, u32),)
    a: "int" = 0

@dataclass(frozen=True, slots=True)
class Outer(Struct):
    SIZE = 4
    LAYOUT = (("inner", 0, Inner),)
    inner: "Inner" = Inner()

class Bss(DataSection):
    __slots__ = ()
    outer: "Global[Outer]" = Global(Outer, 0)

print(*(set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "bpfgen_runtime.values.struct" in loaded
    assert loaded & FORBIDDEN == set()
    assert "bpfgen_runtime.values.codec" not in loaded
