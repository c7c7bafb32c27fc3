"""BTF of kernels that do not exist."""

from __future__ import annotations

from bpfgen_runtime.btf import Enumerator, Int, Member, Ptr
from bpfgen_runtime.btf import types as t


class Made:
    """BTF in the making, for a kernel that does not exist: the types of core_made_up.bpf.c.

    Args:
        shift: bits by which things have moved.
        signed_bits: where that bitfield is; 3711 is across words.
        long_size: bytes, which pointers have, too.
        twins: whether there are two of the outer struct, not alike.
    """

    def __init__(
        self, shift: int, signed_bits: int = 3715, long_size: int = 8, twins: bool = False
    ) -> None:
        self.types: list[t.BtfType] = []
        uint = self.add(Int("unsigned int", 4))
        self.add(Int("long int", long_size, encoding=1))
        sint = self.add(Int("int", 4, encoding=1))
        wide = self.add(Int("unsigned long", 8))
        byte = self.add(Int("unsigned char", 1))
        inner = self.add(
            t.Struct("inner", 16, [Member("pad", wide, 0), Member("y", byte, 64 + shift)])
        )
        anonymous = self.add(t.Union("", 16, [Member("x", uint, shift)]))
        inner_new = t.Struct(
            "inner",
            32,
            [Member("", anonymous, 64), Member("y", byte, 128 + shift), Member("z", wide, 192)],
        )
        self.types[inner - 1] = inner_new
        link = self.add(Ptr(inner))
        four = self.add(t.Array(inner, sint, 8))
        flexible = self.add(t.Array(sint, sint, 0))
        outer = t.Struct(
            "outer",
            1024,
            [
                Member("list", four, 8 * shift),
                Member("in", inner, 3000),
                Member("link", link, 3584),
                Member("first", byte, 3648 + shift),
                Member("signed_bits", sint, signed_bits, 7),
                Member("bits", uint, 3738 + shift // 8, 5),
                Member("wide", wide, 3776),
                Member("tail", flexible, 4096),
            ],
            kind_flag=True,
        )
        self.add(outer)
        if twins:
            moved = [
                Member(m.name, m.type, m.bit_offset + 64, m.bitfield_size) for m in outer.members
            ]
            self.add(t.Struct("outer", 1032, moved, kind_flag=True))
        self.add(
            t.Enum(
                "colour",
                4,
                [Enumerator("GREEN", 40 + shift), Enumerator("NEGATIVE", -7)],
                signed=True,
            )
        )
        self.add(t.Enum64("huge", 8, [Enumerator("HUGE", 0xFEDCBA9876543210 - shift)]))

    def add(self, new: t.BtfType) -> int:
        self.types.append(new)
        return len(self.types)
