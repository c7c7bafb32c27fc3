"""The running kernel's own BTF."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bpfgen_runtime.btf import (
    BTF_KIND_STRUCT,
    Btf,
    Func,
    FuncProto,
    Int,
    Ptr,
    Struct,
    Typedef,
    encode,
    kernel,
    kernel_btf,
    module_btf,
)
from bpfgen_runtime.errors import NotSupportedError, SyscallError

FAKE = (Int("int", 4), Struct("task_struct", 4))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose kernel has two types; the cache starts empty."""
    monkeypatch.setattr(kernel, "BTF_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(kernel, "VMLINUX_FILES", ())
    monkeypatch.setattr(kernel, "_cache", {})
    monkeypatch.setattr(kernel, "_modules", {})
    (tmp_path / "vmlinux").write_bytes(encode(FAKE))
    return tmp_path


@pytest.mark.needs("btf")
class TestThisKernel:
    """What every kernel has, on this machine."""

    def test_it_is_read_once(self) -> None:
        """A second call gives the same object."""
        assert kernel_btf() is kernel_btf() is module_btf("vmlinux")

    def test_it_encodes_to_the_same_bytes(self) -> None:
        """The blob is kept, and the swapped blob swaps back."""
        with open("/sys/kernel/btf/vmlinux", "rb") as file:
            data = file.read()
        btf = Btf.parse(data)
        assert btf.to_bytes() == encode(btf) == data
        swapped = Btf.parse(encode(btf, byte_order=">" if btf.byte_order == "<" else "<"))
        assert encode(swapped, byte_order=btf.byte_order) == data

    def test_well_known_types(self) -> None:
        """Types that every kernel has are found, and look as they should."""
        btf = kernel_btf()
        (task,) = btf.find("task_struct", BTF_KIND_STRUCT)
        t = btf.type(task)
        assert isinstance(t, Struct)
        assert {"pid", "tgid", "comm"} < {member.name for member in t.members}
        comm = next(member for member in t.members if member.name == "comm")
        assert btf.c_name(comm.type) == "char [16]"
        assert btf.size_of(task) == t.size > 1000
        assert btf.c_name(btf.find("list_head", BTF_KIND_STRUCT)[0]) == "struct list_head"
        assert btf.find("no_such_type_anywhere") == []

    def test_no_descriptor_is_kept(self) -> None:
        """The mapping, which would hold one, is given up."""
        before = os.listdir("/proc/self/fd")
        kernel._read("vmlinux")
        assert os.listdir("/proc/self/fd") == before


def test_a_file_that_cannot_be_mapped_is_read(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before v6.16 sysfs refuses mmap with ENODEV."""

    def refuse(*_: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(kernel.mmap, "mmap", refuse)
    assert kernel_btf().find("task_struct") == [2]


def test_modules_continue_the_kernel(machine: Path) -> None:
    """A module's BTF is split; `-` in its name means `_`."""
    base = Btf.parse(encode(FAKE))
    (machine / "snd_pcm").write_bytes(encode([Typedef("pcm_t", 2)], base=base))
    btf = module_btf("snd-pcm")
    assert btf.base is kernel_btf()
    assert btf.find("pcm_t") == [3]
    assert module_btf("snd_pcm") is btf


def test_module_that_is_loaded_again(machine: Path) -> None:
    """The types are those of the module that is there now, even if another one has its name."""
    base = kernel_btf()
    place = machine / "mod"
    place.write_bytes(encode([FuncProto(1), Func("f", 3, 1)], base=base))
    first = module_btf("mod")
    assert (first.find("f"), module_btf("mod")) == ([4], first)
    place.unlink()
    place.write_bytes(encode([Ptr(1), FuncProto(1), Func("f", 4, 1)], base=base))
    assert module_btf("mod").find("f") == [5]
    place.unlink()
    with pytest.raises(NotSupportedError, match="'mod'"):
        module_btf("mod")
    assert kernel._modules == {}  # nor is it kept


def test_module_is_read_once(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the file is enough; and one of another identity but equal bytes keeps the index."""
    place = machine / "mod"
    data = encode([Typedef("t", 2)], base=kernel_btf())
    place.write_bytes(data)
    btf = module_btf("mod")
    reads = []
    real = kernel._read
    monkeypatch.setattr(kernel, "_read", lambda name: reads.append(name) or real(name))
    assert (module_btf("mod"), reads) == (btf, [])
    os.utime(place, (1, 1))
    assert module_btf("mod") is module_btf("mod") is btf
    assert reads == ["mod"]


def test_missing_btf_says_which_option_is_needed(machine: Path) -> None:
    """Without the file the kernel lacks a configuration option, or the module is not loaded."""
    with pytest.raises(NotSupportedError, match="CONFIG_DEBUG_INFO_BTF_MODULES"):
        module_btf("absent")
    (machine / "vmlinux").unlink()
    kernel._cache.clear()
    with pytest.raises(NotSupportedError, match="CONFIG_DEBUG_INFO_BTF=y"):
        kernel_btf()


def test_what_cannot_be_opened_keeps_its_errno(machine: Path) -> None:
    """Any other failure of open(2) is a SyscallError."""
    (machine / "loop").symlink_to("loop")
    with pytest.raises(SyscallError, match="loop") as caught:
        module_btf("loop")
    assert caught.value.command == "open"


@pytest.mark.parametrize("name", ["", "../vmlinux", "a/b", ".hidden"])
def test_names_are_no_paths(name: str) -> None:
    """A module's name cannot leave the directory."""
    with pytest.raises(ValueError, match="no name of a kernel module"):
        module_btf(name)
