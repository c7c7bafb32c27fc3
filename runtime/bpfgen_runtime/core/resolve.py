"""From a relocation record to its outcome: candidates, matching, and the demand that they agree."""

from __future__ import annotations

from ..errors import RelocationError
from ..uapi.const import BPF_CORE_TYPE_ID_LOCAL
from .access import FIELD_KINDS, KIND_NAMES, Access, c_name, parse_access
from .candidates import find_candidates
from .match import match_access
from .value import Resolution, compute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..btf import Btf


class Resolver:
    """Resolve the relocations of one object against one kernel.

    Args:
        local: the object's BTF.
        target: the kernel's BTF, or the one that stands for it (`btf_custom_path`).
        modules: gives the BTFs of kernel modules; called at most once, and only when a type is not
            in target. Split BTF: a module's own types begin at `start_id`.
    """

    def __init__(
        self, local: Btf, target: Btf, modules: Callable[[], Iterable[Btf]] | None = None
    ) -> None:
        self._local = local
        self._target = target
        self._modules = modules
        self._module_btfs: list[Btf] | None = None
        self._candidates: dict[int, list[tuple[Btf, int]]] = {}
        self._done: dict[tuple[int, str, int], Resolution] = {}

    def resolve(self, type_id: int, path: str, kind: int) -> Resolution:
        """Return the outcome of the relocation `kind` for `path` in the local type.

        Raises:
            RelocationError: the record is malformed, or several kernel types answer differently.
            BtfError: one of the BTFs is damaged.
        """
        key = (type_id, path, kind)
        result = self._done.get(key)
        if result is None:
            result = self._done[key] = self._resolve(type_id, path, kind)
        return result

    def _resolve(self, type_id: int, path: str, kind: int) -> Resolution:
        access = parse_access(self._local, type_id, path, kind)
        if kind == BPF_CORE_TYPE_ID_LOCAL:
            result = Resolution(type_id, type_id)
            result.validate = False  # linking renumbers types
            return result
        if not self._local.type(type_id).name:
            raise RelocationError(
                f"CO-RE relocation {KIND_NAMES[kind]} of the anonymous type"
                f" {c_name(self._local, type_id)}: the kernel can be searched only for a name"
            )
        candidates = self._find(type_id)
        matching = []
        first: Resolution | None = None
        for btf, candidate in candidates:
            target = match_access(access, btf, candidate)
            if target is None:
                continue
            result = compute(access, target)
            result.local = access
            if first is None:
                first = result
            else:
                _agree(access, first, result)
            matching.append((btf, candidate))
        if first is None:
            result = compute(access, None)
            result.local = access
            result.type_found = bool(candidates)
            return result
        # What did not fit one field is no candidate for the next one of the same type either.
        candidates[:] = matching
        return first

    def targets(self, type_id: int, path: str, kind: int) -> list[Access]:
        """Return what a relocation matches in each type that it can be about.

        Raises:
            RelocationError, BtfError: as for `resolve`.
        """
        access = parse_access(self._local, type_id, path, kind)
        found = [match_access(access, btf, each) for btf, each in self._find(type_id)]
        return [target for target in found if target is not None]

    def _find(self, type_id: int) -> list[tuple[Btf, int]]:
        found = self._candidates.get(type_id)
        if found is None:
            local = self._local.type(type_id)
            found = [(self._target, each) for each in find_candidates(local, self._target)]
            if not found and self._modules is not None:
                if self._module_btfs is None:
                    self._module_btfs = list(self._modules())
                for module in self._module_btfs:
                    found += [(module, each) for each in find_candidates(local, module)]
            self._candidates[type_id] = found
        return found


def _agree(access: Access, first: Resolution, other: Resolution) -> None:
    one, two = first.target, other.target
    assert one is not None
    assert two is not None
    if access.kind in FIELD_KINDS and one.bit_offset != two.bit_offset:
        raise RelocationError(f"CO-RE: {access} is ambiguous in the kernel: {one} or {two}")
    if (first.poison, first.value) != (other.poison, other.value):
        raise RelocationError(
            f"CO-RE relocation {KIND_NAMES[access.kind]} of {access} is ambiguous in the kernel: "
            f"{first.value} ({one}) or {other.value} ({two})"
        )
