"""System calls without a kernel: descriptors, call numbers, buffers, what is passed, hints."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bpfgen_runtime.errors import (
    ClosedError,
    KeyExistsError,
    KeyMissingError,
    NotSupportedError,
    SyscallError,
)
from bpfgen_runtime.host import capabilities
from bpfgen_runtime.sys import bpf, bpf_info, bpf_more, call, explain, perf
from bpfgen_runtime.sys.fd import Fd
from bpfgen_runtime.uapi import attr, const, enums


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe, each closed afterwards unless a test closed it."""
    ends = os.pipe()
    yield ends
    for end in ends:
        if is_open(end):
            os.close(end)


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


# --- Fd ---


def test_fd_closes_once(pipe: tuple[int, int]) -> None:
    """close() closes the descriptor; again, it does nothing, though the number is in use anew."""
    fd = Fd(pipe[0], "map 'm'")
    assert fd.fileno() == pipe[0]
    assert not fd.closed
    fd.close()
    assert fd.closed
    assert not is_open(pipe[0])
    again = os.dup(pipe[1])
    assert again == pipe[0]
    fd.close()
    assert is_open(again)


def test_fd_is_a_context_manager(pipe: tuple[int, int]) -> None:
    """Leaving the block closes, also by way of an exception."""
    fd = Fd(pipe[0])
    with fd as same:
        assert same is fd
        assert is_open(pipe[0])
    assert not is_open(pipe[0])
    with pytest.raises(ZeroDivisionError), Fd(pipe[1]):
        raise ZeroDivisionError
    assert not is_open(pipe[1])


@pytest.mark.parametrize(
    "use", [Fd.fileno, Fd.dup, Fd.release, Fd.__enter__], ids=lambda method: method.__name__
)
def test_fd_used_after_close(pipe: tuple[int, int], use: Callable[[Fd], object]) -> None:
    """A closed descriptor is refused by the name of what it was."""
    fd = Fd(pipe[0], "map 'counts'")
    fd.close()
    with pytest.raises(ClosedError, match=r"^map 'counts' is closed$"):
        use(fd)


def test_fd_release_hands_over(pipe: tuple[int, int]) -> None:
    """release() gives the number away: the object no longer closes it, or can be used."""
    fd = Fd(pipe[0])
    assert fd.release() == pipe[0]
    assert fd.closed
    fd.close()
    del fd
    assert is_open(pipe[0])


def test_fd_dup_is_independent_and_closes_on_exec(pipe: tuple[int, int]) -> None:
    """A duplicate is a descriptor of its own for the same object."""
    with Fd(pipe[0], "map 'm'") as fd, fd.dup() as twin:
        assert twin.fileno() != fd.fileno()
        assert twin.what == "map 'm'"
        assert os.fstat(twin.fileno()).st_ino == os.fstat(fd.fileno()).st_ino
        assert fcntl.fcntl(twin.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        fd.close()
        assert is_open(twin.fileno())


def test_fd_forgotten_warns_and_closes(pipe: tuple[int, int]) -> None:
    """An Fd that is collected open is closed, with a ResourceWarning that says what it was."""
    holder = [Fd(pipe[0], "program 'p'")]
    with pytest.warns(ResourceWarning, match=rf"^unclosed program 'p' \(fd {pipe[0]}\)$"):
        holder.clear()
    assert not is_open(pipe[0])


def test_fd_refuses_no_descriptor() -> None:
    """-1, a failed call's result, is no descriptor."""
    with pytest.raises(ValueError, match="-1 is no file descriptor"):
        Fd(-1)


def test_fd_repr(pipe: tuple[int, int]) -> None:
    """The repr says what it is and in which state."""
    fd = Fd(pipe[0], "link")
    assert repr(fd) == f"<Fd link: fd {pipe[0]}>"
    fd.close()
    assert repr(fd) == "<Fd link: closed>"


def test_fd_avoids_the_standard_streams() -> None:
    """A descriptor below 3 is moved up: 0 means "none" in many fields of bpf_attr."""
    code = (
        "import os\n"
        "from bpfgen_runtime.sys.fd import Fd\n"
        "os.close(0)\n"
        "number = os.open('/dev/null', os.O_RDONLY)\n"
        "assert number == 0\n"
        "with Fd(number) as fd:\n"
        "    assert fd.fileno() > 2\n"
        "    assert not os.get_inheritable(fd.fileno())\n"
        "    assert os.path.samestat(os.fstat(fd.fileno()), os.stat('/dev/null'))\n"
        "    try: os.fstat(0)\n"
        "    except OSError: print('closed')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("closed\n", "")


# --- call numbers and buffers ---


@pytest.mark.parametrize(
    ("machine", "wide", "bpf_number", "perf_number"),
    [
        ("x86_64", True, 321, 298),
        ("x86_64", False, 357, 336),
        ("i686", False, 357, 336),
        ("aarch64", True, 280, 241),
        ("aarch64", False, 386, 364),
        ("armv7l", False, 386, 364),
        ("riscv64", True, 280, 241),
        ("loongarch64", True, 280, 241),
        ("ppc64le", True, 361, 319),
        ("s390x", True, 351, 331),
        ("mips64", True, 5315, 5292),
        ("pdp11", True, -1, -1),
    ],
)
def test_call_numbers(machine: str, wide: bool, bpf_number: int, perf_number: int) -> None:
    """Each architecture has its numbers, a 32-bit process its own; an unknown one has -1."""
    assert call.number(0, machine, wide=wide) == bpf_number
    assert call.number(1, machine, wide=wide) == perf_number


def test_pointer_is_the_bytes_own_storage() -> None:
    """pointer() gives where the bytes are, NUL at their end; None and only None is 0."""
    data = b"license\0more"
    assert ctypes.string_at(call.pointer(data), len(data) + 1) == data + b"\0"
    assert call.pointer(b"") != 0
    assert call.pointer(None) == 0
    with pytest.raises(TypeError):
        call.pointer(bytearray(b"may move"))


@pytest.mark.parametrize(
    "data",
    [
        b"abcd",
        bytearray(b"abcd"),
        memoryview(b"abcd"),
        memoryview(b"..abcd")[2:],
        (ctypes.c_char * 4)(*b"abcd"),
    ],
    ids=["bytes", "bytearray", "memoryview", "slice", "ctypes"],
)
def test_address_of_any_buffer(data: bytes) -> None:
    """address() reads every kind of buffer, and gives what keeps the bytes in place."""
    place, keep = call.address(data)
    assert ctypes.string_at(place, 4) == b"abcd"
    assert keep is not None


def test_address_of_nothing() -> None:
    """No buffer is the null pointer."""
    assert call.address(None) == (0, None)


def test_writable_shares_memory() -> None:
    """What the kernel writes through writable() is in the buffer; a read-only one is refused."""
    buffer = bytearray(8)
    block = call.writable(buffer)
    block[3] = b"x"
    assert buffer == b"\0\0\0x\0\0\0\0"
    assert len(block) == 8
    with pytest.raises(BufferError):
        buffer.extend(b"more")
    with pytest.raises(TypeError):
        call.writable(b"constant")


# --- what is passed ---


class FakeKernel:
    """Stands in for syscall(2): keeps what it was given, answers as told."""

    def __init__(self, *errnos: int) -> None:
        self.answers = list(errnos)
        self.calls: list[tuple[int, bytes]] = []

    def __call__(self, number: int, command: int, address: int, size: int) -> int:
        assert number == call.NR_BPF
        self.calls.append((command, ctypes.string_at(address, size)))
        code = self.answers.pop(0) if self.answers else 0
        if code:
            ctypes.set_errno(code)
            return -1
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeKernel]:
    """Put a FakeKernel with these errnos, one for each call, in the place of the kernel."""

    def put(*errnos: int) -> FakeKernel:
        kernel = FakeKernel(*errnos)
        for module in (call, bpf, bpf_info, bpf_more):
            monkeypatch.setattr(module, "syscall", kernel)
        return kernel

    return put


EXIT = bytes.fromhex("b700000000000000 9500000000000000")


def test_map_create_passes_its_arguments(fake: Callable[..., FakeKernel]) -> None:
    """Every keyword lands in the field of its name; the name is cut to what the kernel takes."""
    kernel = fake()
    with bpf.map_create(
        map_type=1,
        key_size=2,
        value_size=3,
        max_entries=4,
        map_flags=5,
        map_name="a_name_of_more_than_fifteen",
        btf_fd=6,
        btf_key_type_id=7,
        btf_value_type_id=8,
        map_extra=1 << 40,
        map_token_fd=-1,
        excl_prog_hash=b"#" * 32,
    ) as fd:
        assert fd.what == "map 'a_name_of_more_'"
    (command, data), *_ = kernel.calls
    given = attr.MapCreateAttr.from_buffer_copy(data)
    assert command == const.BPF_MAP_CREATE
    assert [given.map_type, given.key_size, given.value_size, given.max_entries] == [1, 2, 3, 4]
    assert [given.map_flags, given.btf_fd] == [5, 6]
    assert [given.btf_key_type_id, given.btf_value_type_id, given.map_extra] == [7, 8, 1 << 40]
    assert (given.map_name, given.map_token_fd) == (b"a_name_of_more_", -1)
    assert given.excl_prog_hash_size == 32


def test_prog_load_counts_for_the_caller(fake: Callable[..., FakeKernel]) -> None:
    """Lengths and counts follow from the buffers."""
    kernel = fake()
    log = bytearray(100)
    bpf.prog_load(
        prog_type=5,
        insns=EXIT,
        license="GPL",
        log_level=1,
        log_buf=log,
        func_info=bytes(16),
        func_info_rec_size=8,
        line_info=bytes(48),
        line_info_rec_size=16,
        fd_array=[3, 4, 5],
        attach_btf_obj_fd=9,
    ).close()
    given = attr.ProgLoadAttr.from_buffer_copy(kernel.calls[0][1])
    assert (given.insn_cnt, given.func_info_cnt, given.line_info_cnt) == (2, 2, 3)
    assert (given.log_size, given.log_level) == (100, 1)
    assert given.log_buf == ctypes.addressof(call.writable(log))
    assert (given.attach_prog_fd, given.attach_btf_obj_fd) == (9, 9)
    assert (given.fd_array_cnt, given.core_relo_cnt) == (0, 0)
    assert given.fd_array != 0


@pytest.mark.parametrize(
    ("errnos", "tries", "outcome"),
    [
        ([], 1, None),
        ([errno.EAGAIN], 2, None),
        ([errno.EAGAIN] * 4, 5, None),
        ([errno.EAGAIN] * 5, 5, errno.EAGAIN),
        ([errno.EAGAIN, errno.EACCES], 2, errno.EACCES),
        ([errno.EACCES], 1, errno.EACCES),
    ],
)
def test_prog_load_tries_again(
    fake: Callable[..., FakeKernel], errnos: list[int], tries: int, outcome: int | None
) -> None:
    """EAGAIN is tried five times in all; any other error counts at once."""
    kernel = fake(*errnos)
    if outcome is None:
        bpf.prog_load(prog_type=5, insns=EXIT, license=b"GPL").close()
    else:
        with pytest.raises(SyscallError, match=r"^load program 'p': BPF_PROG_LOAD: ") as caught:
            bpf.prog_load(prog_type=5, insns=EXIT, license=b"GPL", prog_name="p")
        assert caught.value.errno == outcome
    assert len(kernel.calls) == tries


@pytest.mark.parametrize(
    ("keywords", "field", "value"),
    [
        ({"target_btf_id": 5}, "target_btf_id", 5),
        ({"iter_info": b"12345678"}, "iter_info_len", 8),
        ({"perf_event": attr.LinkCreateAttrPerfEvent(bpf_cookie=6)}, "perf_event.bpf_cookie", 6),
        ({"kprobe_multi": attr.LinkCreateAttrKprobeMulti(cnt=7)}, "kprobe_multi.cnt", 7),
        ({"tracing": attr.LinkCreateAttrTracing(cookie=8)}, "tracing.cookie", 8),
        ({"netfilter": attr.LinkCreateAttrNetfilter(priority=-9)}, "netfilter.priority", -9),
        ({"tcx": attr.LinkCreateAttrTcx(expected_revision=2)}, "tcx.expected_revision", 2),
        ({"uprobe_multi": attr.LinkCreateAttrUprobeMulti(pid=3)}, "uprobe_multi.pid", 3),
        ({"netkit": attr.LinkCreateAttrNetkit(relative_id=4)}, "netkit.relative_fd", 4),
        ({"cgroup": attr.LinkCreateAttrCgroup(relative_fd=4)}, "cgroup.relative_id", 4),
        ({"map_fd": 11}, "prog_fd", 11),
        ({"target_ifindex": 12}, "target_fd", 12),
    ],
)
def test_link_create_passes_the_part_given(
    fake: Callable[..., FakeKernel], keywords: dict[str, object], field: str, value: int
) -> None:
    """Each attach family's part of the attr is passed as given, along with the common fields."""
    kernel = fake()
    bpf.link_create(attach_type=37, flags=4, **keywords).close()
    given = attr.LinkCreateAttr.from_buffer_copy(kernel.calls[0][1])
    assert (given.attach_type, given.flags) == (37, 4)
    found: object = given
    for name in field.split("."):
        found = getattr(found, name)
    assert found == value


def test_prog_query_asks_older_kernels_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """EINVAL to four arrays, then E2BIG to two, leads to the question for the ids alone."""
    calls = []

    def answer(number: int, command: int, address: int, size: int) -> int:
        given = attr.ProgQueryAttr.from_address(address)
        calls.append(command)
        wants = [given.prog_ids, given.prog_attach_flags, given.link_ids]
        code = errno.EINVAL if wants[2] else errno.E2BIG if wants[1] else 0
        if not code and wants[0]:
            ctypes.c_uint32.from_address(wants[0]).value = 77
        given.prog_cnt = 1
        ctypes.set_errno(code)
        return -1 if code else 0

    monkeypatch.setattr(bpf_more, "syscall", answer)
    found = bpf.prog_query(attach_type=0, target_fd=3)
    assert (found.prog_ids, found.prog_attach_flags, found.link_ids) == ((77,), (), ())
    assert calls == [const.BPF_PROG_QUERY] * 4


def test_unknown_command_of_the_module() -> None:
    """sys.bpf offers the functions of the two other modules, and nothing else of them."""
    assert bpf.prog_query is bpf_more.prog_query
    with pytest.raises(AttributeError, match=r"sys\.bpf' has no attribute 'Structure'"):
        bpf.Structure  # type: ignore[attr-defined]  # noqa: B018


def test_every_command_has_a_function() -> None:
    """Each enumerator of enum bpf_cmd of this UAPI is a function under its own name."""
    aliases = {"BPF_PROG_RUN"}
    newer = {"BPF_PROG_ASSOC_STRUCT_OPS", "BPF_COMMON_ATTRS"}
    for name in {f"BPF_{name}" for name in enums.Cmd.__members__} - aliases - newer:
        assert callable(getattr(bpf, name[4:].lower())), name


# --- failures ---


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process appear to have all that BPF asks for, and the kernel not locked down."""
    monkeypatch.setattr(capabilities, "missing_for_bpf", lambda needed=(): None)
    monkeypatch.setattr(explain, "lockdown", lambda: "none")


@pytest.mark.usefixtures("capable")
@pytest.mark.parametrize(
    ("code", "command", "kind", "message"),
    [
        (
            errno.ENOENT,
            const.BPF_MAP_LOOKUP_ELEM,
            KeyMissingError,
            "ENOENT (No such file or directory)",
        ),
        (errno.ENOENT, const.BPF_MAP_DELETE_ELEM, KeyMissingError, "ENOENT"),
        (errno.ENOENT, const.BPF_MAP_LOOKUP_AND_DELETE_ELEM, KeyMissingError, "ENOENT"),
        (errno.ENOENT, const.BPF_MAP_UPDATE_ELEM, KeyMissingError, "ENOENT"),
        (errno.EEXIST, const.BPF_MAP_UPDATE_ELEM, KeyExistsError, "EEXIST (File exists)"),
        (errno.EEXIST, const.BPF_OBJ_PIN, SyscallError, "has that name already"),
        (errno.ENOENT, const.BPF_OBJ_GET, SyscallError, "Nothing is pinned there"),
        (errno.E2BIG, const.BPF_MAP_UPDATE_ELEM, SyscallError, "The map is full"),
        (errno.E2BIG, const.BPF_LINK_CREATE, SyscallError, "newer than this kernel"),
        (errno.EINVAL, const.BPF_LINK_CREATE, SyscallError, "lacks the command (Linux 5.7)"),
        (errno.EINVAL, const.BPF_TOKEN_CREATE, SyscallError, "lacks the command (Linux 6.9)"),
        (errno.ENOSYS, const.BPF_MAP_CREATE, SyscallError, "CONFIG_BPF_SYSCALL"),
        (errno.ENOMEM, const.BPF_MAP_CREATE, SyscallError, "memory cgroup"),
        (errno.EPERM, const.BPF_MAP_UPDATE_ELEM, SyscallError, "frozen"),
        (errno.EPERM, const.BPF_OBJ_PIN, SyscallError, "mount -t bpf bpf /sys/fs/bpf"),
        (errno.EPERM, const.BPF_MAP_CREATE, SyscallError, "ulimit -l"),
        (errno.EIO, 4711, SyscallError, "bpf command 4711: EIO"),
        (524, const.BPF_MAP_FREEZE, SyscallError, "ENOTSUPP"),
    ],
)
def test_failure_by_errno(code: int, command: int, kind: type[SyscallError], message: str) -> None:
    """An errno becomes the error that says what it means from this command, and what to try."""
    error = call.failure(code, command, "do it to map 'm'")
    assert type(error) is kind
    assert error.errno == code
    assert str(error).startswith("do it to map 'm': ")
    assert message in str(error)


@pytest.mark.usefixtures("capable")
def test_failure_with_a_note() -> None:
    """A note comes before the hint."""
    error = call.failure(errno.E2BIG, const.BPF_MAP_UPDATE_BATCH, "update", note="3 of 5 were done")
    assert error.hint == "3 of 5 were done. The map is full, or an index is not below max_entries"


def test_lacking_capability_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else EPERM could mean: a capability that is not there is what is said."""
    monkeypatch.setattr(capabilities, "missing_for_bpf", lambda needed=(): "Be root")
    assert call.failure(errno.EPERM, const.BPF_OBJ_PIN, "pin").hint == "Be root"


def test_lockdown_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all capabilities, on a locked-down kernel, the mode is what is said."""
    monkeypatch.setattr(capabilities, "missing_for_bpf", lambda needed=(): None)
    monkeypatch.setattr(explain, "lockdown", lambda: "confidentiality")
    hint = call.failure(errno.EPERM, const.BPF_PROG_LOAD, "load").hint
    assert "locked down (confidentiality" in hint


def test_unknown_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the number is not known, ENOSYS is a missing feature of ours, with the machine."""
    monkeypatch.setattr(call, "NR_BPF", -1)
    monkeypatch.setattr(perf, "_NR_PERF_EVENT_OPEN", -1)
    machine = os.uname().machine
    ctypes.set_errno(errno.ENOSYS)
    for error in (
        call.failure(errno.ENOSYS, const.BPF_MAP_CREATE, "create map 'm'"),
        perf._failure("perf_event_open", "open event"),
    ):
        assert isinstance(error, NotSupportedError)
        assert f" on {machine} not supported" in str(error)


# --- the rest ---


def test_start_up_imports_little() -> None:
    """Importing the system calls loads nothing that start-up cannot pay for."""
    # -S and -I leave out the editable install.
    runtime = Path(call.__file__).parents[2]
    code = f"import sys; sys.path.insert(0, {str(runtime)!r}); import bpfgen_runtime.sys.bpf"
    command = [sys.executable, "-S", "-I", "-c", f"{code}; print(*sys.modules)"]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    slow = {"contextlib", "dataclasses", "enum", "functools", "inspect", "pathlib", "re", "typing"}
    rare = {"uapi.enums", "uapi.attr_more", "uapi.perf_attr", "host"}
    rare |= {"sys.bpf_info", "sys.bpf_more", "sys.explain"}
    assert "bpfgen_runtime.sys.bpf" in loaded
    assert loaded & (slow | {f"bpfgen_runtime.{name}" for name in rare}) == set()
