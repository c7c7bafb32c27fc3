""".BTF.ext: function, line and CO-RE records."""

from __future__ import annotations

import struct

import pytest
from bpfgen_runtime.btf import Btf, BtfExt, CoreRelo, FuncInfo, LineInfo
from bpfgen_runtime.errors import BtfError

from tests.support.btfbuilder import info_table, raw_btf, raw_ext

NAMES = b"\0xdp\0.text\0"
XDP, TEXT = 1, 5


def words(*values: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}{len(values)}I", *values)


def tables(order: str = "<", more: int = 0) -> list[bytes]:
    """Two functions in two sections, three lines, one relocation; `more` words in each record."""

    def record(*values: int) -> bytes:
        return words(*values, *range(more), order=order)

    def table(size: int, *sections: tuple[int, list[bytes]]) -> bytes:
        return info_table(size + 4 * more, sections, order=order)

    lines = [(0, 1, 1, 5 << 10 | 3), (32, 1, 1, 6 << 10), (40, 1, 1, 7 << 10)]
    return [
        table(8, (XDP, [record(0, 7), record(32, 8)]), (TEXT, [record(0, 9)])),
        table(16, (XDP, [record(*line) for line in lines])),
        table(16, (XDP, [record(16, 3, 5, 0)])),
    ]


def btf(order: str = "<") -> Btf:
    return Btf.parse(raw_btf(strings=NAMES, order=order))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("more", [0, 2])
def test_records_by_section(order: str, more: int) -> None:
    """Records are read in either byte order; what is behind their known part is kept raw."""
    data = raw_ext(tables(order, more), order=order)
    ext = BtfExt.parse(data, btf(order))
    assert ext.to_bytes() == data
    assert ext.byte_order == order
    assert list(ext.func_info) == ["xdp", ".text"]
    assert ext.func_info.records("xdp") == (FuncInfo(0, 7), FuncInfo(32, 8))
    assert ext.func_info.records(".text") == (FuncInfo(0, 9),)
    assert ext.core_relos.records("xdp") == (CoreRelo(16, 3, 5, 0),)
    lines = ext.line_info.records("xdp")
    assert lines[0] == LineInfo(0, 1, 1, 5 << 10 | 3)
    assert (lines[0].line, lines[0].column) == (5, 3)
    assert [len(t) for t in (ext.func_info, ext.line_info, ext.core_relos)] == [3, 3, 1]
    assert (ext.func_info.rec_size, ext.func_info.known_size) == (8 + 4 * more, 8)
    assert (ext.line_info.rec_size, ext.line_info.known_size) == (16 + 4 * more, 16)
    assert ext.func_info.raw[".text"] == words(0, 9, *range(more), order=order)


def test_sections_without_records_are_absent() -> None:
    """Asking for a section that has none gives none."""
    ext = BtfExt.parse(raw_ext(tables()), btf())
    assert ".text" in ext.func_info
    assert ".text" not in ext.line_info
    assert ext.line_info.records(".text") == ()
    assert ext.line_info.for_program(".text", 0, 8) == b""


@pytest.mark.parametrize("more", [0, 1])
def test_for_program_counts_instructions(more: int) -> None:
    """A program gets its own records, known fields only, their offsets in its instructions."""
    ext = BtfExt.parse(raw_ext(tables(more=more)), btf())
    assert ext.line_info.for_program("xdp", 32, 16) == words(0, 1, 1, 6 << 10, 1, 1, 1, 7 << 10)
    assert ext.func_info.for_program("xdp", 0, 32) == words(0, 7)
    assert ext.func_info.for_program("xdp", 32, 8, insn_base=4) == words(4, 8)
    assert ext.func_info.for_program("missing", 0, 8) == b""


def test_an_offset_between_instructions_is_refused() -> None:
    """insn_off must be a multiple of 8 where instructions are counted."""
    bad = info_table(8, [(XDP, [words(12, 7)])])
    ext = BtfExt.parse(raw_ext([bad]), btf())
    with pytest.raises(BtfError, match="of no instruction"):
        ext.func_info.for_program("xdp", 0, 64)


def test_an_older_header_has_no_relocations() -> None:
    """Before CO-RE the header ended after line_info."""
    ext = BtfExt.parse(raw_ext(tables()[:2], hdr_len=24), btf())
    assert len(ext.func_info) == 3
    assert len(ext.core_relos) == 0
    assert list(ext.core_relos) == []


def test_a_section_may_come_twice() -> None:
    """Records of a section that is listed twice are put together, in order."""
    both = info_table(8, [(XDP, [words(0, 7)]), (XDP, [words(8, 8)])])
    ext = BtfExt.parse(raw_ext([both]), btf())
    assert ext.func_info.records("xdp") == (FuncInfo(0, 7), FuncInfo(8, 8))


ONE = info_table(8, [(XDP, [words(0, 7)])])


@pytest.mark.parametrize(
    ("data", "offset", "text"),
    [
        (b"", 0, "24 bytes"),
        (raw_ext()[:20], 0, "24 bytes"),
        (raw_ext(magic=1), 0, "magic"),
        (raw_ext(version=3), 2, "version 3"),
        (raw_ext(flags=8), 3, "flags 0x8"),
        (raw_ext(hdr_len=16), 4, "header length 16"),
        (raw_ext(hdr_len=999), 4, "header length 999"),
        (raw_ext([ONE], order=">"), 0, "byte order"),
        (raw_ext([ONE])[:-1], 32, "beyond the section"),
        (raw_ext([ONE[:-4]]), 36, "1 records do not fit"),
        (raw_ext([ONE[:8]]), 36, "cut off in a section's header"),
        (raw_ext([ONE[:4]]), 36, "no records"),
        (raw_ext([ONE[:2]]), 32, "no record size"),
        (raw_ext([info_table(4, [])]), 32, "records of 4 bytes"),
        (raw_ext([info_table(10, [])]), 32, "records of 10 bytes"),
        (raw_ext([info_table(0, [])]), 32, "records of 0 bytes"),
        (raw_ext([info_table(8, [(XDP, [])])]), 36, "0 records"),
        (raw_ext([info_table(8, [(0, [words(0, 7)])])]), 36, "section without name"),
        (raw_ext([info_table(8, [(99, [words(0, 7)])])]), 36, "bad section name"),
        (raw_ext([b"", info_table(8, [(XDP, [words(0, 7)])])]), 32, "line_info records of 8 bytes"),
        (raw_ext([b"\0\0", ONE]), 32, "no record size"),
    ],
)  # fmt: skip
def test_damage_is_reported_with_its_place(data: bytes, offset: int, text: str) -> None:
    """What is wrong is a BtfError naming .BTF.ext and the byte."""
    with pytest.raises(BtfError, match=text) as caught:
        BtfExt.parse(data, btf())
    assert (caught.value.section, caught.value.offset) == (".BTF.ext", offset)


def test_a_table_must_be_aligned() -> None:
    """Tables start at a multiple of 4."""
    data = bytearray(raw_ext([ONE]) + b"\0\0")
    data[8:12] = words(2)
    with pytest.raises(BtfError, match="not aligned"):
        BtfExt.parse(data, btf())
