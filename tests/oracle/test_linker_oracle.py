"""The same inputs through `bpftool gen object` and our linker: the same object comes out."""

from __future__ import annotations

import functools
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime.btf import BTF_KIND_FWD, Btf, BtfExt, Datasec, Func, Var
from bpfgen_runtime.elf.image import SHT_STRTAB, SHT_SYMTAB, ElfImage
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import BpfError, FormatError, LinkerError
from bpfgen_runtime.linker import link
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.sys.bpf_more import prog_test_run

from tests.support.libbpf import LibbpfObject
from tests.support.linkcases import CASES
from tests.support.linkconflicts import CONFLICTS_AND_WORDS, compile_all
from tests.support.linksources import Case
from tests.support.requirements import tool

pytestmark = [pytest.mark.host_only, pytest.mark.needs("bpftool", "clang", "libbpf-dev")]

#: What bpftool 7.1 gets wrong: where another definition than the first counts, the DATASEC keeps
#: the first one's place or size. Of maps libbpf then refuses what it has linked itself.
WRONG_PLACES = {"weak_variable"}
WRONG_MAPS = {"own_and_extern_map", "weak_and_strong_map", "inner_map"}
PACKET = bytes(64)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    compile_all()


def gen_object(target: Path, inputs: list[Path]) -> subprocess.CompletedProcess[str]:
    return _run("bpftool", "gen", "object", str(target), *map(str, inputs))


@functools.cache
def _both(case: Case) -> tuple[bytes, Path]:
    """Link a case both ways: our object's bytes, and the path of theirs."""
    inputs = case.objects()
    target = inputs[0].with_name("linked-by-bpftool.o")
    done = gen_object(target, inputs)
    assert done.returncode == 0, done.stderr
    return link(inputs), target


def _images(case: Case) -> tuple[ElfImage, ElfImage]:
    ours, theirs = _both(case)
    return read_elf(ours), read_elf(str(theirs))


cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_there_are_enough_cases() -> None:
    """The two lists have not shrunk, and no name stands in them twice."""
    assert len(CASES) >= 78
    assert len(CONFLICTS_AND_WORDS) >= 57
    names = [case.name for case in CASES] + [case.name for case, _ in CONFLICTS_AND_WORDS]
    assert [name for name, count in Counter(names).items() if count > 1] == []


@cases
def test_sections(case: Case) -> None:
    """Names, types, flags, alignments, sizes and contents; BTF may be smaller."""
    ours, theirs = _images(case)

    def view(image: ElfImage) -> dict[str, Any]:
        return {
            s.name: (s.type, s.flags & ~0x40, s.align, s.entsize, s.size, s.data)
            for s in image.sections[1:]
            if not s.name.startswith((".BTF", ".rel")) and s.type not in (SHT_SYMTAB, SHT_STRTAB)
        }

    assert view(ours) == view(theirs)
    assert sorted(s.name for s in ours.sections) == sorted(s.name for s in theirs.sections)
    sizes = [{s.name: s.size for s in image.sections} for image in (ours, theirs)]
    assert sizes[0][".symtab"] == sizes[1][".symtab"]
    assert sizes[0][".strtab"] == sizes[1][".strtab"]
    assert sizes[0].get(".BTF", 0) <= sizes[1].get(".BTF", 0)
    assert sizes[0].get(".BTF.ext") == sizes[1].get(".BTF.ext")


def _symbol(image: ElfImage, index: int) -> tuple[object, ...]:
    s = image.symbols[index]
    place = image.sections[s.shndx].name if s.shndx < len(image.sections) else s.shndx
    return s.name, s.bind, s.type, s.visibility, place, s.value, s.size


@cases
def test_symbols(case: Case) -> None:
    """Name, binding, type, visibility, section, value and size."""
    ours, theirs = _images(case)
    views = [Counter(_symbol(image, s.index) for s in image.symbols) for image in (ours, theirs)]
    assert views[0] == views[1]


@cases
def test_relocations(case: Case) -> None:
    """Each section's, by place, type and symbol."""
    ours, theirs = _images(case)

    def view(image: ElfImage) -> dict[str, Any]:
        return {
            s.name: sorted(
                (r.offset, r.type, _symbol(image, r.symbol)) for r in image.relocations(s.index)
            )
            for s in image.sections
        }

    assert view(ours) == view(theirs)


def _types(image: ElfImage) -> tuple[Btf, BtfExt | None]:
    section, ext = image.section(".BTF"), image.section(".BTF.ext")
    assert section is not None
    btf = Btf.parse(section.data)
    btf.validate()
    return btf, BtfExt.parse(ext.data, btf) if ext is not None else None


@cases
def test_types(case: Case) -> None:
    """No more types than theirs, the same globals with types and linkage, the same sections."""
    ours, theirs = (_types(image)[0] for image in _images(case))
    assert len(ours) <= len(theirs)

    def named(btf: Btf) -> dict[tuple[int, str], int]:
        return Counter((t.kind, btf.c_name(i)) for i, t in btf.types() if t.name)

    def linkages(btf: Btf) -> dict[tuple[int, str, int], int]:
        return Counter(
            (t.kind, btf.c_name(i), t.linkage) for i, t in btf.types() if isinstance(t, (Func, Var))
        )

    def sections(btf: Btf) -> dict[str, Any]:
        return {
            t.name: (t.size, sorted((btf.c_name(v.type), v.offset, v.size) for v in t.vars))
            for _, t in btf.types()
            if isinstance(t, Datasec)
        }

    # A forward declaration that became what it declares is one type less.
    fwd = {name for name in named(theirs) if name[0] == BTF_KIND_FWD}
    assert named(ours).keys() - fwd == named(theirs).keys() - fwd
    assert named(ours).keys() <= named(theirs).keys()
    assert linkages(ours) == linkages(theirs)
    if case.name not in WRONG_PLACES | WRONG_MAPS:
        assert sections(ours) == sections(theirs)
    for _, t in ours.types():
        if isinstance(t, Datasec):
            assert [v.offset for v in t.vars] == sorted(v.offset for v in t.vars)


@cases
def test_records(case: Case) -> None:
    """Functions, source lines and CO-RE relocations of each section, in order."""
    views = []
    for image in _images(case):
        btf, ext = _types(image)
        if ext is None:
            views.append(None)
            continue
        funcs = ext.func_info
        lines = ext.line_info
        relos = ext.core_relos
        views.append(
            (
                {s: [(r.insn_off, btf.c_name(r.type_id)) for r in funcs.records(s)] for s in funcs},
                {
                    s: [
                        (
                            r.insn_off,
                            btf.string(r.file_name_off),
                            btf.string(r.line_off),
                            r.line_col,
                        )
                        for r in lines.records(s)
                    ]
                    for s in lines
                },
                {
                    s: [
                        (
                            r.insn_off,
                            btf.c_name(r.type_id),
                            btf.string(r.access_str_off),
                            r.kind,
                        )
                        for r in relos.records(s)
                    ]
                    for s in relos
                },
            )
        )
    assert views[0] == views[1]


@pytest.mark.needs("llvm-readelf", "llvm-objdump")
@cases
def test_tools(case: Case, tmp_path: Path) -> None:
    """bpftool reads the types, and makes a skeleton where it does of its own object.

    LLVM's tools read all of it, and warn of nothing.
    """
    ours, theirs = _both(case)
    path = tmp_path / "linked.bpf.o"
    path.write_bytes(ours)
    for command in (
        ("bpftool", "btf", "dump", "file"),
        ("llvm-readelf", "-a"),
        ("llvm-objdump", "-dr"),
    ):
        done = _run(*command, str(path))
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout
        assert "warning" not in done.stdout.lower()
    if case.for_libbpf:
        expected = _run("bpftool", "gen", "skeleton", str(theirs)).returncode
        done = _run("bpftool", "gen", "skeleton", str(path))
        assert done.returncode == (0 if case.name in WRONG_MAPS else expected), done.stderr


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [tool(name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace")


@pytest.mark.live
@pytest.mark.needs("libbpf")
@cases
def test_kernel(case: Case, tmp_path: Path) -> None:
    """Both objects load by libbpf and by us, or by neither, and `run` returns the same.

    Where the system's libbpf is too old, by us alone.
    """
    ours, theirs = _both(case)
    path = tmp_path / "linked.bpf.o"
    path.write_bytes(ours)
    expected = case.returns if case.loads else "refused"
    if not case.for_libbpf:
        assert (_our_outcome(path), _our_outcome(theirs)) == (expected, expected)
        return
    assert (_their_outcome(path), _our_outcome(path)) == (expected, expected)
    if case.name not in WRONG_MAPS:
        assert (_their_outcome(theirs), _our_outcome(theirs)) == (expected, expected)


def _their_outcome(path: Path) -> object:
    try:
        opened = LibbpfObject(path)
    except OSError:
        return "refused"
    with opened:
        try:
            opened.load()
        except OSError:
            return "refused"
        program = next(program for program in opened.programs() if program.name == "run")
        return _signed(prog_test_run(prog_fd=program.fd, data_in=PACKET).retval)


def _our_outcome(path: Path) -> object:
    try:
        live = Object.load(load_spec(str(path)))
    except BpfError:
        return "refused"
    with live:
        return _signed(live.programs["run"].test_run(PACKET).retval)


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


@pytest.mark.parametrize(
    ("case", "word"), CONFLICTS_AND_WORDS, ids=[case.name for case, _ in CONFLICTS_AND_WORDS]
)
def test_conflicts(case: Case, word: str, tmp_path: Path) -> None:
    """What bpftool does not link, we do not; the message says what it is, and in which file."""
    inputs = case.objects()
    assert gen_object(tmp_path / "theirs.o", inputs).returncode != 0
    with pytest.raises(LinkerError) as raised:
        link(inputs)
    assert word in str(raised.value)
    assert inputs[-1].name in str(raised.value) or case.name == "static_in_data"


@pytest.mark.parametrize("first", ["big", "little"])
def test_mixed_byte_orders(first: str, tmp_path: Path) -> None:
    """Two compiled objects of different byte orders are linked by neither, in either order.

    bpftool refuses the one that is not of its host's order, alone already; we link objects of the
    other order with each other (unit/test_linker.py), and say here which two differ.
    """
    case = next(case for case in CASES if case.name == "call_both_ways")
    little = case.objects()[0]
    big = replace(case, flags=("-target", "bpfeb")).objects()[1]
    inputs = [big, little] if first == "big" else [little, big]
    done = gen_object(tmp_path / "theirs.o", inputs)
    assert done.returncode != 0
    assert re.search("byte order|endian", done.stderr), done.stderr
    with pytest.raises(LinkerError, match=r"big-endian") as raised:
        link(inputs)
    assert all(path.name in str(raised.value) for path in inputs)


def _header(at: int, value: int, size: int = 2) -> Callable[[bytearray], None]:
    """Change a field of the ELF header."""

    def change(data: bytearray) -> None:
        data[at : at + size] = value.to_bytes(size, "little")

    return change


def _place(data: bytearray, name: str) -> int:
    """Return where the header of a section is."""
    index = next(s.index for s in read_elf(bytes(data)).sections if s.name == name)
    return int.from_bytes(data[40:48], "little") + 64 * index


def _section_header(name: str, at: int, value: int, size: int = 4) -> Callable[[bytearray], None]:
    """Change a field of the header of a section."""

    def change(data: bytearray) -> None:
        place = _place(data, name) + at
        data[place : place + size] = value.to_bytes(size, "little")

    return change


def _contents(name: str, at: int, value: int, size: int = 4) -> Callable[[bytearray], None]:
    """Change bytes of a section's contents."""

    def change(data: bytearray) -> None:
        header = _place(data, name)
        place = int.from_bytes(data[header + 24 : header + 32], "little") + at
        data[place : place + size] = value.to_bytes(size, "little")

    return change


def _cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def _empty(data: bytearray) -> None:
    data.clear()


#: What is done to the second of two objects, and a word of our message.
DAMAGED: list[tuple[str, Callable[[bytearray], None], str]] = [
    ("empty", _empty, "empty"),
    ("truncated", _cut, "truncated"),
    ("no_magic", _header(0, 0), "not an ELF object"),
    ("class", _header(4, 1, 1), "32-bit"),
    ("byte_order", _header(5, 2, 1), "machine"),
    ("machine", _header(18, 62), "machine 62"),
    ("executable", _header(16, 2), "type 2"),
    ("no_sections", _header(60, 0), "section headers"),
    ("names_index", _header(62, 0), "section names"),
    ("no_symbols", _section_header(".symtab", 4, 1), "no symbol table"),
    ("symbol_size", _section_header(".symtab", 56, 16, 8), "symbols of 16 bytes"),
    ("symbol_names", _section_header(".symtab", 40, 2), "table of names"),
    ("first_symbol", _contents(".symtab", 8, 5), "first symbol"),
    ("binding", _contents(".symtab", 24 + 4, 0x30, 1), "is bound as 3"),
    ("visibility", _contents(".symtab", 24 + 5, 3, 1), "visibility 3"),
    ("section_of_symbol", _contents(".symtab", 24 + 6, 0x7000, 2), "section 28672"),
    ("alignment", _section_header("tc", 48, 3, 8), "alignment 3"),
    ("code_size", _section_header("tc", 32, 12, 8), "whole number of instructions"),
    ("section_type", _section_header("tc", 4, 14), "type 0xe"),
    ("relocation_size", _section_header(".reltc", 56, 24, 8), "relocations of 24 bytes"),
    ("relocated_section", _section_header(".reltc", 44, 99), "section 99"),
    ("relocated_other", _section_header(".reltc", 44, 1), "does not fit its name"),
    ("relocating_symbols", _section_header(".reltc", 40, 1), "no symbol table"),
    ("relocation_type", _contents(".reltc", 8, 7), "type 7"),
    ("relocation_symbol", _contents(".reltc", 12, 999), "symbol 999"),
    ("relocation_place", _contents(".reltc", 0, 4), "start of an instruction"),
    ("btf_magic", _contents(".BTF", 0, 0x1234, 2), "no BTF"),
    ("btf_length", _contents(".BTF", 12, 1 << 20), "types"),
    ("btf_type_id", _contents(".BTF", 24 + 16 + 8, 0x7FFFFFFF), "does not exist"),
    ("ext_magic", _contents(".BTF.ext", 0, 0x1234, 2), "magic"),
    ("ext_length", _contents(".BTF.ext", 12, 1 << 20), "beyond the section"),
]


@pytest.mark.parametrize(("change", "word"), [d[1:] for d in DAMAGED], ids=[d[0] for d in DAMAGED])
def test_damaged(change: Callable[[bytearray], None], word: str, tmp_path: Path) -> None:
    """Neither links a damaged object; our message names it."""
    first, second = next(case for case in CASES if case.name == "call_both_ways").objects()
    data = bytearray(first.read_bytes())
    change(data)
    damaged = tmp_path / "damaged.o"
    damaged.write_bytes(data)
    assert gen_object(tmp_path / "theirs.o", [second, damaged]).returncode != 0
    with pytest.raises(FormatError, match=re.escape(word)) as raised:
        link([second, damaged])
    assert str(raised.value).startswith(f"{damaged}: ")
