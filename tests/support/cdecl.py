"""Random C structs for hypothesis: declarations, initialisers, and the same values in Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

__all__ = ["Member", "Record", "construct", "declare", "expect", "initialise", "records"]

#: C type, size in bytes, whether signed.
INTEGERS = [
    ("unsigned char", 1, False),
    ("signed char", 1, True),
    ("unsigned short", 2, False),
    ("short", 2, True),
    ("unsigned int", 4, False),
    ("int", 4, True),
    ("unsigned long long", 8, False),
    ("long long", 8, True),
    ("unsigned __int128", 16, False),
    ("__int128", 16, True),
]

#: Enums, as integers; declared by `PRELUDE`.
ENUMS = [("enum plain", 4, False), ("enum signs", 4, True), ("enum tiny", 1, False)]

PRELUDE = """\
enum plain { PLAIN_A, PLAIN_B = 7 };
enum signs { SIGNS_A = -3, SIGNS_B = 5 };
enum __attribute__((packed)) tiny { TINY_A, TINY_B = 200 };
"""


@dataclass(repr=False)
class Record:
    """A struct or union.

    Attributes:
        chosen: of a union: which member is given a value.
    """

    is_union: bool
    members: list[Member]
    attributes: str
    chosen: int = 0

    def __repr__(self) -> str:
        return f"<a record of {len(self.members)} members>"  # hypothesis writes out what it draws

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def given(self) -> list[Member]:
        return self.members[self.chosen : self.chosen + 1] if self.is_union else self.members


@dataclass(repr=False)
class Member:
    """One member.

    Attributes:
        name: "" for an anonymous struct or union, and for an unnamed bitfield.
        kind: `int bool float pointer char bytes record pad` (no value: an unnamed bitfield).
        values: one, or as many as the array's dimensions say, the last running fastest.
    """

    name: str
    kind: str
    c_type: str
    values: list[Any] = field(default_factory=list)
    dimensions: tuple[int, ...] = ()
    width: int | None = None
    attributes: str = ""
    record: Record | None = None


def _integer(size: int, signed: bool) -> st.SearchStrategy[int]:
    bits = size * 8
    return (
        st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
        if signed
        else st.integers(0, (1 << bits) - 1)
    )


@st.composite
def _members(draw: st.DrawFn, depth: int, count: Iterator[int]) -> Member:
    kinds = [
        "int",
        "int",
        "bits",
        "bits",
        "bits",
        "bool",
        "float",
        "pointer",
        "char",
        "bytes",
        "enum",
        "pad",
    ]
    kind = draw(st.sampled_from(kinds + (["record", "anonymous"] * 2 if depth else [])))
    name = f"f{next(count)}"
    attributes = draw(
        st.sampled_from([""] * 6 + [" __attribute__((aligned(16)))", " __attribute__((packed))"])
    )
    dimensions = draw(st.sampled_from([()] * 5 + [(1,), (3,), (2, 3), (0,), (70,)]))
    number = 1
    for each in dimensions:
        number *= each

    def many(strategy: st.SearchStrategy[Any]) -> list[Any]:
        if number > 6:  # a pattern: that many draws of hypothesis would be slow
            first = draw(st.lists(strategy, min_size=2, max_size=2))
            return (first * number)[:number]
        return draw(st.lists(strategy, min_size=number, max_size=number))

    if kind in ("bits", "pad"):
        bases = [*INTEGERS[:8], *ENUMS, ("_Bool", 1, False)]
        c_type, size, signed = draw(st.sampled_from(bases))
        if kind == "pad":
            c_type, size, _ = draw(st.sampled_from(INTEGERS[:8]))
            return Member("", "pad", c_type, width=draw(st.integers(0, size * 8)))
        is_bool = c_type == "_Bool"
        width = 1 if is_bool else draw(st.integers(1, size * 8))
        low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
        value = draw(st.booleans() if is_bool else st.integers(low, high))
        return Member(name, "bool" if is_bool else "int", c_type, [value], width=width)
    if kind in ("record", "anonymous"):
        record = draw(_record(depth - 1, count))
        if kind == "anonymous":
            return Member("", "record", "", [record], record=record)
        # An array's elements are one record with the same values, and another with none.
        return Member(name, "record", "", [record] * number, dimensions, None, attributes, record)
    if kind == "enum":
        c_type, size, signed = draw(st.sampled_from(ENUMS))
        return Member(
            name, "int", c_type, many(_integer(size, signed)), dimensions, None, attributes
        )
    if kind == "int":
        c_type, size, signed = draw(st.sampled_from(INTEGERS))
        if c_type == "unsigned char" and dimensions:
            c_type = "signed char"  # of unsigned ones an array is bytes, which are a kind here
            signed = True
        return Member(
            name, "int", c_type, many(_integer(size, signed)), dimensions, None, attributes
        )
    if kind == "bool":
        return Member(name, "bool", "_Bool", many(st.booleans()), dimensions, None, attributes)
    if kind == "float":
        c_type = draw(st.sampled_from(["float", "double"]))
        values = st.sampled_from([0.0, 0.5, -1.25, 3.0e10 if c_type == "double" else 2.0**20])
        return Member(name, "float", c_type, many(values), dimensions, None, attributes)
    if kind == "pointer":
        c_type = draw(st.sampled_from(["void *", "struct undefined *"]))
        return Member(
            name, "pointer", c_type, many(_integer(8, False)), dimensions, None, attributes
        )
    length = draw(st.sampled_from([1, 5, 16, 40]))
    raw = draw(st.binary(min_size=length, max_size=length))
    c_type = "char" if kind == "char" else "unsigned char"
    return Member(name, kind, c_type, [raw], (length,), None, attributes)


@st.composite
def _record(draw: st.DrawFn, depth: int, count: Iterator[int]) -> Record:
    is_union = draw(st.sampled_from([False, False, True]))
    members = [draw(_members(depth, count)) for _ in range(draw(st.integers(1, 6)))]
    attributes = draw(
        st.sampled_from(
            ["", "", "", "packed", "aligned(2)", "aligned(16)", "aligned(64)", "packed, aligned(4)"]
        )
    )
    attributes = f" __attribute__(({attributes}))" if attributes else ""
    return Record(is_union, members, attributes, draw(st.integers(0, len(members) - 1)))


def records(depth: int = 2) -> st.SearchStrategy[Record]:
    """Draw structs and unions with at least one byte."""
    from itertools import count

    return st.builds(lambda: None).flatmap(lambda _: _record(depth, count()))


def declare(record: Record, name: str) -> str:
    """Write the type, without a `;`."""
    lines = [f"{'union' if record.is_union else 'struct'} {name} {{"]
    for member in record.members:
        c_type = member.c_type if member.record is None else declare(member.record, "")
        width = "" if member.width is None else f" : {member.width}"
        array = "".join(f"[{each}]" for each in member.dimensions)
        lines.append(f"{c_type} {member.name}{array}{width}{member.attributes};")
    return "\n".join([*lines, f"}}{record.attributes}"])


def initialise(record: Record) -> str:
    """Write the initialiser of a record with its values."""
    parts = []
    for member in record.given():
        if member.kind == "pad":
            continue
        if member.kind == "record" and not member.name:
            # Designators reach the members of anonymous members.
            parts += [initialise(member.values[0])[1:-1].strip().rstrip(",")]
            continue
        values = member.values
        if member.kind in ("char", "bytes"):
            texts = [str(byte) for byte in values[0]]
        else:
            texts = [_literal(member, value) for value in values]
        parts.append(f".{member.name} = {_nest(texts, member.dimensions)}")
    return "{" + ", ".join(part for part in parts if part) + "}"


def _literal(member: Member, value: Any) -> str:
    if isinstance(value, Record):
        return initialise(value)
    if member.kind == "float":
        return value.hex()
    if member.kind == "pointer":
        return f"({member.c_type})0x{value:x}ULL"
    raw = value & (1 << 128) - 1
    if "__int128" in member.c_type:
        halves = f"(unsigned __int128)0x{raw >> 64:x}ULL << 64 | 0x{raw & (1 << 64) - 1:x}ULL"
        return f"({member.c_type})({halves})"
    return f"({member.c_type})0x{value & (1 << 64) - 1:x}ULL"


def _nest(texts: list[str], dimensions: tuple[int, ...]) -> str:
    if not dimensions:
        return texts[0]
    step = len(texts) // dimensions[0] if dimensions[0] else 0
    inner = [_nest(texts[i * step : (i + 1) * step], dimensions[1:]) for i in range(dimensions[0])]
    return "{" + ", ".join(inner) + "}"


def fields(record: Record) -> Iterator[tuple[str, Member]]:
    """Give the members with a value, those of anonymous members too."""
    for member in record.given():
        if member.kind == "record" and not member.name:
            yield from fields(member.values[0])
        elif member.kind != "pad" and 0 not in member.dimensions:
            yield member.name, member


def construct(cls: Any, record: Record) -> Any:
    """Make an instance of the generated class with the record's values."""
    zero = cls()
    found = {}
    for name, member in fields(record):
        if not hasattr(zero, name):
            assert _size_is_zero(member)
            continue
        found[name] = _shape(member, getattr(zero, name))
    return cls(**found)


def _size_is_zero(member: Member) -> bool:
    """Tell whether a struct has nothing in it but what has no bytes."""
    record = member.record
    return record is not None and not any(not _size_is_zero(each) for _, each in all_fields(record))


def all_fields(record: Record) -> Iterator[tuple[str, Member]]:
    for member in record.members:
        if member.kind == "record" and not member.name:
            yield from all_fields(member.values[0])
        elif member.kind != "pad" and 0 not in member.dimensions:
            yield member.name, member


def _shape(member: Member, zero: Any) -> Any:
    """Give a member's values in the shape that its default has."""
    if member.kind in ("char", "bytes"):
        return member.values[0]
    values = iter(member.values)

    def build(zero: Any) -> Any:
        if isinstance(zero, tuple):
            return tuple(build(each) for each in zero)
        value = next(values)
        if isinstance(value, Record):
            return construct(type(zero), value)
        return type(zero)(value)

    return build(zero)


def expect(instance: Any, record: Record) -> None:
    """Check that an instance has the record's values."""
    for name, member in fields(record):
        if not hasattr(instance, name):
            assert _size_is_zero(member)
            continue
        value = getattr(instance, name)
        if member.kind == "char":
            assert value == member.values[0].rstrip(b"\0")
        elif member.kind == "bytes":
            assert value == member.values[0]
        else:
            flat = list(_flatten(value))
            assert len(flat) == len(member.values)
            for one, expected in zip(flat, member.values, strict=True):
                if isinstance(expected, Record):
                    expect(one, expected)
                else:
                    assert (one, isinstance(one, bool)) == (
                        expected,
                        isinstance(expected, bool),
                    ), name


def _flatten(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for each in value:
            yield from _flatten(each)
    else:
        yield value
