"""Random C structs: generated classes hold exactly the bytes that compilers lay out."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
from bpfgen_runtime.values import as_ctype
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from bpfgen.generate import generate
from tests.support.cdecl import PRELUDE, Record, construct, declare, expect, initialise, records
from tests.support.modules import load_module
from tests.support.requirements import tool

#: Structs per run of the compilers, which cost more than the structs.
BATCH = 10

#: Runs; more of them for a thorough search.
RUNS = int(os.environ.get("BPFGEN_STRUCT_RUNS", "6"))

BPF = """\
__attribute__((section("tp/syscalls/sys_enter_getpgid"))) int f(void *ctx) { return 0; }
char LICENSE[] __attribute__((section("license"))) = "GPL";
"""

HOST = """\
#include <stdio.h>
int main(void) {{ {} return 0; }}
"""


def source(drawn: list[Record]) -> str:
    text = PRELUDE
    for index, record in enumerate(drawn):
        text += f"{declare(record, f's{index}')};\n"
        word = "union" if record.is_union else "struct"
        text += (
            f'__attribute__((section(".data"))) {word} s{index} v{index} = {initialise(record)};\n'
        )
    return text


def run(*command: object) -> bytes:
    done = subprocess.run([*map(str, command)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def host_bytes(text: str, count: int, place: Path) -> list[bytes]:
    """Give the bytes of the variables as gcc lays them out for this machine."""
    dumps = "".join(
        f'printf("%zu\\n", sizeof v{i}); for (unsigned i = 0; i < sizeof v{i}; i++)'
        f' printf("%02x", ((unsigned char *)&v{i})[i]); puts("");'
        for i in range(count)
    )
    path = place / "host.c"
    path.write_text(text + HOST.format(dumps))
    run(tool("gcc"), "-w", path, "-o", place / "host")
    lines = run(place / "host").decode().split("\n")
    return [bytes.fromhex(lines[2 * i + 1]) for i in range(count)]


def bpf_module(text: str, target: str, place: Path) -> ModuleType:
    path = place / f"{target}.bpf.c"
    path.write_text(text + BPF)
    run(
        tool("clang"),
        "-w",
        "-g",
        "-O1",
        "-target",
        target,
        "-c",
        path,
        "-o",
        path.with_suffix(".o"),
    )
    module = place / f"{target}_skel.py"
    module.write_text(generate(path.with_suffix(".o").read_bytes(), file_name=f"{target}.bpf.o"))
    return load_module(module)


@pytest.mark.needs("clang", "gcc")
@settings(
    max_examples=RUNS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.lists(records(), min_size=BATCH, max_size=BATCH))
def test_any_struct(drawn: list[Record]) -> None:
    """Bytes of a compiler decode to the values in its source, and those encode to its bytes.

    For both byte orders as clang lays them out for BPF, and for this machine as gcc does.
    """
    text = source(drawn)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        native = host_bytes(text, len(drawn), place)
        for target in ("bpfel", "bpfeb"):
            module = bpf_module(text, target, place)
            opened = getattr(module, target.capitalize()).open()
            for index, record in enumerate(drawn):
                variable = opened.spec.variables[f"v{index}"]
                contents = opened.spec.maps[".data"].contents
                raw = bytes(contents[variable.offset : variable.offset + variable.size])
                if target == "bpfel":
                    assert raw == native[index]
                if not raw:
                    continue
                note(declare(record, f"s{index}") + initialise(record))
                value = getattr(opened.data, f"v{index}")
                cls = type(value)
                assert (as_ctype(cls).size, cls.SIZE) == (len(raw), len(raw))
                expect(value, record)
                assert value.to_bytes() == raw
                made = construct(cls, record)
                assert made.to_bytes() == raw
                assert made == value
            opened.destroy()
