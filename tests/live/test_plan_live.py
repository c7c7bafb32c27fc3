"""Load plans in the kernel: what is loaded by a plan is what is loaded without."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from bpfgen_runtime.errors import ClosedError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.plan import PlannedSpec, make_plan, read_plan
from bpfgen_runtime.spec import ObjectSpec

from tests.support.clang import compile_bpf
from tests.support.kernelview import map_id, program_view

NAMES = ["load_globals", "load_maps", "load_subprogs", "load_tracing"]


def planned(path: Path) -> PlannedSpec:
    data = make_plan(load_spec(str(path)))
    assert data is not None
    return read_plan(data, lambda: load_spec(str(path)))


def view(spec: ObjectSpec) -> dict[str, Any]:
    """Load an object and say what the kernel has then."""
    with Object.load(spec) as loaded:
        ids = {map_id(live.fileno()): name for name, live in loaded.maps.items()}
        seen: dict[str, Any] = {
            name: program_view(live.fileno(), ids) for name, live in loaded.programs.items()
        }
        for name, live in loaded.maps.items():
            info = live.info()
            fields = ("type", "key_size", "value_size", "max_entries", "map_flags", "name")
            seen[f"map {name}"] = [type(live), *[getattr(info, field) for field in fields]]
        return seen


@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_gets_the_same(name: str) -> None:
    """Verified instructions, records of functions and lines, types and maps are the same."""
    path = compile_bpf(name)
    spec = planned(path)
    assert view(spec) == view(load_spec(str(path)))
    assert spec.plan is not None, "the image was read"


def test_a_change_goes_to_the_kernel() -> None:
    """A spec that no longer fits its plan is loaded as the object with that change is."""
    path = compile_bpf("load_globals")
    ordinary, spec = load_spec(str(path)), planned(path)
    for each in (ordinary, spec):
        program = next(iter(each.programs.values()))
        program.set_insns(bytes.fromhex("b700000001000000 9500000000000000"))
        next(iter(each.maps.values())).autocreate = True
    assert view(spec) == view(ordinary)


def test_several_threads_ask_first() -> None:
    """Threads that ask for a skeleton's maps at once get the same ones."""
    for _ in range(5):
        with Object.load(planned(compile_bpf("load_maps"))) as loaded:
            barrier = Barrier(4)

            def ask(_: int, loaded: Object = loaded, barrier: Barrier = barrier) -> list[int]:
                barrier.wait()
                return [id(live) for live in loaded.maps.values()]

            with ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(ask, range(4)))
            assert answers == [[id(live) for live in loaded.maps.values()]] * 4


def test_maps_that_nobody_asked_for() -> None:
    """They close with their object, and are closed maps to who asks then."""
    loaded = Object.load(planned(compile_bpf("load_maps")))
    numbers = [fd.fileno() for fd, _ in loaded._pending.values()]
    assert len(numbers) > 1
    loaded.close()
    assert all(not Path(f"/proc/self/fd/{number}").exists() for number in numbers)
    for live in loaded.maps.values():
        assert live.closed
        with pytest.raises(ClosedError):
            live.fileno()
