"""Section names, held against libbpf itself."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable

import pytest
from bpfgen_runtime import sections
from bpfgen_runtime.sections import SECTION_DEFS, find, program_class
from bpfgen_runtime.uapi import const

from tests.support.requirements import require

# The release of libbpf that first knows the name, for names that v1.0 does not know.
SINCE = {
    "struct_ops.s": (1, 2),
    "cgroup/connect_unix": (1, 3),
    "cgroup/getpeername_unix": (1, 3),
    "cgroup/getsockname_unix": (1, 3),
    "cgroup/recvmsg_unix": (1, 3),
    "cgroup/sendmsg_unix": (1, 3),
    "netfilter": (1, 3),
    "netkit/peer": (1, 3),
    "netkit/primary": (1, 3),
    "tc/egress": (1, 3),
    "tc/ingress": (1, 3),
    "tcx/egress": (1, 3),
    "tcx/ingress": (1, 3),
    "uprobe.multi": (1, 3),
    "uprobe.multi.s": (1, 3),
    "uretprobe.multi": (1, 3),
    "uretprobe.multi.s": (1, 3),
    "usdt.s": (1, 3),
    "sk_skb/verdict": (1, 4),
    "kprobe.session": (1, 5),
    "uprobe.session": (1, 6),
    "uprobe.session.s": (1, 6),
    "fsession": (1, 7),
    "fsession.s": (1, 7),
    "fentry.multi": (1, 8),
    "fentry.multi.s": (1, 8),
    "fexit.multi": (1, 8),
    "fexit.multi.s": (1, 8),
    "fsession.multi": (1, 8),
    "fsession.multi.s": (1, 8),
    "raw_tp.s": (1, 8),
    "raw_tracepoint.s": (1, 8),
    "tp.s": (1, 8),
    "tp_btf.s": (1, 8),
    "tracepoint.s": (1, 8),
}

# What libbpf of any release answers is not written down here: it is asked.
ODD = [
    "",
    "/",
    "+",
    "tp+",
    "tp+/sched/sched_switch",
    "tp/x+",
    "tp//",
    "tp/sched/sched_switch",
    "xdp_foo",
    "xdp ",
    " xdp",
    "xdp\nxdp",
    "KPROBE\nkprobe",
    "socket1",
    "socket/1",
    "kprobe/a/b/c",
    "kprobe.multi/tcp_*",
    "uprobe//usr/bin/true:main+8",
    "uprobe.s//usr/bin/true:main",
    "fentry.x/foo",
    "lsm.cgroup/foo",
    "lsm_cgroup/socket_bind",
    "cgroup",
    "cgroup/",
    "cgroup/skb/",
    "cgroup_skb",
    "cgroup_skb/ingress/x",
    "cgroup/connect",
    "cgroup/connect4/x",
    "sk_skb/stream_parser/x",
    "tc/",
    "tc/foo",
    "tcx",
    "classifier/foo",
    "xdp/foo",
    "xdp.frags/foo",
    "iter/task",
    "iter.s/task",
    "struct_ops",
    "struct_ops/foo",
    "struct_ops.link",
    "perf_event/x",
    "syscall/x",
    "SOCKET",
    "SOCKET_FILTER",
    "-",
    "-  -",
    ".text",
    "license",
    "maps",
    "überprobe/x",
]

ENDINGS = ("", "/", "/a", "x")
NAMES = sorted({each.prefix + ending for each in SECTION_DEFS for ending in ENDINGS} | set(ODD))

Ask = Callable[[str], tuple[int, int] | None]


@pytest.fixture(scope="module")
def libbpf() -> tuple[Ask, tuple[int, int]]:
    """The question `libbpf_prog_type_by_name()` of the system's libbpf, and its release."""
    require("libbpf")
    library = ctypes.CDLL(ctypes.util.find_library("bpf"))
    library.libbpf_set_print(None)

    def ask(name: str) -> tuple[int, int] | None:
        prog_type, attach_type = ctypes.c_int(-1), ctypes.c_int(-1)
        failed = library.libbpf_prog_type_by_name(
            name.encode(), ctypes.byref(prog_type), ctypes.byref(attach_type)
        )
        return None if failed else (prog_type.value, attach_type.value)

    return ask, (library.libbpf_major_version(), library.libbpf_minor_version())


@pytest.mark.parametrize("name", NAMES)
def test_as_libbpf(name: str, libbpf: tuple[Ask, tuple[int, int]]) -> None:
    """A name gives the program and attach type that libbpf gives, or nothing where libbpf does.

    Names newer than the system's libbpf are unknown to it: that too is checked, so that the table
    of releases stays true.
    """
    ask, release = libbpf
    found, autoload = find(name)
    ours = None if found is None else (found.prog_type, found.expected_attach_type)
    if found is not None and SINCE.get(found.prefix, (1, 0)) > release:
        assert ask(name) is None
    else:
        assert ours == ask(name)
    assert autoload


def test_table_is_whole() -> None:
    """The table has the 116 names of libbpf 1.8, each once; none with a slash takes a target."""
    prefixes = [each.prefix for each in SECTION_DEFS]
    assert len(prefixes) == len(set(prefixes)) == 116
    assert set(SINCE) <= set(prefixes)
    assert [each.prefix for each in SECTION_DEFS if each.takes_target and "/" in each.prefix] == []


def test_newest_attach_types() -> None:
    """Names that no installed libbpf may know have the kernel's numbers."""
    assert {
        name: getattr(find(name)[0], "expected_attach_type", None)
        for name in ("fsession", "fentry.multi/x", "fexit.multi.s", "fsession.multi.s/y")
    } == {"fsession": 58, "fentry.multi/x": 59, "fexit.multi.s": 60, "fsession.multi.s/y": 61}


FLAGS = [
    ("tp/a/b", 0, "tracepoint"),
    ("raw_tp.w/x", 0, "raw_tracepoint"),
    ("tp_btf/x", sections.ATTACH_BTF, "trace"),
    ("fentry.s/x", sections.ATTACH_BTF | sections.SLEEPABLE, "trace"),
    ("freplace/x", sections.ATTACH_BTF, "trace"),
    ("fexit.multi.s/x", sections.SLEEPABLE, "tracing_multi"),
    ("lsm.s/x", sections.ATTACH_BTF | sections.SLEEPABLE, "lsm"),
    ("lsm_cgroup/x", sections.ATTACH_BTF, None),
    ("iter/task", sections.ATTACH_BTF, "iter"),
    ("kprobe/x", 0, "kprobe"),
    ("kretprobe.multi/x", 0, "kprobe_multi"),
    ("kprobe.session/x", 0, "kprobe_session"),
    ("ksyscall/x", 0, "ksyscall"),
    ("uprobe.s/x", sections.SLEEPABLE, "uprobe"),
    ("uprobe.session.s/x", sections.SLEEPABLE, "uprobe_multi"),
    ("usdt/x", sections.USDT, "usdt"),
    ("usdt.s/x", sections.USDT | sections.SLEEPABLE, "usdt"),
    ("xdp", sections.ATTACHABLE_OPT, None),
    ("xdp/devmap", sections.ATTACHABLE, None),
    ("xdp.frags", sections.XDP_FRAGS, None),
    ("cgroup/bind4", sections.ATTACHABLE, None),
    ("cgroup/dev", sections.ATTACHABLE | sections.EXP_ATTACH_OPT, None),
    ("syscall", sections.SLEEPABLE, None),
    ("struct_ops.s/x", sections.SLEEPABLE, None),
    ("tc", 0, None),
]


@pytest.mark.parametrize(("name", "flags", "attach"), FLAGS)
def test_flags_and_family(name: str, flags: int, attach: str | None) -> None:
    """A definition says how the program is loaded and which family attaches it."""
    found, _ = find(name)
    assert found is not None
    assert (found.flags, found.attach) == (flags, attach)


@pytest.mark.parametrize("name", ["?xdp", "?tp/sched/sched_switch", "?kprobe"])
def test_question_mark(name: str) -> None:
    """A leading question mark turns off loading by default, and means nothing else."""
    found, autoload = find(name)
    assert not autoload
    assert repr(found) == repr(find(name[1:])[0]) != "None"


@pytest.mark.parametrize("name", ["?", "??xdp", "x?dp"])
def test_question_mark_misplaced(name: str) -> None:
    """Only one question mark, in front of a name, is understood."""
    assert find(name)[0] is None


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("tp/sched/sched_switch", "sched/sched_switch"),
        ("?tp/sched/sched_switch", "sched/sched_switch"),
        ("uprobe//usr/bin/true:main", "/usr/bin/true:main"),
        ("kprobe", ""),
        ("kprobe/", ""),
        ("cgroup/skb", ""),
        ("xdp.frags/devmap", ""),
    ],
)
def test_target(name: str, target: str) -> None:
    """The target is all that follows the first slash, in names that take one."""
    found, _ = find(name)
    assert found is not None
    assert found.target(name) == target


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("xdp", "XdpProgram"),
        ("?xdp.frags", "XdpProgram"),
        ("cgroup/skb", "CgroupProgram"),
        ("cgroup_skb/ingress", "CgroupProgram"),
        ("cgroup/sock_create", "CgroupProgram"),
        ("cgroup/connect_unix", "CgroupProgram"),
        ("cgroup/dev", "CgroupProgram"),
        ("cgroup/sysctl", "CgroupProgram"),
        ("cgroup/getsockopt", "CgroupProgram"),
        ("sockops", "CgroupProgram"),
        ("lsm_cgroup/socket_bind", "CgroupProgram"),
        ("tp/a/b", "TracepointProgram"),
        ("tracepoint", "TracepointProgram"),
        ("raw_tp/x", "RawTracepointProgram"),
        ("raw_tracepoint.w/x", "RawTracepointProgram"),
        ("tp_btf/x", "TracingProgram"),
        ("fentry/x", "TracingProgram"),
        ("fmod_ret.s/x", "TracingProgram"),
        ("freplace/x", "TracingProgram"),
        ("iter/task", "IterProgram"),
        ("iter.s/task", "IterProgram"),
        ("kprobe/x", "Program"),
        ("syscall", "Program"),
        ("flow_dissector", "Program"),
        ("nonsense", "Program"),
    ],
)
def test_program_class(name: str, expected: str) -> None:
    """The class offers the attachment that such a program can have; its module is known."""
    assert program_class(name) == expected
    assert expected in sections.PROGRAM_MODULES


def test_names_of_constants_resolve() -> None:
    """Every row has a program type of the kernel, and an attach type unless the type has none."""
    types = {value for name, value in vars(const).items() if name.startswith("BPF_PROG_TYPE_")}
    assert {each.prog_type for each in SECTION_DEFS} <= types - {const.BPF_PROG_TYPE_UNSPEC}


def test_no_other_attribute() -> None:
    """The lazy table does not make the module answer to every name."""
    with pytest.raises(AttributeError, match="SECTION_DEF'"):
        sections.SECTION_DEF  # type: ignore[attr-defined]  # noqa: B018
