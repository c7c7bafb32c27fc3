"""Addresses of the kernel's symbols, from /proc/kallsyms."""

from __future__ import annotations

from ..errors import NotSupportedError, SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Symbols", "addresses", "find", "kernel_symbols"]

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
    return find(_read(), names)


def _read() -> bytes:
    try:
        with open(_PATH, "rb") as file:
            return file.read()
    except OSError as error:
        raise SyscallError(error.errno or 0, "open", f"read {_PATH}") from error


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


#: Types of lines that are functions: t T, weak ones w W.
_FUNCTIONS = b"tTwW"

#: How far behind the start of the last symbol an address may be in it: sizes are not told.
_LAST_SIZE = 1 << 16


class Symbols:
    """The kernel's functions by address, as they were when the text was read.

    Args:
        text: of a /proc/kallsyms.
    """

    __slots__ = ("_addresses", "_digits", "_lines")

    def __init__(self, text: bytes) -> None:
        digits = self._digits = max(text.find(b" "), 1)  # of an address, 8 or 16
        kind = slice(digits + 1, digits + 2)
        lines = [line for line in text.split(b"\n") if line and line[kind] in _FUNCTIONS]
        # Of several names of one address the first counts, as in the kernel's own messages.
        lines.sort(key=lambda line: line[:digits])
        self._lines = lines
        self._addresses = [int(line[:digits], 16) for line in lines]

    @classmethod
    def read(cls) -> Symbols:
        """Read those of the running kernel, its modules and BPF programs.

        Raises:
            NotSupportedError: the addresses are hidden.
            SyscallError: the file cannot be read.
        """
        symbols = cls(_read())
        if not symbols._addresses or not symbols._addresses[-1]:
            raise NotSupportedError(
                f"addresses of kernel functions in {_PATH}",
                "reading them needs CAP_SYSLOG, and kernel.kptr_restrict below 2",
            )
        return symbols

    def __len__(self) -> int:
        return len(self._lines)

    def find(self, address: int) -> tuple[str, int, str] | None:
        """Return the function that an address is in, the offset in it (bytes), and its module.

        The module is "" for the kernel itself. None for what is no address of the kernel's.
        """
        from bisect import bisect_left, bisect_right

        after = bisect_right(self._addresses, address)
        if not after:
            return None
        start = self._addresses[after - 1]
        if after == len(self._addresses) and address - start > _LAST_SIZE:
            return None
        line = self._lines[bisect_left(self._addresses, start)]
        name, _, module = line[self._digits + 3 :].partition(b"\t")
        return (
            name.decode("utf-8", "surrogateescape"),
            address - start,
            module.strip(b"[]").decode("utf-8", "surrogateescape"),
        )


_cache: list[Symbols] = []


def kernel_symbols() -> Symbols:
    """Return the running kernel's functions as they were when first asked for."""
    if not _cache:
        _cache.append(Symbols.read())
    return _cache[0]
