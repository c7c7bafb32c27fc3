"""`bpfgen build`: what it makes, what it leaves alone, and how it fails."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bpfgen import clang
from bpfgen.cli import main
from bpfgen.watch import changed

ROOT = Path(__file__).resolve().parents[2]
BPFGEN = Path(sys.executable).parent / "bpfgen"

pytestmark = pytest.mark.needs("clang", "libbpf-dev", "linux-headers")

COUNT = """
#include "count.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct count total;

SEC("xdp")
int count(struct xdp_md *ctx)
{
    total.packets += STEP;
    return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
"""

HEADER = """
#define STEP 1
struct count { unsigned long long packets; };
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one source and its header; the working directory is there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bpf").mkdir()
    (tmp_path / "bpf/count.bpf.c").write_text(COUNT)
    (tmp_path / "bpf/count.h").write_text(HEADER)
    configure(tmp_path, 'sources = ["bpf/*.bpf.c"]', 'output_dir = "app"')
    return tmp_path


def configure(project: Path, *lines: str) -> None:
    text = "\n".join(["[tool.bpfgen]", "check_types = false", *lines])
    (project / "pyproject.toml").write_text(text)


def build(*arguments: str, **options: str) -> Result:
    command = ["build", *arguments]
    return CliRunner().invoke(main, command, catch_exceptions=False, env=options)


BUILT = "count: compiled bpf/count.bpf.c, wrote app/count_skel.py\n"


def test_module_of_a_source(project: Path) -> None:
    """A source becomes the module that `bpfgen skeleton` makes of its object."""
    result = build()
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", BUILT)
    made = project / ".bpfgen/count/count.bpf.o"
    done = subprocess.run([BPFGEN, "skeleton", made, "-o", "-"], capture_output=True, text=True)
    assert (project / "app/count_skel.py").read_text() == done.stdout
    assert (project / ".bpfgen/.gitignore").read_text() == "*\n"


def test_object_is_the_same_anywhere(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Where the project lies does not get into object or module."""
    build()
    elsewhere = tmp_path_factory.mktemp("else where")
    for name in ("bpf", "pyproject.toml"):
        copy = shutil.copytree if name == "bpf" else shutil.copy
        copy(project / name, elsewhere / name)
    subprocess.run([BPFGEN, "build", "-q"], cwd=elsewhere, check=True)
    for name in (".bpfgen/count/count.bpf.o", "app/count_skel.py"):
        assert (project / name).read_bytes() == (elsewhere / name).read_bytes()


#: What is changed, and whether that is news.
CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "nothing": (lambda p: None, False),
    "touched": (lambda p: os.utime(p / "bpf/count.bpf.c"), False),
    "source": (lambda p: (p / "bpf/count.bpf.c").write_text(COUNT + "int more;"), True),
    "header": (lambda p: (p / "bpf/count.h").write_text(HEADER.replace("1", "2")), True),
    "flags": (lambda p: configure(p, 'sources = ["bpf/*"]', 'cflags = ["-O1"]'), True),
    "module edited": (lambda p: (p / "app/count_skel.py").write_text("edited"), True),
    "module gone": (lambda p: (p / "app/count_skel.py").unlink(), True),
    "object gone": (lambda p: (p / ".bpfgen/count/count.bpf.o").unlink(), True),
    "state damaged": (lambda p: (p / ".bpfgen/count/state.json").write_text("{"), True),
    "another file": (lambda p: (p / "bpf/other.h").write_text("int x;"), False),
}


@pytest.mark.parametrize("what", CHANGES)
def test_only_what_changed(project: Path, what: str) -> None:
    """A target is built again when an input, a flag or an output is not what it was, else not."""
    configure(project, 'sources = ["bpf/*.bpf.c"]', 'output_dir = "app"')
    build()
    before = (project / "app/count_skel.py").stat().st_mtime_ns
    change, is_news = CHANGES[what]
    change(project)
    if what == "flags":
        configure(project, 'sources = ["bpf/*.bpf.c"]', 'output_dir = "app"', 'cflags = ["-O1"]')
    result = build()
    assert result.exit_code == 0, result.stderr
    assert ("compiled" in result.stderr) == is_news, result.stderr
    if not is_news:
        assert result.stderr == "count: up to date\n"
        assert (project / "app/count_skel.py").stat().st_mtime_ns == before
    assert build().stderr == "count: up to date\n"


def test_force_and_versions(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--force builds what is current; so does another version of bpfgen or clang."""
    build()
    assert build("--force").stderr == "count: compiled bpf/count.bpf.c\n"
    with monkeypatch.context() as patch:
        patch.setattr("bpfgen.build.__version__", "99")
        assert "compiled" in build().stderr
    with monkeypatch.context() as patch:
        patch.setattr(clang, "version", lambda path: "clang version 99")
        assert "compiled" in build().stderr
    assert "compiled" in build().stderr


def test_failure_of_one(project: Path) -> None:
    """clang's own words are passed on, the others are built, the status is 1."""
    (project / "bpf/bad.bpf.c").write_text("int broken(void) { return nothing; }\n")
    result = build()
    assert result.exit_code == 1
    assert "bpf/bad.bpf.c:1:27: error: use of undeclared identifier 'nothing'" in result.stderr
    assert "\x1b[" not in result.stderr
    assert "bpfgen: bad: clang cannot compile bpf/bad.bpf.c\n" in result.stderr
    assert BUILT in result.stderr
    assert not (project / "app/bad_skel.py").exists()
    result = build("-q")
    assert "count" not in result.stderr
    assert result.exit_code == 1


def test_warnings_are_shown(project: Path) -> None:
    """Warnings of a build that succeeds are passed on as well."""
    source = project / "bpf/count.bpf.c"
    source.write_text("#warning look here\n" + source.read_text())
    result = build("-q")
    assert result.exit_code == 0
    assert "warning: look here" in result.stderr


def test_failed_build_keeps_the_module(project: Path) -> None:
    """After a failure the module of before is still there, and the next build tries again."""
    build()
    text = (project / "app/count_skel.py").read_text()
    (project / "bpf/count.h").write_text("#error no\n")
    assert build().exit_code == 1
    assert (project / "app/count_skel.py").read_text() == text
    assert build().exit_code == 1
    (project / "bpf/count.h").write_text(HEADER)
    assert build().stderr == "count: up to date\n"


def test_no_clang(project: Path) -> None:
    """Without clang, one sentence says what to do."""
    result = build("--clang", "no-such-clang")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("bpfgen: count: 'no-such-clang' is not there, and compiling")
    assert "apt-get install clang" in result.stderr


def test_clang_without_bpf(project: Path) -> None:
    """A clang that knows no BPF is told from a source that is wrong."""
    fake = project / "clang"
    fake.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo fake && exit\n"
        "echo \"error: unable to create target: 'No available targets are compatible with triple "
        '"bpf"\'" >&2\nexit 1\n'
    )
    fake.chmod(0o755)
    result = build("--clang", str(fake))
    assert result.exit_code == 1
    assert "was built without the BPF target: install LLVM's own clang" in result.stderr


def test_committed_object(project: Path) -> None:
    """Without clang, an object that is kept in the project is used, unless it is out of date."""
    lines = ['output_dir = "app"', "[tool.bpfgen.objects.count]"]
    lines += ('sources = ["bpf/count.bpf.c"]', 'object = "bpf/count.bpf.o"')
    configure(project, *lines)
    assert "wrote app/count_skel.py, wrote bpf/count.bpf.o" in build().stderr
    text = (project / "app/count_skel.py").read_text()
    shutil.rmtree(project / ".bpfgen")  # as in a fresh clone
    (project / "app/count_skel.py").unlink()
    result = build("--clang", "none")
    assert result.stderr == (
        "count: no clang: bpf/count.bpf.o is taken as it is, wrote app/count_skel.py\n"
    )
    assert (project / "app/count_skel.py").read_text() == text
    (project / "bpf/count.bpf.c").write_text(COUNT + "int more;")
    result = build("--clang", "none")
    assert result.exit_code == 1
    assert "its sources have changed since bpf/count.bpf.o was compiled" in result.stderr
    # Somebody else compiled it and committed both.
    (project / "bpf/count.bpf.o").write_bytes(
        (ROOT / "examples/xdp_count/xdp_count.bpf.o").read_bytes()
    )
    assert build("--clang", "none").exit_code == 0


def test_objects_without_sources(project: Path) -> None:
    """An object that others compile needs a module and no clang; a change of it is noticed."""
    shutil.copy(ROOT / "examples/xdp_count/xdp_count.bpf.o", project / "ready.o")
    configure(project, "[tool.bpfgen.objects.ready]", 'object = "ready.o"')
    result = build("--clang", "none")
    assert result.stderr == "ready: wrote ready_skel.py\n"
    assert "class Ready(Skeleton)" in (project / "ready_skel.py").read_text()
    assert build().stderr == "ready: up to date\n"
    shutil.copy(ROOT / "examples/execsnoop/execsnoop.bpf.o", project / "ready.o")
    assert build().stderr == "ready: wrote ready_skel.py\n"
    (project / "ready.o").write_bytes(b"nothing")
    result = build()
    assert result.exit_code == 1
    assert result.stderr.startswith("bpfgen: ready: ")


def test_sources_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a configuration: modules beside the sources, or where -o says."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples/xdp_count/xdp_count.bpf.c", tmp_path)
    result = build("xdp_count.bpf.c", "--no-check-types")
    assert result.stderr == "xdp_count: compiled xdp_count.bpf.c, wrote xdp_count_skel.py\n"
    result = build("xdp_count.bpf.c", "--no-check-types", "-o", "out", "--sidecar")
    assert sorted(os.listdir("out")) == ["xdp_count.bpf.o", "xdp_count_skel.py"]
    assert "SidecarObject" in Path("out/xdp_count_skel.py").read_text()


TOTAL = """
#include "count.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern struct count total;

SEC("xdp")
int look(struct xdp_md *ctx)
{
    return total.packets ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
"""


def test_several_sources_of_one_object(project: Path) -> None:
    """Sources of one object are compiled each, and linked; both see one variable."""
    (project / "bpf/total.bpf.c").write_text(TOTAL)
    lines = ['output_dir = "app"', "[tool.bpfgen.objects.both]"]
    configure(project, *lines, 'sources = ["bpf/count.bpf.c", "bpf/total.bpf.c"]')
    assert build().stderr == (
        "both: compiled bpf/count.bpf.c, compiled bpf/total.bpf.c, linked 2 objects, "
        "wrote app/both_skel.py\n"
    )
    text = (project / "app/both_skel.py").read_text()
    assert "    count: XdpProgram\n" in text
    assert "    look: XdpProgram\n" in text
    assert build().stderr == "both: up to date\n"
    (project / "bpf/total.bpf.c").write_text(TOTAL.replace("XDP_DROP", "XDP_ABORTED"))
    assert "linked 2 objects" in build().stderr
    sources = ("bpf/count.bpf.c", "bpf/total.bpf.c")
    assert build(*sources, "--link", "pair").exit_code == 0
    assert "class Pair(Skeleton)" in (project / "app/pair_skel.py").read_text()


def test_sources_that_do_not_fit(project: Path) -> None:
    """What the linker says is the reason of the failure."""
    (project / "bpf/total.bpf.c").write_text(COUNT)
    result = build("bpf/count.bpf.c", "bpf/total.bpf.c", "--link", "twice")
    assert result.exit_code == 1
    assert result.stderr.startswith("bpfgen: twice: ")
    assert "'count'" in result.stderr or "'total'" in result.stderr


def test_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Types of records are given by --event as by the configuration."""
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "execsnoop.bpf.c"
    text = (ROOT / "examples/execsnoop/execsnoop.bpf.c").read_text()
    source.write_text(text)
    build("execsnoop.bpf.c", "--no-check-types", "--event", "events=exec_event")
    assert "--event events=exec_event" in Path("execsnoop_skel.py").read_text()
    configure(tmp_path, "[tool.bpfgen.objects.execsnoop]", 'sources = ["execsnoop.bpf.c"]')
    with open("pyproject.toml", "a") as file:
        file.write('\nevents = { events = "struct exec_event" }\n')
    build()
    assert "struct exec_event'" in Path("execsnoop_skel.py").read_text()


def test_vmlinux_h(project: Path) -> None:
    """`vmlinux.h` is the file that is configured, whatever its name; without one, it is said."""
    source = project / "bpf/count.bpf.c"
    source.write_text(COUNT.replace("<linux/bpf.h>", '"vmlinux.h"'))
    result = build()
    assert result.exit_code == 1
    assert "bpfgen vmlinux > vmlinux.h" in result.stderr
    header = project / "headers/kernel.h"
    header.parent.mkdir()
    header.write_text("#include <linux/bpf.h>\n")
    lines = ('sources = ["bpf/*.bpf.c"]', 'vmlinux_h = "headers/kernel.h"')
    configure(project, *lines)
    assert build().exit_code == 0
    header.write_text("#include <linux/bpf.h>\nint more;\n")
    assert "compiled" in build().stderr
    header.unlink()
    result = build("--force")
    assert result.exit_code == 1
    assert "vmlinux_h:" in result.stderr
    assert "is not there" in result.stderr


def test_arch_and_include_dirs(project: Path) -> None:
    """The architecture is told to the sources; directories of headers are searched."""
    (project / "include").mkdir()
    (project / "include/arch.h").write_text(
        "#ifndef __TARGET_ARCH_arm64\n#error another one\n#endif\n"
    )
    source = project / "bpf/count.bpf.c"
    source.write_text('#include "arch.h"\n' + COUNT)
    configure(project, 'sources = ["bpf/*.bpf.c"]', 'include_dirs = ["include"]')
    assert "another one" in build().stderr
    assert build("--arch", "arm64").exit_code == 0
    assert build("--arch", "s390").exit_code == 1
    configure(project, 'sources = ["bpf/*.bpf.c"]', 'arch = "arm64"')
    assert "'arch.h' file not found" in build().stderr
    assert build("-I", "include").exit_code == 0


def test_dependency_file(project: Path) -> None:
    """A rule for make names what the module depends on: make agrees about what is new."""
    make = shutil.which("make")
    assert make is not None
    build()
    rules = project / "Makefile"
    module = project / "app/count_skel.py"
    rules.write_text(f"{module}:\n\t@echo again\ninclude .bpfgen/count/count_skel.d\n")

    def run() -> str:
        return subprocess.run([make, "-s"], capture_output=True, text=True, check=True).stdout

    future = time.time() + 60
    os.utime(module, (future, future))
    assert "again" not in run()
    os.utime(project / "bpf/count.h", (future + 60, future + 60))
    assert run() == "again\n"


@pytest.mark.parametrize("name", ["a b.c", "a#b.c", "a$b.c", "plain.h"])
def test_names_in_dependency_files(name: str) -> None:
    """Names with characters that make gives a meaning survive."""
    text = clang.write_depfile(["x"], [name, "other.h"])
    assert clang.read_depfile(text.partition("\n\n")[0]) == [name, "other.h"]


def test_types_are_checked(project: Path) -> None:
    """mypy looks at each module once; what it reports fails the build."""
    configure(project, 'sources = ["bpf/*.bpf.c"]', "check_types = true")
    text = (project / "pyproject.toml").read_text().replace("check_types = false\n", "", 1)
    (project / "pyproject.toml").write_text(text)
    result = build()
    assert (result.exit_code, "error:" in result.stderr) == (0, False), result.stderr
    state = project / ".bpfgen/count/state.json"
    assert '"checked": true' in state.read_text()
    # A state that says the module is not checked, and a module that does not pass.
    import hashlib
    import json

    module = project / "bpf/count_skel.py"
    module.write_text(module.read_text() + "\nwrong: int = ''\n")
    found = json.loads(state.read_text())
    found["outputs"][str(module)] = hashlib.sha256(module.read_bytes()).hexdigest()
    state.write_text(json.dumps(found | {"checked": False}))
    result = build()
    assert result.exit_code == 1
    assert "Incompatible types in assignment" in result.stderr
    assert "bpfgen: mypy --strict: not all modules pass\n" in result.stderr
    assert '"checked": false' in state.read_text()
    assert build("--no-check-types").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--link", "x"], "--link wants the sources"),
        (["bpf/count.bpf.c", "--link", "1"], "no identifier"),
        (["--arch", "x68"], "is none of x86"),
        (["--event", "a"], "MAP=STRUCT"),
        (["a/x.bpf.c", "b/x.bpf.c"], "objects of the same name"),
    ],
)
def test_usage_errors(project: Path, arguments: list[str], reason: str) -> None:
    """Wrong usage is status 2."""
    result = build(*arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_nothing_to_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sources and without a configuration, or with a wrong one, the status is 2."""
    monkeypatch.chdir(tmp_path)
    assert build().exit_code == 2
    configure(tmp_path, "nonsense = 1")
    result = build()
    assert result.exit_code == 2
    assert "unknown key 'nonsense'" in result.stderr


def test_missing_source(project: Path) -> None:
    """A source that is not there is clang's to report, and a failure of that object alone."""
    result = build("none.bpf.c")
    assert result.exit_code == 1
    assert "none.bpf.c" in result.stderr
    assert "Traceback" not in result.stderr


def test_on_a_terminal(project: Path) -> None:
    """On a terminal there is colour, of clang's diagnostics too; NO_COLOR turns it off."""
    (project / "bpf/bad.bpf.c").write_text("int broken(void) { return nothing; }\n")
    shown = _on_terminal({})
    assert "\x1b[" in shown
    assert "0/2" in shown
    assert "error: \x1b[0m" in shown  # clang's own
    plain = _on_terminal({"NO_COLOR": "1"})
    assert "error: use of undeclared identifier" in plain
    assert "error: \x1b[0m" not in plain


def _on_terminal(more: dict[str, str]) -> str:
    leader, follower = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm", "COLUMNS": "100"} | more
    process = subprocess.Popen([BPFGEN, "build"], stderr=follower, env=environment)
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # EIO: nobody has the other end any more
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait() == 1
    return shown.decode()


def test_watch(project: Path) -> None:
    """--watch builds again when a header changes, and ends at Ctrl-C with status 0."""
    with Watcher() as watcher:
        assert BUILT in watcher.until("waiting for changes")
        (project / "bpf/count.h").write_text(HEADER.replace("1", "2"))
        assert BUILT in watcher.until("waiting for changes")
        (project / "bpf/count.h").write_text("#error no\n")
        assert "#error no" in watcher.until("waiting for changes")
        watcher.process.send_signal(signal.SIGINT)
        assert watcher.until("watching: done").endswith("watching: done\n")
        assert watcher.process.wait(timeout=30) == 0


class Watcher:
    """`bpfgen build --watch`, and what it writes, waited for half a minute at most."""

    def __enter__(self) -> Watcher:
        command = [str(BPFGEN), "build", "--watch"]
        # A shell starts what it runs in the background with Ctrl-C ignored.
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert self.process.stderr is not None
        self.stderr = self.process.stderr
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.stderr.close()

    def until(self, text: str) -> str:
        """Give what is written up to the end of the line with a text."""
        seen = b""
        deadline = time.monotonic() + 30
        while text.encode() not in seen or not seen.endswith(b"\n"):
            ready, _, _ = select.select([self.stderr], [], [], deadline - time.monotonic())
            assert ready, seen
            seen += os.read(self.stderr.fileno(), 4096)
        return seen.decode()


def test_changed(tmp_path: Path) -> None:
    """The wait ends with the files that were changed, made or removed, also before it began."""
    paths = [tmp_path / name for name in ("kept", "changed", "made", "gone")]
    kept, edited, made, gone = paths
    for path in (kept, edited, gone):
        path.touch()
        os.utime(path, (1, 1))
    script = f"sleep 0.2; echo x >> {edited}; touch {made}; rm {gone}"
    with subprocess.Popen(["sh", "-c", script]):
        assert changed(paths, 2_000_000_000, interval=0.3) == {edited, made, gone}
    os.utime(kept, (3, 3))
    assert changed([kept], 2_000_000_000, interval=0.01) == {kept}
