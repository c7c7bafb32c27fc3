"""The benchmark runner, on one row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.host_only
@pytest.mark.needs("clang", "gcc", "bpftool", "libbpf-dev", "linux-headers", "tracefs")
def test_one_row(tmp_path: Path) -> None:
    """A row is built, measured, printed, and written as JSON; the exit status says its `ok`."""
    output = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench.run", "--json", str(output), "map lookup"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    [row] = json.loads(output.read_text())
    assert done.returncode == (0 if row["ok"] else 1), done.stderr
    assert "map lookup" in done.stdout
    assert (row["row"], row["unit"], row["peer_name"]) == ("map lookup", "ns", "C on libbpf")
    assert row["target"] == "ratio <= 2.6"
    assert row["ours"] / row["peer"] == pytest.approx(row["ratio"])
    assert row["peer"] > 0
