"""Whether what two inputs say of one symbol fits, by their BTF.

As in libbpf: typedefs, const and volatile are looked through; names of parameters, signedness and
enumerators are not compared. What is behind a pointer has to agree in kind and name alone, and a
forward declaration there fits what it declares. Sizes of arrays are not compared, so that
`extern int table[];` fits. An extern map may leave attributes out: the linker then compares each
with each, else one comparison with what is known of a symbol is enough.
"""

from __future__ import annotations

from ..btf.types import (
    Array,
    BtfType,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Ptr,
    Struct,
    Union,
    Var,
    Void,
    kind_name,
)
from ..errors import FormatError, LinkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..btf.btf import Btf
    from ..spec import MapSpec
    from .inputs import InputObject

#: Pairs of types that one symbol may have compared; no real one comes near it.
_MAX_PAIRS = 100_000
_MAX_DEPTH = 256

_MAP_FIELDS = (
    "map_type",
    "key_size",
    "value_size",
    "max_entries",
    "map_flags",
    "numa_node",
    "pinning",
    "map_extra",
)


def mismatch(one: Declaration, other: Declaration, *, are_maps: bool) -> Mismatch | None:
    """Return why two declarations of one symbol do not fit, None if they do.

    Raises:
        LinkerError: one is of a map, and is none that libbpf understands.
    """
    types = _Comparison(_btf(one), _btf(other))
    if are_maps:
        ours, theirs = _definition(one), _definition(other)
        why = _maps_differ(types, ours, theirs, (one.is_extern, other.is_extern))
        if why and ours.inner is not None and theirs.inner is not None:
            types.trail.append((_inner_id(one), _inner_id(other)))
        if why:
            types.trail.append((one.type_id, other.type_id))
    else:
        why = types.differ(one.type_id, other.type_id, True, 0)
    return Mismatch(why, types.trail) if why else None


def given(declaration: Declaration) -> set[str]:
    """Return the names of the attributes that a map's declaration has.

    Raises:
        LinkerError: as for `mismatch`.
    """
    return set(_given(_definition(declaration)))


def _given(spec: MapSpec) -> Iterator[str]:
    from ..spec import MapSpec

    for field in (*_MAP_FIELDS, "key_type_id", "value_type_id"):
        if getattr(spec, field):
            yield field
    if isinstance(spec.inner, MapSpec):
        yield "inner"
        for field in _given(spec.inner):
            yield f"inner.{field}"


class Declaration:
    """What one input says of a symbol: its VAR or FUNC."""

    __slots__ = ("is_extern", "source", "type_id")

    def __init__(self, source: InputObject, type_id: int, is_extern: bool) -> None:
        self.source = source
        self.type_id = type_id
        self.is_extern = is_extern


class Mismatch:
    """Why two declarations do not fit.

    Attributes:
        why: in words.
        trail: pairs of types, of the one and the other, from where they differ outwards.
    """

    __slots__ = ("trail", "why")

    def __init__(self, why: str, trail: list[tuple[int, int]]) -> None:
        self.why = why
        self.trail = trail


class _Comparison:
    """Types of two BTFs side by side."""

    def __init__(self, one: Btf, other: Btf) -> None:
        self.one = one
        self.other = other
        self.trail: list[tuple[int, int]] = []
        self._seen: set[tuple[int, int, bool]] = set()

    def differ(self, one_id: int, other_id: int, exact: bool, depth: int) -> str:
        """Return what differs, "" if nothing; `trail` then leads there.

        Args:
            exact: False behind a pointer, where structs are compared by name.
        """
        why = self._differ(one_id, other_id, exact, depth)
        if why:
            self.trail.append((one_id, other_id))
        return why

    def _differ(self, one_id: int, other_id: int, exact: bool, depth: int) -> str:
        pair = (one_id, other_id, exact)
        if pair in self._seen:  # compared, or being compared
            return ""
        self._seen.add(pair)
        if depth > _MAX_DEPTH or len(self._seen) > _MAX_PAIRS:
            raise LinkerError(f"types [{one_id}] and [{other_id}] are too large to be compared")
        a = self.one.type(self.one.resolve(one_id)) if depth else self.one.type(one_id)
        b = self.other.type(self.other.resolve(other_id)) if depth else self.other.type(other_id)
        if not exact and isinstance(a, Fwd) and not isinstance(b, Fwd):
            return _declares(a, b)
        if not exact and isinstance(b, Fwd) and not isinstance(a, Fwd):
            return _declares(b, a, fwd_first=False)
        if a.kind != b.kind:
            return f"a {kind_name(a.kind)} and a {kind_name(b.kind)}"
        if a.name != b.name and isinstance(a, (Struct, Union, Enum, Fwd, Func, Var)):
            return f"{kind_name(a.kind)} {a.name!r} and {b.name!r}"
        if isinstance(a, (Int, Float, Enum)):
            size = b.size  # type: ignore[attr-defined]
            return "" if a.size == size else f"{_title(a)} of {a.size} and {size} bytes"
        if isinstance(a, Ptr) and isinstance(b, Ptr):
            return self.differ(a.type, b.type, False, depth + 1)
        if isinstance(a, Array) and isinstance(b, Array):
            return self.differ(a.type, b.type, exact, depth + 1)
        if isinstance(a, (Func, Var)) and isinstance(b, (Func, Var)):  # neither is static
            return self.differ(a.type, b.type, exact, depth + 1)
        if isinstance(a, Struct) and isinstance(b, Struct):
            return self._members_differ(a, b, depth) if exact else ""
        if isinstance(a, FuncProto) and isinstance(b, FuncProto):
            return self._prototypes_differ(a, b, exact, depth)
        if isinstance(a, Fwd) and isinstance(b, Fwd):
            return _keywords_differ(a, b)
        if isinstance(a, Void):
            return ""
        return f"a {kind_name(a.kind)} cannot be compared"

    def _members_differ(self, a: Struct, b: Struct, depth: int) -> str:
        if len(a.members) != len(b.members):
            return f"{_title(a)} of {len(a.members)} and {len(b.members)} members"
        for number, (m, n) in enumerate(zip(a.members, b.members, strict=True)):
            if m.name != n.name:
                return f"member {number} of {_title(a)} is {m.name!r} and {n.name!r}"
            if (m.bit_offset, m.bitfield_size) != (n.bit_offset, n.bitfield_size):
                return f"member {m.name!r} of {_title(a)} is at another place"
            why = self.differ(m.type, n.type, True, depth + 1)
            if why:
                return f"member {m.name!r} of {_title(a)}: {why}"
        return ""

    def _prototypes_differ(self, a: FuncProto, b: FuncProto, exact: bool, depth: int) -> str:
        if len(a.params) != len(b.params):
            return f"{len(a.params)} and {len(b.params)} parameters"
        for number, (p, q) in enumerate(zip(a.params, b.params, strict=True), 1):
            why = self.differ(p.type, q.type, exact, depth + 1)
            if why:
                return f"parameter {number}: {why}"
        why = self.differ(a.type, b.type, exact, depth + 1)
        return why and f"return value: {why}"


def _keywords_differ(a: Fwd, b: Fwd) -> str:
    # libbpf does not look; the definition, which may come later, fits one of them only.
    if a.is_union == b.is_union:
        return ""
    words = ("union" if a.is_union else "struct", "union" if b.is_union else "struct")
    return f"{a.name!r} is declared as a {words[0]} and as a {words[1]}"


def _declares(fwd: Fwd, t: BtfType, *, fwd_first: bool = True) -> str:
    if not isinstance(t, (Struct, Union)) or isinstance(t, Union) != fwd.is_union:
        keyword = "union" if fwd.is_union else "struct"
        return f"a {keyword} declared as {fwd.name!r} and a {kind_name(t.kind)}"
    names = (fwd.name, t.name) if fwd_first else (t.name, fwd.name)
    return "" if t.name == fwd.name else f"{kind_name(t.kind)} {names[0]!r} and {names[1]!r}"


def _title(t: BtfType) -> str:
    return f"{kind_name(t.kind)} {t.name!r}" if t.name else f"{kind_name(t.kind)}"


# --- maps


def _btf(declaration: Declaration) -> Btf:
    btf = declaration.source.btf
    if btf is None:
        raise AssertionError("no declaration without BTF")
    return btf


def _definition(declaration: Declaration) -> MapSpec:
    from ..loader.maps import read_definition

    try:
        return read_definition(
            _btf(declaration), declaration.type_id, is_extern=declaration.is_extern
        )
    except FormatError as error:
        raise LinkerError(f"{declaration.source.label}: {error.message}") from None


def _inner_id(declaration: Declaration) -> int:
    """Return the id of the struct, or typedef, of the maps in a map."""
    btf = _btf(declaration)
    definition = btf.type(btf.resolve(declaration.type_id))
    assert isinstance(definition, Struct)
    array = btf.type(next(m.type for m in definition.members if m.name == "values"))
    assert isinstance(array, Array)
    pointer = btf.type(btf.resolve(array.type))
    assert isinstance(pointer, Ptr)
    return pointer.type


def _maps_differ(
    types: _Comparison, one: MapSpec, other: MapSpec, partial: tuple[bool, bool]
) -> str:
    """Return what differs in two definitions; an extern (`partial`) may leave attributes out."""
    from ..spec import MapSpec

    for field in _MAP_FIELDS:
        a, b = getattr(one, field), getattr(other, field)
        if a != b and not (partial[0] and not a) and not (partial[1] and not b):
            if field in ("key_size", "value_size"):
                member = field.replace("size", "type_id")
                types.trail.append((getattr(one, member), getattr(other, member)))
            return f"{field} is {a} and {b}"
    for field in ("key", "value"):
        a, b = getattr(one, f"{field}_type_id"), getattr(other, f"{field}_type_id")
        if a and b:
            why = types.differ(a, b, True, 1)
            if why:
                return f"{field}: {why}"
        elif (a and not partial[1]) or (b and not partial[0]):
            return f"only one has a type of its {field}"
    a, b = one.inner, other.inner
    if isinstance(a, MapSpec) and isinstance(b, MapSpec):
        why = _maps_differ(types, a, b, partial)
        return why and f"inner map: {why}"
    if (a is not None and not partial[1]) or (b is not None and not partial[0]):
        return "only one has an inner map"
    return ""
