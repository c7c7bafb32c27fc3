"""When two types of different BTFs count as the same for CO-RE.

Three relations, from weak to strong: fields of them may be read alike (`fields_compatible`), one
exists as the other (`types_compatible`), one has all that the other declares (`types_match`). The
rules are libbpf's and the kernel's (tools/lib/bpf/relo_core.c); that pairs of types are compared
only once is not, and keeps hostile types from taking exponential time.
"""

from __future__ import annotations

from ..btf.types import (
    BTF_INT_SIGNED,
    Array,
    BtfType,
    Enum,
    Float,
    FuncProto,
    Fwd,
    Int,
    Ptr,
    Struct,
    Union,
    Void,
)
from ..errors import RelocationError
from .access import c_name, strip
from .names import essential_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf

    #: What is known of pairs of types already.
    Known = dict[tuple[int, ...], bool]

#: Pointers, arrays and signatures followed one into another before a cycle is assumed.
MAX_DEPTH = 32


def same_kind(one: BtfType, other: BtfType) -> bool:
    """Tell whether kinds agree; enums of 32 and of 64 bits are one kind."""
    return one.kind == other.kind or (isinstance(one, Enum) and isinstance(other, Enum))


def names_match(local: BtfType, target: BtfType) -> bool:
    """Tell whether essential names agree; an anonymous type matches only another one."""
    return local.name == target.name or essential_name(local.name) == essential_name(target.name)


def _whole(t: Int) -> bool:
    """Tell whether it is a plain integer, not a bitfield from before BTF's bitfield sizes."""
    return t.offset == 0


def fields_compatible(local_btf: Btf, local_id: int, target_btf: Btf, target_id: int) -> bool:
    """Tell whether a field of the local type may be read as one of the target type.

    Structs and unions mix; all pointers, all integers, all floats are alike; enums (and forward
    declarations) must not have different names; of arrays the elements count.
    """
    for _ in range(MAX_DEPTH):
        local_id, local = strip(local_btf, local_id)
        target_id, target = strip(target_btf, target_id)
        if isinstance(local, Struct) and isinstance(target, Struct):
            return True
        if not same_kind(local, target):
            return False
        if isinstance(local, (Ptr, Float)):
            return True
        if isinstance(local, (Fwd, Enum)):
            return not local.name or not target.name or names_match(local, target)
        if isinstance(local, Int) and isinstance(target, Int):
            return _whole(local) and _whole(target)
        if not (isinstance(local, Array) and isinstance(target, Array)):
            return False
        local_id, target_id = local.type, target.type
    raise _too_deep(local_btf, local_id)


def types_compatible(
    local_btf: Btf,
    local_id: int,
    target_btf: Btf,
    target_id: int,
    level: int = MAX_DEPTH,
    known: Known | None = None,
) -> bool:
    """Tell whether the local type exists as the target type, whose names agree already.

    Kinds must agree all the way through pointers, arrays and signatures; names and members are
    ignored below the root.
    """
    known = {} if known is None else known
    key = (local_id, target_id)
    found = known.get(key)
    if found is None:
        found = known[key] = _compatible(local_btf, local_id, target_btf, target_id, level, known)
    return found


def _compatible(
    local_btf: Btf, local_id: int, target_btf: Btf, target_id: int, level: int, known: Known
) -> bool:
    if not same_kind(local_btf.type(local_id), target_btf.type(target_id)):
        return False
    for _ in range(MAX_DEPTH):
        local_id, local = strip(local_btf, local_id)
        target_id, target = strip(target_btf, target_id)
        if not same_kind(local, target):
            return False
        if isinstance(local, (Void, Struct, Enum, Fwd)):
            return True
        if isinstance(local, Int) and isinstance(target, Int):
            return _whole(local) and _whole(target)
        if isinstance(local, (Ptr, Array)) and isinstance(target, (Ptr, Array)):
            local_id, target_id = local.type, target.type
        elif isinstance(local, FuncProto) and isinstance(target, FuncProto):
            if len(local.params) != len(target.params):
                return False
            for one, other in zip(local.params, target.params, strict=True):
                if level <= 0:
                    raise _too_deep(local_btf, local_id)
                here, there = local_btf.resolve(one.type), target_btf.resolve(other.type)
                if not types_compatible(local_btf, here, target_btf, there, level - 1, known):
                    return False
            local_id, target_id = local_btf.resolve(local.type), target_btf.resolve(target.type)
        else:
            return False  # FLOAT, FUNC, VAR …: never the target of a relocation
    raise _too_deep(local_btf, local_id)


def types_match(
    local_btf: Btf,
    local_id: int,
    target_btf: Btf,
    target_id: int,
    behind_pointer: bool = False,
    level: int = MAX_DEPTH,
    known: Known | None = None,
) -> bool:
    """Tell whether the target type has all that the local one declares, with the same types.

    Every local member or enumerator must exist in the target by name; the target may have more.
    Behind a pointer only name and kind of a struct count, and a forward declaration stands for it.
    """
    if level <= 0:
        raise _too_deep(local_btf, local_id)
    known = {} if known is None else known
    key = (local_id, target_id, behind_pointer)
    found = known.get(key)
    if found is None:
        found = known[key] = _matches(
            local_btf, local_id, target_btf, target_id, behind_pointer, level, known
        )
    return found


def _matches(
    local_btf: Btf,
    local_id: int,
    target_btf: Btf,
    target_id: int,
    behind_pointer: bool,
    level: int,
    known: Known,
) -> bool:
    for _ in range(MAX_DEPTH):
        local_id, local = strip(local_btf, local_id)
        target_id, target = strip(target_btf, target_id)
        if not names_match(local, target):
            return False
        if isinstance(local, Void):
            return isinstance(target, Void)
        if isinstance(local, Fwd):
            return _forward_matches(local, target, behind_pointer)
        if isinstance(local, Enum):
            return isinstance(target, Enum) and _enum_matches(local, target)
        if isinstance(local, Struct):
            if behind_pointer:
                if isinstance(target, Fwd):
                    return isinstance(local, Union) == target.is_union
                return local.kind == target.kind
            return (
                isinstance(target, Struct)
                and local.kind == target.kind
                and _members_match(local_btf, local, target_btf, target, level, known)
            )
        if local.kind != target.kind:
            return False
        if isinstance(local, Int) and isinstance(target, Int):
            signs = (local.encoding ^ target.encoding) & BTF_INT_SIGNED
            return local.size == target.size and not signs
        if isinstance(local, Ptr) and isinstance(target, Ptr):
            behind_pointer = True
            local_id, target_id = local.type, target.type
        elif isinstance(local, Array) and isinstance(target, Array):
            if local.nelems != target.nelems:
                return False
            local_id, target_id = local.type, target.type
        elif isinstance(local, FuncProto) and isinstance(target, FuncProto):
            if len(local.params) != len(target.params):
                return False
            for one, other in zip(local.params, target.params, strict=True):
                if not types_match(
                    local_btf, one.type, target_btf, other.type, behind_pointer, level - 1, known
                ):
                    return False
            local_id, target_id = local.type, target.type
        else:
            return False
    raise _too_deep(local_btf, local_id)


def _forward_matches(local: Fwd, target: BtfType, behind_pointer: bool) -> bool:
    if isinstance(target, Fwd):
        return local.is_union == target.is_union
    if not behind_pointer or not isinstance(target, Struct):
        return False
    return isinstance(target, Union) == local.is_union


def _enum_matches(local: Enum, target: Enum) -> bool:
    if local.size != target.size or len(local.values) > len(target.values):
        return False
    known = {essential_name(value.name) for value in target.values}
    return all(essential_name(value.name) in known for value in local.values)


def _members_match(
    local_btf: Btf, local: Struct, target_btf: Btf, target: Struct, level: int, known: Known
) -> bool:
    if len(local.members) > len(target.members):
        return False
    by_name: dict[str, list[int]] = {}
    for member in target.members:
        by_name.setdefault(essential_name(member.name), []).append(member.type)
    for member in local.members:
        if not any(
            types_match(local_btf, member.type, target_btf, other, False, level - 1, known)
            for other in by_name.get(essential_name(member.name), ())
        ):
            return False
    return True


def _too_deep(btf: Btf, type_id: int) -> RelocationError:
    return RelocationError(
        f"comparing {c_name(btf, type_id)} for CO-RE goes more than {MAX_DEPTH} levels deep: "
        "is the BTF cyclic?"
    )
