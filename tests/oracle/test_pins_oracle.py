"""Pins by name that libbpf and we make: each takes the other's."""

from __future__ import annotations

from pathlib import Path

import pytest
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object

from tests.support.clang import compile_bpf
from tests.support.kernelview import map_id
from tests.support.libbpf import LibbpfObject

pytestmark = [pytest.mark.live, pytest.mark.needs("libbpf")]


@pytest.mark.parametrize(("first", "second"), [("libbpf", "ours"), ("ours", "libbpf")])
def test_pins_are_each_others(first: str, second: str, pin_dir: Path) -> None:
    """A map that one of the two has pinned by its name, the other takes."""
    path = compile_bpf("maps_pinned")
    numbers = []
    for who in (first, second):
        if who == "libbpf":
            with LibbpfObject(path, pin_root_path=pin_dir) as theirs:
                theirs.load()
                numbers.append(map_id(theirs.maps()[0].fd))
        else:
            spec = load_spec(str(path))
            spec.pin_root_path = str(pin_dir)
            with Object.load(spec) as ours:
                numbers.append(map_id(ours.maps["bpfgen_pinned"].fileno()))
    assert numbers[0] == numbers[1]
    assert [child.name for child in pin_dir.iterdir()] == ["bpfgen_pinned"]
