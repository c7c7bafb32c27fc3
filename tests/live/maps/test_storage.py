"""Local storage of sockets, files, tasks and cgroups, through a generated skeleton."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bpfgen_runtime.errors import ClosedError, KeyExistsError, KeyMissingError, SyscallError
from bpfgen_runtime.map import CgrpStorage, InodeStorage, Pid, SkStorage, TaskStorage
from bpfgen_runtime.uapi import const as k

from tests.support.cgroup import temporary_cgroup
from tests.support.modules import generated_module

MAPS = ("of_sockets", "of_inodes", "of_tasks", "of_cgroups")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return generated_module("maps_storage", tmp_path_factory.mktemp("skeleton"))


Load = Callable[..., Any]


@pytest.fixture
def load(module: ModuleType) -> Load:
    """A function that loads one map and some programs."""

    def loaded(map_name: str, *programs: str) -> Any:
        opened = module.MapsStorage.open()
        for each in opened.maps:
            each.autocreate = each.name == map_name
        for each in opened.progs:
            each.autoload = each.name in programs
        return opened.load()

    return loaded


def check(storage: Any, note: Any, owner: Any, again: Any) -> None:
    """Do to one object all that can be done; `again` is the same object otherwise told."""
    assert owner not in storage
    assert storage.get(owner) is None
    assert storage.get(owner, 5) == 5
    with pytest.raises(KeyMissingError, match=f"in map {storage.name!r}"):
        _ = storage[owner]
    with pytest.raises(KeyMissingError):
        storage.update(owner, note(count=1), k.BPF_EXIST)
    storage[owner] = note(count=1, kind=2)
    assert owner in storage
    assert storage[again] == storage.get(again) == note(count=1, kind=2)
    with pytest.raises(KeyExistsError):
        storage.update(again, note(), k.BPF_NOEXIST)
    storage.update(again, note(count=3), k.BPF_EXIST)
    assert storage.lookup(owner).count == 3
    del storage[again]
    with pytest.raises(KeyMissingError, match="delete the value of"):
        storage.delete(owner)
    with pytest.raises((AttributeError, TypeError), match=f"value of map {storage.name!r}|note"):
        storage[owner] = 5
    assert not hasattr(storage, "__iter__")
    assert not hasattr(storage, "__len__")


def test_sockets(module: ModuleType, load: Load) -> None:
    """Values of sockets, which an iterator may change."""
    with load("of_sockets", "visit_sockets") as skel, socket.socket() as one:
        storage = skel.maps.of_sockets
        assert isinstance(storage, SkStorage)
        check(storage, module.Note, one, one.fileno())
        storage[one] = module.Note(count=4)
        with skel.progs.visit_sockets.attach_iter(map=storage) as link:
            link.read()
        assert storage[one].count == 5
        with open("/dev/null") as file, pytest.raises(SyscallError, match="no descriptor of a so"):
            storage[file] = module.Note()
        two = socket.socket()
        two.close()
        with pytest.raises(ClosedError, match="a socket is closed"):
            storage[two] = module.Note()


@pytest.mark.kernel("storage of inodes")
def test_files(module: ModuleType, load: Load, tmp_path: Path) -> None:
    """Values of files, by path and by descriptor."""
    path = tmp_path / "file"
    path.touch()
    (tmp_path / "link").symlink_to(path)
    with load("of_inodes") as skel, path.open() as file:
        storage = skel.maps.of_inodes
        assert isinstance(storage, InodeStorage)
        check(storage, module.Note, path, file)
        check(storage, module.Note, file.fileno(), str(tmp_path / "link"))
        os.mkfifo(tmp_path / "fifo")
        storage[tmp_path / "fifo"] = module.Note(count=1)  # opens without waiting
        with pytest.raises(SyscallError, match="nonesuch' in map 'of_inodes': open: ENOENT"):
            storage[tmp_path / "nonesuch"] = module.Note()
        with pytest.raises(SyscallError, match="no descriptor of a file"):
            storage[12345] = module.Note()


@pytest.mark.kernel("task storage")
def test_tasks(module: ModuleType, load: Load) -> None:
    """Values of tasks, by number and by pidfd."""
    with load("of_tasks") as skel:
        storage = skel.maps.of_tasks
        assert isinstance(storage, TaskStorage)
        pidfd = os.pidfd_open(os.getpid())
        try:
            check(storage, module.Note, Pid(os.getpid()), pidfd)
        finally:
            os.close(pidfd)
        with pytest.raises(SyscallError, match=r"a pidfd\); for its number there is Pid\(number\)"):
            storage[12345] = module.Note()
        with pytest.raises(SyscallError, match=r"value of Pid\(4194303\) .*pidfd_open: ESRCH"):
            storage[Pid(4194303)] = module.Note()


@pytest.mark.kernel("task storage in iterators")
def test_tasks_in_programs(module: ModuleType, load: Load) -> None:
    """A program finds the value of the task that user space gave one."""
    with load("of_tasks", "visit_tasks") as skel:
        storage = skel.maps.of_tasks
        storage[Pid(os.getpid())] = module.Note(count=4, kind=1)
        with skel.progs.visit_tasks.attach_iter() as link:
            link.read()
        assert storage[Pid(os.getpid())] == module.Note(count=5, kind=1)


@pytest.mark.kernel("pidfds of threads")
def test_threads(module: ModuleType, load: Load) -> None:
    """Where the kernel has pidfds of threads, each thread has a value of its own."""
    with load("of_tasks") as skel:
        storage = skel.maps.of_tasks
        failures: list[BaseException] = []

        def work() -> None:
            try:
                me = Pid(threading.get_native_id())
                storage[me] = module.Note(count=7)
                assert storage[me].count == 7
                assert Pid(os.getpid()) not in storage
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert failures == []


@pytest.mark.kernel("local storage of cgroups")
def test_cgroups(module: ModuleType, load: Load) -> None:
    """Values of cgroups, by path and by descriptor."""
    with load("of_cgroups") as skel, temporary_cgroup() as cgroup:
        storage = skel.maps.of_cgroups
        assert isinstance(storage, CgrpStorage)
        number = os.open(cgroup, os.O_RDONLY)
        try:
            check(storage, module.Note, cgroup, number)
        finally:
            os.close(number)
        with pytest.raises(SyscallError, match=r"value of '/' .*cgroup version 2"):
            storage["/"] = module.Note()
