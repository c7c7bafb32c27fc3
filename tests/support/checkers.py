"""Run mypy and pyright, as a user would on an application, and read what they report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Report(NamedTuple):
    """One error of a type checker: the file's name, the line, the rule, the message."""

    file: str
    line: int
    code: str
    message: str


def mypy_errors(files: Sequence[Path], *, cwd: Path) -> list[Report]:
    """Run `mypy --strict` over files, without this project's configuration."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--output=json"]
    command += ["--cache-dir", str(_cache()), *map(str, files)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [
        Report(Path(one["file"]).name, one["line"], one["code"] or "", one["message"])
        for one in found
        if one["severity"] == "error"
    ]


def pyright_errors(files: Sequence[Path], *, cwd: Path) -> list[Report]:
    """Run pyright in strict mode over files, which may import what lies beside them."""
    config = cwd / "pyrightconfig.json"
    settings = {
        "include": [str(file.relative_to(cwd)) for file in files],
        "extraPaths": sorted({str(file.parent) for file in files}),
        "typeCheckingMode": "strict",
        "pythonVersion": "3.10",
    }
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "-p", str(config), "--outputjson"]
    command += ["--pythonpath", sys.executable]
    environment = os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["summary"]["filesAnalyzed"] >= len(files)
    return [
        Report(
            Path(one["file"]).name,
            one["range"]["start"]["line"] + 1,
            one.get("rule", ""),
            one["message"],
        )
        for one in answer["generalDiagnostics"]
        if one["severity"] == "error"
    ]


def _cache() -> Path:
    path = Path(__file__).resolve().parents[2] / "build" / "mypy_cache"
    path.mkdir(parents=True, exist_ok=True)
    return path
