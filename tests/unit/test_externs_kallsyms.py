"""Addresses of symbols in the text of /proc/kallsyms."""

from __future__ import annotations

import pytest
from bpfgen_runtime.host.kallsyms import find

TEXT = b"""\
ffffffff81000000 T _text
ffffffff81000000 T __pfx_schedule
ffffffff81000010 T schedule
ffffffff81000020 T schedule_timeout
ffffffff82000000 d counter.llvm.1234567
ffffffff82000008 t helper.llvm.1234567
ffffffff83000000 t twice
ffffffff83000010 t twice
ffffffff84000000 D same
ffffffff84000000 D same
ffffffffc0000000 t in_module\t[some_module]
ffffffffc0000010 t bpf_prog_x\t[bpf]
ffffffff85000000 D last"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("schedule", [0xFFFFFFFF81000010]),
        ("sched", None),
        ("pfx_schedule", None),
        ("twice", [0xFFFFFFFF83000000, 0xFFFFFFFF83000010]),
        ("same", [0xFFFFFFFF84000000]),
        ("in_module", [0xFFFFFFFFC0000000]),
        ("counter", [0xFFFFFFFF82000000]),  # a static variable after link-time optimisation
        ("helper", None),  # functions keep their suffix
        ("some_module", None),
        ("T", None),
        ("last", [0xFFFFFFFF85000000]),
        ("missing", None),
    ],
)
def test_find(name: str, expected: list[int] | None) -> None:
    """Whole names are found, each with its distinct addresses."""
    assert find(TEXT, [name]).get(name) == expected


def test_find_several() -> None:
    """Names that are missing are left out."""
    assert list(find(TEXT, ["last", "missing", "same"])) == ["last", "same"]


def test_hidden_addresses() -> None:
    """Without the privilege to see them they are all 0."""
    assert find(b"0000000000000000 T schedule\n", ["schedule"]) == {"schedule": [0]}
