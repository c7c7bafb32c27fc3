"""Access paths: which field, type or enumerator a CO-RE relocation speaks of, in one BTF.

clang writes a path as text (`"0:1:2:3"`): the first number indexes the pointer, each other one a
member or an array element. An `Access` keeps it resolved twice over: `raw`, number by number, and
`steps`, only the turning points that have a meaning in any kernel (named members, array indexes),
so that a kernel that wraps a field into an anonymous struct is no different.
"""

from __future__ import annotations

from ..btf.types import Array, BtfType, Enum, Struct
from ..errors import BtfError, RelocationError
from ..uapi.const import (
    BPF_CORE_ENUMVAL_EXISTS,
    BPF_CORE_ENUMVAL_VALUE,
    BPF_CORE_FIELD_BYTE_OFFSET,
    BPF_CORE_FIELD_BYTE_SIZE,
    BPF_CORE_FIELD_EXISTS,
    BPF_CORE_FIELD_LSHIFT_U64,
    BPF_CORE_FIELD_RSHIFT_U64,
    BPF_CORE_FIELD_SIGNED,
    BPF_CORE_TYPE_EXISTS,
    BPF_CORE_TYPE_ID_LOCAL,
    BPF_CORE_TYPE_ID_TARGET,
    BPF_CORE_TYPE_MATCHES,
    BPF_CORE_TYPE_SIZE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf

#: The longest path that libbpf and the kernel follow (BPF_CORE_SPEC_MAX_LEN).
MAX_PATH = 64

#: Decimal digits of a number in a path; libbpf's are C's int.
_MAX_DIGITS = 10

FIELD_KINDS = frozenset(
    (
        BPF_CORE_FIELD_BYTE_OFFSET,
        BPF_CORE_FIELD_BYTE_SIZE,
        BPF_CORE_FIELD_EXISTS,
        BPF_CORE_FIELD_SIGNED,
        BPF_CORE_FIELD_LSHIFT_U64,
        BPF_CORE_FIELD_RSHIFT_U64,
    )
)
TYPE_KINDS = frozenset(
    (
        BPF_CORE_TYPE_ID_LOCAL,
        BPF_CORE_TYPE_ID_TARGET,
        BPF_CORE_TYPE_EXISTS,
        BPF_CORE_TYPE_MATCHES,
        BPF_CORE_TYPE_SIZE,
    )
)
ENUM_KINDS = frozenset((BPF_CORE_ENUMVAL_EXISTS, BPF_CORE_ENUMVAL_VALUE))

#: Names as libbpf's messages have them.
KIND_NAMES = {
    BPF_CORE_FIELD_BYTE_OFFSET: "byte_off",
    BPF_CORE_FIELD_BYTE_SIZE: "byte_sz",
    BPF_CORE_FIELD_EXISTS: "field_exists",
    BPF_CORE_FIELD_SIGNED: "signed",
    BPF_CORE_FIELD_LSHIFT_U64: "lshift_u64",
    BPF_CORE_FIELD_RSHIFT_U64: "rshift_u64",
    BPF_CORE_TYPE_ID_LOCAL: "local_type_id",
    BPF_CORE_TYPE_ID_TARGET: "target_type_id",
    BPF_CORE_TYPE_EXISTS: "type_exists",
    BPF_CORE_TYPE_MATCHES: "type_matches",
    BPF_CORE_TYPE_SIZE: "type_size",
    BPF_CORE_ENUMVAL_EXISTS: "enumval_exists",
    BPF_CORE_ENUMVAL_VALUE: "enumval_value",
}


class Step:
    """One turning point: a named member, an array index (`name` None), or an enumerator."""

    __slots__ = ("index", "name", "type_id")

    def __init__(self, type_id: int, index: int, name: str | None) -> None:
        self.type_id = type_id
        self.index = index
        self.name = name


class Access:
    """What a relocation speaks of, resolved in one BTF.

    Attributes:
        btf: where all ids are from.
        root_id: the type that the path begins at.
        kind: one of BPF_CORE_*.
        steps: the turning points; empty for a relocation of a type.
        raw: the path number by number.
        bit_offset: of the field from the root, in bits.
    """

    __slots__ = ("bit_offset", "btf", "kind", "raw", "root_id", "steps")

    def __init__(self, btf: Btf, root_id: int, kind: int) -> None:
        self.btf = btf
        self.root_id = root_id
        self.kind = kind
        self.steps: list[Step] = []
        self.raw: list[int] = []
        self.bit_offset = 0

    def __str__(self) -> str:
        """Describe it for people: `struct task_struct::se.avg[3] (0:12:4:3 @ offset 96)`."""
        text = c_name(self.btf, self.root_id)
        if self.kind in TYPE_KINDS:
            return text
        text += f"::{self.field}" if self.field else ""
        if self.kind in ENUM_KINDS:
            return text
        path = ":".join(str(number) for number in self.raw)
        offset, bit = divmod(self.bit_offset, 8)
        return f"{text} ({path} @ offset {f'{offset}.{bit}' if bit else offset})"

    @property
    def field(self) -> str:
        """The path from the root as in C: `se.avg[3]`, an enumerator's name, or ""."""
        text = ""
        for position, step in enumerate(self.steps):
            if step.name is not None:
                text += f".{step.name}" if text else step.name
            elif position or step.index:
                text += f"[{step.index}]"
        return text


def c_name(btf: Btf, type_id: int) -> str:
    """Name a type as C does; by its number where it cannot be written, as cyclic ones cannot."""
    try:
        return btf.c_name(type_id)
    except BtfError:
        return f"type [{type_id}]"


def is_flexible(btf: Btf, step: Step | None, array: Array) -> bool:
    """Tell whether the array, reached by step, is the flexible array at the end of its struct."""
    if step is None or step.name is None or array.nelems > 0:
        return False
    owner = btf.type(step.type_id)
    return isinstance(owner, Struct) and step.index == len(owner.members) - 1


def strip(btf: Btf, type_id: int) -> tuple[int, BtfType]:
    """Return the type behind modifiers and typedefs, with its id."""
    type_id = btf.resolve(type_id)
    return type_id, btf.type(type_id)


def parse_access(btf: Btf, type_id: int, path: str, kind: int) -> Access:
    """Resolve clang's path in the object's own BTF.

    Raises:
        RelocationError: the path is malformed, or leads out of the type.
    """
    access = Access(btf, type_id, kind)
    if kind in TYPE_KINDS:
        if path != "0":
            raise _bad(access, path, 'a relocation of a type has the path "0"')
        return access
    if kind not in FIELD_KINDS and kind not in ENUM_KINDS:
        raise _bad(access, path, f"relocation kind {kind} is unknown")
    numbers = path.split(":")
    if len(numbers) > MAX_PATH:
        raise _bad(access, path, f"it has more than {MAX_PATH} numbers")
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise _bad(access, path, "it is not numbers between colons")
    if max(map(len, numbers)) > _MAX_DIGITS:
        raise _bad(access, path, "a number in it is too large")
    access.raw = [int(number) for number in numbers]

    first = access.raw[0]
    type_id, t = strip(btf, type_id)
    if kind in ENUM_KINDS:
        if not isinstance(t, Enum) or len(numbers) > 1 or first >= len(t.values):
            raise _bad(access, path, "it is no enumerator's index")
        access.steps.append(Step(type_id, first, t.values[first].name))
        return access

    access.steps.append(Step(type_id, first, None))
    access.bit_offset = first * btf.size_of(type_id) * 8
    for number in access.raw[1:]:
        type_id, t = strip(btf, type_id)
        if isinstance(t, Struct):
            if number >= len(t.members):
                raise _bad(access, path, f"{c_name(btf, type_id)} has {len(t.members)} members")
            member = t.members[number]
            access.bit_offset += member.bit_offset
            if member.name:
                access.steps.append(Step(type_id, number, member.name))
            type_id = member.type
        elif isinstance(t, Array):
            element, _ = strip(btf, t.type)
            if number >= t.nelems and not is_flexible(btf, access.steps[-1], t):
                raise _bad(access, path, f"{c_name(btf, type_id)} ends before element {number}")
            access.steps.append(Step(element, number, None))
            access.bit_offset += number * btf.size_of(element) * 8
            type_id = element
        else:
            raise _bad(access, path, f"{c_name(btf, type_id)} has no members and no elements")
    return access


def _bad(access: Access, path: str, reason: str) -> RelocationError:
    name = KIND_NAMES.get(access.kind, str(access.kind))
    return RelocationError(
        f"CO-RE relocation {name} of {c_name(access.btf, access.root_id)}: access path"
        f" {path[:80]!r}: {reason}"
    )
