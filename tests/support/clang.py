"""Compile the BPF sources of tests/bpf, once per content and compiler."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from tests.support.requirements import multiarch_include, require, tool

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests" / "bpf"
CACHE = ROOT / "build" / "bpf"

FLAGS = ("-g", "-O2", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3")


def compile_bpf(name: str, *flags: str) -> Path:
    """Compile tests/bpf/NAME.bpf.c and give the path of the object, called NAME.bpf.o.

    The object is kept under build/bpf in a directory named by a hash of the source, the headers
    beside it, the flags and clang's version; a second call costs the hash. The test is skipped
    (fails with CI=true) where clang or the headers of libbpf-dev are missing.

    Args:
        name: the source's name without `.bpf.c`.
        flags: more flags for clang, behind `FLAGS`, so that `-target bpfeb` or `-mcpu=v2` wins.
    """
    return compile_source(SOURCES / f"{name}.bpf.c", *flags)


def compile_source(source: Path, *flags: str) -> Path:
    """Compile any BPF C source as `compile_bpf` does: NAME.bpf.c becomes NAME.bpf.o."""
    require("clang", "libbpf-dev", "linux-headers")
    name = source.name.removesuffix(".c")
    every = (*FLAGS, f"-I{multiarch_include()}", *flags)
    digest = hashlib.sha256(repr((_clang_version(), every)).encode())
    for part in (source, *sorted(source.parent.glob("*.h"))):
        digest.update(part.read_bytes())
    target = CACHE / f"{name}-{digest.hexdigest()[:16]}" / f"{name}.o"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target and renamed: two test runs at once never see half an object.
    handle, partial = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
    os.close(handle)
    try:
        done = subprocess.run(
            [tool("clang"), *every, "-c", source.name, "-o", partial],
            cwd=source.parent,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise AssertionError(f"clang cannot compile {source}:\n{done.stderr}")
        os.replace(partial, target)
    finally:
        Path(partial).unlink(missing_ok=True)
    return target


@functools.cache
def _clang_version() -> str:
    done = subprocess.run([tool("clang"), "--version"], capture_output=True, text=True, check=True)
    return done.stdout
