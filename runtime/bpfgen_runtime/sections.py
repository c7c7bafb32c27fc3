"""What a section name says about the program in it: type, attach type, how it attaches.

The names are libbpf's, so that one source serves both: `SEC("tp/sched/sched_switch")`.
"""

from __future__ import annotations

from .uapi import const

TYPE_CHECKING = False

__all__ = [
    "ATTACHABLE",
    "ATTACHABLE_OPT",
    "ATTACH_BTF",
    "EXP_ATTACH_OPT",
    "PROGRAM_MODULES",
    "SECTION_DEFS",
    "SLEEPABLE",
    "USDT",
    "XDP_FRAGS",
    "SectionDef",
    "find",
    "program_class",
]

#: The expected attach type may be left out for kernels that take none at load (before v4.17).
EXP_ATTACH_OPT = 1
#: Attaches by `BPF_PROG_ATTACH` and that attach type; libbpf answers queries by it, nothing more.
ATTACHABLE = 2
ATTACHABLE_OPT = ATTACHABLE | EXP_ATTACH_OPT
#: The target is a BTF type of the kernel or of another program, wanted at load.
ATTACH_BTF = 4
#: Loaded with `BPF_F_SLEEPABLE`.
SLEEPABLE = 8
#: Loaded with `BPF_F_XDP_HAS_FRAGS`: the program takes packets that span several buffers.
XDP_FRAGS = 16
#: Loaded for `BPF_TRACE_UPROBE_MULTI` where the kernel has links for several uprobes at once: asked
#: at load.
USDT = 32

# One paragraph per program type (BPF_PROG_TYPE_*); its lines: section, family of automatic
# attachment, expected attach type, flags. A section that ends in "+" stands alone or takes a target
# behind a "/"; the others match exactly. No section with "+" has a "/" and none is there twice, so
# their order does not matter. It is text, and searched as text, because a start-up wants a few of
# its lines, and a table of objects would cost it 300 µs.
_TABLE = """

SOCKET_FILTER
socket                   -              -                                  -

SK_REUSEPORT
sk_reuseport/migrate     -              BPF_SK_REUSEPORT_SELECT_OR_MIGRATE ATTACHABLE
sk_reuseport             -              BPF_SK_REUSEPORT_SELECT            ATTACHABLE

KPROBE
kprobe+                  kprobe         -                                  -
uprobe+                  uprobe         -                                  -
uprobe.s+                uprobe         -                                  SLEEPABLE
kretprobe+               kprobe         -                                  -
uretprobe+               uprobe         -                                  -
uretprobe.s+             uprobe         -                                  SLEEPABLE
kprobe.multi+            kprobe_multi   BPF_TRACE_KPROBE_MULTI             -
kretprobe.multi+         kprobe_multi   BPF_TRACE_KPROBE_MULTI             -
kprobe.session+          kprobe_session BPF_TRACE_KPROBE_SESSION           -
uprobe.multi+            uprobe_multi   BPF_TRACE_UPROBE_MULTI             -
uretprobe.multi+         uprobe_multi   BPF_TRACE_UPROBE_MULTI             -
uprobe.session+          uprobe_multi   BPF_TRACE_UPROBE_SESSION           -
uprobe.multi.s+          uprobe_multi   BPF_TRACE_UPROBE_MULTI             SLEEPABLE
uretprobe.multi.s+       uprobe_multi   BPF_TRACE_UPROBE_MULTI             SLEEPABLE
uprobe.session.s+        uprobe_multi   BPF_TRACE_UPROBE_SESSION           SLEEPABLE
ksyscall+                ksyscall       -                                  -
kretsyscall+             ksyscall       -                                  -
usdt+                    usdt           -                                  USDT
usdt.s+                  usdt           -                                  USDT|SLEEPABLE

SCHED_CLS
tc/ingress               -              BPF_TCX_INGRESS                    -
tc/egress                -              BPF_TCX_EGRESS                     -
tcx/ingress              -              BPF_TCX_INGRESS                    -
tcx/egress               -              BPF_TCX_EGRESS                     -
tc                       -              -                                  -
classifier               -              -                                  -
netkit/primary           -              BPF_NETKIT_PRIMARY                 -
netkit/peer              -              BPF_NETKIT_PEER                    -

SCHED_ACT
action                   -              -                                  -

TRACEPOINT
tracepoint+              tracepoint     -                                  -
tp+                      tracepoint     -                                  -
tracepoint.s+            tracepoint     -                                  SLEEPABLE
tp.s+                    tracepoint     -                                  SLEEPABLE

RAW_TRACEPOINT
raw_tracepoint+          raw_tracepoint -                                  -
raw_tp+                  raw_tracepoint -                                  -
raw_tracepoint.s+        raw_tracepoint -                                  SLEEPABLE
raw_tp.s+                raw_tracepoint -                                  SLEEPABLE

RAW_TRACEPOINT_WRITABLE
raw_tracepoint.w+        raw_tracepoint -                                  -
raw_tp.w+                raw_tracepoint -                                  -

TRACING
tp_btf+                  trace          BPF_TRACE_RAW_TP                   ATTACH_BTF
tp_btf.s+                trace          BPF_TRACE_RAW_TP                   ATTACH_BTF|SLEEPABLE
fentry+                  trace          BPF_TRACE_FENTRY                   ATTACH_BTF
fmod_ret+                trace          BPF_MODIFY_RETURN                  ATTACH_BTF
fexit+                   trace          BPF_TRACE_FEXIT                    ATTACH_BTF
fentry.s+                trace          BPF_TRACE_FENTRY                   ATTACH_BTF|SLEEPABLE
fmod_ret.s+              trace          BPF_MODIFY_RETURN                  ATTACH_BTF|SLEEPABLE
fexit.s+                 trace          BPF_TRACE_FEXIT                    ATTACH_BTF|SLEEPABLE
fsession+                trace          BPF_TRACE_FSESSION                 ATTACH_BTF
fsession.s+              trace          BPF_TRACE_FSESSION                 ATTACH_BTF|SLEEPABLE
fsession.multi+          tracing_multi  BPF_TRACE_FSESSION_MULTI           -
fsession.multi.s+        tracing_multi  BPF_TRACE_FSESSION_MULTI           SLEEPABLE
fentry.multi+            tracing_multi  BPF_TRACE_FENTRY_MULTI             -
fexit.multi+             tracing_multi  BPF_TRACE_FEXIT_MULTI              -
fentry.multi.s+          tracing_multi  BPF_TRACE_FENTRY_MULTI             SLEEPABLE
fexit.multi.s+           tracing_multi  BPF_TRACE_FEXIT_MULTI              SLEEPABLE
iter+                    iter           BPF_TRACE_ITER                     ATTACH_BTF
iter.s+                  iter           BPF_TRACE_ITER                     ATTACH_BTF|SLEEPABLE

EXT
freplace+                trace          -                                  ATTACH_BTF

LSM
lsm+                     lsm            BPF_LSM_MAC                        ATTACH_BTF
lsm.s+                   lsm            BPF_LSM_MAC                        ATTACH_BTF|SLEEPABLE
lsm_cgroup+              -              BPF_LSM_CGROUP                     ATTACH_BTF

SYSCALL
syscall                  -              -                                  SLEEPABLE

XDP
xdp.frags/devmap         -              BPF_XDP_DEVMAP                     XDP_FRAGS
xdp/devmap               -              BPF_XDP_DEVMAP                     ATTACHABLE
xdp.frags/cpumap         -              BPF_XDP_CPUMAP                     XDP_FRAGS
xdp/cpumap               -              BPF_XDP_CPUMAP                     ATTACHABLE
xdp.frags                -              BPF_XDP                            XDP_FRAGS
xdp                      -              BPF_XDP                            ATTACHABLE_OPT

PERF_EVENT
perf_event               -              -                                  -

LWT_IN
lwt_in                   -              -                                  -

LWT_OUT
lwt_out                  -              -                                  -

LWT_XMIT
lwt_xmit                 -              -                                  -

LWT_SEG6LOCAL
lwt_seg6local            -              -                                  -

SOCK_OPS
sockops                  -              BPF_CGROUP_SOCK_OPS                ATTACHABLE_OPT

SK_SKB
sk_skb/stream_parser     -              BPF_SK_SKB_STREAM_PARSER           ATTACHABLE_OPT
sk_skb/stream_verdict    -              BPF_SK_SKB_STREAM_VERDICT          ATTACHABLE_OPT
sk_skb/verdict           -              BPF_SK_SKB_VERDICT                 ATTACHABLE_OPT
sk_skb                   -              -                                  -

SK_MSG
sk_msg                   -              BPF_SK_MSG_VERDICT                 ATTACHABLE_OPT

LIRC_MODE2
lirc_mode2               -              BPF_LIRC_MODE2                     ATTACHABLE_OPT

FLOW_DISSECTOR
flow_dissector           -              BPF_FLOW_DISSECTOR                 ATTACHABLE_OPT

CGROUP_SKB
cgroup_skb/ingress       -              BPF_CGROUP_INET_INGRESS            ATTACHABLE_OPT
cgroup_skb/egress        -              BPF_CGROUP_INET_EGRESS             ATTACHABLE_OPT
cgroup/skb               -              -                                  -

CGROUP_SOCK
cgroup/sock_create       -              BPF_CGROUP_INET_SOCK_CREATE        ATTACHABLE
cgroup/sock_release      -              BPF_CGROUP_INET_SOCK_RELEASE       ATTACHABLE
cgroup/sock              -              BPF_CGROUP_INET_SOCK_CREATE        ATTACHABLE_OPT
cgroup/post_bind4        -              BPF_CGROUP_INET4_POST_BIND         ATTACHABLE
cgroup/post_bind6        -              BPF_CGROUP_INET6_POST_BIND         ATTACHABLE

CGROUP_SOCK_ADDR
cgroup/bind4             -              BPF_CGROUP_INET4_BIND              ATTACHABLE
cgroup/bind6             -              BPF_CGROUP_INET6_BIND              ATTACHABLE
cgroup/connect4          -              BPF_CGROUP_INET4_CONNECT           ATTACHABLE
cgroup/connect6          -              BPF_CGROUP_INET6_CONNECT           ATTACHABLE
cgroup/connect_unix      -              BPF_CGROUP_UNIX_CONNECT            ATTACHABLE
cgroup/sendmsg4          -              BPF_CGROUP_UDP4_SENDMSG            ATTACHABLE
cgroup/sendmsg6          -              BPF_CGROUP_UDP6_SENDMSG            ATTACHABLE
cgroup/sendmsg_unix      -              BPF_CGROUP_UNIX_SENDMSG            ATTACHABLE
cgroup/recvmsg4          -              BPF_CGROUP_UDP4_RECVMSG            ATTACHABLE
cgroup/recvmsg6          -              BPF_CGROUP_UDP6_RECVMSG            ATTACHABLE
cgroup/recvmsg_unix      -              BPF_CGROUP_UNIX_RECVMSG            ATTACHABLE
cgroup/getpeername4      -              BPF_CGROUP_INET4_GETPEERNAME       ATTACHABLE
cgroup/getpeername6      -              BPF_CGROUP_INET6_GETPEERNAME       ATTACHABLE
cgroup/getpeername_unix  -              BPF_CGROUP_UNIX_GETPEERNAME        ATTACHABLE
cgroup/getsockname4      -              BPF_CGROUP_INET4_GETSOCKNAME       ATTACHABLE
cgroup/getsockname6      -              BPF_CGROUP_INET6_GETSOCKNAME       ATTACHABLE
cgroup/getsockname_unix  -              BPF_CGROUP_UNIX_GETSOCKNAME        ATTACHABLE

CGROUP_SYSCTL
cgroup/sysctl            -              BPF_CGROUP_SYSCTL                  ATTACHABLE

CGROUP_SOCKOPT
cgroup/getsockopt        -              BPF_CGROUP_GETSOCKOPT              ATTACHABLE
cgroup/setsockopt        -              BPF_CGROUP_SETSOCKOPT              ATTACHABLE

CGROUP_DEVICE
cgroup/dev               -              BPF_CGROUP_DEVICE                  ATTACHABLE_OPT

STRUCT_OPS
struct_ops+              -              -                                  -
struct_ops.s+            -              -                                  SLEEPABLE

SK_LOOKUP
sk_lookup                -              BPF_SK_LOOKUP                      ATTACHABLE

NETFILTER
netfilter                -              BPF_NETFILTER                      -
"""


class SectionDef:
    """What one section name, or one family of them, stands for.

    Attributes:
        prefix: the name up to a target, e.g. `"tp"`.
        takes_target: whether `/` and a target may follow; else only `prefix` itself matches.
        prog_type: `BPF_PROG_TYPE_*`.
        expected_attach_type: `BPF_*` of enum bpf_attach_type; 0 where the program type has none.
        flags: `ATTACHABLE | ATTACH_BTF | SLEEPABLE | …`.
        attach: the family that attaches such a program by itself (`"tracepoint"`, `"trace"`, …),
            None where the caller has to say to what.
    """

    __slots__ = (
        "attach",
        "expected_attach_type",
        "flags",
        "prefix",
        "prog_type",
        "takes_target",
    )

    def __init__(
        self,
        prefix: str,
        takes_target: bool,
        prog_type: int,
        expected_attach_type: int,
        flags: int,
        attach: str | None,
    ) -> None:
        self.prefix = prefix
        self.takes_target = takes_target
        self.prog_type = prog_type
        self.expected_attach_type = expected_attach_type
        self.flags = flags
        self.attach = attach

    def target(self, section_name: str) -> str:
        """Return the target in a name that this matches, `""` if it has none."""
        return section_name.partition("/")[2] if self.takes_target else ""

    def __repr__(self) -> str:
        return f"<SectionDef {self.prefix}{'+' if self.takes_target else ''}>"


def _lookup(section: str) -> SectionDef | None:
    """Return the definition on the table's line for `section`, which may end in "+"."""
    line_at = _TABLE.find(f"\n{section} ") + 1
    if line_at == 0 or section.split() != [section]:  # white space would span columns or lines
        return None
    type_at = _TABLE.rindex("\n\n", 0, line_at) + 2
    prog_type = _TABLE[type_at : _TABLE.index("\n", type_at)]
    line = _TABLE[line_at : _TABLE.index("\n", line_at)]
    _, family, attach_type, flags = line.split()
    bits = 0
    if flags != "-":
        for flag in flags.split("|"):
            bits |= globals()[flag]
    return SectionDef(
        section.removesuffix("+"),
        section[-1] == "+",
        getattr(const, "BPF_PROG_TYPE_" + prog_type),
        0 if attach_type == "-" else getattr(const, attach_type),
        bits,
        None if family == "-" else family,
    )


if TYPE_CHECKING:
    #: The whole table; made when first asked for.
    SECTION_DEFS: tuple[SectionDef, ...]
else:

    def __getattr__(name: str) -> tuple[SectionDef, ...]:
        if name == "SECTION_DEFS":
            names = [line.split()[0] for line in _TABLE.splitlines() if " " in line]
            table = globals()["SECTION_DEFS"] = tuple([_lookup(name) for name in names])
            return table
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def find(section_name: str) -> tuple[SectionDef | None, bool]:
    """Find what a program's section name stands for.

    Args:
        section_name: as in the ELF file. A leading `?` leaves the program out of load unless the
            application asks for it.

    Returns:
        The definition, None for a name that says nothing (such a program has no type, and load
        refuses it); and whether load includes the program by default.
    """
    autoload = section_name[:1] != "?"
    name = section_name if autoload else section_name[1:]
    found = _lookup(name.partition("/")[0] + "+")
    if found is None and name[-1:] != "+":  # a section that is called "tp+" is not that line
        found = _lookup(name)
    return found, autoload


#: The module below `bpfgen_runtime` of every class that `program_class` names.
PROGRAM_MODULES = {
    "CgroupProgram": "link.cgroup",
    "IterProgram": "link.iter",
    "Program": "program",
    "RawTracepointProgram": "link.raw_tracepoint",
    "TracepointProgram": "link.tracepoint",
    "TracingProgram": "link.tracing",
    "XdpProgram": "link.xdp",
}

_CLASS_BY_FAMILY = {
    "iter": "IterProgram",
    "raw_tracepoint": "RawTracepointProgram",
    "trace": "TracingProgram",
    "tracepoint": "TracepointProgram",
}

_CLASS_BY_TYPE = {
    const.BPF_PROG_TYPE_CGROUP_DEVICE: "CgroupProgram",
    const.BPF_PROG_TYPE_CGROUP_SKB: "CgroupProgram",
    const.BPF_PROG_TYPE_CGROUP_SOCK: "CgroupProgram",
    const.BPF_PROG_TYPE_CGROUP_SOCKOPT: "CgroupProgram",
    const.BPF_PROG_TYPE_CGROUP_SOCK_ADDR: "CgroupProgram",
    const.BPF_PROG_TYPE_CGROUP_SYSCTL: "CgroupProgram",
    const.BPF_PROG_TYPE_SOCK_OPS: "CgroupProgram",
    const.BPF_PROG_TYPE_XDP: "XdpProgram",
}


def program_class(section_name: str) -> str:
    """Return the name of the class whose methods attach such a program; `"Program"` has none.

    It lives in module `bpfgen_runtime.` + `PROGRAM_MODULES[name]`.
    """
    found, _ = find(section_name)
    if found is None:
        return "Program"
    if found.expected_attach_type == const.BPF_LSM_CGROUP:
        return "CgroupProgram"
    by_family = _CLASS_BY_FAMILY.get(found.attach or "")
    return by_family or _CLASS_BY_TYPE.get(found.prog_type, "Program")
