"""clang as it is used for BPF: found, asked for its version, run; dependency files."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bpfgen_runtime.errors import GenerateError

from .config import ARCHITECTURES, Config, Target

__all__ = ["ClangMissing", "Compiled", "compile_source", "find", "flags", "read_depfile", "version"]

_BIG_ENDIAN = ("s390", "sparc")


class ClangMissing(GenerateError):
    """There is no clang, or none by the name that was configured."""


class Compiled(NamedTuple):
    """What came of one source.

    Attributes:
        diagnostics: what clang wrote, as it is: warnings, or why it failed.
        hint: what to do about a failure that clang itself does not explain; "" for none.
        dependencies: the source and all headers, absolute.
    """

    ok: bool
    diagnostics: str
    hint: str
    dependencies: tuple[Path, ...]


def find(name: str) -> str:
    """Give the path of clang.

    Raises:
        ClangMissing: there is none.
    """
    path = shutil.which(name)
    if path is None:
        raise ClangMissing(
            f"{name!r} is not there, and compiling BPF needs clang: install it (Debian, Ubuntu: "
            "apt-get install clang; Fedora: dnf install clang), or name another by --clang or "
            "`clang` in [tool.bpfgen]"
        )
    return path


@functools.cache
def version(path: str) -> str:
    """Give what clang says of itself.

    Raises:
        GenerateError: it does not run.
    """
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True)
    except OSError as error:
        raise GenerateError(f"{path} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise GenerateError(f"{path} --version failed: {done.stderr.strip()}")
    return done.stdout.strip()


@functools.cache
def _system_includes(path: str) -> tuple[str, ...]:
    """List where clang looks for headers of this machine; with -target bpf it does not.

    Without them <linux/bpf.h> finds no asm/types.h on Debian and its like.
    """
    done = subprocess.run(
        [path, "-v", "-E", "-"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    _, _, found = done.stderr.partition("#include <...> search starts here:\n")
    found, _, _ = found.partition("End of search list.")
    return tuple(line.strip() for line in found.splitlines() if line.startswith(" /"))


def host_arch() -> str:
    """Give the machine's architecture as bpf_tracing.h calls it."""
    machine = platform.machine()
    return next((arch for arch, names in ARCHITECTURES.items() if machine in names), machine)


def flags(config: Config, target: Target) -> list[str]:
    """Give clang's flags for a target, but for those that depend on what is installed here."""
    arch = config.arch or host_arch()
    triple = "bpf"  # of this machine's byte order
    if config.arch is not None:
        triple = "bpfeb" if arch in _BIG_ENDIAN else "bpfel"
    words = ["-g", "-O2", "-target", triple, "-mcpu=v3", f"-D__TARGET_ARCH_{arch}"]
    # No path of this machine gets into the object: it is the same wherever the project lies.
    words.append(f"-ffile-prefix-map={config.root}=.")
    if not config.build_dir.is_relative_to(config.root):
        words.append(f"-ffile-prefix-map={config.build_dir}=.bpfgen")
    words += [f"-I{_shown(config, each)}" for each in (*target.include_dirs, *config.include_dirs)]
    if config.vmlinux_h is not None:
        words.append(f"-I{_shown(config, vmlinux_dir(config, config.vmlinux_h))}")
    return [*words, *config.cflags, *target.cflags]


def vmlinux_dir(config: Config, path: Path) -> Path:
    """Give the directory in which a source finds the file as `vmlinux.h`, whatever it is called."""
    return path.parent if path.name == "vmlinux.h" else config.build_dir / "include"


def provide_vmlinux_h(config: Config) -> None:
    """Make the file that `vmlinux_dir` promises.

    Raises:
        GenerateError: the configured file is not there.
        OSError: it cannot be made.
    """
    path = config.vmlinux_h
    if path is None:
        return
    if not path.is_file():
        raise GenerateError(
            f"vmlinux_h: {path} is not there: make it by `bpfgen vmlinux > {path.name}`"
        )
    if path.name != "vmlinux.h":
        from . import publish

        folder = vmlinux_dir(config, path)
        folder.mkdir(parents=True, exist_ok=True)
        publish.write(folder / "vmlinux.h", f'#include "{os.path.relpath(path, folder)}"\n')


def compile_source(
    clang: str, source: Path, output: Path, words: Sequence[str], *, root: Path, colour: bool
) -> Compiled:
    """Compile one source into an object.

    Args:
        clang: its path.
        words: of `flags`.
        root: the project's directory, which paths are shown relative to.
        colour: whether clang's diagnostics are for a terminal.

    Raises:
        OSError: clang cannot be run.
    """
    depfile = output.with_suffix(".d")
    command = [clang, *words]
    for place in _system_includes(clang):
        command += ["-idirafter", place]
    command += ["-fcolor-diagnostics" if colour else "-fno-color-diagnostics"]
    command += ["-MD", "-MF", str(depfile), "-MT", "object"]
    command += ["-c", _relative(source, root), "-o", str(output)]
    # PWD: clang takes it for the directory's name in debug information.
    environment = os.environ | {"PWD": str(root)}
    done = subprocess.run(
        command,
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        return Compiled(False, done.stderr, _hint(clang, done.stderr), ())
    found = read_depfile(depfile.read_text(errors="surrogateescape"))
    return Compiled(True, done.stderr, "", tuple(root / each for each in found))


def _hint(clang: str, diagnostics: str) -> str:
    """Explain failures whose cause clang does not name."""
    if "unable to create target" in diagnostics or "unknown target triple" in diagnostics:
        return (
            f"{clang} was built without the BPF target: install LLVM's own clang (macOS: brew "
            "install llvm), and name it by --clang or `clang` in [tool.bpfgen]"
        )
    if "'vmlinux.h' file not found" in diagnostics:
        return (
            'make it by `bpfgen vmlinux > vmlinux.h`, and set vmlinux_h = "vmlinux.h" in '
            "[tool.bpfgen]"
        )
    if "'bpf/bpf_helpers.h' file not found" in diagnostics:
        return "libbpf's headers are missing (Debian, Ubuntu: apt-get install libbpf-dev)"
    if "'linux/bpf.h' file not found" in diagnostics:
        return "the kernel's headers are missing (Debian, Ubuntu: apt-get install linux-libc-dev)"
    return ""


def read_depfile(text: str) -> list[str]:
    r"""Read the prerequisites of a rule as clang writes it for make.

    Lines go on after `\`; a space or `#` in a name has a `\` before it, a `$` is doubled.
    """
    _, _, rest = text.replace("\\\n", " ").partition(": ")
    names, name = [], ""
    at = 0
    while at < len(rest):
        here, pair = rest[at], rest[at : at + 2]
        if pair in ("\\ ", "\\#", "$$"):
            name += pair[1]
            at += 2
            continue
        at += 1
        if not here.isspace():
            name += here
        elif name:
            names.append(name)
            name = ""
    return [*names, name] if name else names


def write_depfile(targets: Sequence[str], prerequisites: Sequence[str]) -> str:
    """Write a rule that make and ninja read."""

    def quoted(name: str) -> str:
        return name.replace("$", "$$").replace("#", "\\#").replace(" ", "\\ ")

    names = [quoted(name) for name in prerequisites]
    rule = " \\\n  ".join([f"{' '.join(map(quoted, targets))}:", *names])
    # A rule for each header, so that make goes on where one is deleted.
    return rule + "\n" + "".join(f"\n{name}:\n" for name in names)


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _shown(config: Config, path: Path) -> str:
    return _relative(path, config.root)
