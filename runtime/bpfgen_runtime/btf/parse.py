"""The outer form of BTF: its header, and where each type's record starts.

Stepping over the records is all the work that opening BTF needs, and it is in the hot path: the
kernel's own has 120,000 types. So the loop does as little per type as CPython allows, and types are
decoded elsewhere, when asked for.

Kernel: struct btf_header, struct btf_type.
"""

from __future__ import annotations

import sys
from struct import Struct, unpack

from ..errors import BtfError
from .types import NR_BTF_KINDS, kind_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    #: Bytes once and bytes for each of vlen, by kind.
    Layout = tuple[tuple[int, int], ...]

BTF_MAGIC = 0xEB9F
BTF_VERSION = 1
SECTION = ".BTF"
NATIVE = "<" if sys.byteorder == "little" else ">"

_HEADER = {order: Struct(order + "HBBIIIII") for order in "<>"}
HEADER_SIZE = 24
#: With layout_off and layout_len, which came with the layout section.
HEADER_SIZE_LAYOUT = 32

#: Bytes of records from which it pays to import `array` and to put off the check of names.
LARGE = 1 << 16

# 32-bit words of a record: the three of struct btf_type, what follows once, and what follows vlen
# times.
_FIXED = (0, 4, 3, 6, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3, 4, 3, 3)
_PER_VLEN = (0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3)


class Header:
    """Where the parts of one BTF blob are; offsets count from its first byte, sizes are bytes."""

    __slots__ = (
        "byte_order",
        "flags",
        "hdr_len",
        "layout",
        "layout_len",
        "layout_start",
        "str_len",
        "str_start",
        "type_len",
        "type_start",
        "unknown",
        "version",
    )

    def __init__(self, data: bytes) -> None:
        if len(data) < HEADER_SIZE:
            raise BtfError(
                f"BTF needs a header of {HEADER_SIZE} bytes, there are {len(data)}",
                section=SECTION,
                offset=0,
            )
        for order in "<>":
            fields = _HEADER[order].unpack_from(data)
            if fields[0] == BTF_MAGIC:
                break
        else:
            raise BtfError(
                f"no BTF: magic is {data[:2].hex()}, expected 9feb or eb9f",
                section=SECTION,
                offset=0,
            )
        self.byte_order = order
        _, self.version, self.flags, self.hdr_len, type_off, type_len, str_off, str_len = fields
        self.type_len: int = type_len
        self.str_len: int = str_len
        if self.version != BTF_VERSION:
            raise _bad(f"BTF version {self.version} is unknown, only {BTF_VERSION} is", 2)
        if self.flags:
            raise _bad(f"BTF header flags {self.flags:#x} are unknown", 3)
        if not HEADER_SIZE <= self.hdr_len <= len(data):
            raise _bad(f"BTF header length {self.hdr_len} of {len(data)} bytes is impossible", 4)
        if type_off % 4:
            raise _bad(f"types at {type_off:#x} are not aligned to 4 bytes", 8)
        if type_off + type_len > str_off:
            raise _bad(f"types (up to {type_off + type_len:#x}) overlap strings ({str_off:#x})", 8)
        if self.hdr_len + str_off + str_len > len(data):
            raise _bad(f"strings end {str_off + str_len:#x} bytes after the header, beyond it", 16)
        if type_len % 4:
            raise _bad(f"types take {type_len} bytes, not a multiple of 4", 12)
        self.type_start: int = self.hdr_len + type_off
        self.str_start: int = self.hdr_len + str_off
        #: Extra header bytes that mean something unknown: the blob can be read, but not rewritten.
        self.unknown = any(data[HEADER_SIZE_LAYOUT : self.hdr_len])
        self._parse_layout(data, type_off + type_len, str_off)

    def _parse_layout(self, data: bytes, low: int, high: int) -> None:
        self.layout: Layout = ()
        self.layout_start = self.layout_len = 0
        extra = data[HEADER_SIZE : min(self.hdr_len, HEADER_SIZE_LAYOUT)]
        if not any(extra):
            return
        if len(extra) < HEADER_SIZE_LAYOUT - HEADER_SIZE:
            raise _bad(f"BTF header length {self.hdr_len} cuts a field in two", 4)
        offset, size = unpack(self.byte_order + "II", extra)
        if not size:
            return
        if offset % 4 or size % 4:
            raise _bad(f"layout section ({size} bytes at {offset:#x}) is not aligned", HEADER_SIZE)
        if not low <= offset <= offset + size <= high:
            raise _bad(
                f"layout section ({size} bytes at {offset:#x}) is not between types and strings",
                HEADER_SIZE,
            )
        self.layout_start = self.hdr_len + offset
        self.layout_len = size
        entries = data[self.layout_start : self.layout_start + size]
        self.layout = tuple(zip(entries[0::4], entries[1::4], strict=True))


def _bad(message: str, offset: int) -> BtfError:
    return BtfError(message, section=SECTION, offset=offset)


def words_of(data: bytes, header: Header) -> Sequence[int]:
    """Return the records as 32-bit words in this machine's byte order.

    A tuple, or an `array` where the records are large: building one costs less than 0.1 ms per MiB,
    but its import is not for start-up.
    """
    start, size = header.type_start, header.type_len
    if size < LARGE:
        return unpack(f"{header.byte_order}{size // 4}I", data[start : start + size])
    from array import array

    words = array("I")
    words.frombytes(memoryview(data)[start : start + size])
    if header.byte_order != NATIVE:
        words.byteswap()
    return words


def bytes_of(words: Sequence[int], header: Header) -> bytes:
    """Return the records of which `words_of` made words."""
    from array import array

    packed = array("I", words)
    if header.byte_order != NATIVE:
        packed.byteswap()
    return packed.tobytes()


def around(data: bytes, header: Header) -> tuple[bytes, bytes, bytes]:
    """Return what is before the records, between them and the strings, and behind the strings."""
    end_of_types = header.type_start + header.type_len
    end_of_strings = header.str_start + header.str_len
    between = data[end_of_types : header.str_start]
    return data[: header.type_start], between, data[end_of_strings:]


def index_records(words: Sequence[int], header: Header, base_layout: Layout) -> Sequence[int]:
    """Return the index in `words` of each record, as a list, or an `array` as `words` is one.

    Raises:
        BtfError: a kind is unknown, or a record reaches beyond the end.
    """
    # infos[i] is the info word of the record at words[i]. The step depends on nothing else, few
    # info words are distinct, and a lookup in an exact dict is the fastest branch there is. Both
    # ends of the loop are exceptions, so that the rounds between pay for no test.
    infos = words[1:]
    steps: dict[int, int] = {}
    starts: list[int] | array[int] = [0]
    if not isinstance(words, tuple):
        from array import array

        starts = array("I", starts)  # a list's numbers would take 32 bytes more, each
    append = starts.append
    i = 0
    while True:
        try:
            while True:
                i += steps[infos[i]]
                append(i)
        except KeyError:
            steps[infos[i]] = _step(infos[i], i, header, base_layout)
        except IndexError:
            break
    if starts.pop() != len(words):
        last = i if i < len(words) else starts[-1]
        raise BtfError(
            "a type record is cut off by the end of the types",
            section=SECTION,
            offset=header.type_start + 4 * last,
        )
    return starts


def _step(info: int, at: int, header: Header, base_layout: Layout) -> int:
    kind = info >> 24 & 0x7F
    vlen = info & 0xFFFFFF
    if 0 < kind < NR_BTF_KINDS:
        return _FIXED[kind] + _PER_VLEN[kind] * vlen
    layout = header.layout or base_layout
    if kind < len(layout):
        once, each = layout[kind]
        if once % 4 == 0 and each % 4 == 0:
            return 3 + (once + each * vlen) // 4
    raise BtfError(
        f"{kind_name(kind)} is no kind of BTF type known here (0 < kind < {NR_BTF_KINDS})",
        section=SECTION,
        offset=header.type_start + 4 * at + 4,
    )
