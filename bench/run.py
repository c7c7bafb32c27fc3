"""Measure every row, print the table, write build/bench.json; exit with 1 if a target is missed.

`python -m bench.run [--json FILE] [WORD ...]`: all rows, or those whose names have a word.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import work
from bench.measure import Result, Row, measure

#: How often a row that misses its target is measured again: noise goes, a regression stays.
AGAIN = 2

JSON = work.ROOT / "build" / "bench.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, default=JSON, help="instead of build/bench.json")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only rows whose names have it")
    arguments = parser.parse_args()
    missing = [tool for tool in ("clang", "gcc", "bpftool") if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        reason = f"these tools: {' '.join(missing)}" if missing else "root"
        print(f"the benchmarks need {reason}", file=sys.stderr)
        return 1
    # PYTHONDONTWRITEBYTECODE and its like would make each start another one than users have.
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        del os.environ[name]
    try:
        work.prepare()
    except subprocess.CalledProcessError as error:
        print(f"cannot build what is to be measured: {error}", file=sys.stderr)
        return 1
    results = []
    with ExitStack() as stack:
        for row in _rows(stack):
            if not arguments.words or any(word in row.name for word in arguments.words):
                print(f"{row.name} ...", file=sys.stderr, flush=True)
                results.append(_settled(row))
    arguments.json.write_text(json.dumps([_as_json(result) for result in results], indent=2) + "\n")
    # In a file or a pipe as wide as it needs to be; a terminal says how wide it is.
    Console(width=None if sys.stdout.isatty() else 140).print(_table(results))
    missed = [result.row.name for result in results if not result.ok]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def _rows(stack: ExitStack) -> list[Row]:
    from bench.rows import (
        btf_dump,
        core,
        kernel_btf,
        linking,
        map_tables,
        maps,
        open_load,
        processes,
        ring,
    )
    from bench.rows import values as values_

    modules = (
        processes,
        open_load,
        core,
        maps,
        map_tables,
        ring,
        kernel_btf,
        btf_dump,
        linking,
        values_,
    )
    return [row for module in modules for row in module.rows(stack)]


def _settled(row: Row) -> Result:
    result = measure(row)
    for _ in range(AGAIN):
        if result.ok:
            break
        result = measure(row)
    return result


def _as_json(result: Result) -> dict[str, object]:
    row = result.row
    return {
        "row": row.name,
        "unit": row.unit,
        "ours": result.ours,
        "peer": result.peer,
        "peer_name": row.peer_name,
        "ratio": result.ratio,
        "target": row.target,
        "ok": result.ok,
    }


def _table(results: list[Result]) -> Table:
    table = Table(title="Medians; ratio: how many times slower than the peer")
    for name in ("row", "unit", "ours", "peer", "ratio", "target", "n", "peer is"):
        number = name in ("ours", "peer", "ratio", "n")
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    for result in results:
        row = result.row
        table.add_row(
            row.name,
            row.unit,
            f"{result.ours:,.4g}" if result.ours < 1000 else f"{result.ours:,.0f}",
            f"{result.peer:,.4g}" if result.peer < 1000 else f"{result.peer:,.0f}",
            f"{result.ratio:.2f}",
            f"{row.target or ''}{'' if result.ok else ' MISSED'}",
            str(row.rounds),
            row.peer_name,
            style=None if result.ok else "bold red",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
