"""Maps in this machine's kernel, through the classes that users get."""

from __future__ import annotations

import errno
import os
import struct
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from bpfgen_runtime.errors import (
    BpfError,
    ClosedError,
    KeyExistsError,
    KeyMissingError,
    SyscallError,
)
from bpfgen_runtime.host.cpus import possible_cpus
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.map import ArrayMap, HashMap, Map, PerCpuArrayMap, PerCpuHashMap, open_map
from bpfgen_runtime.map import batch as batch_module
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import MapSpec
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.uapi.enums import MapType
from bpfgen_runtime.values import (
    CharArray,
    Struct,
    as_ctype,
    bool8,
    byte_array,
    char_array,
    dataclass,
    enum_of,
    f32,
    i8,
    pointer,
    u8,
    u16,
    u32,
    u64,
)
from bpfgen_runtime.values.enums import CEnum

from tests.support.clang import compile_bpf
from tests.support.leaks import unique_name

CPUS = len(possible_cpus())

#: (class, BPF_MAP_TYPE_*) of all maps with keys.
HASHES = [
    (HashMap, k.BPF_MAP_TYPE_HASH),
    (HashMap, k.BPF_MAP_TYPE_LRU_HASH),
    (PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH),
    (PerCpuHashMap, k.BPF_MAP_TYPE_LRU_PERCPU_HASH),
]
ARRAYS = [(ArrayMap, k.BPF_MAP_TYPE_ARRAY), (PerCpuArrayMap, k.BPF_MAP_TYPE_PERCPU_ARRAY)]


@dataclass(frozen=True, slots=True)
class Key(Struct):
    """struct key, 8 bytes."""

    SIZE = 8
    LAYOUT = (("pid", 0, u32), ("port", 4, u16))

    pid: int = 0
    port: int = 0


@dataclass(frozen=True, slots=True)
class Stat(Struct):
    """struct stat, 20 bytes."""

    SIZE = 20
    LAYOUT = (("comm", 0, char_array(12)), ("count", 12, u64))

    comm: CharArray = CharArray()
    count: int = 0

    if TYPE_CHECKING:

        def __init__(self, comm: CharArray | str | bytes = ..., count: int = ...) -> None: ...


@dataclass(frozen=True, slots=True)
class Guarded(Struct):
    """struct guarded of values_lock.bpf.c: between its fields is a lock."""

    SIZE = 16
    LAYOUT = (("before", 0, u32), ("count", 8, u64))

    before: int = 0
    count: int = 0


class Kind(CEnum):
    """An enum."""

    A = 1
    B = 2


Make = Callable[..., Any]


@pytest.fixture
def make() -> Iterator[Make]:
    """A function that makes maps, which are closed in the end."""
    made: list[Map] = []

    def make_map(
        cls: type[Map],
        map_type: int,
        key: Any,
        value: Any,
        entries: int = 1000,
    ) -> Map:
        key_size, value_size = (4 if key is None else _size(key)), _size(value)
        fd = bpf.map_create(
            map_type=map_type,
            key_size=key_size,
            value_size=value_size,
            max_entries=entries,
            map_name="tested",
        )
        arguments = {
            "name": "tested",
            "map_type": map_type,
            "key_size": key_size,
            "value_size": value_size,
            "max_entries": entries,
            "key": key,
            "value": value,
        }
        try:
            one = cls(fd, **arguments)
        except BaseException:
            fd.close()
            raise
        made.append(one)
        return one

    yield make_map
    for one in made:
        one.close()


def _size(ctype: Any) -> int:
    return as_ctype(ctype).size


@pytest.fixture(params=["batch", "single"])
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the kernel's batches, and as on kernels that lack them."""
    if request.param == "single":

        def refuse(**arguments: Any) -> Any:
            raise SyscallError(errno.EINVAL, "BPF_MAP_LOOKUP_BATCH", "unknown command")

        for name in ("lookup", "lookup_and_delete", "update", "delete"):
            monkeypatch.setattr(bpf, f"map_{name}_batch", refuse, raising=False)
    return str(request.param)


# --- hashes


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


@pytest.mark.parametrize(("cls", "map_type"), HASHES)
def test_many_elements(make: Make, steps: str, cls: type[Any], map_type: int) -> None:
    """Thousands of elements are set, read, counted and deleted, with batches and without."""
    live = make(cls, map_type, u32, u32, 20_000)
    per_cpu = cls is PerCpuHashMap
    pairs = {n * 7: (n,) * CPUS if per_cpu else n for n in range(5000)}
    live.update(pairs)
    assert len(live) == 5000
    assert live.to_dict() == pairs
    assert set(live) == set(pairs)
    live.clear()
    assert list(live) == []


def test_huge_values(make: Make, steps: str) -> None:
    """Elements of which only a few fit into a batch are all read."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, byte_array(100_000), 20)
    pairs = {n: bytes([n]) * 100_000 for n in range(20)}
    live.update(pairs)
    assert live.to_dict() == pairs


def test_bucket_larger_than_a_batch(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one hash bucket holds more than was asked for, more is asked for."""
    monkeypatch.setattr(batch_module, "CHUNK", 1)
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 4096)
    pairs = {n: n for n in range(4096)}
    live.update(pairs)
    assert live.to_dict() == pairs


def test_deleting_while_iterating(make: Make, steps: str) -> None:
    """A loop may delete the keys that it gets, and gets each of them once."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 10_000)
    live.update({n: n for n in range(3000)})
    seen = []
    for key in live:
        seen.append(key)
        del live[key]
    assert sorted(seen) == list(range(3000))
    assert len(live) == 0


def test_iterating_while_others_delete(make: Make, steps: str) -> None:
    """Keys that stay are given once while another thread inserts and deletes others.

    In single steps the kernel may pass keys over: what it reads the next key from may be a deleted
    element that is in use again, for another key. Batches read each bucket under its lock.
    """
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 20_000)
    live.update({n: n for n in range(500)})
    stop = threading.Event()

    def churn() -> None:
        n = 0
        while not stop.is_set():
            key = 1000 + n % 500
            live[key] = n
            if n % 2:
                live.pop(key, None)
            n += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(20):
            keys = [key for key in live if key < 1000]
            assert len(keys) == len(set(keys))
            assert set(keys) <= set(range(500))
            assert steps == "single" or len(keys) == 500
    finally:
        stop.set()
        thread.join()


def test_first_key_deleted_while_walking(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without batches the kernel begins anew after a deleted key: no key is given twice."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 100)
    live.update({n: n for n in range(50)})
    walk = batch_module._walk(live)
    seen = [next(walk)]
    for key in list(live)[1:20]:  # among them the one that the walk stands on
        del live[key]
    seen += walk
    assert len(seen) == len(set(seen))
    assert {struct.unpack("<I", key)[0] for key in seen} >= set(live)


def test_walk_gives_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map that never ends, because others delete each key looked at, is an error, not a hang."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 2)
    again = [b"\0\0\0\0", b"\1\0\0\0"]

    def endless(*, map_fd: int, key: Any, next_key: Any, what: str) -> bool:
        next_key[:] = again[key == again[0]]
        return True

    monkeypatch.setattr(bpf, "map_get_next_key", endless)
    with pytest.raises(BpfError, match="read map 'tested': others delete keys faster"):
        list(batch_module._walk(live))


def test_error_is_not_taken_for_an_old_kernel(make: Make) -> None:
    """A batch that fails for a reason is that failure; no single steps are tried."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 10)
    with pytest.raises(SyscallError, match=r"set 20 elements of map 'tested'.* 10 of 20") as caught:
        live.update({n: n for n in range(20)})
    assert caught.value.errno == errno.E2BIG


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


# --- arrays


@pytest.mark.parametrize(("cls", "map_type"), ARRAYS)
def test_array_as_sequence(make: Make, steps: str, cls: type[Any], map_type: int) -> None:
    """An array map is a sequence with assignment and negative indices."""
    live = make(cls, map_type, u32, u64, 5)
    one: Any = (7,) * CPUS if cls is PerCpuArrayMap else 7
    zero: Any = (0,) * CPUS if cls is PerCpuArrayMap else 0
    assert issubclass(cls, Sequence)
    assert len(live) == 5
    live[1] = one
    live[-1] = one
    assert list(live) == [zero, one, zero, zero, one] == live[:]
    assert (live[1], live[-4], live.lookup(1)) == (one, one, one)
    assert live[::-2] == [one, zero, zero]
    assert live.count(one) == 2
    assert live.index(one) == 1
    assert list(reversed(live)) == [one, zero, zero, one, zero]
    live.update(0, one, k.BPF_EXIST)
    assert live[0] == one


@pytest.mark.parametrize("index", [5, -6, 1 << 40])
def test_array_index_out_of_range(make: Make, index: int) -> None:
    """An index beyond either end is an IndexError that tells the size."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, u64, 5)
    uses: tuple[Callable[[], Any], ...] = (
        lambda: live[index],
        lambda: live.__setitem__(index, 1),
        lambda: live.lookup(index),
        lambda: live.update(index, 1, k.BPF_EXIST),
    )
    for use in uses:
        with pytest.raises(IndexError, match=f"map 'tested' has 5 entries, there is no {index}"):
            use()


def test_array_is_read_in_order(make: Make, steps: str) -> None:
    """Iterating a large array gives all values in the order of their indices."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, Stat, 30_000)
    for index in (0, 12_345, 29_999):
        live[index] = Stat(str(index), index)
    values = list(live)
    assert len(values) == 30_000
    assert [(i, v) for i, v in enumerate(values) if v.comm] == [
        (i, Stat(str(i), i)) for i in (0, 12_345, 29_999)
    ]


# --- one value for each CPU


def test_value_of_each_cpu(make: Make) -> None:
    """Each CPU's value is its own; a value of odd size is rounded up to 8 bytes unseen."""
    live = make(PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH, u32, Stat)
    values = tuple(Stat(f"cpu{n}", n) for n in range(CPUS))
    live[3] = values
    assert live[3] == values
    assert live.to_dict() == {3: values}


@pytest.mark.kernel("look-up and deletion in hashes")
def test_lookup_and_delete_of_each_cpu(make: Make) -> None:
    """The values of all CPUs are read and deleted at once."""
    live = make(PerCpuHashMap, k.BPF_MAP_TYPE_PERCPU_HASH, u32, u64)
    values = tuple(range(CPUS))
    live[3] = values
    assert live.lookup_and_delete(3) == values
    assert live.to_dict() == {}


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            (1,) * (CPUS + 1),
            ValueError,
            f"value of map 'tested': .* {CPUS} possible CPUs, not {CPUS + 1}",
        ),
        ((0,) * (CPUS - 1) + (-1,), OverflowError, rf"\[{CPUS - 1}\]: -1 does not fit"),
        (5, TypeError, "value of map 'tested'"),
    ],
)
def test_wrong_values_for_cpus(
    make: Make, value: Any, error: type[Exception], message: str
) -> None:
    """Too many or too few values, or one that does not fit, are refused and told by CPU."""
    live = make(PerCpuArrayMap, k.BPF_MAP_TYPE_PERCPU_ARRAY, None, u32, 2)
    with pytest.raises(error, match=message):
        live[0] = value


# --- what all maps share


def test_attributes(make: Make) -> None:
    """A map tells its name, type and sizes, and the kernel's view of them."""
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64, 12)
    assert (live.name, live.type) == ("tested", MapType.HASH)
    assert (live.key_size, live.value_size, live.max_entries, live.map_flags) == (4, 8, 12, 0)
    info = live.info()
    assert (info.name, info.type, info.max_entries) == (b"tested", k.BPF_MAP_TYPE_HASH, 12)
    assert repr(live) == f"<HashMap 'tested': fd {live.fileno()}>"


def test_unknown_type_is_a_number(make: Make) -> None:
    """A map type that this version does not know is its number."""
    live = make(Map, k.BPF_MAP_TYPE_HASH, u32, u64)
    live.map_type = 4711
    assert live.type == 4711


def test_closed(make: Make) -> None:
    """After close every access is a ClosedError that names the map; closing again is nothing."""
    for cls, map_type in (*HASHES, *ARRAYS):
        live = make(cls, map_type, u32, u64)
        zero = (0,) * CPUS if cls in (PerCpuHashMap, PerCpuArrayMap) else 0
        live[1] = zero
        assert live[1] == zero
        live.close()
        live.close()
        assert live.closed
        for use in (
            lambda: live[1],  # noqa: B023  called at once
            lambda: live.__setitem__(1, zero),  # noqa: B023
            lambda: list(live),  # noqa: B023
            lambda: live.update(1, zero, k.BPF_EXIST),  # noqa: B023
            live.info,
            live.fileno,
            live.freeze,
        ):
            with pytest.raises(ClosedError, match="map 'tested' is closed"):
                use()
        assert repr(live) == f"<{cls.__name__} 'tested': closed>"


def test_context_manager(make: Make) -> None:
    """A map closes at the end of its with block, and cannot be entered again."""
    with make(HashMap, k.BPF_MAP_TYPE_HASH, u32, u64) as live:
        live[1] = 1
    with pytest.raises(ClosedError), live:
        pass


def test_freeze(make: Make) -> None:
    """A frozen map can be read and no longer be written from here."""
    live = make(ArrayMap, k.BPF_MAP_TYPE_ARRAY, None, u64, 2)
    live[0] = 5
    live.freeze()
    assert live[0] == 5
    with pytest.raises(SyscallError, match="frozen") as caught:
        live[0] = 6
    assert caught.value.errno == errno.EPERM


def test_pin(make: Make) -> None:
    """A pin holds the map; it is opened again by its path, and goes by unpin."""
    path = f"/sys/fs/bpf/{unique_name('map')}"
    live = make(HashMap, k.BPF_MAP_TYPE_HASH, Key, u64)
    live[Key(1, 2)] = 3
    live.pin(path)
    try:
        assert live.pin_path == path
        with pytest.raises(BpfError, match="pinned already"):
            live.pin(path + "2")
        live.close()
        with HashMap[Key, int].open_pinned(path, key=Key, value=u64) as again:
            assert again.name == "tested"
            assert again[Key(1, 2)] == 3
            again.unpin()
            assert again.pin_path is None
            with pytest.raises(BpfError, match="it is not pinned"):
                again.unpin()
        assert not os.path.exists(path)
    finally:
        if os.path.exists(path):
            os.unlink(path)


@pytest.mark.parametrize(
    ("cls", "key", "value", "message"),
    [
        (ArrayMap, u32, u64, "cannot be of class ArrayMap: its type is <MapType.HASH: 1>"),
        (HashMap, u64, u64, "has keys of 4 bytes, u64 has 8"),
        (HashMap, u32, Stat, "has values of 8 bytes, Stat has 20"),
    ],
)
def test_wrong_class(cls: type[Any], key: Any, value: Any, message: str) -> None:
    """A class that is for another type or other sizes refuses the map, which stays the caller's."""
    with (
        bpf.map_create(map_type=1, key_size=4, value_size=8, max_entries=1) as fd,
        pytest.raises(BpfError, match=message),
    ):
        cls(fd, name="m", map_type=1, key_size=4, value_size=8, max_entries=1, key=key, value=value)


def test_open_map_closes_what_it_cannot_use() -> None:
    """A spec that was changed after it was bound to a class is refused, and nothing stays open."""
    spec = MapSpec("m", k.BPF_MAP_TYPE_HASH, key_size=4, value_size=8, max_entries=1)
    spec.binding = (ArrayMap, None, u64)
    fd = bpf.map_create(map_type=1, key_size=4, value_size=8, max_entries=1)
    with pytest.raises(BpfError, match="map 'm' cannot be of class ArrayMap"):
        open_map(fd, spec)
    assert fd.closed


def test_class_by_type() -> None:
    """Without a binding the class is chosen by the map's type; other types are plain maps."""
    for map_type, cls in (
        (k.BPF_MAP_TYPE_HASH, HashMap),
        (k.BPF_MAP_TYPE_LRU_HASH, HashMap),
        (k.BPF_MAP_TYPE_ARRAY, ArrayMap),
        (k.BPF_MAP_TYPE_PERCPU_HASH, PerCpuHashMap),
        (k.BPF_MAP_TYPE_PERCPU_ARRAY, PerCpuArrayMap),
        (k.BPF_MAP_TYPE_PROG_ARRAY, Map),
    ):
        spec = MapSpec("m", map_type, key_size=4, value_size=4, max_entries=2)
        fd = bpf.map_create(map_type=map_type, key_size=4, value_size=4, max_entries=2)
        with open_map(fd, spec) as live:
            assert type(live) is cls
