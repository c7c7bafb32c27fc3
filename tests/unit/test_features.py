"""Feature probes against a kernel that is a function."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from bpfgen_runtime import features, sanitize
from bpfgen_runtime.btf import BTF_INT_SIGNED, Btf, Float, Int, Struct
from bpfgen_runtime.btf.encoder import encode as encode_btf
from bpfgen_runtime.errors import NotSupportedError, SyscallError
from bpfgen_runtime.features import FEATURES, Feature
from bpfgen_runtime.insn import BPF_ALU64, BPF_CALL, BPF_EXIT, BPF_JMP, BPF_MOV, Insn, encode
from bpfgen_runtime.sys import bpf


def answering(*answers: bool | int) -> tuple[Feature, Callable[[], int]]:
    """Make a feature whose probe gives (bool) or fails with (errno) these, one a call."""
    left = list(answers)

    def probe() -> bool:
        answer = left.pop(0)
        if isinstance(answer, bool):
            return answer
        raise SyscallError(answer, "BPF_PROG_LOAD", "probe")

    return Feature("TEST", "a test", probe), lambda: len(answers) - len(left)


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the kernel lack features, by name, and have all others."""

    def lack(*names: str) -> None:
        for name, feature in FEATURES.items():
            monkeypatch.setattr(feature, "_result", name not in names)

    return lack


@pytest.mark.parametrize("answer", [True, False])
def test_conclusive_answer_is_kept(answer: bool) -> None:
    """A yes or no is asked for once."""
    feature, asked = answering(answer)
    assert [feature.probe(), feature.probe()] == [answer, answer]
    assert feature.supported() is answer
    assert asked() == 1


@pytest.mark.parametrize("code", [errno.EINVAL, errno.E2BIG, errno.EACCES, errno.EBADF])
def test_refusal_is_a_no(code: int) -> None:
    """An errno that speaks of the request means that the kernel lacks the feature."""
    feature, asked = answering(code)
    assert feature.probe() is False
    assert feature.probe() is False
    assert asked() == 1


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOMEM, errno.EMFILE, errno.EINTR])
def test_inconclusive_answer_is_asked_for_again(code: int) -> None:
    """Lack of privilege, memory or descriptors says nothing of the feature, and is not kept."""
    feature, asked = answering(code, True)
    assert feature.probe() is None
    assert feature.probe() is True
    assert asked() == 2


def test_unknown_counts_as_there() -> None:
    """Where nothing can be found out the newest way is taken: its failure has the reason."""
    feature, _ = answering(errno.EPERM)
    assert feature.supported()


def test_forget() -> None:
    """A result can be given up."""
    feature, asked = answering(False, True)
    assert feature.probe() is False
    feature.forget()
    assert feature.probe() is True
    assert asked() == 2


@pytest.mark.parametrize("name", sorted(set(FEATURES) - {"SYSCALL_WRAPPER"}))
def test_no_probe_finds_anything_in_a_kernel_that_refuses_all(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What a probe tries decides; that of the wrapper tries nothing, but reads symbols."""

    def refuse(**_: object) -> None:
        raise SyscallError(errno.EINVAL, "BPF", "probe")

    for command in ("btf_load", "map_create", "prog_load"):
        monkeypatch.setattr(bpf, command, refuse)
    monkeypatch.setattr(FEATURES[name], "_result", None)
    assert FEATURES[name].probe() is False


@pytest.mark.parametrize(
    ("prefix", "wrapper"), [("x64", "__x64_sys_bpf"), ("x64", "__ia32_sys_bpf"), (None, "")]
)
def test_wrapper_of_system_calls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prefix: str | None, wrapper: str
) -> None:
    """The wrapper is looked for by its whole name, which depends on the architecture."""
    symbols = tmp_path / "kallsyms"
    symbols.write_text(f"0 T sys_bpf\n0 T {wrapper}\n0 t _{wrapper}_x\t[module]\n")
    prefixes = {} if prefix is None else {os.uname().machine: prefix}
    monkeypatch.setattr(features, "_WRAPPER_PREFIX", prefixes)
    monkeypatch.setattr(features, "open", lambda _, **more: symbols.open(**more), raising=False)
    monkeypatch.setattr(features.SYSCALL_WRAPPER, "_result", None)
    assert features.SYSCALL_WRAPPER.probe() is (wrapper == "__x64_sys_bpf")


def test_btf_is_left_alone_where_nothing_lacks(lacking: Callable[..., None]) -> None:
    """A kernel that has all kinds in use gets no other BTF, whatever else it lacks."""
    lacking("BTF_ENUM64", "BTF_DECL_TAG")
    btf = Btf.parse(encode_btf([Int("int", 4, BTF_INT_SIGNED), Float("float", 4)]))
    assert sanitize.btf_for_kernel(btf) is None


def test_btf_loses_what_the_kernel_lacks(lacking: Callable[..., None]) -> None:
    """The kinds that are in use and lacking are replaced."""
    lacking("BTF_FLOAT")
    btf = Btf.parse(encode_btf([Int("int", 4, BTF_INT_SIGNED), Float("float", 4)]))
    changed = sanitize.btf_for_kernel(btf)
    assert changed is not None
    assert changed.type(2) == Struct("", 4)


def test_btf_cannot_be_helped_where_there_is_none(lacking: Callable[..., None]) -> None:
    """A kernel without BTF gets none."""
    lacking("BTF", "BTF_FLOAT")
    assert sanitize.btf_for_kernel(Btf.parse(encode_btf([Float("float", 4)]))) is None


def program(*helpers: int) -> bytes:
    calls = [Insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper) for helper in helpers]
    # A call of a subprogram, and a constant, that look like helpers.
    decoys = [Insn(BPF_JMP | BPF_CALL, 0, 1, 0, 113), Insn(BPF_ALU64 | BPF_MOV, 0, 0, 0, 113)]
    return encode([*calls, *decoys, Insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)], "<")


def test_probe_read_falls_back(lacking: Callable[..., None]) -> None:
    """Each of the four helpers becomes the older one that reads either memory; no other changes."""
    lacking("PROBE_READ_KERN")
    changed = sanitize.code_for_kernel(program(112, 113, 114, 115, 14))
    assert changed == program(4, 4, 45, 45, 14)


def test_probe_read_stays_where_it_is_known(lacking: Callable[..., None]) -> None:
    """A kernel that has the helpers, or a program without them, sees no change."""
    lacking()
    assert sanitize.code_for_kernel(program(113)) is None
    lacking("PROBE_READ_KERN")
    assert sanitize.code_for_kernel(program(14)) is None


def test_data_sections_without_mmap(lacking: Callable[..., None]) -> None:
    """Flags of a data section lose BPF_F_MMAPABLE only where arrays cannot be mapped."""
    lacking()
    assert sanitize.data_flags_for_kernel(".bss", 0x480) == 0x480
    lacking("ARRAY_MMAP")
    assert sanitize.data_flags_for_kernel(".bss", 0x480) == 0x80


def test_no_global_data_at_all(lacking: Callable[..., None]) -> None:
    """A kernel before global data is an error that names the section."""
    lacking("GLOBAL_DATA")
    with pytest.raises(NotSupportedError, match=r"global data .*\.bss"):
        sanitize.data_flags_for_kernel(".bss", 0x400)


class Limit:
    """getrlimit and setrlimit of one limit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, hard: int, allowed: bool) -> None:
        self.now = (65536, hard)
        self._allowed = allowed
        monkeypatch.setattr(resource, "getrlimit", lambda _: self.now)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, _: int, new: tuple[int, int]) -> None:
        if new[1] != self.now[1] and not self._allowed:
            raise ValueError("not allowed to raise maximum limit")
        self.now = new


@pytest.mark.parametrize(
    ("before", "after", "raised"),
    [
        (True, None, False),  # counted by memory cgroup: not touched
        (False, None, True),  # counted against the limit
        (errno.EPERM, False, True),  # not even the probe had room
        (errno.EPERM, errno.EPERM, False),  # something else forbids BPF: put back
        (errno.EPERM, True, False),
    ],
)
def test_memlock_is_raised_only_where_it_counts(
    monkeypatch: pytest.MonkeyPatch, before: bool | int, after: bool | int | None, raised: bool
) -> None:
    """The limit on locked memory is lifted only on kernels that count BPF against it."""
    limit = Limit(monkeypatch, hard=65536, allowed=True)
    answers = (before,) if after is None else (before, after)
    monkeypatch.setattr(features, "MEMCG_ACCOUNT", answering(*answers)[0])
    assert sanitize.raise_memlock() is raised
    assert (limit.now == (65536, 65536)) is not raised


@pytest.mark.parametrize(("hard", "raised"), [(65536, False), (1 << 20, True)])
def test_memlock_that_may_not_be_raised(
    monkeypatch: pytest.MonkeyPatch, hard: int, raised: bool
) -> None:
    """Without privilege it goes up to the hard limit; where it is there, the first error stands."""
    limit = Limit(monkeypatch, hard=hard, allowed=False)
    monkeypatch.setattr(features, "MEMCG_ACCOUNT", answering(False, False)[0])
    assert sanitize.raise_memlock() is raised
    assert limit.now == (hard, hard)
