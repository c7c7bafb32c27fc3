"""User ring buffers: what this process writes, a program in this machine's kernel drains."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bpfgen_runtime.errors import BpfError, ClosedError, SyscallError
from bpfgen_runtime.map import open_map
from bpfgen_runtime.spec import MapSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.userringbuf import UserRingBuf

from tests.support.checkers import mypy_errors
from tests.support.modules import generated_module

pytestmark = pytest.mark.kernel("user ring buffer")

PACKET = bytes(64)

#: Records of struct command (24 bytes and 8 of header) that fit into 4096 bytes.
ROOM = 4096 // 32


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return generated_module("maps_user_ring", tmp_path_factory.mktemp("skeleton"))


@pytest.fixture
def skel(module: ModuleType) -> Iterator[Any]:
    with module.MapsUserRing.open_and_load() as loaded:
        yield loaded


def drain(skel: Any, program: str = "drain") -> int:
    """Run a program that drains, and return how many records it saw."""
    count = getattr(skel.progs, program).test_run(PACKET).retval
    return int(count) - (1 << 32 if count >> 31 else 0)


def test_typed_records(module: ModuleType, skel: Any) -> None:
    """What `send` writes is what the program reads, in order."""
    ring = skel.maps.commands
    assert isinstance(ring, UserRingBuf)
    for value in range(1, 6):
        ring.send(module.Command(value=value, kind=value * 2, name=f"name {value}"))
    assert drain(skel) == 5
    assert (skel.bss.sum, skel.bss.drained, skel.bss.wrong) == (15, 5, 0)
    assert skel.bss.last == module.Command(value=5, kind=10, name="name 5")
    assert drain(skel) == 0


def test_records_round_and_round(module: ModuleType, skel: Any) -> None:
    """Records stay whole where the buffer begins anew, whatever their lengths."""
    ring = skel.maps.raw
    expected = 0
    for number in range(2000):
        with ring.reserve(4 + number % 700) as sample:
            sample.data[:4] = number.to_bytes(4, "little")
            assert len(sample.data) == 4 + number % 700
        assert drain(skel, "drain_raw") == 1
        assert skel.bss.raw_first == number
        expected += 1
    assert skel.bss.drained == expected
    assert ring.max_entries == 8192  # what was asked for, 5000, was rounded up


def test_fields_are_checked(module: ModuleType, skel: Any) -> None:
    """A record that does not fit its type is an error naming the field, and is not sent."""
    ring = skel.maps.commands
    with pytest.raises(OverflowError, match=r"record of user ring buffer 'commands'.*kind"):
        ring.send(module.Command(kind=1 << 32))
    assert drain(skel) == 0


def test_full(module: ModuleType, skel: Any) -> None:
    """A full buffer says so; room comes back when a program has drained it."""
    ring = skel.maps.commands
    for value in range(ROOM):
        ring.send(module.Command(value=value))
    with pytest.raises(SyscallError, match=r"reserve 24 bytes .*'commands'.*ENOSPC.*drain") as no:
        ring.send(module.Command())
    assert no.value.errno == errno.ENOSPC
    begin = time.monotonic()
    with pytest.raises(SyscallError, match="ENOSPC"):
        ring.send(module.Command(), timeout=0.05)
    assert 0.05 <= time.monotonic() - begin < 5
    assert drain(skel) == ROOM
    ring.send(module.Command(value=7))
    assert drain(skel) == 1
    assert skel.bss.last.value == 7


def test_too_large(module: ModuleType, skel: Any) -> None:
    """What can never fit is refused at once, whatever the timeout."""
    ring = skel.maps.commands
    with ring.reserve(4096 - 8) as sample:
        sample.discard()
    drain(skel)
    with pytest.raises(SyscallError, match=r"E2BIG.*4096 bytes: set a larger max_entries"):
        ring.reserve(4096 - 7, timeout=None)
    with pytest.raises(SyscallError, match="E2BIG"):
        ring.reserve(1 << 30)


@pytest.mark.parametrize("program", ["drain", "drain_silently"])
def test_waiting_for_room(module: ModuleType, skel: Any, program: str) -> None:
    """`send` waits until a program makes enough room, also if that wakes nobody."""
    ring = skel.maps.commands
    for _ in range(ROOM):
        ring.send(module.Command())
    skel.bss.limit = 1  # one record at a time

    def later() -> None:
        time.sleep(0.05)
        drain(skel, program)

    thread = threading.Thread(target=later)
    thread.start()
    try:
        ring.send(module.Command(value=9), timeout=30)
    finally:
        thread.join()
    skel.bss.limit = 0
    assert drain(skel) == ROOM
    assert skel.bss.last.value == 9


def test_waiting_does_not_spin(module: ModuleType, skel: Any) -> None:
    """Some room, but not enough, is no reason to look again and again."""
    ring = skel.maps.raw
    ring.send_raw(bytes(8192 - 8 - 64))
    begin = time.thread_time()
    with pytest.raises(SyscallError, match="ENOSPC"):
        ring.reserve(100, timeout=0.4)
    assert time.thread_time() - begin < 0.1


def test_reserved_records_hold_up_those_behind(module: ModuleType, skel: Any) -> None:
    """Records are drained in the order in which their room was reserved."""
    ring = skel.maps.commands
    size = module.Command.SIZE
    first, second = ring.reserve(size), ring.reserve(size)
    second.data[:] = module.Command(value=2).to_bytes()
    second.submit()
    assert drain(skel) == 0
    first.data[:] = module.Command(value=1).to_bytes()
    first.submit()
    assert drain(skel) == 2
    assert (skel.bss.sum, skel.bss.last.value) == (3, 2)
    with pytest.raises(ClosedError, match="submitted or discarded already"):
        first.submit()
    with pytest.raises(ValueError, match="released"):
        first.data[0] = 1


def test_discarded_records_are_passed_over(module: ModuleType, skel: Any) -> None:
    """A discarded sample is not seen; an exception in the block discards it."""
    ring = skel.maps.commands
    ring.reserve(module.Command.SIZE).discard()
    ring.send(module.Command(value=1))
    with pytest.raises(RuntimeError, match="mine"), ring.reserve(module.Command.SIZE):
        raise RuntimeError("mine")
    ring.send(module.Command(value=2))
    drain(skel)
    assert (skel.bss.sum, skel.bss.drained) == (3, 2)


def test_threads(module: ModuleType, skel: Any) -> None:
    """Threads may send through one object; no record is lost or mixed."""
    ring = skel.maps.commands
    each, threads = 500, 3
    stop = threading.Event()

    def send() -> None:
        for value in range(each):
            ring.send(module.Command(value=value), timeout=30)

    def drain_always() -> None:
        while not stop.is_set():
            drain(skel)

    drainer = threading.Thread(target=drain_always)
    drainer.start()
    senders = [threading.Thread(target=send) for _ in range(threads)]
    for one in senders:
        one.start()
    for one in senders:
        one.join()
    stop.set()
    drainer.join()
    drain(skel)
    assert skel.bss.drained == each * threads
    assert skel.bss.sum == threads * sum(range(each))


def test_closed(module: ModuleType) -> None:
    """A closed buffer takes nothing, nor do the samples that it gave out."""
    with module.MapsUserRing.open_and_load() as skel:
        ring = skel.maps.commands
        sample = ring.reserve(8)
    with pytest.raises(ClosedError):
        ring.send(module.Command())
    with pytest.raises(ClosedError, match="'commands' is closed"):
        sample.submit()
    ring.close()


def test_wrong_type() -> None:
    """The class refuses other maps; a map without a skeleton gets it by its type."""
    plain = {"map_type": k.BPF_MAP_TYPE_ARRAY, "key_size": 4, "value_size": 4, "max_entries": 1}
    fd = bpf.map_create(**plain, what="make an array")
    with fd, pytest.raises(BpfError, match="no user ring buffer"):
        UserRingBuf(fd, name="x", **plain)
    fd = bpf.map_create(
        map_type=k.BPF_MAP_TYPE_USER_RINGBUF,
        key_size=0,
        value_size=0,
        max_entries=4096,
        what="make a ring",
    )
    spec = MapSpec("ring", k.BPF_MAP_TYPE_USER_RINGBUF, max_entries=4096)
    with open_map(fd, spec) as ring:
        assert isinstance(ring, UserRingBuf)
        ring.send(b"bytes")


@pytest.mark.host_only
def test_module_passes_mypy(module: ModuleType, tmp_path: Path) -> None:
    """The type of the records reaches the type checker."""
    use = tmp_path / "use.py"
    use.write_text(
        "from bpfgen_runtime.userringbuf import UserRingBuf\n"
        "from maps_user_ring_skel import Command, MapsUserRing\n"
        "from typing_extensions import assert_type\n"
        "def use(skel: MapsUserRing) -> None:\n"
        "    assert_type(skel.maps.commands, UserRingBuf[Command])\n"
        "    assert_type(skel.maps.raw, UserRingBuf[bytes])\n"
        "    skel.maps.commands.send(Command(value=5))\n"
        "    with skel.maps.raw.reserve(5, timeout=1.0) as sample:\n"
        "        sample.data[0] = 5\n"
        "    skel.maps.commands.send(b'bytes')  # E\n"
        "    skel.maps.commands.poll()  # E\n"
        "    skel.maps.raw.send(5)  # E\n"
    )
    skeleton = tmp_path / "maps_user_ring_skel.py"
    assert module.__file__ is not None
    skeleton.write_text(Path(module.__file__).read_text())
    wrong = [one.line for one in mypy_errors([skeleton, use], cwd=tmp_path)]
    marked = [at for at, line in enumerate(use.read_text().splitlines(), 1) if "# E" in line]
    assert wrong == marked
