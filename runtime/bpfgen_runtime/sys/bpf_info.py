"""Objects by id, and what they say of themselves. Names of `sys.bpf`, whose rules hold."""

from __future__ import annotations

import errno as _errno
from ctypes import Structure, addressof, get_errno, sizeof

from ..uapi import const
from ..uapi.attr_more import (
    BtfInfo,
    GetIdAttr,
    InfoByFdAttr,
    LinkInfo,
    MapInfo,
    ProgInfo,
    TaskFdQueryAttr,
)
from .call import NR_BPF, bpf_call, failure, syscall, writable
from .fd import Fd

__all__ = [
    "btf_get_fd_by_id",
    "btf_get_info_by_fd",
    "btf_get_next_id",
    "link_get_fd_by_id",
    "link_get_info_by_fd",
    "link_get_next_id",
    "map_get_fd_by_id",
    "map_get_info_by_fd",
    "map_get_next_id",
    "obj_get_info_by_fd",
    "prog_get_fd_by_id",
    "prog_get_info_by_fd",
    "prog_get_next_id",
    "task_fd_query",
]


def prog_get_next_id(start_id: int = 0) -> int | None:
    """Return the lowest program id above `start_id`, None at the end."""
    return _next_id(const.BPF_PROG_GET_NEXT_ID, start_id, "program")


def map_get_next_id(start_id: int = 0) -> int | None:
    """Return the lowest map id above `start_id`, None at the end."""
    return _next_id(const.BPF_MAP_GET_NEXT_ID, start_id, "map")


def btf_get_next_id(start_id: int = 0) -> int | None:
    """Return the lowest BTF id above `start_id`, None at the end."""
    return _next_id(const.BPF_BTF_GET_NEXT_ID, start_id, "BTF")


def link_get_next_id(start_id: int = 0) -> int | None:
    """Return the lowest link id above `start_id`, None at the end."""
    return _next_id(const.BPF_LINK_GET_NEXT_ID, start_id, "link")


def _next_id(command: int, start_id: int, kind: str) -> int | None:
    attr = GetIdAttr(start_id=start_id)
    if syscall(NR_BPF, command, addressof(attr), sizeof(attr)) >= 0:
        return attr.next_id
    errno = get_errno()
    if errno == _errno.ENOENT:
        return None
    raise failure(errno, command, f"find the next {kind} after id {start_id}")


def prog_get_fd_by_id(prog_id: int, *, open_flags: int = 0, fd_by_id_token_fd: int = 0) -> Fd:
    """Open the program with an id."""
    command = const.BPF_PROG_GET_FD_BY_ID
    return _by_id(command, prog_id, open_flags, fd_by_id_token_fd, "program")


def map_get_fd_by_id(map_id: int, *, open_flags: int = 0, fd_by_id_token_fd: int = 0) -> Fd:
    """Open the map with an id; `open_flags`: BPF_F_RDONLY, BPF_F_WRONLY."""
    return _by_id(const.BPF_MAP_GET_FD_BY_ID, map_id, open_flags, fd_by_id_token_fd, "map")


def btf_get_fd_by_id(btf_id: int, *, open_flags: int = 0, fd_by_id_token_fd: int = 0) -> Fd:
    """Open the BTF with an id."""
    return _by_id(const.BPF_BTF_GET_FD_BY_ID, btf_id, open_flags, fd_by_id_token_fd, "BTF")


def link_get_fd_by_id(link_id: int, *, open_flags: int = 0, fd_by_id_token_fd: int = 0) -> Fd:
    """Open the link with an id."""
    return _by_id(const.BPF_LINK_GET_FD_BY_ID, link_id, open_flags, fd_by_id_token_fd, "link")


def _by_id(command: int, number: int, open_flags: int, token: int, kind: str) -> Fd:
    attr = GetIdAttr(start_id=number, open_flags=open_flags, fd_by_id_token_fd=token)
    label = f"{kind} id {number}"
    return Fd(bpf_call(command, attr, f"open {label}"), label)


def obj_get_info_by_fd(*, bpf_fd: int, info: Structure, what: str = "") -> int:
    """Have the kernel fill in an info struct; return how many bytes of it this kernel knows.

    Args:
        info: a ProgInfo, MapInfo, BtfInfo or LinkInfo; pointers and lengths in it that are set on
            entry ask for the arrays and strings.

    Kernel: BPF_OBJ_GET_INFO_BY_FD, since v4.13.
    """
    attr = InfoByFdAttr(bpf_fd=bpf_fd, info_len=sizeof(info), info=addressof(info))
    bpf_call(const.BPF_OBJ_GET_INFO_BY_FD, attr, what or "read the object's information")
    return attr.info_len


def prog_get_info_by_fd(prog_fd: int, *, what: str = "") -> ProgInfo:
    """Return what a program says of itself, without the arrays."""
    info = ProgInfo()
    obj_get_info_by_fd(bpf_fd=prog_fd, info=info, what=what or "read the program's information")
    return info


def map_get_info_by_fd(map_fd: int, *, what: str = "") -> MapInfo:
    """Return what a map says of itself."""
    info = MapInfo()
    obj_get_info_by_fd(bpf_fd=map_fd, info=info, what=what or "read the map's information")
    return info


def btf_get_info_by_fd(btf_fd: int, *, what: str = "") -> BtfInfo:
    """Return what a loaded BTF says of itself, without its data and its name."""
    info = BtfInfo()
    obj_get_info_by_fd(bpf_fd=btf_fd, info=info, what=what or "read the BTF's information")
    return info


def link_get_info_by_fd(link_fd: int, *, what: str = "") -> LinkInfo:
    """Return what a link says of itself, without strings and arrays."""
    info = LinkInfo()
    obj_get_info_by_fd(bpf_fd=link_fd, info=info, what=what or "read the link's information")
    return info


def task_fd_query(
    *, pid: int, fd: int, flags: int = 0, buf_len: int = 4096, what: str = ""
) -> tuple[TaskFdQueryAttr, str]:
    """Ask which program and event a process's perf event or raw tracepoint descriptor stands for.

    Returns:
        `prog_id`, `fd_type` (BPF_FD_TYPE_*), `probe_offset` and `probe_addr` in the struct; the
        tracepoint's, function's or file's name.

    Kernel: BPF_TASK_FD_QUERY, since v4.18.
    """
    buffer = bytearray(buf_len)
    block = writable(buffer)
    attr = TaskFdQueryAttr(pid=pid, fd=fd, flags=flags, buf_len=buf_len, buf=addressof(block))
    what = what or f"query descriptor {fd} of process {pid}"
    bpf_call(const.BPF_TASK_FD_QUERY, attr, what)
    return attr, bytes(buffer).partition(b"\0")[0].decode(errors="surrogateescape")
