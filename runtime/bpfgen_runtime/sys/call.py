"""syscall(2) itself: call numbers, the C function, buffers' addresses, failures."""

from __future__ import annotations

import errno as _errno
import os
import sys
from ctypes import (
    CDLL,
    Array,
    Structure,
    addressof,
    c_char,
    c_char_p,
    c_int,
    c_long,
    c_ulong,
    c_void_p,
    get_errno,
    sizeof,
)

from ..uapi import start as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

    from ..errors import BpfError

__all__ = [
    "NR_BPF",
    "address",
    "bpf_call",
    "failure",
    "function",
    "number",
    "pointer",
    "syscall",
    "writable",
]

# uname -m: the numbers of bpf and perf_event_open. 280 and 241 are the generic table's, which
# architectures younger than bpf(2) share.
_NUMBERS = {
    "x86_64": (321, 298),
    "i386": (357, 336),
    "i686": (357, 336),
    "aarch64": (280, 241),
    "riscv32": (280, 241),
    "riscv64": (280, 241),
    "loongarch64": (280, 241),
    "armv6l": (386, 364),
    "armv7l": (386, 364),
    "armv8l": (386, 364),
    "ppc": (361, 319),
    "ppc64": (361, 319),
    "ppc64le": (361, 319),
    "s390x": (351, 331),
    "sparc64": (349, 327),
    "mips": (4355, 4333),
    "mips64": (5315, 5292),
}
# A 32-bit process on a 64-bit kernel sees that kernel's uname, and makes its own calls.
_COMPAT = {"x86_64": "i386", "aarch64": "armv7l", "mips64": "mips"}


def number(call: int, machine: str | None = None, *, wide: bool = sys.maxsize > 1 << 32) -> int:
    """Return this process's number of a system call; -1, which gets ENOSYS, if it is unknown.

    Args:
        call: 0 for bpf(2), 1 for perf_event_open(2).
        machine: uname -m; this machine's by default.
        wide: whether the process has 64-bit pointers.
    """
    machine = os.uname().machine if machine is None else machine
    if not wide:
        machine = _COMPAT.get(machine, machine)
    return _NUMBERS.get(machine, (-1, -1))[call]


_libc = CDLL(None, use_errno=True)


def function(*argtypes: Any, name: str = "syscall") -> Any:
    """Return a C function of libc that takes arguments of these types and leaves errno to ctypes.

    For syscall(), `argtypes` are those after the call's number. Each result is a function object of
    its own: `argtypes` tells ctypes to pass whole registers, where it would pass a C int for a
    Python int.
    """
    found = _libc[name]
    found.restype = c_long if name == "syscall" else c_int
    found.argtypes = (c_long, *argtypes) if name == "syscall" else argtypes
    return found


#: bpf(2)'s number here.
NR_BPF = number(0)
#: `syscall(NR_BPF, command, address of the attr, its size)`: the result, -1 with
#: `ctypes.get_errno()` set.
syscall = function(c_long, c_void_p, c_ulong)


def bpf_call(command: int, attr: Structure | Array[Any], what: str) -> int:
    """Issue a bpf(2) command and return its result, which is never negative.

    The size passed is that of the command's own struct, whatever the kernel's age: since v3.18 the
    kernel takes a longer attr than its own if the rest is zero, and E2BIG says that it is not,
    which is to say that a field in use is newer than the kernel.

    Raises:
        SyscallError: the kernel refused; see `failure`.
        NotSupportedError: the number of bpf(2) on this architecture is not known.
    """
    result: int = syscall(NR_BPF, command, addressof(attr), sizeof(attr))
    if result < 0:
        raise failure(get_errno(), command, what)
    return result


def failure(errno: int, command: int, what: str, *, note: str = "") -> BpfError:
    """Return (not raise) the error for a failed bpf(2) command.

    Args:
        errno: the kernel's error number.
        command: the command, e.g. `BPF_MAP_CREATE`.
        what: what was being done, to which object.
        note: a sentence to say before the hint.
    """
    if errno == _errno.ENOENT and command in _KEY_COMMANDS:  # everyday business: no hints
        from ..errors import KeyMissingError

        return KeyMissingError(errno, _KEY_COMMANDS[command], what)
    if NR_BPF < 0:
        from ..errors import NotSupportedError

        return NotSupportedError(f"{what}: bpf(2) on {os.uname().machine}", "add its call number")
    from .explain import explain

    return explain(errno, command, what, note)


_KEY_COMMANDS = {
    k.BPF_MAP_LOOKUP_ELEM: "BPF_MAP_LOOKUP_ELEM",
    k.BPF_MAP_UPDATE_ELEM: "BPF_MAP_UPDATE_ELEM",
    k.BPF_MAP_DELETE_ELEM: "BPF_MAP_DELETE_ELEM",
    k.BPF_MAP_LOOKUP_AND_DELETE_ELEM: "BPF_MAP_LOOKUP_AND_DELETE_ELEM",
}


def pointer(data: bytes | None) -> int:
    """Return the address of a bytes object's own storage, which ends in a NUL; 0 for None.

    The caller keeps the object alive until the call is over.
    """
    return c_void_p.from_buffer(c_char_p(data)).value or 0


def address(data: Buffer | None) -> tuple[int, object]:
    """Return where the bytes of a buffer are, and what to keep alive until the call is over.

    None is at 0. A read-only buffer other than bytes is copied.
    """
    if data is not None and not isinstance(data, bytes):
        view = memoryview(data)
        if not view.readonly:
            block = writable(data)
            return addressof(block), block
        data = view.tobytes()
    return pointer(data), data


def writable(buffer: Buffer) -> Array[c_char]:
    """Return a ctypes view of a writable buffer; while it lives, a bytearray cannot be resized."""
    return (c_char * memoryview(buffer).nbytes).from_buffer(buffer)
