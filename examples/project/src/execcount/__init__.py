"""Counts program starts by user, for as many seconds as the command line says."""

from __future__ import annotations

import sys
import time

from .execcount_skel import Execcount

__all__ = ["main"]


def main() -> None:
    """Count, then print a line for each user."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with Execcount.open() as opened, opened.load() as skel:
        skel.attach()
        time.sleep(seconds)
        for user, execs in skel.maps.users.items():
            print(f"uid {user.uid}: {execs.count} program starts, the last pid {execs.last_pid}")
