"""Damaged objects: an ElfError or an image, never another exception, in bounded time and memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bpfgen_runtime.elf.image import ElfImage
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import ElfError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.damage import DAMAGE, Change, damage
from tests.support.elfwriter import minimal

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _small(byte_order: str) -> bytes:
    elf = minimal("<" if byte_order == "<" else ">")
    elf.section(".bss", type=8, size=64)
    elf.relocs(1, [(0, 1, 1)])
    return elf.build()


SEEDS = [_small("<"), _small(">"), (EXAMPLES / "execsnoop" / "execsnoop.bpf.o").read_bytes()]
PACKED = read_elf(SEEDS[2]).pack()


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
    _check(damage(SEEDS[seed], changes))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["<", ">"]))
def test_garbage_behind_a_good_header(garbage: bytes, byte_order: str) -> None:
    """Anything may stand behind the file header."""
    _check(_small(byte_order)[:64] + garbage)


@settings(max_examples=200, deadline=None)
@given(DAMAGE)
def test_damaged_packed_image(changes: list[Change]) -> None:
    """A damaged packed image is refused."""
    content = damage(PACKED, changes)
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
