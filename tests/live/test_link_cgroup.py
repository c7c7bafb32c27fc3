"""Cgroup links on a cgroup of the test's own, with child processes in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from bpfgen_runtime.errors import SyscallError
from bpfgen_runtime.link import attach
from bpfgen_runtime.link.cgroup import CgroupLink, CgroupProgram
from bpfgen_runtime.object import Object
from bpfgen_runtime.sys.fd import Fd
from bpfgen_runtime.uapi.enums import AttachType, LinkType

from tests.support.cgroup import run_in, temporary_cgroup
from tests.support.links import Counts, loaded, program

SOCKET, CONNECT, PACKET = 1, 2, 3

MAKE_SOCKET = "import socket; socket.socket().close()"
CONNECT_SOMEWHERE = """
import socket
with socket.socket() as s:
    try:
        s.connect(("127.0.0.1", 9))
    except OSError as error:
        print(error.errno)
"""
SEND = """
import socket
with socket.socket(type=socket.SOCK_DGRAM) as there, socket.socket(type=socket.SOCK_DGRAM) as s:
    there.bind(("127.0.0.1", 0))
    s.sendto(b"x", there.getsockname())
"""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    with temporary_cgroup() as path:
        yield path


@pytest.fixture
def live() -> Iterator[Object]:
    with loaded("link_cgroup") as live:
        yield live


@pytest.fixture
def counts(live: Object) -> Counts:
    return Counts(live, SOCKET, CONNECT, PACKET)


@pytest.mark.parametrize(
    ("name", "slot", "code", "kind"),
    [
        ("on_socket", SOCKET, MAKE_SOCKET, AttachType.CGROUP_INET_SOCK_CREATE),
        ("on_connect", CONNECT, CONNECT_SOMEWHERE, AttachType.CGROUP_INET4_CONNECT),
        ("on_packet", PACKET, SEND, AttachType.CGROUP_INET_EGRESS),
    ],
)
def test_sees_what_the_cgroup_does_until_destroyed(
    live: Object,
    counts: Counts,
    cgroup: Path,
    name: str,
    slot: int,
    code: str,
    kind: AttachType,
) -> None:
    """The program runs for the cgroup's processes until destroy; info says where and how."""
    live_program = program(live, name, CgroupProgram)
    with live_program.attach_cgroup(cgroup) as link:
        assert run_in(cgroup, code).stderr == ""
        assert counts[slot] == 1
        info = link.info()
        assert (info.type, info.prog_id) == (LinkType.CGROUP, live_program.id)
        assert (info.cgroup_id, info.attach_type) == (cgroup.stat().st_ino, kind)
    assert run_in(cgroup, code).stderr == ""
    assert counts[slot] == 1


def test_program_decides(live: Object, cgroup: Path) -> None:
    """A connect4 program that returns 0 makes connect(2) fail with EPERM, in its cgroup only."""
    with program(live, "on_connect", CgroupProgram).attach_cgroup(cgroup):
        assert run_in(cgroup, CONNECT_SOMEWHERE).stdout == "1\n"  # EPERM
    assert run_in(cgroup, CONNECT_SOMEWHERE).stdout == "111\n"  # ECONNREFUSED


def test_cgroup_by_descriptor(live: Object, counts: Counts, cgroup: Path) -> None:
    """The cgroup can be a descriptor or an object that has one, which stays open."""
    socket_program = program(live, "on_socket", CgroupProgram)
    with Fd(os.open(cgroup, os.O_RDONLY)) as directory:
        with socket_program.attach_cgroup(directory):
            run_in(cgroup, MAKE_SOCKET)
        with socket_program.attach_cgroup(directory.fileno()):
            run_in(cgroup, MAKE_SOCKET)
        assert os.fstat(directory.fileno())
    assert counts[SOCKET] == 2


def test_several_programs_on_one_cgroup(live: Object, counts: Counts, cgroup: Path) -> None:
    """Links stand beside one another: all programs run."""
    socket_program = program(live, "on_socket", CgroupProgram)
    with live.programs["refuse"], socket_program.attach_cgroup(cgroup):
        with program(live, "refuse", CgroupProgram).attach_cgroup(cgroup):
            assert "PermissionError" in run_in(cgroup, MAKE_SOCKET).stderr
        assert run_in(cgroup, MAKE_SOCKET).stderr == ""
    assert counts[SOCKET] == 2


def test_update_changes_the_program(live: Object, counts: Counts, cgroup: Path) -> None:
    """`update` puts another program in place without a moment in between."""
    refuse = program(live, "refuse", CgroupProgram)
    with program(live, "on_socket", CgroupProgram).attach_cgroup(cgroup) as link:
        link.update(refuse)
        assert "PermissionError" in run_in(cgroup, MAKE_SOCKET).stderr
    assert counts[SOCKET] == 0


def test_detach_leaves_a_link_without_cgroup(live: Object, counts: Counts, cgroup: Path) -> None:
    """`detach` takes effect at once; the link remains, its cgroup is 0."""
    with program(live, "on_socket", CgroupProgram).attach_cgroup(cgroup) as link:
        link.detach()
        assert link.info().cgroup_id == 0
        run_in(cgroup, MAKE_SOCKET)
    assert counts[SOCKET] == 0


def test_pin_outlives_the_link(live: Object, counts: Counts, cgroup: Path, pin_dir: Path) -> None:
    """A pinned link goes on when destroyed, and is found again by its file."""
    link = program(live, "on_socket", CgroupProgram).attach_cgroup(cgroup)
    link.pin(pin_dir / "link")
    link.destroy()
    run_in(cgroup, MAKE_SOCKET)
    assert counts[SOCKET] == 1
    with CgroupLink.open_pinned(pin_dir / "link") as again:
        again.unpin()
    run_in(cgroup, MAKE_SOCKET)
    assert counts[SOCKET] == 1


def test_is_left_out_by_automatic_attachment(live: Object) -> None:
    """A section that cannot name a cgroup does not attach by itself."""
    assert attach(live.programs["on_socket"]) is None


@pytest.mark.parametrize(
    ("path", "message"),
    [("/tmp", "'/tmp'.*EBADF.*version 2"), ("/no/such", "'/no/such'.*ENOENT")],
)
def test_no_cgroup(live: Object, path: str, message: str) -> None:
    """A directory that is no cgroup, or none at all, is an error that names it."""
    with pytest.raises(SyscallError, match=message):
        program(live, "on_socket", CgroupProgram).attach_cgroup(path)
