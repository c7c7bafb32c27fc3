"""Whether what two inputs say of one symbol fits, by their BTF.

As in libbpf: typedefs, const and volatile are looked through; names of parameters, signedness and
enumerators are not compared. What is behind a pointer has to agree in kind and name alone, and a
forward declaration there fits what it declares. Sizes of arrays are not compared, so that
`extern int table[];` fits.
"""

from __future__ import annotations

from ..btf.types import (
    BTF_FUNC_STATIC,
    BTF_VAR_STATIC,
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
from ..errors import FormatError, LinkerError, NotSupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf.btf import Btf
    from ..spec import MapSpec
    from .inputs import InputObject, InputSymbol
    from .output import OutputSymbol

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


def mismatch(known: OutputSymbol, source: InputObject, symbol: InputSymbol, type_id: int) -> str:
    """Return why an input's declaration does not fit the one known so far, "" if it does."""
    one, other = known.source.btf, source.btf
    if one is None or other is None:
        raise AssertionError("no declaration without BTF")
    if known.declared_in is not None and known.declared_in.name == ".maps":
        try:
            ours, theirs = _definition(one, known.type_id), _definition(other, type_id)
        except FormatError as error:
            return error.message
        partial = (known.is_extern, symbol.is_extern)
        return _maps_differ(_Comparison(one, other), ours, theirs, partial)
    return _Comparison(one, other).differ(known.type_id, type_id, True, 0)


def c_text(source: InputObject, type_id: int) -> str:
    """Return a VAR or FUNC in C, on one line; with the members of a struct that it contains."""
    from ..btf.declarator import Declarators

    btf = source.btf
    assert btf is not None
    declared = btf.type(type_id)
    if not isinstance(declared, (Var, Func)):
        raise AssertionError(f"{kind_name(declared.kind)} is no declaration")
    try:
        c = Declarators(btf)
        text = c.declare(declared.type, declared.name, 0)
        element = btf.resolve(declared.type)
        while isinstance(contained := btf.type(element), Array):
            element = btf.resolve(contained.type)
        if isinstance(contained, Struct) and contained.name:
            text = f"{c.struct(element, 0)}; {text}"
    except (FormatError, NotSupportedError) as error:
        return f"type [{type_id}]: {error.message}"
    return " ".join(text.split())


class _Comparison:
    """Types of two BTFs side by side."""

    def __init__(self, one: Btf, other: Btf) -> None:
        self.one = one
        self.other = other
        self._seen: set[tuple[int, int, bool]] = set()

    def differ(self, one_id: int, other_id: int, exact: bool, depth: int) -> str:
        """Return what differs, "" if nothing.

        Args:
            exact: False behind a pointer, where structs are compared by name.
        """
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
            return _declares(b, a)
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
        if isinstance(a, Func) and isinstance(b, Func):
            if (a.linkage == BTF_FUNC_STATIC) != (b.linkage == BTF_FUNC_STATIC):
                return "one is static"
            return self.differ(a.type, b.type, exact, depth + 1)
        if isinstance(a, Var) and isinstance(b, Var):
            if (a.linkage == BTF_VAR_STATIC) != (b.linkage == BTF_VAR_STATIC):
                return "one is static"
            return self.differ(a.type, b.type, exact, depth + 1)
        if isinstance(a, Struct) and isinstance(b, Struct):
            return self._members_differ(a, b, depth) if exact else ""
        if isinstance(a, FuncProto) and isinstance(b, FuncProto):
            return self._prototypes_differ(a, b, exact, depth)
        if isinstance(a, (Void, Fwd)):
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


def _declares(fwd: Fwd, t: BtfType) -> str:
    if not isinstance(t, (Struct, Union)) or isinstance(t, Union) != fwd.is_union:
        keyword = "union" if fwd.is_union else "struct"
        return f"a {keyword} declared as {fwd.name!r} and a {kind_name(t.kind)}"
    return "" if t.name == fwd.name else f"{kind_name(t.kind)} {fwd.name!r} and {t.name!r}"


def _title(t: BtfType) -> str:
    return f"{kind_name(t.kind)} {t.name!r}" if t.name else f"{kind_name(t.kind)}"


# --- maps


def _definition(btf: Btf, type_id: int) -> MapSpec:
    from ..loader.maps import read_definition

    return read_definition(btf, type_id)


def _maps_differ(
    types: _Comparison, one: MapSpec, other: MapSpec, partial: tuple[bool, bool]
) -> str:
    """Return what differs in two definitions; an extern (`partial`) may leave attributes out."""
    from ..spec import MapSpec

    for field in _MAP_FIELDS:
        a, b = getattr(one, field), getattr(other, field)
        if a != b and not (partial[0] and not a) and not (partial[1] and not b):
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
    if a is None and b is None:
        return ""
    if isinstance(a, MapSpec) and isinstance(b, MapSpec):
        why = _maps_differ(types, a, b, partial)
        return why and f"inner map: {why}"
    left_out = partial[0] if a is None else partial[1]
    return "" if left_out else "only one has an inner map"
