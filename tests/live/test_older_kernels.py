"""Objects with what only newer kernels know: they load on older ones, with what those can take.

The tests run on every kernel: what differs is asked of the probes, which tests/unit holds.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest
from bpfgen_runtime import features
from bpfgen_runtime.btf import Btf, Enum64, Enumerator, Ptr, Union
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.sys import bpf

from tests.support.clang import compile_bpf
from tests.support.kernelview import loaded_btf, map_view


def test_newer_kinds_of_btf_load() -> None:
    """Tags and floats are no reason to go without BTF: keys and values keep their types."""
    with Object.load(load_spec(compile_bpf("kinds_newer"))) as live:
        assert live.btf_fd >= 0
        assert map_view(live.maps["samples"].fileno())["btf"] == ("Typedef __u32", "Struct sample")
        info = bpf.prog_get_info_by_fd(live.programs["count"].fileno())
        assert info.nr_func_info == 2
        assert info.nr_line_info > 5
        kinds = {kind.__name__ for kind in map(type, _types(live))}
    for kind, feature in (
        ("Float", features.BTF_FLOAT),
        ("DeclTag", features.BTF_DECL_TAG),
        ("TypeTag", features.BTF_TYPE_TAG),
    ):
        assert (kind in kinds) is feature.probe(), kind


def test_enum64_becomes_a_union() -> None:
    """A 64-bit enum is there as such, or as a union with a member for each name."""
    spec = load_spec(compile_bpf("kinds_newer"))
    assert spec.btf is not None
    number = len(spec.btf)
    wide = Enum64("wide", 8, [Enumerator("TOP", 1 << 63), Enumerator("LOW", 1)])
    spec.btf = spec.btf.extend([wide, Ptr(number)])
    with Object.load(spec) as live:
        found = _loaded(live).type(number)
    if features.BTF_ENUM64.probe():
        assert found == wide
    else:
        assert isinstance(found, Union)
        assert [member.name for member in found.members] == ["TOP", "LOW"]


def _loaded(live: Object) -> Btf:
    return loaded_btf(bpf.btf_get_info_by_fd(live.btf_fd).id)


def _types(live: Object) -> list[object]:
    return [t for _, t in _loaded(live).types()]


LIMITED = """
import json, resource, sys
limit = 64 << 10
hard = limit if sys.argv[2] == "hard" else resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, hard))
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
with Object.load(load_spec(sys.argv[1])) as live:
    live.programs["count"].test_run(bytes(64))
    runs = int.from_bytes(live.data[".bss"][:8], sys.byteorder)
print(json.dumps([runs, resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == limit]))
"""


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_limit_on_locked_memory(kind: str) -> None:
    """Objects larger than the limit load; it is raised only where the kernel counts them in it."""
    if kind == "soft" and resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY:
        kind = "hard"  # not ours to choose
    command = [sys.executable, "-c", LIMITED, str(compile_bpf("memory")), kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [1, features.MEMCG_ACCOUNT.probe()]
