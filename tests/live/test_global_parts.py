"""Global structs and arrays, whole and in part, while a program changes them, too."""

from __future__ import annotations

import os

import pytest

from tests.golden.regenerate import Case
from tests.support.modules import load_module

pytestmark = pytest.mark.live


def test_parts_of_a_struct_that_a_program_changes() -> None:
    """Python writes one element while the program counts in another: neither write is lost."""
    module = load_module(Case("nested").module)
    with module.Nested.open() as opened:
        opened.rodata.at.limits.low = 1
        opened.data.at.path[0].x = 3
        with opened.load() as skel:
            skel.maps.outers[module.Packed(tag=1)] = module.Outer()
            skel.attach()
            state = skel.bss.at.state
            for count in range(1, 101):
                os.getpgid(0)
                state.grid[0][0] = count
                state.inner.kind = count
                assert state.grid[1][2] >= 3 * count  # others may call getpgid, too
            assert skel.bss.state.grid[0] == (100, 0, 0)
            assert skel.bss.state.inner.kind == 100
            assert skel.bss.at.cube[1][1][1] >= 100
            assert skel.rodata.limits == module.RangeT(1, 2)
            skel.bss.at.state.corners[2] = module.Point(5, 6)
            assert skel.bss.state.corners == (
                module.Point(),
                module.Point(),
                module.Point(5, 6),
                module.Point(),
            )


def test_resized_array_in_the_kernel() -> None:
    """An array that is resized while open is as long in the kernel, whole and in part."""
    module = load_module(Case("nested").module)
    with module.Nested.open() as opened:
        opened.data.resize(1000)
        assert len(opened.data.path) == 1000
        assert opened.data.path[:3] == (module.Point(1, 2), module.Point(3, 4), module.Point())
        opened.data.at.path[999].y = 7
        with opened.load() as skel:
            assert skel.data.path[999] == module.Point(0, 7)
            assert len(skel.data.at.path) == 1000
            skel.data.at.path[998].x = 8
            assert skel.data.path[998:] == (module.Point(8, 0), module.Point(0, 7))
