"""Links of raw tracepoints, BTF tracepoints and kernel functions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from sys import byteorder

import pytest
from bpfgen_runtime.errors import NotSupportedError, SyscallError
from bpfgen_runtime.link import attach
from bpfgen_runtime.link.info import RawTracepointInfo, TracingInfo
from bpfgen_runtime.link.raw_tracepoint import RawTracepointLink, RawTracepointProgram
from bpfgen_runtime.link.tracing import TracingLink, TracingProgram
from bpfgen_runtime.object import Object
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi.enums import LinkType

from tests.support.kernels import has
from tests.support.links import Counts, call_getpgid, loaded, program

PID = os.getpid()

#: getpgid's number by architecture (uname -m); 155 in the generic table of younger ones.
GETPGID = {"x86_64": 121, "s390x": 132, "ppc64le": 132}.get(platform.machine(), 155)


@pytest.fixture
def live() -> Iterator[Object]:
    constants = {"wanted": GETPGID.to_bytes(8, byteorder)}
    with loaded("link_tracing", constants=constants) as live:
        yield live


@pytest.fixture
def counts(live: Object) -> Counts:
    return Counts(live, PID)


@pytest.mark.parametrize(("name", "kind"), [("on_raw", RawTracepointLink), ("on_btf", TracingLink)])
def test_attaches_by_section_and_stops_when_detached(
    live: Object, counts: Counts, name: str, kind: type
) -> None:
    """`attach` follows the section; detaching such a link, which the kernel cannot, destroys it."""
    link = attach(live.programs[name])
    assert link is not None
    assert isinstance(link, kind)
    call_getpgid(3)
    assert counts[PID] == 3
    link.detach()
    assert link.closed
    call_getpgid(3)
    assert counts[PID] == 3


@pytest.mark.parametrize("name", ["on_raw", "on_btf"])
def test_pin_outlives_the_object(name: str, pin_dir: Path) -> None:
    """A pinned link keeps the program attached after the whole object is closed."""
    constants = {"wanted": GETPGID.to_bytes(8, byteorder)}
    with loaded("link_tracing", constants=constants) as live:
        link = attach(live.programs[name])
        assert link is not None
        link.pin(pin_dir / "link")
        prog_id = live.programs[name].id
        with pytest.raises(NotSupportedError, match="pinned"):
            link.detach()
    assert link.closed
    with type(link).open_pinned(pin_dir / "link") as again:
        assert again.info().prog_id == prog_id
        again.unpin()


def test_bare_raw_tracepoint_attaches_by_hand(live: Object) -> None:
    """A section without a target is left out by `attach`; the method takes any tracepoint."""
    bare = program(live, "no_target", RawTracepointProgram)
    assert attach(bare) is None
    with bare.attach_raw_tracepoint("sys_exit") as link:
        assert link.info().tp_name == "sys_exit"


def test_missing_raw_tracepoint_is_named(live: Object) -> None:
    """A raw tracepoint that the kernel lacks is ENOENT with its name and where to look."""
    bare = program(live, "no_target", RawTracepointProgram)
    with pytest.raises(SyscallError, match=r"'no_such'.*ENOENT.*available_events"):
        bare.attach_raw_tracepoint("no_such")


def test_info(live: Object) -> None:
    """Each type's info has the program, and the target as the kernel knows it."""
    raw = program(live, "on_raw", RawTracepointProgram)
    with raw.attach_raw_tracepoint("sys_enter") as link:
        info = link.info()
        assert (info.type, info.prog_id) == (LinkType.RAW_TRACEPOINT, raw.id)
        assert info.tp_name == "sys_enter"
    btf = program(live, "on_btf", TracingProgram)
    with btf.attach() as tracing:
        found = tracing.info()
        # To the kernel that is a raw tracepoint, too.
        assert (found.type, found.prog_id) == (LinkType.RAW_TRACEPOINT, btf.id)
        assert isinstance(found, RawTracepointInfo)
        assert found.tp_name == "sys_enter"


def test_old_way_of_attaching_tracing_programs(
    live: Object, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `BPF_LINK_CREATE` says EINVAL (before v5.19), `BPF_RAW_TRACEPOINT_OPEN` does it."""

    def refuse(**_: object) -> None:
        raise SyscallError(22, "BPF_LINK_CREATE", "attach")

    monkeypatch.setattr(bpf, "link_create", refuse)
    with program(live, "on_btf", TracingProgram).attach():
        call_getpgid(2)
    assert counts[PID] == 2


@pytest.mark.kernel("fentry")
def test_function_entry_and_exit() -> None:
    """fentry and fexit programs attach by section and run before and after the function."""
    with loaded("link_fentry") as live:
        counts = Counts(live, PID)
        for name, total in (("on_entry", 1), ("on_exit", 2)):
            link = attach(live.programs[name])
            assert isinstance(link, TracingLink)
            call_getpgid(1)
            assert counts[PID] == total
            info = link.info()
            assert isinstance(info, TracingInfo)
            assert (info.target_btf_id > 0) is has("target ids in tracing link info")
            link.destroy()


@pytest.mark.parametrize(
    ("section", "outcome"),
    [("kprobe/do_exit", NotSupportedError), ("kprobe", None), ("xdp", None), ("unknown", None)],
)
def test_families_yet_to_come(
    live: Object, section: str, outcome: type[NotSupportedError] | None
) -> None:
    """A target that libbpf would attach to and we cannot yet is an error; no target is none."""
    bare = live.programs["no_target"]
    bare.section, bare.attach_target = section, section.partition("/")[2]
    if outcome is None:
        assert attach(bare) is None
    else:
        with pytest.raises(outcome, match=r"'no_target'.*'kprobe/do_exit'"):
            attach(bare)
