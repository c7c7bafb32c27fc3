"""XDP links on a veth pair in a network namespace of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bpfgen_runtime.errors import SyscallError
from bpfgen_runtime.link import attach
from bpfgen_runtime.link.xdp import XDP_FLAGS_SKB_MODE, XdpLink, XdpProgram
from bpfgen_runtime.object import Object
from bpfgen_runtime.uapi.enums import LinkType

from tests.support.links import Counts, loaded, program
from tests.support.netns import VethNamespace, veth_namespace


@pytest.fixture
def net() -> Iterator[VethNamespace]:
    """The test runs inside the namespace, where alone the device's index and name count."""
    with veth_namespace() as net, net.entered():
        yield net


@pytest.fixture
def live(net: VethNamespace) -> Iterator[Object]:
    with loaded("link_xdp") as live:
        yield live


@pytest.fixture
def counts(live: Object) -> Counts:
    return Counts(live, 1, 2)


@pytest.fixture
def first(live: Object) -> XdpProgram:
    return program(live, "first", XdpProgram)


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("flags", [0, XDP_FLAGS_SKB_MODE])
def test_sees_packets_until_destroyed(
    first: XdpProgram, counts: Counts, net: VethNamespace, by_name: bool, flags: int
) -> None:
    """The program sees each frame from attachment, by name or index, until destroy."""
    device = net.DEVICE if by_name else net.ifindex()
    with first.attach_xdp(device, flags) as link:
        net.send(5)
        assert counts[1] == 5
    assert link.closed
    net.send(5)
    assert counts[1] == 5


def test_is_left_out_by_automatic_attachment(first: XdpProgram) -> None:
    """A section that cannot name a device does not attach by itself."""
    assert attach(first) is None


def test_info_and_detach(first: XdpProgram, counts: Counts, net: VethNamespace) -> None:
    """Info has the device; after detach the link is still there and has none."""
    with first.attach_xdp(net.DEVICE) as link:
        info = link.info()
        assert (info.type, info.prog_id) == (LinkType.XDP, first.id)
        assert info.ifindex == net.ifindex()
        link.detach()
        assert link.info().ifindex == 0
        net.send(1)
        assert counts[1] == 0


def test_detach_ends_a_pinned_link(
    first: XdpProgram, counts: Counts, net: VethNamespace, pin_dir: Path
) -> None:
    """Detaching in the kernel works whoever else holds the link."""
    with first.attach_xdp(net.DEVICE) as link:
        link.pin(pin_dir / "link")
        with XdpLink.open_pinned(pin_dir / "link") as again:
            again.detach()
        net.send(1)
        assert counts[1] == 0
        link.unpin()


def test_update_changes_the_program(live: Object, counts: Counts, net: VethNamespace) -> None:
    """`update` puts another program in place; the link then belongs to that one."""
    first, second = program(live, "first", XdpProgram), program(live, "second", XdpProgram)
    link = first.attach_xdp(net.DEVICE)
    net.send(1)
    link.update(second, old=first)
    net.send(2)
    assert (counts[1], counts[2]) == (1, 2)
    assert (first.links, second.links) == ((), (link,))
    with pytest.raises(SyscallError, match=r"'first' in the place of .*'second'.*EPERM"):
        link.update(first, old=first)  # not what is attached
    first.close()
    assert link.info().prog_id == second.id
    second.close()
    assert link.closed


@pytest.mark.parametrize(
    ("device", "message"), [("no-such", "'no-such'.*namespace"), (12345, "12345.*no such device")]
)
def test_missing_device(first: XdpProgram, device: int | str, message: str) -> None:
    """A device that is not there, by name or index, is an error that names it and says where."""
    with pytest.raises(SyscallError, match=message):
        first.attach_xdp(device)


def test_device_in_use(first: XdpProgram, net: VethNamespace) -> None:
    """A second program on the device is EBUSY, with what to do."""
    with first.attach_xdp(net.DEVICE), pytest.raises(SyscallError, match=r"EBUSY.*xdp off"):
        first.attach_xdp(net.DEVICE)
