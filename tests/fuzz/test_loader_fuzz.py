"""Damaged objects: opening and linking end with a typed error or success, soon."""

from __future__ import annotations

import random
import time

import pytest
from bpfgen_runtime.errors import BpfError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.relocate import Relocator

from tests.support.clang import compile_bpf

ROUNDS = 100
SECONDS = 2.0  # for one object; a good one takes a few milliseconds


def _damaged(data: bytes, chance: random.Random) -> bytes:
    copy = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(copy) - 4)
        if chance.random() < 0.5:
            copy[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        else:
            copy[at : at + 4] = chance.randbytes(4)
    return bytes(copy)


@pytest.mark.parametrize(
    "name",
    [
        "load_globals",
        "load_maps",
        "load_subprogs",
        "load_callbacks",
        "maps_arena",
        "maps_nested",
        "maps_ops_link",
    ],
)
def test_damaged_objects(name: str) -> None:
    """Whatever bytes change, there is no other exception than a BpfError, and no endless loop."""
    data = compile_bpf(name).read_bytes()
    outcomes = {"opened": 0, "refused": 0}
    for seed in range(ROUNDS):
        began = time.monotonic()
        try:
            spec = load_spec(_damaged(data, random.Random(seed)))
            assert all(variable.size >= 0 for variable in spec.variables.values())
            relocator = Relocator(spec)
            for program in spec.programs.values():
                relocator.link(program)
            outcomes["opened"] += 1
        except BpfError:
            outcomes["refused"] += 1
        assert time.monotonic() - began < SECONDS, f"seed {seed} takes too long"
    # Both happen, else the damage tests nothing.
    assert min(outcomes.values()) > ROUNDS // 20
