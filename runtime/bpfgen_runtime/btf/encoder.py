"""Types to BTF: from values, to the other byte order, and with corrections in place."""

from __future__ import annotations

import struct

from ..errors import NotSupportedError
from .btf import Btf
from .parse import BTF_MAGIC, BTF_VERSION, HEADER_SIZE, HEADER_SIZE_LAYOUT, NATIVE
from .types import (
    BTF_KIND_FUNC_PROTO,
    Array,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Var,
    Volatile,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MAX_VLEN = 0xFFFFFF


class StringTable:
    """A string section under construction: each string once, those of the base not again.

    Args:
        base: whose strings come first, if the section is that of a split BTF.
        section: strings to begin with, each ended by NUL; they keep their offsets.
    """

    def __init__(self, base: Btf | None = None, section: bytes = b"") -> None:
        self._start = 0 if base is None else base.end_string_offset
        self._data = bytearray(section or (b"\0" if base is None else b""))
        self._offsets = {"": 0}
        for text, offset in _strings_of(self._data, self._start):
            self._offsets.setdefault(text, offset)
        while base is not None:
            own = base.string_section()
            for text, offset in _strings_of(own, base.end_string_offset - len(own)):
                self._offsets[text] = offset
            base = base.base

    def add(self, text: str) -> int:
        """Return the offset of a string, which is added if it is new.

        Raises:
            ValueError: it contains NUL.
        """
        offset = self._offsets.get(text)
        if offset is None:
            if "\0" in text:
                raise ValueError(f"a BTF string cannot contain NUL: {text!r}")
            offset = self._offsets[text] = self._start + len(self._data)
            self._data += text.encode("utf-8", "surrogateescape") + b"\0"
        return offset

    def to_bytes(self) -> bytes:
        """Return the section."""
        return bytes(self._data)


def _strings_of(section: bytes | bytearray, start: int) -> Iterator[tuple[str, int]]:
    for each in section.split(b"\0")[:-1]:
        yield each.decode("utf-8", "surrogateescape"), start
        start += len(each) + 1


def encode(
    source: Btf | Iterable[BtfType], *, byte_order: str | None = None, base: Btf | None = None
) -> bytes:
    """Encode BTF.

    A `Btf` gives the bytes that it was parsed from, or the same in the other byte order. Types are
    given ids in their order, from 1, or from len(base).

    Args:
        byte_order: "<" or ">"; by default that of the `Btf`, of the base, or of this machine.
        base: what the types continue, if they are to be a split BTF.

    Raises:
        ValueError: a field is too large for BTF.
        NotSupportedError: the header has fields that are not known here, so that they cannot be
            swapped.
    """
    if isinstance(source, Btf):
        return _in_byte_order(source, byte_order or source.byte_order)
    if byte_order is None:
        byte_order = NATIVE if base is None else base.byte_order
    strings = StringTable(base)
    records = bytearray()
    for number, t in enumerate(source):
        try:
            words = record_of(t, strings.add)
            records += struct.pack(f"{byte_order}{len(words)}I", *words)
        except (ValueError, struct.error) as error:
            type_id = number + (1 if base is None else len(base))
            raise ValueError(f"cannot encode type [{type_id}] {t!r}: {error}") from error
    return assemble(byte_order, records, strings.to_bytes())


def assemble(byte_order: str, records: bytes | bytearray, strings: bytes) -> bytes:
    """Return a whole blob: a header, the packed records, the string section."""
    size = len(records)
    fields = (BTF_MAGIC, BTF_VERSION, 0, HEADER_SIZE, 0, size, size, len(strings))
    return struct.pack(byte_order + "HBBIIIII", *fields) + records + strings


def replace(btf: Btf, changes: Mapping[int, BtfType]) -> Btf:
    """See `Btf.replace`."""
    _check_known(btf, "editing")
    words, starts = btf.records()
    data = bytearray(btf.to_bytes())
    for type_id, t in changes.items():
        number = type_id - btf.start_id
        if not 0 <= number < len(starts):
            raise ValueError(f"type id {type_id} is not in this BTF")
        at = starts[number]
        end = starts[number + 1] if number + 1 < len(starts) else len(words)
        old = words[at:end]
        # A name keeps its offset if the record had it: the string table may hold it twice.
        kept = {btf.string(offset): offset for offset in _name_offsets(btf, type_id, old)}
        try:
            new = record_of(t, lambda text, kept=kept: _existing(btf, text, kept))  # type: ignore[misc]
            if len(new) != len(old):
                raise ValueError(f"its record takes {4 * len(new)} bytes, not {4 * len(old)}")
            packed = struct.pack(f"{btf.byte_order}{len(new)}I", *new)
        except (ValueError, struct.error) as error:
            raise ValueError(f"cannot replace type [{type_id}] by {t!r}: {error}") from error
        offset = btf.offset_of(at)
        data[offset : offset + len(packed)] = packed
    changed = Btf(bytes(data), btf.base)
    changed.pointer_size = btf.pointer_size
    return changed


def extend(btf: Btf, types: Iterable[BtfType]) -> Btf:
    """See `Btf.extend`."""
    _check_known(btf, "extending")
    header = btf.header
    if header.layout_len:
        raise NotSupportedError("extending BTF that has a layout section")
    # Known strings keep their places, as offsets into the section are all over an object.
    strings = bytearray(btf.string_section())
    first = btf.end_string_offset - len(strings)

    def name(text: str) -> int:
        known = [0] if not text else btf.string_offsets(text)
        if known:
            return known[0]
        wanted = b"\0" + text.encode("utf-8", "surrogateescape") + b"\0"
        at = strings.find(wanted)
        if at < 0:
            at = len(strings) - 1
            strings.extend(wanted[1:])
        return first + at + 1

    records = bytearray()
    for t in types:
        words = record_of(t, name)
        records += struct.pack(f"{btf.byte_order}{len(words)}I", *words)
    data = btf.to_bytes()
    start = header.type_start
    records[:0] = data[start : start + header.type_len]
    head = bytearray(data[: header.hdr_len])
    struct.pack_into(btf.byte_order + "IIII", head, 8, 0, len(records), len(records), len(strings))
    longer = Btf(bytes(head + records + strings), btf.base)
    longer.pointer_size = btf.pointer_size
    return longer


def _name_offsets(btf: Btf, type_id: int, words: Iterable[int]) -> list[int]:
    words = list(words)
    t = btf.type(type_id)
    if (isinstance(t, Enum) and not isinstance(t, Enum64)) or t.kind == BTF_KIND_FUNC_PROTO:
        return [words[0], *words[3::2]]
    if isinstance(t, (Struct, Enum64)):
        return [words[0], *words[3::3]]
    return [words[0]]


def _existing(btf: Btf, text: str, kept: Mapping[str, int]) -> int:
    if not text:
        return 0
    if text in kept:
        return kept[text]
    offsets = btf.string_offsets(text)
    if not offsets:
        raise ValueError(f"the name {text!r} is not among the strings")
    return offsets[0]


def _in_byte_order(btf: Btf, byte_order: str) -> bytes:
    data = btf.to_bytes()
    if byte_order == btf.byte_order:
        return data
    _check_known(btf, "changing the byte order of")
    header = btf.header
    words, _ = btf.records()
    swapped = bytearray(data)
    size = HEADER_SIZE_LAYOUT if header.hdr_len >= HEADER_SIZE_LAYOUT else HEADER_SIZE
    form = "HBB" + "I" * (size // 4 - 1)
    struct.pack_into(
        byte_order + form, swapped, 0, *struct.unpack_from(btf.byte_order + form, data)
    )
    struct.pack_into(f"{byte_order}{len(words)}I", swapped, header.type_start, *words)
    for at in range(header.layout_start, header.layout_start + header.layout_len, 4):
        swapped[at + 2 : at + 4] = data[at + 3 : at + 1 : -1]  # struct btf_layout: u8, u8, u16
    return bytes(swapped)


def _check_known(btf: Btf, doing: str) -> None:
    if btf.header.unknown:
        raise NotSupportedError(
            f"{doing} BTF with a header of {btf.header.hdr_len} bytes",
            "It has fields that are newer than this version of bpfgen",
        )


def record_of(t: BtfType, name: Callable[[str], int]) -> list[int]:
    """Return the words of a type's record; `name` gives the offset of a string."""
    words = [name(t.name), t.kind << 24, 0]
    flag, vlen = False, 0
    if isinstance(t, Int):
        _check("encoding", t.encoding, 0xF)
        _check("offset", t.offset, 0xFF)
        _check("bits", t.bits, 0xFF)
        words[2] = t.size
        words.append(t.encoding << 24 | t.offset << 16 | t.bits)
    elif isinstance(t, (Ptr, Typedef, Volatile, Const, Restrict)):
        words[2] = t.type
    elif isinstance(t, TypeTag):
        flag = t.attribute
        words[2] = t.type
    elif isinstance(t, DeclTag):
        flag = t.attribute
        words[2] = t.type
        words.append(0xFFFFFFFF if t.component == -1 else t.component)
    elif isinstance(t, Array):
        words += (t.type, t.index_type, t.nelems)
    elif isinstance(t, Struct):
        flag, vlen = t.kind_flag, len(t.members)
        words[2] = t.size
        for member in t.members:
            words += (name(member.name), member.type, _member_offset(member, flag))
    elif isinstance(t, Enum):
        flag, vlen = t.signed, len(t.values)
        words[2] = t.size
        bits = 64 if isinstance(t, Enum64) else 32
        low = -(1 << bits - 1) if flag else 0
        for one in t.values:
            if not low <= one.value < low + (1 << bits):
                raise ValueError(f"{one.name} = {one.value} does not fit {bits} bits")
            words += (name(one.name), one.value & 0xFFFFFFFF)
            if bits == 64:
                words.append(one.value >> 32 & 0xFFFFFFFF)
    elif isinstance(t, Fwd):
        flag = t.is_union
    elif isinstance(t, FuncProto):
        vlen = len(t.params)
        words[2] = t.type
        for param in t.params:
            words += (name(param.name), param.type)
    elif isinstance(t, Func):
        vlen = t.linkage
        words[2] = t.type
    elif isinstance(t, Var):
        words[2] = t.type
        words.append(t.linkage)
    elif isinstance(t, Datasec):
        vlen = len(t.vars)
        words[2] = t.size
        for var in t.vars:
            words += (var.type, var.offset, var.size)
    elif isinstance(t, Float):
        words[2] = t.size
    else:
        raise ValueError(f"{type(t).__name__} has no encoding")
    _check("number of elements", vlen, MAX_VLEN)
    words[1] |= flag << 31 | vlen
    return words


def _member_offset(member: Member, kind_flag: bool) -> int:
    if not kind_flag:
        if member.bitfield_size:
            raise ValueError(f"member {member.name!r} is a bitfield, which needs kind_flag")
        return member.bit_offset
    _check("bitfield_size", member.bitfield_size, 0xFF)
    _check("bit_offset", member.bit_offset, 0xFFFFFF)
    return member.bitfield_size << 24 | member.bit_offset


def _check(what: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise ValueError(f"{what} {value} is not between 0 and {most}")
