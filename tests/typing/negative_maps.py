"""Uses of maps that type checkers must refuse: each marked line, and no other.

As in negative.py: `# E: CODE` is mypy's error code, and pyright must report the line, too.
"""

from __future__ import annotations

from ipaddress import ip_address

from bpfgen_runtime import HashMap
from bpfgen_runtime.map import ArrayMap, ProgArray, QueueMap
from datamaps_skel import Datamaps, Route, RouteKey
from maps_skel import Key, Maps, Value


def hashes(skel: Maps) -> None:
    skel.maps.hash.lookup(5)  # E: arg-type
    skel.maps.hash.update(Key(), Key())  # E: call-overload
    skel.maps.hash.delete("key")  # E: arg-type
    skel.maps.hash.lookup_and_delete(b"key")  # E: arg-type
    skel.maps.hash.get_next_key(1)  # E: arg-type
    skel.maps.hash.delete_batch([1, 2])  # E: list-item
    skel.maps.hash.lookup(Key(), "any")  # E: arg-type
    skel.maps.hash.get(5)  # E: call-overload
    del skel.maps.hash[5]  # E: arg-type
    wrong: dict[int, Value] = skel.maps.hash.to_dict()  # E: assignment
    calls: str = skel.maps.hash[Key()].calls  # E: assignment
    for key in skel.maps.hash:
        print(key.cpus)  # E: attr-defined
    other: HashMap[int, Value] = skel.maps.hash  # E: assignment
    print(wrong, calls, other)


def per_cpu(skel: Maps) -> None:
    skel.maps.percpu_hash[Key()] = 5  # E: assignment
    total: int = skel.maps.percpu_hash[Key()]  # E: assignment
    skel.maps.percpu_array[0] = ["5"]  # E: call-overload
    skel.maps.lru_percpu[5][0].call = 1  # E: attr-defined
    print(total)


def arrays(skel: Maps, more: Datamaps) -> None:
    skel.maps.array.update("0", Value())  # E: arg-type
    skel.maps.array.update(0, Key())  # E: arg-type
    del skel.maps.array[0]  # E: attr-defined
    skel.maps.array.lookup_and_delete(0)  # E: attr-defined
    skel.maps.array[0].calls = 1  # E: misc
    more.maps.shared.memory[0] = Value()  # E: assignment
    wrong: ArrayMap[Value] = more.maps.shared  # E: assignment
    print(wrong)


def tries(skel: Datamaps) -> None:
    skel.maps.routes[5]  # E: index
    print(skel.maps.routes[ip_address("10.0.0.1")].nonsense)  # E: attr-defined
    skel.maps.routes["10.0.0.0/8"] = RouteKey()  # E: assignment
    skel.maps.routes.exact(b"10")  # E: arg-type


def queues(skel: Datamaps, others: Maps) -> None:
    skel.maps.queue.push(5)  # E: arg-type
    skel.maps.stack.push(Route())  # E: arg-type
    text: str = skel.maps.stack.pop()  # E: assignment
    print(skel.maps.queue.peek().nonsense)  # E: attr-defined
    len(skel.maps.queue)  # E: arg-type
    skel.maps.queue.items()  # E: attr-defined
    list(skel.maps.queue)  # E: call-overload
    wrong: QueueMap[Route] = others.maps.queue  # E: assignment
    print(text, wrong)


def filters_and_traces(skel: Datamaps) -> None:
    skel.maps.filter.add(5)  # E: arg-type
    skel.maps.filter.pop()  # E: attr-defined
    skel.maps.filter.remove(RouteKey())  # E: attr-defined
    skel.maps.traces["5"]  # E: index
    skel.maps.traces[5] = ()  # E: index
    for frame in skel.maps.user_traces[5]:
        print(frame.symbol)  # E: attr-defined


def programs(skel: Maps) -> None:
    skel.maps.tails[0] = "program"  # E: assignment
    skel.maps.tails["0"] = skel.progs.on_getpgid  # E: index
    skel.maps.tails[0] = skel.maps.hash  # E: assignment
    skel.maps.tails[0].attach_xdp(1)  # E: attr-defined
    wrong: ProgArray = skel.maps.array  # E: assignment
    print(wrong)
