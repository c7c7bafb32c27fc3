"""Compile codecs: one `struct.Struct` for what can be flattened, and code around it.

A type becomes a *plan*: a `struct` format, the number of values it unpacks to, and how code for
one value is written in both directions. Nested structs and small arrays are flattened into their
container's format. What cannot be (large arrays, the other byte order, fields that overlap) is
taken as raw bytes and handed to a codec of its own.

Instances are decoded into a mutable twin class and then turned into the frozen class by setting
`__class__`. That is what makes frozen dataclasses as fast as mutable ones: the twin's attribute
stores are plain slot stores, which CPython specialises, where a frozen class needs a call of
`object.__setattr__` for each.
"""

from __future__ import annotations

import struct as _struct
from operator import or_

from .bitfields import BitRun
from .ctype import (
    Array,
    Bits,
    Bytes,
    Chars,
    Enum,
    Int128,
    Scalar,
    StructType,
    as_ctype,
    placed,
    refuse_int,
    too_short,
)
from .source import TEXTS, Source, enum_cache
from .text import CharArray

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Generic, TypeVar

    from .ctype import CType
    from .struct import Struct

    T = TypeVar("T")

    class _Generic(Generic[T]):
        __slots__ = ()

else:
    from .ctype import T, _Generic

__all__ = ["Codec", "compile_codec"]

#: Arrays of up to so many scalars are flattened into their container.
INLINE = 64

#: `char` arrays up to this size are decoded through a cache: task names repeat, paths do not.
CACHED_TEXT = 16

#: What encoding raises on a value that does not fit; the slow path then finds out which it was.
_REFUSED = (_struct.error, TypeError, ValueError, OverflowError, AttributeError)


class Codec(_Generic[T]):
    """The compiled functions of one type in one byte order.

    Attributes:
        struct: the `struct.Struct` of one value, exactly the type's size.
        format: its format without the byte order, to build larger records of.
        decode: `decode(buffer, offset=0)`, one value.
        encode: `encode(value)`, the bytes of one.
        build: turns an iterable of unpacked tuples into a list of values.
        iterate: the same, as a generator.
    """

    __slots__ = (
        "_plan",
        "build",
        "ctype",
        "decode",
        "encode",
        "format",
        "iterate",
        "order",
        "struct",
    )

    format: str
    struct: _struct.Struct
    decode: Callable[..., T]
    encode: Callable[[T], bytes]
    build: Callable[[Iterable[tuple[Any, ...]]], list[T]]
    iterate: Callable[[Iterable[tuple[Any, ...]]], Iterator[T]]

    def __init__(self, ctype: CType[T], plan: Plan, order: str) -> None:
        self.ctype = ctype
        self.order = order
        self.format = plan.format
        self.struct = _struct.Struct(order + plan.format)
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        # A slot that is still empty: write its function.
        writer = _WRITERS.get(name)
        if writer is None:
            raise AttributeError(name)
        source = Source(f"{self.ctype.c_name}.{name}")
        writer(self, source)
        function = source.compile(name)
        setattr(self, name, function)
        return function


def compile_codec(ctype: CType[T], order: str) -> Codec[T]:
    """Return the codec of a type; its functions are compiled as they are asked for."""
    return Codec(ctype, make_plan(ctype, order), order)


def _targets(source: Source, count: int) -> tuple[list[str], str]:
    """Return fresh variables and the target list that unpacks a tuple into them."""
    flat = [source.var() for _ in range(count)]
    return flat, "".join(f"{name}, " for name in flat) if flat else "[]"


def _write_decode(codec: Codec[Any], source: Source) -> None:
    plan = codec._plan
    flat, targets = _targets(source, plan.count)
    error, short, name = map(source.bind, (_struct.error, too_short, codec.ctype.c_name))
    source.lines += [
        "def decode(buffer, offset=0):",
        " try:",
        f"  {targets} = {source.bind(codec.struct.unpack_from)}(buffer, offset)",
        f" except {error}:",
        f"  raise {short}({name}, {codec.ctype.size}, buffer, offset) from None",
    ]
    source.indent = " "
    source.line(f"return {plan.decode(source, flat)}")


def _write_build(codec: Codec[Any], source: Source) -> None:
    flat, targets = _targets(source, codec._plan.count)
    source.lines = [
        "def build(tuples):",
        " out = []",
        " add = out.append",
        f" for {targets} in tuples:",
    ]
    source.indent = "  "
    result = codec._plan.decode(source, flat)
    if len(source.lines) == 4:
        source.lines = ["def build(tuples):", f" return [{result} for {targets} in tuples]"]
    else:
        source.line(f"add({result})")
        source.lines.append(" return out")


def _write_iterate(codec: Codec[Any], source: Source) -> None:
    flat, targets = _targets(source, codec._plan.count)
    source.lines = ["def iterate(tuples):", f" for {targets} in tuples:"]
    source.indent = "  "
    source.line(f"yield {codec._plan.decode(source, flat)}")


def _write_encode(codec: Codec[Any], source: Source) -> None:
    slow = source.bind(codec._plan.encode_slowly)
    source.lines = ["def encode(value):", " try:"]
    source.indent = "  "
    # Plans leave by this name when they see a value that `struct` would accept but C would not.
    source.names["refused"] = slow
    arguments = ", ".join(codec._plan.encode(source, "value"))
    source.line(f"return {source.bind(codec.struct.pack)}({arguments})")
    source.lines += [
        f" except {source.bind(_REFUSED)}:",
        f"  return {slow}(value)",
    ]


_WRITERS = {
    "decode": _write_decode,
    "encode": _write_encode,
    "build": _write_build,
    "iterate": _write_iterate,
}


class Plan:
    """How one type is unpacked, decoded and encoded.

    Attributes:
        format: its `struct` format, exactly its size, without byte order.
        count: how many values that unpacks to.
    """

    def __init__(self, ctype: CType[Any], format: str, count: int) -> None:
        self.ctype = ctype
        self.format = format
        self.count = count

    def decode(self, source: Source, flat: list[str]) -> str:
        """Write what decodes the variables; return the expression of the value."""
        raise NotImplementedError

    def encode(self, source: Source, value: str) -> list[str]:
        """Write what checks the value; return the arguments for `pack`."""
        raise NotImplementedError

    def encode_slowly(self, value: Any) -> bytes:
        """Encode a value that the compiled code refused, or raise the error that says why."""
        return self.ctype.encode(value)


class ScalarPlan(Plan):
    """A number, an enum, an address."""

    ctype: Scalar[Any]

    def __init__(self, ctype: Scalar[Any]) -> None:
        super().__init__(ctype, ctype.code, 1)

    def decode(self, source: Source, flat: list[str]) -> str:
        if isinstance(self.ctype, Enum):
            return f"{source.bind(enum_cache(self.ctype.enum))}[{flat[0]}]"
        if self.ctype.wrap is not None:
            return f"{source.bind(self.ctype.wrap)}({flat[0]})"
        return flat[0]

    def encode(self, source: Source, value: str) -> list[str]:
        return [value]


class Int128Plan(Plan):
    """A 128-bit integer: two halves, the upper one carrying the sign."""

    ctype: Int128

    def __init__(self, ctype: Int128, order: str) -> None:
        upper = "q" if ctype.signed else "Q"
        super().__init__(ctype, f"{upper}Q" if order == ">" else f"Q{upper}", 2)
        self.upper_first = order == ">"

    def decode(self, source: Source, flat: list[str]) -> str:
        upper, lower = flat if self.upper_first else reversed(flat)
        return f"({upper} << 64 | {lower})"

    def encode(self, source: Source, value: str) -> list[str]:
        # The upper half is out of its range when the whole is.
        name = source.var()
        source.line(f"{name} = {value}")
        halves = [f"{name} >> 64", f"{name} & {(1 << 64) - 1}"]
        return halves if self.upper_first else halves[::-1]

    def encode_slowly(self, value: Any) -> bytes:
        bits = 128
        bounds = range(-(1 << 127), 1 << 127) if self.ctype.signed else range(1 << 128)
        if not hasattr(value, "__index__") or value.__index__() not in bounds:
            raise refuse_int(self.ctype.c_name, bits, self.ctype.signed, value)
        order = "big" if self.upper_first else "little"
        return value.__index__().to_bytes(16, order, signed=self.ctype.signed)  # type: ignore


class BytesPlan(Plan):
    """`unsigned char[n]`: exactly n bytes."""

    def __init__(self, ctype: Bytes) -> None:
        super().__init__(ctype, f"{ctype.size}s", 1)

    def decode(self, source: Source, flat: list[str]) -> str:
        return flat[0]

    def encode(self, source: Source, value: str) -> list[str]:
        # `pack` pads what is short and cuts what is long.
        name = source.var()
        source.line(f"{name} = {value}")
        source.line(f"if len({name}) != {self.ctype.size}: return refused(value)")
        return [name]


class CharsPlan(Plan):
    """`char[n]`."""

    def __init__(self, ctype: Chars) -> None:
        super().__init__(ctype, f"{ctype.size}s", 1)

    def decode(self, source: Source, flat: list[str]) -> str:
        if self.ctype.size <= CACHED_TEXT:
            return f"{source.bind(TEXTS)}[{flat[0]}]"
        new, text = source.bind(bytes.__new__), source.bind(CharArray)
        return f"{new}({text}, {flat[0]}.rstrip(b'\\0'))"

    def encode(self, source: Source, value: str) -> list[str]:
        name = source.var()
        source.line(f"{name} = {value}")
        source.line(f"if len({name}) > {self.ctype.size}: return refused(value)")
        return [name]


class ArrayPlan(Plan):
    """An array small enough to be flattened."""

    ctype: Array[Any]

    def __init__(self, ctype: Array[Any], element: Plan) -> None:
        super().__init__(ctype, element.format * ctype.length, element.count * ctype.length)
        self.element = element

    def decode(self, source: Source, flat: list[str]) -> str:
        step = self.element.count
        values = (
            self.element.decode(source, flat[i * step : (i + 1) * step])
            for i in range(self.ctype.length)
        )
        return f"({''.join(f'{value}, ' for value in values)})"

    def encode(self, source: Source, value: str) -> list[str]:
        # Unpacking into exactly so many variables is the check of the length.
        names, targets = _targets(source, self.ctype.length)
        source.line(f"{targets} = {value}")
        return [argument for name in names for argument in self.element.encode(source, name)]

    def encode_slowly(self, value: Any) -> bytes:
        return _encode_array(self.ctype, self.element.ctype, value)


class FieldPlan:
    """A field of a struct.

    Attributes:
        end: the offset of the byte behind it.
        format, count: as of plans.
    """

    __slots__ = ("count", "ctype", "end", "format", "name", "offset", "plan")

    def __init__(self, name: str, offset: int, ctype: CType[Any], order: str) -> None:
        self.name = name
        self.offset = offset
        self.plan = make_plan(ctype, order)
        self.ctype = self.plan.ctype
        self.end = offset + self.ctype.size
        self.format = self.plan.format
        self.count = self.plan.count

    def decode(self, source: Source, flat: list[str]) -> Iterable[tuple[str, str]]:
        """Write what decodes the variables; give the field's name and the value's expression."""
        return [(self.name, self.plan.decode(source, flat))]

    def encode(self, source: Source, owner: str) -> list[str]:
        """Write what checks the field of `owner`; return the arguments for `pack`."""
        return self.plan.encode(source, f"{owner}.{self.name}")


class StructPlan(Plan):
    """A struct whose fields follow each other, with padding between them."""

    ctype: StructType[Any]

    def __init__(self, ctype: StructType[Any], fields: list[FieldPlan]) -> None:
        cls = ctype.struct
        self.parts = parts_of(fields, cls.BYTE_ORDER)
        self.overlaps = False
        format, end = "", 0
        for part in self.parts:
            gap = part.offset - end
            self.overlaps |= gap < 0
            format += (f"{gap}x" if gap > 0 else "") + part.format
            end = part.end
        if end < ctype.size:
            format += f"{ctype.size - end}x"
        super().__init__(ctype, format, sum(part.count for part in self.parts))
        self.struct = cls
        self.fields = fields

    def decode(self, source: Source, flat: list[str]) -> str:
        values: dict[str, str] = {}
        start = 0
        for part in self.parts:
            values.update(part.decode(source, flat[start : start + part.count]))
            start += part.count
        name = source.var()
        source.line(f"{name} = {source.bind(twin_of(self.struct))}()")
        for attribute, value in values.items():
            source.line(f"{name}.{attribute} = {value}")
        source.line(f"{name}.__class__ = {source.bind(self.struct)}")
        return name

    def encode(self, source: Source, value: str) -> list[str]:
        name = value
        if value != "value":
            name = source.var()
            source.line(f"{name} = {value}")
        return [argument for part in self.parts for argument in part.encode(source, name)]

    def encode_slowly(self, value: Any) -> bytes:
        return _encode_struct(self.struct, self.fields, value)


class RawPlan(Plan):
    """A type taken as bytes: decoded and encoded by functions of its own."""

    def __init__(
        self, ctype: CType[Any], decode: Callable[[bytes], Any], encode: Callable[[Any], bytes]
    ) -> None:
        super().__init__(ctype, f"{ctype.size}s", 1)
        self.decode_raw = decode
        self.encode_slowly = encode  # type: ignore[assignment, method-assign]

    def decode(self, source: Source, flat: list[str]) -> str:
        return f"{source.bind(self.decode_raw)}({flat[0]})"

    def encode(self, source: Source, value: str) -> list[str]:
        return [f"{source.bind(self.encode_slowly)}({value})"]


def make_plan(ctype: CType[Any], order: str) -> Plan:
    """Return the plan of a type inside something of the given byte order."""
    if not ctype.order and order == ">":
        ctype = ctype.with_order(order)
    elif (ctype.order or order) != order:
        return RawPlan(ctype, ctype.decode, ctype.encode)
    if isinstance(ctype, Scalar):
        return ScalarPlan(ctype)
    if isinstance(ctype, Int128):
        return Int128Plan(ctype, order)
    if isinstance(ctype, Bytes):
        return BytesPlan(ctype)
    if isinstance(ctype, Chars):
        return CharsPlan(ctype)
    if isinstance(ctype, Array):
        return _array_plan(ctype, order)
    if isinstance(ctype, StructType):
        return _struct_plan(ctype, order)
    if isinstance(ctype, Bits):
        return RawPlan(ctype, ctype.decode, ctype.encode)
    raise TypeError(f"no codec for {ctype!r}")


def _array_plan(ctype: Array[Any], order: str) -> Plan:
    element = make_plan(ctype.element, order)
    if element.count * ctype.length <= INLINE and ctype.length <= INLINE:
        return ArrayPlan(ctype, element)

    def encode(values: Any) -> bytes:
        return _encode_array(ctype, element.ctype, values)

    if ctype.element.size == 0:
        return RawPlan(ctype, lambda raw: (element.ctype.decode(raw),) * ctype.length, encode)
    if isinstance(element, ScalarPlan) and element.ctype.wrap is None:
        whole = _struct.Struct(f"{order}{ctype.length}{element.format}")
        pack = whole.pack

        def encode_scalars(values: Any) -> bytes:
            try:
                return pack(*values)
            except _REFUSED:
                return encode(values)

        return RawPlan(ctype, whole.unpack, encode_scalars)
    codec = Codec(element.ctype, element, order)
    records = codec.struct.iter_unpack
    return RawPlan(ctype, lambda raw: tuple(codec.build(records(raw))), encode)


def parts_of(fields: list[FieldPlan], order: str) -> list[FieldPlan | BitRun]:
    """Return what a struct's bytes hold by rising offset: fields, and runs of bitfields."""
    parts: list[FieldPlan | BitRun] = []
    run: list[FieldPlan] = []
    for field in sorted(fields, key=lambda field: field.offset):
        if not isinstance(field.ctype, Bits):
            parts.append(field)
        elif run and field.offset < max(each.end for each in run):
            run.append(field)
        else:
            run = [field]
            parts.append(BitRun(run, order))
    for part in parts:
        if isinstance(part, BitRun):
            part.close()
    return sorted(parts, key=lambda part: part.offset)


def as_struct_plan(cls: type[Struct]) -> StructPlan:
    """Return the plan of a struct class: its fields in order of declaration, all inside it."""
    order = cls.BYTE_ORDER
    places: dict[str, tuple[int, CType[Any]]] = {}
    for name, offset, ctype in cls.LAYOUT:
        ctype = as_ctype(ctype)
        if offset < 0 or offset + ctype.size > cls.SIZE:
            raise TypeError(f"{cls.__name__}.{name} ends after the struct's {cls.SIZE} bytes")
        places[name] = offset, ctype
    for slot, offset, size in cls._unions:
        places[slot] = offset, Bytes(size, f"union[{size}]")
    try:
        fields = [FieldPlan(name, *places[name], order) for name in cls._fields]
    except KeyError as error:
        raise TypeError(f"{cls.__name__}.LAYOUT does not say where {error} is") from None
    return StructPlan(cls.__ctype__, fields)  # type: ignore[arg-type]


def _struct_plan(ctype: StructType[Any], order: str) -> Plan:
    plan = as_struct_plan(ctype.struct)
    if not plan.overlaps:
        return plan
    # Fields overlap, as no compiler lets them: each is decoded where it is.
    cls, fields, twin = ctype.struct, plan.fields, twin_of(ctype.struct)

    def decode(raw: bytes) -> Any:
        instance = twin()
        for field in fields:
            setattr(instance, field.name, field.ctype.decode(raw, field.offset))
        instance.__class__ = cls
        return instance

    return RawPlan(ctype, decode, plan.encode_slowly)


def _encode_struct(cls: type[Struct], fields: Iterable[FieldPlan], value: Any) -> bytes:
    if not isinstance(value, cls):
        raise TypeError(f"needs {cls.__name__}, not {type(value).__name__}: {value!r}")
    raw = bytearray(cls.SIZE)
    for field in fields:
        try:
            part = field.ctype.encode(getattr(value, field.name))
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"{cls.__name__}.{field.name}") from None
        if isinstance(field.ctype, Bits):
            part = bytes(map(or_, raw[field.offset : field.end], part))
        raw[field.offset : field.end] = part
    return bytes(raw)


def _encode_array(ctype: Array[Any], element: CType[Any], values: Any) -> bytes:
    try:
        values = tuple(values)
    except TypeError:
        raise TypeError(
            f"{ctype.c_name} needs {ctype.length} values, not {type(values).__name__}: {values!r}"
        ) from None
    if len(values) != ctype.length:
        raise ValueError(f"{ctype.c_name} needs {ctype.length} values, not {len(values)}")
    parts = []
    for index, value in enumerate(values):
        try:
            parts.append(element.encode(value))
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"[{index}]") from None
    return b"".join(parts)


def twin_of(cls: type[Struct]) -> type[Any]:
    """Return the class's mutable twin: the same slots, so `__class__` can be set."""
    twin: type[Any] | None = cls.__dict__.get("__twin__")
    if twin is None:
        # Both must be object's own, else CPython does not specialise the stores.
        plain = {name: object.__dict__[name] for name in ("__init__", "__setattr__", "__delattr__")}
        twin = type.__new__(type(cls), cls.__name__, (cls,), {"__slots__": (), **plain})
        cls.__twin__ = twin  # type: ignore[attr-defined]
    return twin
