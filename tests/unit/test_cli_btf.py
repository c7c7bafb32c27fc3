"""`bpfgen btf dump` and `bpfgen vmlinux`: what they write, and what they say where they cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Btf, BtfBuilder, Int, Member, Ptr, Struct, dump_c, encode
from bpfgen_runtime.btf.file import read_btf
from bpfgen_runtime.btf.listing import dump_raw
from bpfgen_runtime.loader import load_spec
from click.testing import CliRunner, Result

from bpfgen import btfsource
from bpfgen.cli import main
from tests.support.clang import compile_source

OBJECT = Path(__file__).resolve().parents[2] / "examples" / "execsnoop" / "execsnoop.bpf.o"
TYPES = [
    Int("int", 4, 1),
    Struct("node", 16, [Member("next", 3, 0), Member("value", 1, 64)]),
    Ptr(2),
]

PROGRAM = """\
#include "vmlinux.h"

__attribute__((section("raw_tp/sched_switch"), used)) int first(struct list_head *head)
{
    return head->next == head->prev;
}
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)


def assert_refused(result: Result, line: str) -> None:
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"bpfgen: {line}\n")


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    """A file of raw BTF."""
    path = tmp_path / "node.btf"
    path.write_bytes(encode(TYPES))
    return path


def test_c(blob: Path) -> None:
    """C is what is written by default: each definition with what it needs."""
    result = run("btf", "dump", blob)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "".join(dump_c(read_btf(blob)))
    assert "struct node {\n\tstruct node *next;\n\tint value;\n" in result.stdout


def test_raw(blob: Path) -> None:
    """The list of types by id, members under their struct."""
    result = run("btf", "dump", blob, "--format", "raw")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED",
        "[2] STRUCT 'node' size=16 vlen=2",
        "\t'next' type_id=3 bits_offset=0",
        "\t'value' type_id=1 bits_offset=64",
        "[3] PTR '(anon)' type_id=2",
    ]


def test_json(blob: Path) -> None:
    """One object with the types in a list, under the keys of the raw form."""
    result = run("btf", "dump", blob, "--format", "json")
    types = json.loads(result.stdout)["types"]
    assert [(t["id"], t["kind"], t["name"]) for t in types] == [
        (1, "INT", "int"),
        (2, "STRUCT", "node"),
        (3, "PTR", "(anon)"),
    ]
    assert [(m["name"], m["type_id"], m["bits_offset"]) for m in types[1]["members"]] == [
        ("next", 3, 0),
        ("value", 1, 64),
    ]


def test_an_empty_btf_is_an_empty_list(tmp_path: Path) -> None:
    """JSON without types is JSON too."""
    path = tmp_path / "empty.btf"
    path.write_bytes(encode([]))
    assert json.loads(run("btf", "dump", path, "--format", "json").stdout) == {"types": []}


def test_an_object() -> None:
    """An ELF file's section .BTF is read, and is listed as the library lists it."""
    result = run("btf", "dump", OBJECT, "--format", "raw")
    assert result.exit_code == 0
    assert result.stdout == "".join(dump_raw(read_btf(OBJECT)))
    assert "FUNC" in result.stdout


def test_standard_input(blob: Path) -> None:
    """`-` is read like a file: raw BTF, or an object; what is wrong with it is one line."""
    for path in (blob, OBJECT):
        command = ["btf", "dump", "-", "--format", "raw"]
        result = CliRunner().invoke(main, command, input=path.read_bytes())
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == "".join(dump_raw(read_btf(path)))
    piped = CliRunner().invoke(main, ["vmlinux", "--btf", "-"], input=blob.read_bytes())
    assert "struct node {" in piped.stdout
    split = BtfBuilder(Btf.parse(blob.read_bytes()))
    split.add(Ptr(1))
    command = ["btf", "dump", "-", "--base", str(blob), "--format", "raw"]
    result = CliRunner().invoke(main, command, input=split.to_bytes())
    assert result.stdout == "[4] PTR '(anon)' type_id=1\n"
    result = CliRunner().invoke(main, ["btf", "dump", "-"], input=b"no BTF at all, but text")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("bpfgen: -: ")
    assert result.stderr.count("\n") == 1


def test_roots(tmp_path: Path) -> None:
    """Only what is named: in C with what it needs, in the lists alone; `struct` may go before."""
    path = tmp_path / "two.btf"
    path.write_bytes(encode([*TYPES, Struct("other", 4, [Member("a", 1, 0)])]))
    text = run("btf", "dump", path, "--root", "struct node").stdout
    assert "struct node {" in text
    assert "other" not in text
    listed = run("btf", "dump", path, "--format", "raw", "--root", "other", "--root", "int").stdout
    assert [line[:3] for line in listed.splitlines() if line[0] == "["] == ["[1]", "[4]"]


def test_base(blob: Path, tmp_path: Path) -> None:
    """With its base a split BTF is complete; its own types are what is listed."""
    builder = BtfBuilder(Btf.parse(blob.read_bytes()))
    builder.add(Struct("user", 16, [Member("node", 2, 0)]))
    split = tmp_path / "split.btf"
    split.write_bytes(builder.build().to_bytes())
    listed = run("btf", "dump", split, "--base", blob, "--format", "raw")
    assert listed.stdout == ("[4] STRUCT 'user' size=16 vlen=1\n\t'node' type_id=2 bits_offset=0\n")
    text = run("btf", "dump", split, "--base", blob).stdout
    assert text.index("struct node {") < text.index("struct user {")


def test_module(blob: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module's BTF continues the kernel's; `-` in its name counts as `_`."""
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    (kernel / "vmlinux").write_bytes(blob.read_bytes())
    builder = BtfBuilder(Btf.parse(blob.read_bytes()))
    builder.add(Struct("user", 16, [Member("node", 2, 0)]))
    (kernel / "a_module").write_bytes(builder.build().to_bytes())
    monkeypatch.setattr(btfsource, "_KERNEL", kernel)
    monkeypatch.chdir(tmp_path)
    listed = run("btf", "dump", "a-module", "--format", "raw")
    assert listed.stdout == "[4] STRUCT 'user' size=16 vlen=1\n\t'node' type_id=2 bits_offset=0\n"
    assert "struct user {\n\tstruct node node;\n" in run("btf", "dump", "a_module").stdout


def test_wrong_input(blob: Path, tmp_path: Path) -> None:
    """One line names the input and what is wrong with it; status 1."""
    name = "no_such_module"
    line = f"{name}: neither a file nor a loaded kernel module that has BTF"
    assert_refused(run("btf", "dump", name), line)
    assert_refused(run("vmlinux", "--btf", name), line)
    missing = tmp_path / "missing.btf"
    why = f"read the BTF file '{missing}': open: ENOENT (No such file or directory)"
    assert_refused(run("btf", "dump", missing), f"{missing}: {why}")
    text = tmp_path / "text"
    text.write_text("no BTF at all, but long enough for a header")
    for result in (run("btf", "dump", text), run("btf", "dump", blob, "--base", text)):
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1
        assert "no BTF: magic is" in result.stderr
    assert_refused(run("btf", "dump", blob, "--root", "edge"), f"{blob}: there is no type 'edge'")
    assert_refused(run("vmlinux", "--btf", blob, "--root", ""), f"{blob}: there is no type ''")


def test_wrong_usage(blob: Path) -> None:
    """A format that does not exist is status 2."""
    result = run("btf", "dump", blob, "--format", "rust")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'rust' is not one of" in result.stderr


def test_closed_pipe(tmp_path: Path) -> None:
    """A reader that has enough ends the command, without a traceback."""
    path = tmp_path / "many.btf"
    path.write_bytes(encode([Int(f"number_{i}", 4, 1) for i in range(20000)]))
    command = [sys.executable, "-m", "bpfgen", "btf", "dump", str(path), "--format", "raw"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"[1] INT 'number_0'")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) != 0


def test_a_part_of_vmlinux(blob: Path) -> None:
    """Of any BTF, within the same frame, only what is named and needed."""
    text = run("vmlinux", "--btf", blob, "--root", "int").stdout
    assert text.startswith("#ifndef __VMLINUX_H__\n")
    assert "struct" not in text.replace("preserve_access_index", "")
    assert "struct node {" in run("vmlinux", "--btf", blob, "--root", "node").stdout


@pytest.mark.needs("btf", "clang", "libbpf-dev", "linux-headers")
def test_vmlinux_compiles(tmp_path: Path) -> None:
    """A program that includes the header compiles, and its accesses are CO-RE relocations."""
    result = run("vmlinux")
    assert (result.exit_code, result.stderr) == (0, "")
    (tmp_path / "vmlinux.h").write_text(result.stdout)
    source = tmp_path / "first.bpf.c"
    source.write_text(PROGRAM)
    spec = load_spec(compile_source(source))
    assert spec.btf_ext is not None
    relocations = spec.btf_ext.core_relos
    assert [len(list(relocations.records(section))) for section in relocations] == [2]
