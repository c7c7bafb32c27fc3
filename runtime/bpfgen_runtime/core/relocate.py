"""Applying the CO-RE records of an object to the functions that are going to be loaded."""

from __future__ import annotations

from ..errors import BtfError, RelocationError
from .access import ENUM_KINDS, KIND_NAMES, TYPE_KINDS, c_name
from .patch import patch
from .resolve import Resolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..btf import Btf
    from ..spec import ObjectSpec, ProgramSpec
    from .value import Resolution

_INSN_SIZE = 8


class Poison:
    """Why an instruction was poisoned; its text is made when the verifier has refused it.

    Args:
        kind: BPF_CORE_*.
        result: what came out of the relocation.
        where: which BTF was searched, as in "… does not exist …".
    """

    __slots__ = ("_kind", "_result", "_where")

    def __init__(self, kind: int, result: Resolution, where: str) -> None:
        self._kind = kind
        self._result = result
        self._where = where

    def __str__(self) -> str:
        local, target = self._result.local, self._result.target
        assert local is not None, "only what was searched for can be missing"
        root = c_name(local.btf, local.root_id)
        head = f"unresolved CO-RE relocation {KIND_NAMES[self._kind]}: {local}"
        if not self._result.type_found:
            return f"{head}: {root} does not exist {self._where}"
        noun = "enumerator" if self._kind in ENUM_KINDS else "field"
        thing = f"{noun} {local.field} of {root}" if local.field else root
        if target is None or self._kind in TYPE_KINDS:
            return f"{head}: {thing} does not exist {self._where}"
        return (
            f"{head}: {thing} has {self._result.size} bytes {self._where}, the object reads"
            f" {self._result.original_size}: use BPF_CORE_READ_INTO, or declare it unsigned"
        )


def relocate(
    spec: ObjectSpec,
    functions: Iterable[ProgramSpec],
    target: Callable[[], Btf],
    modules: Callable[[], Iterable[Btf]] | None,
    target_path: str | None = None,
) -> dict[ProgramSpec, tuple[bytes, dict[int, Poison]]]:
    """Apply the records to copies of the functions' instructions, in the order of the records.

    That order is libbpf's, and it matters: what does not fit one field of a type is no candidate
    for its other fields.

    Args:
        functions: what will be loaded; records of others, also those that a linker left without
            instructions (of overridden weak functions), are passed over.
        target: gives the kernel's BTF; called only if there is a record.
        modules: gives those of its modules; None if target is not the running kernel's.
        target_path: the file that target is from, None for the running kernel.

    Returns:
        For each function with records its instructions, and by their index those that are poisoned.

    Raises:
        RelocationError, BtfError: a record is malformed or ambiguous, or one of the BTFs is
            damaged; names function, section, instruction, and target_path.
    """
    btf, ext = spec.btf, spec.btf_ext
    if btf is None or ext is None or not len(ext.core_relos):
        return {}
    owners = _owners(spec, functions)
    resolver: Resolver | None = None
    where = "on this kernel" if target_path is None else f"in {target_path}"
    code: dict[ProgramSpec, bytearray] = {}
    poisoned: dict[ProgramSpec, dict[int, Poison]] = {}
    for section in ext.core_relos:
        if section not in owners:
            continue
        for record in ext.core_relos.records(section):
            index, rest = divmod(record.insn_off, _INSN_SIZE)
            if rest:
                raise RelocationError(
                    f"CO-RE relocation at offset {record.insn_off:#x} of section {section!r}, which"
                    " is not that of an instruction"
                )
            found = owners[section].get(index)
            if found is None:
                continue
            if found not in code:
                code[found] = bytearray(found.code)
                poisoned[found] = {}
            insn = index - found.insn_offset
            what = f"function {found.name!r} of section {section!r}, instruction {insn}"
            try:
                if resolver is None:
                    resolver = Resolver(btf, target(), modules)
                path = btf.string(record.access_str_off)
                result = resolver.resolve(record.type_id, path, record.kind)
            except (BtfError, RelocationError) as error:
                text = f"{what}: {error.message}"
                if target_path is not None and repr(target_path) not in text:
                    text += f" (relocated by the BTF file {target_path!r})"
                raise type(error)(text) from error
            if patch(code[found], insn, result, spec.byte_order, what):
                poisoned[found][insn] = Poison(record.kind, result, where)
    return {function: (bytes(text), poisoned[function]) for function, text in code.items()}


def _owners(
    spec: ObjectSpec, functions: Iterable[ProgramSpec]
) -> dict[str, dict[int, ProgramSpec]]:
    """Return which function an instruction belongs to, by section and index there."""
    owners: dict[str, dict[int, ProgramSpec]] = {}
    for function in functions:
        if not function.is_replaced:
            section = spec.image.sections[function.section_index].name
            first, count = function.insn_offset, len(function.code) // _INSN_SIZE
            owners.setdefault(section, {}).update(
                dict.fromkeys(range(first, first + count), function)
            )
    return owners
