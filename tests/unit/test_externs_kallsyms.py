"""Addresses of symbols in the text of /proc/kallsyms."""

from __future__ import annotations

import pytest
from bpfgen_runtime.errors import NotSupportedError
from bpfgen_runtime.host import kallsyms
from bpfgen_runtime.host.kallsyms import Symbols, find

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


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (0xFFFFFFFF81000010, ("schedule", 0, "")),
        (0xFFFFFFFF8100001F, ("schedule", 0xF, "")),
        (0xFFFFFFFF81000000, ("_text", 0, "")),
        (0xFFFFFFFFC0000004, ("in_module", 4, "some_module")),
        (0xFFFFFFFFC0000018, ("bpf_prog_x", 8, "bpf")),
        (0xFFFFFFFFD0000000, None),
        (0xFFFFFFFF80000000, None),
        (0x7F0000000000, None),
    ],
)
def test_function_of_an_address(address: int, expected: tuple[str, int, str] | None) -> None:
    """An address belongs to the function that begins before it, the first where several do."""
    assert Symbols(TEXT).find(address) == expected


def test_functions_alone_have_addresses() -> None:
    """Variables are no functions; numbers of 8 digits, of 32-bit kernels, are read, too."""
    assert len(Symbols(TEXT)) == 9
    assert Symbols(b"c0100000 T start\nc0200000 D data\n").find(0xC0100004) == ("start", 4, "")
    assert Symbols(b"").find(1) is None


def test_symbols_with_hidden_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel hides addresses, the error says what it takes to see them."""
    monkeypatch.setattr(kallsyms, "_read", lambda: b"0000000000000000 T _text\n")
    with pytest.raises(NotSupportedError, match="CAP_SYSLOG"):
        Symbols.read()
