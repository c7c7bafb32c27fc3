"""Print the tree of processes as the kernel has it: an iterator that reads task_struct by CO-RE."""

from __future__ import annotations

import argparse

from bpfgen_runtime.report import run
from tasktree_skel import Process, Tasktree


def describe(pid: int, process: Process) -> str:
    """Write one process on one line."""
    text = f"{process.comm} {pid}"
    if process.exit_code:
        text += f", exit status {process.exit_code >> 8}, signal {process.exit_code & 0x7F}"
    return text + (", resets on fork" if process.resets_on_fork else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pid", type=int, default=0, help="where the tree begins (default: all)")
    parser.add_argument("--btf", help="a file with this kernel's BTF, if it has none itself")
    args = parser.parse_args()

    with Tasktree.open(btf_custom_path=args.btf) as opened, opened.load() as skel:
        skel.attach()
        skel.links.walk.read()  # the kernel calls the program for each task
        processes = dict(skel.maps.processes.items())

    children: dict[int, list[int]] = {}
    for pid, process in sorted(processes.items()):
        children.setdefault(process.parent, []).append(pid)
    tops = [args.pid] if args.pid else sorted(children.keys() - processes.keys())
    pending = [(pid, 0) for pid in tops]
    while pending:
        pid, depth = pending.pop(0)
        print("  " * depth + (describe(pid, processes[pid]) if pid in processes else f"{pid}"))
        pending[:0] = [(child, depth + 1) for child in children.get(pid, [])]


if __name__ == "__main__":
    raise SystemExit(run(main))
