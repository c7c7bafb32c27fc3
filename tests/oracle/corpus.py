"""The oracle's corpus: objects, what each shows, what it takes, and how it ends.

Every case goes through libbpf and through us, and is compared as far as it gets
(test_oracle.py). `BULLETS` (case.py) is what Parts 1 to 5 of the load parity issue ask for; a test
holds that each has a case.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.uapi import const as k

from tests.oracle import facts
from tests.oracle.case import Case, Set, Target
from tests.oracle.made import Made
from tests.support.clang import ROOT
from tests.support.corekinds import with_enum64, with_kinds


def _matches(path: Path, target: Path) -> Path:
    """clang 14 cannot ask whether types match: its questions whether they exist become that."""
    return with_kinds(path, target, {k.BPF_CORE_TYPE_EXISTS: k.BPF_CORE_TYPE_MATCHES})


def _enums(path: Path, target: Path) -> Path:
    """clang 14 has no BTF for enums of 64 bits, nor for the sign of one."""
    return with_enum64(path, target, "huge", 0xFFFFFFFF00000005, signed="colour")


def _made(order: str = "<", **more: Any) -> Callable[[], bytes]:
    return lambda: encode(Made(**more).types, byte_order="<" if order == "<" else ">")


GIVEN = """\
CONFIG_TEST_TRI=m
CONFIG_TEST_LETTER=n
CONFIG_TEST_BYTE=200
CONFIG_TEST_SHORT=-32768
CONFIG_TEST_INT=010
CONFIG_TEST_LONG=0xfedcba9876543210
CONFIG_TEST_NEGATIVE=-9
CONFIG_TEST_TEXT="more than fits"
CONFIG_TEST_ABSENT=yes
"""

#: `r0 = 3; r0 = 2; exit`.
_INSNS = bytes.fromhex("b700000003000000 b700000002000000 9500000000000000".replace(" ", ""))

_CORE = (
    Case("core_field_offset", ("field byte offset", "patched ALU"), core=True),
    Case("core_field_size", ("field byte size", "patched ALU"), core=True),
    Case("core_field_exists", ("field exists",), core=True),
    Case("core_field_signed", ("field signed",), core=True),
    Case("core_bitfields", ("bitfields", "field shifts"), core=True),
    Case("core_bitfields_direct", ("bitfields", "patched LDX"), core=True),
    Case("core_type_ids", ("local type id", "target type id", "patched LDIMM64"), core=True),
    Case("core_type_exists", ("type exists", "compatibility"), core=True),
    Case("core_type_matches", ("type matches", "compatibility"), makes=_matches, core=True),
    Case("core_type_size", ("type size",), core=True),
    Case("core_enums", ("enumerator exists", "enumerator value", "patched LDIMM64"), core=True),
    Case("core_flavors", ("flavors",), core=True),
    Case("core_arrays", ("arrays",), core=True),
    Case("core_anonymous", ("anonymous members",), core=True),
    Case("core_direct", ("patched LDX",), core=True),
    Case("core_stores", ("patched ST",), core=True),
    Case("core_resize", ("sizes of loads", "patched LDX"), core=True),
    Case("core_guarded", ("poison",), core=True),
    Case("core_optional", ("poison", "autoload"), core=True),
    Case("core_subprogs", ("subprograms", "field byte offset"), core=True),
    Case(
        "core_poison_enum",
        ("poison",),
        "kernel",
        "enumerator PIDTYPE_NONE of enum pid_type does not exist on this kernel",
    ),
    Case(
        "core_poison_field",
        ("poison",),
        "kernel",
        "field no_such_field of struct signal_struct does not exist",
    ),
    Case(
        "core_poison_subprog",
        ("poison", "subprograms"),
        "kernel",
        "field no_such_field of struct task_struct does not exist",
    ),
    Case("core_poison_type", ("poison",), "kernel", "struct no_such_struct does not exist on this"),
    Case(
        "core_resize_signed",
        ("sizes of loads",),
        "kernel",
        "field pid of struct task_struct has 4 bytes on this kernel, the object reads 8",
    ),
    Case("core_made_up", ("poison",), "kernel", "struct outer does not exist on this kernel"),
    Case(
        "custom BTF",
        ("btf_custom_path", "64-bit enumerators", "bitfields", "arrays"),
        source="core_made_up",
        custom_btf=_made(shift=8),
    ),
    Case(
        "local enums of 64 bits and with a sign",
        ("64-bit enumerators", "enumerator value"),
        source="core_made_up",
        makes=_enums,
        custom_btf=_made(shift=8),
    ),
    Case(
        "core_module",
        ("module BTF", "type exists", "target type id", "field byte offset"),
        needs=("conntrack kfuncs",),
        module="nf_conntrack",
    ),
    Case(
        "custom BTF of the other byte order",
        ("btf_custom_path", "foreign BTF"),
        source="core_made_up",
        custom_btf=_made(">", shift=16),
    ),
    Case(
        "custom BTF with pointers of 4 bytes",
        ("btf_custom_path", "foreign BTF"),
        source="core_made_up",
        custom_btf=_made(shift=24, long_size=4),
    ),
    Case(
        "custom BTF with two such structs",
        ("ambiguity",),
        "load",
        r"outer::first .* is ambiguous .* or struct outer::first",
        source="core_made_up",
        custom_btf=_made(shift=0, twins=True),
    ),
    Case(
        "custom BTF that is cut off",
        ("btf_custom_path",),
        "load",
        r"custom\.btf': strings end .* bytes after the header, beyond it",
        source="core_made_up",
        custom_btf=lambda: _made(shift=0)()[:-40],
    ),
    Case(
        "custom BTF of a bitfield across words",
        ("bitfields",),
        "load",
        r"bitfield .*::signed_bits .* cannot be read",
        source="core_made_up",
        custom_btf=_made(shift=0, signed_bits=3711),
    ),
    Case(
        "object of the other byte order",
        ("foreign BTF",),
        "load",
        "big-endian, on this machine not supported",
        source="load_plain",
        flags=("-target", "bpfeb"),
        differences=("byte order",),
    ),
)

_EXTERNS = (
    Case("ext_kconfig", ("kconfig values", "kconfig of the kernel")),
    Case("kconfig text", ("kconfig text", "kconfig values"), source="ext_kconfig", kconfig=GIVEN),
    Case(
        "kconfig text that wins",
        ("kconfig text",),
        source="ext_kconfig",
        kconfig="CONFIG_HZ=1\nCONFIG_HZ=2\n",
    ),
    Case(
        "kconfig text that is wrong",
        ("kconfig text",),
        "load",
        r"'CONFIG_HZ' of \.kconfig: value 'fast' .* is no integer",
        source="ext_kconfig",
        kconfig="CONFIG_HZ=fast\n",
    ),
    Case(
        "ext_linux",
        ("LINUX_ values",),
        differences=("LINUX_HAS_SYSCALL_WRAPPER", "Debian's versions"),
    ),
    Case("ext_ksym_address", ("typeless ksyms", "weak externs")),
    Case("ext_target", ("subprograms",)),
    Case("ext_kfunc", ("kfuncs",), needs=("kfuncs in syscall programs",)),
    Case("ext_ksym_typed", ("typed ksyms", "weak externs"), needs=("variables of the kernel",)),
    Case(
        "ext_module",
        ("module kfuncs", "module BTF"),
        needs=("conntrack kfuncs",),
        module="nf_conntrack",
    ),
    Case(
        "ext_module target",
        ("module targets", "module BTF"),
        source="ext_module",
        module="nf_conntrack",
        needs=("conntrack kfuncs", "fentry"),
        settings=(
            Set("program", "look_up", "autoload", 0),
            Set("program", "find_get", "autoload", 1),
        ),
    ),
    Case(
        "ext_kfunc_flavors",
        ("kfuncs", "flavors"),
        needs=("kfuncs in syscall programs",),
        libbpf=(1, 3),
        facts=facts.KFUNC_FLAVORS,
    ),
    Case(
        "ext_kfunc_weak",
        ("weak externs", "kfuncs"),
        needs=("kfuncs in syscall programs",),
        libbpf=(1, 3),
        facts=facts.KFUNC_WEAK,
    ),
    Case(
        "ext_exception",
        ("exception callbacks",),
        needs=("bpf_throw",),
        libbpf=(1, 3),
        facts=facts.EXCEPTION,
    ),
    Case(
        "ext_weak_called",
        ("weak externs",),
        "kernel",
        "'bpf_no_such_kfunc', a weak extern",
        needs=("syscall programs",),
        libbpf=(1, 3),
    ),
    Case(
        "ext_no_kfunc", ("kfuncs",), "load", r"'bpf_no_such_kfunc' of \.ksyms: .* no such function"
    ),
    Case(
        "ext_no_linux", ("LINUX_ values",), "load", r"'LINUX_FROM_THE_FUTURE' of \.kconfig: neither"
    ),
    Case(
        "ext_no_setting",
        ("kconfig values",),
        "load",
        r"'CONFIG_NO_SUCH_SETTING' of \.kconfig is not set",
    ),
    Case(
        "ext_no_symbol",
        ("typeless ksyms",),
        "load",
        r"'no_such_symbol' of \.ksyms: .* no such symbol",
    ),
    Case(
        "ext_no_variable",
        ("typed ksyms",),
        "load",
        r"'no_such_variable' of \.ksyms: .* no such var",
    ),
    Case(
        "ext_wrong_kfunc",
        ("kfuncs",),
        "load",
        r"'bpf_rcu_read_lock' of \.ksyms( is declared as|: .* no such)",
    ),
    Case(
        "ext_wrong_setting",
        ("kconfig values",),
        "load",
        r"'CONFIG_HZ' of \.kconfig is declared as a bool",
    ),
    Case(
        "ext_wrong_variable",
        ("typed ksyms",),
        "load",
        r"'bpf_prog_active' of \.ksyms is declared as",
    ),
)

_PROGRAMS = (
    Case("load_plain", ("subprograms",)),
    Case("load_version", ("flags",)),
    Case("load_sections", ("autoload", "flags"), needs=("XDP with fragments",)),
    Case("load_loops", ("subprograms", "global data")),
    Case("load_subprogs", ("subprograms",)),
    Case(
        "load_library",
        ("subprograms",),
        libbpf=(1, 5),
        facts={"map totals": {"max_entries": 3, "type": k.BPF_MAP_TYPE_ARRAY}},
    ),
    Case("load_across", ("subprograms", "callbacks"), needs=("bpf_loop",)),
    Case("load_callbacks", ("callbacks",), needs=("bpf_loop",)),
    Case("load_timer", ("timers",), needs=("bpf_timer",)),
    Case("load_testrun", ("subprograms",), needs=("syscall programs",)),
    Case("load_cgroup", ("map attributes",)),
    Case("load_tracing", ("tp_btf", "iter")),
    Case("attach_iters", ("iter", "tp_btf")),
    Case("attach_sleepable", ("flags", "iter"), needs=("iterators that may sleep",)),
    Case("attach_functions", ("fentry", "fmod_ret"), needs=("fentry",)),
    Case(
        "attach_sleeping",
        ("fentry", "flags"),
        needs=("fentry", "fentry that may sleep of the functions for tests"),
    ),
    Case("attach_lsm", ("lsm", "flags"), needs=("LSM programs",)),
    Case("link_fentry", ("fentry",), needs=("fentry",)),
    Case("link_tracing", ("tp_btf", "tail calls")),
    Case("link_iter", ("iter",)),
    Case("link_cgroup", ("map attributes",)),
    Case("link_xdp", ("subprograms",)),
    Case("link_tracepoint", ("global data",)),
    Case("attach_no_function", ("missing targets",), "load", "no function 'bpfgen_no_such"),
    Case("attach_no_hook", ("missing targets",), "load", "no function 'bpf_lsm_bpfgen_no_such"),
    Case("attach_no_iter", ("missing targets",), "load", "no function 'bpf_iter_bpfgen_no_such"),
    Case("attach_no_tracepoint", ("missing targets",), "load", "no typedef 'btf_trace_bpfgen_no"),
    Case(
        "ext_freplace",
        ("freplace",),
        needs=("fentry",),
        target=Target("new_answer", "ext_target", "target", "answer"),
    ),
    Case(
        "freplace without a target",
        ("freplace",),
        "load",
        "without a program to replace 'answer' of",
        source="ext_freplace",
    ),
    Case(
        "ext_fentry_prog",
        ("programs traced",),
        needs=("fentry",),
        target=Target("after_target", "ext_target", "target", "target"),
    ),
    Case(
        "target that is not there",
        ("freplace", "missing targets"),
        "load",
        "has no function 'no_such_function'",
        source="ext_freplace",
        target=Target("new_answer", "ext_target", "target", "no_such_function"),
    ),
    Case(
        "setters",
        ("setters",),
        source="load_cgroup",
        settings=(
            Set("program", "ingress", "expected_attach_type", k.BPF_CGROUP_INET_EGRESS),
            Set("program", "connect4", "expected_attach_type", k.BPF_CGROUP_INET4_BIND),
        ),
    ),
    Case(
        "another type",
        ("setters",),
        source="load_sections",
        needs=("XDP with fragments",),
        settings=(
            Set("program", "classify", "type", k.BPF_PROG_TYPE_CGROUP_SKB),
            Set("program", "classify", "expected_attach_type", k.BPF_CGROUP_INET_EGRESS),
        ),
    ),
    Case(
        "target, then type",
        ("setters", "tp_btf"),
        source="ext_ksym_address",
        settings=(
            Set("program", "read_addresses", "expected_attach_type", k.BPF_TRACE_RAW_TP),
            Set("program", "read_addresses", "attach_target", "sched_process_exec"),
            Set("program", "read_addresses", "type", k.BPF_PROG_TYPE_TRACING),
        ),
    ),
    Case(
        "type, then target",
        ("setters", "tp_btf"),
        source="ext_ksym_address",
        settings=(
            Set("program", "read_addresses", "expected_attach_type", k.BPF_TRACE_RAW_TP),
            Set("program", "read_addresses", "type", k.BPF_PROG_TYPE_TRACING),
            Set("program", "read_addresses", "attach_target", "sched_process_exec"),
        ),
    ),
    Case(
        "flags",
        ("setters", "flags"),
        source="load_sections",
        needs=("XDP with fragments",),
        settings=(Set("program", "pass_all", "flags", k.BPF_F_STRICT_ALIGNMENT),),
    ),
    Case(
        "flags that no kernel has",
        ("flags",),
        "kernel",
        "load program 'pass_all'",
        source="load_sections",
        settings=(Set("program", "pass_all", "flags", 1 << 31),),
    ),
    Case(
        "programs left out",
        ("autoload",),
        source="load_refused",
        settings=(Set("program", "greedy_program_of_long_name", "autoload", 0),),
    ),
    Case(
        "programs put in",
        ("autoload",),
        source="load_sections",
        needs=("XDP with fragments",),
        settings=(
            Set("program", "optional", "autoload", 1),
            Set("program", "drop_short", "autoload", 0),
        ),
    ),
    Case(
        "log level",
        ("log level",),
        source="load_subprogs",
        settings=(Set("program", "second", "log_level", 2),),
    ),
    Case(
        "other instructions",
        ("set_insns",),
        source="load_plain",
        insns=("only", _INSNS),
        differences=("set_insns",),
    ),
    Case("load_refused", ("verifier",), "kernel", "invalid access to packet"),
    Case("btf_kinds", ("verifier",), "kernel", "load program 'handle'"),
    Case("elf_atomics", ("verifier",), core=True),
)

_HASH = {"map_type": k.BPF_MAP_TYPE_HASH, "key_size": 4, "value_size": 8}

_MAPS = (
    Case(
        "load_maps",
        ("map attributes", "ring sizes", "CPU defaults"),
        needs=("bloom filter",),
    ),
    Case("maps_typed", ("map attributes",)),
    Case("maps_long_names", ("map attributes", "maps in maps")),
    Case("maps_inner_ring", ("maps in maps", "ring sizes")),
    Case(
        "maps_inner_perf",
        ("maps in maps", "CPU defaults"),
        libbpf=(1, 4),
        facts={
            "map by_key": {"type": k.BPF_MAP_TYPE_HASH_OF_MAPS, "max_entries": 2},
            "map high": {"type": k.BPF_MAP_TYPE_PERF_EVENT_ARRAY},
            "program emit": {"maps": ["by_key"]},
        },
    ),
    Case("maps_inner_sizes", ("maps in maps",)),
    Case("maps_nested", ("maps in maps", "initial values")),
    Case("maps_tailcalls", ("tail calls", "initial values")),
    Case("maps_tailcalls_shared", ("tail calls",)),
    Case(
        "maps_inner_bare",
        ("maps in maps",),
        "kernel",
        "create map 'bare'",
    ),
    Case("maps_wrong_key", ("maps in maps",), "open", "keys of 4 bytes, not 8"),
    Case("maps_wrong_slot", ("tail calls",), "open", "is no entry program"),
    Case("maps_pinned", ("pinning",), pinned={}),
    Case("pin of such a map", ("pin reuse",), source="maps_pinned", pinned=_HASH | {"entries": 4}),
    Case(
        "pin of another map",
        ("pin compatibility",),
        "load",
        "max_entries 9 there, 4 here",
        source="maps_pinned",
        pinned=_HASH | {"entries": 9},
    ),
    Case("maps_pinned_devices", ("pinning", "pin compatibility"), pinned={}),
    Case(
        "a map of another's that is to be pinned",
        ("reuse_fd", "pinning"),
        source="maps_pinned",
        pinned={},
        reused={"bpfgen_pinned": _HASH | {"max_entries": 77}},
    ),
    Case(
        "a map of another's and a pin like it",
        ("reuse_fd", "pin reuse"),
        source="maps_pinned",
        pinned=_HASH | {"entries": 77},
        reused={"bpfgen_pinned": _HASH | {"max_entries": 77}},
    ),
    Case(
        "a map of another's and a pin of the object's",
        ("reuse_fd", "pin compatibility"),
        "load",
        "max_entries 4 there, 77 here",
        source="maps_pinned",
        pinned=_HASH | {"entries": 4},
        reused={"bpfgen_pinned": _HASH | {"max_entries": 77}},
    ),
    Case(
        "a map of another's",
        ("reuse_fd",),
        source="maps_ring_sizes",
        reused={"table": _HASH | {"max_entries": 77}},
    ),
    Case(
        "another map's size",
        ("setters", "map attributes"),
        source="maps_ring_sizes",
        settings=(
            Set("map", "table", "max_entries", 100),
            Set("map", "table", "map_flags", k.BPF_F_NO_PREALLOC | k.BPF_F_NUMA_NODE),
            Set("map", "table", "numa_node", 0),
        ),
    ),
    Case("maps_node", ("numa_node",), "kernel", "create map 'table'"),
    Case("load_bloom", ("map_extra",), needs=("bloom filter",)),
    Case("maps_ring_sizes", ("ring sizes", "CPU defaults")),
    Case(
        "a map that is not made",
        ("autocreate",),
        "kernel",
        "uses map 'table', which was not created",
        source="maps_ring_sizes",
        settings=(Set("map", "table", "autocreate", 0),),
    ),
    Case(
        "a map that no program uses is not made",
        ("autocreate",),
        source="maps_ring_sizes",
        settings=(Set("map", "unused", "autocreate", 0),),
    ),
    Case("maps_resized", ("resized globals",)),
    Case(
        "resized",
        ("resized globals",),
        source="maps_resized",
        settings=(Set("map", ".data.table", "value_size", 40 * 8),),
        libbpf=(1, 3),
        facts=facts.RESIZED,
    ),
    Case(
        "resized without an array",
        ("resized globals",),
        source="maps_resized",
        settings=(Set("map", ".data.plain", "value_size", 64),),
        libbpf=(1, 3),
        facts={"map .data.plain": {"value_size": 64, "btf": None}},
        warns="'.data.plain' is loaded without types",
    ),
    Case("maps_ops", ("struct_ops", "struct_ops functions", "struct_ops programs")),
    Case("maps_ops_dummy", ("struct_ops", "struct_ops matching"), needs=("bpf_dummy_ops",)),
    Case("maps_ops_wrong", ("struct_ops functions",), "open", "is no program of SEC"),
    Case(
        "maps_ops_address",
        ("struct_ops functions",),
        "load",
        "map 'control': an address as member 'owner'",
        libbpf=(1, 5),  # before, the member's value was lost without a word
        facts={"errno": {"errno": None}},
    ),
    Case("maps_ops_unknown", ("struct_ops matching",), "load", "bpf_struct_ops_bpfgen_made_up_ops"),
    Case(
        "maps_ops_link",
        ("struct_ops links", "struct_ops matching"),
        needs=("struct_ops links",),
        libbpf=(1, 4),
        facts=facts.OPS_LINK,
    ),
    Case(
        "maps_arena",
        ("arenas",),
        needs=("arena",),
        libbpf=(1, 5),
        facts=facts.ARENA,
    ),
    Case(
        "maps_arena_plain",
        ("arenas",),
        needs=("arena",),
        libbpf=(1, 4),
        facts=facts.ARENA_PLAIN,
    ),
    Case(
        "an arena at an address",
        ("arenas", "map_extra", "setters"),
        needs=("arena",),
        source="maps_arena_plain",
        libbpf=(1, 4),
        settings=(Set("map", "arena", "map_extra", 1 << 44),),
        facts=facts.ARENA_AT_ADDRESS,
    ),
    Case("maps_arena_none", ("arenas",), "open", "need an arena", libbpf=(1, 5)),
    Case("load_globals", ("global data", "initial values")),
    Case("memory", ("global data",)),
    Case("values_ring", ("ring sizes",), differences=("empty sections",)),
    Case("values_lock", ("map attributes",)),
    Case("kinds_newer", ("newer BTF",)),
    Case("older_helpers", ("newer helpers",)),
    Case(
        "arg_ctx",
        ("arg:ctx",),
        libbpf=(1, 4),
        facts={"program on_call": {"functions": 3}, "program on_sample": {"functions": 3}},
    ),
    Case("examples/execsnoop", ("global data",)),
    Case("examples/tasktree", ("field byte offset", "iter"), core=True),
    Case("examples/xdp_count", ("map attributes",)),
)

#: What the verifier refuses; the reasons are tests/support/verifier.py's business.
_BAD = tuple(
    Case(
        f"bad_{name}",
        ("verifier",),
        "kernel",
        "load program 'bad'",
        libbpf=(1, 3) if name == "kfunc" else (1, 0),
    )
    for name in sorted(
        path.name.removeprefix("bad_").removesuffix(".bpf.c")
        for path in (ROOT / "tests" / "bpf").glob("bad_*.bpf.c")
    )
    # A million instructions, verified six times and more by both, take 20 and 37 seconds, more than
    # all other cases together: tests/live/test_verifier_errors.py has them, by us alone.
    if name not in ("insn_limit", "jumps")
)

CASES: tuple[Case, ...] = (*_CORE, *_EXTERNS, *_PROGRAMS, *_MAPS, *_BAD)
