"""Structs in structs and arrays in arrays, in map values and globals."""

from __future__ import annotations

import os

from nested_skel import Nested, Outer, OuterInner, OuterInnerDeep, OuterMode, Packed, Point


def main() -> None:
    with Nested.open() as opened:
        assert opened.data.path == (Point(1, 2), Point(3, 4), Point())
        assert (opened.rodata.limits.low, opened.rodata.limits.high) == (1, 2)
        opened.data.path = (Point(x=100), Point(), Point())
        with opened.load() as skel:
            outer = Outer(
                from_point=Point(y=-1),
                corners=(Point(1, 1), Point(2, 2), Point(), Point()),
                inner=OuterInner(kind=3, deep=OuterInnerDeep(depth=11)),
                grid=((1, 2, 3), (4, 5, 6)),
                mode=OuterMode.MODE_ON,
            )
            skel.maps.outers[Packed(tag=1)] = outer
            assert skel.maps.outers[Packed(tag=1)] == outer
            skel.attach()
            os.getpgid(0)
            skel.detach()
            grid = skel.bss.state.grid
            assert grid[1][2] > 0
            assert grid[1][2] % 111 == 0
            assert skel.bss.cube[1][1][1] == grid[1][2] // 111


if __name__ == "__main__":
    main()
