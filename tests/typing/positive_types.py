"""What type checkers know of unions, and of parts of globals; as positive.py."""

from __future__ import annotations

from dataclasses import replace

from bitfields_skel import Bitfields
from bpfgen_runtime import CharArray
from nested_skel import Nested, OpenNested, Outer, OuterMode, Point
from opaque_skel import Mixed, Opaque
from opaque_skel import Value as Either
from text_skel import Text
from typing_extensions import assert_type


def unions(opaque: Opaque) -> None:
    assert_type(Mixed().value, Either)
    assert_type(Mixed().value.number, int)
    assert_type(Mixed(1, Either(text="text"), v6=bytes(16)).v4, int)
    assert_type(replace(Mixed(), v4=1), Mixed)
    assert_type(replace(Either(number=1), text=CharArray("a")), Either)
    assert_type(Mixed(v4=1, a=3, c=-1).c, int)
    assert_type(opaque.maps.mixed[Either(number=5)], Mixed)
    opaque.bss.current = Either(text="now")
    assert_type(opaque.bss.current.text, CharArray)


def in_place(skel: Nested, opened: OpenNested, bitfields: Bitfields, text: Text) -> None:
    state = skel.bss.at.state
    assert_type(state(), Outer)
    assert_type(state.from_point.x, int)
    state.from_point.x += 1
    state.from_point = Point(1, 2)
    state.corners[0].y = 5
    state.corners[1] = Point(3, 4)
    assert_type(state.corners[0](), Point)
    assert_type(state.corners(), tuple[Point, ...])
    state.grid[1][2] += 1
    state.grid[0] = (1, 2, 3)
    assert_type(state.grid[0](), tuple[int, ...])
    state.mode = OuterMode.MODE_ON
    assert_type(len(state.corners), int)
    for point in state.corners:
        point.x = 0
    opened.rodata.at.limits.low = 5
    opened.data.at.path[0].x = 5
    opened.data.resize(10)
    bitfields.bss.at.wide.negative = -1
    bitfields.bss.at.header.version = 4
    bitfields.bss.at.header.word = 0
    text.bss.resize(100)
