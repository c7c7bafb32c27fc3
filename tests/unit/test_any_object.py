"""Any object: its module passes mypy --strict, or one line says why the object is none for BPF."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bpfgen_runtime.elf.reader import read_elf

from tests.golden.regenerate import CASES
from tests.support.checkers import mypy_errors
from tests.support.clang import SOURCES
from tests.unit.test_cli import run

#: Sources whose objects are wrong, so that libbpf refuses to open them too.
REFUSED = {
    "maps_arena_none": "__arena variables need an arena",
    "maps_ops_wrong": "is no program of SEC",
    "maps_wrong_key": "has keys of 4 bytes, not 8",
    "maps_wrong_slot": "is no entry program",
}

#: Sources that are compiled for the other byte order as well.
BIG_ENDIAN = ("elf_sample", "btf_kinds", "maps_typed", "maps_nested")

MUTATIONS_PER_CASE = 2


def skeletons(objects: list[Path], out: Path) -> dict[str, str]:
    """Generate all modules in one call; give what is said of those that are refused."""
    out.mkdir()
    result = run("skeleton", *objects, "-o", out)
    assert "Traceback" not in result.stderr
    refused = {}
    *lines, last = result.stderr.splitlines() or [""]
    for line in lines:
        start, path, reason = line.split(": ", 2)
        assert start == "bpfgen"
        refused[Path(path).name.removesuffix(".bpf.o")] = reason
    assert result.exit_code == (1 if refused else 0)
    made = len(objects) - len(refused)
    assert last == (f"bpfgen: {made} other modules are written" if refused else "")
    assert len(list(out.glob("*_skel.py"))) == made
    return refused


@pytest.mark.needs("clang", "libbpf-dev", "linux-headers")
def test_every_source(compile_bpf: Callable[..., Path], tmp_path: Path) -> None:
    """Each source of tests/bpf and each golden case: a module that passes, but for wrong ones."""
    names = sorted(path.name.removesuffix(".bpf.c") for path in SOURCES.glob("*.bpf.c"))
    objects = {name: compile_bpf(name) for name in names}
    objects |= {case.name: case.object for case in CASES}
    for name in BIG_ENDIAN:
        twin = tmp_path / f"{name}_big.bpf.o"
        twin.write_bytes(compile_bpf(name, "-target", "bpfeb").read_bytes())
        objects[twin.name] = twin
    assert len(objects) > 100
    refused = skeletons(list(objects.values()), tmp_path / "out")
    assert refused.keys() == REFUSED.keys()
    for name, reason in REFUSED.items():
        assert reason in refused[name]
    modules = sorted((tmp_path / "out").glob("*.py"))
    assert mypy_errors(modules, cwd=tmp_path / "out") == []


#: Names that have a meaning to BPF, in definitions of maps.
MEANT = (
    *("type", "key", "value", "key_size", "value_size", "max_entries", "map_flags", "map_extra"),
    *("numa_node", "pinning", "values", "license", "kern_version"),
)


def with_odd_names(data: bytes, seed: int) -> bytes:
    """Have characters that C has none of in names of types, fields, enumerators, parameters.

    Names that symbols, sections and definitions of maps go by stay.
    """
    image = read_elf(data, name="x")
    section = image.section(".BTF")
    assert section is not None
    btf = section.data
    order = "<" if data[5] == 1 else ">"
    header_size, _, _, strings, size = struct.unpack_from(f"{order}5I", btf, 4)
    first = header_size + strings
    kept = {*MEANT} | {each.name for each in (*image.symbols, *image.sections)}
    dice = random.Random(seed)
    names = []
    for name in btf[first : first + size].split(b"\0"):
        text = name.decode()
        # "0:1" is of CO-RE, "bpfgen:event=x" a tag.
        if text and text not in kept and ":" not in text and dice.random() < 0.3:
            odd = dice.choice(b"-. \"'\\{}0_\n\x7f\xc3\xff#%")
            place = dice.randrange(len(name))
            name = name[:place] + bytes([odd]) + name[place + 1 :]
        names.append(name)
    changed = btf[:first] + b"\0".join(names) + btf[first + size :]
    assert len(changed) == len(btf)
    return data.replace(btf, changed)


def test_odd_names(tmp_path: Path) -> None:
    """Whatever bytes the names in an object are made of, the module passes, or there is none."""
    objects = []
    for case in CASES:
        for seed in range(MUTATIONS_PER_CASE):
            path = tmp_path / f"{case.name}_{seed}.bpf.o"
            path.write_bytes(with_odd_names(case.object.read_bytes(), seed))
            objects.append(path)
    refused = skeletons(objects, tmp_path / "out")
    modules = sorted((tmp_path / "out").glob("*.py"))
    assert len(modules) > 8 * len(refused), refused
    assert mypy_errors(modules, cwd=tmp_path / "out") == []
    for module in modules:
        done = compile(module.read_text(), module.name, "exec")
        assert done is not None
    command = [sys.executable, "-c", "import sys\nfor name in sys.argv[1:]: __import__(name)"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "out")}
    subprocess.run([*command, *(module.stem for module in modules)], env=environment, check=True)
