"""Maps that hold kernel objects: programs, cgroups, devices, CPUs, sockets."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime.errors import (
    BpfError,
    ClosedError,
    KeyExistsError,
    KeyMissingError,
    SyscallError,
)
from bpfgen_runtime.host.cpus import possible_cpus
from bpfgen_runtime.insn import BPF_ALU64, BPF_EXIT, BPF_JMP, BPF_MOV, Insn, encode
from bpfgen_runtime.map import (
    CgroupArray,
    CpuMap,
    CpuMapVal,
    CpuProgMap,
    DevMap,
    DevMapVal,
    DevProgMap,
    Map,
    ProgArray,
    ReuseportSockArray,
    ReuseportSockCookieArray,
    SockCookieHash,
    SockCookieMap,
    SockHash,
    SockMap,
    XskMap,
)
from bpfgen_runtime.program import Program
from bpfgen_runtime.spec import ProgramSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import u64

from tests.support.cgroup import temporary_cgroup
from tests.support.netns import VethNamespace, veth_namespace
from tests.support.xsk import AF_XDP, bound_xsk

SO_COOKIE = 57

Make = Callable[..., Any]


@pytest.fixture
def make() -> Iterator[Make]:
    """A function that makes maps, which are closed in the end."""
    with ExitStack() as stack:

        def make_map(
            cls: type[Map], map_type: int, value_size: int = 4, entries: int = 4, key: Any = None
        ) -> Map:
            key_size = 4 if key is None else key.size
            fd = bpf.map_create(
                map_type=map_type,
                key_size=key_size,
                value_size=value_size,
                max_entries=entries,
                map_name="tested",
            )
            try:
                one = cls(
                    fd,
                    name="tested",
                    map_type=map_type,
                    key_size=key_size,
                    value_size=value_size,
                    max_entries=entries,
                    key=key,
                )
            except BaseException:
                fd.close()
                raise
            return stack.enter_context(one)

        yield make_map


@pytest.fixture
def program() -> Iterator[Make]:
    """A function that loads programs which return a number."""
    with ExitStack() as stack:

        def load(
            name: str = "tested_program",
            result: int = 0,
            prog_type: int = k.BPF_PROG_TYPE_XDP,
            expected_attach_type: int = 0,
        ) -> Program:
            insns = encode(
                (
                    Insn(BPF_ALU64 | BPF_MOV, 0, 0, 0, result),
                    Insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
                ),
                "<",
            )
            fd = bpf.prog_load(
                prog_type=prog_type,
                insns=insns,
                license="GPL",
                prog_name=name[:15],
                expected_attach_type=expected_attach_type,
                what=f"load {name!r}",
            )
            return stack.enter_context(
                Program(fd, ProgramSpec(name, "", insns, prog_type=prog_type))
            )

        yield load


@pytest.fixture
def netns() -> Iterator[VethNamespace]:
    """A namespace with a veth pair."""
    with veth_namespace() as made:
        yield made


def cookie(one: socket.socket) -> int:
    (number,) = struct.unpack("=Q", one.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
    return int(number)


# --- programs


def test_prog_array(make: Make, program: Make) -> None:
    """A program array maps the indices in use to programs, opened by id."""
    tails = make(ProgArray, k.BPF_MAP_TYPE_PROG_ARRAY)
    one, two = program("one", 1), program("two", 2)
    assert len(tails) == 0
    assert 0 not in tails
    assert list(tails) == []
    tails[0] = one
    tails[3] = two.fileno()
    assert list(tails) == [0, 3]
    assert len(tails) == 2
    assert 3 in tails
    assert 1 not in tails
    assert tails.ids() == {0: one.id, 3: two.id}
    found = tails[0]
    assert (found.name, found.prog_type, found.id) == ("one", k.BPF_PROG_TYPE_XDP, one.id)
    assert found.fileno() != one.fileno()
    assert [each.test_run(bytes(64)).retval for each in tails.values()] == [1, 2]
    assert {index: each.name for index, each in tails.items()} == {0: "one", 3: "two"}
    tails[0] = two
    assert tails.ids() == {0: two.id, 3: two.id}
    del tails[0]
    tails.delete(3)
    assert tails.ids() == {}
    assert tails.get(0) is None
    with pytest.raises(KeyMissingError, match="look up slot 0 of map 'tested'"):
        _ = tails[0]
    with pytest.raises(KeyMissingError, match="delete slot 0 of map 'tested'"):
        del tails[0]


def test_programs_read_close_by_themselves(make: Make, program: Make) -> None:
    """A program that was read keeps no descriptor open once it is dropped."""
    tails = make(ProgArray, k.BPF_MAP_TYPE_PROG_ARRAY)
    tails[1] = program()
    before = len(os.listdir("/proc/self/fd"))
    assert tails[1].name == "tested_program"
    for each in tails.values():
        assert not each.closed
    del each
    assert len(os.listdir("/proc/self/fd")) == before


def test_prog_array_refusals(make: Make, program: Make) -> None:
    """The errors say which slot of which map, and what to try."""
    tails = make(ProgArray, k.BPF_MAP_TYPE_PROG_ARRAY)
    one = program("one")
    with pytest.raises(
        SyscallError, match=r"put Program 'one' into slot 4 of map 'tested'.*4 slots.*max_entries"
    ):
        tails[4] = one
    with pytest.raises(SyscallError, match="no descriptor of a program"):
        tails[0] = 12345
    with pytest.raises(SyscallError, match=r"no descriptor of a program|must be of one type"):
        tails[0] = tails
    with pytest.raises(SyscallError, match="EINVAL"):
        tails.update(0, one, k.BPF_NOEXIST)
    with pytest.raises((OverflowError, TypeError), match="key of map 'tested'"):
        tails["0"] = one
    tails[0] = one
    other = program("other", prog_type=k.BPF_PROG_TYPE_SOCKET_FILTER)
    with pytest.raises(SyscallError, match="must be of one type"):
        tails[1] = other
    tails.clear()
    assert len(tails) == 0
    tails.close()
    with pytest.raises(ClosedError):
        _ = tails[0]


def test_wrong_class(make: Make) -> None:
    """A class refuses maps of other types, and sizes that are not its own."""
    with pytest.raises(BpfError, match="cannot be of class ProgArray"):
        make(ProgArray, k.BPF_MAP_TYPE_ARRAY)


# --- cgroups


def test_cgroup_array(make: Make) -> None:
    """A cgroup array takes cgroups by path and by descriptor; nothing can be read."""
    groups = make(CgroupArray, k.BPF_MAP_TYPE_CGROUP_ARRAY)
    with temporary_cgroup() as cgroup:
        groups[0] = cgroup
        groups[1] = str(cgroup)
        number = os.open(cgroup, os.O_RDONLY)
        try:
            groups[2] = number
        finally:
            os.close(number)
        with pytest.raises(SyscallError, match=r"put '/' into slot 0.*cgroup version 2"):
            groups[0] = "/"
        with pytest.raises(SyscallError, match=r"put '/nonesuch' into slot 0 .*ENOENT"):
            groups[0] = Path("/nonesuch")
        with pytest.raises(SyscallError, match="4 slots"):
            groups[4] = cgroup
        del groups[0]
        with pytest.raises(KeyMissingError):
            groups.delete(0)
        groups.clear()
        with pytest.raises(KeyMissingError):
            del groups[1]
    assert not hasattr(groups, "__getitem__")


# --- devices and CPUs


@pytest.mark.parametrize("map_type", [k.BPF_MAP_TYPE_DEVMAP, k.BPF_MAP_TYPE_DEVMAP_HASH])
def test_dev_map(make: Make, netns: VethNamespace, map_type: int) -> None:
    """A devmap takes devices by index and by name, and gives indices."""
    with netns.entered():
        devices = make(DevMap, map_type)
        index, peer = netns.ifindex(), socket.if_nametoindex(netns.PEER)
        devices[0] = netns.DEVICE
        devices[3] = peer
        assert dict(devices) == {0: index, 3: peer}
        assert devices[0] == index
        assert 1 not in devices
        assert len(devices) == 2
        with pytest.raises(SyscallError, match="no such device"):
            devices[1] = 4711
        with pytest.raises(SyscallError, match=r"device 'eth4711'.*no such device"):
            devices[1] = "eth4711"
        with pytest.raises(ValueError, match="0 is no device's index"):
            devices[0] = 0
        with pytest.raises(KeyExistsError):
            devices.update(0, peer, k.BPF_NOEXIST)
        del devices[0]
        assert list(devices) == [3]
        devices.clear()
        assert dict(devices) == {}


def test_dev_map_hash_has_any_number(make: Make, netns: VethNamespace) -> None:
    """Keys of a devmap_hash are any numbers; what is not there cannot be deleted."""
    with netns.entered():
        devices = make(DevMap, k.BPF_MAP_TYPE_DEVMAP_HASH)
        devices[4_000_000_000] = netns.DEVICE
        assert list(devices) == [4_000_000_000]
        with pytest.raises(KeyMissingError):
            del devices[1]


@pytest.mark.parametrize("map_type", [k.BPF_MAP_TYPE_DEVMAP, k.BPF_MAP_TYPE_DEVMAP_HASH])
def test_dev_map_with_programs(
    make: Make, program: Make, netns: VethNamespace, map_type: int
) -> None:
    """Where values are struct bpf_devmap_val, a program goes along with a device."""
    with netns.entered():
        devices = make(DevProgMap, map_type, 8)
        index = netns.ifindex()
        egress = program("egress", 2, expected_attach_type=k.BPF_XDP_DEVMAP)
        devices[0] = netns.DEVICE
        devices[1] = (netns.DEVICE, egress)
        devices[2] = (index, egress.fileno())
        devices[3] = index, None
        bare, full = DevMapVal(index, 0), DevMapVal(index, egress.id)
        assert dict(devices.items()) == {0: bare, 1: full, 2: full, 3: bare}
        with pytest.raises(SyscallError, match=r"Program 'ingress'.*SEC\(\"xdp/devmap\"\)"):
            devices[1] = (index, program("ingress"))
        with pytest.raises(SyscallError, match="and descriptor 12345 into slot 1"):
            devices[1] = (index, 12345)


def test_cpu_map(make: Make, program: Make) -> None:
    """A cpumap gives the sizes of queues by CPU."""
    queues = make(CpuMap, k.BPF_MAP_TYPE_CPUMAP, entries=len(possible_cpus()))
    queues[0] = 192
    assert dict(queues) == {0: 192}
    with pytest.raises(SyscallError, match="at most 16384"):
        queues[0] = 16385
    with pytest.raises(ValueError, match="0 is no queue's size"):
        queues[0] = 0
    with pytest.raises(SyscallError, match="slots"):
        queues[len(possible_cpus())] = 64
    del queues[0]
    assert len(queues) == 0


def test_cpu_map_with_programs(make: Make, program: Make) -> None:
    """Where values are struct bpf_cpumap_val, a program goes along with a queue."""
    queues = make(CpuProgMap, k.BPF_MAP_TYPE_CPUMAP, 8, len(possible_cpus()))
    on_cpu = program("on_cpu", 2, expected_attach_type=k.BPF_XDP_CPUMAP)
    queues[0] = (64, on_cpu)
    assert queues[0] == CpuMapVal(64, on_cpu.id)
    queues[0] = 128
    assert queues[0] == CpuMapVal(128, 0)
    with pytest.raises(SyscallError, match=r"SEC\(\"xdp/cpumap\"\)"):
        queues[0] = (64, program("elsewhere"))


# --- sockets


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A pair of connected TCP sockets on the loopback device."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(server.getsockname()))
        yield client, stack.enter_context(server.accept()[0])


Pair = tuple[socket.socket, socket.socket]


def test_sock_map(make: Make, connected: Pair) -> None:
    """A sockmap takes sockets; with 4-byte values it can be written only."""
    sockets = make(SockMap, k.BPF_MAP_TYPE_SOCKMAP)
    one, two = connected
    sockets[0] = one
    sockets[1] = two.fileno()
    with pytest.raises(KeyExistsError):
        sockets.update(0, two, k.BPF_NOEXIST)
    with pytest.raises(KeyMissingError):
        sockets.update(2, two, k.BPF_EXIST)
    del sockets[0]
    with pytest.raises(KeyMissingError):
        del sockets[0]
    sockets.clear()
    with pytest.raises(KeyMissingError):
        del sockets[1]
    with socket.socket() as idle, pytest.raises(SyscallError, match="connected or listens"):
        sockets[0] = idle
    with pytest.raises(ClosedError, match="a socket is closed"):
        sockets[0] = idle
    with open("/dev/null") as file, pytest.raises(SyscallError, match="else than a socket"):
        sockets[0] = file
    assert not hasattr(sockets, "__getitem__")
    assert not hasattr(sockets, "__iter__")


def test_sock_map_with_cookies(make: Make, connected: Pair) -> None:
    """With 8-byte values a sockmap gives cookies; closed sockets leave it."""
    sockets = make(SockCookieMap, k.BPF_MAP_TYPE_SOCKMAP, 8)
    one, two = connected
    sockets[0] = one
    sockets[3] = two
    assert dict(sockets) == {0: cookie(one), 3: cookie(two)}
    one.close()
    assert dict(sockets) == {3: cookie(two)}
    with pytest.raises(KeyMissingError):
        del sockets[0]


def test_sock_hash(make: Make, connected: Pair) -> None:
    """A sockhash has keys of the object's own; with 4-byte values they can be listed only."""
    sockets = make(SockHash, k.BPF_MAP_TYPE_SOCKHASH, key=u64)
    one, two = connected
    sockets[1 << 40] = one
    sockets[5] = two
    assert sorted(sockets) == [5, 1 << 40]
    with pytest.raises(KeyExistsError):
        sockets.update(5, one, k.BPF_NOEXIST)
    del sockets[5]
    with pytest.raises(KeyMissingError):
        del sockets[5]
    assert list(sockets) == [1 << 40]
    sockets.clear()
    assert list(sockets) == []
    assert not hasattr(sockets, "__getitem__")


def test_sock_hash_with_cookies(make: Make, connected: Pair) -> None:
    """With 8-byte values a sockhash is a mapping of its keys to cookies."""
    sockets = make(SockCookieHash, k.BPF_MAP_TYPE_SOCKHASH, 8, key=u64)
    one, two = connected
    sockets[7] = one
    sockets[8] = two
    assert dict(sockets.items()) == {7: cookie(one), 8: cookie(two)}
    assert sockets.get(9, 0) == 0
    assert 7 in sockets


def test_sock_map_takes_udp_and_unix(make: Make) -> None:
    """UDP sockets go in once they are bound, Unix sockets once they are connected."""
    sockets = make(SockCookieMap, k.BPF_MAP_TYPE_SOCKMAP, 8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        sockets[0] = udp
        assert sockets[0] == cookie(udp)


def test_xsk_map(make: Make, netns: VethNamespace) -> None:
    """An xskmap takes AF_XDP sockets."""
    with netns.entered():
        sockets = make(XskMap, k.BPF_MAP_TYPE_XSKMAP)
        peer = socket.if_nametoindex(netns.PEER)
        with bound_xsk(netns.ifindex()) as one, bound_xsk(peer) as two:
            sockets[0] = one
            sockets[1] = one.fileno()
            with pytest.raises(KeyExistsError):
                sockets.update(0, two, k.BPF_NOEXIST)
            del sockets[0]
            with pytest.raises(KeyMissingError):
                sockets.update(0, one, k.BPF_EXIST)
            sockets.clear()
        with socket.socket() as tcp, pytest.raises(SyscallError, match="no AF_XDP socket"):
            sockets[0] = tcp
    assert not hasattr(sockets, "__getitem__")


@pytest.mark.kernel("AF_XDP sockets in maps once they are bound")
def test_xsk_map_takes_bound_sockets_only(make: Make) -> None:
    """One that is not bound yet is refused, with what to do."""
    sockets = make(XskMap, k.BPF_MAP_TYPE_XSKMAP)
    with (
        socket.socket(AF_XDP, socket.SOCK_RAW) as xsk,
        pytest.raises(SyscallError, match="bind it first") as raised,
    ):
        sockets[0] = xsk
    assert raised.value.errno == errno.ENOBUFS


def shared_port(count: int) -> ExitStack:
    """Bind UDP sockets to one port of the loopback device; they are `.sockets` of the stack."""
    stack = ExitStack()
    port = 0
    made = []
    for _ in range(count):
        one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", port))
        port = one.getsockname()[1]
        made.append(one)
    stack.sockets = made  # type: ignore[attr-defined]
    return stack


def test_reuseport_array(make: Make) -> None:
    """A reuseport array takes sockets that share a port, each in one array."""
    array = make(ReuseportSockArray, k.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY)
    with shared_port(2) as stack, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        one, two = stack.sockets  # type: ignore[attr-defined]
        array[0] = one
        array[1] = two.fileno()
        with pytest.raises(SyscallError, match="in one only") as caught:
            array[2] = one
        assert caught.value.errno == errno.EBUSY
        with pytest.raises(SyscallError, match="must have SO_REUSEPORT"):
            array[2] = alone
        del array[0]
        with pytest.raises(KeyMissingError):
            del array[0]
        array.clear()
    assert not hasattr(array, "__getitem__")


def test_reuseport_array_with_cookies(make: Make) -> None:
    """With 8-byte values it gives cookies."""
    array = make(ReuseportSockCookieArray, k.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 8)
    with shared_port(2) as stack:
        one, two = stack.sockets  # type: ignore[attr-defined]
        array[0] = one
        array[2] = two
        assert dict(array) == {0: cookie(one), 2: cookie(two)}
    assert len(array) == 0


def test_slots_emptied_during_iteration(make: Make, connected: Pair) -> None:
    """Iteration survives that others empty slots, and so do `items()`."""
    sockets = make(SockCookieMap, k.BPF_MAP_TYPE_SOCKMAP, 8, 64)
    one, _ = connected
    for index in range(64):
        sockets[index] = one
    seen = []
    for index, _value in sockets.items():
        seen.append(index)
        if index % 2 == 0 and index + 1 < 64:
            del sockets[index + 1]
    assert seen == list(range(0, 64, 2))


def test_use_by_several_threads(make: Make, program: Make) -> None:
    """Threads may read and write one map at once."""
    tails = make(ProgArray, k.BPF_MAP_TYPE_PROG_ARRAY, entries=8)
    one = program("one")
    failures: list[BaseException] = []

    def work(index: int) -> None:
        try:
            for _ in range(50):
                tails[index] = one
                assert tails[index].name == "one"
                del tails[index]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
