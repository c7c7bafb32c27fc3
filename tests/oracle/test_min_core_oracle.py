"""The smallest BTF for CO-RE relocations: ours, bpftool's, and what libbpf makes of it."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Btf, BtfExt, Enum, Struct
from bpfgen_runtime.btf.file import read_btf
from bpfgen_runtime.core.mincore import min_core_btf
from bpfgen_runtime.core.resolve import Resolver
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import RelocationError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.uapi.const import BPF_CORE_TYPE_ID_TARGET
from click.testing import CliRunner

from bpfgen.cli import main
from tests.oracle.test_core_oracle import relocated, theirs_relocated
from tests.support.clang import SOURCES, compile_bpf, compile_source
from tests.support.libbpf import LibbpfObject
from tests.support.requirements import tool

KERNEL = Path("/sys/kernel/btf/vmlinux")
NAMES = sorted(path.name.split(".")[0] for path in SOURCES.glob("core_*.bpf.c"))

pytestmark = [pytest.mark.needs("btf", "clang")]


@pytest.fixture(scope="module")
def kernel() -> Btf:
    return read_btf(KERNEL)


def parts(path: Path) -> tuple[Btf, BtfExt]:
    image = read_elf(path.read_bytes(), name=path.name)
    types, ext = image.section(".BTF"), image.section(".BTF.ext")
    assert types is not None
    assert ext is not None
    btf = Btf.parse(types.data)
    return btf, BtfExt.parse(ext.data, btf)


def outcomes(local: Btf, ext: BtfExt, target: Btf) -> list[object]:
    """Resolve every relocation: its value, or why there is none."""
    resolver = Resolver(local, target)
    found: list[object] = []
    for section in ext.core_relos:
        for relo in ext.core_relos.records(section):
            path = local.string(relo.access_str_off)
            try:
                result = resolver.resolve(relo.type_id, path, relo.kind)
            except RelocationError as error:
                found.append(str(error))
                continue
            value = 0 if relo.kind == BPF_CORE_TYPE_ID_TARGET else result.value
            found.append((result.poison, value))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_relocation_comes_out_the_same(name: str, kernel: Btf, tmp_path: Path) -> None:
    """By the smallest BTF each relocation resolves as by the kernel's, ours and bpftool's alike."""
    path = compile_bpf(name)
    local, ext = parts(path)
    smallest = min_core_btf(kernel, [(local, ext)])
    smallest.validate()
    expected = outcomes(local, ext, kernel)
    assert outcomes(local, ext, smallest) == expected
    assert len(smallest.to_bytes()) < len(kernel.to_bytes()) / 100
    assert min_core_btf(smallest, [(local, ext)]).to_bytes() == smallest.to_bytes()

    theirs = tmp_path / "theirs.btf"
    command = [tool("bpftool"), "gen", "min_core_btf", str(KERNEL), str(theirs), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    assert outcomes(local, ext, read_btf(theirs)) == expected
    # bpftool does not deduplicate, but neither does it keep more than we do.
    assert len(smallest) <= len(read_btf(theirs))


@pytest.mark.live
@pytest.mark.needs("libbpf")
@pytest.mark.parametrize(
    "name", ["core_direct", "core_bitfields", "core_enums", "core_field_size", "core_subprogs"]
)
def test_libbpf_relocates_by_it(name: str, kernel: Btf, tmp_path: Path) -> None:
    """With the smallest BTF for the kernel's, libbpf's instructions are the same, and ours."""
    path = compile_bpf(name)
    custom = tmp_path / "min.btf"
    custom.write_bytes(min_core_btf(kernel, [parts(path)]).to_bytes())
    with LibbpfObject(path) as whole, LibbpfObject(path, custom) as small:
        for one in (whole, small):
            with suppress(OSError):  # a program that the kernel refuses is relocated all the same
                one.load()
        assert theirs_relocated(small) == theirs_relocated(whole)
        assert relocated(load_spec(str(path)), custom) == theirs_relocated(whole)


def test_several_objects(kernel: Btf) -> None:
    """One BTF serves all the objects that it was made for; of structs it has what is asked for."""
    every = [parts(compile_bpf(name)) for name in ("core_direct", "core_enums", "core_optional")]
    smallest = min_core_btf(kernel, every)
    for local, ext in every:
        assert outcomes(local, ext, smallest) == outcomes(local, ext, kernel)
    (task,) = smallest.find("task_struct")
    t = smallest.type(task)
    assert isinstance(t, Struct)
    assert 2 < len(t.members) < 20
    assert all(one.values for _, one in smallest.types() if isinstance(one, Enum))


def test_command(tmp_path: Path, kernel: Btf) -> None:
    """`bpfgen min-core-btf SRC DST OBJ...` writes it; a bad input is one line and no file."""
    path = compile_bpf("core_direct")
    target = tmp_path / "min.btf"
    result = CliRunner().invoke(main, ["min-core-btf", str(KERNEL), str(target), str(path)])
    assert result.exit_code == 0, result.output
    assert target.read_bytes() == min_core_btf(kernel, [parts(path)]).to_bytes()
    missing = tmp_path / "missing.btf"
    other = tmp_path / "other.btf"
    result = CliRunner().invoke(main, ["min-core-btf", str(missing), str(other), str(path)])
    assert result.exit_code == 1
    assert "missing.btf" in result.output
    assert not other.exists()


UNLINKED = """
#define SEC(name) __attribute__((section(name)))
struct task_struct { int pid; } __attribute__((preserve_access_index));
extern struct { int (*type)[1]; int (*max_entries)[8]; } elsewhere SEC(".maps");
extern int outside;
static void *(*look)(void *, const void *) = (void *)1;
SEC("raw_tp/x") int first(struct task_struct *task)
{
    int key = task->pid + outside;
    return look(&elsewhere, &key) != 0;
}
"""


def smallest_of(tmp_path: Path, *objects: Path) -> tuple[int, str, bytes, int]:
    """Run our command and bpftool's: our status, message and file, and its status."""
    ours, theirs = tmp_path / "ours.btf", tmp_path / "theirs.btf"
    for path in (ours, theirs):
        path.unlink(missing_ok=True)
    result = CliRunner().invoke(main, ["min-core-btf", str(KERNEL), str(ours), *map(str, objects)])
    command = [tool("bpftool"), "gen", "min_core_btf", str(KERNEL), str(theirs), *map(str, objects)]
    done = subprocess.run(command, capture_output=True)
    data = ours.read_bytes() if ours.exists() else b""
    return result.exit_code, result.stderr, data, done.returncode


@pytest.mark.needs("bpftool")
def test_a_part_that_is_not_linked_yet(tmp_path: Path, kernel: Btf) -> None:
    """Of an object only the types are read: externs that are nowhere are no obstacle."""
    source = tmp_path / "part.bpf.c"
    source.write_text(UNLINKED)
    path = compile_source(source)
    status, message, data, theirs = smallest_of(tmp_path, path)
    assert (status, message, theirs) == (0, "", 0)
    (task,) = Btf.parse(data).find("task_struct", Struct.kind)
    assert data == min_core_btf(kernel, [parts(path)]).to_bytes()
    assert task


@pytest.mark.needs("bpftool")
def test_objects_that_need_none(tmp_path: Path) -> None:
    """Without BTF, or without a relocation in any object: one line, and no file."""
    source = tmp_path / "plain.bpf.c"
    source.write_text("int number = 1;")
    typed = compile_source(source)
    bare = tmp_path / "bare.o"
    command = [tool("clang"), "-O2", "-target", "bpf", "-c", str(source), "-o", str(bare)]
    subprocess.run(command, check=True)
    status, message, data, theirs = smallest_of(tmp_path, bare)
    assert (status, data) == (1, b"")
    assert message == f"bpfgen: {bare}: no BTF, and so no CO-RE relocations: compile it with -g\n"
    assert theirs != 0
    status, message, data, theirs = smallest_of(tmp_path, typed, typed)
    assert (status, data) == (1, b"")
    assert message.startswith(f"bpfgen: {typed}, {typed}: no CO-RE relocations, ")
    assert theirs != 0
    status, message, data, _ = smallest_of(tmp_path, compile_bpf("core_direct"), typed)
    assert (status, message) == (0, "")
    assert len(Btf.parse(data)) > 1
