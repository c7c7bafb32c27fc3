"""What type checkers must refuse: each marked line, and no other.

`# E: CODE` is mypy's error code; pyright must report the line, too. Copied beside the modules of
tests/golden and checked, never run.
"""

from __future__ import annotations

from events_skel import Tracer
from globals_skel import Config, Globals, OpenGlobals
from maps_skel import Key, Maps, OpenMaps, Value
from names_skel import OpenNames
from nested_skel import Nested, Outer, Point
from opaque_skel import Locked
from programs_skel import OpenPrograms, Programs
from scalars_skel import Level, OpenScalars, Scalars, Scalars2
from slots_skel import Command, Flow, Slots, Stat
from text_skel import Text, Texts


def constants(opened: OpenGlobals, skel: Globals) -> None:
    skel.rodata.answer = 5  # E: misc
    skel.rodata.config = Config()  # E: misc
    skel.rodata_limits.limits = (1, 2, 3)  # E: misc
    opened.rodata.answer = "5"  # E: assignment
    opened.rodata.nonsense = 5  # E: attr-defined
    opened.rodata.config.low = 5  # E: misc
    opened.rodata_limits.limits = [1, 2, 3]  # E: assignment
    print(skel.rodata.unseen_constant)  # E: attr-defined


def variables(skel: Globals) -> None:
    skel.bss.hits = "5"  # E: assignment
    skel.bss.hits = None  # E: assignment
    skel.bss.per_kind[0] = 5  # E: index
    skel.data.current = (1, 2)  # E: assignment
    skel.data.current.low += 1  # E: misc
    skel.data.port = 80.5  # E: assignment
    skel.data.unseen = 5  # E: attr-defined
    skel.nonsense = 5  # E: attr-defined
    print(skel.bss.unseen)  # E: attr-defined
    print(skel.data_nonsense)  # E: attr-defined


def states(opened: OpenMaps, skel: Maps) -> None:
    opened.maps.hash[Key()]  # E: index
    opened.maps.untyped.poll()  # E: attr-defined
    opened.progs.on_getpgid.test_run()  # E: attr-defined
    opened.attach()  # E: attr-defined
    print(opened.links)  # E: attr-defined
    skel.load()  # E: attr-defined
    skel.maps.hash.max_entries = "5"  # E: assignment
    skel.progs.on_getpgid.autoload = False  # E: attr-defined
    Maps(skel)  # E: arg-type
    loaded: Maps = opened  # E: assignment
    print(loaded)


def maps(skel: Maps) -> None:
    skel.maps.hash[5]  # E: index
    skel.maps.hash["key"] = Value()  # E: index
    skel.maps.hash[Key()] = 5  # E: assignment
    skel.maps.hash[Key()] = Key()  # E: assignment
    skel.maps.hash[Key()].calls += 1  # E: misc
    skel.maps.lru[Key()]  # E: index
    skel.maps.lru["1"] = Value()  # E: index
    skel.maps.array["0"]  # E: call-overload
    skel.maps.array[0] = 5  # E: call-overload
    skel.maps.array.append(Value())  # E: attr-defined
    skel.maps.sizes["123456"]  # E: index
    skel.maps.queue[0]  # E: index
    skel.maps.hash.poll()  # E: attr-defined
    print(skel.maps.nonsense)  # E: attr-defined


def events(skel: Tracer) -> None:
    skel.maps.tagged[0]  # E: index
    skel.maps.tagged.items()  # E: attr-defined
    for event in skel.maps.tagged.poll(timeout=1.0):
        print(event.nonsense)  # E: attr-defined
        event.pid = 5  # E: misc
    for number in skel.maps.number.poll(timeout=1.0):
        print(number.pid)  # E: attr-defined
    skel.maps.tagged.poll(timeout="1")  # E: arg-type


def programs(opened: OpenPrograms, skel: Programs) -> None:
    skel.progs.tracepoint.attach_xdp(1)  # E: attr-defined
    skel.progs.packets.attach_tracepoint("a", "b")  # E: attr-defined
    skel.progs.packets.attach_xdp(1.5)  # E: arg-type
    skel.progs.filter.attach_cgroup("/sys/fs/cgroup")  # E: attr-defined
    skel.progs.ingress.attach_xdp(1)  # E: attr-defined
    print(skel.progs.nonsense)  # E: attr-defined
    skel.links.tracepoint = skel.progs.packets.attach_xdp(1)  # E: assignment
    skel.links.packets.read()  # E: attr-defined
    skel.links.nonsense = skel.progs.packets.attach_xdp(1)  # E: attr-defined
    skel.links.raw = skel.progs.tracepoint.attach_tracepoint("a", "b")  # E: assignment
    opened.progs.packets.attach_xdp(1)  # E: attr-defined


def structs(nested: Nested) -> None:
    Value(nonsense=5)  # E: call-arg
    Value("5")  # E: arg-type
    Value().calls = 5  # E: misc
    print(Value().nonsense)  # E: attr-defined
    Value().nonsense = 5  # E: attr-defined
    Point(1, 2, 3)  # E: call-arg
    Point(x=1.5)  # E: arg-type
    Scalars2(level=5)  # E: arg-type
    Scalars2(level="LEVEL_LOW")  # E: arg-type
    Scalars2(flag="yes")  # E: arg-type
    Locked(lock=5)  # E: call-arg
    Texts(comm=5)  # E: arg-type
    Texts(mac="ff:ff")  # E: arg-type
    Texts(lines="text")  # E: arg-type
    Outer(corners=[Point()])  # E: arg-type
    Outer(inner=Point())  # E: arg-type
    nested.bss.state.inner.deep.depth = 5  # E: misc
    print(Level.LEVEL_NONSENSE)  # E: attr-defined
    Point.from_bytes("text")  # E: arg-type


def others(opened: OpenScalars, skel: Scalars, text: Text, names: OpenNames) -> None:
    opened.rodata.level = 5  # E: assignment
    opened.rodata.enabled = "yes"  # E: assignment
    skel.maps.by_level[Value()]  # E: index
    skel.maps.allowed[5] = "yes"  # E: assignment
    text.bss.last = 5  # E: call-overload
    text.data.key = "text"  # E: assignment
    names.data.close = 5  # E: method-assign


def kernel_objects(skel: Slots) -> None:
    maps = skel.maps
    maps.by_zone["0"]  # E: index
    maps.by_zone[0][5]  # E: index
    maps.by_zone[0][Flow()] = Flow()  # E: assignment
    maps.by_zone[0] = maps.by_flow[Flow()]  # E: assignment
    maps.by_flow[5]  # E: index
    maps.by_flow.insert(5)  # E: arg-type
    maps.tails[0] = maps.devices  # E: assignment
    maps.tails[Flow()] = skel.progs.redirect  # E: index
    print(maps.tails[0].max_entries)  # E: attr-defined
    maps.groups[0]  # E: index
    maps.devices[0] = skel.progs.redirect  # E: assignment
    maps.devices[0] = ("eth0", skel.progs.redirect)  # E: assignment
    maps.devices_progs[0] = ("eth0", "program")  # E: assignment
    maps.devices_progs[0].ifindex = 5  # E: misc
    maps.cpus[0] = "192"  # E: assignment
    maps.socks[0]  # E: index
    list(maps.socks)  # E: call-overload
    maps.socks[0] = "socket"  # E: assignment
    maps.by_key[Flow()]  # E: index
    maps.by_key[0] = 5  # E: index
    maps.xsks.items()  # E: attr-defined
    maps.ports[0]  # E: index
    maps.of_socks["/etc/passwd"] = Stat()  # E: index
    maps.of_socks[5] = 5  # E: assignment
    list(maps.of_tasks)  # E: call-overload
    maps.of_inodes.items()  # E: attr-defined
    del maps.attached[0]  # E: attr-defined
    maps.attached_percpu[0] = Stat()  # E: assignment
    maps.commands.send(Stat())  # E: arg-type
    maps.commands.poll()  # E: attr-defined
    maps.commands.send(Command(kind="1"))  # E: arg-type
