"""Loads on a kernel that is made to refuse what older ones lack."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from bpfgen_runtime import sanitize
from bpfgen_runtime.errors import NotSupportedError, SyscallError
from bpfgen_runtime.features import FEATURES
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const

from tests.support.clang import compile_bpf

# A call of bpf_probe_read_kernel, of bpf_probe_read.
NEWER, OLDER = (bytes((0x85, 0, 0, 0)) + number.to_bytes(4, "little") for number in (113, 4))


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the kernel lack features: probes say so, and a call for which `refuses` is true fails."""

    def lack(call: str, refuses: Callable[[dict[str, Any]], bool], *names: str) -> None:
        for name in names:
            monkeypatch.setattr(FEATURES[name], "_result", False)
        real = getattr(bpf, call)

        def refusing(**fields: Any) -> Any:
            if refuses(fields):
                raise SyscallError(errno.EINVAL, call, fields["what"])
            return real(**fields)

        monkeypatch.setattr(bpf, call, refusing)

    return lack


@pytest.mark.parametrize("log_level", [0, 1])
def test_helpers_of_older_kernels(older: Callable[..., None], log_level: int) -> None:
    """A program that is refused for bpf_probe_read_kernel() is loaded with bpf_probe_read()."""
    loaded = []

    def refuses(fields: dict[str, Any]) -> bool:
        loaded.append(bytes(fields["insns"]))
        return NEWER in loaded[-1]

    older("prog_load", refuses, "PROBE_READ_KERN")
    with Object.load(load_spec(compile_bpf("older_helpers")), log_level=log_level) as live:
        assert list(live.programs) == ["on_getpgid"]
    assert NEWER in loaded[0]
    assert loaded[-1] == loaded[0].replace(NEWER, OLDER)


def test_data_that_cannot_be_mapped(older: Callable[..., None]) -> None:
    """Where arrays cannot be mapped, the object loads, its data out of this process's sight."""

    def refuses(fields: dict[str, Any]) -> bool:
        return bool(fields["map_flags"] & const.BPF_F_MMAPABLE)

    older("map_create", refuses, "ARRAY_MMAP")
    with Object.load(load_spec(compile_bpf("memory"))) as live:
        assert live.data == {}
        assert live.programs["count"].test_run(bytes(64)).retval == 2
        value = bytearray(8)
        bpf.map_lookup_elem(map_fd=live.maps[".bss"].fileno(), key=bytes(4), value=value)
    assert int.from_bytes(value, "little") == 1


def test_no_global_data(older: Callable[..., None]) -> None:
    """A kernel without global data is an error that names the section."""
    older("map_create", lambda fields: bool(fields["map_flags"]), "GLOBAL_DATA", "ARRAY_MMAP")
    with pytest.raises(NotSupportedError, match=r"global data .*\.bss"):
        Object.load(load_spec(compile_bpf("memory")))


@pytest.mark.parametrize("can_raise", [True, False])
def test_locked_memory(monkeypatch: pytest.MonkeyPatch, can_raise: bool) -> None:
    """EPERM leads to one more try of the whole load, if the limit could be raised."""
    limited = True

    def raise_memlock() -> bool:
        nonlocal limited
        limited = not can_raise
        return can_raise

    real = bpf.map_create

    def refusing(**fields: Any) -> Any:
        if limited:
            raise SyscallError(errno.EPERM, "BPF_MAP_CREATE", fields["what"])
        return real(**fields)

    monkeypatch.setattr(bpf, "map_create", refusing)
    monkeypatch.setattr(sanitize, "raise_memlock", raise_memlock)
    if can_raise:
        with Object.load(load_spec(compile_bpf("memory"))) as live:
            assert "numbers" in live.maps
    else:
        with pytest.raises(SyscallError, match=r"'numbers'.*EPERM"):
            Object.load(load_spec(compile_bpf("memory")))
