"""What type checkers know of generated modules: each line is checked, none is run.

Copied beside the modules of tests/golden and checked by mypy --strict and pyright strict.
"""

from __future__ import annotations

import socket
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from bpfgen_runtime import Address, CharArray, Link, MapSpec, Program, ProgramSpec
from bpfgen_runtime.link.cgroup import CgroupLink
from bpfgen_runtime.link.iter import IterLink
from bpfgen_runtime.link.raw_tracepoint import RawTracepointLink
from bpfgen_runtime.link.tracepoint import TracepointLink, TracepointProgram
from bpfgen_runtime.link.tracing import TracingLink
from bpfgen_runtime.link.xdp import XdpLink, XdpProgram
from bpfgen_runtime.map import (
    ArrayMap,
    ArrayOfMaps,
    DevMapVal,
    HashMap,
    HashOfMaps,
    Map,
    Pid,
    cgroup_id,
)
from bpfgen_runtime.userringbuf import UserRingBuf
from events_skel import AskedEvent, TaggedEvent, Tracer, TypedefEvent
from globals_skel import Config, Globals, OpenGlobals
from maps_skel import Key, Maps, OpenMaps, Value
from nested_skel import Nested, OuterInner, OuterMode, Point, RangeT
from programs_skel import Programs
from scalars_skel import ColorT, Level, Scalars, Scalars2, TcpState
from slots_skel import Command, Flow, Slots, Stat
from text_skel import Text, Texts
from typing_extensions import assert_type


def states() -> None:
    with Globals.open() as opened:
        assert_type(opened, OpenGlobals)
        with opened.load() as skel:
            assert_type(skel, Globals)
    assert_type(Globals.open_and_load(), Globals)
    assert_type(opened.closed, bool)


def before_load(opened: OpenMaps) -> None:
    assert_type(opened.maps.hash, MapSpec)
    opened.maps.hash.max_entries = 5
    opened.maps.hash.autocreate = False
    assert_type(opened.progs.on_getpgid, ProgramSpec)
    opened.progs.on_getpgid.autoload = False
    for spec in opened.maps:
        assert_type(spec, MapSpec)
    for program in opened.progs:
        assert_type(program, ProgramSpec)


def global_variables(opened: OpenGlobals, skel: Globals) -> None:
    assert_type(opened.rodata.answer, int)
    opened.rodata.answer = 5
    opened.rodata.config = Config(low=1, name="text")
    opened.rodata_limits.limits = (1, 2, 3)
    assert_type(skel.rodata.answer, int)
    assert_type(skel.rodata.config, Config)
    assert_type(skel.rodata_limits.limits, tuple[int, ...])
    assert_type(skel.bss.per_kind, tuple[int, ...])
    skel.bss.hits = 0
    skel.data_stats.saved = Config()
    assert_type(skel.data.current.name, CharArray)


def maps(skel: Maps, key: Key) -> None:
    assert_type(skel.maps.hash[key], Value)
    assert_type(skel.maps.hash[key].calls, int)
    skel.maps.hash[key] = Value(calls=5)
    del skel.maps.hash[key]
    for found, value in skel.maps.hash.items():
        assert_type(found, Key)
        assert_type(value, Value)
    as_mapping: MutableMapping[Key, Value] = skel.maps.hash
    as_sequence: Sequence[Value] = skel.maps.array
    print(as_mapping, as_sequence)
    assert_type(skel.maps.hash.get(key), Value | None)
    assert_type(skel.maps.lru[5], Value)
    assert_type(skel.maps.array[0].calls, int)
    skel.maps.array[0] = Value()
    assert_type(skel.maps.sizes[b"123456"], bytes)
    assert_type(key in skel.maps.hash, bool)
    assert_type(len(skel.maps.hash), int)


def events(skel: Tracer) -> None:
    for tagged in skel.maps.tagged.poll(timeout=1.0):
        assert_type(tagged, TaggedEvent)
        assert_type(tagged.comm, CharArray)
    for asked in skel.maps.asked.poll(timeout=1.0):
        assert_type(asked, AskedEvent)
    for by_typedef in skel.maps.by_typedef.poll(timeout=1.0):
        assert_type(by_typedef, TypedefEvent)
    for number in skel.maps.number.poll(timeout=1.0):
        assert_type(number, int)
    for unknown in skel.maps.unknown.poll(timeout=1.0):
        assert_type(unknown, bytes)
    assert_type(skel.bss.unused_tagged, Address)


def programs(skel: Programs) -> None:
    assert_type(skel.progs.tracepoint, TracepointProgram)
    assert_type(skel.progs.packets.attach_xdp(1), XdpLink)
    assert_type(skel.progs.ingress.attach_cgroup("/sys/fs/cgroup/x"), CgroupLink)
    assert_type(skel.progs.filter, Program)
    assert_type(skel.progs.packets.test_run(b"").retval, int)
    for program in skel.progs:
        assert_type(program, Program)


def links(skel: Programs) -> None:
    assert_type(skel.links.tracepoint, TracepointLink)
    assert_type(skel.links.raw, RawTracepointLink)
    assert_type(skel.links.entry, TracingLink)
    assert_type(skel.links.iterator, IterLink)
    assert_type(skel.links.iterator.read(), bytes)
    assert_type(skel.links.probe, Link)
    skel.links.packets = skel.progs.packets.attach_xdp("veth0")
    for link in skel.links:
        assert_type(link, Link)


def structs() -> None:
    value = Scalars2(s8=-1, flag=True, level=Level.LEVEL_LOW, real64=0.5)
    assert_type(value.flag, bool)
    assert_type(value.real32, float)
    assert_type(value.level, Level)
    assert_type(value.state, TcpState)
    assert_type(value.color, ColorT)
    assert_type(value.pointer, Address)
    assert_type(value.s128, int)
    assert_type(Scalars2.from_bytes(b""), Scalars2)
    assert_type(value.to_bytes(), bytes)
    assert_type(Scalars2.SIZE, int)
    texts = Texts(comm="bash", mac=bytes(6))
    assert_type(texts.comm, CharArray)
    assert_type(str(texts.comm), str)
    assert_type(texts.lines, tuple[CharArray, ...])
    assert_type(texts.mac, bytes)
    assert_type(texts.offsets, tuple[int, ...])
    assert_type(Texts(comm=b"bash"), Texts)
    assert_type({Point(x=1): 5}, dict[Point, int])


def nested(skel: Nested) -> None:
    assert_type(skel.bss.state.from_point.x, int)
    assert_type(skel.bss.state.corners[0], Point)
    assert_type(skel.bss.state.grid, tuple[tuple[int, ...], ...])
    assert_type(skel.bss.state.inner, OuterInner)
    assert_type(skel.bss.state.inner.deep.depth, int)
    assert_type(skel.bss.state.mode, OuterMode)
    assert_type(skel.rodata.limits, RangeT)


def texts(skel: Text) -> None:
    assert_type(skel.bss.last, CharArray)
    skel.bss.last = "text"
    skel.bss.last = b"bytes"
    assert_type(skel.maps.by_comm[CharArray("bash")], Texts)


def scalars(skel: Scalars) -> None:
    assert_type(skel.maps.by_level[Level.LEVEL_LOW], Scalars2)
    assert_type(skel.maps.allowed[5], bool)
    assert_type(skel.rodata.enabled, bool)


def kernel_objects(skel: Slots, packets: XdpProgram, sock: socket.socket) -> None:
    maps = skel.maps
    assert_type(maps.by_zone, ArrayOfMaps[HashMap[Flow, Stat]])
    assert_type(maps.by_zone[0], HashMap[Flow, Stat])
    assert_type(maps.by_zone[0][Flow()].bytes, int)
    assert_type(maps.by_zone.get(0), HashMap[Flow, Stat] | None)
    maps.by_zone[0][Flow()] = Stat()
    maps.by_zone[1] = maps.defaults
    maps.by_zone[2] = maps.defaults.fileno()
    assert_type(maps.by_flow, HashOfMaps[Flow, ArrayMap[int]])
    assert_type(maps.by_flow.create_inner(), ArrayMap[int])
    assert_type(maps.by_flow.insert(Flow(), max_entries=5)[0], int)
    assert_type(maps.by_flow.ids(), dict[Flow, int])
    assert_type(maps.undefined[0], Map)
    for flow, inner in maps.by_flow.items():
        assert_type(flow, Flow)
        assert_type(inner, ArrayMap[int])
    maps.tails[0] = skel.progs.redirect
    maps.tails[1] = 5
    assert_type(maps.tails[0], Program)
    maps.groups[0] = "/sys/fs/cgroup/x"
    maps.groups[1] = Path("/sys/fs/cgroup/x")
    maps.devices[0] = "eth0"
    maps.devices[1] = 2
    assert_type(maps.devices[0], int)
    maps.devices_progs[0] = "eth0"
    maps.devices_progs[1] = ("eth0", packets)
    assert_type(maps.devices_progs[0], DevMapVal)
    maps.cpus[0] = 192
    maps.cpus_progs[0] = (192, packets)
    assert_type(maps.cpus_progs[0].prog_id, int)
    maps.socks[0] = sock
    maps.socks[1] = sock.fileno()
    maps.socks_read[0] = sock
    assert_type(dict(maps.socks_read), dict[int, int])
    maps.by_key[Flow()] = sock
    assert_type(list(maps.by_key), list[Flow])
    maps.by_key_read[Flow()] = sock
    assert_type(maps.by_key_read[Flow()], int)
    maps.xsks[0] = sock
    maps.ports[0] = sock
    maps.ports_read.update(0, sock, 1)
    maps.of_socks[sock] = Stat(packets=1)
    assert_type(maps.of_socks[sock], Stat)
    assert_type(maps.of_socks.get(sock), Stat | None)
    maps.of_inodes["/etc/passwd"] = Stat()
    maps.of_tasks[Pid(1)] = Stat()
    maps.of_cgroups[Path("/sys/fs/cgroup")] = Stat()
    for key, value in maps.attached.items():
        assert_type(key.cgroup_inode_id, int)
        assert_type(value, Stat)
    assert_type(maps.attached_percpu[cgroup_id("/sys/fs/cgroup")], tuple[Stat, ...])
    assert_type(maps.commands, UserRingBuf[Command])
    maps.commands.send(Command(kind=1), timeout=None)
    with maps.commands.reserve(8) as sample:
        sample.data[:] = bytes(8)
