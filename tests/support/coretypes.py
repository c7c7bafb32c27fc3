"""BTF for tests of CO-RE: both sides begin with the same integers, the rest is up to the test."""

from __future__ import annotations

from typing import Literal

from bpfgen_runtime.btf import Btf, BtfType, Int
from bpfgen_runtime.btf.encoder import encode

INT, UINT, LONG, ULONG, UCHAR, USHORT, SCHAR = range(1, 8)
#: Id of the first type of a test's own.
FIRST = 8

_INTEGERS = (
    Int("int", 4, encoding=1),
    Int("unsigned int", 4),
    Int("long int", 8, encoding=1),
    Int("unsigned long", 8),
    Int("unsigned char", 1),
    Int("unsigned short", 2),
    Int("signed char", 1, encoding=1),
)


def side(*types: BtfType, order: Literal["<", ">"] = "<") -> Btf:
    """Build a BTF of the integers and, from FIRST on, the given types."""
    return Btf.parse(encode((*_INTEGERS, *types), byte_order=order))
