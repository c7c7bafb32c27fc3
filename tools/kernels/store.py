"""Unpacked kernels, kept outside of the repository, and the programs that boot them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .debian import Archive, KernelError, Package, age_key, belongs

#: What booting needs from Debian: program or file, and package.
TOOLS = (
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("kmod", "kmod"),
    ("busybox", "busybox-static"),
    ("zstd", "zstd"),
)
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements-kernels.txt"

_PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


class Kernel(NamedTuple):
    """A kernel on disk."""

    release: str  # as uname -r
    directory: Path

    @property
    def image(self) -> Path:
        """The kernel itself, beside its modules, where virtme-ng looks for them."""
        return self.directory / "lib" / "modules" / self.release / "vmlinuz"

    @property
    def config(self) -> Path | None:
        """The kernel's configuration, as its package has it."""
        places = (
            self.directory / "boot" / f"config-{self.release}",
            self.directory / "usr/lib/modules" / self.release / "config",
        )
        return next((place for place in places if place.exists()), None)


class Store:
    """The cache: `$XDG_CACHE_HOME/bpfgen-kernels`, or below ~/.cache."""

    def __init__(self, directory: Path | None = None) -> None:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.directory = Path(home) / "bpfgen-kernels" if directory is None else directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self._archive = Archive(self.directory / "apt")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs from changing the cache for the block."""
        with open(self.directory / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def slot(self, count: int) -> Iterator[None]:
        """Wait until fewer than `count` guests run, whoever started them; count for the block."""
        while True:
            for number in range(count):
                with open(self.directory / f"slot-{number}", "w") as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        continue
                    yield
                    return
            time.sleep(1)

    def kernel(self, series: str, *, update: bool = False) -> Kernel:
        """Give a kernel of a series; fetch it where the cache has none.

        Args:
            update: ask Debian for a newer one than the cache's.
        """
        found = [kernel for kernel in self._kernels() if belongs(kernel.release, series)]
        if found and not update:
            return max(found, key=lambda kernel: age_key(kernel.release))
        package = self._archive.newest(series)
        for kernel in found:
            if kernel.release == package.release:
                return kernel
        return self._fetch(package)

    def boot_tools(self) -> Path:
        """Give the directory of `vng`; install it, and what it needs from Debian, if missing."""
        missing = [package for tool, package in TOOLS if shutil.which(tool, path=_PATH) is None]
        if missing:
            _install(missing)
        venv = self.directory / "venv"
        stamp = venv / "requirements.txt"
        wanted = REQUIREMENTS.read_text()
        if not (venv / "bin" / "vng").exists() or not stamp.exists() or stamp.read_text() != wanted:
            print("installing virtme-ng", flush=True)
            pip = (venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input")
            for command in (
                (sys.executable, "-m", "venv", "--clear", venv),
                (*pip, "--disable-pip-version-check", "-r", REQUIREMENTS),
            ):
                if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
                    raise KernelError("virtme-ng cannot be installed: see above")
            stamp.write_text(wanted)
        return venv / "bin"

    def _kernels(self) -> list[Kernel]:
        found = [Kernel(path.name, path) for path in (self.directory / "kernels").glob("[0-9]*")]
        return [kernel for kernel in found if kernel.image.exists()]

    def _fetch(self, package: Package) -> Kernel:
        print(f"fetching Linux {package.release}", flush=True)
        target = self.directory / "kernels" / package.release
        partial = target.with_name(f".{package.release}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        downloads = partial / "packages"
        for file in self._archive.download(package, downloads):
            subprocess.run(["dpkg-deb", "-x", file, partial], check=True)
        shutil.rmtree(downloads)
        _complete(Kernel(package.release, partial))
        # Renamed last: what has a final name is whole.
        partial.rename(target)
        return Kernel(package.release, target)


def _complete(kernel: Kernel) -> None:
    """Bring an unpacked kernel into the shape that virtme-ng expects."""
    merged = kernel.directory / "usr" / "lib" / "modules" / kernel.release
    modules = kernel.image.parent
    if merged.is_dir() and not modules.exists():
        modules.parent.mkdir(parents=True, exist_ok=True)
        modules.symlink_to(os.path.relpath(merged, modules.parent))
    if not kernel.image.exists():
        shutil.copy(kernel.directory / "boot" / f"vmlinuz-{kernel.release}", kernel.image)
    depmod = shutil.which("depmod", path=_PATH)
    if depmod is None:
        raise KernelError("needs depmod; on Debian: apt-get install kmod")
    subprocess.run([depmod, "-b", kernel.directory, kernel.release], check=True)


def _install(packages: list[str]) -> None:
    names = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise KernelError(f"missing: {names} (as root: apt-get install {names})")
    print(f"installing Debian packages: {names}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-qq", "--yes", "--no-install-recommends", *packages)
    for command in (("apt-get", "update", "-qq"), install):
        if subprocess.run(command, env=environment, stdin=subprocess.DEVNULL).returncode != 0:
            raise KernelError(f"apt-get cannot install {names}: see above")
