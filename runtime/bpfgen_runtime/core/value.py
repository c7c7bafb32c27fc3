"""What a relocation puts into its instruction: offsets, sizes, shifts, ids, enumerators."""

from __future__ import annotations

from ..btf.types import BTF_INT_SIGNED, Array, Enum, Enum64, Int, Ptr, Struct
from ..errors import RelocationError
from ..uapi.const import (
    BPF_CORE_ENUMVAL_EXISTS,
    BPF_CORE_FIELD_BYTE_OFFSET,
    BPF_CORE_FIELD_BYTE_SIZE,
    BPF_CORE_FIELD_EXISTS,
    BPF_CORE_FIELD_LSHIFT_U64,
    BPF_CORE_FIELD_RSHIFT_U64,
    BPF_CORE_FIELD_SIGNED,
    BPF_CORE_TYPE_ID_TARGET,
    BPF_CORE_TYPE_SIZE,
)
from .access import ENUM_KINDS, FIELD_KINDS, KIND_NAMES, Access, strip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf

U32 = (1 << 32) - 1
U64 = (1 << 64) - 1


class Resolution:
    """The outcome of one relocation.

    Attributes:
        original: what the compiler must have put there, unsigned 64-bit.
        value: what belongs there on the target, unsigned 64-bit.
        poison: nothing on the target answers, and the kind has no value for that: the instruction
            must become an invalid one, which the verifier passes only as dead code.
        validate: `original` is certain, so an instruction that has something else is an error.
        original_size: bytes that a load or store of the field accesses locally, 0 if it does not
            matter.
        size: the same on the target.
        bad_resize: the sizes differ in a way that a load or store would get wrong.
        local: the path in the object.
        target: the path on the target, None where there is none.
        type_found: the target has a type of that name and kind.
    """

    __slots__ = (
        "bad_resize",
        "local",
        "original",
        "original_size",
        "poison",
        "size",
        "target",
        "type_found",
        "validate",
        "value",
    )

    def __init__(self, original: int = 0, value: int = 0, *, poison: bool = False) -> None:
        self.original = original & U64
        self.value = value & U64
        self.poison = poison
        self.validate = True
        self.original_size = 0
        self.size = 0
        self.bad_resize = False
        self.local: Access | None = None
        self.target: Access | None = None
        self.type_found = True


class _Field:
    """One side of a field's relocation; libbpf computes its value in 32 bits."""

    __slots__ = ("exact", "size", "type_id", "value")

    def __init__(self, value: int, exact: bool = True) -> None:
        self.value = value & U32
        self.exact = exact
        self.size = 0
        self.type_id = 0


def compute(local: Access, target: Access | None) -> Resolution:
    """Compute what the relocation of local puts into its instruction, given its match.

    Raises:
        RelocationError: the kind does not go with this path, or a bitfield spans more than 8 bytes.
    """
    if local.kind in FIELD_KINDS:
        return _compute_field(local, target)
    if local.kind in ENUM_KINDS:
        return _compute_enumerator(local, target)
    result = Resolution(_type_value(local), 0 if target is None else _type_value(target))
    # Linking renumbers types, so the id that clang put there means nothing.
    result.validate = local.kind != BPF_CORE_TYPE_ID_TARGET
    result.target = target
    return result


def _compute_field(local: Access, target: Access | None) -> Resolution:
    if local.kind == BPF_CORE_FIELD_EXISTS:
        result = Resolution(1, int(target is not None))
        result.target = target
        return result
    order = local.btf.byte_order  # the machine's, whatever a BTF file has
    here = _field_value(local, order)
    if target is None:
        result = Resolution(here.value, poison=True)
        result.validate = here.exact
        return result
    there = _field_value(target, order)
    result = Resolution(here.value, there.value)
    result.validate = here.exact
    result.target = target
    result.original_size, result.size = here.size, there.size
    if here.size != there.size:
        result.bad_resize = not _may_resize(local.btf, here.type_id, target.btf, there.type_id)
    return result


def _may_resize(local_btf: Btf, local_id: int, target_btf: Btf, target_id: int) -> bool:
    """Tell whether a load may change its size: the value is zero-extended either way."""
    one, other = local_btf.type(local_id), target_btf.type(target_id)
    if isinstance(one, Ptr) and isinstance(other, Ptr):
        return True
    return (
        isinstance(one, Int)
        and isinstance(other, Int)
        and one.encoding != BTF_INT_SIGNED
        and other.encoding != BTF_INT_SIGNED
    )


def _field_value(access: Access, byte_order: str) -> _Field:
    kind = access.kind
    btf = access.btf
    step = access.steps[-1]
    if step.name is None:
        return _element_value(access)

    owner = btf.type(step.type_id)
    assert isinstance(owner, Struct)
    member = owner.members[step.index]
    type_id, t = strip(btf, member.type)
    offset, width = access.bit_offset, member.bitfield_size
    if width:
        size = btf.size_of(type_id)
        if not size:
            raise RelocationError(f"CO-RE: the type of bitfield {access} has no bytes")
        start = offset // 8 // size * size
        while offset + width - start * 8 > size * 8:
            if size >= 8:
                raise RelocationError(
                    f"CO-RE: bitfield {access} cannot be read with one 8-byte load"
                )
            size *= 2
            start = offset // 8 // size * size
    else:
        size = btf.size_of(type_id)
        start = offset // 8
        width = size * 8

    # The compiler may have chosen another load for a bitfield, so its numbers prove nothing.
    exact = not member.bitfield_size
    if kind == BPF_CORE_FIELD_BYTE_OFFSET:
        result = _Field(start, exact)
        if exact:
            result.size = _element_size(btf, type_id)
            result.type_id = type_id
        return result
    if kind == BPF_CORE_FIELD_BYTE_SIZE:
        return _Field(size, exact)
    if kind == BPF_CORE_FIELD_SIGNED:
        signed = t.signed if isinstance(t, Enum) else isinstance(t, Int) and t.is_signed
        return _Field(int(signed))
    if kind == BPF_CORE_FIELD_LSHIFT_U64:
        if byte_order == "<":
            return _Field(64 - (offset + width - start * 8), exact)
        return _Field((8 - size) * 8 + (offset - start * 8), exact)
    assert kind == BPF_CORE_FIELD_RSHIFT_U64
    return _Field(64 - width)


def _element_value(access: Access) -> _Field:
    """The path ends in an array index: only where it is and how large it is can be asked."""
    type_id = access.steps[-1].type_id
    if access.kind == BPF_CORE_FIELD_BYTE_OFFSET:
        result = _Field(access.bit_offset // 8)
        result.size = _element_size(access.btf, type_id)
        result.type_id = type_id
        return result
    if access.kind == BPF_CORE_FIELD_BYTE_SIZE:
        return _Field(access.btf.size_of(type_id))
    raise RelocationError(
        f"CO-RE relocation {KIND_NAMES[access.kind]} cannot be applied to array element {access}"
    )


def _element_size(btf: Btf, type_id: int) -> int:
    """Return the size of one load: of an array, that of its innermost element."""
    type_id, t = strip(btf, type_id)
    while isinstance(t, Array):
        type_id, t = strip(btf, t.type)
    return btf.size_of(type_id)


def _type_value(access: Access) -> int:
    if access.kind == BPF_CORE_TYPE_ID_TARGET:
        return access.root_id
    if access.kind == BPF_CORE_TYPE_SIZE:
        return access.btf.size_of(access.root_id)
    return 1  # exists, matches


def _compute_enumerator(local: Access, target: Access | None) -> Resolution:
    if local.kind == BPF_CORE_ENUMVAL_EXISTS:
        result = Resolution(1, int(target is not None))
    else:
        there = 0 if target is None else _enumerator_value(target)
        result = Resolution(_enumerator_value(local), there, poison=target is None)
    result.target = target
    return result


def _enumerator_value(access: Access) -> int:
    step = access.steps[0]
    t = access.btf.type(step.type_id)
    assert isinstance(t, Enum)
    value = t.values[step.index].value
    if not isinstance(t, Enum64) and value >= 1 << 31:
        # struct btf_enum has a signed field, whatever the enum's own sign: so libbpf extends it.
        value -= 1 << 32
    return value & U64
