"""Hashes."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
from bpfgen_runtime.errors import (
    ClosedError,
    KeyExistsError,
    KeyMissingError,
    SyscallError,
)
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.map import HashMap, open_map
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import MapSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import (
    CharArray,
    bool8,
    byte_array,
    char_array,
    enum_of,
    f32,
    i8,
    pointer,
    u8,
    u16,
    u32,
    u64,
)

from tests.support.clang import compile_bpf
from tests.support.maps import Guarded, Key, Kind, Make, Stat


def test_hash_as_mapping(make: Make) -> None:
    """A hash map is a MutableMapping, from lookup to popitem."""
    counts: HashMap[int, int] = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    assert isinstance(counts, MutableMapping)
    assert not counts
    counts[1] = 10
    counts[2] = 1 << 63
    assert (counts[1], counts[2], len(counts)) == (10, 1 << 63, 2)
    assert 1 in counts
    assert 3 not in counts
    assert (counts.get(1), counts.get(3), counts.get(3, 7)) == (10, None, 7)
    assert counts.setdefault(3, 9) == 9
    assert sorted(counts) == sorted(counts.keys()) == [1, 2, 3]
    assert sorted(counts.values()) == [9, 10, 1 << 63]
    assert dict(counts.items()) == counts.to_dict() == {1: 10, 2: 1 << 63, 3: 9}
    assert (1, 10) in counts.items()
    assert 9 in counts.values()
    assert counts.pop(3) == 9
    assert counts.pop(3, None) is None
    del counts[2]
    assert counts.popitem() == (1, 10)
    assert counts.to_dict() == {}


def test_missing_key(make: Make) -> None:
    """An absent key is a KeyError that names map, key and operation, however it was asked for."""
    counts: HashMap[int, int] = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    for use, doing in (
        (lambda: counts[7], "look up 7"),
        (lambda: counts.lookup(7), "look up 7"),
        (lambda: counts.pop(7), "look up 7"),
        (lambda: counts.delete(7), "delete 7"),
        (lambda: counts.update(7, 1, k.BPF_EXIST), "set 7"),
    ):
        with pytest.raises(KeyError, match=f"{doing} in map 'tested'") as caught:
            use()
        assert isinstance(caught.value, KeyMissingError)
        assert caught.value.errno == errno.ENOENT


def test_flags_of_update(make: Make) -> None:
    """BPF_NOEXIST and BPF_EXIST do what they say, and their failures have types of their own."""
    counts: HashMap[int, int] = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    counts.update(1, 2, k.BPF_NOEXIST)
    with pytest.raises(KeyExistsError, match="set 1 in map 'tested'"):
        counts.update(1, 3, flags=k.BPF_NOEXIST)
    counts.update(1, 4, k.BPF_EXIST)
    assert counts.lookup(1) == 4


@pytest.mark.kernel("look-up and deletion in hashes")
def test_lookup_and_delete(make: Make) -> None:
    """lookup_and_delete returns the value and the key is gone; an absent one is a KeyError."""
    counts: HashMap[int, int] = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    counts[1] = 5
    assert counts.lookup_and_delete(1) == 5
    assert 1 not in counts
    with pytest.raises(KeyMissingError, match="look up 7 in map 'tested'"):
        counts.lookup_and_delete(7)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda m: m[-1], OverflowError, "key of map 'tested': -1 does not fit u32"),
        (lambda m: m["1"], TypeError, "key of map 'tested': u32 needs an int"),
        (lambda m: m.get(1 << 32), OverflowError, "key of map 'tested': 4294967296"),
        (lambda m: m.__setitem__(1, -1), OverflowError, "value of map 'tested': -1"),
        (lambda m: m.__delitem__(None), TypeError, "key of map 'tested'"),
    ],
)
def test_what_does_not_fit(
    make: Make, use: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    """A key or value that its type cannot hold is refused before the kernel sees it."""
    counts = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    with pytest.raises(error, match=message):
        use(counts)
    counts[1] = 2  # and the map is none the worse
    assert counts.to_dict() == {1: 2}


def test_spin_lock() -> None:
    """Values with a spin lock are read and written under it; the lock is no field."""
    spec = load_spec(compile_bpf("values_lock"))
    spec.maps["locked"].binding = (HashMap, u32, Guarded)
    with Object.load(spec) as loaded:
        locked = loaded.maps["locked"]
        assert isinstance(locked, HashMap)
        locked.update(1, Guarded(7, 10), k.BPF_F_LOCK)
        loaded.programs["count"].test_run(bytes(14), repeat=5)
        assert locked.lookup(1, k.BPF_F_LOCK) == locked[1] == Guarded(7, 15)
        with pytest.raises(KeyMissingError, match="look up 2 in map 'locked'"):
            locked.lookup(2, k.BPF_F_LOCK)


def test_full_map(make: Make) -> None:
    """A full map is E2BIG with a hint that says so."""
    counts = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 4)
    counts.update({n: n for n in range(4)})
    with pytest.raises(SyscallError, match=r"set 9 in map 'tested'.*full") as caught:
        counts[9] = 1
    assert caught.value.errno == errno.E2BIG


@pytest.mark.parametrize(
    ("key", "value", "pairs"),
    [
        (Key, Stat, {Key(1, 2): Stat("sh", 3), Key(4, 5): Stat("bash", 1 << 60)}),
        (char_array(16), u8, {CharArray("a"): 1, CharArray("b" * 16): 255}),
        (byte_array(5), f32, {b"12345": 0.5, bytes(5): -2.0}),
        (enum_of(Kind, u32), bool8, {Kind.A: True, Kind(9): False}),
        (i8, enum_of(Kind, u16), {-128: Kind.B, 127: Kind(77)}),
        (pointer, pointer, {1 << 63: 5}),
    ],
)
def test_types_of_keys_and_values(make: Make, key: Any, value: Any, pairs: dict[Any, Any]) -> None:
    """Keys and values of all kinds of types go in and come out equal, singly and many at once."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, key, value)
    for one, its in pairs.items():
        live[one] = its
        assert live[one] == its
        assert type(live[one]) is type(live.to_dict()[one])
    assert live.to_dict() == pairs
    live.clear()
    live.update(pairs.items())
    assert live.to_dict() == pairs


def test_without_types(make: Make) -> None:
    """Without types keys and values are bytes of their sizes."""
    spec = MapSpec("raw", k.BPF_MAP_TYPE_HASH, key_size=4, value_size=2, max_entries=3)
    fd = bpf.map_create(map_type=1, key_size=4, value_size=2, max_entries=3)
    with open_map(fd, spec) as live:
        assert isinstance(live, HashMap)
        live[b"abcd"] = b"\1\2"
        assert live.to_dict() == {b"abcd": b"\1\2"}
        with pytest.raises(ValueError, match="needs 4 bytes, not 3"):
            live[b"abc"]


def test_identity(make: Make) -> None:
    """A map equals itself only, whatever it holds, and can be a key of a dict."""
    one = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    other = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    assert one == one
    assert one != other
    assert {one: 1, other: 2}[other] == 2


@pytest.mark.parametrize("threads", [4])
def test_threads_do_not_share_buffers(make: Make, threads: int) -> None:
    """Threads that look up and set different keys at once never see each other's values."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 1000)
    wrong: list[Any] = []

    def work(own: int) -> None:
        for n in range(3000):
            live[own] = own << 32 | n
            if live[own] != own << 32 | n:
                wrong.append((own, n))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_lookups_of_numbers_again(make: Make) -> None:
    """A lookup that went well before tells what is wrong now, and others go well after it."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64)
    live[1] = 1 << 63
    for _ in range(3):
        assert live[1] == 1 << 63
        with pytest.raises(KeyMissingError, match="look up 2 in map 'tested'"):
            _ = live[2]
        with pytest.raises(OverflowError, match="key of map 'tested': -1 does not fit u32"):
            _ = live[-1]
        with pytest.raises(TypeError, match="key of map 'tested': u32 needs an int"):
            _ = live["x"]
    live.close()
    with pytest.raises(ClosedError, match="map 'tested' is closed"):
        _ = live[1]
