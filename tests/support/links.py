"""Load the objects of the link tests and read their counters."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from sys import byteorder
from typing import TypeVar

from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.program import Program
from bpfgen_runtime.sections import PROGRAM_MODULES, program_class
from bpfgen_runtime.sys import bpf

from tests.support.clang import compile_bpf

P = TypeVar("P", bound=Program)


@contextlib.contextmanager
def loaded(
    name: str, *programs: str, constants: dict[str, bytes] | None = None
) -> Iterator[Object]:
    """Load tests/bpf/NAME.bpf.c for the block, its programs bound to their families' classes.

    Args:
        name: the source.
        programs: the programs to load; all by default.
        constants: initial bytes of global variables.
    """
    spec = load_spec(compile_bpf(name))
    for program in spec.programs.values():
        kind = program_class(program.section)
        module = importlib.import_module(f"bpfgen_runtime.{PROGRAM_MODULES[kind]}")
        program.binding = getattr(module, kind)
        if programs:
            program.autoload = program.name in programs
    for variable, value in (constants or {}).items():
        spec.variables[variable].set(value)
    with Object.load(spec) as live:
        yield live


def program(live: Object, name: str, kind: type[P]) -> P:
    """Give a program as the class that it was bound to."""
    found = live.programs[name]
    assert isinstance(found, kind)
    return found


class Counts:
    """The map `counts` of tests/bpf/link_counts.h, with these slots at 0."""

    def __init__(self, live: Object, *slots: int) -> None:
        self._map_fd = live.maps["counts"].fileno()
        for slot in slots:
            self.reset(slot)

    def reset(self, slot: int) -> None:
        key, value = slot.to_bytes(4, byteorder), bytes(8)
        bpf.map_update_elem(map_fd=self._map_fd, key=key, value=value)

    def __getitem__(self, slot: int) -> int:
        value = bytearray(8)
        key = slot.to_bytes(4, byteorder)
        bpf.map_lookup_elem(map_fd=self._map_fd, key=key, value=value)
        return int.from_bytes(value, byteorder)


def call_getpgid(times: int) -> None:
    """Make the system call that the tracing tests watch for."""
    own = os.getpid()
    for _ in range(times):
        os.getpgid(own)
