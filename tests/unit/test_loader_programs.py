"""Functions of an object: entry programs, subprograms, and what their sections say."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import Datasec, Func, FuncProto, SecVar, Var
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.errors import BpfError, BtfError, ElfError
from bpfgen_runtime.insn import BPF_EXIT, BPF_JMP, Insn
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.sections import SLEEPABLE
from bpfgen_runtime.uapi.const import (
    BPF_CGROUP_INET_EGRESS,
    BPF_PROG_TYPE_CGROUP_SKB,
    BPF_PROG_TYPE_KPROBE,
    BPF_PROG_TYPE_TRACEPOINT,
    BPF_PROG_TYPE_XDP,
)

from tests.support.clang import compile_bpf
from tests.support.elfwriter import (
    R_BPF_64_64,
    STB_LOCAL,
    STT_FUNC,
    STT_OBJECT,
    ElfWriter,
    minimal,
)
from tests.support.objects import Types

EXIT = bytes([BPF_JMP | BPF_EXIT]) + bytes(7)


@pytest.mark.parametrize(
    ("section", "prog_type", "attach_type", "target", "autoload"),
    [
        ("xdp", BPF_PROG_TYPE_XDP, 37, "", True),
        ("?xdp", BPF_PROG_TYPE_XDP, 37, "", False),
        ("tp/sched/sched_switch", BPF_PROG_TYPE_TRACEPOINT, 0, "sched/sched_switch", True),
        ("uprobe.s/lib:f", BPF_PROG_TYPE_KPROBE, 0, "lib:f", True),
        ("cgroup_skb/egress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, "", True),
        ("no_such_thing", 0, 0, "", True),
    ],
)
def test_section_name(
    section: str, prog_type: int, attach_type: int, target: str, autoload: bool
) -> None:
    """The section's name gives type, attach type, target and autoload; unknown names give none."""
    elf = ElfWriter()
    elf.symbol("f", elf.code(section, EXIT), size=8, type=STT_FUNC)
    spec = load_spec(elf.build()).programs["f"]
    assert spec.section == section.removeprefix("?")
    assert (spec.prog_type, spec.expected_attach_type) == (prog_type, attach_type)
    assert (spec.attach_target, spec.autoload, spec.autoattach) == (target, autoload, True)
    assert bool(spec.sec_flags & SLEEPABLE) == section.startswith("uprobe.s")


def test_several_programs_of_a_section() -> None:
    """Programs come by place, whatever the order of symbols; each has its relocations."""
    elf = ElfWriter()
    code = elf.code("xdp", (bytes([0x18]) + bytes(15) + EXIT) * 2)
    second = elf.symbol("second", code, value=24, size=24, type=STT_FUNC)
    elf.symbol("first", code, size=24, type=STT_FUNC)
    elf.relocs(code, [(24, R_BPF_64_64, second), (0, R_BPF_64_64, second)])
    programs = load_spec(elf.build()).programs
    assert list(programs) == ["first", "second"]
    assert [(p.insn_offset, p.insn_count) for p in programs.values()] == [(0, 3), (3, 3)]
    assert [[(r.insn, r.type, r.symbol) for r in p.relocs] for p in programs.values()] == [
        [(0, R_BPF_64_64, second)],
        [(0, R_BPF_64_64, second)],
    ]


def test_text_holds_subprograms() -> None:
    """Functions of `.text` are no entry programs, static ones included."""
    elf = minimal()
    text = elf.code(".text", EXIT * 3)
    elf.symbol("helper", text, size=8, type=STT_FUNC, bind=STB_LOCAL)
    elf.symbol("shared", text, value=8, size=8, type=STT_FUNC)
    elf.symbol("quiet", text, value=16, size=8, type=STT_FUNC, visibility=2)
    spec = load_spec(elf.build())
    assert list(spec.programs) == ["drop"]
    assert [(f.name, f.is_subprogram, f.is_global, f.is_hidden) for f in spec.subprograms] == [
        ("helper", True, False, False),
        ("shared", True, True, False),
        ("quiet", True, True, True),
    ]


def test_text_alone() -> None:
    """A function of `.text` is a subprogram even if it is the only function of the object."""
    elf = ElfWriter()
    elf.symbol("only", elf.code(".text", EXIT), size=8, type=STT_FUNC)
    spec = load_spec(elf.build())
    assert (spec.programs, [each.name for each in spec.subprograms]) == ({}, ["only"])


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        ({"size": 0}, "whole number of instructions"),
        ({"size": 12}, "whole number of instructions"),
        ({"size": 8, "value": 4}, "whole number of instructions"),
        ({"size": 24}, "ends outside its section"),
        ({"size": 8, "value": 1 << 40}, "ends outside its section"),
        ({"size": 8, "bind": STB_LOCAL}, "is static"),
    ],
)
def test_damaged_functions(symbol: dict[str, int], message: str) -> None:
    """A function that is not in its section, or static with a SEC(), is an error with its place."""
    elf = ElfWriter()
    elf.symbol("f", elf.code("xdp", EXIT * 2), type=STT_FUNC, **symbol)
    with pytest.raises(ElfError, match=message) as caught:
        load_spec(elf.build())
    assert caught.value.section == "xdp"
    assert "'f'" in str(caught.value)


def test_two_programs_of_one_name() -> None:
    """A name means one program."""
    elf = minimal()
    elf.symbol("drop", elf.code("tc", EXIT), size=8, type=STT_FUNC)
    with pytest.raises(ElfError, match="two programs are called 'drop'"):
        load_spec(elf.build())


def test_license_and_version() -> None:
    """The licence ends at its NUL; the version is a number in the object's byte order."""
    elf = minimal(">")
    elf.section("version", b"\x00\x06\x01\x02")
    spec = load_spec(elf.build())
    assert (spec.license, spec.kern_version, spec.byte_order) == ("GPL", 0x060102, ">")
    assert load_spec(ElfWriter().build()).license == ""


def test_version_of_wrong_size() -> None:
    """A version of other than 4 bytes is an error."""
    elf = minimal()
    elf.section("version", b"\0\0")
    with pytest.raises(ElfError, match="4 bytes, there are 2"):
        load_spec(elf.build())


def test_no_programs_is_no_error_here() -> None:
    """As with libbpf, an object without programs can be opened; commands may want more."""
    assert load_spec(ElfWriter().build()).programs == {}


def test_big_endian_code_decodes() -> None:
    """Instructions are decoded in the object's byte order."""
    spec = load_spec(minimal(">").build())
    assert spec.programs["drop"].insns == [Insn(BPF_JMP | BPF_EXIT)]


@pytest.mark.parametrize(
    ("member", "section", "is_func"),
    [(Func("wanted", 2, 2), ".ksyms", True), (Var("wanted", 1, 2), ".kconfig", False)],
)
def test_externs(member: Func | Var, section: str, is_func: bool) -> None:
    """Undefined symbols are externs of the section that BTF puts them in."""
    types = [*Types().types[:1], FuncProto(1), member, Datasec(section, 0, [SecVar(3, 0, 4)])]
    elf = minimal()
    symbol = elf.symbol("wanted", 0, bind=2)
    elf.section(".BTF", encode(types, byte_order="<"))
    extern = load_spec(elf.build()).externs["wanted"]
    assert (extern.section, extern.type_id, extern.symbol) == (section, 3, symbol)
    assert (extern.is_func, extern.is_weak) == (is_func, True)


def test_extern_without_a_section() -> None:
    """An extern that BTF says nothing of cannot be resolved by anyone."""
    elf = minimal()
    elf.symbol("wanted")
    elf.section(".BTF", Types().build())
    with pytest.raises(BtfError, match="extern 'wanted' is in no section"):
        load_spec(elf.build())


def test_extern_in_another_section() -> None:
    """Only `.kconfig` and `.ksyms` have externs."""
    types = Types()
    var = types.add(Var("wanted", 1, 2))
    types.add(Datasec(".ksymz", 4, [SecVar(var, 0, 4)]))
    elf = minimal()
    elf.symbol("wanted")
    elf.section(".BTF", types.build())
    with pytest.raises(BtfError, match=r"in section '\.ksymz'"):
        load_spec(elf.build())


def test_unsupported_sections_are_noted() -> None:
    """What load refuses does not keep an object from being opened."""
    elf = minimal()
    elf.section(".jumptables", bytes(8))
    assert load_spec(elf.build()).unsupported == (".jumptables",)


def test_copy_is_independent() -> None:
    """Editing a copy leaves the spec that it came from as it was."""
    spec = load_spec(str(compile_bpf("load_globals")))
    twin = spec.copy()
    twin.programs["touch"].autoload = False
    twin.variables["counter"].set(b"\1" * 8)
    assert spec.programs["touch"].autoload
    assert spec.variables["counter"].get() == bytes(8)
    assert twin.variables["counter"].get() == b"\1" * 8


@pytest.mark.parametrize("name", ["load_subprogs", "load_maps", "load_globals"])
def test_cut_off_objects(name: str) -> None:
    """An object cut off anywhere gives a typed error of one line."""
    data = compile_bpf(name).read_bytes()
    for length in range(0, len(data), 211):
        with pytest.raises(BpfError, match=r"\A[^\n]+\Z"):
            load_spec(data[:length])


def test_symbols_of_objects_are_no_programs() -> None:
    """Only functions of executable sections are programs."""
    elf = minimal()
    elf.symbol("table", elf.section(".rodata", bytes(8), flags=2), size=8, type=STT_OBJECT)
    elf.symbol("phantom", elf.section("xdp/devmap", bytes(8), flags=2), size=8, type=STT_FUNC)
    assert list(load_spec(elf.build()).programs) == ["drop"]
