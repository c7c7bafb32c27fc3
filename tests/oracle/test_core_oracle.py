"""CO-RE through libbpf and through us: the same instructions, the same outcome of load."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Enumerator, Int, Member, Ptr
from bpfgen_runtime.btf import types as t
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.core_target import relocate_core
from bpfgen_runtime.errors import RelocationError, VerifierError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.relocate import Relocator
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.uapi.const import BPF_CORE_TYPE_EXISTS, BPF_CORE_TYPE_MATCHES

from tests.support.clang import compile_bpf
from tests.support.corekinds import with_kinds
from tests.support.kernelview import map_id, program_view
from tests.support.libbpf import LibbpfObject

pytestmark = [pytest.mark.live, pytest.mark.needs("libbpf")]

LOADED = [
    "core_anonymous",
    "core_arrays",
    "core_bitfields",
    "core_bitfields_direct",
    "core_direct",
    "core_enums",
    "core_field_exists",
    "core_field_offset",
    "core_field_signed",
    "core_field_size",
    "core_flavors",
    "core_guarded",
    "core_optional",
    "core_resize",
    "core_stores",
    "core_subprogs",
    "core_type_exists",
    "core_type_ids",
    "core_type_matches",
    "core_type_size",
]
REFUSED = {
    "core_poison_enum": "enumerator PIDTYPE_NONE of enum pid_type does not exist on this kernel",
    "core_poison_field": "field no_such_field of struct signal_struct does not exist",
    "core_poison_subprog": "field no_such_field of struct task_struct does not exist",
    "core_poison_type": "struct no_such_struct does not exist on this kernel",
    "core_resize_signed": "field pid of struct task_struct has 4 bytes on this kernel, the object"
    " reads 8",
}


def build(name: str, tmp_path: Path) -> Path:
    path = compile_bpf(name)
    if name == "core_type_matches":
        kinds = {BPF_CORE_TYPE_EXISTS: BPF_CORE_TYPE_MATCHES}
        path = with_kinds(path, tmp_path / path.name, kinds)
    return path


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


@pytest.mark.parametrize("name", LOADED)
def test_loads_alike(name: str, tmp_path: Path) -> None:
    """Instructions before and after the verifier are libbpf's."""
    path = build(name, tmp_path)
    spec = load_spec(str(path))
    with LibbpfObject(path) as theirs, Object.load(spec) as ours:
        theirs.load()
        assert relocated(spec) == theirs_relocated(theirs)
        our_maps = {map_id(live.fileno()): n for n, live in ours.maps.items()}
        their_fds = [m.fd for m in theirs.maps()]
        their_maps = dict(zip(map(map_id, their_fds), spec.maps, strict=True))
        views = {p.name: program_view(p.fd, their_maps) for p in theirs.programs() if p.autoload}
        assert {n: program_view(p.fileno(), our_maps) for n, p in ours.programs.items()} == views


@pytest.mark.parametrize("name", REFUSED)
def test_fails_alike(name: str) -> None:
    """What nothing in the kernel satisfies is poisoned like libbpf's, and fails with its errno."""
    path = compile_bpf(name)
    spec = load_spec(str(path))
    with LibbpfObject(path) as theirs:
        with pytest.raises(OSError, match="cannot load") as their_error:
            theirs.load()
        assert relocated(spec) == theirs_relocated(theirs)
    with pytest.raises(VerifierError, match=r"unresolved CO-RE relocation \w+: ") as error:
        Object.load(spec)
    assert error.value.errno == their_error.value.errno
    assert REFUSED[name] in str(error.value)


class Made:
    """BTF in the making, for a kernel that does not exist."""

    def __init__(self, shift: int, signed_bits: int = 3715) -> None:
        self.types: list[t.BtfType] = []
        uint = self.add(Int("unsigned int", 4))
        self.add(Int("long int", 8, encoding=1))
        sint = self.add(Int("int", 4, encoding=1))
        wide = self.add(Int("unsigned long", 8))
        byte = self.add(Int("unsigned char", 1))
        inner = self.add(
            t.Struct("inner", 16, [Member("pad", wide, 0), Member("y", byte, 64 + shift)])
        )
        anonymous = self.add(t.Union("", 16, [Member("x", uint, shift)]))
        inner_new = t.Struct(
            "inner",
            32,
            [Member("", anonymous, 64), Member("y", byte, 128 + shift), Member("z", wide, 192)],
        )
        self.types[inner - 1] = inner_new
        link = self.add(Ptr(inner))
        four = self.add(t.Array(inner, sint, 8))
        flexible = self.add(t.Array(sint, sint, 0))
        outer = t.Struct(
            "outer",
            1024,
            [
                Member("list", four, 8 * shift),
                Member("in", inner, 3000),
                Member("link", link, 3584),
                Member("first", byte, 3648 + shift),
                Member("signed_bits", sint, signed_bits, 7),
                Member("bits", uint, 3738 + shift // 8, 5),
                Member("wide", wide, 3776),
                Member("tail", flexible, 4096),
            ],
            kind_flag=True,
        )
        self.add(outer)
        self.add(
            t.Enum(
                "colour",
                4,
                [Enumerator("GREEN", 40 + shift), Enumerator("NEGATIVE", -7)],
                signed=True,
            )
        )
        self.add(t.Enum64("huge", 8, [Enumerator("HUGE", 0xFEDCBA9876543210 - shift)]))

    def add(self, new: t.BtfType) -> int:
        self.types.append(new)
        return len(self.types)


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
