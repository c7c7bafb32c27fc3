"""Finding an access path of the object again in a type of the kernel."""

from __future__ import annotations

from ..btf.types import Array, Enum, Member, Struct
from ..errors import RelocationError
from ..uapi.const import BPF_CORE_TYPE_MATCHES
from .access import ENUM_KINDS, MAX_PATH, TYPE_KINDS, Access, Step, c_name, is_flexible, strip
from .compat import fields_compatible, types_compatible, types_match
from .names import essential_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf


def match_access(local: Access, btf: Btf, target_id: int) -> Access | None:
    """Return the path in the target type, None if the type has no such field, type or enumerator.

    Raises:
        RelocationError: the path grows beyond what libbpf follows.
        BtfError: the target's BTF is damaged.
    """
    target = Access(btf, target_id, local.kind)
    if local.kind in TYPE_KINDS:
        compare = types_match if local.kind == BPF_CORE_TYPE_MATCHES else types_compatible
        return target if compare(local.btf, local.root_id, btf, target_id) else None
    if local.kind in ENUM_KINDS:
        return _match_enumerator(local.steps[0], target)
    for position, step in enumerate(local.steps):
        target_id, t = strip(btf, target_id)
        if step.name is not None:
            owner = local.btf.type(step.type_id)
            assert isinstance(owner, Struct)
            found = _match_member(local.btf, owner.members[step.index], target, target_id, set())
            if found is None:
                return None
            target_id = found
            continue
        if position:
            if not isinstance(t, Array):
                return None
            if step.index >= t.nelems and not is_flexible(btf, target.steps[-1], t):
                return None
            target_id, _ = strip(btf, t.type)
        _push(target, step.index)
        target.steps.append(Step(target_id, step.index, None))
        target.bit_offset += step.index * btf.size_of(target_id) * 8
    return target


def _match_enumerator(step: Step, target: Access) -> Access | None:
    type_id, t = strip(target.btf, target.root_id)
    if not isinstance(t, Enum):
        return None
    name = essential_name(step.name or "")
    for index, value in enumerate(t.values):
        if essential_name(value.name) == name:
            target.steps.append(Step(type_id, index, value.name))
            target.raw.append(index)
            return target
    return None


def _match_member(
    local_btf: Btf, wanted: Member, target: Access, target_id: int, tried: set[int]
) -> int | None:
    """Follow target by the member of wanted's name, also in anonymous ones; return its type id.

    Args:
        tried: anonymous types without such a member; each is searched once.
    """
    target_id, t = strip(target.btf, target_id)
    if not isinstance(t, Struct) or target_id in tried:
        return None
    for index, member in enumerate(t.members):
        if member.name and member.name != wanted.name:
            continue
        _push(target, index)
        target.bit_offset += member.bit_offset
        if not member.name:
            found = _match_member(local_btf, wanted, target, member.type, tried)
            if found is not None:
                return found
        elif fields_compatible(local_btf, wanted.type, target.btf, member.type):
            target.steps.append(Step(target_id, index, member.name))
            return member.type
        target.bit_offset -= member.bit_offset
        target.raw.pop()
        if member.name:
            break
    tried.add(target_id)
    return None


def _push(target: Access, number: int) -> None:
    if len(target.raw) == MAX_PATH:
        raise RelocationError(
            f"CO-RE: {c_name(target.btf, target.root_id)} nests more than {MAX_PATH} levels"
        )
    target.raw.append(number)
