"""What a load does differently on a kernel that refused the newest way.

The loader asks here only after a refusal: which of the things in use does this kernel lack, and
what is to be passed instead? Where the answer is "nothing", the refusal stands.
"""

from __future__ import annotations

from sys import byteorder

from . import features
from .errors import NotSupportedError
from .insn import BPF_CALL, BPF_JMP, INSN_SIZE, get_imm, get_src, set_imm
from .uapi import const as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .btf import Btf
    from .insn import ByteOrder

__all__ = ["btf_for_kernel", "code_for_kernel", "data_flags_for_kernel", "raise_memlock"]

_NATIVE: ByteOrder = "<" if byteorder == "little" else ">"

# enum bpf_func_id. The newer ones tell user memory from kernel memory, which on the architectures
# that BPF ran on before v5.5 have addresses of their own: the old ones read either.
_PROBE_READ = 4
_PROBE_READ_STR = 45
_OLDER_HELPERS = {
    112: _PROBE_READ,  # probe_read_user
    113: _PROBE_READ,  # probe_read_kernel
    114: _PROBE_READ_STR,  # probe_read_user_str
    115: _PROBE_READ_STR,  # probe_read_kernel_str
}


def btf_for_kernel(btf: Btf) -> Btf | None:
    """Return an object's BTF without the kinds that this kernel lacks; None if it lacks none."""
    from .btf.sanitize import features_used, sanitize

    lacks = {name for name in features_used(btf) if not features.FEATURES[name].supported()}
    if "BTF" in lacks or not lacks:
        return None
    return sanitize(btf, lacks)


def code_for_kernel(code: bytes | bytearray) -> bytes | None:
    """Return instructions that call bpf_probe_read() for its newer kinds where those are missing.

    Returns:
        None if there is nothing to change.

    Kernel: bpf_probe_read_{kernel,user}{,_str} since v5.5.
    """
    calls = [
        (index, _OLDER_HELPERS[helper])
        for index in range(len(code) // INSN_SIZE)
        if code[index * INSN_SIZE] == BPF_JMP | BPF_CALL
        and get_src(code, index, _NATIVE) == 0
        and (helper := get_imm(code, index, _NATIVE)) in _OLDER_HELPERS
    ]
    if not calls or features.PROBE_READ_KERN.supported():
        return None
    changed = bytearray(code)
    for index, helper in calls:
        set_imm(changed, index, helper, _NATIVE)
    return bytes(changed)


def data_flags_for_kernel(name: str, flags: int) -> int:
    """Return a data section's map flags without those that this kernel lacks.

    Raises:
        NotSupportedError: the kernel has no global data at all.

    Kernel: global data since v5.2, BPF_F_MMAPABLE since v5.5. Where data cannot be mapped, the
    object loads, and its variables cannot be reached but by the map's one element.
    """
    if not features.GLOBAL_DATA.supported():
        raise NotSupportedError(
            f"global data (section {name!r})", "this kernel has it not: Linux 5.2 or newer does"
        )
    if flags & k.BPF_F_MMAPABLE and not features.ARRAY_MMAP.supported():
        return flags & ~k.BPF_F_MMAPABLE
    return flags


def raise_memlock() -> bool:
    """Lift this process's limit on locked memory, if the kernel counts BPF objects against it.

    Kernels before v5.11 do, and answer EPERM when the limit (64 KiB by default) is reached. Later
    ones count by memory cgroup: there the limit is left alone.

    Returns:
        Whether the limit is another than before, so that trying again makes sense.
    """
    from resource import RLIM_INFINITY, RLIMIT_MEMLOCK, getrlimit, setrlimit

    before = getrlimit(RLIMIT_MEMLOCK)
    if before == (RLIM_INFINITY, RLIM_INFINITY) or features.MEMCG_ACCOUNT.probe():
        return False
    for wanted in (RLIM_INFINITY, before[1]):  # the second is what we may do without privilege
        try:
            setrlimit(RLIMIT_MEMLOCK, (wanted, wanted))
            break
        except (OSError, ValueError):
            continue
    if getrlimit(RLIMIT_MEMLOCK) == before:
        return False
    if features.MEMCG_ACCOUNT.probe() is False:
        return True
    # EPERM had another reason: this kernel, or nobody, lets us load even the smallest program.
    setrlimit(RLIMIT_MEMLOCK, before)
    return False
