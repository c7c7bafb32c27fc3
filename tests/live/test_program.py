"""Loaded programs: identity, pins, test runs, and links that close with them."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator

import pytest
from bpfgen_runtime.errors import BpfError, ClosedError, SyscallError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.uapi.enums import AttachType, ProgType

from tests.support.clang import compile_bpf
from tests.support.kernels import has
from tests.support.leaks import BPFFS_DIR, unique_name

PACKET = bytes(range(64))
XDP_PASS = 2


@pytest.fixture
def loaded() -> Iterator[Object]:
    """The programs of load_testrun, in the kernel."""
    spec = load_spec(str(compile_bpf("load_testrun")))
    spec.programs["work"].autoload = has("syscall programs")
    with Object.load(spec) as loaded:
        yield loaded


def test_identity(loaded: Object) -> None:
    """Name, section, types and numbers, as far as the kernel and the object know them."""
    program = loaded.programs["arguments"]
    info = program.info()
    assert (program.name, program.section) == ("arguments", "raw_tp/sys_enter")
    assert (program.attach_target, program.type) == ("sys_enter", ProgType.RAW_TRACEPOINT)
    assert loaded.programs["grow"].attach_type == AttachType.XDP
    assert (program.id, program.tag) == (info.id, bytes(info.tag).hex())
    assert info.name == b"arguments"
    assert f"fd {program.fileno()}" in repr(program)


def test_packet_that_grows(loaded: Object) -> None:
    """An XDP program gets the packet, and what it makes of it comes back."""
    result = loaded.programs["grow"].test_run(PACKET)
    assert (result.retval, result.data_out) == (XDP_PASS, b"\xde\xad\xbe\xef" + PACKET)
    assert result.ctx_out == b""
    assert "retval=2" in repr(result)


def test_packet_without_room(loaded: Object) -> None:
    """Too little room for the result is ENOSPC; the program has run all the same."""
    with pytest.raises(SyscallError, match="test run of program 'grow'") as caught:
        loaded.programs["grow"].test_run(PACKET, data_size_out=len(PACKET))
    assert caught.value.errno == errno.ENOSPC


def test_context_in_and_out(loaded: Object) -> None:
    """A context given is the program's; its changes come back in another buffer."""
    context = bytearray(192)  # struct __sk_buff
    struct.pack_into("=I", context, 8, 5)  # mark
    before = bytes(context)
    result = loaded.programs["marking"].test_run(PACKET, ctx_in=context)
    assert (result.retval, context) == (7, before)
    assert struct.unpack_from("=I", result.ctx_out, 8) == (6,)
    assert struct.unpack_from("=I", result.ctx_out, 48) == (len(PACKET),)  # cb[0]


def test_repeat(loaded: Object) -> None:
    """A repeated run runs so often and measures the mean."""
    result = loaded.programs["marking"].test_run(PACKET, repeat=1000)
    assert 0 < result.duration_ns < 1_000_000
    assert struct.unpack_from("=Q", loaded.data[".bss"]) == (1000,)


def test_arguments(loaded: Object) -> None:
    """A raw tracepoint program takes 8 bytes an argument."""
    result = loaded.programs["arguments"].test_run(ctx_in=struct.pack("=QQ", 40, 2))
    assert (result.retval, result.duration_ns) == (0, 0)
    assert struct.unpack_from("=Q", loaded.data[".bss"], 8) == (42,)


@pytest.mark.kernel("syscall programs")
def test_syscall_program(loaded: Object) -> None:
    """A syscall program changes its argument: the result has it, the caller's is untouched."""
    argument = struct.pack("=QQ", 21, 0)
    result = loaded.programs["work"].test_run(ctx_in=argument)
    assert (result.retval, struct.unpack("=QQ", result.ctx_out)) == (3, (21, 21))
    assert argument == struct.pack("=QQ", 21, 0)


def test_input_that_a_type_does_not_take(loaded: Object) -> None:
    """Data for a raw tracepoint is EINVAL."""
    with pytest.raises(SyscallError) as caught:
        loaded.programs["arguments"].test_run(PACKET)
    assert caught.value.errno == errno.EINVAL


def test_pin(loaded: Object) -> None:
    """A pinned program is a file, once, until it is unpinned."""
    program = loaded.programs["marking"]
    path = f"{BPFFS_DIR}/{unique_name('prog')}"
    with pytest.raises(BpfError, match="not pinned"):
        program.unpin()
    program.pin(path)
    try:
        assert program.pin_path == path
        assert os.path.exists(path)
        with pytest.raises(BpfError, match="pinned already"):
            program.pin(path + "2")
    finally:
        program.unpin()
    assert not os.path.exists(path)
    assert program.pin_path is None


def test_unpin_what_someone_removed(loaded: Object) -> None:
    """A pin that is gone is ENOENT, with the program's name."""
    program = loaded.programs["marking"]
    path = f"{BPFFS_DIR}/{unique_name('prog')}"
    program.pin(path)
    os.unlink(path)
    with pytest.raises(SyscallError, match="unpin program 'marking'") as caught:
        program.unpin()
    assert caught.value.errno == errno.ENOENT


class FakeLink:
    def __init__(self, order: list[str], name: str) -> None:
        self.order = order
        self.name = name

    def destroy(self) -> None:
        self.order.append(self.name)


def test_links_close_with_the_program(loaded: Object) -> None:
    """Closing destroys the links that are still the program's, the newest first."""
    program = loaded.programs["marking"]
    order: list[str] = []
    links = [FakeLink(order, name) for name in "abc"]
    for link in links:
        program.adopt(link)  # type: ignore[arg-type]
    program.disown(links[1])  # type: ignore[arg-type]
    assert program.links == (links[0], links[2])
    program.close()
    program.close()
    assert order == ["c", "a"]
    with pytest.raises(ClosedError, match="program 'marking' is closed"):
        program.adopt(links[0])  # type: ignore[arg-type]
    with pytest.raises(ClosedError), program:
        pass
