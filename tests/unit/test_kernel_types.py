"""Types of the kernel and its modules by name, on a made-up kernel."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import memmove
from errno import E2BIG, EACCES, EINVAL, ENOENT, EPERM
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bpfgen_runtime.btf import (
    BTF_KIND_FUNC,
    BTF_KIND_STRUCT,
    BTF_KIND_TYPEDEF,
    Func,
    FuncProto,
    Int,
    Ptr,
    Struct,
    Typedef,
    encode,
    kernel,
    kernel_btf,
)
from bpfgen_runtime.errors import BtfError, ClosedError, NotSupportedError, SyscallError
from bpfgen_runtime.kernel_types import KernelTypes
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi.attr_more import BtfInfo

FAKE = (Int("int", 4), Struct("task_struct", 4))


class Loaded(NamedTuple):
    """A BTF that the kernel has."""

    name: str
    data: bytes
    of_kernel: bool = True


class OpenFd:
    """Stands for an `Fd`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False

    def fileno(self) -> int:
        if self.closed:
            raise ClosedError(f"BTF {self.number} is closed")
        return 1000 + self.number

    def close(self) -> None:
        self.closed = True


class Machine:
    """A kernel that answers about BTF.

    Attributes:
        objects: what it has, by id.
        gone: ids that vanish before they are opened.
        errors: errno by what is asked: "next", "open" or "name".
    """

    def __init__(self) -> None:
        self.objects: dict[int, Loaded] = {}
        self.gone: set[int] = set()
        self.errors: dict[str, int] = {}
        self.opened: list[OpenFd] = []
        self.reads = 0

    def _fail(self, what: str) -> None:
        if what in self.errors:
            raise SyscallError(self.errors[what], "bpf", what)

    def get_next_id(self, start_id: int = 0) -> int | None:
        self._fail("next")
        return min((one for one in {*self.objects, *self.gone} if one > start_id), default=None)

    def get_fd_by_id(self, number: int) -> OpenFd:
        self._fail("open")
        if number in self.gone:
            raise SyscallError(ENOENT, "bpf", "open")
        self.opened.append(OpenFd(number))
        return self.opened[-1]

    def get_info(self, *, bpf_fd: int, info: BtfInfo, what: str = "") -> int:
        loaded = self.objects[bpf_fd - 1000]
        if info.name_len:
            self._fail("name")
            text = loaded.name.encode() + b"\0"
            memmove(info.name, text, len(text))
        if info.btf:
            self.reads += 1
            memmove(info.btf, loaded.data, min(info.btf_size, len(loaded.data)))
        info.btf_size, info.kernel_btf = len(loaded.data), int(loaded.of_kernel)
        info.id = bpf_fd - 1000
        return 0


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A kernel of two types, whose modules a test adds; every descriptor is closed in the end."""
    made = Machine()
    monkeypatch.setattr(kernel, "BTF_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(kernel, "VMLINUX_FILES", ())
    monkeypatch.setattr(kernel, "_cache", {})
    monkeypatch.setattr(kernel, "_modules", {})
    (tmp_path / "vmlinux").write_bytes(encode(FAKE))
    monkeypatch.setattr(bpf, "btf_get_next_id", made.get_next_id)
    monkeypatch.setattr(bpf, "btf_get_fd_by_id", made.get_fd_by_id)
    monkeypatch.setattr(bpf, "obj_get_info_by_fd", made.get_info)

    def info(fd: int, *, what: str = "") -> BtfInfo:
        found = BtfInfo()
        made.get_info(bpf_fd=fd, info=found)
        return found

    monkeypatch.setattr(bpf, "btf_get_info_by_fd", info)
    made.objects[1] = Loaded("vmlinux", encode(FAKE))
    yield made
    assert all(fd.closed for fd in made.opened)


def function(name: str, *before: Any) -> bytes:
    """A module's BTF: some types, and then a function."""
    proto = 3 + len(before)
    return encode([*before, FuncProto(1), Func(name, proto, 1)], base=kernel_btf())


class Types(KernelTypes):
    """`KernelTypes` as a context manager."""

    __slots__ = ()

    def __enter__(self) -> Types:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_the_kernel_goes_first(machine: Machine) -> None:
    """A type of the kernel's own is found without a look at the modules."""
    machine.errors = dict.fromkeys(("next", "open", "name"), EACCES)
    with Types() as types:
        for module in (None, "vmlinux"):
            found = types.find("task_struct", BTF_KIND_STRUCT, module)
            assert found is not None
            assert (found.btf, found.type_id, found.module) == (kernel_btf(), 2, "")
            assert found.btf_fd == 0
        assert types.find("no_such", BTF_KIND_STRUCT, "vmlinux") is None
    assert machine.opened == []


def test_modules_by_age(machine: Machine) -> None:
    """The first module that has a type gives it, by a descriptor that stays open until close."""
    machine.objects[3] = Loaded("first", encode([Typedef("t", 1)], base=kernel_btf()))
    machine.objects[4] = Loaded("other", encode([Typedef("u", 1)]), of_kernel=False)
    machine.objects[7] = Loaded("second", function("f", Typedef("t", 1)))
    machine.gone = {2, 5}
    with Types() as types:
        found = types.find("f", BTF_KIND_FUNC)
        assert found is not None
        assert (found.type_id, found.module, found.btf_fd) == (5, "second", 1007)
        found = types.find("t", BTF_KIND_TYPEDEF)
        assert found is not None
        assert (found.module, found.btf.base) == ("first", kernel_btf())
        found = types.find("t", BTF_KIND_TYPEDEF, "second")
        assert found is not None
        assert found.module == "second"
        assert types.find("t", BTF_KIND_TYPEDEF, "third") is None
        assert types.find("u", BTF_KIND_TYPEDEF) is None  # a program's, not a module's
        # A type of the kernel is no module's.
        assert types.find("task_struct", BTF_KIND_STRUCT, "first") is None
        assert [fd.number for fd in machine.opened if not fd.closed] == [3, 7]


def test_modules_are_read_once(machine: Machine) -> None:
    """Later loads take what the first one read, as long as the module is the same."""
    machine.objects[3] = Loaded("mod", function("f"))
    for _ in range(3):
        with Types() as types:
            assert types.find("f", BTF_KIND_FUNC) is not None
            assert types.find("g", BTF_KIND_FUNC) is None
    assert machine.reads == 1


def test_module_that_is_loaded_again(machine: Machine) -> None:
    """A module of the same name that is another one has its own types, and none once it is gone."""
    machine.objects[3] = Loaded("mod", function("f"))
    with Types() as types:
        found = types.find("f", BTF_KIND_FUNC)
        assert found is not None
        assert found.type_id == 4
        # It is replaced during the load: what was opened still counts.
        machine.objects[8] = Loaded("mod", function("f", Ptr(1)))
        found = types.find("f", BTF_KIND_FUNC)
        assert found is not None
        assert (found.type_id, found.btf_fd) == (4, 1003)
    del machine.objects[3]
    with Types() as types:
        found = types.find("f", BTF_KIND_FUNC)
        assert found is not None
        assert (found.type_id, found.btf_fd) == (5, 1008)
    del machine.objects[8]
    with Types() as types:
        assert types.find("f", BTF_KIND_FUNC) is None


def test_module_by_descriptor_and_by_file(machine: Machine, tmp_path: Path) -> None:
    """A module's BTF is indexed once, whichever way it was read; another one's is not taken."""
    data = function("f")
    machine.objects[3] = Loaded("mod", data)
    (tmp_path / "mod").write_bytes(data)
    by_file = kernel.module_btf("mod")
    assert kernel.opened_module_btf("mod", 1003, 3) is by_file
    assert kernel.module_btf("mod") is by_file
    machine.objects[5] = Loaded("mod", function("f", Ptr(1)))
    assert kernel.opened_module_btf("mod", 1005, 5).find("f") == [5]
    assert kernel.module_btf("mod").find("f") == [4]


@pytest.mark.parametrize(
    "errors",
    [{"next": EPERM}, {"next": EINVAL}, {"open": EPERM}, {"name": E2BIG}],
    ids=["no right to list", "before v5.4", "no right to open", "before v5.11"],
)
def test_without_modules(machine: Machine, errors: dict[str, int]) -> None:
    """Where modules cannot be seen there are none, as for libbpf; the kernel's types are found."""
    machine.objects[3] = Loaded("mod", function("f"))
    machine.errors = errors
    with Types() as types:
        assert types.find("f", BTF_KIND_FUNC) is None
        assert types.find("f", BTF_KIND_FUNC, "mod") is None
        assert types.find("task_struct", BTF_KIND_STRUCT) is not None


@pytest.mark.parametrize("what", ["next", "open", "name"])
def test_other_failures(machine: Machine, what: str) -> None:
    """Any other error of the kernel is the load's."""
    machine.objects[3] = Loaded("mod", function("f"))
    machine.errors = {what: EACCES}
    with Types() as types, pytest.raises(SyscallError, match=what):
        types.find("f", BTF_KIND_FUNC)


def test_kernel_without_btf(machine: Machine, tmp_path: Path) -> None:
    """Without the kernel's own BTF there is nothing to find."""
    (tmp_path / "vmlinux").unlink()
    with Types() as types, pytest.raises(NotSupportedError, match="CONFIG_DEBUG_INFO_BTF"):
        types.find("task_struct", BTF_KIND_STRUCT)


def test_damaged_btf_is_not_kept(machine: Machine) -> None:
    """What cannot be parsed is an error each time."""
    machine.objects[3] = Loaded("mod", b"\x9f\xeb")
    for _ in range(2):
        with Types() as types, pytest.raises(BtfError, match="header"):
            types.find("f", BTF_KIND_FUNC)
