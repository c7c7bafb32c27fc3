"""Find and fetch Debian's kernel packages, whatever Debian this machine runs.

apt does the work, with directories of its own: the machine's package lists and sources stay as they
are. Suites are named here; the mirror is the one that the machine uses.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

#: Where the wanted kernels are: 5.10; 6.1 and 6.12; 7.x.
SUITES = ("bullseye", "bullseye-security", "bookworm", "bookworm-security", "forky")

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# linux-image-6.1.0-56-amd64 and the like hold all of a kernel; newer releases split it into
# linux-binary-*, linux-modules-* and linux-base-* (the configuration). Not wanted: cloud (has no
# 9p), rt, -unsigned, -dbg.
_NAME = re.compile(r"linux-(image|binary)-((\d+)\.(\d+)[\w.]*(?:\+deb\d+|-\d+))-amd64")


class KernelError(Exception):
    """What keeps a kernel from being used; one line that says what to do."""


class Package(NamedTuple):
    """A kernel in Debian's archive."""

    kind: str  # "image" or "binary"
    release: str  # as uname -r

    def names(self) -> list[str]:
        """List the packages to fetch."""
        if self.kind == "image":
            return [f"linux-image-{self.release}"]
        return [f"linux-{part}-{self.release}" for part in ("base", "binary", "modules")]


def belongs(release: str, series: str) -> bool:
    """Tell whether a release is of a series: `6.12`, or `7.x` for any 7."""
    wanted = series.removesuffix("x")
    return release.startswith(wanted if wanted.endswith(".") else f"{wanted}.")


def age_key(release: str) -> tuple[int, ...]:
    """Order releases: 5.10.0-46-amd64 is newer than 5.10.0-9-amd64."""
    return tuple(int(number) for number in re.findall(r"\d+", release))


class Archive:
    """Debian's archive, seen through apt directories below `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._updated = False

    def newest(self, series: str) -> Package:
        """Find the newest kernel of a series.

        Raises:
            KernelError: there is none; says which there are.
        """
        self._update()
        words = _output("apt-cache", *self._options(), "search", "--names-only", "^linux-(image|b)")
        found = []
        for line in words.splitlines():
            name = line.split(" ", 1)[0]
            if match := _NAME.fullmatch(name):
                found.append(Package(match[1], f"{match[2]}-amd64"))
        fitting = [package for package in found if belongs(package.release, series)]
        if not fitting:
            known = sorted({f"{p.release.split('.')[0]}.{p.release.split('.')[1]}" for p in found})
            raise KernelError(f"Debian has no kernel {series}; it has: {' '.join(known) or 'none'}")
        # Of one release, "image" holds everything; where the archive is split, it needs "binary".
        split = {package.release for package in fitting if package.kind == "binary"}
        fitting = [p for p in fitting if p.kind == "binary" or p.release not in split]
        return max(fitting, key=lambda package: age_key(package.release))

    def download(self, package: Package, target: Path) -> list[Path]:
        """Fetch a kernel's packages into a directory, and give their files."""
        self._update()
        target.mkdir(parents=True, exist_ok=True)
        _run("apt-get", *self._options(), "-qq", "download", *package.names(), cwd=target)
        return sorted(target.glob("*.deb"))

    def _update(self) -> None:
        if self._updated:
            return
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        self._sources.write_text(_sources())
        _run("apt-get", *self._options(), "-qq", "update")
        self._updated = True

    @property
    def _sources(self) -> Path:
        return self._directory / "sources.list"

    def _options(self) -> list[str]:
        settings = (
            f"Dir::Etc::sourcelist={self._sources}",
            "Dir::Etc::sourceparts=-",
            f"Dir::State={self._directory / 'state'}",
            "Dir::State::status=/var/lib/dpkg/status",
            f"Dir::Cache={self._directory / 'cache'}",
            "Acquire::Languages=none",
            # A suite that is no longer maintained stops signing new dates.
            "Acquire::Check-Valid-Until=false",
            # The cache may lie where apt's own user cannot write.
            "APT::Sandbox::User=root",
        )
        return [word for setting in settings for word in ("-o", setting)]


def _sources() -> str:
    """Write a sources.list of `SUITES` on the mirrors that this machine uses."""
    release, security = _mirrors()
    lines = []
    for suite in SUITES:
        uri = security if suite.endswith("-security") else release
        lines.append(f"deb [arch=amd64 signed-by={KEYRING}] {uri} {suite} main\n")
    return "".join(lines)


def _mirrors() -> tuple[str, str]:
    """Give where this machine's apt gets Debian and its security updates from."""
    wanted = ("--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
    text = _output("apt-get", "indextargets", *wanted)
    found = dict(line.split(" ", 1) for line in text.splitlines())
    for suite, uri in found.items():
        security = found.get(f"{suite}-security")
        if security is not None and KEYRING.exists():
            return uri, security
    raise KernelError(
        "this machine's apt has no Debian suite along with its -security suite, or no "
        f"{KEYRING} (package debian-archive-keyring)"
    )


def _output(*command: str) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise KernelError(f"{command[0]}: {_last(done.stderr)}")
    return done.stdout


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd
    )
    if done.returncode != 0:
        raise KernelError(f"{command[0]}: {_last(done.stderr)}")


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "failed without a word"
