"""Applications whose wheels are made by the build hooks: hatchling's and setuptools'."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, SOURCES

Built = dict[tuple[str, str], Path]

PROJECT = ROOT / "examples/project"
SKELETON = "execcount/execcount_skel.py"

#: The hatchling lines of the example, as docs/build.md says them for setuptools.
SETUPTOOLS = """
[build-system]
requires = ["setuptools>=77", "bpfgen"]
build-backend = "setuptools.build_meta"

[project]
name = "execcount"
version = "1.0"

[tool.setuptools.cmdclass]
build_py = "bpfgen.hooks.setuptools.BuildPy"

[tool.bpfgen]
output_dir = "src/execcount"

[tool.bpfgen.objects.execcount]
sources = ["bpf/execcount.bpf.c"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the example, with nothing built in it."""
    copy = tmp_path / "project"
    unwanted = shutil.ignore_patterns("*_skel.py", ".bpfgen", "__pycache__", "dist")
    return Path(shutil.copytree(PROJECT, copy, ignore=unwanted))


@pytest.fixture(scope="module")
def house(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collect wheels of all that isolated builds ask for: ours, and pinned ones of the index."""
    place = tmp_path_factory.mktemp("wheels")
    for name in SOURCES:
        shutil.copy(built[name, "wheel"], place)
    pins = (ROOT / "tools/requirements.txt").read_text()
    pins += (ROOT / "tools/requirements-test.txt").read_text()
    wanted = ("black", "click", "hatchling", "jinja2", "pyelftools", "rich", "setuptools")
    lines = [line for line in pins.splitlines() if line.partition("==")[0] in wanted]
    assert len(lines) == len(wanted)
    command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(place), *lines]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return place


def wheel(
    source: Path, house: Path | None, *, clang: bool = True
) -> tuple[dict[str, bytes], subprocess.CompletedProcess[str]]:
    """Have pip build a wheel, isolated if there is a house of wheels; give its files."""
    out = source.parent / "wheels"
    command = [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "-w", str(out), str(source)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if house is None:
        command.append("--no-build-isolation")
    else:
        environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(house)}
    if not clang:
        environment["PATH"] = str(Path(sys.executable).parent)
    done = subprocess.run(
        command, env=environment, cwd=source.parent, capture_output=True, text=True
    )
    files: dict[str, bytes] = {}
    for path in out.glob("*.whl"):
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    return files, done


def use_setuptools(project: Path, more: str = "") -> None:
    (project / "pyproject.toml").write_text(SETUPTOOLS + more)


def test_example_project_says_what_is_tested() -> None:
    """The setuptools lines of the example's README are those of these tests."""
    text = (PROJECT / "README.md").read_text()
    for line in re.findall(r"^    (\S.*)$", text[text.index("With setuptools") :], re.MULTILINE):
        assert line in SETUPTOOLS


@pytest.mark.needs("clang", "libbpf-dev")
@pytest.mark.parametrize("backend", ["hatchling", "setuptools"])
def test_isolated_build(backend: str, project: Path, house: Path, tmp_path: Path) -> None:
    """`pip wheel .` in isolation generates the module; it opens where only the wheels are."""
    if backend == "setuptools":
        use_setuptools(project)
    files, done = wheel(project, house)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compiled bpf/execcount.bpf.c" in done.stdout + done.stderr
    assert b"class Execcount(Skeleton)" in files[SKELETON]
    assert not (project / ".bpfgen").exists()
    assert not list(project.rglob("*.o"))
    # Where bpfgen itself is not: nothing but the runtime's wheel and this one.
    site = tmp_path / "site"
    for path in [*house.glob("bpfgen_runtime-*.whl"), *(tmp_path / "wheels").glob("*.whl")]:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(site)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import execcount as app\n"
    code += "opened = app.Execcount.open(); assert opened.maps.users.max_entries == 1024"
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", code, site], capture_output=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.needs("clang", "libbpf-dev")
def test_build_is_that_of_the_command(project: Path) -> None:
    """The hook makes the same bytes as `bpfgen build`, and of a header of any name."""
    header = project / "bpf/kernel.h"
    header.write_text("#include <linux/bpf.h>\n")
    source = project / "bpf/execcount.bpf.c"
    source.write_text(source.read_text().replace("<linux/bpf.h>", '"vmlinux.h"'))
    text = (project / "pyproject.toml").read_text()
    text = text.replace("[tool.bpfgen]\n", '[tool.bpfgen]\nvmlinux_h = "bpf/kernel.h"\n')
    (project / "pyproject.toml").write_text(text)
    files, done = wheel(project, None)
    assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run([Path(sys.executable).parent / "bpfgen", "build", "-q"], cwd=project, check=True)
    assert (project / "src" / SKELETON).read_bytes() == files[SKELETON]


@pytest.mark.needs("clang", "libbpf-dev")
def test_sdist_and_a_host_without_clang(project: Path, tmp_path: Path) -> None:
    """An sdist has sources and module; without clang its wheel has that module."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "-o", str(tmp_path)]
    subprocess.run([*command, str(project)], check=True, capture_output=True)
    [sdist] = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"bpf/execcount.bpf.c", "bpf/execcount.h", f"src/{SKELETON}"} <= names
    files, done = wheel(sdist, None, clang=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stays as it is" in done.stdout + done.stderr
    assert files[SKELETON] == (project / "src" / SKELETON).read_bytes()


@pytest.mark.needs("clang", "libbpf-dev")
@pytest.mark.parametrize("backend", ["hatchling", "setuptools"])
def test_committed_object_and_sidecar(backend: str, project: Path) -> None:
    """Without clang the object in the project does; a sidecar is in the wheel too."""
    more = 'object = "bpf/execcount.bpf.o"\nsidecar = true\n'
    if backend == "setuptools":
        use_setuptools(project, more)
    else:
        with open(project / "pyproject.toml", "a") as file:
            file.write(more)
    bpfgen = Path(sys.executable).parent / "bpfgen"
    subprocess.run([bpfgen, "build", "-q", "--no-check-types"], cwd=project, check=True)
    kept = (project / "bpf/execcount.bpf.o").read_bytes()
    for path in (project / "src/execcount").glob("execcount*.[po]*"):
        path.unlink()
    shutil.rmtree(project / ".bpfgen")
    files, done = wheel(project, None, clang=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no clang: bpf/execcount.bpf.o is taken as it is" in done.stdout + done.stderr
    assert b"SidecarObject" in files[SKELETON]
    assert files["execcount/execcount.bpf.o"] == kept


@pytest.mark.needs("clang", "libbpf-dev")
@pytest.mark.parametrize("backend", ["hatchling", "setuptools"])
def test_failures(backend: str, project: Path) -> None:
    """What clang says, and what is wrong with the configuration, ends the build."""
    if backend == "setuptools":
        use_setuptools(project)
    source = project / "bpf/execcount.bpf.c"
    text = source.read_text()
    source.write_text("#error look here\n" + text)
    files, done = wheel(project, None)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert files == {}
    assert "error: look here" in output
    assert "execcount: clang cannot compile bpf/execcount.bpf.c" in output
    source.write_text(text)
    files, done = wheel(project, None, clang=False)
    assert files == {}
    assert "'clang' is not there, and compiling BPF needs clang" in done.stdout + done.stderr
