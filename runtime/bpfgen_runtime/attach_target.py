"""What a tracing, LSM or freplace program attaches to: a type of the kernel or of a program."""

from __future__ import annotations

from .errors import NotSupportedError, RelocationError
from .sections import ATTACH_BTF
from .uapi import const as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .kernel_types import KernelTypes
    from .spec import ProgramSpec

__all__ = ["attach_target"]

# Attach types whose target has its type in BTF under a name with a prefix; the others are
# functions.
_BTF_PREFIX = {
    k.BPF_TRACE_RAW_TP: "btf_trace_",
    k.BPF_TRACE_ITER: "bpf_iter_",
    k.BPF_LSM_MAC: "bpf_lsm_",
    k.BPF_LSM_CGROUP: "bpf_lsm_",
}


def attach_target(program: ProgramSpec, kernel: KernelTypes) -> tuple[int, int, int]:
    """Find what a program attaches to, as `BPF_PROG_LOAD` wants to know it.

    Returns:
        The type's id; the module's BTF that has it, and the program whose BTF has it, as
        descriptors, 0 if it is the kernel's. All 0 for programs without a target.

    Raises:
        NotSupportedError: the kernel has no such type, or the section names none.
        RelocationError: the program to attach to has no such function, or no BTF.
        ClosedError: that program is closed.
    """
    if not (program.is_target_set or program.sec_flags & ATTACH_BTF):
        return 0, 0, 0
    target = program.attach_target
    if not target:
        raise NotSupportedError(
            f"program {program.name!r} without a target",
            f'write SEC("{program.section}/TARGET"), or call set_attach_target before load',
        )
    if program.attach_program is not None:
        return _in_program(program, target)
    if program.prog_type == k.BPF_PROG_TYPE_EXT:
        raise NotSupportedError(
            f"freplace program {program.name!r} without a program to replace {target!r} of",
            "call set_attach_target(program=...) before load",
        )
    from .btf import BTF_KIND_FUNC, BTF_KIND_TYPEDEF

    module, colon, function = target.partition(":")
    name = _BTF_PREFIX.get(program.expected_attach_type, "") + (function if colon else target)
    is_tracepoint = program.expected_attach_type == k.BPF_TRACE_RAW_TP
    kind = BTF_KIND_TYPEDEF if is_tracepoint else BTF_KIND_FUNC
    found = kernel.find(name, kind, module if colon else None)
    if found is None:
        what = "typedef" if is_tracepoint else "function"
        where = f"the BTF of {module!r}" if colon else "the running kernel's BTF"
        raise NotSupportedError(
            f"attaching program {program.name!r} to {target!r}", f"{where} has no {what} {name!r}"
        )
    return found.type_id, found.btf_fd, 0


def _in_program(program: ProgramSpec, target: str) -> tuple[int, int, int]:
    from .btf import BTF_KIND_FUNC
    from .sys import bpf

    other = program.attach_program
    assert other is not None
    prog_fd = other if isinstance(other, int) else other.fileno()
    info = bpf.prog_get_info_by_fd(
        prog_fd, what=f"read the program that {program.name!r} attaches to"
    )
    what = f"program {program.name!r}: the program to attach to (id {info.id}) has"
    if not info.btf_id:
        raise RelocationError(f"{what} no BTF: compile it with clang -g")
    from .btf.kernel import loaded_btf

    ids = loaded_btf(info.btf_id).find(target, BTF_KIND_FUNC)
    if not ids:
        raise RelocationError(f"{what} no function {target!r}")
    return ids[0], 0, prog_fd
