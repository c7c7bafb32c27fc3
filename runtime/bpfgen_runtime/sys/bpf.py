"""bpf(2), one function per command, keyword arguments under the names of `union bpf_attr`.

Descriptors go in as numbers and come out as `Fd`, close-on-exec. Buffers go in as bytes-like
objects: the lengths that the kernel wants along with them are theirs. `what` says in error messages
what was being done to which object, e.g. `"create map 'counts'"`.

The commands that open, load and attach issue are here, the others in `bpf_info` and `bpf_more`,
which are imported when one of them is first asked for; all of them are names of this module.
"""

from __future__ import annotations

import errno as _errno
import os
from ctypes import addressof, c_int, c_uint32, get_errno, sizeof

from ..uapi.attr import (
    BtfLoadAttr,
    MapCreateAttr,
    MapElemAttr,
    ProgLoadAttr,
)
from ..uapi.start import (
    BPF_BTF_LOAD,
    BPF_LINK_CREATE,
    BPF_MAP_CREATE,
    BPF_MAP_DELETE_ELEM,
    BPF_MAP_FREEZE,
    BPF_MAP_GET_NEXT_KEY,
    BPF_MAP_LOOKUP_AND_DELETE_ELEM,
    BPF_MAP_LOOKUP_ELEM,
    BPF_MAP_UPDATE_ELEM,
    BPF_OBJ_GET,
    BPF_OBJ_PIN,
    BPF_PROG_LOAD,
    BPF_RAW_TRACEPOINT_OPEN,
)
from .call import NR_BPF as NR_BPF
from .call import address, bpf_call, failure, pointer, writable
from .call import syscall as syscall
from .fd import Fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from ..uapi.attr import (
        LinkCreateAttrCgroup,
        LinkCreateAttrKprobeMulti,
        LinkCreateAttrNetfilter,
        LinkCreateAttrNetkit,
        LinkCreateAttrPerfEvent,
        LinkCreateAttrTcx,
        LinkCreateAttrTracing,
        LinkCreateAttrUprobeMulti,
    )
    from .bpf_info import btf_get_fd_by_id as btf_get_fd_by_id
    from .bpf_info import btf_get_info_by_fd as btf_get_info_by_fd
    from .bpf_info import btf_get_next_id as btf_get_next_id
    from .bpf_info import link_get_fd_by_id as link_get_fd_by_id
    from .bpf_info import link_get_info_by_fd as link_get_info_by_fd
    from .bpf_info import link_get_next_id as link_get_next_id
    from .bpf_info import map_get_fd_by_id as map_get_fd_by_id
    from .bpf_info import map_get_info_by_fd as map_get_info_by_fd
    from .bpf_info import map_get_next_id as map_get_next_id
    from .bpf_info import obj_get_info_by_fd as obj_get_info_by_fd
    from .bpf_info import prog_get_fd_by_id as prog_get_fd_by_id
    from .bpf_info import prog_get_info_by_fd as prog_get_info_by_fd
    from .bpf_info import prog_get_next_id as prog_get_next_id
    from .bpf_info import task_fd_query as task_fd_query
    from .bpf_more import ProgQuery as ProgQuery
    from .bpf_more import enable_stats as enable_stats
    from .bpf_more import iter_create as iter_create
    from .bpf_more import link_detach as link_detach
    from .bpf_more import link_update as link_update
    from .bpf_more import map_delete_batch as map_delete_batch
    from .bpf_more import map_lookup_and_delete_batch as map_lookup_and_delete_batch
    from .bpf_more import map_lookup_batch as map_lookup_batch
    from .bpf_more import map_update_batch as map_update_batch
    from .bpf_more import prog_attach as prog_attach
    from .bpf_more import prog_bind_map as prog_bind_map
    from .bpf_more import prog_detach as prog_detach
    from .bpf_more import prog_query as prog_query
    from .bpf_more import prog_stream_read_by_fd as prog_stream_read_by_fd
    from .bpf_more import prog_test_run as prog_test_run
    from .bpf_more import token_create as token_create
else:

    def __getattr__(name):
        if name == "__path__":  # asked for by every `from .bpf import`
            raise AttributeError(name)
        from . import bpf_info, bpf_more

        for module in (bpf_info, bpf_more):
            if name in module.__all__:
                return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


#: How often PROG_LOAD is tried while the kernel answers EAGAIN: the verifier gives up so when a
#: signal is pending. As many times as libbpf does.
PROG_LOAD_ATTEMPTS = 5


def map_create(
    *,
    map_type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    map_flags: int = 0,
    inner_map_fd: int = 0,
    numa_node: int = 0,
    map_name: str | bytes = b"",
    map_ifindex: int = 0,
    btf_fd: int = 0,
    btf_key_type_id: int = 0,
    btf_value_type_id: int = 0,
    btf_vmlinux_value_type_id: int = 0,
    map_extra: int = 0,
    value_type_btf_obj_fd: int = 0,
    map_token_fd: int = 0,
    excl_prog_hash: bytes = b"",
    what: str = "",
) -> Fd:
    """Create a map; its name is cut to 15 bytes.

    Kernel: BPF_MAP_CREATE, since v3.18.
    """
    name = _object_name(map_name)
    attr = MapCreateAttr(
        map_type=map_type,
        key_size=key_size,
        value_size=value_size,
        max_entries=max_entries,
        map_flags=map_flags,
        inner_map_fd=inner_map_fd,
        numa_node=numa_node,
        map_name=name,
        map_ifindex=map_ifindex,
        btf_fd=btf_fd,
        btf_key_type_id=btf_key_type_id,
        btf_value_type_id=btf_value_type_id,
        btf_vmlinux_value_type_id=btf_vmlinux_value_type_id,
        map_extra=map_extra,
        value_type_btf_obj_fd=value_type_btf_obj_fd,
        map_token_fd=map_token_fd,
    )
    if excl_prog_hash:
        attr.excl_prog_hash = pointer(excl_prog_hash)
        attr.excl_prog_hash_size = len(excl_prog_hash)
    label = f"map '{name.decode(errors='replace')}'"
    return Fd(bpf_call(BPF_MAP_CREATE, attr, what or f"create {label}"), label)


def prog_load(
    *,
    prog_type: int,
    insns: bytes,
    license: str | bytes,
    log_level: int = 0,
    log_buf: Buffer | None = None,
    kern_version: int = 0,
    prog_flags: int = 0,
    prog_name: str | bytes = b"",
    prog_ifindex: int = 0,
    expected_attach_type: int = 0,
    prog_btf_fd: int = 0,
    func_info_rec_size: int = 0,
    func_info: bytes = b"",
    line_info_rec_size: int = 0,
    line_info: bytes = b"",
    attach_btf_id: int = 0,
    attach_prog_fd: int = 0,
    attach_btf_obj_fd: int = 0,
    fd_array: Sequence[int] = (),
    fd_array_cnt: int = 0,
    core_relo_rec_size: int = 0,
    core_relos: bytes = b"",
    prog_token_fd: int = 0,
    signature: bytes = b"",
    keyring_id: int = 0,
    what: str = "",
) -> Fd:
    """Have the kernel verify a program and make it; its name is cut to 15 bytes.

    While the kernel says EAGAIN, which it does when a signal interrupts the verifier, this tries
    again, up to `PROG_LOAD_ATTEMPTS` times in all. A verifier's refusal is a plain SyscallError
    here: what is in `log_buf` is the caller's to read, and to make the buffer larger on ENOSPC.

    Args:
        insns: the instructions, 8 bytes each, in the machine's byte order.
        log_buf: a writable buffer for the verifier's log; pass a `log_level` along with it.
        func_info: records of `func_info_rec_size` bytes; `line_info` and `core_relos` likewise.
        fd_array: descriptors that instructions refer to by index.
        fd_array_cnt: nonzero also binds that many maps of `fd_array` to the program (since v6.14).

    Kernel: BPF_PROG_LOAD, since v3.18.
    """
    name = _object_name(prog_name)
    licence = license.encode() if isinstance(license, str) else license
    attr = ProgLoadAttr(
        prog_type=prog_type,
        insn_cnt=len(insns) // 8,
        insns=pointer(insns),
        license=pointer(licence),
        log_level=log_level,
        kern_version=kern_version,
        prog_flags=prog_flags,
        prog_name=name,
        prog_ifindex=prog_ifindex,
        expected_attach_type=expected_attach_type,
        prog_btf_fd=prog_btf_fd,
        attach_btf_id=attach_btf_id,
        attach_prog_fd=attach_prog_fd or attach_btf_obj_fd,
        prog_token_fd=prog_token_fd,
    )
    if log_buf is not None:
        log = writable(log_buf)
        attr.log_buf = addressof(log)
        attr.log_size = len(log)
    if func_info:
        attr.func_info = pointer(func_info)
        attr.func_info_rec_size = func_info_rec_size
        attr.func_info_cnt = len(func_info) // func_info_rec_size
    if line_info:
        attr.line_info = pointer(line_info)
        attr.line_info_rec_size = line_info_rec_size
        attr.line_info_cnt = len(line_info) // line_info_rec_size
    if fd_array:
        fds = (c_int * len(fd_array))(*fd_array)
        attr.fd_array = addressof(fds)
        attr.fd_array_cnt = fd_array_cnt
    if core_relos:
        attr.core_relos = pointer(core_relos)
        attr.core_relo_rec_size = core_relo_rec_size
        attr.core_relo_cnt = len(core_relos) // core_relo_rec_size
    if signature:
        attr.signature = pointer(signature)
        attr.signature_size = len(signature)
        attr.keyring_id = keyring_id

    label = f"program '{name.decode(errors='replace')}'"
    size = sizeof(attr)
    for attempt in range(PROG_LOAD_ATTEMPTS):
        result = syscall(NR_BPF, BPF_PROG_LOAD, addressof(attr), size)
        if result >= 0:
            return Fd(result, label)
        errno = get_errno()
        if errno != _errno.EAGAIN or attempt == PROG_LOAD_ATTEMPTS - 1:
            break
    raise failure(errno, BPF_PROG_LOAD, what or f"load {label}")


def btf_load(
    *,
    btf: bytes,
    btf_log_level: int = 0,
    btf_log_buf: Buffer | None = None,
    btf_flags: int = 0,
    btf_token_fd: int = 0,
    what: str = "",
) -> Fd:
    """Load an object's BTF, in the machine's byte order.

    Kernel: BPF_BTF_LOAD, since v4.18.
    """
    attr = BtfLoadAttr(
        btf=pointer(btf),
        btf_size=len(btf),
        btf_log_level=btf_log_level,
        btf_flags=btf_flags,
        btf_token_fd=btf_token_fd,
    )
    if btf_log_buf is not None:
        log = writable(btf_log_buf)
        attr.btf_log_buf = addressof(log)
        attr.btf_log_size = len(log)
    return Fd(bpf_call(BPF_BTF_LOAD, attr, what or "load BTF"), "BTF")


def map_freeze(map_fd: int, *, what: str = "") -> None:
    """Make a map read-only for system calls; programs may still write it.

    Kernel: BPF_MAP_FREEZE, since v5.2.
    """
    bpf_call(BPF_MAP_FREEZE, MapElemAttr(map_fd=map_fd), what or "freeze map")


def map_lookup_elem(
    *, map_fd: int, key: Buffer | None, value: Buffer, flags: int = 0, what: str = ""
) -> None:
    """Read the value of a key into a writable buffer.

    Args:
        key: `key_size` bytes; None for maps without keys.
        value: `value_size` bytes, for per-CPU maps that rounded up to 8 for each possible CPU.

    Raises:
        KeyMissingError: the map has no such key.

    Kernel: BPF_MAP_LOOKUP_ELEM, since v3.18.
    """
    _element(BPF_MAP_LOOKUP_ELEM, map_fd, key, writable(value), flags, what or "look up in map")


def map_lookup_and_delete_elem(
    *, map_fd: int, key: Buffer | None, value: Buffer, flags: int = 0, what: str = ""
) -> None:
    """Read the value of a key into a writable buffer and delete it.

    Raises:
        KeyMissingError: the map has no such key, or nothing in it at all.

    Kernel: BPF_MAP_LOOKUP_AND_DELETE_ELEM, since v4.20 for queues and stacks, v5.14 for hashes.
    """
    what = what or "look up and delete in map"
    _element(BPF_MAP_LOOKUP_AND_DELETE_ELEM, map_fd, key, writable(value), flags, what)


def map_update_elem(
    *, map_fd: int, key: Buffer | None, value: Buffer, flags: int = 0, what: str = ""
) -> None:
    """Set the value of a key.

    Args:
        flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST, and BPF_F_LOCK.

    Raises:
        KeyExistsError: the key is there and `flags` is BPF_NOEXIST.
        KeyMissingError: it is not and `flags` is BPF_EXIST.

    Kernel: BPF_MAP_UPDATE_ELEM, since v3.18.
    """
    _element(BPF_MAP_UPDATE_ELEM, map_fd, key, value, flags, what or "update map")


def map_delete_elem(*, map_fd: int, key: Buffer, flags: int = 0, what: str = "") -> None:
    """Delete a key.

    Raises:
        KeyMissingError: the map has no such key.

    Kernel: BPF_MAP_DELETE_ELEM, since v3.18.
    """
    _element(BPF_MAP_DELETE_ELEM, map_fd, key, None, flags, what or "delete from map")


def map_get_next_key(*, map_fd: int, key: Buffer | None, next_key: Buffer, what: str = "") -> bool:
    """Write the key after `key` to a writable buffer; return whether there is one.

    Args:
        key: None asks for the first key; so does, for hashes, a key that is not in the map.
        next_key: `key_size` bytes.

    Kernel: BPF_MAP_GET_NEXT_KEY, since v3.18; no key since v4.12.
    """
    key_address, _key = address(key)
    block = writable(next_key)
    attr = MapElemAttr(map_fd=map_fd, key=key_address, value=addressof(block))
    if syscall(NR_BPF, BPF_MAP_GET_NEXT_KEY, addressof(attr), sizeof(attr)) >= 0:
        return True
    errno = get_errno()
    if errno == _errno.ENOENT:  # that was the last one
        return False
    raise failure(errno, BPF_MAP_GET_NEXT_KEY, what or "iterate over map")


def _element(
    command: int, map_fd: int, key: Buffer | None, value: Buffer | None, flags: int, what: str
) -> None:
    key_address, _key = address(key)
    value_address, _value = address(value)
    attr = MapElemAttr(map_fd=map_fd, key=key_address, value=value_address, flags=flags)
    bpf_call(command, attr, what)


def obj_pin(
    *,
    pathname: str | bytes | os.PathLike[str],
    bpf_fd: int,
    file_flags: int = 0,
    path_fd: int = 0,
    what: str = "",
) -> None:
    """Give a map, program, link or BTF a name in a BPF file system.

    Args:
        path_fd: directory that `pathname` starts from, with BPF_F_PATH_FD in `file_flags` (since
            v6.5).

    Kernel: BPF_OBJ_PIN, since v4.4.
    """
    from ..uapi.attr import ObjAttr

    path = os.fsencode(pathname)
    attr = ObjAttr(pathname=pointer(path), bpf_fd=bpf_fd, file_flags=file_flags, path_fd=path_fd)
    bpf_call(BPF_OBJ_PIN, attr, what or f"pin at {os.fsdecode(path)!r}")


def obj_get(
    *,
    pathname: str | bytes | os.PathLike[str],
    file_flags: int = 0,
    path_fd: int = 0,
    what: str = "",
) -> Fd:
    """Open what is pinned at a path.

    Args:
        file_flags: BPF_F_RDONLY, BPF_F_WRONLY (maps only), BPF_F_PATH_FD.

    Kernel: BPF_OBJ_GET, since v4.4.
    """
    from ..uapi.attr import ObjAttr

    path = os.fsencode(pathname)
    attr = ObjAttr(pathname=pointer(path), file_flags=file_flags, path_fd=path_fd)
    shown = repr(os.fsdecode(path))
    return Fd(
        bpf_call(BPF_OBJ_GET, attr, what or f"open what is pinned at {shown}"), f"pin {shown}"
    )


def link_create(
    *,
    attach_type: int,
    prog_fd: int = 0,
    map_fd: int = 0,
    target_fd: int = 0,
    target_ifindex: int = 0,
    flags: int = 0,
    target_btf_id: int = 0,
    iter_info: bytes = b"",
    perf_event: LinkCreateAttrPerfEvent | None = None,
    kprobe_multi: LinkCreateAttrKprobeMulti | None = None,
    tracing: LinkCreateAttrTracing | None = None,
    netfilter: LinkCreateAttrNetfilter | None = None,
    tcx: LinkCreateAttrTcx | None = None,
    uprobe_multi: LinkCreateAttrUprobeMulti | None = None,
    netkit: LinkCreateAttrNetkit | None = None,
    cgroup: LinkCreateAttrCgroup | None = None,
    what: str = "",
) -> Fd:
    """Attach a program (or struct_ops map) to a target.

    The link lives as long as a descriptor or a pin of it.

    From `target_btf_id` on, the arguments share bytes: give the one that the attach type reads.

    Args:
        iter_info: a `union bpf_iter_link_info`, e.g. `bytes(IterLinkInfo(...))`.

    Kernel: BPF_LINK_CREATE, since v5.7.
    """
    what = what or "create link"
    first = prog_fd or map_fd, target_fd or target_ifindex, attach_type, flags
    shared = perf_event, kprobe_multi, tracing, netfilter, tcx, uprobe_multi, netkit, cgroup
    if not target_btf_id and not iter_info and not any(part is not None for part in shared):
        # The attr's 64 bytes, of which the first four fields are set: the class that has all of
        # them takes longer to make than the call.
        fields = (c_uint32 * 16)(*first)
        return Fd(bpf_call(BPF_LINK_CREATE, fields, what), "link")
    from ..uapi.attr import LinkCreateAttr

    attr = LinkCreateAttr(*first)
    if target_btf_id:
        attr.target_btf_id = target_btf_id
    elif iter_info:
        attr.iter_info = pointer(iter_info)
        attr.iter_info_len = len(iter_info)
    elif perf_event is not None:
        attr.perf_event = perf_event
    elif tracing is not None:
        attr.tracing = tracing
    elif cgroup is not None:
        attr.cgroup = cgroup
    elif tcx is not None:
        attr.tcx = tcx
    elif netkit is not None:
        attr.netkit = netkit
    elif netfilter is not None:
        attr.netfilter = netfilter
    elif kprobe_multi is not None:
        attr.kprobe_multi = kprobe_multi
    elif uprobe_multi is not None:
        attr.uprobe_multi = uprobe_multi
    return Fd(bpf_call(BPF_LINK_CREATE, attr, what), "link")


def raw_tracepoint_open(
    *, prog_fd: int, name: str | bytes | None = None, cookie: int = 0, what: str = ""
) -> Fd:
    """Attach a raw tracepoint program, or one whose target its load has fixed.

    The latter are tp_btf, fentry, fexit, fmod_ret and LSM programs, and extensions.

    Args:
        name: the tracepoint, for BPF_PROG_TYPE_RAW_TRACEPOINT; None for the others.
        cookie: what bpf_get_attach_cookie() gives the program (since v6.10).

    Kernel: BPF_RAW_TRACEPOINT_OPEN, since v4.17.
    """
    from ..uapi.attr import RawTracepointAttr

    text = name.encode() if isinstance(name, str) else name
    attr = RawTracepointAttr(name=pointer(text), prog_fd=prog_fd, cookie=cookie)
    target = "program" if text is None else f"to raw tracepoint {text.decode(errors='replace')!r}"
    return Fd(bpf_call(BPF_RAW_TRACEPOINT_OPEN, attr, what or f"attach {target}"), "link")


def _object_name(name: str | bytes) -> bytes:
    """Return at most 15 bytes of a name: BPF_OBJ_NAME_LEN less the NUL."""
    return (name.encode() if isinstance(name, str) else name)[:15]
