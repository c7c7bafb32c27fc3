"""What is set on a program's spec before load, as the kernel then has it."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import BTF_KIND_TYPEDEF, kernel_btf
from bpfgen_runtime.errors import ClosedError, NotSupportedError, RelocationError
from bpfgen_runtime.insn import BPF_ALU64, BPF_EXIT, BPF_JMP, BPF_MOV, Insn
from bpfgen_runtime.link import Link, attach
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.uapi.enums import AttachType, ProgType

from tests.support.clang import compile_bpf

RETURN_3 = [*[Insn(BPF_ALU64 | BPF_MOV, imm=number) for number in (4, 3)], Insn(BPF_JMP | BPF_EXIT)]
PACKET = bytes(64)

# include/linux/bpf_verifier.h
BPF_LOG_LEVEL2, BPF_LOG_STATS = 2, 4


def spec_of(name: str) -> ObjectSpec:
    return load_spec(compile_bpf(name))


def linked(live: Object, name: str) -> Link:
    link = attach(live.programs[name])
    assert link is not None
    return link


def test_other_instructions() -> None:
    """Instructions of another length are loaded as they are."""
    spec = spec_of("ext_target")
    spec.programs["target"].set_insns(RETURN_3)
    with Object.load(spec) as live:
        assert live.programs["target"].test_run(PACKET).retval == 3


def test_changed_instruction() -> None:
    """One instruction changed in place: the call beside it is still linked, lines are kept."""
    spec = spec_of("ext_target")
    target = spec.programs["target"]
    insns = target.insns
    insns[-1:] = [Insn(BPF_JMP | BPF_EXIT)]
    target.insns = insns
    with Object.load(spec) as live:
        assert live.programs["target"].test_run(PACKET).retval == 41
        assert live.programs["target"].info().nr_line_info > 0


def test_another_type() -> None:
    """A program is loaded as the type and attach type set, not as its section's."""
    spec = spec_of("ext_target")
    target = spec.programs["target"]
    target.set_insns(RETURN_3)
    target.type = ProgType.CGROUP_SKB
    target.attach_type = AttachType.CGROUP_INET_EGRESS
    with Object.load(spec) as live:
        program = live.programs["target"]
        assert program.info().type == program.type == ProgType.CGROUP_SKB
        assert program.attach_type == AttachType.CGROUP_INET_EGRESS


@pytest.mark.kernel("attach_btf_id in the info of programs")
@pytest.mark.parametrize("type_first", [False, True])
def test_target_and_type(type_first: bool) -> None:
    """A target and another type may be set in either order; the program attaches to the target."""
    spec = spec_of("ext_ksym_address")
    program = spec.programs["read_addresses"]
    program.attach_type = AttachType.TRACE_RAW_TP
    if type_first:
        program.type = ProgType.TRACING
    program.set_attach_target("sched_process_exec")
    program.type = ProgType.TRACING
    with Object.load(spec) as live:
        target = live.programs["read_addresses"].info().attach_btf_id
    assert target == kernel_btf().find("btf_trace_sched_process_exec", BTF_KIND_TYPEDEF)[0]


@pytest.mark.parametrize(
    ("level", "has_instructions"), [(BPF_LOG_STATS, False), (BPF_LOG_LEVEL2, True)]
)
def test_log_of_one_program(level: int, has_instructions: bool) -> None:
    """A program's own level fills its log; a buffer that is too small at first grows."""
    spec = spec_of("ext_target")
    for size in (0, 1, 100, 1 << 20):
        spec.programs["target"].log_level = level
        spec.programs["target"].log_size = size
        with Object.load(spec) as live:
            log = live.programs["target"].log
        assert "processed" in log
        assert ("(95) exit" in log) == has_instructions


def test_no_log_by_default() -> None:
    """Without a level there is no log."""
    with Object.load(spec_of("ext_target")) as live:
        assert live.programs["target"].log == ""


def test_program_left_out() -> None:
    """What is not loaded is not relocated, and needs no target either."""
    spec = spec_of("ext_fentry_prog")
    spec.programs["after_target"].autoload = False
    with Object.load(spec) as live:
        assert live.programs == {}


@pytest.mark.kernel("fentry")
def test_function_replaced() -> None:
    """An freplace program stands in for a global function of a program, as long as it is linked."""
    with Object.load(spec_of("ext_target")) as original:
        target = original.programs["target"]
        spec = spec_of("ext_freplace")
        spec.programs["new_answer"].set_attach_target(program=target)
        with Object.load(spec) as live:
            assert target.test_run(PACKET).retval == 41
            with linked(live, "new_answer"):
                assert target.test_run(PACKET).retval == 7
            assert target.test_run(PACKET).retval == 41


@pytest.mark.kernel("fentry")
@pytest.mark.parametrize(("function", "result"), [("target", 41), ("answer", 41)])
def test_program_traced(function: str, result: int) -> None:
    """An fexit program sees a program's runs, or those of a function in it, and the result."""
    with Object.load(spec_of("ext_target")) as original:
        target = original.programs["target"]
        spec = spec_of("ext_fentry_prog")
        spec.programs["after_target"].set_attach_target(function, program=target.fileno())
        with Object.load(spec) as live, linked(live, "after_target"):
            target.test_run(PACKET)
            calls, seen = spec.variables["calls"], spec.variables["result"]
            data = live.data[".bss"]
            assert data[calls.offset] == 1
            assert data[seen.offset] == result


def test_targets_that_are_not_there() -> None:
    """A function that the program lacks, a closed program, and no program at all."""
    with Object.load(spec_of("ext_target")) as original:
        target = original.programs["target"]
        spec = spec_of("ext_freplace")
        program = spec.programs["new_answer"]
        with pytest.raises(NotSupportedError, match="'new_answer' without a program to replace"):
            Object.load(spec)
        program.set_attach_target("question", program=target)
        with pytest.raises(RelocationError, match=r"'new_answer': .* no function 'question'"):
            Object.load(spec)
    with pytest.raises(ClosedError, match="'target' is closed"):
        Object.load(spec)


def test_target_without_btf() -> None:
    """A program without BTF has no functions by name."""
    original_spec = spec_of("ext_target")
    original_spec.programs["target"].set_insns(RETURN_3)
    with Object.load(original_spec) as original:
        spec = spec_of("ext_freplace")
        spec.programs["new_answer"].set_attach_target(program=original.programs["target"])
        with pytest.raises(RelocationError, match="no BTF: compile it with clang -g"):
            Object.load(spec)
