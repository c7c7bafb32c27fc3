"""Which class serves which type of map: for the generator, and for maps that no skeleton binds."""

from __future__ import annotations

from .uapi import const as k

__all__ = ["ANY_MAP", "MapClass", "class_of", "every_class"]


class MapClass:
    """A class of maps.

    Attributes:
        home: its module in the runtime and its name, `"map.hash.HashMap"`.
        parameters: what its type parameters are, in order: `"key"`, `"value"`, `"event"` (of its
            records), `"inner"` (the class of the maps in it), `"frame"` (of stack traces).
    """

    __slots__ = ("home", "parameters")

    def __init__(self, home: str, *parameters: str) -> None:
        self.home = home
        self.parameters = parameters

    @property
    def name(self) -> str:
        """The class's name."""
        return self.home.rpartition(".")[2]


#: Maps of types without a class of their own.
ANY_MAP = MapClass("map.Map")

_HASH = MapClass("map.HashMap", "key", "value")
_PERCPU_HASH = MapClass("map.PerCpuHashMap", "key", "value")

_CLASSES = {
    k.BPF_MAP_TYPE_HASH: _HASH,
    k.BPF_MAP_TYPE_LRU_HASH: _HASH,
    k.BPF_MAP_TYPE_PERCPU_HASH: _PERCPU_HASH,
    k.BPF_MAP_TYPE_LRU_PERCPU_HASH: _PERCPU_HASH,
    k.BPF_MAP_TYPE_ARRAY: MapClass("map.ArrayMap", "value"),
    k.BPF_MAP_TYPE_PERCPU_ARRAY: MapClass("map.PerCpuArrayMap", "value"),
    k.BPF_MAP_TYPE_LPM_TRIE: MapClass("map.LpmTrieMap", "key", "value"),
    k.BPF_MAP_TYPE_QUEUE: MapClass("map.QueueMap", "value"),
    k.BPF_MAP_TYPE_STACK: MapClass("map.StackMap", "value"),
    k.BPF_MAP_TYPE_BLOOM_FILTER: MapClass("map.BloomFilterMap", "value"),
    k.BPF_MAP_TYPE_STACK_TRACE: MapClass("map.StackTraceMap", "frame"),
    k.BPF_MAP_TYPE_ARRAY_OF_MAPS: MapClass("map.ArrayOfMaps", "inner"),
    k.BPF_MAP_TYPE_HASH_OF_MAPS: MapClass("map.HashOfMaps", "key", "inner"),
    k.BPF_MAP_TYPE_PROG_ARRAY: MapClass("map.ProgArray"),
    k.BPF_MAP_TYPE_CGROUP_ARRAY: MapClass("map.CgroupArray"),
    k.BPF_MAP_TYPE_DEVMAP: MapClass("map.DevMap"),
    k.BPF_MAP_TYPE_DEVMAP_HASH: MapClass("map.DevMap"),
    k.BPF_MAP_TYPE_CPUMAP: MapClass("map.CpuMap"),
    k.BPF_MAP_TYPE_SOCKMAP: MapClass("map.SockMap"),
    k.BPF_MAP_TYPE_SOCKHASH: MapClass("map.SockHash", "key"),
    k.BPF_MAP_TYPE_XSKMAP: MapClass("map.XskMap"),
    k.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY: MapClass("map.ReuseportSockArray"),
    k.BPF_MAP_TYPE_SK_STORAGE: MapClass("map.SkStorage", "value"),
    k.BPF_MAP_TYPE_INODE_STORAGE: MapClass("map.InodeStorage", "value"),
    k.BPF_MAP_TYPE_TASK_STORAGE: MapClass("map.TaskStorage", "value"),
    k.BPF_MAP_TYPE_CGRP_STORAGE: MapClass("map.CgrpStorage", "value"),
    k.BPF_MAP_TYPE_CGROUP_STORAGE: MapClass("map.CgroupStorage", "key", "value"),
    k.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE: MapClass("map.PerCpuCgroupStorage", "key", "value"),
    k.BPF_MAP_TYPE_RINGBUF: MapClass("ringbuf.RingBuf", "event"),
    k.BPF_MAP_TYPE_PERF_EVENT_ARRAY: MapClass("perfbuf.PerfBuffer", "event"),
    k.BPF_MAP_TYPE_USER_RINGBUF: MapClass("userringbuf.UserRingBuf", "event"),
    k.BPF_MAP_TYPE_STRUCT_OPS: MapClass("link.struct_ops.StructOpsMap"),
    k.BPF_MAP_TYPE_ARENA: MapClass("map.arena.ArenaMap"),
}

#: Types whose values may have a second form, by the size of that: (type, bytes).
_BY_VALUE_SIZE = {
    (k.BPF_MAP_TYPE_DEVMAP, 8): MapClass("map.DevProgMap"),
    (k.BPF_MAP_TYPE_DEVMAP_HASH, 8): MapClass("map.DevProgMap"),
    (k.BPF_MAP_TYPE_CPUMAP, 8): MapClass("map.CpuProgMap"),
    (k.BPF_MAP_TYPE_SOCKMAP, 8): MapClass("map.SockCookieMap"),
    (k.BPF_MAP_TYPE_SOCKHASH, 8): MapClass("map.SockCookieHash", "key"),
    (k.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 8): MapClass("map.ReuseportSockCookieArray"),
}


def class_of(map_type: int, value_size: int) -> MapClass:
    """Return the class of a type of map, `ANY_MAP` where there is none."""
    found = _BY_VALUE_SIZE.get((map_type, value_size))
    return found or _CLASSES.get(map_type, ANY_MAP)


def every_class() -> list[MapClass]:
    """Return all classes."""
    return list(
        {one.name: one for one in (ANY_MAP, *_CLASSES.values(), *_BY_VALUE_SIZE.values())}.values()
    )
