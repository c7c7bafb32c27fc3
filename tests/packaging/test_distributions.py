"""What wheels and sdists of both distributions hold, and that the generator works from a wheel."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import tarfile
import zipfile
from importlib import resources
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, SOURCES

Built = dict[tuple[str, str], Path]


@pytest.mark.parametrize("name", SOURCES)
def test_wheel_of_the_sdist_is_the_wheel_of_the_tree(built: Built, name: str) -> None:
    """An sdist holds all that its wheel is made of: both ways give the same files, byte by byte."""
    assert _members(built[name, "wheel of the sdist"]) == _members(built[name, "wheel"])


@pytest.mark.parametrize("name", SOURCES)
def test_wheel_holds_the_package_and_nothing_else(built: Built, name: str) -> None:
    """Each file of the package is in the wheel, py.typed with it, and no other package."""
    members = _members(built[name, "wheel"])
    code = {path for path in members if ".dist-info/" not in path}
    package = SOURCES[name] / name
    expected = {
        str(path.relative_to(package.parent))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "_templates" not in path.parts
    }
    templates = {path for path in code if path.startswith("bpfgen/_templates/")}
    assert code - templates == expected
    assert f"{name}/py.typed" in code


def test_templates_reach_wheel_sdist_and_editable_install(built: Built) -> None:
    """The templates are package data of bpfgen however it is installed."""
    expected = {path.name: path.read_bytes() for path in (ROOT / "templates").glob("*.j2")}
    assert expected
    in_wheel = {
        Path(path).name: data
        for path, data in _members(built["bpfgen", "wheel"]).items()
        if path.startswith("bpfgen/_templates/")
    }
    assert in_wheel == expected
    with tarfile.open(built["bpfgen", "sdist"]) as sdist:
        names = {Path(name).name for name in sdist.getnames() if "/_templates/" in name}
    assert names == set(expected)
    editable = resources.files("bpfgen") / "_templates"
    assert {entry.name: entry.read_bytes() for entry in editable.iterdir()} == expected


@pytest.mark.parametrize(
    ("name", "requirements"),
    [
        ("bpfgen", ["bpfgen-runtime==", "jinja2", "black", "click", "rich", "tomli"]),
        ("bpfgen_runtime", ["pyelftools"]),
    ],
)
def test_metadata(built: Built, name: str, requirements: list[str]) -> None:
    """Python 3.10 is enough, and the runtime asks for pyelftools only."""
    members = _members(built[name, "wheel"])
    [text] = [data for path, data in members.items() if path.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(text)
    assert metadata["Requires-Python"] == ">=3.10"
    found = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(found) == len(requirements)
    for start in requirements:
        assert any(line.startswith(start) for line in found), start


def test_both_distributions_have_one_version(built: Built) -> None:
    """The generator asks for the runtime of exactly its own version."""
    versions = {path.name.split("-")[1] for (_, kind), path in built.items() if kind == "wheel"}
    assert len(versions) == 1
    [version] = versions
    members = _members(built["bpfgen", "wheel"])
    [text] = [data for path, data in members.items() if path.endswith(".dist-info/METADATA")]
    assert f"Requires-Dist: bpfgen-runtime=={version}" in text.decode().splitlines()


@pytest.mark.parametrize("kind", ["wheel", "wheel of the sdist"])
def test_installed_wheel_generates_the_committed_skeleton(
    built: Built, kind: str, tmp_path: Path
) -> None:
    """bpfgen out of its wheel makes what the checkout's bpfgen makes."""
    site = tmp_path / "site"
    wheels = [built[name, kind] for name in SOURCES]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*install, "--target", site, *wheels], check=True)
    example = ROOT / "examples" / "execsnoop"
    program = (
        "import bpfgen, bpfgen_runtime, bpfgen.cli as cli, sys;"
        "assert bpfgen.__file__.startswith(sys.argv[1]), bpfgen.__file__;"
        "assert bpfgen_runtime.__file__.startswith(sys.argv[1]), bpfgen_runtime.__file__;"
        "sys.argv[:] = ['bpfgen', 'skeleton', 'execsnoop.bpf.o', '-o', sys.argv[2]];"
        "sys.exit(cli.main())"
    )
    output = tmp_path / "execsnoop_skel.py"
    done = subprocess.run(
        [sys.executable, "-c", program, site, output],
        cwd=example,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert output.read_text() == (example / "execsnoop_skel.py").read_text()


def _members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
