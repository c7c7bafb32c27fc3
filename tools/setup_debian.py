"""Install the Debian packages that tests and benchmarks need and this machine lacks.

    .venv/bin/python tools/setup_debian.py

What is needed stands in tests/support/requirements.py. Without root or apt-get, one line names what
is missing and the tests that need it skip; with `CI=true` that is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.requirements import REQUIREMENTS  # noqa: E402 (the path comes first)

APT = "apt-get install "


def main() -> int:
    wanted = missing()
    if not wanted:
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        print(f"installing Debian packages: {' '.join(wanted)}", flush=True)
        install(wanted)
        wanted = missing()
        if not wanted:
            return 0
    names = " ".join(wanted)
    print(f"missing, what needs them is skipped: {names} (as root: {APT}{names})", file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 0


def missing() -> list[str]:
    """List the packages of what is not there, each once."""
    packages = [
        needed.how_to_get.removeprefix(APT)
        for needed in REQUIREMENTS.values()
        if needed.how_to_get.startswith(APT) and not needed.is_there()
    ]
    return list(dict.fromkeys(packages))


def install(packages: list[str]) -> None:
    """Install what can be installed; failures are apt-get's to report and the caller's to see."""
    if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        _apt_get("update", "-qq")
    command = ("install", "-qq", "--yes", "--no-install-recommends")
    # One name that this distribution does not know must not keep the others from being installed.
    if not _apt_get(*command, *packages) and len(packages) > 1:
        for package in packages:
            _apt_get(*command, package)


def _apt_get(*arguments: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *arguments], env=environment, stdin=subprocess.DEVNULL)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
