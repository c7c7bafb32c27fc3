"""README.md: its example type-checks, its commands exist, its claims are each shown by a test."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()

PLAIN = " ".join(README.split())  # lines are wrapped anywhere

DEMO = "tests/live/test_demo.py::"
PACKAGING = "tests/packaging/"

#: What README.md says -> the test that shows it.
CLAIMS = {
    "CPython 3.10 or newer and the package `bpfgen-runtime`": (
        PACKAGING + "test_runtime_alone.py::test_runs_a_skeleton_without_any_other_package"
    ),
    "this is an application": DEMO + "test_readme_example_runs",
    "mypy knows that `uid` is an `int` and `event` a frozen dataclass": (
        "tests/unit/test_readme.py::test_mypy_refuses_what_the_readme_says"
    ),
    "It refuses `skel.rodata.min_uid = 1`": (
        "tests/typing/test_typing.py::test_marked_lines_are_errors"
    ),
    "The same object gives the same module": (
        "tests/golden/test_golden.py::test_same_text_everywhere"
    ),
    "`--check` compares without writing": "tests/unit/test_cli.py::test_check",
    "`make bench` measures it against C on libbpf": "tests/live/test_bench.py::test_rows",
    "opened and loaded are two types": (
        "tests/live/test_skeleton.py::test_open_skeleton_is_used_up_by_load"
    ),
    "raises `NotSupportedError` for kprobes": (
        "tests/live/test_link_tracing.py::test_families_yet_to_come"
    ),
    "objects of the other byte order": (
        "tests/live/test_object.py::test_what_is_not_supported_yet"
    ),
    "opaque bytes for `long double`": "tests/unit/test_model.py::test_types",
    "Both commands work on a fresh clone": PACKAGING + "test_clone.py::test_demo_in_a_fresh_clone",
    "five seconds while it starts a few programs itself": (
        DEMO + "test_demo_shows_events_of_this_kernel"
    ),
    "Without clang it takes the committed object": (
        DEMO + "test_demo_without_clang_uses_the_committed_object"
    ),
    "without root or BPF it stops before the load and says what is missing": (
        DEMO + "test_demo_without_privilege_says_what_is_missing"
    ),
    "`bpfgen build` compiles each source with clang, writes its module": (
        "tests/unit/test_build.py::test_module_of_a_source"
    ),
    "runs mypy over the modules if it is installed": (
        "tests/unit/test_build.py::test_types_are_checked"
    ),
    "links several sources into one object": (
        "tests/unit/test_build.py::test_several_sources_of_one_object"
    ),
    "builds only what has changed": "tests/unit/test_build.py::test_only_what_changed",
    "passes clang's own diagnostics on": "tests/unit/test_build.py::test_failure_of_one",
    "`--watch` builds again when an input changes": "tests/unit/test_build.py::test_watch",
    "A build hook does the same in `pip install .`": (
        PACKAGING + "test_hooks.py::test_isolated_build"
    ),
    "it takes committed objects": PACKAGING + "test_hooks.py::test_committed_object_and_sidecar",
    "[project](examples/project)": PACKAGING + "test_hooks.py::test_isolated_build",
    "[xdp_count](examples/xdp_count)": DEMO + "test_xdp_count_counts_what_was_sent",
    "[tasktree](examples/tasktree)": DEMO + "test_tasktree_agrees_with_proc",
    "[lifecycle](examples/lifecycle)": DEMO + "test_lifecycle_counts_what_was_run",
}


def example() -> str:
    """Give the README's Python example."""
    [code] = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(code)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a directory with the example as app.py and the skeleton that it imports."""
    shutil.copy(ROOT / "examples/execsnoop/execsnoop_skel.py", tmp_path)
    (tmp_path / "app.py").write_text(example())
    return tmp_path


def test_example_is_short_and_strictly_typed(project: Path) -> None:
    """The example has some 20 lines and passes mypy --strict."""
    assert len([line for line in example().splitlines() if line.strip()]) <= 24
    status, output = _mypy(project)
    assert status == 0, output


@pytest.mark.parametrize(
    "mistake",
    ["skel.rodata.min_uid = 1", 'skel.maps.counts["root"]', "event.ppid", "event.pid = 1"],
)
def test_mypy_refuses_what_the_readme_says(project: Path, mistake: str) -> None:
    """mypy reports each mistake that the README says it reports, on its line."""
    lines = example().splitlines()
    [number] = [i for i, line in enumerate(lines) if line.strip() == "report(event)"]
    indent = lines[number][: -len("report(event)")]
    lines.insert(number + 1, indent + mistake)
    (project / "app.py").write_text("\n".join(lines) + "\n")
    status, output = _mypy(project)
    assert status == 1, output
    assert f"app.py:{number + 2}: error:" in output


def test_make_targets_exist() -> None:
    """Every `make TARGET` in README.md and docs/ is a target that `make help` lists."""
    listed = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    texts = [README, *(path.read_text() for path in (ROOT / "docs").glob("*.md"))]
    named = {name for text in texts for name in re.findall(r"(?:`|    )make ([a-z-]+)", text)}
    assert {"demo", "test", "bench"} <= named
    assert named <= listed


def test_commands_and_options_exist() -> None:
    """Each `bpfgen COMMAND` line of README.md is a command that has the options shown."""
    lines = re.findall(r"^bpfgen (\w+) (\[?(?:OBJECT|SOURCE) .*)$", README, re.MULTILINE)
    assert {command for command, _ in lines} == {"build", "skeleton", "inspect"}
    bpfgen = Path(sys.executable).parent / "bpfgen"
    for command, options in lines:
        done = subprocess.run([bpfgen, command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        for option in re.findall(r"--?[a-z]+", options):
            assert re.search(rf"(^|\s){option}\b", done.stdout), f"{command} {option}"


def test_links_lead_somewhere() -> None:
    """Every relative link in README.md is a file or directory of the repository."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize(("claim", "node"), CLAIMS.items())
def test_claim_is_shown_by_a_test(claim: str, node: str) -> None:
    """The README still says it, and the test that shows it still exists."""
    assert claim in PLAIN
    path, _, name = node.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert name in {part.name for part in ast.walk(tree) if isinstance(part, ast.FunctionDef)}


def _mypy(project: Path) -> tuple[int, str]:
    # A cache for all these tests: only app.py differs.
    cache = ROOT / "build" / "mypy-readme"
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache)]
    files = ["app.py", "execsnoop_skel.py"]
    done = subprocess.run([*command, *files], cwd=project, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
