"""Objects whose CO-RE records are of another kind than clang made them."""

from __future__ import annotations

import struct
from pathlib import Path

from bpfgen_runtime.btf import Btf, BtfExt
from bpfgen_runtime.elf.reader import read_elf


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
