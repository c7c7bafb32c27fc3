"""Make the committed objects and skeletons of examples/ again, or check that they are current.

    python tools/build_examples.py            compile with clang, then generate
    python tools/build_examples.py --check    compare each skeleton with its committed object

--check needs no clang: another version of it makes another object from the same source, so objects
are not compared.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BPFGEN = Path(sys.executable).parent / "bpfgen"

# The paths of this machine stay out of the objects: they are the same wherever they are built.
FLAGS = ("-g", "-O2", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3", "-fdebug-compilation-dir=.")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: build_examples.py [--check]", file=sys.stderr)
        return 2
    if not arguments:
        for folder in sorted({source.parent for source in ROOT.glob("examples/*/*.bpf.c")}):
            build_object(folder)
    status = 0
    for target in sorted(ROOT.glob("examples/*/*.bpf.o")):
        status |= skeleton(target, *arguments)
    return status


def build_object(folder: Path) -> None:
    """Make an example's object FOLDER.bpf.o: of its one source, or of several, which are linked.

    Raises:
        FileNotFoundError: there is no clang.
        subprocess.CalledProcessError: clang or the linker failed; what it said stands on stderr.
    """
    sources = sorted(folder.glob("*.bpf.c"))
    target = folder / f"{folder.name}.bpf.o"
    if len(sources) == 1:
        compile_object(sources[0], target)
        return
    with tempfile.TemporaryDirectory() as temporary:
        objects = [Path(temporary) / source.with_suffix(".o").name for source in sources]
        for source, compiled in zip(sources, objects, strict=True):
            compile_object(source, compiled)
        subprocess.run([BPFGEN, "link", target, *objects], check=True)


def compile_object(source: Path, target: Path) -> None:
    """Compile one BPF C source with clang.

    Raises:
        FileNotFoundError: there is no clang.
        subprocess.CalledProcessError: clang failed; what it said stands on stderr.
    """
    # clang -target bpf does not look where Debian keeps asm/types.h.
    triplet = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    command = ["clang", *FLAGS, f"-I/usr/include/{triplet}", "-c", source.name, "-o", str(target)]
    subprocess.run(command, cwd=source.parent, check=True)


def skeleton(target: Path, *options: str) -> int:
    """Run `bpfgen skeleton` on an object, beside it, and give its exit status."""
    # From the object's directory: the module's text names the object as it was given.
    return subprocess.run([BPFGEN, "skeleton", target.name, *options], cwd=target.parent).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
