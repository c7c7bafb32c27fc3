"""BTF types as values: one class per kind, with the kernel's names.

A type knows other types by id, as in BTF; ids mean something only together with the `Btf` that they
come from. Values compare and hash by content. Decoded types are shared by all who ask for them:
treat them as immutable.

Kernel: include/uapi/linux/btf.h.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

BTF_KIND_UNKN = 0
BTF_KIND_INT = 1
BTF_KIND_PTR = 2
BTF_KIND_ARRAY = 3
BTF_KIND_STRUCT = 4
BTF_KIND_UNION = 5
BTF_KIND_ENUM = 6
BTF_KIND_FWD = 7
BTF_KIND_TYPEDEF = 8
BTF_KIND_VOLATILE = 9
BTF_KIND_CONST = 10
BTF_KIND_RESTRICT = 11
BTF_KIND_FUNC = 12
BTF_KIND_FUNC_PROTO = 13
BTF_KIND_VAR = 14
BTF_KIND_DATASEC = 15
BTF_KIND_FLOAT = 16
BTF_KIND_DECL_TAG = 17
BTF_KIND_TYPE_TAG = 18
BTF_KIND_ENUM64 = 19
NR_BTF_KINDS = 20

#: Names of the kinds by number, without the `BTF_KIND_` prefix.
KIND_NAMES = (
    *("UNKN", "INT", "PTR", "ARRAY", "STRUCT", "UNION", "ENUM", "FWD", "TYPEDEF", "VOLATILE"),
    *("CONST", "RESTRICT", "FUNC", "FUNC_PROTO", "VAR", "DATASEC", "FLOAT", "DECL_TAG"),
    *("TYPE_TAG", "ENUM64"),
)

BTF_INT_SIGNED = 1
BTF_INT_CHAR = 2
BTF_INT_BOOL = 4

BTF_VAR_STATIC = 0
BTF_VAR_GLOBAL_ALLOCATED = 1
BTF_VAR_GLOBAL_EXTERN = 2

BTF_FUNC_STATIC = 0
BTF_FUNC_GLOBAL = 1
BTF_FUNC_EXTERN = 2


class Record:
    """A plain value: equality, hash and repr over the fields in `__match_args__`."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def _values(self) -> tuple[object, ...]:
        return tuple([getattr(self, field) for field in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        fields = [f"{field}={getattr(self, field)!r}" for field in self.__match_args__]
        return f"{type(self).__name__}({', '.join(fields)})"


class Member(Record):
    """One member of a struct or union (`struct btf_member`).

    Args:
        name: "" for an anonymous struct or union member.
        type: type id.
        bit_offset: from the start of the struct, in bits.
        bitfield_size: width in bits, 0 for a member that is no bitfield. BTF older than v4.20 says
            it by `Int.bits` of the member's type instead.
    """

    __slots__ = __match_args__ = ("name", "type", "bit_offset", "bitfield_size")

    def __init__(self, name: str, type: int, bit_offset: int, bitfield_size: int = 0) -> None:
        self.name = name
        self.type = type
        self.bit_offset = bit_offset
        self.bitfield_size = bitfield_size


class Enumerator(Record):
    """One name of an enum; the value is signed if the enum is."""

    __slots__ = __match_args__ = ("name", "value")

    def __init__(self, name: str, value: int) -> None:
        self.name = name
        self.value = value


class Param(Record):
    """One parameter of a function prototype; the last one is `Param("", 0)` if it takes `...`."""

    __slots__ = __match_args__ = ("name", "type")

    def __init__(self, name: str, type: int) -> None:
        self.name = name
        self.type = type


class SecVar(Record):
    """One variable's place in its section (`struct btf_var_secinfo`).

    Args:
        type: id of a VAR; in `.ksyms` also of a FUNC.
        offset: in the section, bytes; clang leaves 0 in objects and names the symbol in `.rel.BTF`.
        size: bytes.
    """

    __slots__ = __match_args__ = ("type", "offset", "size")

    def __init__(self, type: int, offset: int, size: int) -> None:
        self.type = type
        self.offset = offset
        self.size = size


class BtfType(Record):
    """The base of all kinds; `name` is "" for what has none."""

    __slots__ = ()
    kind: int = BTF_KIND_UNKN
    name: str = ""


class Void(BtfType):
    """`void`, type id 0, which is not written in any BTF."""

    __slots__ = ()


VOID = Void()


class Int(BtfType):
    """An integer.

    Args:
        size: bytes of storage.
        encoding: bits BTF_INT_SIGNED, BTF_INT_CHAR, BTF_INT_BOOL.
        bits: width in bits, normally 8 * size.
        offset: of the value in its storage, in bits.
    """

    __slots__ = __match_args__ = ("name", "size", "encoding", "bits", "offset")
    kind = BTF_KIND_INT

    def __init__(
        self, name: str, size: int, encoding: int = 0, bits: int | None = None, offset: int = 0
    ) -> None:
        self.name = name
        self.size = size
        self.encoding = encoding
        self.bits = 8 * size if bits is None else bits
        self.offset = offset

    @property
    def is_signed(self) -> bool:
        return bool(self.encoding & BTF_INT_SIGNED)

    @property
    def is_bool(self) -> bool:
        return bool(self.encoding & BTF_INT_BOOL)


class Float(BtfType):
    """A floating point number of `size` bytes. Kernel: since v5.13."""

    __slots__ = __match_args__ = ("name", "size")
    kind = BTF_KIND_FLOAT

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size


class _Reference(BtfType):
    """What only points at another type, by id."""

    __slots__ = __match_args__ = ("type",)

    def __init__(self, type: int) -> None:
        self.type = type


class Ptr(_Reference):
    """A pointer to `type`."""

    __slots__ = ()
    kind = BTF_KIND_PTR


class Volatile(_Reference):
    """`volatile` before `type`."""

    __slots__ = ()
    kind = BTF_KIND_VOLATILE


class Const(_Reference):
    """`const` before `type`."""

    __slots__ = ()
    kind = BTF_KIND_CONST


class Restrict(_Reference):
    """`restrict` before `type`."""

    __slots__ = ()
    kind = BTF_KIND_RESTRICT


class Typedef(BtfType):
    """Another name for `type`."""

    __slots__ = __match_args__ = ("name", "type")
    kind = BTF_KIND_TYPEDEF

    def __init__(self, name: str, type: int) -> None:
        self.name = name
        self.type = type


class TypeTag(BtfType):
    """`__attribute__((btf_type_tag(name)))` on `type`. Kernel: since v5.17.

    Args:
        attribute: the name is that of another attribute (kind_flag). Kernel: since v6.15.
    """

    __slots__ = __match_args__ = ("name", "type", "attribute")
    kind = BTF_KIND_TYPE_TAG

    def __init__(self, name: str, type: int, attribute: bool = False) -> None:
        self.name = name
        self.type = type
        self.attribute = attribute


class DeclTag(BtfType):
    """`__attribute__((btf_decl_tag(name)))` on `type`. Kernel: since v5.16.

    Args:
        component: index of the member or parameter that it is on, -1 for `type` itself.
        attribute: the name is that of another attribute (kind_flag). Kernel: since v6.15.
    """

    __slots__ = __match_args__ = ("name", "type", "component", "attribute")
    kind = BTF_KIND_DECL_TAG

    def __init__(self, name: str, type: int, component: int = -1, attribute: bool = False) -> None:
        self.name = name
        self.type = type
        self.component = component
        self.attribute = attribute


class Array(BtfType):
    """`type[nelems]`; a flexible array member has nelems 0."""

    __slots__ = __match_args__ = ("type", "index_type", "nelems")
    kind = BTF_KIND_ARRAY

    def __init__(self, type: int, index_type: int, nelems: int) -> None:
        self.type = type
        self.index_type = index_type
        self.nelems = nelems


class Struct(BtfType):
    """A struct of `size` bytes.

    Args:
        kind_flag: members carry bitfield sizes; by default True when one does.
    """

    __slots__ = __match_args__ = ("name", "size", "members", "kind_flag")
    kind = BTF_KIND_STRUCT

    def __init__(
        self,
        name: str,
        size: int,
        members: Iterable[Member] = (),
        kind_flag: bool | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self.members = tuple(members)
        if kind_flag is None:
            kind_flag = any(member.bitfield_size for member in self.members)
        self.kind_flag = kind_flag


class Union(Struct):
    """A union; laid out like `Struct`."""

    __slots__ = ()
    kind = BTF_KIND_UNION


class Fwd(BtfType):
    """A declaration of a struct or union that is not defined here."""

    __slots__ = __match_args__ = ("name", "is_union")
    kind = BTF_KIND_FWD

    def __init__(self, name: str, is_union: bool = False) -> None:
        self.name = name
        self.is_union = is_union


class Enum(BtfType):
    """An enum whose values fit 32 bits; `size` is 1, 2, 4 or 8 bytes.

    Args:
        signed: values are signed (kind_flag). Compilers before 2022 left it False for all.
    """

    __slots__ = __match_args__ = ("name", "size", "values", "signed")
    kind = BTF_KIND_ENUM

    def __init__(
        self, name: str, size: int, values: Iterable[Enumerator] = (), signed: bool = False
    ) -> None:
        self.name = name
        self.size = size
        self.values = tuple(values)
        self.signed = signed


class Enum64(Enum):
    """An enum with values of 64 bits. Kernel: since v6.0."""

    __slots__ = ()
    kind = BTF_KIND_ENUM64


class FuncProto(BtfType):
    """A function's signature; `type` is the id of what it returns."""

    __slots__ = __match_args__ = ("type", "params")
    kind = BTF_KIND_FUNC_PROTO

    def __init__(self, type: int, params: Iterable[Param] = ()) -> None:
        self.type = type
        self.params = tuple(params)


class Func(BtfType):
    """A function; `type` is the id of its FUNC_PROTO, `linkage` one of BTF_FUNC_*."""

    __slots__ = __match_args__ = ("name", "type", "linkage")
    kind = BTF_KIND_FUNC

    def __init__(self, name: str, type: int, linkage: int = BTF_FUNC_STATIC) -> None:
        self.name = name
        self.type = type
        self.linkage = linkage


class Var(BtfType):
    """A global variable; `linkage` is one of BTF_VAR_*."""

    __slots__ = __match_args__ = ("name", "type", "linkage")
    kind = BTF_KIND_VAR

    def __init__(self, name: str, type: int, linkage: int = BTF_VAR_GLOBAL_ALLOCATED) -> None:
        self.name = name
        self.type = type
        self.linkage = linkage


class Datasec(BtfType):
    """The variables of one data section, `size` bytes in all."""

    __slots__ = __match_args__ = ("name", "size", "vars")
    kind = BTF_KIND_DATASEC

    def __init__(self, name: str, size: int, vars: Iterable[SecVar] = ()) -> None:
        self.name = name
        self.size = size
        self.vars = tuple(vars)


class Unknown(BtfType):
    """A kind newer than this module, stepped over with the help of the layout section.

    Args:
        info: the whole info word.
        size: the word that is a size or a type id.
        words: what follows, as 32-bit words.
    """

    __slots__ = __match_args__ = ("name", "kind", "info", "size", "words")

    def __init__(self, name: str, info: int, size: int, words: Iterable[int]) -> None:
        self.name = name
        self.kind = info >> 24 & 0x7F
        self.info = info
        self.size = size
        self.words = tuple(words)


#: Kinds that `Btf.resolve` sees through; each has its target in the third word.
MODIFIER_KINDS = frozenset(
    (
        BTF_KIND_TYPEDEF,
        BTF_KIND_VOLATILE,
        BTF_KIND_CONST,
        BTF_KIND_RESTRICT,
        BTF_KIND_TYPE_TAG,
        BTF_KIND_VAR,
    )
)


def kind_name(kind: int) -> str:
    """Name a kind as the kernel does: `"STRUCT"`; a newer kind is its number."""
    return KIND_NAMES[kind] if kind < NR_BTF_KINDS else f"kind {kind}"


def is_char(t: BtfType) -> bool:
    """Tell whether t is C's plain `char`, the type of text.

    The encoding bit BTF_INT_CHAR is no help: neither clang nor pahole sets it. `signed char` and
    `unsigned char` are types of their own, and so are not text.
    """
    return isinstance(t, Int) and t.size == 1 and t.name == "char"
