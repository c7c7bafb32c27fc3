"""What a test may need beyond Python, how to see whether it is there, and where Debian has it.

A missing thing skips the test with the reason. With `CI=true` it fails the test: on a CI machine
everything is to be there, and a skip there would hide that it no longer is.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import sysconfig
from collections.abc import Callable
from typing import NamedTuple

import pytest


class Requirement(NamedTuple):
    """One thing that tests may need."""

    is_there: Callable[[], bool]
    how_to_get: str


def multiarch_include() -> str:
    """Give the directory of the architecture's own headers (`asm/types.h`)."""
    # clang -target bpf does not look there by itself.
    triplet = sysconfig.get_config_var("MULTIARCH") or f"{os.uname().machine}-linux-gnu"
    return f"/usr/include/{triplet}"


def _tool(name: str, package: str) -> Requirement:
    return Requirement(lambda: shutil.which(name, path=_path()) is not None, _apt(package))


def _path() -> str:
    # A plain user's PATH lacks the sbin directories, where Debian puts ip and bpftool.
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def _apt(package: str) -> str:
    return f"apt-get install {package}"


def _bpf_works() -> bool:
    return os.geteuid() == 0 and os.path.isdir("/sys/fs/bpf")


def _cgroup2_mount() -> str | None:
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == "cgroup2":
                return fields[1]
    return None


REQUIREMENTS = {
    "clang": _tool("clang", "clang"),
    "llvm-strip": _tool("llvm-strip", "llvm"),
    "llvm-objdump": _tool("llvm-objdump", "llvm"),
    "llvm-readelf": _tool("llvm-readelf", "llvm"),
    "readelf": _tool("readelf", "binutils"),
    "gcc": _tool("gcc", "gcc"),
    "make": _tool("make", "make"),
    "bpftool": _tool("bpftool", "bpftool"),
    "ip": _tool("ip", "iproute2"),
    "setpriv": _tool("setpriv", "util-linux"),
    "libbpf-dev": Requirement(
        lambda: os.path.exists("/usr/include/bpf/bpf_helpers.h"), _apt("libbpf-dev")
    ),
    "libbpf": Requirement(lambda: ctypes.util.find_library("bpf") is not None, _apt("libbpf1")),
    "linux-headers": Requirement(
        lambda: os.path.exists(f"{multiarch_include()}/asm/types.h"), _apt("linux-libc-dev")
    ),
    "root": Requirement(lambda: os.geteuid() == 0, "run the tests as root"),
    "bpf": Requirement(_bpf_works, "run as root on a kernel with CONFIG_BPF_SYSCALL"),
    "btf": Requirement(
        lambda: os.path.exists("/sys/kernel/btf/vmlinux"), "use a kernel with CONFIG_DEBUG_INFO_BTF"
    ),
    "cgroup2": Requirement(
        lambda: _cgroup2_mount() is not None, "mount -t cgroup2 none /sys/fs/cgroup/unified"
    ),
    "tracefs": Requirement(
        lambda: os.path.isdir("/sys/kernel/tracing/events"),
        "mount -t tracefs tracefs /sys/kernel/tracing (as root)",
    ),
}

#: What the mark `live` stands for.
LIVE = ("root", "bpf")


def require(*names: str) -> None:
    """Skip the calling test, or fail it under `CI=true`, unless all the named things are there."""
    missing = [name for name in names if not REQUIREMENTS[name].is_there()]
    if not missing:
        return
    reason = "; ".join(f"needs {name}: {REQUIREMENTS[name].how_to_get}" for name in missing)
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (a skip elsewhere, a failure with CI=true)", pytrace=False)
    pytest.skip(reason)


def tool(name: str) -> str:
    """Give the path of a tool of the table, or skip as `require` does."""
    require(name)
    path = shutil.which(name, path=_path())
    assert path is not None
    return path


def cgroup2_root() -> str:
    """Give where cgroup2 is mounted, or skip as `require` does."""
    require("cgroup2")
    path = _cgroup2_mount()
    assert path is not None
    return path
