"""Maps made for a test, and the two ways to handle many elements."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest
from bpfgen_runtime.errors import (
    SyscallError,
)
from bpfgen_runtime.map import Map
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k

from tests.support.maps import Make, size_of

#: Types of maps without keys.
NO_KEYS = (k.BPF_MAP_TYPE_QUEUE, k.BPF_MAP_TYPE_STACK, k.BPF_MAP_TYPE_BLOOM_FILTER)


@pytest.fixture
def make() -> Iterator[Make]:
    """A function that makes maps, which are closed in the end."""
    made: list[Map] = []

    def make_map(
        cls: type[Map],
        map_type: int,
        key: Any,
        value: Any,
        entries: int = 1000,
        flags: int = 0,
    ) -> Map:
        key_size = 0 if map_type in NO_KEYS else 4 if key is None else size_of(key)
        value_size = size_of(value)
        fd = bpf.map_create(
            map_type=map_type,
            key_size=key_size,
            value_size=value_size,
            max_entries=entries,
            map_flags=flags,
            map_name="tested",
        )
        arguments = {
            "name": "tested",
            "map_type": map_type,
            "key_size": key_size,
            "value_size": value_size,
            "max_entries": entries,
            "map_flags": flags,
            "key": key,
            "value": value,
        }
        try:
            one = cls(fd, **arguments)
        except BaseException:
            fd.close()
            raise
        made.append(one)
        return one

    yield make_map
    for one in made:
        one.close()


@pytest.fixture(params=["batch", "single"])
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the kernel's batches, and as on kernels that lack them."""
    if request.param == "single":

        def refuse(**arguments: Any) -> Any:
            raise SyscallError(errno.EINVAL, "BPF_MAP_LOOKUP_BATCH", "unknown command")

        for name in ("lookup", "lookup_and_delete", "update", "delete"):
            monkeypatch.setattr(bpf, f"map_{name}_batch", refuse, raising=False)
    return str(request.param)
