"""Work spread over processes that are copies of this one, so that imports are paid for once."""

from __future__ import annotations

import os
import pickle
import select
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

__all__ = ["cpu_count", "run"]

T = TypeVar("T")
R = TypeVar("R")

_LENGTH = struct.Struct("<Q")
_JOB = struct.Struct("<I")
_MAX_QUEUED = 65536 // _JOB.size  # what a pipe takes at once, on Linux


def cpu_count() -> int:
    """Give the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(
    work: Callable[[T], R], items: Sequence[T], *, processes: int | None = None
) -> Iterator[tuple[int, R]]:
    """Do work on each item; give (place of the item, result) as they are done, in any order.

    What `work` imports is best imported before the call. It runs in this process where there is
    one item, one CPU, or no fork(2).

    Args:
        work: gives what can be pickled; an exception of it is raised here.
        processes: at most so many; None for the number of CPUs.

    Raises:
        RuntimeError: a process was killed.
    """
    count = min(processes or cpu_count(), len(items))
    if count < 2 or not hasattr(os, "fork") or len(items) > _MAX_QUEUED:
        for place, item in enumerate(items):
            yield place, work(item)
        return
    # Every process takes the next number from one pipe, so none is idle while there is work.
    jobs, feed = os.pipe()
    os.write(feed, b"".join(_JOB.pack(place) for place in range(len(items))))
    os.close(feed)
    workers: dict[int, int] = {}  # pipe of results -> process
    try:
        for _ in range(count):
            results, answer = os.pipe()
            pid = os.fork()
            if pid == 0:
                _serve(jobs, answer, work, items)
            os.close(answer)
            workers[results] = pid
        yield from _collect(list(workers), len(items))
    finally:
        # Closed pipes end whoever is still at work, at its next answer.
        for descriptor in (jobs, *workers):
            os.close(descriptor)
        for pid in workers.values():
            os.waitpid(pid, 0)


def _serve(jobs: int, answer: int, work: Callable[[T], R], items: Sequence[T]) -> None:
    status = 1
    try:
        while number := os.read(jobs, _JOB.size):
            [place] = _JOB.unpack(number)
            try:
                result: tuple[int, R | None, BaseException | None] = place, work(items[place]), None
            except Exception as error:
                result = place, None, error
            data = pickle.dumps(result)
            _write(answer, _LENGTH.pack(len(data)) + data)
        status = 0
    except (BrokenPipeError, KeyboardInterrupt):
        pass
    finally:
        os._exit(status)  # not through the exit of a process that has buffers and handlers of ours


def _collect(pipes: list[int], expected: int) -> Iterator[tuple[int, R]]:
    while expected:
        ready, _, _ = select.select(pipes, [], [])
        for pipe in ready:
            head = _read(pipe, _LENGTH.size)
            if not head:
                pipes.remove(pipe)
                if not pipes:
                    raise RuntimeError("a worker process ended before its work was done")
                continue
            place, result, error = pickle.loads(_read(pipe, _LENGTH.unpack(head)[0]))
            if error is not None:
                raise error
            expected -= 1
            yield place, result


def _read(pipe: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(pipe, size - len(data))
        if not part:
            return b""
        data += part
    return data


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]
