"""Reading object files, good and bad."""

from __future__ import annotations

import os
import pickle
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from bpfgen_runtime.elf import image as e
from bpfgen_runtime.elf.reader import MAX_NAME, read_elf
from bpfgen_runtime.errors import ElfError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from tests.support.clang import compile_bpf
from tests.support.elfwriter import ElfWriter, minimal
from tests.support.requirements import tool

ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")


@pytest.mark.parametrize("byte_order", ORDERS)
def test_built_object(byte_order: Literal["<", ">"]) -> None:
    """Header, sections, symbols and relocations come out as they were written, in either order."""
    elf = minimal(byte_order)
    elf.section(".bss", type=e.SHT_NOBITS, flags=e.SHF_ALLOC | e.SHF_WRITE, align=8, size=4096)
    counts = elf.symbol("counts", 2, value=3, size=1, type=e.STT_OBJECT, visibility=e.STV_HIDDEN)
    extern = elf.symbol("extern", bind=e.STB_WEAK)
    elf.symbol("absolute", e.SHN_ABS, value=2**63)
    elf.relocs(1, [(0, e.R_BPF_64_64, counts), (0, e.R_BPF_64_32, extern)])
    image = read_elf(elf.build())
    assert (image.name, image.byte_order, image.machine) == ("object", byte_order, e.EM_BPF)
    assert [section.index for section in image.sections] == list(range(len(image.sections)))
    assert [symbol.index for symbol in image.symbols] == list(range(len(image.symbols)))
    names = ["", "xdp", "license", ".bss", ".relxdp", ".symtab", ".strtab", ".shstrtab"]
    assert [section.name for section in image.sections] == names
    text, licence, bss = image.sections[1:4]
    assert (text.type, text.flags, text.align) == (e.SHT_PROGBITS, e.SHF_ALLOC | e.SHF_EXECINSTR, 8)
    assert (licence.data, licence.size) == (b"GPL\0", 4)
    assert (bss.type, bss.size, bss.data) == (e.SHT_NOBITS, 4096, b"")
    symbol = image.symbols[counts]
    assert (symbol.name, symbol.shndx, symbol.value, symbol.size) == ("counts", 2, 3, 1)
    assert (symbol.type, symbol.bind, symbol.visibility) == (
        e.STT_OBJECT,
        e.STB_GLOBAL,
        e.STV_HIDDEN,
    )
    assert (image.symbols[extern].bind, image.symbols[extern].shndx) == (e.STB_WEAK, e.SHN_UNDEF)
    assert (image.symbols[extern + 1].shndx, image.symbols[extern + 1].value) == (e.SHN_ABS, 2**63)
    assert [(r.offset, r.type, r.symbol) for r in image.relocations(1)] == [
        (0, e.R_BPF_64_64, counts),
        (0, e.R_BPF_64_32, extern),
    ]
    assert image.relocations(2) == ()
    assert image.section("license") is licence
    assert image.section("absent") is None


@pytest.mark.parametrize("flags", [(), ("-target", "bpfeb")], ids=["bpfel", "bpfeb"])
def test_compiled_object_as_pyelftools(flags: tuple[str, ...]) -> None:
    """A compiled object is read as pyelftools reads tables itself, which is not what we do."""
    path = compile_bpf("elf_sample", *flags)
    image = read_elf(path)
    assert image.name == "elf_sample"
    with path.open("rb") as file:
        elf = ELFFile(file)
        assert image.byte_order == ("<" if elf.little_endian else ">")
        assert len(image.sections) == elf.num_sections()
        symbols = elf.get_section_by_name(".symtab")
        assert isinstance(symbols, SymbolTableSection)
        assert len(image.symbols) == symbols.num_symbols()
        for ours, theirs in zip(image.symbols, symbols.iter_symbols(), strict=True):
            assert (ours.name, ours.value, ours.size) == (
                theirs.name,
                theirs["st_value"],
                theirs["st_size"],
            )
        with_data = set()
        for section, expected in zip(image.sections, elf.iter_sections(), strict=True):
            assert (section.name, section.size, section.flags, section.align) == (
                expected.name,
                expected["sh_size"],
                expected["sh_flags"],
                expected["sh_addralign"],
            )
            if section.data:
                with_data.add(section.name)
                assert section.data == expected.data()
                if isinstance(expected, RelocationSection):
                    relocs = image.relocations(expected["sh_info"])
                    assert [(r.offset, r.type, r.symbol) for r in relocs] == [
                        (r["r_offset"], r["r_info_type"], r["r_info_sym"])
                        for r in expected.iter_relocations()
                    ]
    kinds = {name.lstrip(".").partition(".")[0] for name in with_data}
    expected_kinds = {"text", "rel", "socket", "relsocket", "maps", "data", "rodata"}
    assert kinds == expected_kinds | {"license", "version", "BTF"}


def test_stripped_of_debug() -> None:
    """An object without its debug sections gives the same programs, symbols apart."""
    path = compile_bpf("elf_sample")
    image = read_elf(path)
    done = subprocess.run(
        [tool("llvm-strip"), "-g", path, "-o", "-"], capture_output=True, check=True
    )
    stripped = read_elf(done.stdout)
    assert len(stripped.sections) < len(image.sections)
    for name in ("socket", ".BTF", ".maps"):
        ours, theirs = image.section(name), stripped.section(name)
        assert ours is not None
        assert theirs is not None
        assert ours.data == theirs.data
        assert [
            (reloc.offset, image.symbols[reloc.symbol].name)
            for reloc in image.relocations(ours.index)
        ] == [
            (reloc.offset, stripped.symbols[reloc.symbol].name)
            for reloc in stripped.relocations(theirs.index)
        ]


def test_damaged_debug_sections_do_not_matter() -> None:
    """What BPF never reads may be damaged: debug information, its relocations, those of BTF."""
    elf = minimal()
    elf.section(".debug_info", b"x", offset=1 << 40, size=1 << 40)
    elf.section(".rel.debug_info", b"xyz", type=e.SHT_REL, info=999, entsize=5)
    elf.section(".rel.BTF", b"xyz", type=e.SHT_REL, info=1, entsize=16)
    elf.section(".rel.eh_frame", b"xyz", type=e.SHT_REL, info=1, entsize=16)
    elf.section(".llvm_addrsig", b"x", type=0x6FFF4C03, offset=1 << 40)
    image = read_elf(elf.build())
    assert all(not section.data for section in image.sections[3:])
    assert image.sections[3].size == 1 << 40


def test_old_compilers_leave_the_machine_out() -> None:
    """EM_NONE is accepted, as libbpf does."""
    elf = minimal()
    elf.machine = e.EM_NONE
    assert read_elf(elf.build()).machine == e.EM_NONE


def test_unusual_names_survive() -> None:
    """Names are UTF-8, and what is not is kept byte for byte."""
    elf = ElfWriter()
    elf.code("größe", bytes(8))
    elf.symbol("na\udcefve", 1)
    image = read_elf(elf.build())
    assert (image.sections[1].name, image.symbols[1].name) == ("größe", "na\udcefve")
    assert e.ElfImage.unpack(image.pack()).symbols[1].name == "na\udcefve"


def test_no_sections_of_interest() -> None:
    """An object with nothing but symbols is an object; what it lacks is for others to say."""
    image = read_elf(ElfWriter().build())
    assert [section.name for section in image.sections] == ["", ".symtab", ".strtab", ".shstrtab"]


NAMES = [
    ("execsnoop.bpf.o", "execsnoop"),
    ("/a.b/c.d/execsnoop.o", "execsnoop"),
    ("no_dots", "no_dots"),
    ("fifteen_letters.bpf.o", "fifteen_letters"),
    ("sixteen_letters_.o", "sixteen_letters"),
    ("with-dash.o", "with-dash"),
    (".hidden.o", ""),
    ("größe.o", "größe"),
    ("abcdefghijklmnöp.o", "abcdefghijklmn\udcc3"),  # cut inside of ö
    ("dir/", ""),
]


@pytest.mark.parametrize(("path", "expected"), NAMES)
def test_object_name(path: str, expected: str) -> None:
    """The object's name follows libbpf's rule: 15 bytes of the file's name, up to the first dot."""
    assert e.object_name(path) == expected


def test_given_name() -> None:
    """A name that is given is cut to 15 bytes and otherwise kept."""
    assert read_elf(minimal().build(), name="a.b").name == "a.b"
    assert read_elf(minimal().build(), name="x" * 20).name == "x" * 15


# ---- bad input ------------------------------------------------------------------------------


def _damaged(change: Callable[[ElfWriter], object], **header: int) -> bytes:
    elf = minimal()
    change(elf)
    return elf.build(**header)


def _header(**fields: int) -> bytes:
    return minimal().build(**fields)


def _patched(at: int, data: bytes) -> bytes:
    content = bytearray(minimal().build())
    content[at : at + len(data)] = data
    return bytes(content)


def _of_machine(machine: int, type_: int = 1) -> bytes:
    elf = minimal()
    elf.machine, elf.type = machine, type_
    return elf.build()


def _without_symbols() -> bytes:
    elf = minimal()
    elf.symbol_table = False
    return elf.build()


def _reloc(*entry: int, **more: int) -> Callable[[ElfWriter], object]:
    return lambda elf: elf.relocs(1, [(entry[0], entry[1], entry[2])], **more)


BAD = [
    ("empty", b"", "the file is empty"),
    ("C source", b"// x\n#include <linux/bpf.h>\nint x;\n", "C source; compile it first: clang"),
    ("text", b"hello\n", "not an ELF object but text"),
    ("bitcode", b"BC\xc0\xde\x35\x14", "LLVM bitcode; compile without -emit-llvm"),
    ("wrapped bitcode", b"\xde\xc0\x17\x0b\0\0\0\0", "LLVM bitcode"),
    ("archive", b"!<arch>\nfoo.o/", "an archive; extract"),
    ("thin archive", b"!<thin>\nfoo.o/", "a thin archive"),
    ("raw BTF", b"\x9f\xeb\x01\0\x18\0\0\0", "raw BTF"),
    ("gzip", b"\x1f\x8b\x08\0", "gzip data"),
    ("Mach-O", b"\xcf\xfa\xed\xfe\x07\0\0\x01", "Mach-O"),
    ("binary", b"\0\1\2\3\4", "begins with 00 01 02 03"),
    ("magic alone", b"\x7fELF", "truncated or damaged"),
    ("ELF32", _patched(4, b"\1"), "a 32-bit ELF file"),
    ("no class", _patched(4, b"\7"), "ELF header cannot be read"),
    ("no byte order", _patched(5, b"\7"), "ELF header cannot be read"),
    ("other order", _patched(5, b"\2"), "ELF for machine"),
    ("x86 object", _of_machine(62), "ELF for machine X86_64, not for BPF"),
    ("x86 program", _of_machine(62, 2), "ELF for machine X86_64, not for BPF"),
    ("unknown machine", _of_machine(60000), "ELF for machine 60000"),
    ("executable", _of_machine(e.EM_BPF, 2), "type ET_EXEC, not a relocatable object"),
    ("shared", _of_machine(e.EM_BPF, 3), "type ET_DYN"),
    ("core", _of_machine(e.EM_BPF, 4), "type ET_CORE"),
    ("no type", _of_machine(e.EM_BPF, 77), "type 77"),
    ("no section headers", _header(e_shoff=0), "no section headers"),
    ("headers beyond", _header(e_shoff=1 << 40), "truncated"),
    ("headers past 64 bits", _header(e_shoff=2**64 - 8), "truncated"),
    ("headers far and none", _header(e_shoff=2**63, e_shnum=0), "truncated or damaged"),
    ("header size", _header(e_shentsize=40), "section headers of 40 bytes"),
    ("too many headers", _header(e_shnum=60000), "truncated: 60000 section headers"),
    ("no headers", _header(e_shnum=0), "0 sections"),
    ("names index", _header(e_shstrndx=99), "no table of section names: section 99"),
    ("names index 0", _header(e_shstrndx=0), "no table of section names"),
    ("names not strings", _header(e_shstrndx=1), "no table of section names"),
    ("names index elsewhere", _header(e_shstrndx=0xFFFF), "no table of section names"),
    ("no symbols", _without_symbols(), "no symbol table; is the object stripped"),
    (
        "two symbol tables",
        _damaged(lambda elf: elf.section("again", type=e.SHT_SYMTAB)),
        "more than one symbol table",
    ),
    ("symbol size", _damaged(lambda elf: None, symbol_entsize=16), "symbols of 16 bytes"),
    (
        "section beyond",
        _damaged(lambda elf: elf.section(".data", b"x", offset=4000)),
        r"section '\.data' ends at .* truncated or damaged",
    ),
    (
        "section past 64 bits",
        _damaged(lambda elf: elf.section(".data", b"x", offset=2**64 - 1)),
        r"section '\.data' ends at 0x10000000000000000",
    ),
    (
        "sections overlap",
        _damaged(lambda elf: [elf.section(f".data.{i}", offset=0, size=500) for i in range(9)]),
        "sections overlap",
    ),
    ("section name", _damaged(lambda elf: elf.section(5000)), "section 3 has no proper name"),
    ("symbol name", _damaged(lambda elf: elf.symbol(5000)), "symbol 3 has no proper name"),
    ("long name", _damaged(lambda elf: elf.symbol("x" * MAX_NAME)), "symbol 3 has no proper name"),
    (
        "symbol's section",
        _damaged(lambda elf: elf.symbol("lost", 99)),
        "symbol 3 is of section 99, there are 6",
    ),
    (
        "old maps",
        _damaged(lambda elf: elf.section("maps", bytes(20))),
        r'legacy map definitions .* libbpf since 1\.0; define the maps .* SEC\("\.maps"\)',
    ),
    (
        "empty BTF section",
        _damaged(lambda elf: elf.section(".BTF", type=e.SHT_NOBITS, size=8)),
        "where type information belongs",
    ),
    (
        "RELA",
        _damaged(lambda elf: elf.section(".rela", bytes(24), type=4, info=1, entsize=24)),
        "RELA relocations",
    ),
    ("reloc's symbol", _damaged(_reloc(0, 1, 99)), "relocation by symbol 99, there are 3"),
    ("reloc's offset", _damaged(_reloc(4, 1, 1)), "not at the start of an instruction"),
    ("reloc beyond", _damaged(_reloc(8, 1, 1)), r"outside of section 'xdp' \(0x8 bytes\)"),
    ("reloc's size", _damaged(_reloc(0, 1, 1, entsize=24)), "entries of 24 bytes"),
    (
        "reloc by absolute",
        _damaged(lambda elf: _reloc(0, 1, elf.symbol("abs", e.SHN_ABS))(elf)),
        "by symbol 'abs', of no section",
    ),
    (
        "reloc's section",
        _damaged(lambda elf: elf.relocs(77, [(0, 1, 1)])),
        "relocations of section 77, there are 7",
    ),
    (
        "half a reloc",
        _damaged(lambda elf: elf.section(".relxdp", bytes(15), type=e.SHT_REL, info=1, entsize=16)),
        "relocation table of 15",
    ),
]


@pytest.mark.parametrize(
    ("content", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_bad_input(content: bytes, message: str, tmp_path: Path) -> None:
    """Each kind of bad file is one ElfError of one line that begins with the path."""
    path = tmp_path / "bad.bpf.o"
    path.write_bytes(content)
    with pytest.raises(ElfError, match=message) as caught:
        read_elf(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_truncated_anywhere() -> None:
    """No beginning of a file, however long, is taken for the file."""
    content = minimal().build()
    for length in range(len(content)):
        with pytest.raises(ElfError, match=r"empty|truncated|not an ELF"):
            read_elf(content[:length])


def test_compiled_object_truncated() -> None:
    """A compiled object cut off anywhere is refused as truncated."""
    content = compile_bpf("elf_sample").read_bytes()
    for length in range(0, len(content), 97):
        with pytest.raises(ElfError, match=r"empty|truncated|not an ELF"):
            read_elf(content[:length])


def test_own_interpreter() -> None:
    """A program of this machine is refused as such."""
    with pytest.raises(ElfError, match="not for BPF"):
        read_elf(os.path.realpath(sys.executable))


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is an ElfError that keeps the OSError."""
    path = tmp_path / "absent.o"
    with pytest.raises(ElfError, match=r"absent\.o: cannot read: No such file") as caught:
        read_elf(path)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_directory(tmp_path: Path) -> None:
    """A directory is no object."""
    with pytest.raises(ElfError, match=f"{re.escape(str(tmp_path))}: cannot read: Is a directory"):
        read_elf(tmp_path)


def test_impossible_path() -> None:
    """A path that no file can have is an ElfError too."""
    with pytest.raises(ElfError, match="cannot read"):
        read_elf("a\0b")


def test_bytes_need_no_file() -> None:
    """Errors about bytes say so, or have the name that was given."""
    with pytest.raises(ElfError, match=r"^<bytes>: the file is empty"):
        read_elf(b"")
    with pytest.raises(ElfError, match=r"^mine: the file is empty"):
        read_elf(b"", name="mine")


def test_many_sections_are_quick() -> None:
    """Names that all point into one long string do not cost the square of the file."""
    elf = ElfWriter()
    elf.symbol("a" * (MAX_NAME - 1))
    for at in range(2000):
        elf.symbol(1 + at)
    content = elf.build()
    assert len(read_elf(content).symbols) == 2002
    assert len(content) < 60_000


def test_header_is_packed_as_expected() -> None:
    """The writer's header is the one of the ELF specification, so that the tests above test it."""
    content = minimal().build()
    assert struct.unpack_from("<16sHHI", content) == (b"\x7fELF\2\1\1" + bytes(9), 1, 247, 1)
