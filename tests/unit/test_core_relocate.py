"""CO-RE records of an object onto its functions, against BTF files good and bad."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Btf, BtfType, Member, Ptr, Struct, Typedef, kernel
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.core import relocate
from bpfgen_runtime.core_target import relocate_core
from bpfgen_runtime.errors import (
    BpfError,
    BtfError,
    NotSupportedError,
    RelocationError,
    SyscallError,
)
from bpfgen_runtime.insn import BPF_ALU64, BPF_EXIT, BPF_JMP, BPF_MOV, Insn, decode
from bpfgen_runtime.insn import encode as encode_insns
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.relocate import Relocator
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.uapi import const as k

from tests.support.btfbuilder import info_table, raw_ext
from tests.support.coretypes import FIRST, INT, LONG, side
from tests.support.elfwriter import STT_FUNC, ElfWriter

OFFSET = k.BPF_CORE_FIELD_BYTE_OFFSET
EXIT = Insn(BPF_JMP | BPF_EXIT)
SELF: list[BtfType] = [Struct("s", 8, [Member("a", INT, 0), Member("b", INT, 32)])]
MOVED = side(Struct("s", 16, [Member("b", INT, 96)]))
NAMES = ("tc", ".text", "0:1", "0:0", "0:9", "0:1:0")


def move(imm: int) -> Insn:
    return Insn(BPF_ALU64 | BPF_MOV, dst=0, imm=imm)


def build(*records: tuple[str, int, str, int], text_section: bool = False) -> ObjectSpec:
    """Two programs `one` and `two` of two instructions in tc; records: section, offset, path, kind.

    With `text_section` there is a function `helper` of .text, too, which nothing calls.

    Each program is `r0 = 4; exit`, as if the offset of struct s::b were asked.
    """
    elf = ElfWriter("<")
    code = elf.code("tc", encode_insns([move(4), EXIT, move(4), EXIT], "<"))
    elf.symbol("one", code, value=0, size=16, type=STT_FUNC)
    elf.symbol("two", code, value=16, size=16, type=STT_FUNC)
    if text_section:
        helper = elf.code(".text", encode_insns([move(4), EXIT], "<"))
        elf.symbol("helper", helper, value=0, size=16, type=STT_FUNC)
    types = [*SELF, *(Typedef(name, INT) for name in NAMES)]
    blob = side(*types).to_bytes()
    strings = blob[24 + struct.unpack_from("<I", blob, 16)[0] :]

    def text(name: str) -> int:
        return strings.index(f"\0{name}\0".encode()) + 1

    sections: dict[str, list[bytes]] = {}
    for section, offset, path, kind in records:
        record = struct.pack("<4I", offset, FIRST, text(path), kind)
        sections.setdefault(section, []).append(record)
    table = info_table(16, [(text(name), found) for name, found in sections.items()])
    elf.section(".BTF", blob)
    elf.section(".BTF.ext", raw_ext([b"", b"", table] if records else []))
    return load_spec(elf.build())


def run(spec: ObjectSpec, target: Btf, *programs: str) -> dict[str, tuple[list[Insn], list[int]]]:
    """Relocate the named programs: instructions, and which of them are poisoned."""
    functions = [spec.programs[name] for name in programs or spec.programs]
    done = relocate(spec, functions, lambda: target, None)
    return {f.name: (decode(code, "<"), list(bad)) for f, (code, bad) in done.items()}


def test_patches_copies() -> None:
    """The instructions of a program with records are patched in a copy; others stay out."""
    spec = build(("tc", 0, "0:1", OFFSET))
    before = spec.programs["one"].code
    assert run(spec, MOVED) == {"one": ([move(12), EXIT], [])}
    assert spec.programs["one"].code == before


def test_second_program() -> None:
    """Offsets count from the section's start."""
    assert run(build(("tc", 16, "0:1", OFFSET)), MOVED) == {"two": ([move(12), EXIT], [])}


def test_programs_that_are_not_loaded() -> None:
    """Records of a program that is left out are not even read."""
    spec = build(("tc", 0, "0:9", OFFSET), ("tc", 16, "0:1", OFFSET))
    assert list(run(spec, MOVED, "two")) == ["two"]


def test_functions_that_no_program_reaches() -> None:
    """A bad record in a function of .text matters only to programs that call it."""
    spec = build(("tc", 0, "0:1", OFFSET), (".text", 0, "0:9", OFFSET), text_section=True)
    relocator = Relocator(spec)
    reached = relocator.functions_of([spec.programs["one"]])
    assert [function.name for function in reached] == ["one"]
    assert len(relocate(spec, reached, lambda: MOVED, None)) == 1
    with pytest.raises(
        RelocationError, match=r"^function 'helper' of section '\.text', instruction 0"
    ):
        relocate(spec, spec.subprograms, lambda: MOVED, None)


@pytest.mark.parametrize("record", [("tc", 320, "0:9", OFFSET), (".text", 0, "0:9", OFFSET)])
def test_eliminated_functions(record: tuple[str, int, str, int]) -> None:
    """Records of instructions that are in no function, as linking leaves them, are passed over."""
    assert run(build(record), MOVED) == {}


def test_target_is_not_asked_in_vain() -> None:
    """Without a record for what is loaded nothing asks for the kernel's BTF."""

    def never() -> Btf:
        raise AssertionError("asked")

    assert relocate(build(), [], never, None) == {}
    spec = build(("tc", 0, "0:1", OFFSET))
    assert relocate(spec, [spec.programs["two"]], never, None) == {}


def test_poisoned() -> None:
    """Which instruction is poisoned, and why, is told."""
    spec = build(("tc", 16, "0:1", OFFSET))
    done = relocate(spec, spec.programs.values(), side, None)
    code, why = done[spec.programs["two"]]
    assert decode(code, "<")[0] == Insn(BPF_JMP | 0x80, imm=195896080)
    assert {insn: str(reason) for insn, reason in why.items()} == {
        0: "unresolved CO-RE relocation byte_off: struct s::b (0:1 @ offset 4): struct s does not"
        " exist on this kernel"
    }


TWO = "function 'two' of section 'tc', instruction"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (("tc", 4, "0:1", OFFSET), "offset 0x4 of section 'tc', .* not that of an instruction"),
        (("tc", 16, "0:9", OFFSET), f"^{TWO} 0: .*'0:9': struct s has 2 memb"),
        (("tc", 16, "0:1", 13), f"^{TWO} 0: .*relocation kind 13 is unknown"),
        (("tc", 24, "0:1", OFFSET), f"^{TWO} 1: opcode 0x95"),
        (("tc", 16, "0:0", OFFSET), f"^{TWO} 0 holds 4, .* says 0"),
    ],
)
def test_bad_records(record: tuple[str, int, str, int], message: str) -> None:
    """A record that is wrong is an error naming function, section and instruction."""
    with pytest.raises(RelocationError, match=message):
        run(build(record), side(*SELF))


# --- BTF files


ONE = "function 'one' of section 'tc', instruction"


def load_by(path: Path) -> None:
    spec = build(("tc", 0, "0:1", OFFSET))
    relocate_core(spec, spec.programs.values(), str(path))


def cyclic() -> list[bytes]:
    """Targets in which finding struct s::b, or its size, does not end."""
    s = FIRST
    blobs: list[list[BtfType]] = [
        [Struct("s", 8, [Member("", s, 0)])],
        [Struct("s", 8, [Member("b", s + 1, 0)]), Typedef("t", s + 1)],
        [Struct("s", 8, [Member("", s + 1, 0)]), Typedef("t", s + 2), Typedef("u", s + 1)],
    ]
    return [side(*types).to_bytes() for types in blobs]


@pytest.mark.parametrize("data", cyclic())
def test_cyclic_btf_file(data: bytes, tmp_path: Path) -> None:
    """A BTF file in which types contain themselves is an error naming function, section, file."""
    path = tmp_path / "cyclic.btf"
    path.write_bytes(data)
    with pytest.raises(BpfError, match=rf"^{ONE} 0: .*\(relocated by .*cyclic\.btf'\)$") as error:
        load_by(path)
    assert isinstance(error.value, (BtfError, RelocationError))


def test_truncated_btf_file(tmp_path: Path) -> None:
    """A BTF file cut anywhere is an error naming function, section, and once the file."""
    path = tmp_path / "cut.btf"
    for size in range(len(MOVED.to_bytes())):
        path.write_bytes(MOVED.to_bytes()[:size])
        with pytest.raises(BtfError, match=rf"^{ONE} 0: read the BTF file '.*cut\.btf': ") as error:
            load_by(path)
        assert str(error.value).count("cut.btf") == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "needs a header"),
        (b"text", "needs a header"),
        (b"\x7fELF", "cannot be read, the file is truncated or damaged"),
        (b"\x7fELF" + bytes(100), "cannot be read, the file is truncated or damaged"),
        (ElfWriter("<").build(), "has no section '.BTF'"),
    ],
)
def test_no_btf_file(data: bytes, message: str, tmp_path: Path) -> None:
    """A file that is no BTF is an error naming it."""
    path = tmp_path / "none.btf"
    path.write_bytes(data)
    with pytest.raises(BtfError, match=rf"none\.btf': .*{message}"):
        load_by(path)


def test_missing_btf_file(tmp_path: Path) -> None:
    """A file that is not there is the system's error naming it."""
    with pytest.raises(SyscallError, match=r"read the BTF file '.*gone' *'?: open: ENOENT"):
        load_by(tmp_path / "gone")


def test_path_with_nul() -> None:
    """A path that no file can have is an error, too."""
    with pytest.raises(BtfError, match="null byte"):
        load_by(Path("a\0b"))


# --- the kernel's BTF


@pytest.fixture
def sysfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in place of /sys/kernel/btf, and nothing cached."""
    monkeypatch.setattr(kernel, "BTF_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(kernel, "VMLINUX_FILES", ())
    monkeypatch.setattr(kernel, "_cache", {})
    monkeypatch.setattr(kernel, "_modules", {})
    monkeypatch.setattr("bpfgen_runtime.host.capabilities.effective", lambda: {"CAP_SYS_ADMIN"})
    return tmp_path


def by_kernel() -> list[Insn]:
    spec = build(("tc", 0, "0:1", OFFSET))
    done = relocate_core(spec, [spec.programs["one"]], None)
    return decode(done[spec.programs["one"]][0], "<")


def test_kernel_without_btf(sysfs: Path) -> None:
    """A kernel without BTF is an error that names the way out."""
    with pytest.raises(NotSupportedError, match=r"CO-RE relocations .* btf_custom_path"):
        by_kernel()


def test_kernel(sysfs: Path) -> None:
    """The kernel's BTF is what relocations go by."""
    (sysfs / "vmlinux").write_bytes(MOVED.to_bytes())
    assert by_kernel() == [move(12), EXIT]


def test_kernel_image(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel does not give its BTF, a kernel image that has it stands in."""
    (sysfs / "damaged").write_bytes(b"\x7fELF")
    elf = ElfWriter("<")
    elf.section(".BTF", MOVED.to_bytes())
    (sysfs / f"image-{os.uname().release}").write_bytes(elf.build())
    places = tuple(f"{sysfs}/{name}" for name in ("gone", "damaged", "image-{0}"))
    monkeypatch.setattr(kernel, "VMLINUX_FILES", places)
    assert by_kernel() == [move(12), EXIT]


def test_module(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A type that the kernel proper lacks is found in a module, with the privilege for that."""
    base = side(Ptr(INT))
    (sysfs / "vmlinux").write_bytes(base.to_bytes())
    types = [Struct("s", 16, [Member("z", LONG, 0), Member("b", INT, 64)])]
    (sysfs / "nf_tables").write_bytes(encode(types, byte_order="<", base=base))
    assert by_kernel() == [move(8), EXIT]
    monkeypatch.setattr("bpfgen_runtime.host.capabilities.effective", frozenset)
    assert by_kernel()[0].imm == 195896080


def test_module_that_vanishes(sysfs: Path) -> None:
    """A module that is unloaded while it is looked at is one that is not there."""
    (sysfs / "vmlinux").write_bytes(side().to_bytes())
    (sysfs / "gone").symlink_to(sysfs / "nowhere")
    assert kernel.every_module_btf() == []
