"""The packed form of an object, as skeletons embed it."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib

import pytest
from bpfgen_runtime.elf.image import SHT_REL, ElfImage, Section, Symbol
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import ElfError
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clang import compile_bpf
from tests.support.elfwriter import STT_FUNC, ElfWriter, minimal


def _contents(image: ElfImage) -> object:
    """All that an image holds, comparable."""
    return (
        image.name,
        image.byte_order,
        image.machine,
        [[getattr(section, name) for name in Section.__slots__] for section in image.sections],
        [[getattr(symbol, name) for name in Symbol.__slots__] for symbol in image.symbols],
    )


u8, u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
SECTION = st.tuples(NAME, u32, u64, u64, u64, u32, u32, u64, st.binary(max_size=40))
SYMBOL = st.tuples(NAME, u64, u64, u8, u8, u8, u16)


@given(
    NAME, st.sampled_from("<>"), u16, st.lists(SECTION, max_size=6), st.lists(SYMBOL, max_size=6)
)
def test_unpack_inverts_pack(
    name: str,
    byte_order: str,
    machine: int,
    sections: list[tuple[str, int, int, int, int, int, int, int, bytes]],
    symbols: list[tuple[str, int, int, int, int, int, int]],
) -> None:
    """unpack(pack(x)) == x whatever the fields hold."""
    image = ElfImage(
        name,
        "<" if byte_order == "<" else ">",
        machine,
        tuple(Section(index, *fields) for index, fields in enumerate(sections)),
        tuple(Symbol(index, *fields) for index, fields in enumerate(symbols)),
    )
    packed = image.pack()
    again = ElfImage.unpack(packed)
    assert _contents(again) == _contents(image)
    assert again.pack() == packed


@pytest.mark.parametrize("flags", [(), ("-target", "bpfeb")], ids=["bpfel", "bpfeb"])
def test_compiled_object(flags: tuple[str, ...]) -> None:
    """A compiled object survives, relocations included."""
    image = read_elf(compile_bpf("elf_sample", *flags))
    again = ElfImage.unpack(image.pack())
    assert _contents(again) == _contents(image)
    for section in image.sections:
        assert repr(again.relocations(section.index)) == repr(image.relocations(section.index))


def test_deterministic() -> None:
    """The same file gives the same bytes, in every process."""
    path = compile_bpf("elf_sample")
    script = (
        "import sys; from bpfgen_runtime.elf.reader import read_elf;"
        " sys.stdout.buffer.write(read_elf(sys.argv[1]).pack())"
    )
    packs = {
        subprocess.run(
            [sys.executable, "-c", script, path],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert packs == {read_elf(path).pack()}


def test_compact() -> None:
    """Without what BPF never reads, an image is far smaller than its file, more so compressed."""
    path = compile_bpf("elf_sample")
    packed = read_elf(path).pack()
    assert len(packed) < path.stat().st_size * 0.6
    assert len(zlib.compress(packed, 9)) < path.stat().st_size * 0.25


def _small() -> bytes:
    elf = minimal()
    elf.relocs(1, [(0, 1, 1)])
    return read_elf(elf.build()).pack()


def test_every_damaged_byte_is_seen() -> None:
    """No byte can change unnoticed."""
    packed = _small()
    for at in range(len(packed)):
        damaged = bytearray(packed)
        damaged[at] ^= 0x20
        with pytest.raises(ElfError, match="packed BPF object"):
            ElfImage.unpack(bytes(damaged))


def test_every_length_is_seen() -> None:
    """Neither a beginning nor a longer string is taken for the image."""
    packed = _small()
    for length in range(len(packed)):
        with pytest.raises(ElfError, match="packed BPF object"):
            ElfImage.unpack(packed[:length])
    with pytest.raises(ElfError, match="damaged"):
        ElfImage.unpack(packed + b"\0")


@pytest.mark.parametrize(
    ("at", "data", "message"),
    [
        (4, b"\2", "another format than 1"),
        (5, b"\3", "damaged"),
        (8, struct.pack("<I", 1 << 20), "damaged"),
        (12, struct.pack("<I", 0), "damaged"),
        (16, struct.pack("<I", 0), "damaged"),
    ],
)
def test_inconsistent_with_good_checksum(at: int, data: bytes, message: str) -> None:
    """Counts that contradict each other are refused although the checksum fits."""
    packed = bytearray(_small())
    packed[at : at + len(data)] = data
    packed[20:24] = struct.pack("<I", zlib.crc32(packed[24:], zlib.crc32(packed[:20])))
    with pytest.raises(ElfError, match=message):
        ElfImage.unpack(bytes(packed))


def test_relocations_of_all_tables() -> None:
    """Several tables may relocate one section; all are read, in the file's order."""
    elf = ElfWriter()
    text = elf.code("xdp", bytes(24))
    function = elf.symbol("drop", text, size=24, type=STT_FUNC)
    elf.relocs(text, [(16, 1, function), (0, 1, function)])
    elf.relocs(text, [(8, 10, function)])
    image = read_elf(elf.build())
    assert [reloc.offset for reloc in image.relocations(text)] == [16, 0, 8]


def test_empty_relocation_table() -> None:
    """A table without entries relocates nothing, whatever its header says about entries."""
    elf = minimal()
    elf.relocs(1, [], entsize=0)
    assert read_elf(elf.build()).relocations(1) == ()


def test_relocations_are_checked_in_images_too() -> None:
    """A hand-made image with bad relocations raises, naming the object."""
    table = struct.pack("<QQ", 0, 5 << 32)
    image = ElfImage(
        "made",
        "<",
        247,
        (
            Section(0, "", 0, 0, 0, 0, 0, 0, 0, b""),
            Section(1, ".relxdp", SHT_REL, 0, 16, 8, 0, 0, 16, table),
        ),
        (),
    )
    with pytest.raises(ElfError, match=r"^made: relocation at 0x0 is outside of section ''"):
        image.relocations(0)


def test_unpack_is_quick() -> None:
    """Unpacking 30 sections and 20 symbols takes less than 150 microseconds of a start-up."""
    elf = ElfWriter()
    for number in range(26):
        elf.section(f".section.{number}", bytes(100))
    for number in range(19):
        elf.symbol(f"symbol_{number}", 1)
    packed = read_elf(elf.build()).pack()
    image = ElfImage.unpack(packed)
    assert (len(image.sections), len(image.symbols)) == (30, 20)
    best = 1.0
    for _ in range(300):
        start = time.perf_counter()
        ElfImage.unpack(packed)
        best = min(best, time.perf_counter() - start)
    assert best < 150e-6


def test_reprs_identify() -> None:
    """What is printed in a debugger says which one it is."""
    image = read_elf(minimal().build())
    assert repr(image) == "<ElfImage 'object' 6 sections 3 symbols>"
    assert repr(image.sections[1]) == "<Section 1 'xdp' type=1 size=8>"
    assert repr(image.symbols[1]) == "<Symbol 1 'drop' shndx=1 value=0x0>"
