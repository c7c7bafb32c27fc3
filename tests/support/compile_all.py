"""Compile every source of tests/bpf with the default flags, so that tests find the objects.

python -m tests.support.compile_all
"""

from __future__ import annotations

from tests.support.clang import SOURCES, compile_bpf


def main() -> None:
    for source in sorted(SOURCES.glob("*.bpf.c")):
        compile_bpf(source.name.removesuffix(".bpf.c"))


if __name__ == "__main__":
    main()
