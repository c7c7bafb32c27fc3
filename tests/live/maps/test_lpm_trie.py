"""Tries of prefixes."""

from __future__ import annotations

import struct
from collections.abc import MutableMapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import pytest
from bpfgen_runtime.errors import KeyMissingError, NotSupportedError
from bpfgen_runtime.map import LpmTrieMap
from bpfgen_runtime.map import batch as batch_module
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import Struct, be, byte_array, dataclass, u8, u32, u64

from tests.support.maps import Make

TEN, TEN_ONE = IPv4Network("10.0.0.0/8"), IPv4Network("10.1.0.0/16")


@dataclass(frozen=True, slots=True)
class Route(Struct):
    """A prefix of an IPv4 address."""

    SIZE = 8
    LAYOUT = (("prefixlen", 0, u32), ("address", 4, be(u32)))

    prefixlen: int = 0
    address: int = 0


@dataclass(frozen=True, slots=True)
class Route6(Struct):
    """A prefix of an IPv6 address."""

    SIZE = 20
    LAYOUT = (("prefixlen", 0, u32), ("address", 4, byte_array(16)))

    prefixlen: int = 0
    address: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class Tagged(Struct):
    """A prefix of bytes that are no address."""

    SIZE = 8
    LAYOUT = (("prefixlen", 0, u32), ("tag", 4, u8), ("rest", 5, byte_array(3)))

    prefixlen: int = 0
    tag: int = 0
    rest: bytes = bytes(3)


def trie(make: Make, key: Any, value: Any = u64, entries: int = 1000) -> LpmTrieMap[Any, Any]:
    made: LpmTrieMap[Any, Any] = make(
        LpmTrieMap, k.BPF_MAP_TYPE_LPM_TRIE, key, value, entries, k.BPF_F_NO_PREALLOC
    )
    return made


def test_longest_prefix_wins(make: Make) -> None:
    """A look-up finds the longest prefix that covers the key; keys are structs or networks."""
    live = trie(make, Route)
    assert isinstance(live, MutableMapping)
    live[Route(8, 10 << 24)] = 8
    live[IPv4Network("10.1.0.0/16")] = 16
    live[IPv4Network("10.1.2.0/24")] = 24
    assert live[IPv4Address("10.1.2.3")] == 24
    assert live[IPv4Interface("10.1.2.3/20")] == 16
    assert live[Route(32, 10 << 24 | 1 << 16)] == 16
    assert live.get(IPv4Address("10.9.9.9")) == 8
    assert live.lookup(TEN) == 8
    assert IPv4Address("11.0.0.1") not in live
    assert live.get(IPv4Network("0.0.0.0/0"), -1) == -1
    with pytest.raises(KeyMissingError, match=r"look up IPv4Address\('11.0.0.1'\) in map 'tested'"):
        _ = live[IPv4Address("11.0.0.1")]


def test_prefixes_are_read(make: Make, steps: str) -> None:
    """Iteration gives the prefixes that were set, as structs or as networks, the longer first."""
    live = trie(make, Route)
    live.update({TEN: 8, TEN_ONE: 16})
    assert list(live) == [Route(16, 10 << 24 | 1 << 16), Route(8, 10 << 24)]
    assert live.to_dict() == {Route(8, 10 << 24): 8, Route(16, 10 << 24 | 1 << 16): 16}
    assert live.to_networks() == {TEN: 8, TEN_ONE: 16}
    assert (len(live), list(live.values())) == (2, [16, 8])
    assert live.get_next_key(Route(16, 10 << 24 | 1 << 16)) == Route(8, 10 << 24)


def test_deletion_means_the_very_prefix(make: Make, steps: str) -> None:
    """`del` and `pop` do not touch the prefix that covers the one named."""
    live = trie(make, Route)
    live[TEN] = 8
    with pytest.raises(KeyMissingError, match="delete"):
        del live[TEN_ONE]
    with pytest.raises(KeyMissingError):
        live.pop(TEN_ONE)
    assert live.pop(TEN_ONE, None) is None
    live[TEN_ONE] = 16
    assert live.pop(TEN_ONE) == 16
    assert live.to_networks() == {TEN: 8}
    assert live.delete_batch([TEN, TEN_ONE]) == 1
    assert len(live) == 0


def test_exact(make: Make, steps: str) -> None:
    """`exact` finds the very prefix; bits behind it do not count."""
    live = trie(make, Route)
    live[Route(8, 10 << 24 | 5)] = 8
    assert live.exact(TEN) == 8
    with pytest.raises(KeyMissingError):
        live.exact(TEN_ONE)
    assert live.to_networks() == {TEN: 8}


def test_ipv6(make: Make) -> None:
    """Tries of 16 bytes take IPv6 networks and addresses."""
    live = trie(make, Route6)
    network = IPv6Network("2001:db8::/32")
    live[network] = 1
    assert live[IPv6Address("2001:db8::1")] == 1
    assert list(live) == [Route6(32, network.network_address.packed)]
    assert live.to_networks() == {network: 1}


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [
        (Route, IPv6Address("::1"), "Route has 32 bits of data, ::1 has 128"),
        (Route6, TEN, "Route6 has 128 bits of data, 10.0.0.0/8 has 32"),
        (Route, Route(33, 0), "a prefix of 33 bits: Route has 32"),
        (byte_array(7), TEN, "has 24 bits of data"),
    ],
)
def test_wrong_keys(make: Make, key: Any, wrong: Any, message: str) -> None:
    """What is no prefix of such a trie is refused and told."""
    live = trie(make, key)
    for use in (lambda: live[wrong], lambda: live.update(wrong, 1, k.BPF_EXIST)):
        with pytest.raises(ValueError, match=f"key of map 'tested': .*{message}"):
            use()


def test_keys_that_are_no_addresses(make: Make) -> None:
    """A trie over other data is one of prefixes, too."""
    live = trie(make, Tagged)
    live[Tagged(8, 5)] = 1
    live[Tagged(12, 5, b"\xf0\0\0")] = 2
    assert live[Tagged(32, 5, b"\xff\1\2")] == 2
    assert live[Tagged(32, 5, b"\x0f\1\2")] == 1


def test_without_types(make: Make) -> None:
    """Without a struct a key is its bytes: the length in the host's order, then the data."""
    live = trie(make, byte_array(8))
    live[IPv4Network("10.0.0.0/8")] = 1
    assert list(live) == [struct.pack("=I", 8) + bytes((10, 0, 0, 0))]


def test_many(make: Make, steps: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of prefixes are set, read and deleted, in many batches and without any."""
    monkeypatch.setattr(batch_module, "CHUNK", 1600)
    live = trie(make, Route, entries=4000)
    routes = {ip_network((10 << 24 | n << 8, 24)): n for n in range(3000)}
    live.update(routes)
    assert live.to_networks() == routes
    assert len(live) == 3000
    assert live.lookup_and_delete_batch() == {
        Route(24, int(network.network_address)): n for network, n in routes.items()
    }
    assert len(live) == 0


def test_deleting_while_iterating(make: Make, steps: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop may delete what it gets, though the kernel then begins anew: each key comes once."""
    monkeypatch.setattr(batch_module, "CHUNK", 160)
    live = trie(make, Route)
    live.update({ip_network((10 << 24 | n << 8, 24)): n for n in range(500)})
    seen = []
    for number, key in enumerate(live):
        seen.append(key)
        if number % 3:
            del live[key]
    assert len(seen) == len(set(seen)) == 500
    assert len(live) == 167


def test_no_lookup_and_deletion(make: Make) -> None:
    """The kernel cannot look up and delete at once, which is said."""
    live = trie(make, Route)
    live[TEN] = 1
    with pytest.raises(NotSupportedError, match="looking up and deleting at once in map 'tested'"):
        live.lookup_and_delete(TEN)


@pytest.mark.kernel("flags of updates of tries")
def test_flags_of_update(make: Make) -> None:
    """BPF_NOEXIST and BPF_EXIST mean the very prefix."""
    live = trie(make, Route)
    live.update(TEN, 1, k.BPF_NOEXIST)
    with pytest.raises(KeyMissingError):
        live.update(TEN_ONE, 1, k.BPF_EXIST)
    live.update(TEN, 2, k.BPF_EXIST)
    assert live.to_networks() == {TEN: 2}
