"""Load tests/bpf/bad_*.bpf.c and keep what this machine's verifier says to each.

The logs are the corpus of tests/unit/test_verifier_log.py: one directory per kernel. Run as root,
on the kernel in question:

    python tools/verifier_logs.py tests/data/verifier/6.18 [NAME ...]

The objects are compiled where clang is; `--objects DIR` takes them from a directory instead, so
that a virtual machine needs no compiler. `--unprivileged` adds tests/bpf/unprivileged_*.bpf.c,
which only a process without CAP_BPF is refused: it lets everybody load programs meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "runtime")]

from bpfgen_runtime.errors import BpfError, VerifierError  # noqa: E402 - needs the path above
from bpfgen_runtime.loader import load_spec  # noqa: E402
from bpfgen_runtime.object import Object  # noqa: E402

#: More would be in the way of whoever reads a change: the verifier's first and last steps say it.
_KEPT = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", type=Path, help="directory for NAME.log")
    parser.add_argument("names", nargs="*", help="which, without bad_; all if none is given")
    parser.add_argument("--objects", type=Path, help="directory of bad_NAME.bpf.o")
    parser.add_argument("--unprivileged", action="store_true", help="what nobody may load, too")
    options = parser.parse_args()
    names = options.names or [
        path.name.removesuffix(".bpf.c").removeprefix("bad_")
        for path in sorted((ROOT / "tests" / "bpf").glob("bad_*.bpf.c"))
    ]
    options.target.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in names:
        if options.objects is None:
            from tests.support.clang import compile_bpf

            path = compile_bpf(f"bad_{name}")
        else:
            path = options.objects / f"bad_{name}.bpf.o"
        try:
            Object.load(load_spec(str(path))).close()
        except VerifierError as error:
            (options.target / f"{name}.log").write_text(shortened(error.log))
        except BpfError as error:
            print(f"{name}: no log: {error}", file=sys.stderr)
            failed += 1
        else:
            print(f"{name}: loads", file=sys.stderr)
            failed += 1
    if options.unprivileged:
        from tests.support import unprivileged
        from tests.support.clang import compile_bpf

        with unprivileged.allowed():
            for source in sorted((ROOT / "tests" / "bpf").glob("unprivileged_*.bpf.c")):
                name = source.name.removesuffix(".bpf.c")
                refusal = unprivileged.refusal(compile_bpf(name))
                if isinstance(refusal, VerifierError):
                    (options.target / f"{name}.log").write_text(shortened(refusal.log))
                else:
                    print(f"{name}: no log: {refusal}", file=sys.stderr)
                    failed += 1
    return 1 if failed else 0


def shortened(log: str) -> str:
    """Cut the middle out of a long log."""
    lines = log.splitlines(keepends=True)
    half = _KEPT // 2
    return log if len(lines) <= _KEPT else "".join(lines[:half] + lines[-half:])


if __name__ == "__main__":
    sys.exit(main())
