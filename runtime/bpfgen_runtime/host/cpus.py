"""This machine's CPUs."""

from __future__ import annotations

from ..errors import NotSupportedError

__all__ = ["online_cpus", "parse_cpu_list", "possible_cpus"]

_DIRECTORY = "/sys/devices/system/cpu"


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the numbers in a list such as `"0-3,5"`.

    Raises:
        ValueError: it is no such list.
    """
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{text!r} is no list of CPUs")
        low, high = int(first), int(last or first)
        if high < low:
            raise ValueError(f"{text!r} is no list of CPUs: {part} counts down")
        cpus += range(low, high + 1)
    return tuple(cpus)


def possible_cpus() -> tuple[int, ...]:
    """Return the CPUs that this machine could ever have: per-CPU maps have a value for each.

    The kernel reads and writes `max + 1` values where the list has holes.
    """
    return _read("possible")


def online_cpus() -> tuple[int, ...]:
    """Return the CPUs that run now: perf events can be opened on these."""
    return _read("online")


def _read(name: str) -> tuple[int, ...]:
    path = f"{_DIRECTORY}/{name}"
    try:
        with open(path, encoding="ascii") as file:
            return parse_cpu_list(file.read())
    except FileNotFoundError as error:
        raise NotSupportedError(
            f"counting CPUs without {path}", "mount sysfs: mount -t sysfs sysfs /sys"
        ) from error
