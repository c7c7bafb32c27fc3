"""What the kernel's BTF cannot tell: preprocessor constants, and what newer kernels have added.

BTF describes types, so a `#define` leaves no trace in it, and an enum without a name is kept only
where compiled kernel code uses one. Each group says why it is here.
"""

from __future__ import annotations

#: (reason, {name: value}); written to const.py as given.
DEFINES: tuple[tuple[str, dict[str, int]], ...] = (
    (
        "attach_flags of BPF_PROG_ATTACH, flags of BPF_LINK_CREATE: #define",
        {
            "BPF_F_ALLOW_OVERRIDE": 1 << 0,
            "BPF_F_ALLOW_MULTI": 1 << 1,
            "BPF_F_REPLACE": 1 << 2,
            "BPF_F_BEFORE": 1 << 3,
            "BPF_F_AFTER": 1 << 4,
            "BPF_F_ID": 1 << 5,
            "BPF_F_PREORDER": 1 << 6,
        },
    ),
    (
        "prog_flags of BPF_PROG_LOAD: #define",
        {
            "BPF_F_STRICT_ALIGNMENT": 1 << 0,
            "BPF_F_ANY_ALIGNMENT": 1 << 1,
            "BPF_F_TEST_RND_HI32": 1 << 2,
            "BPF_F_TEST_STATE_FREQ": 1 << 3,
            "BPF_F_SLEEPABLE": 1 << 4,
            "BPF_F_XDP_HAS_FRAGS": 1 << 5,
            "BPF_F_XDP_DEV_BOUND_ONLY": 1 << 6,
            "BPF_F_TEST_REG_INVARIANTS": 1 << 7,
        },
    ),
    ("link_create.netfilter.flags: #define", {"BPF_F_NETFILTER_IP_DEFRAG": 1 << 0}),
    ("query.query_flags of BPF_PROG_QUERY: #define", {"BPF_F_QUERY_EFFECTIVE": 1 << 0}),
    (
        "test.flags of BPF_PROG_TEST_RUN: #define",
        {
            "BPF_F_TEST_RUN_ON_CPU": 1 << 0,
            "BPF_F_TEST_XDP_LIVE_FRAMES": 1 << 1,
            "BPF_F_TEST_SKB_CHECKSUM_COMPLETE": 1 << 2,
        },
    ),
    (
        "src_reg of a two-slot load (BPF_LD | BPF_IMM | BPF_DW): #define",
        {
            "BPF_PSEUDO_MAP_FD": 1,
            "BPF_PSEUDO_MAP_VALUE": 2,
            "BPF_PSEUDO_BTF_ID": 3,
            "BPF_PSEUDO_FUNC": 4,
            "BPF_PSEUDO_MAP_IDX": 5,
            "BPF_PSEUDO_MAP_IDX_VALUE": 6,
        },
    ),
    ("src_reg of a call: #define", {"BPF_PSEUDO_CALL": 1, "BPF_PSEUDO_KFUNC_CALL": 2}),
    (
        "sizes in bytes, except BPF_MAXINSNS: #define",
        {
            "BPF_OBJ_NAME_LEN": 16,
            "BPF_TAG_SIZE": 8,
            "BPF_BUILD_ID_SIZE": 20,
            "XDP_PACKET_HEADROOM": 256,
            "BPF_MAXINSNS": 4096,
        },
    ),
    (
        "flags of an XDP attachment (linux/if_link.h): #define",
        {
            "XDP_FLAGS_UPDATE_IF_NOEXIST": 1 << 0,
            "XDP_FLAGS_SKB_MODE": 1 << 1,
            "XDP_FLAGS_DRV_MODE": 1 << 2,
            "XDP_FLAGS_HW_MODE": 1 << 3,
            "XDP_FLAGS_REPLACE": 1 << 4,
        },
    ),
    ("the BTF header (linux/btf.h): #define", {"BTF_MAGIC": 0xEB9F, "BTF_VERSION": 1}),
    (
        "BTF_INT_ENCODING (linux/btf.h): #define",
        {"BTF_INT_SIGNED": 1 << 0, "BTF_INT_CHAR": 1 << 1, "BTF_INT_BOOL": 1 << 2},
    ),
    (
        "flags of perf_event_open(2) (linux/perf_event.h): #define",
        {
            "PERF_FLAG_FD_NO_GROUP": 1 << 0,
            "PERF_FLAG_FD_OUTPUT": 1 << 1,
            "PERF_FLAG_PID_CGROUP": 1 << 2,
            "PERF_FLAG_FD_CLOEXEC": 1 << 3,
        },
    ),
    (
        "bpf_cgroup_dev_ctx.access_type: in an enum that this kernel's BTF has not kept",
        {
            "BPF_DEVCG_ACC_MKNOD": 1 << 0,
            "BPF_DEVCG_ACC_READ": 1 << 1,
            "BPF_DEVCG_ACC_WRITE": 1 << 2,
            "BPF_DEVCG_DEV_BLOCK": 1 << 0,
            "BPF_DEVCG_DEV_CHAR": 1 << 1,
        },
    ),
    (
        "what a netkit program returns: CONFIG_NETKIT is not set in this kernel",
        {"NETKIT_NEXT": -1, "NETKIT_PASS": 0, "NETKIT_DROP": 2, "NETKIT_REDIRECT": 7},
    ),
    (
        "stream_id: the UAPI's names for enum bpf_stream_id, which is the kernel's own",
        {"BPF_STREAM_STDOUT": 1, "BPF_STREAM_STDERR": 2},
    ),
)

#: Enumerators of kernels newer than the one that the output is made from, by enum, or by the key
#: enumerator where the enum has no name. Ignored where the BTF has them, an error where it
#: disagrees.
NEWER: dict[str, dict[str, int]] = {
    "bpf_cgroup_iter_order": {"BPF_CGROUP_ITER_CHILDREN": 5},
    "bpf_cmd": {"BPF_PROG_ASSOC_STRUCT_OPS": 38, "BPF_COMMON_ATTRS": 1 << 16},
    "bpf_map_type": {"BPF_MAP_TYPE_INSN_ARRAY": 34, "BPF_MAP_TYPE_RHASH": 35},
    "bpf_attach_type": {
        "BPF_TRACE_FSESSION": 58,
        "BPF_TRACE_FENTRY_MULTI": 59,
        "BPF_TRACE_FEXIT_MULTI": 60,
        "BPF_TRACE_FSESSION_MULTI": 61,
    },
    "bpf_link_type": {"BPF_LINK_TYPE_TRACING_MULTI": 15},
    "BPF_ANY": {"BPF_F_CPU": 1 << 3, "BPF_F_ALL_CPUS": 1 << 4},
    "BPF_F_NO_PREALLOC": {"BPF_F_RB_OVERWRITE": 1 << 19},
    "BPF_F_UPROBE_MULTI_RETURN": {"BPF_F_UPROBE_MULTI_PATH_FD": 1 << 1},
    "BPF_F_INGRESS": {"BPF_F_EGRESS": 1 << 1},
    "BPF_RB_AVAIL_DATA": {"BPF_RB_OVERWRITE_POS": 4},
}
