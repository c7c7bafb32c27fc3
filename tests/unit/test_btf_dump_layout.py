"""BTF as C: that compilers lay it out as the BTF says."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from bpfgen_runtime.btf import (
    Btf,
    BtfType,
    Const,
    Int,
    Member,
    Ptr,
    Struct,
    Typedef,
    encode,
    kernel_btf,
)
from bpfgen_runtime.btf.dump import dump_c, vmlinux_h
from bpfgen_runtime.btf.file import read_btf

from tests.support.clang import SOURCES, compile_bpf
from tests.support.clayout import Layout, behind
from tests.support.requirements import tool

INT, CHAR, LONG = Int("int", 4, 1), Int("char", 1, 1), Int("long", 8, 1)
COMPILERS = {
    "clang": ("clang",),
    "clang for BPF": ("clang", "-target", "bpf"),
    "clang for arm64": ("clang", "-target", "aarch64"),
    "gcc": ("gcc",),
}


def compile_c(path: Path, *command: str) -> None:
    done = subprocess.run([*command, "-w", "-fsyntax-only", str(path)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[:2000]


def compile_with(compiler: str, path: Path) -> None:
    command = COMPILERS[compiler]
    compile_c(path, tool(command[0]), *command[1:])


@pytest.fixture(scope="module")
def kernel_header(tmp_path_factory: pytest.TempPathFactory) -> Path:
    btf = kernel_btf()
    source = tmp_path_factory.mktemp("kernel") / "vmlinux.c"
    layout = Layout(btf)
    with open(source, "w") as file:
        file.writelines(vmlinux_h(btf))
        lines = [*layout.checks()]
        assert len(lines) > 60_000
        assert len(layout.seen) > 1_500  # the others are of variables alone
        file.write("\n".join(lines) + "\n")
    return source


@pytest.mark.needs("btf", "clang")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_kernels_structs_are_laid_out_as_they_are(compiler: str, kernel_header: Path) -> None:
    """vmlinux.h compiles, and every struct's size and members' places are those in the BTF."""
    compile_with(compiler, kernel_header)


@pytest.mark.needs("btf", "clang")
def test_the_kernels_bitfields_are_where_they_are(tmp_path: Path) -> None:
    """Compiled for BPF again, structs with bitfields have the members and places that they had."""
    btf = kernel_btf()
    tags = Layout(btf).tags
    every = {i: fields(btf, i) for i in tags}
    every = {i: found for i, found in every.items() if any(width for _, _, width in found)}
    assert len(every) > 200
    source = tmp_path / "bits.c"
    variables = "".join(f"{tags[i]} v{i};\n" for i in every)
    source.write_text("".join(dump_c(btf)) + variables)
    target = tmp_path / "bits.o"
    command = [tool("clang"), "-target", "bpf", "-w", "-g", "-c", str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    again = read_btf(target)
    for type_id, before in every.items():
        (after,) = again.find(tags[type_id].split()[1], btf.kind(type_id))
        assert again.size_of(after) == btf.size_of(type_id)
        assert fields(again, after) == before


def fields(btf: Btf, type_id: int, start: int = 0) -> list[tuple[str, int, int]]:
    """Give each member's name, place and width if it is a bitfield, those of nameless ones' too."""
    t = btf.type(type_id)
    assert isinstance(t, Struct)
    found = []
    for member in t.members:
        place = start + member.bit_offset
        found.append((member.name, place, member.bitfield_size))
        inner = behind(btf, member.type)
        one = btf.type(inner)
        if isinstance(one, Struct) and (not member.name or not one.name):
            found += fields(btf, inner, place)
    return found


def random_struct(rng: random.Random, number: int, inner: list[tuple[int, int]]) -> Struct:
    """Build a struct with gaps, bitfields, members off their alignment, and room at its end."""
    members, at = [], 0
    packed = rng.random() < 0.3
    for index in range(rng.randrange(1, 8)):
        type_id, size = rng.choice(inner)
        if type_id <= 4 and rng.random() < 0.5:
            width = rng.randrange(1, 8 * size + 1)
            at += rng.choice((0, 0, 0, 3, 17, 70))
            if not packed and at % (8 * size) + width > 8 * size:
                at += -at % (8 * size)
            members.append(Member(f"m{number}_{index}", type_id, at, width))
            at += width
        else:
            at += rng.choice((0, 0, 8, 24, 80))
            at += -at % (8 if packed else 64)
            members.append(Member(f"m{number}_{index}", type_id, at))
            at += 8 * size
    size = -(-at // 8) + rng.choice((0, 0, 1, 4, 24))
    size += 0 if packed else -size % 8
    return Struct(f"s{number}", size, members, kind_flag=True)


def random_types(seed: int, structs: int) -> list[BtfType]:
    """Build structs, and structs of such, by name and by -fms-extensions."""
    rng = random.Random(seed)
    types: list[BtfType] = [CHAR, Int("short", 2, 1), INT, LONG, Ptr(1)]
    inner = [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8)]
    embedded: dict[int, int] = {}
    for number in range(structs):
        made = random_struct(rng, number, inner)
        if embedded and rng.random() < 0.3:
            made = with_nameless(rng, types, made, embedded)
        types.append(made)
        if rng.random() < 0.3 and made.size < 2000:
            inner.append((len(types), made.size))
            embedded[len(types)] = made.size
    return types


def with_nameless(
    rng: random.Random, types: list[BtfType], made: Struct, embedded: dict[int, int]
) -> Struct:
    """Put a member without name before or behind the others, a struct that has a name."""
    type_id = rng.choice(list(embedded))
    size = embedded.pop(type_id)  # once, for the names of its members
    how = rng.random()
    if how < 0.3:
        types.append(Const(type_id))
    elif how < 0.6:
        types.append(Typedef(f"t{len(types)}", type_id))
    if how < 0.6:
        type_id = len(types)
    if rng.random() < 0.5:
        members = [*made.members, Member("", type_id, 8 * made.size)]
    else:
        others = [
            Member(m.name, m.type, m.bit_offset + 8 * size, m.bitfield_size) for m in made.members
        ]
        members = [Member("", type_id, 0), *others]
    return Struct(made.name, made.size + size, members, kind_flag=True)


@pytest.mark.needs("clang")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_random_structs_are_laid_out_as_they_are(compiler: str, tmp_path: Path) -> None:
    """Structs with gaps and bitfields anywhere, packed or not, and structs of such."""
    btf = Btf.parse(encode(random_types(3, 400)))
    source = tmp_path / "random.c"
    source.write_text("".join(dump_c(btf)) + "\n".join(Layout(btf).checks()))
    compile_with(compiler, source)


@pytest.mark.needs("clang")
def test_types_of_objects_compile(tmp_path: Path) -> None:
    """The C of compiled objects compiles again, to the same layout."""
    for name in sorted(path.name.split(".")[0] for path in SOURCES.glob("[bcklmv]*.bpf.c"))[::3]:
        if name.startswith("bad_"):
            continue
        btf = read_btf(compile_bpf(name))
        source = tmp_path / f"{name}.c"
        source.write_text("".join(dump_c(btf)) + "\n".join(Layout(btf).checks()))
        compile_c(source, tool("clang"), "-target", "bpf")
