"""One record of BTF to one type; the ids and string offsets that it hands out are checked.

Each decoder gets the words of all records, the index of its record's first word, and the info word.
"""

from __future__ import annotations

from .types import (
    VOID,
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
    Unknown,
    Var,
    Volatile,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .btf import Btf

    Words = Sequence[int]
    Decoder = Callable[[Btf, Words, int, int], BtfType]


def decode(btf: Btf, words: Words, at: int, end: int) -> BtfType:
    """Decode the record in words[at:end].

    Raises:
        BtfError: it refers to a type id or a string that does not exist.
    """
    info = words[at + 1]
    kind = info >> 24 & 0x7F
    decoder = _DECODERS.get(kind)
    if decoder is None:
        name = btf.string(words[at])
        return Unknown(name, info, words[at + 2], words[at + 3 : end])
    return decoder(btf, words, at, info)


def _int(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    data = words[at + 3]
    encoding, offset = data >> 24 & 0xF, data >> 16 & 0xFF
    return Int(btf.string(words[at]), words[at + 2], encoding, data & 0xFF, offset)


def _float(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    return Float(btf.string(words[at]), words[at + 2])


def _reference(
    cls: type[Ptr] | type[Volatile] | type[Const] | type[Restrict],
) -> Decoder:
    def decoder(btf: Btf, words: Words, at: int, info: int) -> BtfType:
        target = words[at + 2]
        btf.check_id(target, at + 2)
        return cls(target)

    return decoder


def _typedef(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    btf.check_id(words[at + 2], at + 2)
    return Typedef(btf.string(words[at]), words[at + 2])


def _type_tag(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    btf.check_id(words[at + 2], at + 2)
    return TypeTag(btf.string(words[at]), words[at + 2], bool(info >> 31))


def _decl_tag(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    btf.check_id(words[at + 2], at + 2)
    component = _signed(words[at + 3])
    return DeclTag(btf.string(words[at]), words[at + 2], component, bool(info >> 31))


def _array(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    element, index_type, nelems = words[at + 3 : at + 6]
    btf.check_id(element, at + 3)
    btf.check_id(index_type, at + 4)
    return Array(element, index_type, nelems)


def _composite(cls: type[Struct]) -> Decoder:
    def decoder(btf: Btf, words: Words, at: int, info: int) -> BtfType:
        string = btf.string
        body = words[at + 3 : at + 3 + 3 * (info & 0xFFFFFF)]
        types = body[1::3]
        btf.check_ids(types, at + 4, 3)
        kind_flag = bool(info >> 31)
        fields = zip(body[0::3], types, body[2::3], strict=True)
        if kind_flag:
            members = [Member(string(n), t, pos & 0xFFFFFF, pos >> 24) for n, t, pos in fields]
        else:
            members = [Member(string(n), t, pos) for n, t, pos in fields]
        return cls(string(words[at]), words[at + 2], members, kind_flag)

    return decoder


def _fwd(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    return Fwd(btf.string(words[at]), bool(info >> 31))


def _enum(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    string = btf.string
    body = words[at + 3 : at + 3 + 2 * (info & 0xFFFFFF)]
    signed = bool(info >> 31)
    pairs = zip(body[0::2], body[1::2], strict=True)
    values = [Enumerator(string(n), _signed(v) if signed else v) for n, v in pairs]
    return Enum(string(words[at]), words[at + 2], values, signed)


def _enum64(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    string = btf.string
    body = words[at + 3 : at + 3 + 3 * (info & 0xFFFFFF)]
    signed = bool(info >> 31)
    values = [
        Enumerator(string(n), (_signed(high) if signed else high) << 32 | low)
        for n, low, high in zip(body[0::3], body[1::3], body[2::3], strict=True)
    ]
    return Enum64(string(words[at]), words[at + 2], values, signed)


def _func_proto(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    string = btf.string
    btf.check_id(words[at + 2], at + 2)
    body = words[at + 3 : at + 3 + 2 * (info & 0xFFFFFF)]
    types = body[1::2]
    btf.check_ids(types, at + 4, 2)
    return FuncProto(
        words[at + 2], [Param(string(n), t) for n, t in zip(body[0::2], types, strict=True)]
    )


def _func(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    btf.check_id(words[at + 2], at + 2)
    return Func(btf.string(words[at]), words[at + 2], info & 0xFFFFFF)  # vlen is the linkage


def _var(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    btf.check_id(words[at + 2], at + 2)
    return Var(btf.string(words[at]), words[at + 2], words[at + 3])


def _datasec(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    body = words[at + 3 : at + 3 + 3 * (info & 0xFFFFFF)]
    btf.check_ids(body[0::3], at + 3, 3)
    variables = [SecVar(*fields) for fields in zip(body[0::3], body[1::3], body[2::3], strict=True)]
    return Datasec(btf.string(words[at]), words[at + 2], variables)


def _signed(word: int) -> int:
    return word - (word >> 31 << 32)


def _void(btf: Btf, words: Words, at: int, info: int) -> BtfType:
    return VOID  # kind 0 is only ever in a record if the layout section says how long it is


_DECODERS: dict[int, Decoder] = dict(
    enumerate(
        (
            _void,
            _int,
            _reference(Ptr),
            _array,
            _composite(Struct),
            _composite(Union),
            _enum,
            _fwd,
            _typedef,
            _reference(Volatile),
            _reference(Const),
            _reference(Restrict),
            _func,
            _func_proto,
            _var,
            _datasec,
            _float,
            _decl_tag,
            _type_tag,
            _enum64,
        )
    )
)
