"""BTF for kernels that do not know all of it: each unknown kind becomes one of the same length.

Type ids stay what they are, so that all that refers to them (maps, function records) still fits;
what is lost is what the kernel could not have read. What becomes what is what libbpf does; only
sections without variables it leaves as they are, and kernels that refuse them without any BTF.
"""

from __future__ import annotations

from struct import pack, pack_into

from .btf import Btf
from .parse import HEADER_SIZE_LAYOUT
from .types import (
    BTF_KIND_CONST,
    BTF_KIND_DATASEC,
    BTF_KIND_DECL_TAG,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FLOAT,
    BTF_KIND_FUNC,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_INT,
    BTF_KIND_STRUCT,
    BTF_KIND_TYPE_TAG,
    BTF_KIND_TYPEDEF,
    BTF_KIND_UNION,
    BTF_KIND_VAR,
    Int,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["ENUM64_PLACEHOLDER", "features_used", "sanitize"]

#: The type of a 64-bit enum's names where the enum has become a union.
ENUM64_PLACEHOLDER = "enum64_placeholder"

_KIND_FEATURES = {
    BTF_KIND_VAR: "BTF_DATASEC",
    BTF_KIND_DATASEC: "BTF_DATASEC",
    BTF_KIND_FUNC: "BTF_FUNC",
    BTF_KIND_FUNC_PROTO: "BTF_FUNC",
    BTF_KIND_FLOAT: "BTF_FLOAT",
    BTF_KIND_DECL_TAG: "BTF_DECL_TAG",
    BTF_KIND_TYPE_TAG: "BTF_TYPE_TAG",
    BTF_KIND_ENUM64: "BTF_ENUM64",
}
_KIND_FLAG = 1 << 31
_VLEN = 0xFFFFFF


def features_used(btf: Btf) -> set[str]:
    """Return the names (of `features`) of what a kernel must have to read this BTF as it is."""
    used = {"BTF"}
    words, starts = btf.records()
    for at in starts:
        info = words[at + 1]
        kind = info >> 24 & 0x7F
        feature = _KIND_FEATURES.get(kind)
        if feature is not None:
            used.add(feature)
        if kind == BTF_KIND_FUNC and info & _VLEN:
            used.add("BTF_GLOBAL_FUNC")
        elif kind == BTF_KIND_ENUM and info & _KIND_FLAG:
            used.add("BTF_ENUM64")
        elif kind == BTF_KIND_DATASEC:
            if btf.string(words[at]).startswith("?"):
                used.add("BTF_QMARK_DATASEC")
            if not info & _VLEN:
                used.add("BTF_EMPTY_DATASEC")
    if _has_layout(btf):
        used.add("BTF_LAYOUT")
    return used


def sanitize(btf: Btf, lacks: Container[str]) -> Btf:
    """Return BTF that says the same without what a kernel lacks.

    Args:
        btf: an object's.
        lacks: names of `features`, those that `features_used` can give.
    """
    words, starts = btf.records()
    edit = _Edit(btf)
    placeholder = 0
    for at in starts:
        info = words[at + 1]
        kind, vlen = info >> 24 & 0x7F, info & _VLEN
        feature = _KIND_FEATURES.get(kind)
        if kind in (BTF_KIND_VAR, BTF_KIND_DECL_TAG) and feature in lacks:
            edit.become_int(at)
        elif kind == BTF_KIND_DATASEC and "BTF_DATASEC" in lacks:
            edit.become_struct(at, vlen)
        elif kind == BTF_KIND_DATASEC and not vlen and "BTF_EMPTY_DATASEC" in lacks:
            # What clang writes for a .rodata of nothing but strings, those of bpf_printk() say.
            edit.become_anonymous_struct(at)
        elif kind == BTF_KIND_DATASEC and "BTF_QMARK_DATASEC" in lacks:
            edit.rename(words[at], b"?", 1)
        elif kind == BTF_KIND_FUNC_PROTO and "BTF_FUNC" in lacks:
            # Parameters become enumerators; the kernel insists on four bytes.
            edit.words[at + 1] = BTF_KIND_ENUM << 24 | vlen
            edit.words[at + 2] = 4
        elif kind == BTF_KIND_FUNC and "BTF_FUNC" in lacks:
            edit.words[at + 1] = BTF_KIND_TYPEDEF << 24
        elif kind == BTF_KIND_FUNC and "BTF_GLOBAL_FUNC" in lacks:
            edit.words[at + 1] = BTF_KIND_FUNC << 24
        elif kind == BTF_KIND_FLOAT and "BTF_FLOAT" in lacks:
            edit.become_anonymous_struct(at)
        elif kind == BTF_KIND_TYPE_TAG and "BTF_TYPE_TAG" in lacks:
            edit.words[at] = 0
            edit.words[at + 1] = BTF_KIND_CONST << 24
        elif kind == BTF_KIND_ENUM and "BTF_ENUM64" in lacks:
            edit.words[at + 1] = info & ~_KIND_FLAG
        elif kind == BTF_KIND_ENUM64 and "BTF_ENUM64" in lacks:
            placeholder = len(btf)
            edit.words[at + 1] = BTF_KIND_UNION << 24 | vlen
            for member in range(at + 3, at + 3 + 3 * vlen, 3):
                edit.words[member + 1 : member + 3] = placeholder, 0
    changed = edit.build(without_layout="BTF_LAYOUT" in lacks)
    return changed.extend([Int(ENUM64_PLACEHOLDER, 1)]) if placeholder else changed


class _Edit:
    """The words and strings of a BTF, to be changed."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self.words = list(btf.records()[0])
        self._strings = bytearray(btf.string_section())

    def become_int(self, at: int) -> None:
        """Make a VAR or DECL_TAG an integer of one byte: it fits wherever the variable did."""
        self.words[at + 1 : at + 4] = BTF_KIND_INT << 24, 1, 8

    def become_anonymous_struct(self, at: int) -> None:
        """Make it a struct of its size without members; "float" or ".rodata" is no name for one."""
        self.words[at] = 0
        self.words[at + 1] = BTF_KIND_STRUCT << 24

    def become_struct(self, at: int, vlen: int) -> None:
        """Make a DATASEC a struct, its variables the members."""
        self.rename(self.words[at], b".?")
        self.words[at + 1] = BTF_KIND_STRUCT << 24 | vlen
        for var in range(at + 3, at + 3 + 3 * vlen, 3):
            type_id, offset, _ = self.words[var : var + 3]
            source, start = self._btf.record(type_id)
            self.words[var : var + 3] = source[start], type_id, 8 * offset & 0xFFFFFFFF

    def rename(self, offset: int, unwanted: bytes, most: int | None = None) -> None:
        """Put `_` for unwanted characters of a name, in its place in the strings."""
        end = self._strings.index(0, offset)
        if most is not None:
            end = min(end, offset + most)
        for at in range(offset, end):
            if self._strings[at] in unwanted:
                self._strings[at] = ord("_")

    def build(self, *, without_layout: bool) -> Btf:
        btf = self._btf
        header = btf.header
        order = btf.byte_order
        data = bytearray(btf.to_bytes())
        records = pack(f"{order}{len(self.words)}I", *self.words)
        data[header.type_start : header.type_start + header.type_len] = records
        data[header.str_start : header.str_start + header.str_len] = self._strings
        if without_layout and _has_layout(btf):
            # The strings move up behind the types.
            start = header.type_start + header.type_len
            data[start:] = self._strings
            pack_into(f"{order}I", data, 16, start - header.hdr_len)
            pack_into(f"{order}II", data, 24, 0, 0)
        changed = Btf(bytes(data))
        changed.pointer_size = 8  # as of all BPF objects
        return changed


def _has_layout(btf: Btf) -> bool:
    header = btf.header
    return header.hdr_len >= HEADER_SIZE_LAYOUT and any(btf.to_bytes()[24:HEADER_SIZE_LAYOUT])
