"""The outer form of BTF: headers, records, strings, and what is refused."""

from __future__ import annotations

import pickle
import struct

import pytest
from bpfgen_runtime.btf import Btf, Int, Ptr, Struct, Typedef, Unknown, encode
from bpfgen_runtime.errors import BtfError, NotSupportedError

from tests.support.btfbuilder import ALL_KINDS, info, raw_btf

INT = [1, info(1), 4, 32]
NAMES = b"\0int\0"


@pytest.mark.parametrize("order", ["<", ">"])
def test_all_kinds_parse_back(order: str) -> None:
    """What was encoded is read back, in either byte order."""
    parsed = Btf.parse(encode(ALL_KINDS, byte_order=order))
    assert parsed.byte_order == order
    assert [t for _, t in parsed.types()] == list(ALL_KINDS)
    assert [i for i, _ in parsed.types()] == list(range(1, len(parsed)))
    parsed.validate()


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_any_buffer_is_accepted(make: type[bytes]) -> None:
    """The blob may be bytes, bytearray or memoryview; a later change to it has no effect."""
    data = bytearray(encode(ALL_KINDS))
    parsed = Btf.parse(make(data))
    data[:] = bytes(len(data))
    assert parsed.type(1) == ALL_KINDS[0]


def test_empty_btf_has_void_only() -> None:
    """BTF without types is legal; id 0 is void."""
    parsed = Btf.parse(raw_btf())
    assert len(parsed) == 1
    assert parsed.type(0).kind == 0
    assert parsed.name(0) == ""
    assert list(parsed.types()) == []


@pytest.mark.parametrize(
    ("data", "offset", "words"),
    [
        (b"", 0, "header of 24 bytes, there are 0"),
        (raw_btf()[:23], 0, "header of 24 bytes, there are 23"),
        (raw_btf(magic=0x1234), 0, "magic"),
        (raw_btf(version=2), 2, "version 2"),
        (raw_btf(flags=1), 3, "flags 0x1"),
        (raw_btf(hdr_len=23), 4, "header length 23"),
        (raw_btf(hdr_len=1000), 4, "header length 1000"),
        (raw_btf(INT, NAMES, type_off=2), 8, "not aligned"),
        (raw_btf(INT, NAMES, type_len=14, str_off=16), 12, "multiple of 4"),
        (raw_btf(INT, NAMES, type_len=20), 8, "overlap"),
        (raw_btf(INT, NAMES, str_len=6), 16, "strings end"),
        (raw_btf(INT, NAMES, str_off=0xFFFFFFFF), 16, "strings end"),
        (raw_btf(str_len=0), 24, "do not end with NUL"),
        (raw_btf(strings=b"\0int"), 27, "do not end with NUL"),
        (raw_btf(strings=b"int\0"), 24, "first string is not empty"),
        (raw_btf([1]), 24, "cut off"),
        (raw_btf([1, info(8)]), 24, "cut off"),
        (raw_btf([*INT, 1, info(1), 4], NAMES), 24 + 16, "cut off"),
        (raw_btf([*INT, 0, info(4, 0xFFFFFF), 4], NAMES), 24 + 16, "cut off"),
        (raw_btf([*INT, 0, info(0), 4], NAMES), 24 + 16 + 4, "UNKN is no kind"),
        (raw_btf([0, info(20), 4]), 28, "kind 20 is no kind"),
        (raw_btf([0, info(127), 4]), 28, "kind 127 is no kind"),
        (raw_btf([5, info(1), 4, 32], NAMES), 24, "name at 0x5"),
    ],
)
def test_damage_is_reported_with_its_place(data: bytes, offset: int, words: str) -> None:
    """What is wrong with the outer form is a BtfError naming .BTF and the byte."""
    with pytest.raises(BtfError, match=words) as caught:
        Btf.parse(data)
    assert (caught.value.section, caught.value.offset) == (".BTF", offset)
    assert pickle.loads(pickle.dumps(caught.value)).offset == offset


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([0, info(2), 2], "type id 2 does not exist"),
        ([0, info(3), 0, 7, 1, 1], "type id 7"),
        ([0, info(3), 0, 1, 7, 1], "type id 7"),
        ([0, info(4, 1), 4, 0, 9, 0], "type id 9"),
        ([0, info(13, 1), 0, 0, 9], "type id 9"),
        ([0, info(13), 9], "type id 9"),
        ([1, info(15, 1), 4, 9, 0, 4], "type id 9"),
        ([1, info(14), 9, 1], "type id 9"),
        ([1, info(12), 9], "type id 9"),
        ([1, info(8), 9], "type id 9"),
        ([1, info(17), 9, 0], "type id 9"),
        ([1, info(18), 9], "type id 9"),
        ([0, info(4, 1), 4, 99, 1, 0], "string offset 0x63"),
        ([0, info(6, 1), 4, 99, 1], "string offset 0x63"),
        ([0, info(19, 1), 8, 99, 1, 0], "string offset 0x63"),
        ([0, info(13, 1), 0, 99, 1], "string offset 0x63"),
    ],
)
def test_decoding_checks_what_it_hands_out(records: list[int], words: str) -> None:
    """A type that refers to nothing cannot be had; the others can. validate() refuses the whole."""
    parsed = Btf.parse(raw_btf(records, NAMES))
    with pytest.raises(BtfError, match=words):
        parsed.type(1)
    with pytest.raises(BtfError, match=r"type id|name at"):
        parsed.validate()


@pytest.mark.parametrize("type_id", [-1, 2, 1 << 32])
def test_ids_out_of_range(type_id: int) -> None:
    """There is no type with a negative id, or beyond the last."""
    parsed = Btf.parse(raw_btf(INT, NAMES))
    for ask in (parsed.type, parsed.kind, parsed.name, parsed.target, parsed.size_of):
        with pytest.raises(BtfError, match="no type id"):
            ask(type_id)


def test_a_longer_header_of_zeros_is_fine() -> None:
    """A newer header whose extra fields are zero is read, kept, and can be swapped."""
    data = raw_btf(INT, NAMES, extra=bytes(20))
    parsed = Btf.parse(data)
    assert parsed.type(1) == Int("int", 4)
    assert encode(parsed) == parsed.to_bytes() == data
    assert encode(parsed, byte_order=">") == raw_btf(INT, NAMES, extra=bytes(20), order=">")


def test_unknown_header_fields_can_be_read_but_not_rewritten() -> None:
    """What a newer header says cannot be kept true by an edit, so there is none."""
    data = raw_btf(INT, NAMES, extra=bytes(8) + b"\1\0\0\0")
    parsed = Btf.parse(data)
    assert parsed.type(1) == Int("int", 4)
    assert encode(parsed) == data
    with pytest.raises(NotSupportedError, match="header of 36 bytes"):
        encode(parsed, byte_order=">")
    with pytest.raises(NotSupportedError, match="header of 36 bytes"):
        parsed.replace({1: Int("int", 8)})


def test_a_header_field_cut_in_two_is_refused() -> None:
    """Extra header bytes that end inside of a field mean nothing."""
    with pytest.raises(BtfError, match="cuts a field in two"):
        Btf.parse(raw_btf(extra=b"\1\0\0\0"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_layout_section_tells_the_length_of_new_kinds(order: str) -> None:
    """A kind that is not known here is stepped over when the layout section says how long it is."""
    sizes = [(0, 0)] * 21
    sizes[20] = (4, 8)
    layout = b"".join(struct.pack(order + "BBH", once, each, 0x102) for once, each in sizes)
    new = [1, info(20, 2, True), 77, 1, 2, 3, 4, 5]
    data = raw_btf([*new, *INT], NAMES, layout=layout, order=order)
    parsed = Btf.parse(data)
    parsed.validate()
    t = parsed.type(1)
    assert t == Unknown("int", info(20, 2, True), 77, (1, 2, 3, 4, 5))
    assert t.kind == 20
    assert parsed.type(2) == Int("int", 4)
    other = "<" if order == ">" else ">"
    swapped = encode(parsed, byte_order=other)
    assert list(Btf.parse(swapped).types()) == list(parsed.types())
    assert encode(Btf.parse(swapped), byte_order=order) == data
    with pytest.raises(BtfError, match="cut off"):
        Btf.parse(raw_btf(new[:-1], NAMES, layout=layout, order=order))


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (24, 2, "not aligned"),
        (28, 6, "not aligned"),
        (24, 0, "not between"),
        (28, 400, "not between"),
    ],
)
def test_a_misplaced_layout_section_is_refused(at: int, value: int, words: str) -> None:
    """The layout section lies aligned between types and strings."""
    data = bytearray(raw_btf(INT, NAMES, layout=bytes(8)))
    data[at : at + 4] = struct.pack("<I", value)
    with pytest.raises(BtfError, match=words):
        Btf.parse(data)


def test_large_btf_checks_names_when_they_are_asked_for() -> None:
    """Above 64 KiB the names of types wait for find() or validate()."""
    many = raw_btf([*INT * 5000, 99, info(1), 4, 32], NAMES)
    parsed = Btf.parse(many)
    assert parsed.name(1) == "int"
    for ask in (lambda: parsed.find("int"), parsed.validate, lambda: parsed.type(5001)):
        with pytest.raises(BtfError, match="0x63"):
            ask()


@pytest.mark.parametrize("order", ["<", ">"])
def test_large_btf_is_read_like_small(order: str) -> None:
    """The other way of reading words that large BTF takes gives the same types."""
    parsed = Btf.parse(encode(ALL_KINDS * 400, byte_order=order))
    assert parsed.header.type_len > 1 << 16
    assert [t for _, t in parsed.types()] == list(ALL_KINDS) * 400
    assert parsed.find("number") == [10 + 24 * i for i in range(400)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_large_btf_gives_back_the_bytes_it_came_in(order: str) -> None:
    """What is before, between and behind records and strings is kept with them."""
    layout = struct.pack("20B", *range(20))
    blob = raw_btf(INT * 5000, NAMES, order=order, extra=b"new!", layout=layout, type_off=8)
    blob += b"behind the strings"
    parsed = Btf.parse(blob)
    assert parsed.header.type_len > 1 << 16
    assert parsed.to_bytes() == blob


def test_large_btf_names_the_type_whose_name_is_wrong() -> None:
    """Names are looked at piece by piece; the number in the message counts from the first."""
    parsed = Btf.parse(raw_btf([*INT * 20000, 99, info(1), 4, 32, *INT * 20000], NAMES))
    with pytest.raises(BtfError, match=r"type \[20001\]: its name at 0x63") as caught:
        parsed.find("int")
    assert caught.value.offset == 24 + 16 * 20000


def test_names_that_are_no_utf8_are_kept() -> None:
    """Bytes of a name that are not UTF-8 survive a round trip."""
    parsed = Btf.parse(raw_btf(INT, b"\0\xff\xfe\0"))
    name = parsed.name(1)
    assert encode([parsed.type(1)]) == parsed.to_bytes()
    assert parsed.find(name) == [1]


class TestSplit:
    """BTF of a kernel module continues that of the kernel."""

    BASE = (Int("int", 4), Struct("shared", 4))
    OWN = (Ptr(2), Typedef("mine", 1), Typedef("shared", 3))

    def make(self, order: str = "<") -> tuple[Btf, Btf]:
        base = Btf.parse(encode(self.BASE, byte_order=order))
        return base, Btf.parse(encode(self.OWN, base=base), base=base)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_ids_and_strings_continue(self, order: str) -> None:
        """Own ids come after the base's; strings of the base are used and not written again."""
        base, split = self.make(order)
        assert split.byte_order == order
        assert (split.start_id, len(base), len(split)) == (3, 3, 6)
        assert [split.type(i) for i in range(1, 6)] == [*self.BASE, *self.OWN]
        assert list(split.types()) == list(zip((3, 4, 5), self.OWN, strict=True))
        assert split.string_section() == b"mine\0"
        assert split.name(5) == "shared"
        assert split.c_name(3) == "struct shared *"
        split.validate()

    def test_find_searches_both(self) -> None:
        """A name is found in the base and here, ascending."""
        _, split = self.make()
        assert split.find("shared") == [2, 5]
        assert split.find("int") == [1]
        assert split.find("mine") == [4]
        assert split.find("nothing") == []

    def test_without_its_base_it_is_refused(self) -> None:
        """Split BTF alone is told by its first string."""
        _, split = self.make()
        with pytest.raises(BtfError, match="split BTF"):
            Btf.parse(split.to_bytes())

    def test_the_base_must_have_the_same_byte_order(self) -> None:
        """A base in the other byte order is not the right one."""
        with pytest.raises(BtfError, match="byte order"):
            Btf.parse(self.make("<")[1].to_bytes(), base=self.make(">")[0])

    def test_a_split_without_strings_of_its_own(self) -> None:
        """All names may be the base's; then the string section is empty."""
        base, _ = self.make()
        split = Btf.parse(encode([Typedef("shared", 1)], base=base), base=base)
        assert split.string_section() == b""
        assert split.find("shared") == [2, 3]

    def test_bad_references(self) -> None:
        """Ids are checked against both together, names too."""
        base, _ = self.make()
        for data in (encode([Ptr(4)], base=base), encode([Ptr(0xFFFFFFFF)], base=base)):
            split = Btf.parse(data, base=base)
            with pytest.raises(BtfError, match="does not exist, the last is 3"):
                split.type(3)
        end = base.end_string_offset
        with pytest.raises(BtfError, match="name at"):
            Btf.parse(raw_btf([end + 2, info(8), 1], b"x\0"), base=base)
