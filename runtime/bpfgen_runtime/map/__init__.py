"""Maps in the kernel, typed by their keys and values."""

# The general layout: `base` has what all maps share, `element` what those with elements do; `hash`,
# `array`, `percpu`, `lpm_trie`, `queue`, `bloom`, `stack_trace` are the classes, by kind; `batch`
# handles many elements at once, `columns` as NumPy arrays, `memory` is an array's mapped. `slots`
# has what maps that hold kernel objects share, and `of_maps`, `prog_array`, `cgroup_array`,
# `redirect`, `sockets` are those; `storage` is keyed by objects, `cgroup_storage` made by
# attachments. What a program does not use is not imported.

from __future__ import annotations

from .base import Map as Map
from .base import open_map as open_map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .array import ArrayMap as ArrayMap
    from .bloom import BloomFilterMap as BloomFilterMap
    from .cgroup_array import CgroupArray as CgroupArray
    from .cgroup_storage import CgroupStorage as CgroupStorage
    from .cgroup_storage import PerCpuCgroupStorage as PerCpuCgroupStorage
    from .cgroup_storage import cgroup_id as cgroup_id
    from .hash import HashMap as HashMap
    from .lpm_trie import LpmTrieMap as LpmTrieMap
    from .of_maps import ArrayOfMaps as ArrayOfMaps
    from .of_maps import HashOfMaps as HashOfMaps
    from .percpu import PerCpuArrayMap as PerCpuArrayMap
    from .percpu import PerCpuHashMap as PerCpuHashMap
    from .prog_array import ProgArray as ProgArray
    from .queue import QueueMap as QueueMap
    from .queue import StackMap as StackMap
    from .redirect import CpuMap as CpuMap
    from .redirect import CpuMapVal as CpuMapVal
    from .redirect import CpuProgMap as CpuProgMap
    from .redirect import DevMap as DevMap
    from .redirect import DevMapVal as DevMapVal
    from .redirect import DevProgMap as DevProgMap
    from .sockets import ReuseportSockArray as ReuseportSockArray
    from .sockets import ReuseportSockCookieArray as ReuseportSockCookieArray
    from .sockets import SockCookieHash as SockCookieHash
    from .sockets import SockCookieMap as SockCookieMap
    from .sockets import SockHash as SockHash
    from .sockets import SockMap as SockMap
    from .sockets import XskMap as XskMap
    from .stack_trace import BuildIdFrame as BuildIdFrame
    from .stack_trace import Frame as Frame
    from .stack_trace import StackTraceMap as StackTraceMap
    from .storage import CgrpStorage as CgrpStorage
    from .storage import InodeStorage as InodeStorage
    from .storage import Pid as Pid
    from .storage import SkStorage as SkStorage
    from .storage import TaskStorage as TaskStorage
else:
    _LAZY = {
        "ArrayMap": "array",
        "ArrayOfMaps": "of_maps",
        "BloomFilterMap": "bloom",
        "BuildIdFrame": "stack_trace",
        "CgroupArray": "cgroup_array",
        "CgroupStorage": "cgroup_storage",
        "CgrpStorage": "storage",
        "CpuMap": "redirect",
        "CpuMapVal": "redirect",
        "CpuProgMap": "redirect",
        "DevMap": "redirect",
        "DevMapVal": "redirect",
        "DevProgMap": "redirect",
        "Frame": "stack_trace",
        "HashMap": "hash",
        "HashOfMaps": "of_maps",
        "InodeStorage": "storage",
        "LpmTrieMap": "lpm_trie",
        "PerCpuArrayMap": "percpu",
        "PerCpuCgroupStorage": "cgroup_storage",
        "PerCpuHashMap": "percpu",
        "Pid": "storage",
        "ProgArray": "prog_array",
        "QueueMap": "queue",
        "ReuseportSockArray": "sockets",
        "ReuseportSockCookieArray": "sockets",
        "SkStorage": "storage",
        "SockCookieHash": "sockets",
        "SockCookieMap": "sockets",
        "SockHash": "sockets",
        "SockMap": "sockets",
        "StackMap": "queue",
        "StackTraceMap": "stack_trace",
        "TaskStorage": "storage",
        "XskMap": "sockets",
        "cgroup_id": "cgroup_storage",
    }

    def __getattr__(name):
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(__import__(_LAZY[name], globals(), level=1), name)
        globals()[name] = value
        return value


__all__ = [
    "ArrayMap",
    "ArrayOfMaps",
    "BloomFilterMap",
    "BuildIdFrame",
    "CgroupArray",
    "CgroupStorage",
    "CgrpStorage",
    "CpuMap",
    "CpuMapVal",
    "CpuProgMap",
    "DevMap",
    "DevMapVal",
    "DevProgMap",
    "Frame",
    "HashMap",
    "HashOfMaps",
    "InodeStorage",
    "LpmTrieMap",
    "Map",
    "PerCpuArrayMap",
    "PerCpuCgroupStorage",
    "PerCpuHashMap",
    "Pid",
    "ProgArray",
    "QueueMap",
    "ReuseportSockArray",
    "ReuseportSockCookieArray",
    "SkStorage",
    "SockCookieHash",
    "SockCookieMap",
    "SockHash",
    "SockMap",
    "StackMap",
    "StackTraceMap",
    "TaskStorage",
    "XskMap",
    "cgroup_id",
    "open_map",
]
