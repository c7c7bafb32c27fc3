"""What libbpf documents of features that the system's may be too old for: parts of what the kernel
is to be asked, and to have afterwards (`Case.facts`).

By `"program NAME"` and `"map NAME"`; None for what is not to be made. Keys are those of
tests/support/bpfwatch.py and kernelview.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bpfgen_runtime.uapi import const as k

Facts = Mapping[str, Mapping[str, Any] | None]

_SYSCALL = {
    "type": k.BPF_PROG_TYPE_SYSCALL,
    "attach type": 0,
    "attach": None,
    "flags": k.BPF_F_SLEEPABLE,
}
_ARENA = {
    "type": k.BPF_MAP_TYPE_ARENA,
    "map_flags": k.BPF_F_MMAPABLE,
    "key_size": 0,
    "value_size": 0,
    "btf": None,
    "frozen": False,
}
_CONGESTION_OPS = {
    "type": k.BPF_MAP_TYPE_STRUCT_OPS,
    "map_flags": k.BPF_F_LINK,
    "key_size": 4,
    "max_entries": 1,
    "kernel_value_type": ("Struct bpf_struct_ops_tcp_congestion_ops", "vmlinux"),
}


def _congestion_program(member: str) -> dict[str, Any]:
    return {
        "type": k.BPF_PROG_TYPE_STRUCT_OPS,
        "attach type": member,
        "attach": ("Struct tcp_congestion_ops", "vmlinux"),
        "flags": 0,
    }


#: A flavor that does not fit has the address 0, and a call of it is poisoned.
KFUNC_FLAVORS: Facts = {
    "program call_flavors": _SYSCALL
    | {
        "functions": 1,
        "of the kernel": (
            "poison",
            "Func bpf_task_from_pid",
            "Func bpf_task_from_pid",
            "Func bpf_task_release",
        ),
        "maps": [".bss"],
    }
}
KFUNC_WEAK: Facts = {
    "program call_weak": _SYSCALL
    | {
        "of the kernel": (
            "poison",
            "poison",
            "Func bpf_rcu_read_lock",
            "Func bpf_rcu_read_lock",
            "Func bpf_rcu_read_unlock",
        ),
        "maps": [".bss"],
    }
}
EXCEPTION: Facts = {
    "program throwing": {
        "functions": 4,
        "type": k.BPF_PROG_TYPE_SCHED_CLS,
        "of the kernel": ("Func bpf_throw",),
        "maps": [".bss", ".data"],
    }
}
RESIZED: Facts = {
    "map .data.table": {
        "value_size": 320,
        "max_entries": 1,
        "btf": ("Void ", "Datasec .data.table"),
    },
    "map .data.plain": {"value_size": 8},
}
OPS_LINK: Facts = {
    "map control": _CONGESTION_OPS | {"name": b"control"},
    "map later": _CONGESTION_OPS | {"name": b"later"},
    "map optional": None,
    "program ops_ssthresh": _congestion_program("ssthresh"),
    "program ops_cong_avoid": _congestion_program("cong_avoid"),
    "program ops_undo_cwnd": _congestion_program("undo_cwnd"),
    "program other_cong_avoid": None,
}
ARENA: Facts = {
    "map arena": _ARENA | {"max_entries": 16},
    "program count": _SYSCALL | {"maps": ["arena"]},
}
ARENA_PLAIN: Facts = {
    "map arena": _ARENA | {"max_entries": 4, "map_extra": 0},
    "program nothing": _SYSCALL | {"maps": ["arena"], "of the kernel": ()},
}
ARENA_AT_ADDRESS: Facts = {"map arena": _ARENA | {"max_entries": 4, "map_extra": 1 << 44}}
