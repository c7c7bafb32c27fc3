"""A function whose argument is tagged as the context, on kernels with and without the tag."""

from __future__ import annotations

from pathlib import Path

import pytest
from bpfgen_runtime.btf import Btf, Func, FuncProto
from bpfgen_runtime.errors import VerifierError
from bpfgen_runtime.features import FEATURES
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object

from bpfgen.generate import generate
from tests.support.clang import compile_bpf
from tests.support.kernels import has
from tests.support.kernelview import map_id, program_view
from tests.support.modules import load_module


def arguments(live: Object, program: str) -> dict[str, list[str]]:
    """Give the arguments, as C, of the functions of a loaded program as the kernel has them."""
    names = {map_id(each.fileno()): name for name, each in live.maps.items()}
    view = program_view(live.programs[program].fileno(), names)
    found: dict[str, list[str]] = {}
    types = dict(view["types"])
    btf = Btf.parse(_encoded(view["types"]))
    for _, number in view["func_info"]:
        function = types[number]
        assert isinstance(function, Func)
        proto = types[function.type]
        assert isinstance(proto, FuncProto)
        found[function.name] = [btf.c_name(param.type) for param in proto.params]
    return found


def _encoded(types: list[tuple[int, object]]) -> bytes:
    from bpfgen_runtime.btf.encoder import encode

    return encode([each for _, each in types], byte_order="<")  # type: ignore[misc]


def test_loads_everywhere() -> None:
    """Two types of programs call one function with their own contexts."""
    with Object.load(load_spec(compile_bpf("arg_ctx"))) as live:
        assert set(live.programs) == {"on_call", "on_sample"}
        of_call = arguments(live, "on_call")
    expected = "void *" if has("the tag arg:ctx") else "struct bpf_raw_tracepoint_args *"
    assert of_call["by_void"] == [expected]


def test_kernel_without_the_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each program's functions have its context's type, which any kernel takes."""
    monkeypatch.setattr(FEATURES["ARG_CTX_TAG"], "_result", False)
    with Object.load(load_spec(compile_bpf("arg_ctx"))) as live:
        of_call, of_sample = arguments(live, "on_call"), arguments(live, "on_sample")
    assert of_call["by_void"] == ["struct bpf_raw_tracepoint_args *"]
    assert of_call["by_number"] == ["int", "struct bpf_raw_tracepoint_args *"]
    assert of_sample["by_number"] == ["int", "struct bpf_perf_event_data *"]


def test_kernel_without_the_tag_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tag is not known, the object as it is would be refused."""
    if has("the tag arg:ctx"):
        monkeypatch.setattr(FEATURES["ARG_CTX_TAG"], "_result", True)
        Object.load(load_spec(compile_bpf("arg_ctx"))).close()
        return
    monkeypatch.setattr(FEATURES["ARG_CTX_TAG"], "_result", True)
    with pytest.raises(VerifierError):
        Object.load(load_spec(compile_bpf("arg_ctx")))


def test_skeleton_with_a_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A skeleton's prepared programs are led to the copies, too, and again at the next load."""
    monkeypatch.setattr(FEATURES["ARG_CTX_TAG"], "_result", False)
    path = compile_bpf("arg_ctx")
    (tmp_path / "arg_ctx_skel.py").write_text(generate(path.read_bytes(), file_name=path.name))
    module = load_module(tmp_path / "arg_ctx_skel.py")
    for _ in range(2):
        with module.ArgCtx.open() as opened, opened.load() as skel:
            assert arguments(skel.object, "on_call")["by_void"] == [
                "struct bpf_raw_tracepoint_args *"
            ]
