"""Objects as newer compilers than clang 14 make them: CO-RE records and enums of other kinds."""

from __future__ import annotations

import struct
from pathlib import Path

from bpfgen_runtime.btf import BTF_KIND_ENUM, BTF_KIND_ENUM64, Btf, BtfExt
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.uapi import const as k


def with_kinds(path: Path, target: Path, kinds: dict[int, int]) -> Path:
    """Write a copy of an object in which CO-RE records of some kinds are of others.

    Args:
        kinds: new BPF_CORE_* by old.
    """
    image = read_elf(str(path))
    btf, ext = image.section(".BTF"), image.section(".BTF.ext")
    assert btf is not None
    assert ext is not None
    content = bytearray(path.read_bytes())
    start = content.index(ext.data)
    for raw in BtfExt.parse(ext.data, Btf.parse(btf.data)).core_relos.raw.values():
        at = start + ext.data.index(raw)
        for record in range(at, at + len(raw), 16):
            (kind,) = struct.unpack_from("<I", content, record + 12)
            struct.pack_into("<I", content, record + 12, kinds.get(kind, kind))
    target.write_bytes(content)
    return target


_SIGNED = 1 << 31  # kind_flag


def with_enum64(path: Path, target: Path, name: str, value: int, signed: str) -> Path:
    """Write a copy of an object in which an enum has 64 bits, and another one says it is signed.

    Args:
        name: of an enum of one enumerator.
        value: what that shall have, in BTF and in the instructions that ask for it.
        signed: name of the other enum.
    """
    image = read_elf(str(path))
    section, ext = image.section(".BTF"), image.section(".BTF.ext")
    assert section is not None
    assert ext is not None
    btf = Btf.parse(section.data)
    (wide_id,), (signed_id,) = btf.find(name, BTF_KIND_ENUM), btf.find(signed, BTF_KIND_ENUM)
    words, starts = btf.records()
    records = [list(words[a:b]) for a, b in zip(starts, [*starts[1:], len(words)], strict=True)]
    head, info, _, enumerator, _ = records[wide_id - 1]
    low, high = value & 0xFFFFFFFF, value >> 32
    info = (info & 0xFFFF) | BTF_KIND_ENUM64 << 24
    records[wide_id - 1] = [head, info, 8, enumerator, low, high]
    records[signed_id - 1][1] |= _SIGNED
    types = b"".join(struct.pack(f"<{len(record)}I", *record) for record in records)
    strings = btf.string_section()
    sizes = (0, len(types), len(types), len(strings))

    content = bytearray(path.read_bytes())
    (headers,) = struct.unpack_from("<Q", content, 0x28)  # e_shoff
    for where, table in BtfExt.parse(ext.data, btf).core_relos.raw.items():
        code = image.section(where)
        assert code is not None
        (start,) = struct.unpack_from("<Q", content, headers + 64 * code.index + 24)  # sh_offset
        for insn, type_id, _, kind in struct.iter_unpack("<4I", table):
            if (type_id, kind) == (wide_id, k.BPF_CORE_ENUMVAL_VALUE):
                struct.pack_into("<I", content, start + insn + 4, low)
                struct.pack_into("<I", content, start + insn + 12, high)
            elif (type_id, kind) == (wide_id, k.BPF_CORE_TYPE_SIZE):
                struct.pack_into("<I", content, start + insn + 4, 8)
    made = struct.pack("<HBBI4I", 0xEB9F, 1, 0, 24, *sizes) + types + strings
    struct.pack_into("<QQ", content, headers + 64 * section.index + 24, len(content), len(made))
    target.write_bytes(content + made)
    return target
