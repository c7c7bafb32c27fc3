"""Print each program start on this machine: a tracepoint, a ring buffer, a constant, a counter."""

from __future__ import annotations

import argparse

from bpfgen_runtime.report import run
from execsnoop_skel import Execsnoop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--min-uid", type=int, default=0, help="ignore users below this id")
    parser.add_argument("--seconds", type=float, help="then stop (default: never)")
    args = parser.parse_args()

    with Execsnoop.open() as opened:
        opened.rodata.min_uid = args.min_uid  # a constant: only before load
        with opened.load() as skel:
            skel.attach()
            try:
                for event in skel.maps.events.poll(timeout=args.seconds):
                    print(event)
            except KeyboardInterrupt:
                pass
            for uid, execs in skel.maps.counts.items():
                print(f"user {uid}: {execs} program starts")
            print(f"{skel.bss.seen} in all")


if __name__ == "__main__":
    raise SystemExit(run(main))
