"""Damaged debug information and code: a typed error or success, in bounded time."""

from __future__ import annotations

import time

import pytest
from bpfgen_runtime.elf.dwarf import read_dwarf
from bpfgen_runtime.errors import BtfError, ElfError
from bpfgen_runtime.spec import ObjectSpec

from bpfgen.dwarf import DwarfTypes
from bpfgen.generate import read_object
from bpfgen.infer import Inference
from tests.fuzz.test_btf_fuzz import mutations
from tests.golden.regenerate import Case

#: Seconds for one object of 15 KiB, on a busy machine; what is not bounded takes minutes.
LIMIT = 20.0
ROUNDS = 12

DATA = Case("dwarf").object.read_bytes()
SPEC = read_object(DATA, "dwarf")


def sections() -> dict[str, tuple[int, int]]:
    """Give where the debug sections, and their relocations, are in the file."""
    table = int.from_bytes(DATA[40:48], "little")
    found = {}
    for section in SPEC.image.sections:
        if ".debug_" in section.name:
            header = table + 64 * section.index
            start = int.from_bytes(DATA[header + 24 : header + 32], "little")
            found[section.name] = (start, section.size)
    return found


SECTIONS = sections()


def ask_everything(data: bytes, spec: ObjectSpec) -> str:
    """Read, convert all types, infer all events; tell how it ended."""
    try:
        units = read_dwarf(data)
    except ElfError:
        return "refused"
    assert spec.btf is not None
    types = DwarfTypes(spec.btf, units)
    result = "read"
    for die in list(types.structs()):
        try:
            types.size(die.offset)
            types.convert(die.offset)
        except BtfError:
            result = "partly"
    extended = types.extended()
    for id in range(len(spec.btf), len(extended)):
        extended.type(id)
        extended.c_name(id)
    inference = Inference(spec, types)
    for one in spec.maps.values():
        inference.infer(one)
    return result


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_damaged_section(name: str) -> None:
    """One section of the debug information is damaged."""
    start, size = SECTIONS[name]
    outcomes = set()
    for damaged in mutations(DATA[start : start + size], ROUNDS, seed=len(name)):
        data = DATA[:start] + damaged.ljust(size, b"\0")[:size] + DATA[start + size :]
        begin = time.process_time()
        outcomes.add(ask_everything(data, SPEC))
        assert time.process_time() - begin < LIMIT
    assert outcomes


def test_some_are_refused_and_some_read() -> None:
    """The mutations reach what they are for."""
    start, size = SECTIONS[".debug_info"]
    outcomes = [
        ask_everything(DATA[:start] + damaged.ljust(size, b"\0") + DATA[start + size :], SPEC)
        for damaged in mutations(DATA[start : start + size], 40, seed=1)
    ]
    assert {"refused", "read"} <= set(outcomes)


def test_damaged_code() -> None:
    """Programs whose instructions are damaged are analysed in bounded time, or not at all."""
    spec = read_object(DATA, "dwarf")
    for program in [*spec.programs.values(), *spec.subprograms]:
        original = program.code
        for damaged in mutations(original, 60, seed=3):
            program.code = damaged.ljust(len(original), b"\0")[: len(original)]
            begin = time.process_time()
            assert spec.btf is not None
            inference = Inference(spec, DwarfTypes(spec.btf, []))
            for one in spec.maps.values():
                inference.infer(one)
            assert time.process_time() - begin < LIMIT
        program.code = original
