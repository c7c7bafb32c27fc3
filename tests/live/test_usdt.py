"""USDT programs: loaded for one link of many uprobes where the kernel has such."""

from __future__ import annotations

import errno
from ctypes import addressof, c_uint64, create_string_buffer

import pytest
from bpfgen_runtime import features
from bpfgen_runtime.errors import SyscallError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.program import Program
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi.attr import LinkCreateAttrUprobeMulti
from bpfgen_runtime.uapi.const import BPF_TRACE_UPROBE_MULTI
from bpfgen_runtime.uapi.enums import AttachType, ProgType

from tests.support.clang import compile_bpf


def takes_uprobes(program: Program) -> bool:
    """Ask the kernel for a uprobe_multi link: it looks at the attach type, then at the file."""
    path, offset = create_string_buffer(b"/"), c_uint64()
    target = LinkCreateAttrUprobeMulti(path=addressof(path), offsets=addressof(offset), cnt=1)
    with pytest.raises(SyscallError) as caught:
        bpf.link_create(
            prog_fd=program.fileno(),
            target_fd=-1,
            attach_type=BPF_TRACE_UPROBE_MULTI,
            uprobe_multi=target,
        )
    assert caught.value.errno in (errno.EBADF, errno.EINVAL)
    return caught.value.errno == errno.EBADF


def test_where_there_are_uprobe_multi_links() -> None:
    """The attach type follows the kernel's links; the spec stays as it was, for other kernels."""
    spec = load_spec(compile_bpf("load_usdt"))
    has_links = features.UPROBE_MULTI_LINK.probe()
    with Object.load(spec) as live:
        assert len(live.programs) == 2
        for program in live.programs.values():
            assert program.attach_type == (AttachType.TRACE_UPROBE_MULTI if has_links else 0)
            assert takes_uprobes(program) is has_links
    assert {program.expected_attach_type for program in spec.programs.values()} == {0}


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.EPERM])
def test_where_there_are_none(monkeypatch: pytest.MonkeyPatch, refusal: int) -> None:
    """Without such links, or where it cannot be found out, they are for uprobes, one each."""

    def probe() -> bool:
        raise SyscallError(refusal, "BPF_LINK_CREATE", "probe")

    monkeypatch.setattr(features, "UPROBE_MULTI_LINK", features.Feature("TEST", "", probe))
    with Object.load(load_spec(compile_bpf("load_usdt"))) as live:
        for program in live.programs.values():
            assert program.attach_type == 0
            assert not takes_uprobes(program)


@pytest.mark.kernel("uprobe_multi link")
def test_a_set_attach_type_does_not_last() -> None:
    """A program of such a section is loaded for these links, as in libbpf, whatever was set."""
    spec = load_spec(compile_bpf("load_usdt"))
    spec.programs["anywhere"].attach_type = AttachType.TRACE_KPROBE_MULTI
    with Object.load(spec) as live:
        assert takes_uprobes(live.programs["anywhere"])


@pytest.mark.kernel("uprobe_multi link")
def test_another_type_is_no_usdt_program() -> None:
    """A program whose type was changed, be it back again, is loaded as it says; as in libbpf."""
    spec = load_spec(compile_bpf("load_usdt"))
    spec.programs["anywhere"].type = ProgType.TRACEPOINT
    spec.programs["anywhere"].type = ProgType.KPROBE
    with Object.load(spec) as live:
        assert not takes_uprobes(live.programs["anywhere"])
        assert takes_uprobes(live.programs["somewhere"])
