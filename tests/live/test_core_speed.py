"""CO-RE asks the kernel's BTF for a few types, and decodes no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from bpfgen_runtime.btf import kernel
from bpfgen_runtime.core_target import relocate_core
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object

from tests.support.clang import SOURCES, compile_bpf

pytestmark = pytest.mark.needs("btf")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "tasktree" / "tasktree.bpf.o"

#: What a load may decode of the kernel's 100,000 types and more; 23 are the most of these objects.
FEW = 100


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel's BTF, and its modules', as in a new process."""
    monkeypatch.setattr(kernel, "_cache", {})


def decoded() -> int:
    return sum(len(btf._types) for btf in kernel._cache.values())


@pytest.mark.usefixtures("unread")
@pytest.mark.needs("clang", "libbpf-dev")
def test_relocation_decodes_few_types() -> None:
    """Whatever an object's records ask, candidates are found by name in what is not decoded."""
    before = 0
    names = sorted(path.name.removesuffix(".bpf.c") for path in SOURCES.glob("core_*.bpf.c"))
    assert len(names) > 20
    for name in names:
        spec = load_spec(compile_bpf(name))
        relocate_core(spec, [*spec.programs.values(), *spec.subprograms], None)
        now = decoded()
        assert now - before <= FEW, name
        before = now
    assert 0 < before < len(kernel.kernel_btf()) / 100


@pytest.mark.usefixtures("unread")
def test_a_load_decodes_few_types() -> None:
    """So does the whole load of an example, with its iterator's target."""
    with Object.load(load_spec(EXAMPLE)):
        assert 0 < decoded() <= FEW
