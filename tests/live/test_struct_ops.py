"""struct_ops: a congestion control in Python's hands, under names of its own, never the default."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime.btf import Int
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.errors import (
    BpfError,
    ClosedError,
    NotSupportedError,
    RelocationError,
    SyscallError,
)
from bpfgen_runtime.kernel_types import KernelType, KernelTypes
from bpfgen_runtime.link import Link
from bpfgen_runtime.link.struct_ops import StructOpsLink, StructOpsMap
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.sys import bpf, call
from bpfgen_runtime.uapi.attr import MapCreateAttr
from bpfgen_runtime.uapi.const import (
    BPF_F_VTYPE_BTF_OBJ_FD,
    BPF_LINK_TYPE_STRUCT_OPS,
    BPF_MAP_CREATE,
)

from tests.support.clang import compile_bpf
from tests.support.netns import veth_namespace
from tests.support.requirements import tool

AVAILABLE = "/proc/sys/net/ipv4/tcp_available_congestion_control"

pytestmark = pytest.mark.needs("btf")


def available() -> set[str]:
    return {name for name in Path(AVAILABLE).read_text().split() if name.startswith("bpfgen")}


@pytest.fixture(autouse=True)
def _none_registered() -> Iterator[None]:
    """Every test ends with the congestion controls that it began with."""
    assert available() == set()
    yield
    assert available() == set()


@pytest.fixture
def plain() -> ObjectSpec:
    return load_spec(str(compile_bpf("maps_ops")))


@pytest.fixture
def linked() -> ObjectSpec:
    return load_spec(str(compile_bpf("maps_ops_link")))


def ops_map(loaded: Object, name: str = "control") -> StructOpsMap:
    found = loaded.maps[name]
    assert isinstance(found, StructOpsMap)
    return found


def test_plain_map(plain: ObjectSpec) -> None:
    """A map of `.struct_ops` registers itself until its link is destroyed."""
    with Object.load(plain) as loaded:
        control = ops_map(loaded)
        assert available() == set()
        link = control.attach()
        assert available() == {"bpfgen_plain"}
        assert control.links == (link,)
        assert link.map is control
        with pytest.raises(NotSupportedError, match="pinning StructOpsLink of map 'control'"):
            link.pin("/sys/fs/bpf/never")
        with pytest.raises(NotSupportedError, match=r'Use SEC\("\.struct_ops\.link"\)'):
            link.update(control)
        link.detach()
        assert available() == set()
        assert link.closed
        assert control.links == ()
        link.destroy()


def test_map_that_is_closed_while_attached(plain: ObjectSpec) -> None:
    """Closing the object takes the struct back: the kernel would keep it otherwise."""
    with Object.load(plain) as loaded:
        link = ops_map(loaded).attach()
        assert available() == {"bpfgen_plain"}
    assert link.closed
    with pytest.raises(ClosedError):
        link.fileno()


def test_twice(plain: ObjectSpec) -> None:
    """A name can be registered once; the error names the map."""
    with Object.load(plain) as first, Object.load(plain) as second:
        ops_map(first).attach()
        with pytest.raises(SyscallError, match="attach struct_ops map 'control'") as caught:
            ops_map(second).attach()
        assert caught.value.errno == errno.EEXIST
        assert ops_map(second).links == ()


@pytest.mark.kernel("struct_ops links")
def test_link(linked: ObjectSpec, pin_dir: Path) -> None:
    """A map of `.struct_ops.link` has a link in the kernel, which can be pinned."""
    with Object.load(linked) as loaded:
        control = ops_map(loaded)
        link = control.attach()
        assert available() == {"bpfgen_link"}
        assert link.info().type == BPF_LINK_TYPE_STRUCT_OPS
        path = pin_dir / "control"
        link.pin(path)
        link.destroy()
        assert available() == {"bpfgen_link"}
        with StructOpsLink.open_pinned(path) as again:
            assert again.map is None
            again.unpin()
        assert available() == set()
        control.attach().destroy()  # a second time: the map's value is set already
        assert available() == set()


@pytest.mark.kernel("struct_ops links")
def test_update(linked: ObjectSpec) -> None:
    """A link can be handed another map that implements the struct under the same name."""
    later = linked.maps["later"].struct_ops
    assert later is not None
    later.set("name", b"bpfgen_link".ljust(16, b"\0"))
    with Object.load(linked) as loaded:
        control, other = ops_map(loaded), ops_map(loaded, "later")
        link = control.attach()
        link.update(other)
        assert available() == {"bpfgen_link"}
        assert control.links == ()
        assert other.links == (link,)
    assert link.closed


def test_socket_that_uses_it(plain: ObjectSpec) -> None:
    """A connection with the congestion control, in a network of its own, calls the programs."""
    with Object.load(plain) as loaded, veth_namespace() as namespace:
        link = ops_map(loaded).attach()
        command = [tool("ip"), "-n", namespace.name, "link", "set", "lo", "up"]
        subprocess.run(command, check=True)
        with namespace.entered():
            _talk(b"bpfgen_plain")
        assert int.from_bytes(loaded.data[".bss"][:4], "little") > 0
        link.destroy()


def _talk(control: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control)
        client.connect(server.getsockname())
        peer, _ = server.accept()
        with peer:
            for _ in range(20):
                client.sendall(bytes(10000))
                got = 0
                while got < 10000:
                    got += len(peer.recv(10000))


def test_data_members_and_functions(plain: ObjectSpec) -> None:
    """Both can be changed before load; a function left out leaves its program out."""
    ops = plain.maps["control"].struct_ops
    assert ops is not None
    ops.set("name", b"bpfgen_other".ljust(16, b"\0"))
    with Object.load(plain) as loaded, ops_map(loaded).attach():
        assert available() == {"bpfgen_other"}
    ops.functions["undo_cwnd"] = None
    with Object.load(plain) as loaded:
        assert sorted(loaded.programs) == ["ops_cong_avoid", "ops_ssthresh"]
        with pytest.raises(SyscallError, match="attach struct_ops map") as caught:
            ops_map(loaded).attach()  # a congestion control needs it
        assert caught.value.errno == errno.EINVAL


@pytest.mark.kernel("struct_ops links")
def test_programs_follow_their_maps(linked: ObjectSpec) -> None:
    """A program is loaded if a map that is created has it, whatever its autoload."""
    with Object.load(linked) as loaded:
        assert "other_cong_avoid" not in loaded.programs
        assert list(loaded.maps) == [".bss", "control", "later"]
    linked.maps["optional"].autocreate = True
    linked.maps["control"].autocreate = linked.maps["later"].autocreate = False
    linked.programs["other_cong_avoid"].autoload = False
    with Object.load(linked) as loaded:
        assert sorted(loaded.programs) == ["ops_ssthresh", "ops_undo_cwnd", "other_cong_avoid"]
        with ops_map(loaded, "optional").attach():
            assert available() == {"bpfgen_maybe"}


@pytest.mark.kernel("attach_btf_id in the info of programs")
def test_what_the_programs_attach_to(plain: ObjectSpec) -> None:
    """The kernel knows each by the struct and the member's index there, not in the object."""
    with Object.load(plain) as loaded:
        from bpfgen_runtime.btf import Struct
        from bpfgen_runtime.btf.kernel import kernel_btf

        infos = {name: program.info() for name, program in loaded.programs.items()}
        kernel = kernel_btf()
        ops = kernel.type(infos["ops_ssthresh"].attach_btf_id)
        assert isinstance(ops, Struct)
        assert ops.name == "tcp_congestion_ops"
        members = [member.name for member in ops.members]
        for name, program in loaded.programs.items():
            assert members[program.expected_attach_type] == name.removeprefix("ops_")
        # The spec stays as it was.
        assert plain.programs["ops_ssthresh"].expected_attach_type == 0


def test_members_of_another_kernel(linked: ObjectSpec) -> None:
    """A flavor may have members that this kernel lacks, while they are zero."""
    later = linked.maps["later"].struct_ops
    assert later is not None
    later.set("made_up_number", (1).to_bytes(8, "little"))
    with pytest.raises(NotSupportedError, match=r"map 'later': member 'made_up_number'.*zero"):
        Object.load(linked)
    later.set("made_up_number", bytes(8))
    later.functions["made_up_function"] = "ops_ssthresh"
    with pytest.raises(NotSupportedError, match="map 'later': member 'made_up_function'"):
        Object.load(linked)


def test_functions_that_are_wrong(plain: ObjectSpec) -> None:
    """A program that does not exist, or in two places, is an error that names the member."""
    ops = plain.maps["control"].struct_ops
    assert ops is not None
    ops.functions["ssthresh"] = "nobody"
    with pytest.raises(RelocationError, match=r"'ssthresh': 'nobody' is no program of SEC"):
        Object.load(plain)
    ops.functions["ssthresh"] = "ops_undo_cwnd"
    with pytest.raises(RelocationError, match=r"program 'ops_undo_cwnd' is member .* another one"):
        Object.load(plain)


def test_struct_that_no_kernel_has() -> None:
    """The error names the map and the struct."""
    with pytest.raises(NotSupportedError, match="'ops': struct bpf_struct_ops_bpfgen_made_up_ops"):
        Object.load(load_spec(str(compile_bpf("maps_ops_unknown"))))


@pytest.mark.kernel("bpf_dummy_ops")
def test_test_run() -> None:
    """The kernel's dummy struct lets its programs be run, and cannot be registered."""
    with Object.load(load_spec(str(compile_bpf("maps_ops_dummy")))) as loaded:
        # One argument, a pointer: NULL is allowed.
        assert loaded.programs["answer"].test_run(ctx_in=bytes(8)).retval == 0xF2F3F4F5
        assert "unused" not in loaded.programs
        with pytest.raises(BpfError, match="attach struct_ops map 'dummy'"):
            ops_map(loaded, "dummy").attach()


@pytest.mark.kernel("struct_ops links")
def test_open_pinned_of_another_link(linked: ObjectSpec, pin_dir: Path) -> None:
    """A pinned link is opened as what it is."""
    path = pin_dir / "control"
    with Object.load(linked) as loaded:
        ops_map(loaded).attach().pin(path)
        with Link.open_pinned(os.fspath(path)) as link:
            assert isinstance(link, StructOpsLink)
            link.unpin()


# --- in a module


def test_struct_in_a_module(plain: ObjectSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is told by a descriptor in whose BTF the struct is.

    Debian's kernels have no module with a struct_ops of its own, so this is what the kernel is
    asked; it refuses a BTF that is no module's.
    """
    find, real = KernelTypes.find, call.syscall
    asked: list[MapCreateAttr] = []

    def found(types: KernelTypes, name: str, kind: int, module: str | None = None) -> Any:
        place = find(types, name, kind, module)
        return place and KernelType(place.btf, place.type_id, "some_module", some.fileno())

    def watched(number: int, command: int, address: int, size: int) -> Any:
        if command == BPF_MAP_CREATE:
            asked.append(MapCreateAttr.from_buffer_copy(ctypes.string_at(address, size)))
        return real(number, command, address, size)

    with bpf.btf_load(btf=encode([Int("int", 4)], byte_order="<")) as some:
        monkeypatch.setattr(KernelTypes, "find", found)
        monkeypatch.setattr(call, "syscall", watched)
        with pytest.raises(SyscallError, match="create map 'control'"):
            Object.load(plain)
        (attr,) = [each for each in asked if each.map_name == b"control"]
        assert attr.map_flags & BPF_F_VTYPE_BTF_OBJ_FD
        assert attr.value_type_btf_obj_fd == some.fileno()
        assert attr.btf_vmlinux_value_type_id
