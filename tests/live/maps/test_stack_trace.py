"""Stack traces: addresses, places in files, and names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from bpfgen_runtime.errors import KeyMissingError, NotSupportedError
from bpfgen_runtime.host.kallsyms import Symbols, addresses
from bpfgen_runtime.link import attach
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.map import BuildIdFrame, StackTraceMap
from bpfgen_runtime.object import Object
from bpfgen_runtime.uapi import const as k
from bpfgen_runtime.values import Address

from tests.support.clang import compile_bpf


@pytest.fixture
def traced() -> Iterator[tuple[Any, Any, dict[str, int]]]:
    """The maps of traces after this process has made a system call, and the traces' ids."""
    spec = load_spec(str(compile_bpf("maps_stacks")))
    with Object.load(spec) as loaded:
        data = loaded.data[".bss"]
        places = {name: spec.variables[name] for name in ("pid", "kernel_id", "user_id", "file_id")}

        def number(name: str) -> int:
            variable = places[name]
            raw = loaded.data[variable.section][variable.offset : variable.offset + variable.size]
            return int.from_bytes(raw, "little", signed=True)

        data[places["pid"].offset : places["pid"].offset + 4] = os.getpid().to_bytes(4, "little")
        link = attach(loaded.programs["on_syscall"])
        assert link is not None
        with link:
            os.getpgid(0)
        ids = {name: number(name) for name in ("kernel_id", "user_id", "file_id")}
        assert min(ids.values()) >= 0
        yield loaded.maps["traces"], loaded.maps["files"], ids


def test_addresses(traced: tuple[Any, Any, dict[str, int]]) -> None:
    """A trace is a tuple of addresses, the innermost first, without empty ones at its end."""
    traces, _, ids = traced
    assert isinstance(traces, StackTraceMap)
    kernel, user = traces[ids["kernel_id"]], traces[ids["user_id"]]
    assert all(isinstance(frame, Address) and frame for frame in kernel + user)
    assert all(frame >= 1 << 63 for frame in kernel)
    assert all(frame < 1 << 63 for frame in user)


def test_names(traced: tuple[Any, Any, dict[str, int]]) -> None:
    """Frames of the kernel have names, by /proc/kallsyms; those of user space have none."""
    traces, _, ids = traced
    frames = traces.symbolize(ids["kernel_id"])
    assert [frame.address for frame in frames] == list(traces[ids["kernel_id"]])
    outermost = [frame.symbol for frame in frames[-2:]]
    assert any("syscall" in name for name in outermost), frames
    [start] = addresses([frames[-1].symbol])[frames[-1].symbol][:1]
    assert frames[-1].address == start + frames[-1].offset
    assert str(frames[-1]) == f"{frames[-1].symbol}+{frames[-1].offset:#x}"
    assert all(frame.symbol == "" for frame in traces.symbolize(ids["user_id"]))
    text = b"ffffffff81000000 T begin\n"
    assert traces.symbolize(ids["user_id"], Symbols(text))[0].symbol == ""


def test_build_ids(traced: tuple[Any, Any, dict[str, int]]) -> None:
    """With BPF_F_STACK_BUILD_ID frames of user space are places in files."""
    _, files, ids = traced
    frames = files[ids["file_id"]]
    assert all(isinstance(frame, BuildIdFrame) and frame.status for frame in frames)
    valid = [frame for frame in frames if frame.status == k.BPF_STACK_BUILD_ID_VALID]
    for frame in valid:
        assert frame.address is None
        assert str(frame) == f"{frame.build_id.hex()}+{frame.offset:#x}"
    for frame in set(frames) - set(valid):
        assert frame.address == frame.offset
    named = files.symbolize(ids["file_id"])
    assert [one.module for one in named] == [
        frame.build_id.hex() if frame in valid else "" for frame in frames
    ]


def test_as_mapping(traced: tuple[Any, Any, dict[str, int]]) -> None:
    """Traces are found by id, listed, and deleted."""
    traces, _, ids = traced
    both = {ids["kernel_id"], ids["user_id"]}
    assert set(traces) == both
    assert (len(traces), ids["user_id"] in traces, 63 in both) == (2, True, False)
    assert traces.to_dict() == dict(traces.items()) == {one: traces[one] for one in both}
    del traces[ids["user_id"]]
    assert traces.get(ids["user_id"]) is None
    with pytest.raises(KeyMissingError, match="look up"):
        _ = traces[ids["user_id"]]
    with pytest.raises(KeyMissingError, match="delete"):
        del traces[ids["user_id"]]
    traces.clear()
    assert list(traces) == []


def test_lookup_and_deletion(traced: tuple[Any, Any, dict[str, int]]) -> None:
    """A trace is taken out in one step where the kernel can, which else is said."""
    traces, _, ids = traced
    expected = traces[ids["kernel_id"]]
    try:
        taken = traces.lookup_and_delete(ids["kernel_id"])
    except NotSupportedError:
        assert ids["kernel_id"] in traces
    else:
        assert taken == expected
        assert ids["kernel_id"] not in traces
