"""Maps of plain data: type checkers must refuse each marked line, and no other."""

from __future__ import annotations

from ipaddress import IPv4Network

from datamaps_skel import Datamaps, OpenDatamaps, Route, RouteKey
from maps_skel import Key, Maps, Value


def tries(skel: Datamaps) -> None:
    skel.maps.routes["10.0.0.0/8"]  # E: index
    skel.maps.routes[IPv4Network("10.0.0.0/8")] = 5  # E: assignment
    print(skel.maps.routes[RouteKey()].nonsense)  # E: attr-defined
    skel.maps.routes.exact(5)  # E: arg-type
    skel.maps.untyped_routes["x"]  # E: index


def without_keys(skel: Datamaps) -> None:
    skel.maps.queue.push(5)  # E: arg-type
    print(skel.maps.queue.pop().nonsense)  # E: attr-defined
    skel.maps.queue[0]  # E: index
    skel.maps.stack.push("5")  # E: arg-type
    skel.maps.filter.add(Route())  # E: arg-type


def traces(skel: Datamaps) -> None:
    skel.maps.traces["x"]  # E: index
    skel.maps.traces[5] = ()  # E: index
    print(skel.maps.traces[5][0].build_id)  # E: attr-defined
    print(skel.maps.traces.symbolize(5)[0].nonsense)  # E: attr-defined


def operations(skel: Maps, key: Key) -> None:
    skel.maps.hash.update_batch({5: Value()})  # E: arg-type
    skel.maps.hash.delete_batch([5])  # E: list-item
    skel.maps.hash.get_next_key(5)  # E: arg-type
    skel.maps.percpu_hash.update_cpu(key, 0, "5")  # E: arg-type
    skel.maps.percpu_hash[key] = 5  # E: assignment
    skel.maps.percpu_array.lookup_cpu(key, 0)  # E: arg-type


def memory(opened: OpenDatamaps, skel: Datamaps) -> None:
    print(opened.maps.shared.memory)  # E: attr-defined
    skel.maps.shared.memory[0] = 5  # E: assignment
    skel.maps.shared.memory["x"]  # E: call-overload
    print(skel.maps.queue.memory)  # E: attr-defined
