"""Types as a list: one line or one JSON object each, with all that BTF says of them."""

from __future__ import annotations

from ..errors import NotSupportedError
from .btf import Btf
from .types import (
    BTF_INT_BOOL,
    BTF_INT_CHAR,
    BTF_INT_SIGNED,
    Array,
    BtfType,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Struct,
    Var,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Facts = dict[str, object]

__all__ = ["dump_raw", "type_facts"]

_ENCODINGS = {
    0: "(none)",
    BTF_INT_SIGNED: "SIGNED",
    BTF_INT_CHAR: "CHAR",
    BTF_INT_BOOL: "BOOL",
}
_LINKAGES = ("static", "global", "extern")
#: Keys whose value is a list, written as lines of their own.
_LISTS = ("members", "values", "params", "vars")


def dump_raw(btf: Btf, ids: Iterable[int] | None = None) -> Iterator[str]:
    """Yield types in the form of `bpftool btf dump … format raw`, a line or more each.

    Args:
        ids: which; by default all of this blob, without its base.

    Raises:
        BtfError: a type refers to what does not exist.
        NotSupportedError: a type is of a kind that is not known here.
    """
    for type_id in range(btf.start_id, len(btf)) if ids is None else ids:
        yield _text(btf, type_facts(btf, type_id))


def type_facts(btf: Btf, type_id: int) -> Facts:
    """Return a type as what JSON can say, by the keys of `bpftool --json btf dump`.

    Nameless things are called `(anon)`. Offsets and sizes whose key begins with `bit` or `nr_bits`
    are in bits, others in bytes.

    Raises:
        BtfError, NotSupportedError: as for `dump_raw`.
    """
    t = btf.type(type_id)
    facts: Facts = {"id": type_id, "kind": kind_name(t.kind), "name": t.name or "(anon)"}
    facts.update(_facts(btf, t))
    return facts


def _facts(btf: Btf, t: BtfType) -> Facts:
    if isinstance(t, Int):
        return {
            "size": t.size,
            "bits_offset": t.offset,
            "nr_bits": t.bits,
            "encoding": _ENCODINGS.get(t.encoding, "UNKN"),
        }
    if isinstance(t, Array):
        return {"type_id": t.type, "index_type_id": t.index_type, "nr_elems": t.nelems}
    if isinstance(t, Struct):
        members = []
        for member in t.members:
            one: Facts = {
                "name": member.name or "(anon)",
                "type_id": member.type,
                "bits_offset": member.bit_offset,
            }
            if member.bitfield_size:
                one["bitfield_size"] = member.bitfield_size
            members.append(one)
        return {"size": t.size, "vlen": len(members), "members": members}
    if isinstance(t, Enum):
        return {
            "encoding": "SIGNED" if t.signed else "UNSIGNED",
            "size": t.size,
            "vlen": len(t.values),
            "values": [{"name": v.name or "(anon)", "val": v.value} for v in t.values],
        }
    if isinstance(t, Fwd):
        return {"fwd_kind": "union" if t.is_union else "struct"}
    if isinstance(t, FuncProto):
        params = [{"name": p.name or "(anon)", "type_id": p.type} for p in t.params]
        return {"ret_type_id": t.type, "vlen": len(params), "params": params}
    if isinstance(t, (Func, Var)):
        linkage = _LINKAGES[t.linkage] if t.linkage < len(_LINKAGES) else "(unknown)"
        return {"type_id": t.type, "linkage": linkage}
    if isinstance(t, Datasec):
        each = [{"type_id": v.type, "offset": v.offset, "size": v.size} for v in t.vars]
        return {"size": t.size, "vlen": len(each), "vars": each}
    if isinstance(t, Float):
        return {"size": t.size}
    if isinstance(t, DeclTag):
        return {"type_id": t.type, "component_idx": t.component}
    if hasattr(t, "type"):
        return {"type_id": t.type}
    if t.kind == 0:
        return {}
    raise NotSupportedError(f"listing a BTF type of {kind_name(t.kind)}")


def _text(btf: Btf, facts: Facts) -> str:
    kind = facts["kind"]
    comma = "," if kind == "VAR" else ""
    line = f"[{facts['id']}] {kind} '{facts['name']}'"
    for key, value in facts.items():
        if key not in ("id", "kind", "name", *_LISTS):
            line += f" {key}={value}{comma if key == 'type_id' else ''}"
    lines = [line]
    for key in _LISTS:
        for one in facts.get(key, ()):  # type: ignore[attr-defined]
            lines.append("\t" + _part(btf, str(kind), one))
    return "\n".join(lines) + "\n"


def _part(btf: Btf, kind: str, one: Facts) -> str:
    name = one.pop("name", None)
    text = " ".join(f"{key}={value}" for key, value in one.items())
    if kind == "DATASEC":
        target = one["type_id"]
        assert isinstance(target, int)
        return f"{text} ({kind_name(btf.kind(target))} '{btf.name(target)}')"
    if kind == Enum64.__name__.upper():
        value = one["val"]
        assert isinstance(value, int)
        return f"'{name}' {text}{'ULL' if value >= 0 else 'LL'}"
    return f"'{name}' {text}"
