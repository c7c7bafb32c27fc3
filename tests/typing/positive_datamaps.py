"""Maps of plain data: each line is checked, none is run."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from bpfgen_runtime import Address
from bpfgen_runtime.map import (
    ArrayMap,
    BuildIdFrame,
    Frame,
    HashMap,
    LpmTrieMap,
    PerCpuHashMap,
    QueueMap,
)
from bpfgen_runtime.values import u32, u64
from datamaps_skel import Datamaps, OpenDatamaps, Route, RouteKey
from maps_skel import Key, Maps, Value
from typing_extensions import assert_type


def tries(skel: Datamaps, key: RouteKey) -> None:
    routes = skel.maps.routes
    assert_type(routes, LpmTrieMap[RouteKey, Route])
    assert_type(routes[key], Route)
    assert_type(routes[IPv4Address("10.0.0.1")].metric, int)
    routes[IPv4Network("10.0.0.0/8")] = Route(via=5)
    del routes[IPv4Network("10.0.0.0/8")]
    assert_type(routes.get(IPv4Address("10.0.0.1")), Route | None)
    assert_type(routes.pop(key, None), Route | None)
    assert_type(routes.exact(key), Route)
    assert_type(routes.to_networks(), dict[IPv4Network | IPv6Network, Route])
    as_mapping: MutableMapping[RouteKey, Route] = routes
    for found, route in as_mapping.items():
        assert_type(found, RouteKey)
        assert_type(route, Route)
    assert_type(skel.maps.untyped_routes[bytes(20)], int)


def without_keys(skel: Datamaps) -> None:
    skel.maps.queue.push(Route())
    assert_type(skel.maps.queue.pop(), Route)
    assert_type(skel.maps.queue.peek().via, int)
    for route in skel.maps.queue.drain():
        assert_type(route, Route)
    skel.maps.stack.push(5)
    assert_type(skel.maps.stack.pop(), int)
    skel.maps.filter.add(RouteKey())
    assert_type(RouteKey() in skel.maps.filter, bool)


def traces(skel: Datamaps) -> None:
    for stack_id, trace in skel.maps.traces.items():
        assert_type(stack_id, int)
        assert_type(trace, tuple[Address, ...])
    assert_type(skel.maps.user_traces[5], tuple[BuildIdFrame, ...])
    assert_type(skel.maps.user_traces[5][0].build_id, bytes)
    assert_type(skel.maps.traces.symbolize(5), tuple[Frame, ...])
    assert_type(skel.maps.traces.symbolize(5)[0].symbol, str)


def operations(skel: Maps, key: Key) -> None:
    hash = skel.maps.hash
    assert_type(hash.lookup(key, 4), Value)
    hash.update(key, Value(), 1)
    hash.update({key: Value()})
    assert_type(hash.lookup_and_delete(key), Value)
    assert_type(hash.get_next_key(), Key | None)
    assert_type(hash.lookup_batch(), Iterator[tuple[Key, Value]])
    hash.update_batch([(key, Value())])
    assert_type(hash.delete_batch([key]), int)
    assert_type(hash.lookup_and_delete_batch(), dict[Key, Value])
    keys, values = hash.columns()
    print(keys["pid"], values.dtype)
    assert_type(skel.maps.percpu_hash.lookup_cpu(key, 0), int)
    skel.maps.percpu_hash.update_cpu(key, 0, 5)
    skel.maps.percpu_array.update_all_cpus(0, 5)


def memory(opened: OpenDatamaps, skel: Datamaps) -> None:
    opened.maps.shared.map_flags |= 1024
    shared = skel.maps.shared
    assert_type(shared.memory[0], Route)
    assert_type(shared.memory[:2], list[Route])
    shared.memory[0] = Route()
    shared[0:2] = [Route(), Route()]
    as_sequence: Sequence[Route] = shared.memory
    print(as_sequence)


def opening() -> None:
    assert_type(HashMap.open_id(5, key=Key, value=u64), HashMap[Key, int])
    assert_type(HashMap.open_pinned("/x", key=u32, value=Value), HashMap[int, Value])
    assert_type(ArrayMap.open_id(5, value=Value), ArrayMap[Value])
    assert_type(QueueMap.open_pinned("/x", value=u32), QueueMap[int])
    assert_type(LpmTrieMap.open_id(5, key=RouteKey, value=u64), LpmTrieMap[RouteKey, int])
    with PerCpuHashMap.open_id(5, key=Key, value=u64) as per_cpu:
        assert_type(per_cpu[Key()], tuple[int, ...])
        assert_type(per_cpu.lookup_cpu(Key(), 0), int)
