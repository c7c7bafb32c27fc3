"""What may be changed of a program before load."""

from __future__ import annotations

import pytest
from bpfgen_runtime.insn import BPF_EXIT, BPF_JMP, Insn
from bpfgen_runtime.sections import ATTACH_BTF, SLEEPABLE
from bpfgen_runtime.spec import ProgramSpec, RelocSpec
from bpfgen_runtime.uapi.enums import AttachType, ProgType

EXIT = Insn(BPF_JMP | BPF_EXIT)


def program(slots: int = 2) -> ProgramSpec:
    return ProgramSpec(
        "main",
        "fentry.s/do_it",
        bytes([0x95, 0, 0, 0, 0, 0, 0, 0]) * slots,
        prog_type=ProgType.TRACING,
        expected_attach_type=AttachType.TRACE_FENTRY,
        sec_flags=ATTACH_BTF | SLEEPABLE,
        attach_target="do_it",
        relocs=[RelocSpec(0, 1, 1)],
    )


def test_another_type_voids_the_section() -> None:
    """With another type, flags and attachment by the section's name no longer hold."""
    spec = program()
    spec.type = ProgType.XDP
    assert (spec.type, spec.prog_type) == (ProgType.XDP, 6)
    assert (spec.sec_flags, spec.autoattach) == (0, False)
    assert spec.attach_type is AttachType.TRACE_FENTRY
    spec.attach_type = AttachType.XDP
    assert spec.expected_attach_type == 37


def test_the_same_type_changes_nothing() -> None:
    """Setting the type that it has already leaves the section in force."""
    spec = program()
    spec.type = ProgType.TRACING
    assert (spec.sec_flags, spec.autoattach) == (ATTACH_BTF | SLEEPABLE, True)


def test_instructions_in_place() -> None:
    """As many slots as before: relocations stay."""
    spec = program()
    other = Insn(0xB7, dst=0, imm=7)
    spec.insns = [other, EXIT]
    assert spec.insns == [other, EXIT]
    assert (len(spec.relocs), spec.is_replaced) == (1, False)


def test_instructions_of_another_length() -> None:
    """Another number of slots stands alone: no relocations; a copy made before is untouched."""
    spec = program()
    before = spec.copy()
    spec.set_insns([EXIT])
    assert (spec.insns, spec.relocs, spec.is_replaced) == ([EXIT], (), True)
    assert (before.insn_count, len(before.relocs), before.is_replaced) == (2, 1, False)
    spec.set_insns(bytes([0x95]) + bytes(7))
    assert spec.insns == [EXIT]


@pytest.mark.parametrize("code", [b"", b"\x95", bytes(12)])
def test_no_whole_instructions(code: bytes) -> None:
    """What is no whole number of instructions is refused, and nothing changes."""
    spec = program()
    with pytest.raises(ValueError, match=r"'main': .* no whole number"):
        spec.set_insns(code)
    assert spec.insn_count == 2


def test_attach_target() -> None:
    """A target may be given by name, by program, or both; the section's stays otherwise."""
    spec = program()
    spec.set_attach_target("other")
    assert (spec.attach_target, spec.attach_program) == ("other", None)
    spec.set_attach_target(program=7)
    assert (spec.attach_target, spec.attach_program) == ("other", 7)
    assert spec.sec_flags == ATTACH_BTF | SLEEPABLE


@pytest.mark.parametrize("type_first", [False, True])
def test_attach_target_and_type(type_first: bool) -> None:
    """A target that is set holds for another type, too, whichever is set first."""
    spec = program()
    assert not spec.is_target_set
    if type_first:
        spec.type = ProgType.LSM
    spec.set_attach_target("file_open")
    spec.type = ProgType.LSM
    assert (spec.attach_target, spec.is_target_set) == ("file_open", True)
    assert (spec.sec_flags, spec.copy().is_target_set) == (0, True)
