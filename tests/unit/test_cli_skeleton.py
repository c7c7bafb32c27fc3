"""`bpfgen skeleton` with several objects, from standard input, and with the object beside."""

from __future__ import annotations

import importlib.util
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bpfgen_runtime.errors import ElfError
from click.testing import CliRunner

from bpfgen.cli import main
from tests.golden.regenerate import Case
from tests.unit.test_cli import assert_refused, run

NAMES = ("maps", "nested", "globals", "minimal", "scalars")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """A directory with some objects that each make the golden module without options."""
    for name in NAMES:
        assert Case(name).options("bpfgen") == []
        shutil.copy(Case(name).object, tmp_path)
    return tmp_path


def paths(place: Path) -> list[Path]:
    return [place / f"{name}.bpf.o" for name in NAMES]


def test_several_objects(objects: Path) -> None:
    """Each of several objects gets the module that it would get alone, beside it."""
    result = run("skeleton", *paths(objects))
    assert (result.exit_code, result.output) == (0, "")
    for name in NAMES:
        assert (objects / f"{name}_skel.py").read_text() == Case(name).module.read_text()


def test_output_directory(objects: Path, tmp_path: Path) -> None:
    """`-o DIR` is where the modules go, of one object and of several."""
    out = tmp_path / "out"
    out.mkdir()
    assert run("skeleton", objects / "maps.bpf.o", "-o", out).exit_code == 0
    assert os.listdir(out) == ["maps_skel.py"]
    assert run("skeleton", *paths(objects), "-o", out).exit_code == 0
    assert sorted(os.listdir(out)) == sorted(f"{name}_skel.py" for name in NAMES)
    assert not list(objects.glob("*_skel.py"))


def test_failures_are_told_apart(objects: Path) -> None:
    """Of several objects the bad ones are named, a line each in their order; others are made."""
    (objects / "nested.bpf.o").write_bytes(b"no object")
    (objects / "scalars.bpf.o").unlink()
    result = run("skeleton", *paths(objects))
    assert result.exit_code == 1
    first, second, last = result.stderr.splitlines()
    assert first.startswith(f"bpfgen: {objects / 'nested.bpf.o'}: ")
    assert second == f"bpfgen: {objects / 'scalars.bpf.o'}: No such file or directory"
    assert last == "bpfgen: 3 other modules are written"
    made = sorted(path.name for path in objects.glob("*_skel.py"))
    assert made == ["globals_skel.py", "maps_skel.py", "minimal_skel.py"]


def test_check_of_several(objects: Path) -> None:
    """`--check` compares every module, and writes none."""
    run("skeleton", *paths(objects))
    assert run("skeleton", *paths(objects), "--check").exit_code == 0
    (objects / "maps_skel.py").write_text("old\n")
    (objects / "minimal_skel.py").unlink()
    result = run("skeleton", *paths(objects), "--check")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert [line.split(": ")[2] for line in lines] == [
        "is not what bpfgen generates now",
        "does not exist",
    ]
    assert (objects / "maps_skel.py").read_text() == "old\n"
    assert not (objects / "minimal_skel.py").exists()


def test_standard_input() -> None:
    """`-` reads the object from standard input, and prints the module of a file called so."""
    case = Case("maps")
    arguments = ["skeleton", "-", "--name", "maps"]
    result = CliRunner().invoke(main, arguments, input=case.object.read_bytes())
    assert result.exit_code == 0, result.stderr
    assert result.stdout == case.module.read_text()
    result = CliRunner().invoke(main, ["inspect", "-"], input=case.object.read_bytes())
    assert result.stdout.startswith("stdin: ")
    assert_refused(CliRunner().invoke(main, arguments, input=b"x"), "-")


OPEN = """
import sys
sys.path.insert(0, sys.argv[1])
from {module} import Execsnoop
opened = Execsnoop.open()
assert opened.maps.counts.max_entries == 1024, opened.maps.counts
opened.rodata.min_uid = 3
assert opened.rodata.min_uid == 3
assert len(opened.spec.programs["on_exec"].insns) > 10
"""


def open_skeleton(path: Path, module: str) -> None:
    command = [sys.executable, "-W", "error", "-c", OPEN.format(module=module), str(path)]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A package `app` with a skeleton, the object beside it."""
    package = tmp_path / "app"
    package.mkdir()
    (package / "__init__.py").touch()
    source = ROOT / "examples/execsnoop/execsnoop.bpf.o"
    assert run("skeleton", source, "--sidecar", "-o", package).exit_code == 0
    assert (package / source.name).read_bytes() == source.read_bytes()
    return tmp_path


def test_sidecar_holds_no_object(app: Path) -> None:
    """With `--sidecar` the module has no object in it; its definitions are the same."""
    text = (app / "app/execsnoop_skel.py").read_text()
    whole = (ROOT / "examples/execsnoop/execsnoop_skel.py").read_text()
    assert len(text) < len(whole) / 2
    assert "    bpfgen skeleton execsnoop.bpf.o --sidecar\n" in text
    begin, end = "@dataclass", "_OBJECT ="
    assert text[text.index(begin) : text.index(end)] == whole[whole.index(begin) : whole.index(end)]
    out = app / "app"
    source = ROOT / "examples/execsnoop/execsnoop.bpf.o"
    assert run("skeleton", source, "--sidecar", "-o", out, "--check").exit_code == 0
    (out / "execsnoop.bpf.o").write_bytes(b"other")
    result = run("skeleton", source, "--sidecar", "-o", out, "--check")
    assert_refused(result, out / "execsnoop.bpf.o", "is not what bpfgen generates now")


def test_sidecar_in_directory_and_zip(app: Path, tmp_path: Path) -> None:
    """A sidecar is found beside the module, in a directory or a zip, in a package or not."""
    open_skeleton(app, "app.execsnoop_skel")
    open_skeleton(app / "app", "execsnoop_skel")
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted((app / "app").iterdir()):
            if path.is_file():
                file.write(path, f"app/{path.name}")
                file.write(path, path.name)
    open_skeleton(archive, "app.execsnoop_skel")
    open_skeleton(archive, "execsnoop_skel")


@pytest.mark.parametrize(("module", "package"), [("app.execsnoop_skel", True), ("top", False)])
def test_sidecar_missing_or_other(app: Path, module: str, package: bool) -> None:
    """A sidecar that is not there, or is of another object, is refused by an error that says so."""
    spec = importlib.util.spec_from_file_location(module, app / "app/execsnoop_skel.py")
    assert spec is not None
    assert spec.loader is not None
    skeleton = importlib.util.module_from_spec(spec)
    file = app / "app/execsnoop.bpf.o"
    names = {module: skeleton}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(app)
        for name, value in names.items():
            patch.setitem(sys.modules, name, value)
        spec.loader.exec_module(skeleton)
        good = skeleton.Execsnoop.open()
        assert good.spec.name == "execsnoop"
        file.write_bytes(Case("maps").object.read_bytes())
        with pytest.raises(ElfError, match=r"is another object .* generate the module again") as e:
            skeleton.Execsnoop.open()
        assert str(pickle.loads(pickle.dumps(e.value))) == str(e.value)
        file.unlink()
        with pytest.raises(ElfError, match=r"cannot be read .* put it there"):
            skeleton.Execsnoop.open()
        assert "sha256" in repr(skeleton._OBJECT)
        sys.modules.pop("app", None)
