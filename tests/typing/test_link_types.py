"""Type checkers know which program attaches how, and what comes of it."""

from __future__ import annotations

from pathlib import Path

from mypy import api

from tests.support.clang import ROOT

HEAD = """
from bpfgen_runtime.link.cgroup import CgroupLink, CgroupProgram
from bpfgen_runtime.link.iter import IterLink, IterProgram
from bpfgen_runtime.link.raw_tracepoint import RawTracepointProgram
from bpfgen_runtime.link.tracepoint import TracepointLink, TracepointProgram
from bpfgen_runtime.link.tracing import TracingProgram
from bpfgen_runtime.link.xdp import XdpLink, XdpProgram
from bpfgen_runtime.map import Map

def use(tp: TracepointProgram, raw: RawTracepointProgram, trace: TracingProgram, it: IterProgram,
        xdp: XdpProgram, cgroup: CgroupProgram, some_map: Map) -> None:
"""

GOOD = (
    'a: TracepointLink = tp.attach_tracepoint("sched", "sched_switch")',
    'aa: str = tp.attach_tracepoint("sched", "sched_switch").info().tp_name',
    'b: int = xdp.attach_xdp("veth0").info().ifindex',
    "c: XdpLink = xdp.attach_xdp(3); c.update(xdp, old=xdp)",
    "d: bytes = it.attach_iter(map=some_map).read()",
    "e: list[bytes] = list(it.attach_iter())",
    'f: CgroupLink = cgroup.attach_cgroup("/sys/fs/cgroup/x"); cgroup.attach_cgroup(3)',
    'g: XdpLink = XdpLink.open_pinned("/sys/fs/bpf/x")',
    'raw.attach_raw_tracepoint("sched_switch").destroy(); trace.attach().destroy()',
)

BAD = (
    'tp.attach_xdp("veth0")',
    'xdp.attach_tracepoint("sched", "sched_switch")',
    "tp.attach_tracepoint(3)",
    'xdp.attach_xdp("veth0").update(cgroup)',
    "cgroup.attach_cgroup(xdp.attach_xdp(1).info())",
    "it.attach_iter(map=tp)",
    "h: IterLink = xdp.attach_xdp(1)",
    'tp.attach_tracepoint("sched", "sched_switch").info().ifindex',
)


def test_right_uses_pass_and_each_wrong_one_is_an_error(tmp_path: Path) -> None:
    """Every line of GOOD type-checks; every line of BAD is an error, and there are no others."""
    source = tmp_path / "use.py"
    source.write_text(HEAD + "".join(f"    {line}\n" for line in GOOD + BAD))
    config = str(ROOT / "pyproject.toml")
    out, problem, _ = api.run(["--strict", "--config-file", config, str(source)])
    assert problem == ""
    wrong = {int(line.split(":")[1]) for line in out.splitlines() if ": error:" in line}
    first = HEAD.count("\n") + 1
    assert wrong == set(range(first + len(GOOD), first + len(GOOD) + len(BAD))), out
