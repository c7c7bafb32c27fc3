"""The text of a conflict: both inputs, and what each says, in C. Imported when there is one."""

from __future__ import annotations

from ..btf.declarator import Declarators
from ..btf.types import Array, Func, Struct, Typedef, Union, Var, Void, kind_name
from ..errors import FormatError, LinkerError, NotSupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..btf.btf import Btf
    from .compat import Declaration

__all__ = ["conflict"]


def conflict(
    one: Declaration, other: Declaration, why: str, trail: Sequence[tuple[int, int]] = ()
) -> LinkerError:
    """Return the error for two declarations of one symbol that do not fit.

    Args:
        one: the earlier.
        trail: as of `compat.Mismatch`. The innermost typedefs, or struct, that differ in C stand
            before each declaration.
    """
    assert one.source.btf is not None
    assert other.source.btf is not None
    before = ("", "")
    for first, second in trail:
        texts = _definitions(one.source.btf, first, other.source.btf, second)
        if texts[0] != texts[1]:
            before = texts
            break
    name = one.source.btf.name(one.type_id)
    lines = [f"{other.source.label}: {name!r} conflicts with {one.source.label}: {why}"]
    for each, definitions in zip((one, other), before, strict=True):
        assert each.source.btf is not None
        lines.append(f"in {each.source.label}: {_text(each.source.btf, each.type_id, definitions)}")
    return LinkerError("\n  ".join(lines))


def _text(btf: Btf, type_id: int, definitions: str) -> str:
    """Return a VAR or FUNC in C, on one line; with the members of a struct that it contains.

    Args:
        definitions: of types, that come first.
    """
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
            body = f"{c.struct(element, 0)}; "
            text = body + text
    except (FormatError, NotSupportedError) as error:
        text = f"type [{type_id}]: {error.message}"
    text = " ".join(text.split())
    return text if text.startswith(definitions) else f"{definitions}{text}"


def _definitions(one: Btf, first: int, other: Btf, second: int) -> tuple[str, str]:
    """Return what two types are in C: their typedefs, and the struct behind them, innermost first.

    Structs of different names are told apart by these.
    """
    a, b = one.type(one.resolve(first)), other.type(other.resolve(second))
    same_name = a.name == b.name
    return _chain(one, first, same_name), _chain(other, second, same_name)


def _chain(btf: Btf, type_id: int, with_body: bool) -> str:
    parts: list[str] = []
    try:
        c = Declarators(btf)
        end = btf.resolve(type_id)
        t = btf.type(end)
        if with_body and isinstance(t, (Struct, Union)) and t.name:
            parts.append(c.struct(end, 0))
        typedefs = []
        while type_id != end:
            t = btf.type(type_id)
            if isinstance(t, Typedef):
                typedefs.append(f"typedef {c.declare(t.type, t.name, 0)}")
            type_id = 0 if isinstance(t, Void) else t.type  # type: ignore[attr-defined]
        parts += reversed(typedefs)
    except (FormatError, NotSupportedError):
        return ""
    return "".join(f"{' '.join(part.split())}; " for part in parts)
