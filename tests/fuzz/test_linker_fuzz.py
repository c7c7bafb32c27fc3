"""Damaged inputs of the linker: LinkerError, FormatError or an object, in bounded time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Btf, BtfExt
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import FormatError, LinkerError, NotSupportedError
from bpfgen_runtime.linker import link
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.damage import DAMAGE, Change, damage

ROOT = Path(__file__).resolve().parents[2]
EXECSNOOP = (ROOT / "examples" / "execsnoop" / "execsnoop.bpf.o").read_bytes()
TASKTREE = (ROOT / "examples" / "tasktree" / "tasktree.bpf.o").read_bytes()
BIG_ENDIAN = (ROOT / "tests" / "golden" / "bigendian" / "bigendian.bpf.o").read_bytes()


def _link(*inputs: bytes) -> bytes | None:
    """Link; what comes out of it is whole. Any other exception is a failure."""
    begin = time.monotonic()
    try:
        linked = link(inputs)
    except (LinkerError, FormatError, NotSupportedError):
        linked = None
    assert time.monotonic() - begin < 5
    if linked is None:
        return None
    image = read_elf(linked)
    section, ext = image.section(".BTF"), image.section(".BTF.ext")
    if section is not None:
        btf = Btf.parse(section.data)
        btf.validate()
        if ext is not None:
            BtfExt.parse(ext.data, btf)
    return linked


def _sections(content: bytes) -> list[tuple[int, int]]:
    """Return where each section's contents are."""
    order = "little" if content[5] == 1 else "big"
    at = int.from_bytes(content[40:48], order)
    count = int.from_bytes(content[60:62], order)
    return [
        (
            int.from_bytes(content[i + 24 : i + 32], order),
            int.from_bytes(content[i + 32 : i + 40], order),
        )
        for i in range(at, at + 64 * count, 64)
    ]


@pytest.mark.parametrize("second", [False, True])
@given(seed=st.sampled_from([EXECSNOOP, TASKTREE, BIG_ENDIAN]), changes=DAMAGE)
@settings(max_examples=150, deadline=None)
def test_damaged_anywhere(second: bool, seed: bytes, changes: list[Change]) -> None:
    """Wherever the damage is, alone or behind a whole object."""
    damaged = damage(seed, changes)
    whole = TASKTREE if seed is EXECSNOOP else EXECSNOOP
    _link(*((whole, damaged) if second else (damaged, whole)))


@given(
    seed=st.sampled_from([EXECSNOOP, TASKTREE, BIG_ENDIAN]),
    number=st.integers(0, 63),
    changes=DAMAGE,
)
@settings(max_examples=300, deadline=None)
def test_damaged_section(seed: bytes, number: int, changes: list[Change]) -> None:
    """One section's contents are damaged: symbols, relocations, BTF, .BTF.ext."""
    places = _sections(seed)
    start, size = places[number % len(places)]
    in_place = [change for change in changes if change[2] not in ("cut", "move")]
    changed = damage(seed[start : start + size], in_place)
    _link(seed[:start] + changed[:size].ljust(size, b"\0") + seed[start + size :])


@given(st.binary(max_size=200))
def test_garbage(garbage: bytes) -> None:
    """Bytes that are no object, also behind the start of one."""
    assert _link(garbage) is None
    assert _link(EXECSNOOP[:64] + garbage) is None


def test_hostile_alignment() -> None:
    """An alignment that asks for memory without end is refused."""
    data = bytearray(EXECSNOOP)
    order = "little"
    at = int.from_bytes(data[40:48], order)
    for i in range(at + 64, len(data), 64):
        data[i + 48 : i + 56] = (1 << 40).to_bytes(8, order)
    with pytest.raises(FormatError, match="alignment"):
        link([bytes(data)])
