"""Addresses of the kernel's symbols, from /proc/kallsyms."""

from __future__ import annotations

from ..errors import SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["addresses", "find"]

_PATH = "/proc/kallsyms"

#: What clang's link-time optimisation puts behind the names of static variables.
_LLVM = b".llvm."


def addresses(names: Iterable[str]) -> dict[str, list[int]]:
    """Return the distinct addresses of each name, in the file's order; names it lacks left out.

    All addresses are 0 for those who may not see them: without CAP_SYSLOG, or with
    kernel.kptr_restrict at 2.

    Raises:
        SyscallError: the file cannot be read.
    """
    try:
        with open(_PATH, "rb") as file:
            text = file.read()
    except OSError as error:
        raise SyscallError(error.errno or 0, "open", f"read {_PATH}") from error
    return find(text, names)


def find(text: bytes, names: Iterable[str]) -> dict[str, list[int]]:
    """Do as `addresses` with the text of a /proc/kallsyms.

    A line is `ADDRESS TYPE NAME`, and for a module's symbol a tab and `[MODULE]`.
    """
    found: dict[str, list[int]] = {}
    for name in names:
        wanted = b" " + name.encode("utf-8", "surrogateescape")
        at = text.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            line = text[text.rfind(b"\n", 0, at) + 1 : at].split()
            is_whole = text[end : end + 1] in (b"\n", b"\t", b" ", b"")
            is_data = line[-1:] == [b"d"] and text.startswith(_LLVM, end)
            if len(line) == 2 and (is_whole or is_data):
                known = found.setdefault(name, [])
                address = int(line[0], 16)
                if address not in known:
                    known.append(address)
            at = text.find(wanted, end)
    return found
