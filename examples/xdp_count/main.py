"""Count packets by protocol with XDP, on a veth pair in a network namespace of its own."""

from __future__ import annotations

import ctypes
import socket
import struct
import subprocess

from bpfgen_runtime.report import run
from xdp_count_skel import Protocol, XdpCount

CLONE_NEWNET = 0x40000000
ETH_P_IP = 0x0800
SENT = {Protocol.PROTO_ICMP: 3, Protocol.PROTO_TCP: 5, Protocol.PROTO_UDP: 7}


def own_network() -> None:
    """Move to a new network namespace, which ends with this process, and make a veth pair there."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET): be root")
    ip = "link add sender type veth peer name receiver\nlink set sender up\nlink set receiver up\n"
    subprocess.run(["ip", "-batch", "-"], input=ip, text=True, check=True)


def frame(protocol: int) -> bytes:
    """Make an Ethernet frame with an IPv4 header and nothing in it."""
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20, 0, 0, 64, protocol, 0, bytes(4), bytes(4))
    return b"\xff" * 6 + bytes(6) + struct.pack(">H", ETH_P_IP) + header


def main() -> None:
    own_network()
    with XdpCount.open() as opened, opened.load() as skel:
        skel.progs.count.attach_xdp(socket.if_nametoindex("receiver"))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("sender", 0))
            for protocol, packets in SENT.items():
                for _ in range(packets):
                    sender.send(frame(protocol))
        for protocol, traffic in sorted(skel.maps.counts.items()):
            print(f"{protocol.name}: {traffic.packets} packets, {traffic.bytes} bytes")


if __name__ == "__main__":
    raise SystemExit(run(main))
