"""The bpf(2) commands that start-up does without. Names of `sys.bpf`, whose rules hold."""

from __future__ import annotations

import errno as _errno
from ctypes import addressof, c_uint32, get_errno, sizeof

from ..uapi import const
from ..uapi.attr_more import (
    EnableStatsAttr,
    IterCreateAttr,
    LinkDetachAttr,
    LinkUpdateAttr,
    MapBatchAttr,
    ProgAttachAttr,
    ProgBindMapAttr,
    ProgQueryAttr,
    ProgStreamReadAttr,
    ProgTestRunAttr,
    TokenCreateAttr,
)
from .call import NR_BPF, address, bpf_call, failure, pointer, syscall, writable
from .fd import Fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "ProgQuery",
    "enable_stats",
    "iter_create",
    "link_detach",
    "link_update",
    "map_delete_batch",
    "map_lookup_and_delete_batch",
    "map_lookup_batch",
    "map_update_batch",
    "prog_attach",
    "prog_bind_map",
    "prog_detach",
    "prog_query",
    "prog_stream_read_by_fd",
    "prog_test_run",
    "token_create",
]


# --- elements in batches ---


def map_lookup_batch(
    *,
    map_fd: int,
    in_batch: Buffer | None,
    out_batch: Buffer,
    keys: Buffer,
    values: Buffer,
    count: int,
    elem_flags: int = 0,
    flags: int = 0,
    what: str = "",
) -> tuple[int, bool]:
    """Read up to `count` elements; return how many, and whether more may follow.

    Args:
        in_batch: where to go on: an earlier call's `out_batch`; None to start.
        out_batch: writable, at least `key_size` and 4 bytes; not the same buffer as `in_batch`.
        keys: writable, `count` keys.
        values: writable, `count` values.

    Raises:
        SyscallError: ENOSPC if a whole hash bucket does not fit into `count`.

    Kernel: BPF_MAP_LOOKUP_BATCH, since v5.6.
    """
    command = const.BPF_MAP_LOOKUP_BATCH
    what = what or "look up a batch in map"
    return _read_batch(
        command, map_fd, in_batch, out_batch, keys, values, count, elem_flags, flags, what
    )


def map_lookup_and_delete_batch(
    *,
    map_fd: int,
    in_batch: Buffer | None,
    out_batch: Buffer,
    keys: Buffer,
    values: Buffer,
    count: int,
    elem_flags: int = 0,
    flags: int = 0,
    what: str = "",
) -> tuple[int, bool]:
    """Read up to `count` elements and delete them; otherwise like `map_lookup_batch`.

    Kernel: BPF_MAP_LOOKUP_AND_DELETE_BATCH, since v5.6.
    """
    command = const.BPF_MAP_LOOKUP_AND_DELETE_BATCH
    what = what or "look up and delete a batch in map"
    return _read_batch(
        command, map_fd, in_batch, out_batch, keys, values, count, elem_flags, flags, what
    )


def _read_batch(
    command: int,
    map_fd: int,
    in_batch: Buffer | None,
    out_batch: Buffer,
    keys: Buffer,
    values: Buffer,
    count: int,
    elem_flags: int,
    flags: int,
    what: str,
) -> tuple[int, bool]:
    start, _start = address(in_batch)
    out, key_block, value_block = writable(out_batch), writable(keys), writable(values)
    attr = MapBatchAttr(
        in_batch=start,
        out_batch=addressof(out),
        keys=addressof(key_block),
        values=addressof(value_block),
        count=count,
        map_fd=map_fd,
        elem_flags=elem_flags,
        flags=flags,
    )
    if syscall(NR_BPF, command, addressof(attr), sizeof(attr)) >= 0:
        return attr.count, True
    errno = get_errno()
    if errno == _errno.ENOENT:  # the end is reached; what there was before it has been read
        return attr.count, False
    raise failure(errno, command, what)


def map_update_batch(
    *,
    map_fd: int,
    keys: Buffer,
    values: Buffer,
    count: int,
    elem_flags: int = 0,
    flags: int = 0,
    what: str = "",
) -> None:
    """Set `count` elements; a failure says how many were set before it.

    Kernel: BPF_MAP_UPDATE_BATCH, since v5.6.
    """
    command = const.BPF_MAP_UPDATE_BATCH
    _write_batch(
        command, map_fd, keys, values, count, elem_flags, flags, what or "update a batch in map"
    )


def map_delete_batch(
    *,
    map_fd: int,
    keys: Buffer,
    count: int,
    elem_flags: int = 0,
    flags: int = 0,
    what: str = "",
) -> int:
    """Delete `count` keys; return how many were deleted before the first that is not there.

    Other failures say how many were deleted before them.

    Kernel: BPF_MAP_DELETE_BATCH, since v5.6.
    """
    command = const.BPF_MAP_DELETE_BATCH
    what = what or "delete a batch from map"
    return _write_batch(
        command, map_fd, keys, None, count, elem_flags, flags, what, stop=_errno.ENOENT
    )


def _write_batch(
    command: int,
    map_fd: int,
    keys: Buffer,
    values: Buffer | None,
    count: int,
    elem_flags: int,
    flags: int,
    what: str,
    stop: int = 0,
) -> int:
    """Return how many elements were done; fewer than `count` after the errno `stop`."""
    key_address, _keys = address(keys)
    value_address, _values = address(values)
    attr = MapBatchAttr(
        keys=key_address,
        values=value_address,
        count=count,
        map_fd=map_fd,
        elem_flags=elem_flags,
        flags=flags,
    )
    if syscall(NR_BPF, command, addressof(attr), sizeof(attr)) >= 0:
        return count
    errno = get_errno()
    # The kernel overwrites count on most failures; where it refuses before it starts, it does not.
    done: int = attr.count if attr.count < count else 0
    if errno != stop:
        raise failure(errno, command, what, note=f"{done} of {count} elements were done")
    return done


# --- attaching without links ---


def prog_attach(
    *,
    attach_bpf_fd: int,
    attach_type: int,
    target_fd: int = 0,
    target_ifindex: int = 0,
    attach_flags: int = 0,
    replace_bpf_fd: int = 0,
    relative_fd: int = 0,
    relative_id: int = 0,
    expected_revision: int = 0,
    what: str = "",
) -> None:
    """Attach a program to a cgroup, a socket map, a network namespace, or (tcx) an interface.

    Kernel: BPF_PROG_ATTACH, since v4.10.
    """
    attr = ProgAttachAttr(
        target_fd=target_fd or target_ifindex,
        attach_bpf_fd=attach_bpf_fd,
        attach_type=attach_type,
        attach_flags=attach_flags,
        replace_bpf_fd=replace_bpf_fd,
        relative_fd=relative_fd or relative_id,
        expected_revision=expected_revision,
    )
    bpf_call(const.BPF_PROG_ATTACH, attr, what or "attach program")


def prog_detach(
    *,
    attach_type: int,
    target_fd: int = 0,
    target_ifindex: int = 0,
    attach_bpf_fd: int = 0,
    attach_flags: int = 0,
    relative_fd: int = 0,
    relative_id: int = 0,
    expected_revision: int = 0,
    what: str = "",
) -> None:
    """Detach what `prog_attach` attached.

    Kernel: BPF_PROG_DETACH, since v4.10.
    """
    attr = ProgAttachAttr(
        target_fd=target_fd or target_ifindex,
        attach_bpf_fd=attach_bpf_fd,
        attach_type=attach_type,
        attach_flags=attach_flags,
        relative_fd=relative_fd or relative_id,
        expected_revision=expected_revision,
    )
    bpf_call(const.BPF_PROG_DETACH, attr, what or "detach program")


class ProgQuery:
    """What BPF_PROG_QUERY tells of the programs at a hook, in the order in which they run.

    Attributes:
        prog_ids: the programs.
        prog_attach_flags: each one's BPF_F_* flags; empty on kernels that do not say.
        link_ids: each one's link; 0 where it was attached without one, and from hooks that do not
            say.
        link_attach_flags: each link's flags; likewise.
        attach_flags: the hook's flags.
        revision: the hook's change counter, for `expected_revision`; 0 where it has none.
    """

    __slots__ = (
        "attach_flags",
        "link_attach_flags",
        "link_ids",
        "prog_attach_flags",
        "prog_ids",
        "revision",
    )

    def __init__(self, attr: ProgQueryAttr, arrays: list[tuple[int, ...]]) -> None:
        self.attach_flags = attr.attach_flags
        self.revision = attr.revision
        self.prog_ids, self.prog_attach_flags, self.link_ids, self.link_attach_flags = arrays + [
            ()
        ] * (4 - len(arrays))


def prog_query(
    *,
    attach_type: int,
    target_fd: int = 0,
    target_ifindex: int = 0,
    query_flags: int = 0,
    what: str = "",
) -> ProgQuery:
    """List the programs attached to a target.

    Kernel: BPF_PROG_QUERY, since v4.15; links and revision (tcx, netkit, cgroups) since v6.6.
    """
    what = what or "query attached programs"
    # Arrays to ask for: all four; the two that cgroups have; the ids alone. Kernels that do not
    # know one answer EINVAL or E2BIG, and so do all of them to an effective query that wants flags
    # per program.
    wanted = [1] if query_flags & const.BPF_F_QUERY_EFFECTIVE else [1, 2, 4]
    capacity = 0
    while True:
        attr = ProgQueryAttr(
            target_fd=target_fd or target_ifindex, attach_type=attach_type, query_flags=query_flags
        )
        arrays = [(c_uint32 * capacity)() for _ in range(wanted[-1] if capacity else 0)]
        attr.prog_cnt = capacity
        for name, array in zip(_QUERY_ARRAYS, arrays, strict=False):
            setattr(attr, name, addressof(array))
        if syscall(NR_BPF, const.BPF_PROG_QUERY, addressof(attr), sizeof(attr)) < 0:
            errno = get_errno()
            if errno in (_errno.EINVAL, _errno.E2BIG) and capacity and len(wanted) > 1:
                wanted.pop()
                continue
            if errno != _errno.ENOSPC:  # which means: one more was attached since they were counted
                raise failure(errno, const.BPF_PROG_QUERY, what)
        elif attr.prog_cnt <= capacity:
            return ProgQuery(attr, [tuple(array[: attr.prog_cnt]) for array in arrays])
        capacity = max(attr.prog_cnt, capacity) + 4


_QUERY_ARRAYS = ("prog_ids", "prog_attach_flags", "link_ids", "link_attach_flags")


# --- links ---


def link_update(
    *,
    link_fd: int,
    new_prog_fd: int = 0,
    new_map_fd: int = 0,
    flags: int = 0,
    old_prog_fd: int = 0,
    old_map_fd: int = 0,
    what: str = "",
) -> None:
    """Put another program (or struct_ops map) behind a link, atomically.

    Args:
        flags: BPF_F_REPLACE: only if `old_prog_fd` (`old_map_fd`) is what is there now.

    Kernel: BPF_LINK_UPDATE, since v5.7.
    """
    attr = LinkUpdateAttr(
        link_fd=link_fd,
        new_prog_fd=new_prog_fd or new_map_fd,
        flags=flags,
        old_prog_fd=old_prog_fd or old_map_fd,
    )
    bpf_call(const.BPF_LINK_UPDATE, attr, what or "update link")


def link_detach(link_fd: int, *, what: str = "") -> None:
    """Detach a link for good, though descriptors or pins of it remain.

    Kernel: BPF_LINK_DETACH, since v5.9; not for tracing links.
    """
    bpf_call(const.BPF_LINK_DETACH, LinkDetachAttr(link_fd=link_fd), what or "detach link")


def iter_create(link_fd: int, *, flags: int = 0, what: str = "") -> Fd:
    """Start one run of an iterator link; reading the descriptor to its end is the run.

    Kernel: BPF_ITER_CREATE, since v5.8.
    """
    attr = IterCreateAttr(link_fd=link_fd, flags=flags)
    return Fd(bpf_call(const.BPF_ITER_CREATE, attr, what or "create iterator"), "iterator")


# --- programs ---


def prog_test_run(
    *,
    prog_fd: int,
    data_in: bytes = b"",
    data_out: Buffer | None = None,
    repeat: int = 0,
    ctx_in: Buffer | None = None,
    ctx_out: Buffer | None = None,
    flags: int = 0,
    cpu: int = 0,
    batch_size: int = 0,
    what: str = "",
) -> ProgTestRunAttr:
    """Run a program on made-up input.

    Args:
        data_in: the packet.
        data_out: writable: the packet after the run.
        repeat: how often to run it; 0 is once.
        ctx_in: the context struct, e.g. a `struct xdp_md`; for BPF_PROG_TYPE_SYSCALL the argument,
            which the kernel writes back to: give a writable buffer.
        ctx_out: writable: the context after the run.
        flags: BPF_F_TEST_RUN_ON_CPU, BPF_F_TEST_XDP_LIVE_FRAMES, BPF_F_TEST_SKB_CHECKSUM_COMPLETE.
        batch_size: frames per batch with BPF_F_TEST_XDP_LIVE_FRAMES.

    Returns:
        `retval`; `duration`, nanoseconds per run; `data_size_out` and `ctx_size_out`, bytes.

    Kernel: BPF_PROG_TEST_RUN, since v4.12; contexts v5.2, `cpu` v5.10, live frames v5.18. Not for
        every type.
    """
    attr = ProgTestRunAttr(
        prog_fd=prog_fd, repeat=repeat, flags=flags, cpu=cpu, batch_size=batch_size
    )
    # A pointer with a size of 0 is EINVAL for program types that take no such input.
    if data_in:
        attr.data_in = pointer(data_in)
        attr.data_size_in = len(data_in)
    if ctx_in is not None:
        attr.ctx_in, _ctx = address(ctx_in)
        attr.ctx_size_in = memoryview(ctx_in).nbytes
    if data_out is not None:
        data_block = writable(data_out)
        attr.data_out = addressof(data_block)
        attr.data_size_out = len(data_block)
    if ctx_out is not None:
        ctx_block = writable(ctx_out)
        attr.ctx_out = addressof(ctx_block)
        attr.ctx_size_out = len(ctx_block)
    bpf_call(const.BPF_PROG_TEST_RUN, attr, what or "test-run program")
    return attr


def prog_bind_map(*, prog_fd: int, map_fd: int, flags: int = 0, what: str = "") -> None:
    """Keep a map alive as long as a program, though no instruction refers to it.

    Kernel: BPF_PROG_BIND_MAP, since v5.10.
    """
    attr = ProgBindMapAttr(prog_fd=prog_fd, map_fd=map_fd, flags=flags)
    bpf_call(const.BPF_PROG_BIND_MAP, attr, what or "bind map to program")


def prog_stream_read_by_fd(
    *, prog_fd: int, stream_id: int, stream_buf: Buffer, what: str = ""
) -> int:
    """Read what a program has written to a stream; return how many bytes, 0 if there is nothing.

    Args:
        stream_id: BPF_STREAM_STDOUT or BPF_STREAM_STDERR.
        stream_buf: writable.

    Kernel: BPF_PROG_STREAM_READ_BY_FD, since v6.17.
    """
    block = writable(stream_buf)
    attr = ProgStreamReadAttr(
        stream_buf=addressof(block), stream_buf_len=len(block), stream_id=stream_id, prog_fd=prog_fd
    )
    return bpf_call(const.BPF_PROG_STREAM_READ_BY_FD, attr, what or "read program's stream")


# --- the rest ---


def enable_stats(type: int = const.BPF_STATS_RUN_TIME, *, what: str = "") -> Fd:
    """Have the kernel count programs' runs and run time for as long as the descriptor is open.

    Kernel: BPF_ENABLE_STATS, since v5.8.
    """
    attr = EnableStatsAttr(type=type)
    return Fd(bpf_call(const.BPF_ENABLE_STATS, attr, what or "enable statistics"), "statistics")


def token_create(*, bpffs_fd: int, flags: int = 0, what: str = "") -> Fd:
    """Take a BPF token from a BPF file system that delegates commands to a user namespace.

    Kernel: BPF_TOKEN_CREATE, since v6.9.
    """
    attr = TokenCreateAttr(flags=flags, bpffs_fd=bpffs_fd)
    return Fd(bpf_call(const.BPF_TOKEN_CREATE, attr, what or "create BPF token"), "BPF token")
