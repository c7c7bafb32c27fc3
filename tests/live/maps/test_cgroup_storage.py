"""Storage made by attachments to cgroups, through a generated skeleton."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bpfgen_runtime.errors import KeyMissingError, SyscallError
from bpfgen_runtime.host.cpus import possible_cpus
from bpfgen_runtime.map import CgroupStorage, PerCpuCgroupStorage, cgroup_id
from bpfgen_runtime.uapi import const as k

from tests.support.cgroup import run_in, temporary_cgroup
from tests.support.modules import generated_module

SEND = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    for _ in range({count}):
        try:
            one.sendto(b"text", ("127.0.0.1", 9))
        except PermissionError:
            print("refused")
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return generated_module("maps_cgroup_storage", tmp_path_factory.mktemp("skeleton"))


@pytest.fixture
def skel(module: ModuleType) -> Iterator[Any]:
    with module.MapsCgroupStorage.open_and_load() as loaded:
        yield loaded


@pytest.fixture
def cgroup() -> Iterator[Path]:
    with temporary_cgroup() as path:
        yield path


def test_values_come_with_the_attachment(module: ModuleType, skel: Any, cgroup: Path) -> None:
    """A cgroup has a value while a program is attached to it; it can be read and set."""
    own, each_cpu = skel.maps.own, skel.maps.each_cpu
    assert isinstance(own, CgroupStorage)
    assert isinstance(each_cpu, PerCpuCgroupStorage)
    number = cgroup_id(cgroup)
    key = module.BpfCgroupStorageKey(number, k.BPF_CGROUP_INET_EGRESS)
    assert dict(own) == {}
    assert key not in own
    with pytest.raises(KeyMissingError):
        _ = own[key]
    with pytest.raises(KeyMissingError):
        own[key] = module.Traffic()
    with skel.progs.count.attach_cgroup(cgroup):
        assert list(own) == [key]
        own[key] = module.Traffic(packets=10, limit=12)
        assert run_in(cgroup, SEND.format(count=3)).stdout == "refused\n"
        assert own[key] == module.Traffic(packets=13, limit=12)
        assert own.lookup(key).packets == 13
        assert dict(own.items()) == {key: own[key]}
        assert [sum(values) for values in each_cpu.values()] == [3]
        each_cpu[number] = tuple(range(len(possible_cpus())))
        assert each_cpu[number] == tuple(range(len(possible_cpus())))
        with pytest.raises(SyscallError, match="EINVAL"):
            own.update(key, module.Traffic(), k.BPF_NOEXIST)
    assert not hasattr(own, "__delitem__")


def test_number_of_a_cgroup(cgroup: Path) -> None:
    """It is told by path and by descriptor."""
    number = os.open(cgroup, os.O_RDONLY)
    try:
        assert cgroup_id(cgroup) == cgroup_id(str(cgroup)) == cgroup_id(number)
    finally:
        os.close(number)
    with pytest.raises(FileNotFoundError):
        cgroup_id("/nonesuch")
