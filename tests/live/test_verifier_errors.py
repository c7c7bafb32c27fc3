"""Programs that the verifier refuses, and what the error says of them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from bpfgen_runtime.errors import VerifierError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object

from tests.support import unprivileged
from tests.support.clang import SOURCES, compile_bpf
from tests.support.kernels import IN_MATRIX
from tests.support.verifier import EXPECTED, expected

#: These take the verifier a million instructions: seconds here, minutes in an emulated machine.
LONG = {"insn_limit", "jumps"}

#: Poisoned on purpose: who did it says what is missing.
POISONED = {
    "core": "field bpfgen_no_such_field of struct task_struct does not exist on this kernel",
    "kfunc": "'bpf_no_such_kfunc', a weak extern of .ksyms that the kernel lacks",
}


def refusal(name: str, log_level: int = 0) -> VerifierError:
    spec = load_spec(str(compile_bpf(f"bad_{name}")))
    with pytest.raises(VerifierError) as caught:
        Object.load(spec, log_level=log_level)
    return caught.value


def marked_line(name: str) -> tuple[int, str]:
    """Give number and text of the line that is marked as the one to blame."""
    lines = (SOURCES / f"bad_{name}.bpf.c").read_text().splitlines()
    ((number, text),) = [(n, t) for n, t in enumerate(lines, 1) if "/* here */" in t]
    return number, text.strip()


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - LONG))
def test_refused(name: str) -> None:
    """The error has the reason, advice, the instruction, and the line of C from line info."""
    error = refusal(name)
    wanted = expected(name, error.log)
    assert error.command == "BPF_PROG_LOAD"
    assert error.program == "bad"
    assert POISONED.get(name, wanted.hint) in error.hint
    assert error.hint in error.summary
    assert error.stats is not None
    if wanted.insn:
        assert wanted.insn in error.insn
        assert error.insn_index is not None
        assert error.source is not None
        assert Path(error.source.file).name == f"bad_{name}.bpf.c"
    if wanted.insn and wanted.marked:
        assert error.source is not None
        assert (error.source.line, error.source.text) == marked_line(name)
        assert f"source: {error.source.text} ({error.source.file}:{error.source.line})" in str(
            error
        )
    assert len(str(error).splitlines()) <= 25


@pytest.mark.host_only
def test_too_many_instructions() -> None:
    """The limit of instructions is told from a program that is merely wrong."""
    spec = load_spec(str(compile_bpf("bad_insn_limit")))
    spec.programs["bad"].log_size = (1 << 24) - 1  # verified once for the log, not twice
    with pytest.raises(VerifierError) as caught:
        Object.load(spec, log_level=4)  # BPF_LOG_STATS
    assert caught.value.errno == errno.E2BIG
    assert caught.value.stats is not None
    assert caught.value.stats.insns == caught.value.stats.limit + 1
    assert "It looked at 1000001 instructions" in caught.value.summary


def test_where_the_reference_was_taken() -> None:
    """The line that acquired what was not released is named."""
    text = (SOURCES / "bad_unreleased.bpf.c").read_text()
    number = 1 + text[: text.index("/* taken */")].count("\n")
    assert f"bad_unreleased.bpf.c:{number}: __u64 *event = bpf_ringbuf_reserve(" in (
        refusal("unreleased").hint
    )


def test_registers_of_the_failing_instruction() -> None:
    """The register that the reason names is there with what the verifier knew of it."""
    registers = refusal("null", log_level=2).registers
    assert registers["R0"].startswith("map_value_or_null(")
    assert registers["R10"] == "fp0"


def test_long_log_of_a_refusal() -> None:
    """A log of more than the first buffer's 64 KiB comes whole, from the first line to the last."""
    error = refusal("long_log", log_level=2)
    assert len(error.log) > 1 << 16
    assert "0: (" in error.log[:4096]
    assert error.log.rstrip().splitlines()[-1].startswith("processed ")
    assert "invalid access to packet" in error.summary
    assert len(str(error).splitlines()) <= 25


@pytest.mark.skipif(not IN_MATRIX, reason="lets everybody load programs: only in a guest")
def test_loop_without_privilege() -> None:
    """A loop that only a process without CAP_BPF may not have: the advice says whom it is for."""
    with unprivileged.allowed():
        error = unprivileged.refusal(compile_bpf("unprivileged_loop"))
    assert isinstance(error, VerifierError)
    assert error.errno == errno.EINVAL
    assert error.insn_index == 5
    assert "a caller without CAP_BPF" in error.summary
