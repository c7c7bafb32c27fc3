"""The ELF writer: what it writes reads back the same, and no tool has anything to say about it."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from bpfgen_runtime.elf.image import (
    SHF_ALLOC,
    SHT_NOBITS,
    SHT_PROGBITS,
    SHT_STRTAB,
    SHT_SYMTAB,
    STB_GLOBAL,
    STB_LOCAL,
    ElfImage,
    Section,
    Symbol,
)
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.elf.writer import write_elf
from bpfgen_runtime.errors import ElfError
from bpfgen_runtime.linker import link
from hypothesis import given
from hypothesis import strategies as st

from tests.support.linkcases import CASES
from tests.support.requirements import tool

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [ROOT / "examples" / name / f"{name}.bpf.o" for name in ("execsnoop", "tasktree")]
BIG_ENDIAN = ROOT / "tests" / "golden" / "bigendian" / "bigendian.bpf.o"

TOOLS = [("llvm-readelf", "-a"), ("llvm-objdump", "-dr"), ("readelf", "-a")]


def _parts(image: ElfImage) -> tuple[object, ...]:
    return (
        image.byte_order,
        image.machine,
        [[getattr(s, name) for name in Section.__slots__] for s in image.sections],
        [[getattr(s, name) for name in Symbol.__slots__] for s in image.symbols],
    )


def _image(
    sections: list[Section], symbols: list[Symbol] | None = None, byte_order: str = "<"
) -> ElfImage:
    first = [
        Section(0, "", 0, 0, 0, 0, 0, 0, 0, b""),
        Section(1, ".strtab", SHT_STRTAB, 0, 0, 1, 0, 0, 0, b""),
        Section(2, ".symtab", SHT_SYMTAB, 0, 0, 8, 1, 0, 24, b""),
    ]
    every = [Symbol(0, "", 0, 0, 0, 0, 0, 0), *(symbols or [])]
    return ElfImage(
        "made", "<" if byte_order == "<" else ">", 247, (*first, *sections), tuple(every)
    )


@pytest.mark.parametrize("inputs", [EXAMPLES, [BIG_ENDIAN]], ids=["little", "big"])
def test_linked_objects_read_back(inputs: list[Path]) -> None:
    """Written, read and written again: the same image, the same bytes."""
    data = link(inputs)
    image = read_elf(data)
    again = write_elf(image)
    assert again == data
    assert _parts(read_elf(again)) == _parts(image)


NAMES = st.text(
    st.characters(min_codepoint=1, blacklist_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".strtab", ".symtab", ".shstrtab", "maps"))


@given(
    byte_order=st.sampled_from("<>"),
    contents=st.lists(
        st.tuples(NAMES, st.binary(max_size=40), st.sampled_from([0, 1, 8, 64]), st.booleans()),
        max_size=5,
    ),
    names=st.lists(st.tuples(NAMES, st.integers(0, 2**64 - 1)), max_size=5),
)
def test_anything_reads_back(
    byte_order: str,
    contents: list[tuple[str, bytes, int, bool]],
    names: list[tuple[str, int]],
) -> None:
    """Names of any characters, alignments, sections without contents, in both byte orders."""
    sections = [
        Section(
            index, "x" + name, SHT_NOBITS if empty else SHT_PROGBITS, SHF_ALLOC, len(data), align,
            0, 0, 0, b"" if empty else data,
        )
        for index, (name, data, align, empty) in enumerate(contents, 3)
    ]  # fmt: skip
    symbols = [
        Symbol(index, name, value, 8, 1, STB_GLOBAL if index % 2 else STB_LOCAL, 2, 0xFFF1)
        for index, (name, value) in enumerate(names, 1)
    ]
    image = _image(sections, symbols, byte_order)
    data = write_elf(image)
    assert data == write_elf(image)
    read = read_elf(data)
    assert _parts(read)[0] == byte_order
    assert _parts(read)[3] == _parts(image)[3]
    kept = [(s.name, s.type, s.size, s.align, s.data) for s in read.sections[3:]]
    assert kept == [(s.name, s.type, s.size, s.align, s.data) for s in sections]


def test_locals_come_before_what_sh_info_says() -> None:
    """`sh_info` of the symbol table is the number of the first symbol that is not local."""
    symbols = [
        Symbol(1, "a", 0, 0, 0, STB_LOCAL, 0, 0xFFF1),
        Symbol(2, "b", 0, 0, 0, STB_GLOBAL, 0, 0xFFF1),
    ]
    assert read_elf(write_elf(_image([], symbols))).sections[2].info == 2
    assert struct.unpack_from("<H", write_elf(_image([])), 18) == (247,)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (_image([Section(3, "x", 1, 0, 4, 1, 0, 0, 0, b"")]), "0 of 4 bytes"),
        (_image([Section(3, "x", 1, 0, 4, 3, 0, 0, 0, b"abcd")]), "no power of two"),
        (_image([Section(3, "y", SHT_SYMTAB, 0, 0, 8, 1, 0, 24, b"")]), "one symbol table"),
        (_image([Section(3, ".shstrtab", 1, 0, 0, 1, 0, 0, 0, b"")]), "of another type"),
    ],
)
def test_what_cannot_be_written(image: ElfImage, reason: str) -> None:
    """An image without some contents (debug information), or of no proper form."""
    with pytest.raises(ElfError, match=reason):
        write_elf(image)


def test_read_objects_lack_debug_information() -> None:
    """A compiler's object is not written back: its debug information was not read."""
    with pytest.raises(ElfError, match="bytes of contents are there"):
        write_elf(read_elf(str(EXAMPLES[0])))


@pytest.mark.needs("clang", "libbpf-dev", "llvm-readelf", "llvm-objdump", "readelf")
@pytest.mark.parametrize("command", TOOLS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    "name", ["statics", "own_and_extern_map", "ksyms", "core", "literals", "big"]
)
def test_no_tool_warns(name: str, command: tuple[str, str], tmp_path: Path) -> None:
    """llvm-readelf -a, llvm-objdump -dr and GNU readelf -a read all of it and warn of nothing."""
    case = next((case for case in CASES if case.name == name), None)
    linked = tmp_path / "linked.o"
    linked.write_bytes(link([BIG_ENDIAN] if case is None else case.objects()))
    done = subprocess.run(
        [tool(command[0]), command[1], str(linked)],
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "warning" not in done.stdout.lower()
    if command[0] == "llvm-objdump":
        assert "<unknown>" not in done.stdout
        assert "exit" in done.stdout
