"""Why a bpf(2) command may have failed: imported, and the machine looked at, only once one has."""

from __future__ import annotations

import errno as _errno

from ..errors import KeyExistsError, SyscallError

__all__ = ["command_name", "explain", "lockdown", "permission_hint"]

#: The kernel that brought a command: older ones answer EINVAL.
SINCE = {
    "BPF_OBJ_PIN": "4.4",
    "BPF_OBJ_GET": "4.4",
    "BPF_PROG_ATTACH": "4.10",
    "BPF_PROG_DETACH": "4.10",
    "BPF_PROG_TEST_RUN": "4.12",
    "BPF_PROG_GET_NEXT_ID": "4.13",
    "BPF_MAP_GET_NEXT_ID": "4.13",
    "BPF_PROG_GET_FD_BY_ID": "4.13",
    "BPF_MAP_GET_FD_BY_ID": "4.13",
    "BPF_OBJ_GET_INFO_BY_FD": "4.13",
    "BPF_PROG_QUERY": "4.15",
    "BPF_RAW_TRACEPOINT_OPEN": "4.17",
    "BPF_BTF_LOAD": "4.18",
    "BPF_BTF_GET_FD_BY_ID": "4.18",
    "BPF_TASK_FD_QUERY": "4.18",
    "BPF_MAP_LOOKUP_AND_DELETE_ELEM": "4.20",
    "BPF_MAP_FREEZE": "5.2",
    "BPF_BTF_GET_NEXT_ID": "5.4",
    "BPF_MAP_LOOKUP_BATCH": "5.6",
    "BPF_MAP_LOOKUP_AND_DELETE_BATCH": "5.6",
    "BPF_MAP_UPDATE_BATCH": "5.6",
    "BPF_MAP_DELETE_BATCH": "5.6",
    "BPF_LINK_CREATE": "5.7",
    "BPF_LINK_UPDATE": "5.7",
    "BPF_LINK_GET_FD_BY_ID": "5.8",
    "BPF_LINK_GET_NEXT_ID": "5.8",
    "BPF_ENABLE_STATS": "5.8",
    "BPF_ITER_CREATE": "5.8",
    "BPF_LINK_DETACH": "5.9",
    "BPF_PROG_BIND_MAP": "5.10",
    "BPF_TOKEN_CREATE": "6.9",
    "BPF_PROG_STREAM_READ_BY_FD": "6.17",
}

#: What an errno means from one command in particular.
SPECIAL = {
    ("BPF_MAP_UPDATE_ELEM", _errno.E2BIG): "The map is full, or the index is not below max_entries",
    ("BPF_MAP_UPDATE_BATCH", _errno.E2BIG): "The map is full, or an index is not below max_entries",
    ("BPF_MAP_UPDATE_ELEM", _errno.EPERM): "The map is frozen, or was opened read-only",
    ("BPF_MAP_DELETE_ELEM", _errno.EPERM): "The map is frozen, or was opened read-only",
    ("BPF_MAP_DELETE_ELEM", _errno.EINVAL): "Elements of an array cannot be deleted",
    ("BPF_MAP_CREATE", _errno.E2BIG): (
        "The map is larger than the kernel can allocate, or a field is in use that is newer than "
        "this kernel"
    ),
    ("BPF_MAP_CREATE", _errno.EINVAL): (
        "This kernel does not know the map type or a flag, or the sizes do not suit the type"
    ),
    ("BPF_PROG_LOAD", _errno.E2BIG): (
        "The program has more instructions than the verifier accepts, or a field is in use that "
        "is newer than this kernel"
    ),
    ("BPF_PROG_LOAD", _errno.ENOSPC): "The verifier's log is larger than the buffer for it",
    ("BPF_BTF_LOAD", _errno.ENOSPC): "The verifier's log is larger than the buffer for it",
    ("BPF_OBJ_PIN", _errno.EPERM): (
        "The path must lie in a BPF file system: mount -t bpf bpf /sys/fs/bpf"
    ),
    ("BPF_OBJ_PIN", _errno.EEXIST): "Something has that name already: remove it, or choose another",
    ("BPF_OBJ_PIN", _errno.EINVAL): "A dot is not allowed in a pin's name",
    ("BPF_OBJ_PIN", _errno.ENOENT): "Create the directory first",
    ("BPF_OBJ_GET", _errno.ENOENT): "Nothing is pinned there",
    ("BPF_OBJ_GET", _errno.EACCES): "That is no BPF object, or its file mode forbids it",
    ("BPF_LINK_CREATE", _errno.EBUSY): "Something else is attached there",
    ("BPF_PROG_TEST_RUN", _errno.ENOSPC): "data_out or ctx_out is too small for the result",
    ("BPF_PROG_TEST_RUN", _errno.EINTR): "A signal came while the program was being repeated",
    (
        "BPF_MAP_LOOKUP_BATCH",
        _errno.ENOSPC,
    ): "The buffers cannot hold one hash bucket: take larger ones",
    ("BPF_MAP_LOOKUP_AND_DELETE_BATCH", _errno.ENOSPC): (
        "The buffers cannot hold one hash bucket: take larger ones"
    ),
}


def explain(errno: int, command: int, what: str, note: str = "") -> SyscallError:
    """Return the error for a failed bpf(2) command, with a hint where the errno allows one."""
    name = command_name(command)
    hint = SPECIAL.get((name, errno), "")
    if errno == _errno.EPERM:
        hint = permission_hint(otherwise=hint)
    elif not hint:
        hint = _by_errno(name, errno)
    hint = ". ".join(part for part in (note, hint) if part)
    error = KeyExistsError if errno == _errno.EEXIST and name in _UPDATES else SyscallError
    return error(errno, name, what, hint)


_UPDATES = ("BPF_MAP_UPDATE_ELEM", "BPF_MAP_UPDATE_BATCH")


def command_name(command: int) -> str:
    """Return a command's name in enum bpf_cmd, e.g. `"BPF_MAP_CREATE"`."""
    from ..uapi.enums import Cmd

    try:
        return f"BPF_{Cmd(command).name}"
    except ValueError:
        return f"bpf command {command}"


def _by_errno(name: str, errno: int) -> str:
    if errno == _errno.ENOSYS:
        return (
            "This kernel is built without CONFIG_BPF_SYSCALL, or a seccomp filter (a container's) "
            "forbids bpf(2)"
        )
    if errno == _errno.E2BIG:
        return "A field is in use that is newer than this kernel"
    if errno == _errno.ENOMEM:
        return "The kernel has not that much memory, or the memory cgroup's limit is reached"
    if errno == 524:  # ENOTSUPP, which is no errno of user space but comes out of bpf(2)
        return "The kernel cannot do this with this type of object (ENOTSUPP)"
    if errno == _errno.EINVAL and name in SINCE:
        return f"An argument does not fit, or the kernel lacks the command (Linux {SINCE[name]})"
    return ""


def permission_hint(
    needed: tuple[str, ...] = ("CAP_BPF", "CAP_PERFMON"), *, otherwise: str = ""
) -> str:
    """Say what most likely made the kernel answer EPERM, and the remedy.

    Args:
        needed: the capabilities that the call asks for, where CAP_SYS_ADMIN is not there.
        otherwise: what to say if none is missing.
    """
    from ..host.capabilities import missing_for_bpf

    missing = missing_for_bpf(needed)
    if missing is not None:
        return missing
    if otherwise:
        return otherwise
    mode = lockdown()
    if mode != "none":
        return (
            f"The kernel is locked down ({mode}; see /sys/kernel/security/lockdown): it forbids "
            "what could read or change kernel memory"
        )
    return (
        "The capabilities are there: before Linux 5.11 the limit on locked memory (ulimit -l) can "
        "be the reason, else a security module"
    )


def lockdown() -> str:
    """Return the kernel's lockdown mode: `"none"`, `"integrity"` or `"confidentiality"`.

    Kernel: /sys/kernel/security/lockdown, since v5.4; without it, and without securityfs, "none".
    """
    try:
        with open("/sys/kernel/security/lockdown", encoding="ascii") as file:
            text = file.read()
    except OSError:
        return "none"
    # like "none [integrity] confidentiality"
    return text.partition("[")[2].partition("]")[0] or "none"
