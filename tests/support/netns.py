"""Network namespaces of the tests' own, each with a veth pair in it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator

from tests.support.leaks import NETNS_DIR, unique_name
from tests.support.requirements import require, tool

CLONE_NEWNET = 0x40000000

#: An Ethernet type for local experiments (IEEE 802): nothing else in the namespace sends it.
ETHERTYPE = 0x88B5

_libc = ctypes.CDLL(None, use_errno=True)


class VethNamespace:
    """A network namespace with the ends `DEVICE` and `PEER` of one veth pair, both up.

    What is sent on one end arrives at the other. IPv6 is off, so that the kernel sends nothing of
    its own accord.
    """

    DEVICE = "veth-test"
    PEER = "veth-peer"

    def __init__(self, name: str) -> None:
        self.name = name

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move the calling thread into the namespace for the block."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            with open(f"{NETNS_DIR}/{self.name}") as there:
                _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(home)

    def ifindex(self) -> int:
        """Give the interface index of `DEVICE`, which counts in this namespace only."""
        with self.entered():
            return socket.if_nametoindex(self.DEVICE)

    def send(self, count: int, payload: bytes = bytes(46), ethertype: int = ETHERTYPE) -> None:
        """Send broadcast frames on `PEER`, so that they arrive at `DEVICE` and its XDP program."""
        head = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + ethertype.to_bytes(2, "big")
        with self.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((self.PEER, 0))
            for _ in range(count):
                sender.send(head + payload)


@contextlib.contextmanager
def veth_namespace() -> Iterator[VethNamespace]:
    """Make a namespace with a veth pair; it goes, with all in it, at the end of the block."""
    require("root", "ip")
    name = unique_name("net")
    _ip("netns", "add", name)
    try:
        device, peer = VethNamespace.DEVICE, VethNamespace.PEER
        _ip(
            "netns",
            "exec",
            name,
            "sh",
            "-c",
            "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6",
        )
        _ip("-n", name, "link", "add", device, "type", "veth", "peer", "name", peer)
        _ip("-n", name, "link", "set", device, "up")
        _ip("-n", name, "link", "set", peer, "up")
        yield VethNamespace(name)
    finally:
        _ip("netns", "del", name)


def _ip(*words: str) -> None:
    done = subprocess.run([tool("ip"), *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _setns(fd: int) -> None:
    # os.setns is there only since Python 3.12.
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")
