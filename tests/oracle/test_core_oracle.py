"""CO-RE by BTF files, through libbpf and through us: the same instructions.

What the running kernel's BTF gives, test_oracle.py compares.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Int, Member, Ptr
from bpfgen_runtime.btf import types as t
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.core_target import relocate_core
from bpfgen_runtime.errors import RelocationError, VerifierError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.relocate import Relocator
from bpfgen_runtime.spec import ObjectSpec

from tests.oracle.made import Made
from tests.support.clang import compile_bpf
from tests.support.libbpf import LibbpfObject

pytestmark = [pytest.mark.live, pytest.mark.needs("libbpf")]


def relocated(spec: ObjectSpec, custom: Path | None = None) -> dict[str, list[tuple[int, ...]]]:
    """Our instructions as handed to the kernel, map descriptors replaced by 0."""
    relocator = Relocator(spec)
    programs = [program for program in spec.programs.values() if program.autoload]
    relocator.patched = relocate_core(
        spec, relocator.functions_of(programs), None if custom is None else str(custom)
    )
    names = list(spec.maps)
    return {
        program.name: insns(relocator.link(program).fill_in(dict.fromkeys(names, 0), names))
        for program in programs
    }


def insns(code: bytes) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for opcode, registers, offset, imm in struct.iter_unpack("=BBhi", code):
        is_map = opcode == 0x18 and registers >> 4 in (1, 2)
        found.append((opcode, registers, offset, 0 if is_map else imm))
    return found


def theirs_relocated(theirs: LibbpfObject) -> dict[str, list[tuple[int, ...]]]:
    return {p.name: insns(p.instructions()) for p in theirs.programs() if p.autoload}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_custom_btf(shift: int, order: str, tmp_path: Path) -> None:
    """By a BTF file with other offsets, of either byte order, the instructions are libbpf's."""
    custom = tmp_path / "made.btf"
    custom.write_bytes(encode(Made(shift).types, byte_order=order))
    path = compile_bpf("core_made_up")
    spec = load_spec(str(path))
    with LibbpfObject(path, custom) as theirs:
        theirs.load()
        expected = theirs_relocated(theirs)
        assert relocated(spec, custom) == expected
    with Object.load(spec, btf_custom_path=str(custom)) as ours:
        assert list(ours.programs) == ["all"]
    assert expected != relocated(spec, _kernel_like(tmp_path))


@pytest.mark.parametrize("long_size", [4, 8])
@pytest.mark.parametrize("name", ["core_direct", "core_resize", "core_bitfields_direct"])
def test_direct_loads_by_custom_btf(name: str, long_size: int, tmp_path: Path) -> None:
    """Loads get the sizes of a kernel of 32 or 64 bits, bit by bit like libbpf's.

    The program reads this machine's task_struct at that kernel's offsets, so its load may fail.
    """
    sint, uint, task, pointer, text = range(2, 7)
    types: list[t.BtfType] = [
        Int("long int", long_size, encoding=1),
        Int("int", 4, encoding=1),
        Int("unsigned int", 4),
        t.Struct(
            "task_struct",
            256,
            [
                Member("group_leader", pointer, 64),
                Member("real_parent", pointer, 64 + 8 * long_size),
                Member("pid", sint, 256),
                Member("tgid", sint, 288),
                Member("comm", text, 320),
                Member("flags", uint, 512),
                Member("rt_priority", uint, 544),
                Member("policy", uint, 576),
                Member("start_time", uint, 608),
                Member("in_iowait", uint, 641, 1),
                Member("in_execve", sint, 642, 1),
                Member("sched_contributes_to_load", uint, 672, 32),
            ],
            kind_flag=True,
        ),
        Ptr(task),
        t.Array(sint, sint, 16),
    ]
    custom = tmp_path / "made.btf"
    custom.write_bytes(encode(types, byte_order="<"))
    path = compile_bpf(name)
    with LibbpfObject(path, custom) as theirs:
        with suppress(OSError):
            theirs.load()
        expected = theirs_relocated(theirs)
    assert relocated(load_spec(str(path)), custom) == expected
    own = [insns(program.code) for program in load_spec(str(path)).programs.values()]
    assert list(expected.values()) != own


def test_bitfield_across_words(tmp_path: Path) -> None:
    """A bitfield that no load of 8 bytes covers fails the load of both."""
    custom = tmp_path / "made.btf"
    custom.write_bytes(encode(Made(0, signed_bits=3711).types, byte_order="<"))
    path = compile_bpf("core_made_up")
    with LibbpfObject(path, custom) as theirs, pytest.raises(OSError, match="cannot load"):
        theirs.load()
    with pytest.raises(RelocationError, match=r"bitfield .*::signed_bits .* cannot be read") as e:
        Object.load(load_spec(str(path)), btf_custom_path=str(custom))
    assert str(custom) in str(e.value)


def _kernel_like(tmp_path: Path) -> Path:
    """The object's own BTF as the kernel's: nothing moves."""
    image = load_spec(str(compile_bpf("core_made_up"))).image
    section = image.section(".BTF")
    assert section is not None
    path = tmp_path / "own.btf"
    path.write_bytes(section.data)
    return path


def test_own_btf_moves_nothing(tmp_path: Path) -> None:
    """Relocated by its own BTF an object keeps its offsets, like with libbpf."""
    path = compile_bpf("core_made_up")
    own = _kernel_like(tmp_path)
    with LibbpfObject(path, own) as theirs:
        theirs.load()
        assert relocated(load_spec(str(path)), own) == theirs_relocated(theirs)


def test_elf_as_custom_btf() -> None:
    """The custom BTF may be in an ELF file."""
    path = compile_bpf("core_made_up")
    with LibbpfObject(path, path) as theirs:
        theirs.load()
        assert relocated(load_spec(str(path)), path) == theirs_relocated(theirs)


def test_custom_btf_in_the_spec() -> None:
    """`spec.btf_custom_path` does what the argument of load does."""
    path = compile_bpf("core_made_up")
    spec = load_spec(str(path))
    with pytest.raises(VerifierError, match="struct outer does not exist on this kernel"):
        Object.load(spec)
    spec.btf_custom_path = str(path)
    with Object.load(spec) as ours:
        assert list(ours.programs) == ["all"]
