"""Types as C declarations, for comments and messages."""

from __future__ import annotations

from ..errors import BtfError
from .btf import MAX_RESOLVE_DEPTH, Btf
from .parse import SECTION
from .types import (
    Array,
    BtfType,
    Const,
    Enum,
    Func,
    FuncProto,
    Fwd,
    Ptr,
    Restrict,
    Struct,
    TypeTag,
    Union,
    Var,
    Void,
    Volatile,
)

#: Declarations that one text may consist of, counting each parameter: prototypes within prototypes
#: can make a small BTF's text longer than any memory.
MAX_PARTS = 1000


def declaration(btf: Btf, type_id: int, name: str = "") -> str:
    """Return the declaration of `name` as C writes it, without the semicolon.

    An anonymous struct, union or enum is `struct {...}`; type tags are left out.

    Args:
        name: "" gives the type alone: `"unsigned int [4]"`.

    Raises:
        BtfError: the type refers to itself without a name in between, or is too long to write.
    """
    return _declaration(btf, type_id, name, 0, [MAX_PARTS])


def _declaration(btf: Btf, type_id: int, name: str, depth: int, left: list[int]) -> str:
    # left[0]: how many more declarations the whole text may have.
    left[0] -= 1
    if left[0] < 0 or depth > MAX_RESOLVE_DEPTH:
        raise BtfError(
            f"type [{type_id}] is in a declaration of more than {MAX_PARTS} parts, or nested "
            f"deeper than {MAX_RESOLVE_DEPTH}",
            section=SECTION,
        )
    inner, qualifiers, at = name, "", type_id
    for _ in range(MAX_RESOLVE_DEPTH):
        t = btf.type(at)
        if isinstance(t, Const):
            qualifiers += "const "
        elif isinstance(t, Volatile):
            qualifiers += "volatile "
        elif isinstance(t, Restrict):
            qualifiers += "restrict "
        elif isinstance(t, Ptr):
            inner = f"*{qualifiers}{inner}".rstrip()
            qualifiers = ""
            if _kind_behind_qualifiers(btf, t.type) in (Array.kind, FuncProto.kind):
                inner = f"({inner})"
        elif isinstance(t, Array):
            inner += f"[{t.nelems}]"
        elif isinstance(t, FuncProto):
            inner += f"({_params(btf, t, depth, left)})"
        elif isinstance(t, (Func, Var)):
            inner += t.name
        elif not isinstance(t, TypeTag):
            return f"{qualifiers}{_base(t)} {inner}".rstrip()
        at = t.type
    raise BtfError(
        f"type [{type_id}] refers to itself, or is nested deeper than {MAX_RESOLVE_DEPTH}",
        section=SECTION,
    )


def _kind_behind_qualifiers(btf: Btf, type_id: int) -> int:
    for _ in range(MAX_RESOLVE_DEPTH):
        kind = btf.kind(type_id)
        if kind not in (Const.kind, Volatile.kind, Restrict.kind, TypeTag.kind):
            return kind
        type_id = btf.target(type_id)
    return 0


def _params(btf: Btf, proto: FuncProto, depth: int, left: list[int]) -> str:
    texts = [
        (
            _declaration(btf, param.type, param.name, depth + 1, left)
            if param.type or param.name
            else "..."
        )
        for param in proto.params
    ]
    return ", ".join(texts) or "void"


def _base(t: BtfType) -> str:
    if isinstance(t, Void):
        return "void"
    name = t.name or "{...}"
    if isinstance(t, Union) or (isinstance(t, Fwd) and t.is_union):
        return f"union {name}"
    if isinstance(t, (Struct, Fwd)):
        return f"struct {name}"
    return f"enum {name}" if isinstance(t, Enum) else name
