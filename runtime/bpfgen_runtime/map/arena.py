"""Arenas: memory that programs and this process share, with the same addresses in both."""

from __future__ import annotations

from ctypes import c_char, c_int, c_long, c_size_t, c_void_p, get_errno
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap

from ..errors import ClosedError, SyscallError
from ..sys.call import function
from .base import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..sys.fd import Fd

__all__ = ["ArenaMap"]

_MAP_FIXED = 0x10
_MAP_NORESERVE = 0x4000


class ArenaMap(Map):
    """A map of type `BPF_MAP_TYPE_ARENA`, `max_entries` pages, mapped into this process.

    Kernel: struct bpf_arena, since v6.9. A page is there once a program or this process has touched
    it.

    Attributes:
        memory: the whole arena; released by `close`.
        globals_offset: where in it the `__arena` variables begin; a skeleton has them typed, under
            the arena's name: `skel.arena.counter`.
        globals_size: their bytes, 0 without such variables.
    """

    __slots__ = ("_at", "_mapped", "globals_offset", "globals_size", "memory")

    def __init__(self, fd: Fd, **fields: Any) -> None:
        super().__init__(fd, **fields)
        self._mapped: mmap | None = None
        self._at = 0
        self.memory = memoryview(b"")
        self.globals_offset = 0
        self.globals_size = 0

    @property
    def globals(self) -> memoryview:
        """The `__arena` variables, shared with the programs.

        Raises:
            ClosedError: the map was closed.
        """
        if self.closed:
            raise ClosedError(f"arena {self.name!r} is closed")
        return self.memory[self.globals_offset : self.globals_offset + self.globals_size]

    def map_memory(self, address: int) -> None:
        """Map the arena; load does so before it loads the programs, which need to know the place.

        Args:
            address: where, from `map_extra`; 0 for anywhere.

        Raises:
            SyscallError: mmap failed, e.g. ENOMEM.
        """
        size = self.max_entries * PAGESIZE
        what = f"map arena {self.name!r} into memory"
        if not address:
            try:
                self._mapped = mmap(self.fileno(), size, MAP_SHARED, PROT_READ | PROT_WRITE)
            except OSError as error:
                raise SyscallError(error.errno or 0, "mmap", what) from error
            self.memory = memoryview(self._mapped)
            return
        # Python's mmap cannot be told the place.
        if not _map_at(address, size, MAP_SHARED | _MAP_FIXED, self.fileno()):
            raise SyscallError(get_errno(), "mmap", f"{what} at {address:#x}")
        self._at = address
        self.memory = memoryview((c_char * size).from_address(address)).cast("B")

    def close(self) -> None:
        """Unmap the memory and close the descriptor; do nothing if that is done already."""
        memory, self.memory = self.memory, memoryview(b"")
        memory.release()
        mapped, self._mapped = self._mapped, None
        if mapped is not None:
            _unmap(mapped)
        at, self._at = self._at, 0
        if at:
            # Views of it may be around still: let them find zeros rather than nothing.
            size = self.max_entries * PAGESIZE
            flags = MAP_PRIVATE | MAP_ANONYMOUS | _MAP_NORESERVE | _MAP_FIXED
            _map_at(at, size, flags, -1)
        super().close()


def _unmap(mapped: mmap) -> None:
    try:
        mapped.close()
    except BufferError:
        return  # someone still has a view of the memory, and it is unmapped with the last one


def _map_at(address: int, size: int, flags: int, fd: int) -> bool:
    call = function(c_void_p, c_size_t, c_int, c_int, c_int, c_long, name="mmap")
    call.restype = c_void_p
    return bool(call(address, size, PROT_READ | PROT_WRITE, flags, fd, 0) == address)
