"""Misuses of unions, and of parts of globals, that type checkers must report: at each `# E:`."""

from __future__ import annotations

from nested_skel import Nested
from opaque_skel import Mixed, Opaque
from opaque_skel import Value as Either


def unions(skel: Opaque) -> None:
    Either(number=1, text="1")  # E: call-overload
    Either(5)  # E: call-overload
    Either(number="5")  # E: call-overload
    Either().number = 5  # E: misc
    print(Either().nonsense)  # E: attr-defined
    Mixed(v4=1, v6=bytes(16))  # E: call-overload
    Mixed(a="3")  # E: call-overload
    Mixed().v4 += 1  # E: misc
    skel.maps.mixed[b"12345678"]  # E: index
    skel.bss.current = 5  # E: assignment


def in_place(skel: Nested) -> None:
    skel.bss.at.state.from_point.x = "5"  # E: assignment
    skel.bss.at.state.from_point = 5  # E: assignment
    skel.bss.at.state.corners[0] = 5  # E: assignment
    skel.bss.at.state.corners[0].z = 5  # E: attr-defined
    skel.bss.at.state.grid[0][0] = "5"  # E: assignment
    skel.bss.at.state.grid[0, 0] = 5  # E: index
    skel.bss.at.nonsense = 5  # E: attr-defined
    skel.bss.at = 5  # E: misc
    skel.rodata.at.limits.low = 5  # E: attr-defined
    skel.bss.resize("5")  # E: arg-type
