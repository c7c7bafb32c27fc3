"""Waits until one of some files changes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["changed"]

#: Seconds between looks. A look at 50 files takes some 100 µs: less than what it would cost users
#: to install a library that has the system tell of changes.
_INTERVAL = 0.3

#: Nanoseconds. Times of files are taken off a clock that the kernel advances by ticks.
_CLOCK_LAG = 10_000_000


def changed(paths: Iterable[Path], since: int, *, interval: float = _INTERVAL) -> set[Path]:
    """Wait until a file is changed, made or removed; give those that were.

    Editors write in several steps: the wait ends when there was no change for one interval more.

    Args:
        since: nanoseconds since the epoch; what was changed after this counts already.
    """
    before = {path: _mark(path) for path in paths}
    fresh = {path for path, mark in before.items() if mark and mark[0] >= since - _CLOCK_LAG}
    seen = dict(before)
    while True:
        time.sleep(interval)
        now = {path: _mark(path) for path in before}
        if now == seen and (fresh or now != before):
            return fresh | {path for path in before if now[path] != before[path]}
        seen = now


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
