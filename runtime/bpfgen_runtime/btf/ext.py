"""`.BTF.ext`: what belongs to instructions: functions, source lines, and CO-RE relocations.

Kernel: struct bpf_func_info and struct bpf_line_info (v5.0), struct bpf_core_relo (v5.17).
"""

from __future__ import annotations

from struct import Struct, unpack_from

from ..errors import BtfError
from .parse import BTF_MAGIC, BTF_VERSION
from .types import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Generic, TypeVar

    from .btf import Btf

    R = TypeVar("R", "FuncInfo", "LineInfo", "CoreRelo")

    class _Table(Generic[R]): ...

else:
    R = None

    class _Table:
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))  # types.GenericAlias


SECTION = ".BTF.ext"
_INSN_SIZE = 8

#: `CoreRelo.kind` by number: enum bpf_core_relo_kind.
CORE_RELO_KINDS = (
    "BPF_CORE_FIELD_BYTE_OFFSET",
    "BPF_CORE_FIELD_BYTE_SIZE",
    "BPF_CORE_FIELD_EXISTS",
    "BPF_CORE_FIELD_SIGNED",
    "BPF_CORE_FIELD_LSHIFT_U64",
    "BPF_CORE_FIELD_RSHIFT_U64",
    "BPF_CORE_TYPE_ID_LOCAL",
    "BPF_CORE_TYPE_ID_TARGET",
    "BPF_CORE_TYPE_EXISTS",
    "BPF_CORE_TYPE_SIZE",
    "BPF_CORE_ENUMVAL_EXISTS",
    "BPF_CORE_ENUMVAL_VALUE",
    "BPF_CORE_TYPE_MATCHES",
)


class FuncInfo(Record):
    """A function starts at `insn_off` (bytes in its section); `type_id` is its FUNC."""

    __slots__ = __match_args__ = ("insn_off", "type_id")

    def __init__(self, insn_off: int, type_id: int) -> None:
        self.insn_off = insn_off
        self.type_id = type_id


class LineInfo(Record):
    """A source line starts at `insn_off` (bytes in its section).

    `file_name_off` and `line_off` (the line's text) are string offsets in the object's BTF.
    """

    __slots__ = __match_args__ = ("insn_off", "file_name_off", "line_off", "line_col")

    def __init__(self, insn_off: int, file_name_off: int, line_off: int, line_col: int) -> None:
        self.insn_off = insn_off
        self.file_name_off = file_name_off
        self.line_off = line_off
        self.line_col = line_col

    @property
    def line(self) -> int:
        """The line's number, from 1."""
        return self.line_col >> 10

    @property
    def column(self) -> int:
        """The column, from 1; 0 if not known."""
        return self.line_col & 0x3FF


class CoreRelo(Record):
    """One CO-RE relocation of the instruction at `insn_off` (bytes in its section).

    Args:
        type_id: the local type that the access starts at.
        access_str_off: string offset of the access, `"0:1:0"`.
        kind: index in CORE_RELO_KINDS; a newer one may be beyond it.
    """

    __slots__ = __match_args__ = ("insn_off", "type_id", "access_str_off", "kind")

    def __init__(self, insn_off: int, type_id: int, access_str_off: int, kind: int) -> None:
        self.insn_off = insn_off
        self.type_id = type_id
        self.access_str_off = access_str_off
        self.kind = kind


class InfoTable(_Table[R]):
    """The records of one sort, by the name of the section whose instructions they are about.

    Attributes:
        rec_size: bytes of one record in the file; at least `known_size`, what is behind that is
            newer.
        raw: whole records per section, as in the file.
    """

    __slots__ = ("_record", "_struct", "byte_order", "raw", "rec_size")

    def __init__(self, record: type[R], known_size: int, byte_order: str) -> None:
        self._record: Callable[..., R] = record
        self._struct = Struct(f"{byte_order}{known_size // 4}I")
        self.byte_order = byte_order
        self.rec_size = known_size
        self.raw: dict[str, bytes] = {}

    @property
    def known_size(self) -> int:
        """Bytes of a record that have a meaning here, and that the kernel needs."""
        return self._struct.size

    def __len__(self) -> int:
        """Return the number of records in all sections."""
        return sum([len(raw) for raw in self.raw.values()]) // self.rec_size

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the sections."""
        return iter(self.raw)

    def __contains__(self, section: object) -> bool:
        return section in self.raw

    def records(self, section: str) -> tuple[R, ...]:
        """Return a section's records in the file's order, () if it has none."""
        raw = self.raw.get(section, b"")
        size, unpack, record = self.rec_size, self._struct.unpack_from, self._record
        return tuple([record(*unpack(raw, at)) for at in range(0, len(raw), size)])

    def for_program(self, section: str, start: int, size: int, insn_base: int = 0) -> bytes:
        """Return the records of one program in the form that BPF_PROG_LOAD takes.

        Records of `known_size` bytes; `insn_off` counts instructions, not bytes, from the program's
        first.

        Args:
            section: where the program is.
            start: its first byte there.
            size: bytes of its instructions.
            insn_base: number of instructions before it, for a subprogram behind its caller.

        Raises:
            BtfError: a record's insn_off is not that of an instruction.
        """
        raw = self.raw.get(section, b"")
        pack, unpack = self._struct.pack, self._struct.unpack_from
        first, last = self._place(raw, start), self._place(raw, start + size)
        cut = []
        for at in range(first, last, self.rec_size):
            insn_off, *rest = unpack(raw, at)
            if not start <= insn_off < start + size or (insn_off - start) % _INSN_SIZE:
                raise BtfError(
                    f"offset {insn_off:#x} in {section!r} is out of order, or of no instruction",
                    section=SECTION,
                )
            cut.append(pack(insn_base + (insn_off - start) // _INSN_SIZE, *rest))
        return b"".join(cut)

    def _place(self, raw: bytes, insn_off: int) -> int:
        """Return where in a section's records those from an instruction on begin.

        Records ascend: the kernel refuses others. A search by halves keeps objects of many
        functions from costing functions times records.
        """
        size, unpack = self.rec_size, self._struct.unpack_from
        low, high = 0, len(raw) // size
        while low < high:
            middle = (low + high) // 2
            if unpack(raw, middle * size)[0] < insn_off:
                low = middle + 1
            else:
                high = middle
        return low * size


class BtfExt:
    """A parsed `.BTF.ext` section.

    Attributes:
        func_info, line_info, core_relos: one `InfoTable` each, empty if the section has none.
    """

    __slots__ = ("_data", "byte_order", "core_relos", "func_info", "line_info")

    def __init__(self, data: bytes, btf: Btf) -> None:
        self._data = data
        if len(data) < 24:
            raise _bad(f"the header needs 24 bytes, there are {len(data)}", 0)
        for order in "<>":
            magic, version, flags, hdr_len = unpack_from(order + "HBBI", data)
            if magic == BTF_MAGIC:
                break
        else:
            raise _bad(f"magic is {data[:2].hex()}, expected 9feb or eb9f", 0)
        if order != btf.byte_order:
            raise _bad("its byte order is not that of .BTF", 0)
        self.byte_order = order
        if version != BTF_VERSION:
            raise _bad(f"version {version} is unknown, only {BTF_VERSION} is", 2)
        if flags:
            raise _bad(f"header flags {flags:#x} are unknown", 3)
        if not 24 <= hdr_len <= len(data):
            raise _bad(f"header length {hdr_len} of {len(data)} bytes is impossible", 4)
        places = unpack_from(order + "IIII", data, 8)
        # core_relo_off and core_relo_len came later.
        places += unpack_from(order + "II", data, 24) if hdr_len >= 32 else (0, 0)
        self.func_info: InfoTable[FuncInfo] = InfoTable(FuncInfo, 8, order)
        self.line_info: InfoTable[LineInfo] = InfoTable(LineInfo, 16, order)
        self.core_relos: InfoTable[CoreRelo] = InfoTable(CoreRelo, 16, order)
        _fill(self.func_info, "func_info", data, hdr_len, places[0], places[1], btf)
        _fill(self.line_info, "line_info", data, hdr_len, places[2], places[3], btf)
        _fill(self.core_relos, "core_relo", data, hdr_len, places[4], places[5], btf)

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview, btf: Btf) -> BtfExt:
        """Parse a `.BTF.ext` section of either byte order.

        Records are cut out and counted, but decoded only when asked for.

        Args:
            btf: the object's `.BTF`, which has the names of the sections.

        Raises:
            BtfError: with the section `.BTF.ext` and the byte offset in it.
        """
        return cls(data if isinstance(data, bytes) else bytes(data), btf)

    def to_bytes(self) -> bytes:
        """Return the section, byte for byte as it was given."""
        return self._data


def _fill(
    table: InfoTable[R], what: str, data: bytes, hdr_len: int, off: int, size: int, btf: Btf
) -> None:
    if not size:
        return
    at = hdr_len + off
    end = at + size
    if off % 4:
        raise _bad(f"{what} is not aligned to 4 bytes", at)
    if end > len(data):
        raise _bad(f"{what} ends at {end:#x}, beyond the section of {len(data):#x} bytes", at)
    word = Struct(table.byte_order + "I")
    head = Struct(table.byte_order + "II")  # struct btf_ext_info_sec: sec_name_off, num_info
    if size < word.size:
        raise _bad(f"{what} has no record size", at)
    (rec_size,) = word.unpack_from(data, at)
    if rec_size < table.known_size or rec_size % 4:
        raise _bad(
            f"{what} records of {rec_size} bytes: expected a multiple of 4, at least "
            f"{table.known_size}",
            at,
        )
    table.rec_size = rec_size
    at += 4
    if at == end:
        raise _bad(f"{what} has no records", at)
    parts: dict[str, list[bytes]] = {}
    while at < end:
        if end - at < head.size:
            raise _bad(f"{what} is cut off in a section's header", at)
        name_off, count = head.unpack_from(data, at)
        first = at + head.size
        last = first + count * rec_size
        if not count or last > end:
            raise _bad(f"{what}: {count} records do not fit the {end - first} bytes left", at)
        try:
            name = btf.string(name_off)
        except BtfError as cause:
            raise _bad(f"{what}: bad section name: {cause.message}", at) from cause
        if not name:
            raise _bad(f"{what}: records for a section without name", at)
        parts.setdefault(name, []).append(data[first:last])
        at = last
    table.raw = {name: b"".join(each) for name, each in parts.items()}


def _bad(message: str, offset: int) -> BtfError:
    return BtfError(message, section=SECTION, offset=offset)
