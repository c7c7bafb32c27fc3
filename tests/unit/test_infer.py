"""Event types are inferred from code and debug information, and only where they are certain."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bpfgen_runtime.elf.dwarf import read_dwarf
from bpfgen_runtime.errors import BtfError
from bpfgen_runtime.uapi.const import BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_RINGBUF

from bpfgen.dwarf import DwarfTypes
from bpfgen.generate import read_object
from bpfgen.infer import Inference, _frame_offset
from bpfgen.writes import Value, find_writes, merge
from tests.golden.regenerate import Case
from tests.support.clang import compile_bpf
from tests.support.requirements import tool

BUFFERS = (BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_PERF_EVENT_ARRAY)

Found = dict[str, tuple[list[str], str]]


def infer(data: bytes) -> Found:
    """Give for each buffer the C names of the types found, and why."""
    spec = read_object(data, "test")
    assert spec.btf is not None
    types = DwarfTypes(spec.btf, read_dwarf(data))
    inference = Inference(spec, types)
    found = {
        name: inference.infer(one) for name, one in spec.maps.items() if one.map_type in BUFFERS
    }
    btf = types.extended()
    return {name: ([btf.c_name(id) for id in one.type_ids], one.why) for name, one in found.items()}


#: Buffer of events_tricky.bpf.c, its type ("" for none), and a part of the reason.
TRICKY = [
    ("either_a", "struct small", "variable 'small' of tricky()"),
    ("either_b", "struct small", "variable 'small' of tricky()"),
    ("either_size", "", "varying size"),
    ("size_in_memory", "", "varying size"),
    ("size_of_kernel_type", "", "varying size"),
    ("cast_twice", "", "structs of 16 bytes: "),
    ("by_size_only", "struct unique", "the one struct of the 99 bytes"),
    ("by_callers", "struct small", "parameter 'data' of send_small()"),
    ("by_callers_differ", "", "varying size"),
    ("in_callback", "struct small", "variable 'event' of each()"),
    ("dynamic", "struct large", "variable 'large' of tricky()"),
    ("header_first", "", "structs of 112 bytes: none"),
]


@pytest.fixture(
    scope="module",
    params=[(), ("-gdwarf-4",), ("-target", "bpfeb"), ("-mcpu=v2",)],
    ids=["v5", "v4", "big-endian", "v2"],
)
def tricky(request: pytest.FixtureRequest) -> Found:
    return infer(compile_bpf("events_tricky", *request.param).read_bytes())


@pytest.mark.needs("clang")
@pytest.mark.parametrize(("buffer", "type_name", "why"), TRICKY, ids=[one[0] for one in TRICKY])
def test_tricky(tricky: Found, buffer: str, type_name: str, why: str) -> None:
    """What is certain is found, by DWARF 4 and 5 and of either byte order; nothing else is."""
    names, reason = tricky[buffer]
    assert names == ([type_name] if type_name else [])
    assert why in reason


@pytest.mark.needs("clang")
def test_text_is_no_struct(tricky: Found) -> None:
    """A record made from an array of characters is not taken for a struct of the same size."""
    assert tricky["as_text"][0] in ([], ["char [16]"])


GOLDEN = {
    "reserved": ["struct every_event"],
    "copied": ["struct open_event"],
    "in_subprogram": ["struct exit_event"],
    "two_sizes": ["struct open_event", "struct long_event"],
    "two_of_one_size": [],
    "varying": [],
    "unused": [],
    "number": ["unsigned long long"],
    "perf_stack": ["struct open_event"],
    "perf_scratch": ["struct scratch_event"],
}


def test_committed_object() -> None:
    """The golden object, whose compiler is fixed: from stack, reservations, maps, subprograms."""
    found = infer(Case("dwarf").object.read_bytes())
    assert {name: types for name, (types, _) in found.items()} == GOLDEN


@pytest.mark.needs("clang", "llvm-strip")
def test_without_debug_information(tmp_path: Path) -> None:
    """Without DWARF only what BTF says for sure is found."""
    path = tmp_path / "stripped.o"
    path.write_bytes(Case("dwarf").object.read_bytes())
    subprocess.run([tool("llvm-strip"), "-g", path], check=True)
    found = infer(path.read_bytes())
    assert {name: types for name, (types, _) in found.items() if types} == {
        "perf_scratch": ["struct scratch_event"]
    }
    assert "values of map 'scratch'" in found["perf_scratch"][1]
    assert "nothing says what on_getpgid() writes; structs of" in found["reserved"][1]


def test_unknown_buffer_taints_all() -> None:
    """If a call may write into any buffer, no type is inferred for any."""
    data = bytearray(Case("dwarf").object.read_bytes())
    spec = read_object(bytes(data), "test")
    program = spec.programs["on_getsid"]
    # Without its relocation, the load of the first map's address is a plain number.
    program.relocs = tuple(program.relocs[1:])
    assert spec.btf is not None
    inference = Inference(spec, DwarfTypes(spec.btf, read_dwarf(bytes(data))))
    inferred = inference.infer(spec.maps["reserved"])
    assert inferred.type_ids == ()
    assert inferred.why == "on_getsid() writes into a buffer that is not known"
    assert inference.infer(spec.maps["perf_stack"]).type_ids  # no such call writes there


def test_code_that_is_not_understood() -> None:
    """Jumps into nowhere make nothing of it."""
    spec = read_object(Case("dwarf").object.read_bytes(), "test")
    program = spec.programs["on_getsid"]
    jump = bytes((0x05, 0, 0xFF, 0x7F, 0, 0, 0, 0))
    program.code = jump + program.code[8:]
    assert find_writes(spec) is None
    assert spec.btf is not None
    inferred = Inference(spec, DwarfTypes(spec.btf, [])).infer(spec.maps["reserved"])
    assert inferred.why == "the programs' code is not understood"


STACK, SOMEWHERE = Value("stack", -8), Value("stack", None)
A, B = Value("map", frozenset("a")), Value("map", frozenset("b"))


@pytest.mark.parametrize(
    ("one", "other", "merged"),
    [
        (A, A, A),
        (A, B, Value("map", frozenset("ab"))),
        (A, None, None),
        (Value("number", 1), Value("number", 2), None),
        (STACK, STACK, STACK),
        (STACK, Value("stack", -16), SOMEWHERE),
        (STACK, None, SOMEWHERE),
        (None, None, None),
    ],
)
def test_merge(one: Value | None, other: Value | None, merged: Value | None) -> None:
    """Of two paths what both know remains; a possible stack pointer stays one."""
    assert merge(one, other) == merge(other, one) == merged


@pytest.mark.parametrize(
    ("ops", "offset"),
    [
        ("", None),
        ("9100", 0),  # DW_OP_fbreg 0
        ("9110", 16),
        ("9170", -16),
        ("918001", 128),
        ("7a10", 16),  # DW_OP_breg10 16
        ("7a109308", 16),  # and a piece of 8 bytes, the rest nowhere
        ("93087a10230893047a10230c9304", 16),  # first 8 bytes nowhere, as clang 19 has it
        ("7a1093087a109308", None),  # pieces of two variables?
        ("309f", None),  # a constant
        ("7a1006", None),  # what a pointer in the frame points to
        ("9308", None),
    ],
)
def test_frame_offset(ops: str, offset: int | None) -> None:
    """Where a variable begins in the frame is read from whole and piecewise locations."""
    assert _frame_offset(bytes.fromhex(ops)) == offset


def dwarf_types(name: str, *flags: str) -> DwarfTypes:
    data = compile_bpf(name, *flags).read_bytes()
    spec = read_object(data, "test")
    assert spec.btf is not None
    return DwarfTypes(spec.btf, read_dwarf(data))


@pytest.mark.needs("clang")
@pytest.mark.parametrize("flags", [(), ("-gdwarf-4",), ("-target", "bpfeb"), ("-gz",)])
def test_types_equal_btf(flags: tuple[str, ...]) -> None:
    """Every struct that both BTF and DWARF have is the same type in both: layout and names."""
    for name in ("btf_kinds", "events_tricky", "values_perf"):
        types = dwarf_types(name, *flags)
        btf = types.extended()
        count = len(btf)
        shared = 0
        for die in types.structs():
            id = types.convert(die.offset)
            assert types.extended().size_of(id) == types.size(die.offset)
            if btf.find(die.get("name")):
                shared += 1
                assert id < count, f"{die.get('name')} of {name}"
        types.extended().validate()
        assert shared or name != "btf_kinds"


@pytest.mark.needs("clang")
def test_type_in_a_circle() -> None:
    """A type that contains itself, which no compiler makes, is an error and no endless loop."""
    types = dwarf_types("values_perf")
    (event,) = types.find("struct", "event")
    event.children[0].attributes["type"] = event.offset
    with pytest.raises(BtfError, match="contains itself"):
        types.convert(event.offset)
