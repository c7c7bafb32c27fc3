"""The command: what it writes, and that bad input is one line on stderr, status 1, and no file."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import bpfgen
from bpfgen.cli import main
from tests.golden.regenerate import Case
from tests.support.elfwriter import ElfWriter

GOOD = Case("maps")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)


def assert_refused(result: Result, path: Path | str, *reasons: str) -> None:
    """Check for one line on stderr that names the file and the reason, and status 1."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith(f"bpfgen: {path}: ")
    assert result.stderr.count("\n") == 1
    for reason in reasons:
        assert reason in result.stderr
    assert "Traceback" not in result.stderr


def good() -> bytes:
    return GOOD.object.read_bytes()


def without_btf() -> bytes:
    """An XDP program and nothing else."""
    elf = ElfWriter()
    text = elf.code("xdp", bytes.fromhex("b700000002000000 9500000000000000"))
    elf.symbol("drop", text, size=16, type=2)
    return elf.build()


def damaged_btf(change: Callable[[bytes], bytes]) -> bytes:
    """A program, and the good object's BTF with a change."""
    from bpfgen.generate import read_object

    section = read_object(good(), "maps").image.section(".BTF")
    assert section is not None
    elf = ElfWriter()
    text = elf.code("xdp", bytes.fromhex("b700000002000000 9500000000000000"))
    elf.symbol("drop", text, size=16, type=2)
    elf.section(".BTF", change(section.data))
    return elf.build()


def nothing_in_it() -> bytes:
    elf = ElfWriter()
    elf.section("license", b"GPL\0")
    return elf.build()


def foreign() -> bytes:
    """The interpreter itself: ELF, but for this machine."""
    return Path(sys.executable).resolve().read_bytes()[:65536]


BAD = {
    "empty": (lambda: b"", "empty"),
    "one byte": (lambda: b"\x7f", "not an ELF"),
    "magic only": (lambda: b"\x7fELF", ""),
    "half a header": (lambda: good()[:40], ""),
    "header only": (lambda: good()[:64], ""),
    "truncated": (lambda: good()[: len(good()) // 2], ""),
    "last byte gone": (lambda: good()[:-1], ""),
    "text": (lambda: b"hello, world\n" * 10, "text"),
    "C source": (GOOD.source.read_bytes, "C source"),
    "zeros": (lambda: bytes(4096), "not an ELF"),
    "another machine": (foreign, "BPF"),
    "wrong-endian": (lambda: good()[:5] + b"\2" + good()[6:], ""),
    "no BTF": (without_btf, "clang -g"),
    "BTF cut": (lambda: damaged_btf(lambda data: data[:-10]), ".BTF"),
    "BTF magic": (lambda: damaged_btf(lambda data: b"\0\0" + data[2:]), ".BTF"),
    "BTF types": (lambda: damaged_btf(lambda data: data[:24] + b"\xff" * 40 + data[64:]), ".BTF"),
    "BTF empty": (lambda: damaged_btf(lambda data: b""), ".BTF"),
    "no programs": (nothing_in_it, "no programs"),
}


@pytest.mark.parametrize("command", ["skeleton", "inspect"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_objects(kind: str, command: str, tmp_path: Path) -> None:
    """A bad object is refused in one line, and nothing is written."""
    make, reason = BAD[kind]
    path = tmp_path / "bad.bpf.o"
    path.write_bytes(make())
    result = run(command, path)
    if command == "inspect" and kind in ("no BTF", "no programs"):
        assert result.exit_code == 0  # there is something to tell
    else:
        assert_refused(result, path, reason)
    assert os.listdir(tmp_path) == ["bad.bpf.o"]


@pytest.mark.parametrize("command", ["skeleton", "inspect"])
def test_missing_file_and_directory(command: str, tmp_path: Path) -> None:
    """A file that is not there, or is a directory, is refused in one line."""
    assert_refused(run(command, tmp_path / "none.o"), tmp_path / "none.o", "No such file")
    assert_refused(run(command, tmp_path), tmp_path, "Is a directory")
    assert_refused(run(command, tmp_path / "a\nb.o"), f"{tmp_path}/a\\nb.o", "No such file")


def test_every_truncation(tmp_path: Path) -> None:
    """However short a good object is cut, it is refused without a traceback."""
    path = tmp_path / "cut.bpf.o"
    data = good()
    for size in [*range(0, 200, 7), *range(200, len(data), 211)]:
        path.write_bytes(data[:size])
        assert_refused(run("skeleton", path), path)
    assert os.listdir(tmp_path) == ["cut.bpf.o"]


def test_every_byte_damaged(tmp_path: Path) -> None:
    """Whatever byte of an object is damaged: a module, or one line on stderr."""
    path, out = tmp_path / "damaged.bpf.o", tmp_path / "out.py"
    data = good()
    for place in range(3, len(data), 97):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        result = run("skeleton", path, "-o", out)
        if result.exit_code == 0:
            compile(out.read_text(), "out.py", "exec")
        else:
            assert_refused(result, path)


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """A directory with the good object in it."""
    shutil.copy(GOOD.object, tmp_path)
    return tmp_path


def test_default_output(objects: Path) -> None:
    """The module is written beside the object, named by it; a second run leaves it alone."""
    assert run("skeleton", objects / "maps.bpf.o").exit_code == 0
    module = objects / "maps_skel.py"
    assert module.read_text() == GOOD.module.read_text()
    before = module.stat()
    assert run("skeleton", objects / "maps.bpf.o").output == ""
    assert module.stat().st_mtime_ns == before.st_mtime_ns
    assert module.stat().st_ino == before.st_ino
    assert sorted(os.listdir(objects)) == ["maps.bpf.o", "maps_skel.py"]


def test_output_to_stdout(objects: Path) -> None:
    """`-o -` prints the module and writes no file."""
    result = run("skeleton", objects / "maps.bpf.o", "-o", "-")
    assert result.stdout == GOOD.module.read_text()
    assert os.listdir(objects) == ["maps.bpf.o"]


def test_name_option(objects: Path) -> None:
    """`--name` names the classes, and stands in the command that makes the module again."""
    text = run("skeleton", objects / "maps.bpf.o", "--name", "my_maps", "-o", "-").stdout
    assert "class MyMaps(Skeleton):" in text
    assert "    bpfgen skeleton maps.bpf.o --name my_maps\n" in text


def test_new_file_obeys_umask(objects: Path) -> None:
    """A new module has the permissions of any new file."""
    old = os.umask(0o027)
    try:
        run("skeleton", objects / "maps.bpf.o")
    finally:
        os.umask(old)
    assert stat.S_IMODE((objects / "maps_skel.py").stat().st_mode) == 0o640


def test_replaced_file_keeps_mode_and_link(objects: Path) -> None:
    """A module that is there keeps its permissions; a symbolic link stays one."""
    real = objects / "real.py"
    real.write_text("old\n")
    real.chmod(0o604)
    link = objects / "link.py"
    link.symlink_to("real.py")
    assert run("skeleton", objects / "maps.bpf.o", "-o", link).exit_code == 0
    assert link.is_symlink()
    assert real.read_text() == GOOD.module.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o604


def test_failure_keeps_the_old_file(objects: Path) -> None:
    """If generation fails, what was there before is there still."""
    module = objects / "maps_skel.py"
    module.write_text("old\n")
    (objects / "maps.bpf.o").write_bytes(good()[:1000])
    assert_refused(run("skeleton", objects / "maps.bpf.o"), objects / "maps.bpf.o")
    assert module.read_text() == "old\n"
    assert sorted(os.listdir(objects)) == ["maps.bpf.o", "maps_skel.py"]


@pytest.mark.parametrize(
    ("output", "reason"),
    [("none/out.py", "No such file"), ("maps.bpf.o/out.py", "Not a directory")],
)
def test_unwritable_output(objects: Path, output: str, reason: str) -> None:
    """An output that cannot be written is refused in one line, and nothing is left."""
    target = objects / output
    assert_refused(run("skeleton", objects / "maps.bpf.o", "-o", target), target, reason)
    assert os.listdir(objects) == ["maps.bpf.o"]


#: Generates once so that all is imported, then again without root's right to ignore permissions.
AS_NOBODY = """
import os, sys
from bpfgen.cli import main
main(["skeleton", sys.argv[1], "-o", "/dev/null"], standalone_mode=False)
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
main(["skeleton", sys.argv[1], "-o", sys.argv[2]])
"""


def test_output_without_permission() -> None:
    """A read-only directory or file is refused in one line, and stays as it was."""
    with tempfile.TemporaryDirectory() as name:  # tmp_path lies where nobody but its owner gets
        place = Path(name)
        source = Path(shutil.copy(GOOD.object, place))
        place.chmod(0o777)
        closed, read_only = place / "closed", place / "read_only.py"
        closed.mkdir(mode=0o555)
        read_only.write_text("old\n")
        read_only.chmod(0o444)
        for target in (closed / "out.py", read_only):
            command = [sys.executable, "-c", AS_NOBODY, source, target]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.stderr == f"bpfgen: {target}: Permission denied\n"
            assert done.returncode == 1
        assert read_only.read_text() == "old\n"
        assert os.listdir(closed) == []
        assert sorted(os.listdir(place)) == ["closed", "maps.bpf.o", "read_only.py"]


def test_full_disk(objects: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk is full, the file that was begun is removed and the old one stays."""
    module = objects / "maps_skel.py"
    module.write_text("old\n")

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    assert_refused(run("skeleton", objects / "maps.bpf.o"), module, "No space left")
    assert module.read_text() == "old\n"
    assert sorted(os.listdir(objects)) == ["maps.bpf.o", "maps_skel.py"]


def test_output_device(objects: Path) -> None:
    """A device is written to, not replaced."""
    assert run("skeleton", objects / "maps.bpf.o", "-o", "/dev/null").exit_code == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    result = run("skeleton", objects / "maps.bpf.o", "-o", "/dev/full")
    assert_refused(result, Path("/dev/full"), "No space left")


def test_check(objects: Path) -> None:
    """`--check` writes nothing, and fails in one line unless the module is current."""
    source, module = objects / "maps.bpf.o", objects / "maps_skel.py"
    assert_refused(run("skeleton", source, "--check"), module, "does not exist")
    assert not module.exists()
    module.write_text("old\n")
    assert_refused(run("skeleton", source, "--check"), module, "is not what bpfgen generates")
    assert module.read_text() == "old\n"
    run("skeleton", source)
    result = run("skeleton", source, "--check")
    assert (result.exit_code, result.output) == (0, "")
    module.write_text(module.read_text() + "\n")
    assert run("skeleton", source, "--check").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["skeleton"],
        ["skeleton", "a.o", "b.o", "--event", "x=y"],
        ["skeleton", "a.o", "b.o", "-o", "-"],
        ["skeleton", "a.o", "b.o", "-o", "none"],
        ["skeleton", "a.o", "./a.o"],
        ["skeleton", "-"],
        ["skeleton", "-", "--name", "x", "--check"],
        ["skeleton", "a.o", "--sidecar", "-o", "-"],
        ["skeleton", "a.o", "--event", "events"],
        ["skeleton", "a.o", "--event", "=x"],
        ["skeleton", "a.o", "--event", "x="],
        ["skeleton", "a.o", "--event", "x=y", "--event", "x=z"],
        ["skeleton", "a.o", "--name", "1st"],
        ["skeleton", "a.o", "--name", "class"],
        ["skeleton", "a.o", "--check", "-o", "-"],
        ["skeleton", "a.o", "--no-such-option"],
        ["inspect"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: list[str]) -> None:
    """Wrong usage is status 2."""
    assert run(*arguments).exit_code == 2


def test_event_errors(objects: Path) -> None:
    """A wrong `--event` is refused in one line that says what there is."""
    source = objects / "maps.bpf.o"
    result = run("skeleton", source, "--event", "nosuch=key")
    assert_refused(result, source, "--event nosuch=key", "ring and perf buffers: untyped")
    result = run("skeleton", source, "--event", "untyped=nosuch")
    assert_refused(result, source, "struct key", "__attribute__((unused))")


def test_file_name_without_identifier(tmp_path: Path) -> None:
    """Any file name gives a module that Python reads."""
    for name in ("2-fast.bpf.o", "class.o", "größe.bpf.o", " .o"):
        shutil.copy(GOOD.object, tmp_path / name)
        result = run("skeleton", tmp_path / name, "-o", "-")
        assert result.exit_code == 0, result.stderr
        compile(result.stdout, name, "exec")


def test_version() -> None:
    """`--version` gives the distribution's."""
    assert run("--version").stdout == f"bpfgen, version {bpfgen.__version__}\n"


def test_closed_stdout() -> None:
    """A reader that goes away early gets no traceback."""
    command = [str(Path(sys.executable).parent / "bpfgen"), "skeleton", str(GOOD.object), "-o", "-"]
    pipe = f"{shlex.join(command)} | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True)
    assert done.stdout.startswith('"""Skeleton of maps.bpf.o')
    assert done.stderr == ""


def test_inspect_json(objects: Path) -> None:
    """`inspect --json` tells scripts what the object contains, by fixed keys."""
    facts = json.loads(run("inspect", objects / "maps.bpf.o", "--json").stdout)
    assert list(facts) == [
        "format",
        "name",
        "byte_order",
        "license",
        "kern_version",
        "programs",
        "subprograms",
        "maps",
        "globals",
        "externs",
        "unsupported",
    ]
    assert (facts["format"], facts["name"], facts["license"]) == (1, "maps", "GPL")
    assert facts["programs"] == [
        {
            "name": "on_getpgid",
            "section": "tp/syscalls/sys_enter_getpgid",
            "type": "tracepoint",
            "attach_type": None,
            "attach_target": "syscalls/sys_enter_getpgid",
            "autoload": True,
            "instructions": facts["programs"][0]["size"] // 8,
            "size": facts["programs"][0]["size"],
        }
    ]
    assert facts["maps"][0] == {
        "name": "hash",
        "type": "hash",
        "key": "struct key",
        "key_size": 8,
        "value": "struct value",
        "value_size": 8,
        "max_entries": 64,
        "flags": [],
    }
    by_name = {one["name"]: one for one in facts["maps"]}
    assert by_name["sizes"]["key"] is None
    assert by_name["sizes"]["key_size"] == 6


def test_inspect_globals_and_flags() -> None:
    """Globals have their C types; data sections are maps with flags."""
    facts = json.loads(run("inspect", Case("globals").object, "--json").stdout)
    by_name = {one["name"]: one for one in facts["globals"]}
    assert by_name["limits"] == {
        "name": "limits",
        "section": ".rodata.limits",
        "type": by_name["limits"]["type"],
        "offset": 0,
        "size": 24,
        "static": False,
    }
    assert "[3]" in by_name["limits"]["type"]
    assert by_name["unseen"]["static"] is True
    flags = {one["name"]: one["flags"] for one in facts["maps"]}
    assert flags[".rodata"] == ["BPF_F_RDONLY_PROG", "BPF_F_MMAPABLE"]


def test_inspect_attach_types() -> None:
    """Programs have the attach type that their section gives, also where it is number 0."""
    facts = json.loads(run("inspect", Case("programs").object, "--json").stdout)
    found = {one["name"]: (one["type"], one["attach_type"]) for one in facts["programs"]}
    assert found["packets"] == ("xdp", "xdp")
    assert found["ingress"] == ("cgroup_skb", "cgroup_inet_ingress")
    assert found["btf_tracepoint"] == ("tracing", "trace_raw_tp")
    assert found["probe"] == ("kprobe", None)
    assert found["unknown"] == ("unspec", None)
    assert [one["name"] for one in facts["programs"] if not one["autoload"]] == ["optional"]


@pytest.mark.parametrize("name", ["maps", "globals", "programs", "bigendian", "names"])
def test_inspect_tables(name: str) -> None:
    """The tables show every program, map and global, whole, wherever they are printed."""
    case = Case(name)
    facts = json.loads(run("inspect", case.object, "--json").stdout)
    text = run("inspect", case.object).stdout
    for kind in ("programs", "maps", "globals"):
        for one in facts[kind]:
            assert one["name"] in text
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text


EXTERNS = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct task_struct { int pid; } __attribute__((preserve_access_index));
extern unsigned CONFIG_HZ __kconfig;
extern int bpf_prog_active __ksym __weak;
SEC("raw_tp/sys_enter") int on_enter(struct task_struct **task)
{
    return (*task)->pid + CONFIG_HZ + (&bpf_prog_active != 0);
}
char LICENSE[] SEC("license") = "GPL";
"""


def test_object_that_asks_the_kernel(tmp_path: Path) -> None:
    """Objects with CO-RE relocations and externs are inspected and generated without a kernel."""
    from tests.support.clang import compile_source

    source = tmp_path / "core.bpf.c"
    source.write_text(EXTERNS)
    path = compile_source(source)
    facts = json.loads(run("inspect", path, "--json").stdout)
    assert {(one["name"], one["section"], one["weak"]) for one in facts["externs"]} == {
        ("CONFIG_HZ", ".kconfig", False),
        ("bpf_prog_active", ".ksyms", True),
    }
    assert "CONFIG_HZ" in run("inspect", path).stdout
    result = run("skeleton", path, "-o", "-")
    assert result.exit_code == 0, result.stderr
    compile(result.stdout, "core_skel.py", "exec")
