"""Damaged objects: an ElfError or an image, never another exception, in bounded time and memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import pytest
from bpfgen_runtime.elf.image import ElfImage
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import ElfError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.elfwriter import minimal

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _small(byte_order: str) -> bytes:
    elf = minimal("<" if byte_order == "<" else ">")
    elf.section(".bss", type=8, size=64)
    elf.relocs(1, [(0, 1, 1)])
    return elf.build()


SEEDS = [_small("<"), _small(">"), (EXAMPLES / "execsnoop" / "execsnoop.bpf.o").read_bytes()]
PACKED = read_elf(SEEDS[2]).pack()

# Numbers that overflow, wrap around, or mean something special as an index or a size.
WORDS = st.sampled_from(
    [0, 1, 7, 8, 0x7F, 0xFF, 0xFF00, 0xFFFF, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64 - 8]
)


# One change: where (the file's header, the section headers, anywhere), how far in, what, with what.
# The changes are drawn, not the changed file, so that a failure prints a few numbers.
CHANGE = st.tuples(
    st.sampled_from(["start", "end", "anywhere"]),
    st.integers(0, 1 << 20),
    st.sampled_from(["byte", "u16", "u32", "u64", "cut", "move"]),
    st.one_of(WORDS, st.integers(0, 2**64 - 1)),
    st.sampled_from(["little", "big"]),
)
Change = tuple[str, int, str, int, Literal["little", "big"]]
DAMAGE = st.lists(CHANGE, min_size=1, max_size=4)
SIZES = {"byte": 1, "u16": 2, "u32": 4, "u64": 8}


def _damage(content: bytes, changes: list[Change]) -> bytes:
    data = bytearray(content)
    for place, distance, what, value, byte_order in changes:
        low = max(len(data) - 64 * 8, 0) if place == "end" else 0
        high = min(64, len(data)) if place == "start" else len(data)
        at = low + distance % max(high - low, 1)
        if what == "cut":
            del data[at:]
        elif what == "move":
            data[at:at] = data[: value % 32]
        else:
            size = SIZES[what]
            at -= at % size
            data[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, byte_order)
    return bytes(data)


def _read(content: bytes) -> ElfImage | str:
    """Return the image, or the error's message; any other exception is a failure."""
    try:
        return read_elf(content)
    except ElfError as error:
        return str(error)


def _check(content: bytes) -> None:
    start = time.monotonic()
    image = _read(content)
    if isinstance(image, str):
        assert "\n" not in image
    else:
        packed = image.pack()
        assert ElfImage.unpack(packed).pack() == packed
        assert sum(len(section.data) for section in image.sections) <= len(content)
        for section in image.sections:
            image.relocations(section.index)
    assert time.monotonic() - start < 2


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(range(len(SEEDS))), DAMAGE)
def test_damaged_object(seed: int, changes: list[Change]) -> None:
    """A damaged object is read or refused; what is read is consistent, relocations included."""
    _check(_damage(SEEDS[seed], changes))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["<", ">"]))
def test_garbage_behind_a_good_header(garbage: bytes, byte_order: str) -> None:
    """Anything may stand behind the file header."""
    _check(_small(byte_order)[:64] + garbage)


@settings(max_examples=200, deadline=None)
@given(DAMAGE)
def test_damaged_packed_image(changes: list[Change]) -> None:
    """A damaged packed image is refused."""
    content = _damage(PACKED, changes)
    if content != PACKED:
        with pytest.raises(ElfError):
            ElfImage.unpack(content)


def test_hostile_sizes() -> None:
    """Tables that multiply what they refer to are refused or cheap, not gigabytes."""
    elf = minimal()
    blob = elf.section("blob", bytes(200_000))
    for _ in range(500):
        elf.section(".data.same", offset=64, size=200_000)
    assert blob == 3
    with pytest.raises(ElfError, match="overlap"):
        read_elf(elf.build())
    elf = minimal()
    elf.section("blob", b"x" * 100_000)
    for number in range(500):
        elf.symbol(number)
    start = time.monotonic()
    with pytest.raises(ElfError, match="no proper name"):
        read_elf(elf.build())
    assert time.monotonic() - start < 2
