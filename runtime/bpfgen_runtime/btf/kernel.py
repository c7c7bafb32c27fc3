"""BTF of the running kernel and its modules: the one part of `btf` that reads this machine.

Kernel: /sys/kernel/btf/vmlinux since v5.4 (CONFIG_DEBUG_INFO_BTF), modules since v5.11
(CONFIG_DEBUG_INFO_BTF_MODULES).
"""

from __future__ import annotations

import mmap
import os

from ..errors import BtfError, NotSupportedError, SyscallError
from .btf import Btf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BTF_DIRECTORY = "/sys/kernel/btf"

#: Where libbpf, too, looks for an ELF file with the BTF of a kernel that does not give it itself.
VMLINUX_FILES = (
    "/boot/vmlinux-{0}",
    "/lib/modules/{0}/vmlinux-{0}",
    "/lib/modules/{0}/build/vmlinux",
    "/usr/lib/modules/{0}/kernel/vmlinux",
    "/usr/lib/debug/boot/vmlinux-{0}",
    "/usr/lib/debug/boot/vmlinux-{0}.debug",
    "/usr/lib/debug/lib/modules/{0}/vmlinux",
)

_cache: dict[str, Btf] = {}

#: By module: its BTF as last seen, and what that was read by: the file's identity, the object's id.
#: A module can be unloaded, and loaded again with other types, while this process runs.
_modules: dict[str, tuple[Btf, dict[str, object]]] = {}


def kernel_btf() -> Btf:
    """Return the BTF of the running kernel, read and indexed once per process.

    Raises:
        NotSupportedError: the kernel was built without it, and none of VMLINUX_FILES has it.
    """
    found = _cache.get("vmlinux")
    if found is None:
        data = _read("vmlinux")
        found = _cache["vmlinux"] = _from_file() if data is None else Btf.parse(data)
    return found


def _from_file() -> Btf:
    from .file import read_btf

    release = os.uname().release
    for place in VMLINUX_FILES:
        try:
            return read_btf(place.format(release))
        except (BtfError, SyscallError):
            continue  # the next one may do
    raise NotSupportedError(
        "BTF of the running kernel",
        f"{BTF_DIRECTORY}/vmlinux is missing; the kernel needs CONFIG_DEBUG_INFO_BTF=y",
    )


def module_btf(name: str) -> Btf:
    """Return the BTF of a loaded kernel module, split on `kernel_btf()`.

    Read once per process, and again once the module was unloaded and loaded.

    Args:
        name: as in lsmod; `-` counts as `_`.

    Raises:
        NotSupportedError: the module is not loaded, or has no BTF.
    """
    name = name.replace("-", "_")
    if not name or "/" in name or name.startswith("."):
        raise ValueError(f"{name!r} is no name of a kernel module")
    if name == "vmlinux":
        return kernel_btf()
    found = _module(name, "file", _identity(name), lambda: _read(name))
    if found is None:
        raise NotSupportedError(
            f"BTF of kernel module {name!r}",
            f"{BTF_DIRECTORY}/{name} is missing; load the module, and see that the kernel has "
            "CONFIG_DEBUG_INFO_BTF_MODULES=y",
        )
    return found


def opened_module_btf(name: str, fd: int, number: int) -> Btf:
    """Return the BTF of a module by a descriptor of it, which has these types in any case.

    Args:
        number: the kernel's id of it, which no other load of the module has.

    Raises:
        SyscallError: it cannot be read.
    """
    what = f"read the BTF of kernel module {name!r}"
    found = _module(name, "id", number, lambda: _read_loaded(fd, what))
    assert found is not None
    return found


def _module(name: str, way: str, mark: object, read: Callable[[], bytes | None]) -> Btf | None:
    """Return a module's BTF: the known one if what it was read by is the same, or its bytes are.

    Args:
        way: how it is read, of which `mark` tells one load of the module from the next; None if
            there is nothing to read.
    """
    btf, marks = _modules.get(name, (None, {}))
    if btf is not None and marks.get(way) == mark is not None:
        return btf
    data = None if mark is None else read()
    if data is None:
        _modules.pop(name, None)
        return None
    if btf is None or btf.to_bytes() != data:
        btf, marks = Btf.parse(data, base=kernel_btf()), {}
    marks[way] = mark
    _modules[name] = btf, marks
    return btf


def _identity(name: str) -> object:
    """Return what tells a file of BTF from another one of that name; None if there is none."""
    try:
        status = os.stat(f"{BTF_DIRECTORY}/{name}")
    except FileNotFoundError:
        return None
    except OSError:
        return object()  # reading it will tell
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def every_module_btf() -> list[Btf]:
    """Return the BTFs of all loaded modules, sorted by name; those that vanish meanwhile left out.

    Without CAP_SYS_ADMIN there are none, as for libbpf, whose way to them asks for it.
    """
    from ..host.capabilities import effective

    try:
        names = sorted(set(os.listdir(BTF_DIRECTORY)) - {"vmlinux"})
    except FileNotFoundError:
        return []
    if not names or "CAP_SYS_ADMIN" not in effective():
        return []
    found = []
    for name in names:
        try:
            found.append(module_btf(name))
        except NotSupportedError:
            continue  # unloaded
    return found


def _read(name: str) -> bytes | None:
    path = f"{BTF_DIRECTORY}/{name}"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SyscallError(error.errno or 0, "open", f"read {path}") from error
    try:
        size = os.fstat(fd).st_size
        try:
            # Possible since v6.16, for vmlinux, and 5 times as fast as reading. Copied, because a
            # mapping kept alive keeps a descriptor in CPython.
            with mmap.mmap(fd, size, mmap.MAP_PRIVATE, mmap.PROT_READ) as mapped:
                return mapped[:]
        except (OSError, ValueError):
            with open(fd, "rb", closefd=False) as file:
                return file.read()
    finally:
        os.close(fd)


def loaded_btf(number: int) -> Btf:
    """Return a BTF that some process gave to the kernel, by its id.

    Raises:
        SyscallError: there is none, or it takes CAP_SYS_ADMIN to see it.

    Kernel: BPF_BTF_GET_FD_BY_ID, since v4.18.
    """
    from ..sys import bpf

    with bpf.btf_get_fd_by_id(number) as fd:
        return Btf.parse(_read_loaded(fd.fileno(), f"read BTF {number}"))


def _read_loaded(fd: int, what: str) -> bytes:
    from ctypes import addressof, c_char

    from ..sys import bpf
    from ..uapi.attr_more import BtfInfo

    data = bytearray(bpf.btf_get_info_by_fd(fd, what=what).btf_size)
    block = (c_char * len(data)).from_buffer(data)
    wanted = BtfInfo(btf=addressof(block), btf_size=len(data))
    bpf.obj_get_info_by_fd(bpf_fd=fd, info=wanted, what=what)
    return bytes(data)
