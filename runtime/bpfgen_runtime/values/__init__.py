"""C values in Python: types, structs, text, addresses, and the variables of data sections.

Everything that generated modules need is here, except `CEnum`, which is in `values.enums` because
`enum` costs 3 ms at start-up.
"""

# The general layout: `ctype` has the types, `struct` the base class of structs, `section` the
# global variables, `text` what decodes to a built-in type. `codec`, `methods`,
# `bitfields`, `source` and `unions` are compiled code, imported at their first use.

from __future__ import annotations

from .ctype import CType as CType
from .ctype import array as array
from .ctype import as_ctype as as_ctype
from .ctype import be as be
from .ctype import bits as bits
from .ctype import bool8 as bool8
from .ctype import byte_array as byte_array
from .ctype import char_array as char_array
from .ctype import enum_of as enum_of
from .ctype import f32 as f32
from .ctype import f64 as f64
from .ctype import i8 as i8
from .ctype import i16 as i16
from .ctype import i32 as i32
from .ctype import i64 as i64
from .ctype import i128 as i128
from .ctype import opaque as opaque
from .ctype import pointer as pointer
from .ctype import struct_of as struct_of
from .ctype import u8 as u8
from .ctype import u16 as u16
from .ctype import u32 as u32
from .ctype import u64 as u64
from .ctype import u128 as u128
from .section import Constant as Constant
from .section import DataSection as DataSection
from .section import Global as Global
from .struct import Struct as Struct
from .struct import Union as Union
from .struct import dataclass as dataclass
from .struct import field as field
from .text import Address as Address
from .text import CharArray as CharArray

__all__ = [
    "Address",
    "CType",
    "CharArray",
    "Constant",
    "DataSection",
    "Global",
    "Struct",
    "Union",
    "array",
    "as_ctype",
    "be",
    "bits",
    "bool8",
    "byte_array",
    "char_array",
    "dataclass",
    "enum_of",
    "f32",
    "f64",
    "field",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "opaque",
    "pointer",
    "struct_of",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
]
