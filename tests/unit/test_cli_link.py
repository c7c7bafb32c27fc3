"""`bpfgen link`: the command as a process, past click and by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bpfgen_runtime.linker import link
from bpfgen_runtime.loader import load_spec
from click.testing import CliRunner

from bpfgen.cli import main
from tests.support.clang import compile_source
from tests.support.linkcases import CASES
from tests.support.linkconflicts import CONFLICTS

ROOT = Path(__file__).resolve().parents[2]
INPUTS = [ROOT / "examples" / name / f"{name}.bpf.o" for name in ("execsnoop", "tasktree")]


def run(
    *arguments: object, given: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "bpfgen", "link", *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, cwd=cwd)


def test_links(tmp_path: Path) -> None:
    """The output is what `link` gives; nothing is printed."""
    target = tmp_path / "out.o"
    done = run(target, *INPUTS)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert target.read_bytes() == link(INPUTS)


def test_standard_input_and_output() -> None:
    """- stands for both."""
    done = run("-", INPUTS[0], "-", given=INPUTS[1].read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == link(INPUTS)


def test_standard_output_by_its_path() -> None:
    """/dev/stdout is written to, a pipe here, which cannot be replaced."""
    done = run("/dev/stdout", *INPUTS)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == link(INPUTS)


@pytest.mark.parametrize("by_click", [False, True])
def test_options_end(tmp_path: Path, by_click: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind -- there are only paths."""
    (tmp_path / "-x.o").write_bytes(INPUTS[0].read_bytes())
    arguments = ["--", "-h", "-x.o", str(INPUTS[1])]
    if by_click:
        monkeypatch.chdir(tmp_path)
        assert CliRunner().invoke(main, ["link", *arguments]).exit_code == 0
    else:
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "-h").read_bytes() == link(INPUTS)


def test_missing_input(tmp_path: Path) -> None:
    """One line names the file; no output is left."""
    done = run(tmp_path / "out.o", INPUTS[0], tmp_path / "missing.o")
    assert done.returncode == 1
    assert done.stderr.decode() == f"bpfgen: {tmp_path}/missing.o: No such file or directory\n"
    assert not (tmp_path / "out.o").exists()


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    """The output is what is named then."""
    done = run(tmp_path / "no" / "out.o", *INPUTS)
    assert done.returncode == 1
    assert done.stderr.decode() == f"bpfgen: {tmp_path}/no/out.o: No such file or directory\n"


@pytest.mark.needs("clang", "libbpf-dev")
def test_conflict(tmp_path: Path) -> None:
    """Three lines: what conflicts, and both declarations; an old output stays."""
    first, second = next(case for case in CONFLICTS if case.name == "sizes").objects()
    target = tmp_path / "out.o"
    target.write_bytes(b"old")
    done = run(target, first, second)
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"bpfgen: {second}: 'x' conflicts with {first}: INT 'int' of 4 and 8 bytes\n"
        f"  in {first}: int x\n"
        f"  in {second}: long x\n"
    )
    assert target.read_bytes() == b"old"


@pytest.mark.needs("clang", "libbpf-dev")
def test_unresolved_names_are_told(tmp_path: Path) -> None:
    """The output is written all the same: another link may resolve them."""
    case = next(case for case in CASES if case.name == "unresolved_function")
    done = run(tmp_path / "out.o", *case.objects())
    assert done.returncode == 0
    assert done.stderr.decode() == f"bpfgen: {tmp_path}/out.o: left unresolved: nowhere\n"
    assert (tmp_path / "out.o").exists()


@pytest.mark.parametrize(
    "arguments", [(), ("out.o",), ("--fast", "out.o", "in.o"), ("out.o", "--")]
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Status 2 and the usage."""
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(b"Usage: bpfgen link OUT.o IN.o...\n")


def test_by_click(tmp_path: Path) -> None:
    """Help lists the command, and click runs the same."""
    listed = CliRunner().invoke(main, ["--help"])
    assert "link" in listed.stdout
    helped = CliRunner().invoke(main, ["link", "--help"])
    assert helped.stdout == run("--help").stdout.decode()
    assert helped.stdout.startswith("Usage: bpfgen link OUT.o IN.o...")
    target = tmp_path / "out.o"
    done = CliRunner().invoke(main, ["link", str(target), *map(str, INPUTS)])
    assert done.exit_code == 0, done.output
    assert target.read_bytes() == link(INPUTS)


# --- bpfgen skeleton --link


@pytest.mark.needs("clang", "libbpf-dev")
@pytest.mark.parametrize("option", ["", "--link"])
@pytest.mark.parametrize("name", ["statics", "other_struct_of_that_name"])
def test_skeleton_of_linked_objects(name: str, option: str, tmp_path: Path) -> None:
    """Static variables of one name, and different structs of one name, make a module that works."""
    inputs = [str(path) for path in next(case for case in CASES if case.name == name).objects()]
    target = tmp_path / "app_skel.py"
    options = [option] if option else []
    made = CliRunner().invoke(main, ["skeleton", *options, *inputs, "-o", str(target)])
    assert (made.exit_code, made.output) == (0, "")
    (tmp_path / "app.bpf.o").write_bytes(link(inputs))
    again = ["skeleton", str(tmp_path / "app.bpf.o"), "-o", str(target), "--check"]
    assert CliRunner().invoke(main, again).exit_code == 0
    code = "import app_skel; print(len(list(app_skel.App.open().progs)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert done.stderr == b""
    assert int(done.stdout) == (1 if name == "statics" else 2)
    if name != "statics":
        assert "class S2(Struct):" in target.read_text()


@pytest.mark.needs("clang", "libbpf-dev")
def test_static_variables_of_one_name_have_their_own_places() -> None:
    """The first of them is where the first object has it."""
    spec = load_spec(link(next(case for case in CASES if case.name == "statics").objects()))
    assert (spec.variables["count"].offset, spec.variables["count"].is_static) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--link", "a.o", "b.o"], "give --name, or -o OUT.py"),
        (["--link", "a.o", "-", "--name", "x"], "not standard input"),
        (["a.o", "-", "--name", "x"], "not standard input"),
        (["a.o", "b.o", "-o", "missing"], "a directory that is there, or OUT.py"),
    ],
)
def test_skeleton_link_usage(arguments: list[str], reason: str) -> None:
    """What it cannot know, and what it does not read."""
    done = CliRunner().invoke(main, ["skeleton", *arguments])
    assert done.exit_code == 2
    assert reason in done.stderr


@pytest.mark.needs("clang", "libbpf-dev")
def test_name_makes_one_module(tmp_path: Path) -> None:
    """Several objects under one name are one, linked; in a directory if -o says so."""
    inputs = next(case for case in CASES if case.name == "statics").objects()
    arguments = ["skeleton", *map(str, inputs), "--name", "both", "-o", str(tmp_path)]
    made = CliRunner().invoke(main, arguments)
    assert (made.exit_code, made.output) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["both_skel.py"]


def test_skeleton_link_names_the_input(tmp_path: Path) -> None:
    """One line names the module's object, and what is wrong with which input."""
    missing = str(tmp_path / "missing.o")
    arguments = ["skeleton", "--link", str(INPUTS[0]), missing, "--name", "app"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert done.stderr.endswith(f"app.bpf.o: {missing}: No such file or directory\n")
    twice = CliRunner().invoke(main, ["skeleton", "--link", *2 * [str(INPUTS[0])], "--name", "app"])
    assert twice.exit_code == 1
    assert twice.stderr.count("\n") == 1
    assert "both define it" in twice.stderr


USES = """
#define SEC(name) __attribute__((section(name)))
static void *(*look)(void *, const void *) = (void *)1;
{}
SEC("raw_tp/x") int first(void *ctx) {{ int key = 0; return look(0, &key) != 0 && {}; }}
"""
EXTERN_MAP = 'extern struct { int (*type)[2]; } elsewhere SEC(".maps");'
OWN_MAP = """struct { int (*type)[2]; int (*max_entries)[1]; int (*key_size)[4];
    int (*value_size)[4]; } own SEC(".maps");"""


@pytest.mark.needs("clang", "libbpf-dev")
@pytest.mark.parametrize(
    ("declarations", "value", "reason"),
    [
        ("extern int elsewhere;", "elsewhere", "extern 'elsewhere' is in no section"),
        ("extern int elsewhere(int);", "elsewhere(1)", "extern 'elsewhere' is in no section"),
        (EXTERN_MAP, "look(&elsewhere, &key) != 0", "extern 'elsewhere' is in section '.maps'"),
        (
            OWN_MAP + EXTERN_MAP,
            "look(&elsewhere, &key) == look(&own, &key)",
            "map 'elsewhere': it is an extern",
        ),
    ],
)
def test_skeleton_of_what_has_to_be_linked(
    declarations: str, value: str, reason: str, tmp_path: Path
) -> None:
    """An object that needs another is refused with what to do, and it is told what is written."""
    source = tmp_path / "uses.bpf.c"
    source.write_text(USES.format(declarations, value))
    needs = compile_source(source)
    arguments = ["skeleton", str(needs), str(INPUTS[0]), "-o", str(tmp_path)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    first, last = done.stderr.splitlines()
    assert first.startswith(f"bpfgen: {needs}: {reason}")
    assert ": if another object defines it, link the two, by `bpfgen link` or " in first
    assert last == "bpfgen: one other module is written"
    assert [path.name for path in tmp_path.glob("*.py")] == ["execsnoop_skel.py"]


def test_click_is_spared() -> None:
    """What is large to import is not: click, rich, pyelftools, re, tempfile."""
    code = (
        "import sys, os; from bpfgen.commands.link import run;"
        f"run([os.devnull, *{[str(path) for path in INPUTS]!r}]);"
        "sys.exit(bool(sys.modules.keys() & {'click', 'rich', 'elftools', 're', 'tempfile'}))"
    )
    assert subprocess.run([sys.executable, "-I", "-c", code]).returncode == 0
