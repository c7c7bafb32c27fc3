"""Make .venv with both distributions in it, editable; do nothing where that is so already.

    python3 tools/setup_venv.py [--test]

Versions are those of requirements.txt, with --test those of requirements-test.txt too. Whether they
are there is read from the directories that pip leaves, so that a second run costs milliseconds.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
DISTRIBUTIONS = {"bpfgen-runtime": ROOT / "runtime", "bpfgen": ROOT}


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--test"]):
        print("usage: setup_venv.py [--test]", file=sys.stderr)
        return 2
    requirements = ROOT / "tools" / ("requirements-test.txt" if arguments else "requirements.txt")
    if not _venv_works() and not _make_venv():
        return 1
    installed = _installed()
    if not _pinned(requirements, installed):
        print(f"installing the packages of {requirements.relative_to(ROOT)} into .venv", flush=True)
        if _pip("-r", str(requirements)) != 0:
            return 1
    if not all(_is_editable(installed.get(name), path) for name, path in DISTRIBUTIONS.items()):
        print("installing bpfgen and bpfgen-runtime into .venv, editable", flush=True)
        editable = [word for path in DISTRIBUTIONS.values() for word in ("--editable", str(path))]
        return _pip("--no-build-isolation", "--no-deps", *editable)
    return 0


def _venv_works() -> bool:
    """Tell whether .venv has a Python that runs, is new enough, and has pip."""
    if not PYTHON.exists():
        return False
    test = "import sys, pip; sys.exit(sys.version_info < (3, 10))"
    return subprocess.run([PYTHON, "-c", test], capture_output=True).returncode == 0


def _make_venv() -> bool:
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"making .venv with Python {version}", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        print("no virtual environment; on Debian: apt-get install python3-venv", file=sys.stderr)
    return done.returncode == 0


def _installed() -> dict[str, Path]:
    """Map each distribution in .venv, by normalised name, to its metadata directory."""
    places = VENV.glob("lib/python3*/site-packages/*.dist-info")  # NAME-VERSION.dist-info
    return {_normal(place.name.split("-")[0]): place for place in places}


def _pinned(requirements: Path, installed: dict[str, Path]) -> bool:
    wanted: dict[str, set[str]] = {}  # a package may have a version for each of several Pythons
    for name, version in _pins(requirements):
        wanted.setdefault(name, set()).add(version)
    return all(
        name in installed and installed[name].stem.partition("-")[2] in versions
        for name, versions in wanted.items()
    )


def _pins(requirements: Path) -> list[tuple[str, str]]:
    found = []
    for line in requirements.read_text().splitlines():
        if line.startswith("-r "):
            found += _pins(requirements.parent / line[3:].strip())
        elif match := re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", line):
            found.append((_normal(match[1]), match[2]))
    return found


def _entry(path: Path) -> str | None:
    """Return what the command `bpfgen` calls, by metadata or project file; None without one."""
    text = path.read_text() if path.exists() else ""
    found = re.search(r'^bpfgen = "?([\w.]+:\w+)"?$', text, re.MULTILINE)
    return found and found[1]


def _is_editable(metadata: Path | None, source: Path) -> bool:
    if metadata is None or not (metadata / "direct_url.json").exists():
        return False
    if _entry(metadata / "entry_points.txt") != _entry(source / "pyproject.toml"):
        return False
    url = json.loads((metadata / "direct_url.json").read_text())["url"]
    return Path(unquote(urlparse(url).path)) == source


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pip(*arguments: str) -> int:
    # Compiling every module takes longer than the rest; those that are used compile themselves.
    options = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-compile")
    command = [str(PYTHON), "-m", "pip", "install", *options, *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
