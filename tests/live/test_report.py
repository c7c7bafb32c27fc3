"""A refused program as the user of an application sees it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bpfgen.generate import generate
from tests.support.clang import ROOT, SOURCES, compile_bpf

#: Built like examples/*/main.py.
APPLICATION = """
from bad_null_skel import BadNull
from bpfgen_runtime.report import run


def main() -> None:
    with BadNull.open() as opened, opened.load() as skel:
        skel.attach()


if __name__ == "__main__":
    raise SystemExit(run(main))
"""

#: The same where rich is not installed.
WITHOUT_RICH = (
    "import runpy, sys; sys.modules['rich'] = None; runpy.run_path('main.py', {}, '__main__')"
)


@pytest.fixture
def application(tmp_path: Path) -> Path:
    path = compile_bpf("bad_null")
    text = generate(path.read_bytes(), file_name=path.name)
    (tmp_path / "bad_null_skel.py").write_text(text)
    (tmp_path / "main.py").write_text(APPLICATION)
    return tmp_path


def marked() -> str:
    """Give the line of C that is to blame."""
    text = (SOURCES / "bad_null.bpf.c").read_text()
    return next(line.strip() for line in text.splitlines() if "/* here */" in line)


def on_terminal(application: Path, *command: str) -> tuple[int, str]:
    """Run it with a terminal for its errors; give the exit status and what the terminal got."""
    ours, its = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, *command], cwd=application, stderr=its, env=environment
    ) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # EIO: nobody has the other end any more
                break
            if not part:
                break
            shown += part
        status = process.wait(60)
    os.close(ours)
    return status, shown.decode().replace("\r\n", "\n")


def test_terminal_with_rich(application: Path) -> None:
    """The line of C is highlighted, and so are reason and advice; there is no traceback."""
    status, shown = on_terminal(application, "main.py")
    assert status == 1
    assert f"source: \x1b[1;33m{marked()}\x1b[0m" in shown
    assert "reason: \x1b[1;31mR0 invalid mem access 'map_value_or_null'" in shown
    assert "hint: \x1b[32mCheck the pointer for NULL" in shown
    assert "Traceback" not in shown


def test_terminal_without_rich(application: Path) -> None:
    """The same text without colours."""
    status, shown = on_terminal(application, "-c", WITHOUT_RICH)
    assert status == 1
    assert "\x1b" not in shown
    assert f"\nsource: {marked()} (" in shown
    assert shown.startswith("VerifierError: load program 'bad' of object 'bad_null'")


def test_no_terminal(application: Path) -> None:
    """In a file or a pipe there are no colours, with rich or without."""
    for command in (["main.py"], ["-c", WITHOUT_RICH]):
        done = subprocess.run(
            [sys.executable, *command], cwd=application, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1
        assert "\x1b" not in done.stderr
        assert f"\nsource: {marked()} (" in done.stderr


@pytest.mark.parametrize("name", sorted(p.parent.name for p in ROOT.glob("examples/*/main.py")))
def test_examples_show_errors_so(name: str) -> None:
    """Every example runs its main function like the application of these tests."""
    text = (ROOT / "examples" / name / "main.py").read_text()
    assert "from bpfgen_runtime.report import run\n" in text
    assert text.endswith('if __name__ == "__main__":\n    raise SystemExit(run(main))\n')
