"""BTF and .BTF.ext blobs that no compiler writes, field by field."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bpfgen_runtime.btf.types import (
    Array,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Restrict,
    SecVar,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    Volatile,
)

#: One of each kind at least, valid also for the kernel's rules. Ids start at 1.
ALL_KINDS: tuple[BtfType, ...] = (
    Int("int", 4, encoding=1),  # 1
    Ptr(3),  # 2
    Const(1),  # 3
    Array(1, 1, 7),  # 4
    Struct("point", 12, [Member("x", 1, 0), Member("y", 1, 32), Member("next", 5 + 1, 64)]),  # 5
    Union("", 4, [Member("a", 1, 0), Member("b", 7, 0)]),  # 6
    Enum("colour", 4, [Enumerator("RED", 0), Enumerator("NONE", -1)], signed=True),  # 7
    Fwd("opaque"),  # 8
    Fwd("opaque_union", is_union=True),  # 9
    Typedef("number", 1),  # 10
    Volatile(10),  # 11
    Restrict(2),  # 12
    FuncProto(1, [Param("self", 2), Param("", 0)]),  # 13
    Func("handle", 13, linkage=1),  # 14
    Var("total", 11, linkage=1),  # 15
    Datasec(".bss", 8, [SecVar(15, 0, 4)]),  # 16
    Float("double", 8),  # 17
    DeclTag("reviewed", 5),  # 18
    DeclTag("first", 5, component=0),  # 19
    TypeTag("user", 1),  # 20
    Enum64("big", 8, [Enumerator("TOP", 0xFFFFFFFFFFFFFFFF)]),  # 21
    Struct("flags", 4, [Member("low", 1, 0, 3), Member("high", 1, 3, 29)]),  # 22
    DeclTag("of an argument", 14, component=1),  # 23
    Int("_Bool", 1, encoding=4),  # 24
)


def raw_btf(
    records: Sequence[int] = (),
    strings: bytes = b"\0",
    *,
    order: str = "<",
    magic: int = 0xEB9F,
    version: int = 1,
    flags: int = 0,
    hdr_len: int | None = None,
    extra: bytes = b"",
    layout: bytes = b"",
    type_off: int = 0,
    type_len: int | None = None,
    str_off: int | None = None,
    str_len: int | None = None,
) -> bytes:
    """Build a BTF blob whose records are given as words; every header field can be made a lie.

    Args:
        extra: bytes of header behind the 24 (or 32, with a layout) that are known.
        layout: a layout section, put between types and strings.
    """
    types = struct.pack(f"{order}{len(records)}I", *records)
    extra_fields = b""
    if layout:
        extra_fields = struct.pack(order + "II", type_off + len(types), len(layout))
    header = struct.pack(
        order + "HBBIIIII",
        magic,
        version,
        flags,
        24 + len(extra_fields) + len(extra) if hdr_len is None else hdr_len,
        type_off,
        len(types) if type_len is None else type_len,
        type_off + len(types) + len(layout) if str_off is None else str_off,
        len(strings) if str_len is None else str_len,
    )
    return header + extra_fields + extra + bytes(type_off) + types + layout + strings


def info(kind: int, vlen: int = 0, flag: bool = False) -> int:
    """Build the info word of struct btf_type."""
    return flag << 31 | kind << 24 | vlen


def raw_ext(
    tables: Sequence[bytes] = (),
    *,
    order: str = "<",
    magic: int = 0xEB9F,
    version: int = 1,
    flags: int = 0,
    hdr_len: int = 32,
) -> bytes:
    """Build a .BTF.ext blob of up to three tables: func_info, line_info, core_relo.

    Args:
        hdr_len: 24 builds the older header, which has no core_relo.
    """
    header = struct.pack(order + "HBBI", magic, version, flags, hdr_len)
    at = 0
    tables = [*tables, b"", b"", b""][: 2 if hdr_len == 24 else 3]
    for table in tables:
        header += struct.pack(order + "II", at, len(table))
        at += len(table)
    return header + b"".join(tables)


def info_table(
    rec_size: int, sections: Sequence[tuple[int, Sequence[bytes]]], *, order: str = "<"
) -> bytes:
    """Build one table of .BTF.ext: (offset of the section's name, records) for each section."""
    parts = [struct.pack(order + "I", rec_size)]
    for name_off, records in sections:
        parts.append(struct.pack(order + "II", name_off, len(records)))
        parts += records
    return b"".join(parts)
