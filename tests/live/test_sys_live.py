"""Every bpf(2) command, and perf events, against this machine's kernel."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bpfgen_runtime import btf
from bpfgen_runtime.errors import KeyExistsError, KeyMissingError, SyscallError
from bpfgen_runtime.host import capabilities, mounts
from bpfgen_runtime.sys import bpf, explain, perf
from bpfgen_runtime.sys.fd import Fd
from bpfgen_runtime.uapi import attr, const
from bpfgen_runtime.uapi.perf_attr import PerfEventAttr

from tests.support.cgroup import temporary_cgroup

RETURN_0 = bytes.fromhex("b700000000000000 9500000000000000")
RETURN_1 = bytes.fromhex("b700000001000000 9500000000000000")
BARE_EXIT = bytes.fromhex("9500000000000000")  # r0 was never written: the verifier refuses


def u32(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}I", *numbers)


def new_map(map_type: int = const.BPF_MAP_TYPE_HASH, **changes: int) -> Fd:
    """Make a map of 4-byte keys and values, four of them."""
    keywords = {"key_size": 4, "value_size": 4, "max_entries": 4} | changes
    return bpf.map_create(map_type=map_type, map_name="sys_live", **keywords)


def new_program(
    prog_type: int = const.BPF_PROG_TYPE_XDP, insns: bytes = RETURN_0, **more: int
) -> Fd:
    """Load a program that does nothing but return."""
    return bpf.prog_load(
        prog_type=prog_type, insns=insns, license="GPL", prog_name="sys_live", **more
    )


@contextlib.contextmanager
def refused(code: int, *words: str) -> Iterator[None]:
    """Expect a SyscallError with this errno, and these words in its message."""
    with pytest.raises(SyscallError) as caught:
        yield
    assert caught.value.errno == code, str(caught.value)
    for word in words:
        assert word in str(caught.value)


# --- map elements ---


@pytest.mark.kernel("look-up and deletion in hashes")
def test_elements() -> None:
    """Update, look up, iterate, delete; missing and present keys come as their errors."""
    value, key = bytearray(4), bytearray(4)
    with new_map() as fd:
        map_fd = fd.fileno()
        assert bpf.map_get_next_key(map_fd=map_fd, key=None, next_key=key) is False
        bpf.map_update_elem(map_fd=map_fd, key=u32(1), value=u32(10), flags=const.BPF_NOEXIST)
        bpf.map_update_elem(map_fd=map_fd, key=bytearray(u32(2)), value=memoryview(u32(20)))
        bpf.map_lookup_elem(map_fd=map_fd, key=u32(2), value=value)
        assert value == u32(20)

        keys, last = [], None
        while bpf.map_get_next_key(map_fd=map_fd, key=last, next_key=key):
            last = bytes(key)
            keys.append(last)
        assert sorted(keys) == [u32(1), u32(2)]

        bpf.map_lookup_and_delete_elem(map_fd=map_fd, key=u32(2), value=value)
        bpf.map_delete_elem(map_fd=map_fd, key=u32(1))
        with pytest.raises(KeyMissingError, match="BPF_MAP_LOOKUP_ELEM: ENOENT"):
            bpf.map_lookup_elem(map_fd=map_fd, key=u32(2), value=value)
        with pytest.raises(KeyError):
            bpf.map_delete_elem(map_fd=map_fd, key=u32(1))
        with pytest.raises(KeyMissingError):
            bpf.map_update_elem(map_fd=map_fd, key=u32(1), value=value, flags=const.BPF_EXIST)
        bpf.map_update_elem(map_fd=map_fd, key=u32(3), value=value)
        with pytest.raises(KeyExistsError, match="BPF_MAP_UPDATE_ELEM: EEXIST"):
            bpf.map_update_elem(map_fd=map_fd, key=u32(3), value=value, flags=const.BPF_NOEXIST)


def test_full_map() -> None:
    """One element too many says that the map is full."""
    with new_map(max_entries=1) as fd:
        bpf.map_update_elem(map_fd=fd.fileno(), key=u32(1), value=u32(1))
        with refused(errno.E2BIG, "count in map 'm'", "The map is full"):
            bpf.map_update_elem(
                map_fd=fd.fileno(), key=u32(2), value=u32(1), what="count in map 'm'"
            )


def test_queue_has_no_keys() -> None:
    """With None for the key, a queue takes and gives values in order; empty, it misses the key."""
    value = bytearray(4)
    with new_map(const.BPF_MAP_TYPE_QUEUE, key_size=0) as fd:
        map_fd = fd.fileno()
        for number in (1, 2):
            bpf.map_update_elem(map_fd=map_fd, key=None, value=u32(number))
        got = []
        for _ in range(2):
            bpf.map_lookup_and_delete_elem(map_fd=map_fd, key=None, value=value)
            got.append(bytes(value))
        assert got == [u32(1), u32(2)]
        with pytest.raises(KeyMissingError):
            bpf.map_lookup_elem(map_fd=map_fd, key=None, value=value)


def test_batches() -> None:
    """Update, look up in two steps, look up and delete, delete: as many elements as there are."""
    keys, values = bytearray(16), bytearray(16)
    first, second = bytearray(4), bytearray(4)
    with new_map(const.BPF_MAP_TYPE_ARRAY) as fd:
        bpf.map_update_batch(
            map_fd=fd.fileno(), keys=u32(0, 1, 2, 3), values=u32(5, 6, 7, 8), count=4
        )
        found = bpf.map_lookup_batch(
            map_fd=fd.fileno(), in_batch=None, out_batch=first, keys=keys, values=values, count=3
        )
        assert (found, values[:12]) == ((3, True), u32(5, 6, 7))
        found = bpf.map_lookup_batch(
            map_fd=fd.fileno(), in_batch=first, out_batch=second, keys=keys, values=values, count=3
        )
        assert (found, keys[:4], values[:4]) == ((1, False), u32(3), u32(8))
    with new_map() as fd:
        map_fd = fd.fileno()
        bpf.map_update_batch(map_fd=map_fd, keys=u32(7, 8, 9), values=u32(1, 2, 3), count=3)
        bpf.map_delete_batch(map_fd=map_fd, keys=u32(8), count=1)
        found = bpf.map_lookup_and_delete_batch(
            map_fd=map_fd, in_batch=None, out_batch=first, keys=keys, values=values, count=4
        )
        assert found == (2, False)
        assert bpf.map_get_next_key(map_fd=map_fd, key=None, next_key=keys) is False


def test_batch_failure_counts() -> None:
    """A batch that fails half-way says how many elements were done."""
    with new_map(max_entries=2) as fd, refused(errno.E2BIG, "2 of 4 elements were done", "full"):
        bpf.map_update_batch(
            map_fd=fd.fileno(), keys=u32(1, 2, 3, 4), values=u32(1, 2, 3, 4), count=4
        )


def test_freeze() -> None:
    """A frozen map cannot be written from here, and says so; it can be read."""
    with new_map(const.BPF_MAP_TYPE_ARRAY) as fd:
        bpf.map_freeze(fd.fileno())
        with refused(errno.EPERM, "The map is frozen"):
            bpf.map_update_elem(map_fd=fd.fileno(), key=u32(0), value=u32(1))
        bpf.map_lookup_elem(map_fd=fd.fileno(), key=u32(0), value=bytearray(4))


@pytest.mark.parametrize(
    ("code", "words", "change"),
    [
        (errno.EINVAL, ("does not know the map type",), {"map_type": 9999}),
        (errno.EBADF, (), {"btf_fd": 4711, "btf_value_type_id": 1}),
        (errno.EINVAL, ("create map 'sys_live'",), {"key_size": 0}),
        (errno.E2BIG, ("larger than the kernel can allocate",), {"value_size": 1 << 31}),
    ],
)
def test_map_create_refused(code: int, words: tuple[str, ...], change: dict[str, int]) -> None:
    """What the kernel refuses to create is named, with a hint."""
    with refused(code, *words):
        new_map(**change)


# --- programs ---


def test_prog_load_and_test_run() -> None:
    """A loaded program runs on a made-up packet and gives back what it returned."""
    packet, out = bytes(range(64)), bytearray(64)
    with new_program(insns=RETURN_1) as fd:
        done = bpf.prog_test_run(prog_fd=fd.fileno(), data_in=packet, data_out=out, repeat=3)
        assert (done.retval, done.data_size_out) == (1, 64)
        assert out == packet
        with refused(errno.ENOSPC, "too small"):
            bpf.prog_test_run(prog_fd=fd.fileno(), data_in=packet, data_out=bytearray(10))


@pytest.mark.kernel("XDP test runs with a context")
def test_test_run_with_context() -> None:
    """A context goes in and comes out; for XDP it is a struct xdp_md."""
    context, out = struct.pack("=6I", 0, 64, 0, 0, 0, 0), bytearray(24)
    with new_program() as fd:
        done = bpf.prog_test_run(
            prog_fd=fd.fileno(), data_in=bytes(64), ctx_in=context, ctx_out=out
        )
    assert done.ctx_size_out == 24
    assert struct.unpack_from("=2I", out) == (0, 64)


def test_verifier_log() -> None:
    """A refused program leaves the verifier's words in the buffer; a small buffer is ENOSPC."""
    program = {"prog_type": const.BPF_PROG_TYPE_XDP, "insns": BARE_EXIT, "prog_name": "bad"}
    log = bytearray(4096)
    with refused(errno.EACCES, "load program 'bad'"):
        bpf.prog_load(**program, license="GPL", log_level=1, log_buf=log)
    assert b"R0 !read_ok" in log
    with refused(errno.ENOSPC, "larger than the buffer"):
        bpf.prog_load(**program, license="GPL", log_level=2, log_buf=bytearray(128))


@pytest.mark.kernel("programs with fd_array_cnt")
def test_fd_array_and_bound_map() -> None:
    """Maps in fd_array, and bound by prog_bind_map(), count as the program's maps."""
    with (
        new_map() as first,
        new_map() as second,
        bpf.prog_load(
            prog_type=const.BPF_PROG_TYPE_XDP,
            insns=RETURN_0,
            license="GPL",
            fd_array=[first.fileno()],
            fd_array_cnt=1,
        ) as fd,
    ):
        bpf.prog_bind_map(prog_fd=fd.fileno(), map_fd=second.fileno())
        ids = (ctypes.c_uint32 * 4)()
        info = attr.ProgInfo(nr_map_ids=4, map_ids=ctypes.addressof(ids))
        bpf.obj_get_info_by_fd(bpf_fd=fd.fileno(), info=info)
        expected = {bpf.map_get_info_by_fd(f.fileno()).id for f in (first, second)}
        assert set(ids[: info.nr_map_ids]) == expected


def test_btf_load() -> None:
    """BTF with one int is taken; damaged BTF is refused with a log."""
    strings = b"\0int\0"
    types = u32(1, btf.BTF_KIND_INT << 24, 4, 32)
    header = struct.pack(
        "=HBBIIIII", const.BTF_MAGIC, 1, 0, 24, 0, len(types), len(types), len(strings)
    )
    with bpf.btf_load(btf=header + types + strings) as fd:
        info = bpf.btf_get_info_by_fd(fd.fileno())
        assert (info.btf_size, info.kernel_btf) == (len(header + types + strings), 0)
        with bpf.btf_get_fd_by_id(info.id) as again:
            assert bpf.btf_get_info_by_fd(again.fileno()).id == info.id
    log = bytearray(4096)
    with refused(errno.EINVAL, "load BTF"):
        bpf.btf_load(btf=header + types + b"\0int!", btf_log_level=1, btf_log_buf=log)
    assert log.rstrip(b"\0") != b""


@pytest.mark.kernel("program streams")
def test_stream_is_empty() -> None:
    """A program that has written nothing has nothing to read."""
    with new_program(const.BPF_PROG_TYPE_SYSCALL, prog_flags=const.BPF_F_SLEEPABLE) as fd:
        buffer = bytearray(64)
        for stream in (const.BPF_STREAM_STDOUT, const.BPF_STREAM_STDERR):
            assert (
                bpf.prog_stream_read_by_fd(prog_fd=fd.fileno(), stream_id=stream, stream_buf=buffer)
                == 0
            )


def test_enable_stats_counts_runs() -> None:
    """While the descriptor is open, runs are counted."""
    with bpf.enable_stats(), new_program() as fd:
        before = bpf.prog_get_info_by_fd(fd.fileno()).run_cnt
        bpf.prog_test_run(prog_fd=fd.fileno(), data_in=bytes(64), repeat=5)
        assert bpf.prog_get_info_by_fd(fd.fileno()).run_cnt - before == 5


# --- ids and information ---


Opener = tuple[
    Callable[[], Fd], Callable[[int], int | None], Callable[..., Fd], Callable[[int], object]
]
KINDS: dict[str, Opener] = {
    "map": (new_map, bpf.map_get_next_id, bpf.map_get_fd_by_id, bpf.map_get_info_by_fd),
    "prog": (new_program, bpf.prog_get_next_id, bpf.prog_get_fd_by_id, bpf.prog_get_info_by_fd),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ids(kind: str) -> None:
    """An object is found by walking the ids, opened by its id, and says the same of itself."""
    make, next_id, open_by_id, info_of = KINDS[kind]
    with make() as fd:
        info = info_of(fd.fileno())
        assert isinstance(info, attr.MapInfo | attr.ProgInfo)
        assert info.name == b"sys_live"
        assert next_id(info.id - 1) == info.id
        with open_by_id(info.id) as again:
            twin = info_of(again.fileno())
            assert isinstance(twin, ctypes.Structure)
            assert bytes(twin)[:44] == bytes(info)[:44]
    assert next_id(0x7FFFFFFE) is None


def test_unknown_id() -> None:
    """An id that nothing has is named in the message, and is no missing key."""
    with refused(errno.ENOENT, "open link id 4294967294", "BPF_LINK_GET_FD_BY_ID"):
        bpf.link_get_fd_by_id(0xFFFFFFFE)


@pytest.mark.kernel("module BTF")
def test_kernel_btf_has_an_id() -> None:
    """The kernel's own BTF is the first among the loaded ones, and says that it is the kernel's."""
    first = bpf.btf_get_next_id()
    assert first is not None
    with bpf.btf_get_fd_by_id(first) as fd:
        name = ctypes.create_string_buffer(64)
        info = attr.BtfInfo(name=ctypes.addressof(name), name_len=64)
        assert bpf.obj_get_info_by_fd(bpf_fd=fd.fileno(), info=info) <= ctypes.sizeof(info)
        assert (info.kernel_btf, name.value) == (1, b"vmlinux")


# --- descriptors ---


def test_descriptors_close_on_exec() -> None:
    """No descriptor that bpf(2) or perf_event_open(2) gives survives an exec."""
    event = PerfEventAttr(
        type=const.PERF_TYPE_SOFTWARE,
        size=ctypes.sizeof(PerfEventAttr),
        config=const.PERF_COUNT_SW_DUMMY,
    )
    with new_map() as one, new_program() as two, perf.perf_event_open(event, pid=0) as three:
        for fd in (one, two, three):
            assert fcntl.fcntl(fd.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC


@pytest.mark.kernel("pins below a directory's descriptor")
def test_pins(pin_dir: Path) -> None:
    """A pin is opened again by its path, absolute or from a directory's descriptor."""
    path = pin_dir / "map"
    with new_map() as fd:
        bpf.obj_pin(pathname=path, bpf_fd=fd.fileno())
        with refused(errno.EEXIST, f"pin at '{path}'", "has that name already"):
            bpf.obj_pin(pathname=str(path), bpf_fd=fd.fileno())
        number = bpf.map_get_info_by_fd(fd.fileno()).id
    with bpf.obj_get(pathname=path, file_flags=const.BPF_F_RDONLY) as again:
        assert again.what == f"pin '{path}'"
        assert bpf.map_get_info_by_fd(again.fileno()).id == number
        with refused(errno.EPERM, "opened read-only"):
            bpf.map_update_elem(map_fd=again.fileno(), key=u32(1), value=u32(1))
    directory = os.open(pin_dir, os.O_PATH)
    try:
        flags = const.BPF_F_PATH_FD
        with bpf.obj_get(pathname="map", file_flags=flags, path_fd=directory) as again:
            bpf.obj_pin(pathname="twin", bpf_fd=again.fileno(), file_flags=flags, path_fd=directory)
    finally:
        os.close(directory)
    assert {entry.name for entry in pin_dir.iterdir()} == {"map", "twin"}


def test_pins_refused(pin_dir: Path, tmp_path: Path) -> None:
    """Not a BPF file system, nothing there, no directory: each has its hint."""
    with new_map() as fd:
        with refused(errno.EPERM, "must lie in a BPF file system"):
            bpf.obj_pin(pathname=tmp_path / "map", bpf_fd=fd.fileno())
        with refused(errno.ENOENT, "Create the directory first"):
            bpf.obj_pin(pathname=pin_dir / "missing" / "map", bpf_fd=fd.fileno())
    with refused(errno.ENOENT, "Nothing is pinned there"):
        bpf.obj_get(pathname=pin_dir / "missing")


# --- attaching ---


@pytest.mark.needs("cgroup2")
def test_cgroup_links() -> None:
    """Create a link, ask for it, replace its program, query the hook, detach."""
    skb, ingress = const.BPF_PROG_TYPE_CGROUP_SKB, const.BPF_CGROUP_INET_INGRESS
    with (
        temporary_cgroup() as path,
        Fd(os.open(path, os.O_RDONLY), "cgroup") as cgroup,
        new_program(skb, RETURN_1) as first,
        new_program(skb, RETURN_1) as second,
    ):
        ids = [bpf.prog_get_info_by_fd(fd.fileno()).id for fd in (first, second)]

        def attached() -> tuple[int, ...]:
            return bpf.prog_query(attach_type=ingress, target_fd=cgroup.fileno()).prog_ids

        assert attached() == ()
        with bpf.link_create(
            prog_fd=first.fileno(), target_fd=cgroup.fileno(), attach_type=ingress
        ) as link:
            info = bpf.link_get_info_by_fd(link.fileno())
            assert (info.type, info.prog_id) == (const.BPF_LINK_TYPE_CGROUP, ids[0])
            assert info.cgroup.cgroup_id == path.stat().st_ino
            assert bpf.link_get_next_id(info.id - 1) == info.id
            assert attached() == (ids[0],)
            bpf.link_update(
                link_fd=link.fileno(),
                new_prog_fd=second.fileno(),
                old_prog_fd=first.fileno(),
                flags=const.BPF_F_REPLACE,
            )
            assert attached() == (ids[1],)
            with bpf.link_get_fd_by_id(info.id) as again:
                bpf.link_detach(again.fileno())
            assert attached() == ()


@pytest.mark.needs("cgroup2")
@pytest.mark.kernel("attach flags of each program of a cgroup")
def test_cgroup_without_link() -> None:
    """Attach two programs the old way, see both in order with their flags, detach them."""
    skb, egress = const.BPF_PROG_TYPE_CGROUP_SKB, const.BPF_CGROUP_INET_EGRESS
    with (
        temporary_cgroup() as path,
        Fd(os.open(path, os.O_RDONLY), "cgroup") as cgroup,
        new_program(skb, RETURN_1) as first,
        new_program(skb, RETURN_1) as second,
    ):
        programs = (first, second)
        for program in programs:
            bpf.prog_attach(
                attach_bpf_fd=program.fileno(),
                target_fd=cgroup.fileno(),
                attach_type=egress,
                attach_flags=const.BPF_F_ALLOW_MULTI,
            )
        found = bpf.prog_query(attach_type=egress, target_fd=cgroup.fileno())
        assert found.prog_ids == tuple(bpf.prog_get_info_by_fd(p.fileno()).id for p in programs)
        assert found.prog_attach_flags == (const.BPF_F_ALLOW_MULTI,) * 2
        effective = bpf.prog_query(
            attach_type=egress, target_fd=cgroup.fileno(), query_flags=const.BPF_F_QUERY_EFFECTIVE
        )
        assert effective.prog_ids[-2:] == found.prog_ids
        assert effective.prog_attach_flags == ()
        for program in programs:
            bpf.prog_detach(
                attach_bpf_fd=program.fileno(), target_fd=cgroup.fileno(), attach_type=egress
            )
        with refused(errno.ENOENT, "detach program"):
            bpf.prog_detach(
                attach_bpf_fd=first.fileno(), target_fd=cgroup.fileno(), attach_type=egress
            )


@pytest.mark.kernel("cookies of raw tracepoints")
def test_raw_tracepoint() -> None:
    """A raw tracepoint is opened by name; task_fd_query says which; an unknown name is refused."""
    with new_program(const.BPF_PROG_TYPE_RAW_TRACEPOINT) as program:
        with bpf.raw_tracepoint_open(
            prog_fd=program.fileno(), name="sched_process_exit", cookie=7
        ) as link:
            info, name = bpf.task_fd_query(pid=os.getpid(), fd=link.fileno())
            assert (name, info.fd_type) == ("sched_process_exit", const.BPF_FD_TYPE_RAW_TRACEPOINT)
            assert info.prog_id == bpf.prog_get_info_by_fd(program.fileno()).id
        with refused(errno.ENOENT, "to raw tracepoint 'no_such_thing'"):
            bpf.raw_tracepoint_open(prog_fd=program.fileno(), name=b"no_such_thing")


@pytest.mark.needs("btf")
def test_iterator() -> None:
    """An iterator link gives runs, each read to its end."""
    target = btf.kernel_btf().find("bpf_iter_bpf_map", btf.BTF_KIND_FUNC)[0]
    with new_program(
        const.BPF_PROG_TYPE_TRACING,
        expected_attach_type=const.BPF_TRACE_ITER,
        attach_btf_id=target,
    ) as program:
        link = bpf.link_create(prog_fd=program.fileno(), attach_type=const.BPF_TRACE_ITER)
    with link:
        name = ctypes.create_string_buffer(32)
        info = attr.LinkInfo()
        info.iter.target_name = ctypes.addressof(name)
        info.iter.target_name_len = 32
        bpf.obj_get_info_by_fd(bpf_fd=link.fileno(), info=info)
        assert name.value == b"bpf_map"
        with bpf.iter_create(link.fileno()) as run:
            assert os.read(run.fileno(), 64) == b""


@pytest.mark.needs("tracefs")
def test_tracepoint_event() -> None:
    """A program is set on a tracepoint's event, which task_fd_query then knows."""
    number = mounts.tracepoint_id("sched", "sched_process_exit")
    with (
        new_program(const.BPF_PROG_TYPE_TRACEPOINT) as program,
        perf.open_tracepoint(number) as event,
    ):
        perf.event_set_bpf(event.fileno(), program.fileno())
        perf.event_enable(event.fileno())
        info, name = bpf.task_fd_query(pid=os.getpid(), fd=event.fileno())
        assert (name, info.fd_type) == ("sched_process_exit", const.BPF_FD_TYPE_TRACEPOINT)
        perf.event_disable(event.fileno())
        with refused(errno.EEXIST, "set it twice: PERF_EVENT_IOC_SET_BPF", "this program already"):
            perf.event_set_bpf(event.fileno(), program.fileno(), what="set it twice")


def test_tracepoint_event_refused() -> None:
    """A tracepoint that is not there is refused by its number."""
    with refused(errno.EINVAL, "open tracepoint 999999: perf_event_open"):
        perf.open_tracepoint(999999)


def test_perf_event_counts() -> None:
    """A whole PerfEventAttr works, bitfields included: opened disabled, it counts once enabled."""
    event = PerfEventAttr(
        type=const.PERF_TYPE_SOFTWARE,
        size=ctypes.sizeof(PerfEventAttr),
        config=const.PERF_COUNT_SW_TASK_CLOCK,
        disabled=1,
    )
    with perf.perf_event_open(event, pid=0) as fd:
        assert struct.unpack("=Q", os.read(fd.fileno(), 8)) == (0,)
        perf.event_enable(fd.fileno())
        sum(range(1000))
        perf.event_disable(fd.fileno())
        assert struct.unpack("=Q", os.read(fd.fileno(), 8)) > (0,)


def test_token_needs_delegation() -> None:
    """The mounted BPF file system delegates nothing: no token; the error names the call."""
    bpffs = Fd(os.open("/sys/fs/bpf", os.O_RDONLY), "bpffs")
    with bpffs, pytest.raises(SyscallError, match="create BPF token: BPF_TOKEN_CREATE"):
        bpf.token_create(bpffs_fd=bpffs.fileno())


# --- without privilege ---


def test_unprivileged_is_told_what_it_lacks() -> None:
    """A process without capabilities is refused with the capabilities to get, for bpf and perf."""
    assert capabilities.missing_for_bpf() is None
    assert explain.lockdown() in ("none", "integrity", "confidentiality")
    # With this, all is imported that the child may not be able to read.
    assert explain.command_name(const.BPF_PROG_LOAD) == "BPF_PROG_LOAD"
    text = unprivileged(lambda: new_program(const.BPF_PROG_TYPE_KPROBE))
    assert "load program 'sys_live': BPF_PROG_LOAD: EPERM" in text
    assert "BPF needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN)" in text


def unprivileged(action: Callable[[], object]) -> str:
    """Run something as nobody in a child process; give the text of the SyscallError it raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "nothing was raised"
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            action()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        text = file.read().decode()
    os.waitpid(child, 0)
    return text
