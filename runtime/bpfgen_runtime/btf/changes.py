"""`layout_changes`: what a new version of a type makes of bytes that the old one has written."""

from __future__ import annotations

from ..errors import BtfError
from .btf import Btf
from .parse import SECTION
from .types import Array, Enum, Float, Int, Ptr, Struct, kind_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: Place and width in bits, and what is there.
    Field = tuple[int, int, str]

__all__ = ["layout_changes"]

_MAX_FIELDS = 100_000
_MAX_DEPTH = 64


def layout_changes(old: Btf, old_id: int, new: Btf, new_id: int) -> list[tuple[str, bool]]:
    """Return how a type differs, each with whether bytes of the old one would be misread.

    Fields are compared by name: their place, width, signedness, and the values of their enums. A
    field that is new where only padding was breaks nothing. Names of types do not count.

    Raises:
        BtfError: a type contains itself, or has no size.
    """
    found: list[tuple[str, bool]] = []
    sizes = old.size_of(old_id), new.size_of(new_id)
    if sizes[0] != sizes[1]:
        found.append((f"size {sizes[0]} -> {sizes[1]}", True))
    before, after = _Fields(old, old_id), _Fields(new, new_id)
    used = sorted((start, start + width) for start, width, _ in before.fields.values())
    for name, field in before.fields.items():
        other = after.fields.get(name)
        label = f"{name}: " if name else ""
        if other is None:
            found.append((f"{label}removed", True))
        elif other != field:
            found.append((label + _difference(field, other), True))
    for name, (start, width, text) in after.fields.items():
        if name not in before.fields:
            taken = any(low < start + width and start < high for low, high in used)
            found.append((f"{name}: added, {text}", taken))
    for name, values in before.enums.items():
        now = after.enums.get(name)
        if now is None:
            continue
        for enumerator, value in values.items():
            if now.get(enumerator) != value:
                there = f"{value} -> {now[enumerator]}" if enumerator in now else "removed"
                label = f"{name}: " if name else ""
                found.append((f"{label}{enumerator} {there}", True))
    return found


def _difference(old: Field, new: Field) -> str:
    parts = []
    if old[0] != new[0]:
        parts.append(f"offset {_place(old[0])} -> {_place(new[0])}")
    if old[2] != new[2]:
        parts.append(f"{old[2]} -> {new[2]}")
    elif old[1] != new[1]:
        parts.append(f"{old[1]} bits -> {new[1]}")
    return ", ".join(parts)


def _place(bits: int) -> str:
    return f"{bits // 8}.{bits % 8}" if bits % 8 else str(bits // 8)


class _Fields:
    """The fields of a type by their path, `a.b`, `list[].c`; "" is the type itself."""

    def __init__(self, btf: Btf, type_id: int) -> None:
        self._btf = btf
        self.fields: dict[str, Field] = {}
        self.enums: dict[str, dict[str, int]] = {}
        self._add(type_id, "", 0, 0, 0)

    def _add(self, type_id: int, path: str, start: int, width: int, depth: int) -> None:
        if depth > _MAX_DEPTH or len(self.fields) > _MAX_FIELDS:
            raise BtfError(
                f"type [{type_id}] contains itself, or more than {_MAX_FIELDS} fields",
                section=SECTION,
            )
        t = self._btf.type(self._btf.resolve(type_id))
        if isinstance(t, Struct):
            if not t.members:
                self.fields[path] = start, 8 * t.size, f"{t.size} bytes"
            for member in t.members:
                inner = f"{path}.{member.name}" if path and member.name else path or member.name
                at = start + member.bit_offset
                self._add(member.type, inner, at, member.bitfield_size, depth + 1)
            return
        if isinstance(t, Array):
            size = self._btf.size_of(type_id)
            self.fields[f"{path}[]"] = start, 8 * size, f"{t.nelems} elements"
            self._add(t.type, f"{path}[].*", start, 0, depth + 1)
            return
        size = width or 8 * self._btf.size_of(type_id)
        if isinstance(t, Int):
            text = "signed" if t.is_signed else "bool" if t.is_bool else "unsigned"
        elif isinstance(t, Enum):
            text = "enum"
            self.enums[path] = {value.name: value.value for value in t.values}
        elif isinstance(t, Float):
            text = "float"
        else:
            text = "pointer" if isinstance(t, Ptr) else kind_name(t.kind).lower()
        self.fields[path] = start, size, f"{text} of {size} bits"
