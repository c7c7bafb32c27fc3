"""The benchmark runner, on a few rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.host_only
@pytest.mark.needs("clang", "gcc", "bpftool", "libbpf-dev", "linux-headers", "tracefs")
def test_rows(tmp_path: Path) -> None:
    """Rows are built, measured, printed, and written as JSON; the exit status says their `ok`.

    Loads with CO-RE must meet their targets here, too: they are far below, even beside tests.
    """
    output = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench.run", "--json", str(output), "map lookup", "CO-RE"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    rows = json.loads(output.read_text())
    assert done.returncode == (0 if all(row["ok"] for row in rows) else 1), done.stderr
    assert {row["row"]: (row["unit"], row["target"]) for row in rows} == {
        "load with CO-RE, first": ("ns", "ratio <= 12"),
        "load with CO-RE, later": ("ns", "ratio <= 4"),
        "map lookup": ("ns", "ratio <= 2.6"),
    }
    for row in rows:
        assert row["row"] in done.stdout
        assert row["peer_name"] == "C on libbpf"
        assert row["ours"] / row["peer"] == pytest.approx(row["ratio"])
        assert row["peer"] > 0
        assert row["ok"] or "CO-RE" not in row["row"], row
