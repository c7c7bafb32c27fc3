"""Watch the system calls that a C library makes, without a process in between.

A library calls `syscall(3)` through a slot of its global offset table. What is written there is
called in its place: here a Python function, which passes the call on.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
from collections.abc import Callable, Iterator

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

#: syscall(3) as all architectures pass it: the call's number and six words, more than it may use.
_SYSCALL = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 7, use_errno=True)

#: Told of a call before it is made, by its number and arguments; what it gives back is told the
#: result, which is negative where errno says why, and errno.
Watcher = Callable[[int, tuple[int, ...]], Callable[[int, int], None] | None]


@functools.cache
def _slots(path: str) -> tuple[int, ...]:
    """Find the slots of `syscall` in a shared library; addresses as in the file."""
    with open(path, "rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".dynsym")
        assert isinstance(symbols, SymbolTableSection)
        found = [
            int(relocation["r_offset"])
            for section in elf.iter_sections()
            if isinstance(section, RelocationSection)
            for relocation in section.iter_relocations()
            if symbols.get_symbol(relocation["r_info_sym"]).name == "syscall"
        ]
    if not found:
        raise LookupError(f"{path} does not call syscall(3)")
    return tuple(found)


def _loaded_at(library: ctypes.CDLL) -> tuple[str, int]:
    """Give the file and the first address of a library of this process."""
    name = library._name.encode()  # as it was asked for
    with open("/proc/self/maps") as file:
        for line in file:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[2] == "00000000":
                path = fields[5].rstrip("\n")
                if path.rpartition("/")[2].encode().startswith(name.rpartition(b"/")[2]):
                    return path, int(fields[0].partition("-")[0], 16)
    raise LookupError(f"{library._name} is not in /proc/self/maps")


@contextlib.contextmanager
def watched_syscalls(library: ctypes.CDLL, watcher: Watcher) -> Iterator[None]:
    """Have a function told of every syscall(3) of a library.

    Raises:
        Exception: what `watcher` raised, once the context ends; the library's calls go on.
    """
    path, base = _loaded_at(library)
    libc = ctypes.CDLL(None, use_errno=True)
    real = libc.syscall
    real.restype, real.argtypes = ctypes.c_long, [ctypes.c_long] * 7
    errors: list[BaseException] = []

    def instead(number: int, *arguments: int) -> int:
        then = None
        if not errors:
            try:
                then = watcher(number, arguments)
            except BaseException as error:  # C cannot pass it on
                errors.append(error)
        result: int = real(number, *arguments)
        errno = ctypes.get_errno()
        if then is not None:
            try:
                then(result, errno)
            except BaseException as error:
                errors.append(error)
        ctypes.set_errno(errno)
        return result

    function = _SYSCALL(instead)
    address = ctypes.cast(function, ctypes.c_void_p).value
    slots = [ctypes.c_void_p.from_address(base + slot) for slot in _slots(path)]
    before = [slot.value for slot in slots]
    for slot in slots:
        _make_writable(libc, ctypes.addressof(slot))
        slot.value = address
    try:
        yield
    finally:
        for slot, value in zip(slots, before, strict=True):
            slot.value = value
    if errors:
        raise errors[0]


def _make_writable(libc: ctypes.CDLL, address: int) -> None:
    """Allow writing to a page that the dynamic linker has closed (RELRO)."""
    page = address & -mmap.PAGESIZE
    protection = ctypes.c_int(mmap.PROT_READ | mmap.PROT_WRITE)
    if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), protection):
        raise OSError(ctypes.get_errno(), "mprotect of a library's offset table")
