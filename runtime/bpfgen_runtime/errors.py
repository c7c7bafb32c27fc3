"""Every error that bpfgen and its runtime raise on purpose.

```
BpfError
  FormatError(section, offset) > ElfError, BtfError
  RelocationError, LinkerError, GenerateError
  ClosedError
  NotSupportedError(feature)
  SyscallError(BpfError, OSError; command)
    KeyMissingError(+KeyError), KeyExistsError, VerifierError(log)
```

A message says what was being done, to which object, and what to try. All of them pickle.
"""

from __future__ import annotations

import errno as _errno
import os

__all__ = [
    "BpfError",
    "BtfError",
    "ClosedError",
    "ElfError",
    "FormatError",
    "GenerateError",
    "KeyExistsError",
    "KeyMissingError",
    "LinkerError",
    "NotSupportedError",
    "RelocationError",
    "SyscallError",
    "VerifierError",
]


class BpfError(Exception):
    """The root of the tree: catch it to catch everything that this project raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle as cls(*args); ours have keyword arguments: the state goes along whole.
        return _rebuild, (type(self), self.args, self._state())

    def _state(self) -> dict[str, object]:
        return dict(self.__dict__)


def _rebuild(cls: type[BpfError], args: tuple[object, ...], state: dict[str, object]) -> BpfError:
    error = cls.__new__(cls)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


class FormatError(BpfError):
    """The input is not what its format demands.

    Args:
        message: what is wrong.
        section: the ELF section (or the part of BTF) that it is in, None if the file as a whole.
        offset: byte offset in that section, None if unknown.
    """

    def __init__(
        self, message: str, *, section: str | None = None, offset: int | None = None
    ) -> None:
        place = "" if section is None else f"section {section!r}"
        if offset is not None:
            place += f"{' ' if place else ''}at offset {offset:#x}"
        super().__init__(f"{message} ({place})" if place else message)
        self.section = section
        self.offset = offset


class ElfError(FormatError):
    """The file is not an ELF relocatable object that BPF tools accept."""


class BtfError(FormatError):
    """The type information (`.BTF`, `.BTF.ext`, or a BTF file) is damaged or inconsistent."""


class RelocationError(BpfError):
    """An instruction refers to something that cannot be resolved; the message names the symbol."""


class LinkerError(BpfError):
    """Objects cannot be linked statically; the message names the symbol and both files."""


class GenerateError(BpfError):
    """A skeleton cannot be generated; the message names the map, type or name in the way."""


class ClosedError(BpfError):
    """The caller used something that it had closed, destroyed, or handed on."""


class NotSupportedError(BpfError):
    """A feature that the kernel, or this version of bpfgen, lacks.

    Args:
        feature: what is missing, e.g. `"CO-RE relocations"`.
        hint: what to do about it; a sentence of its own.
    """

    def __init__(self, feature: str, hint: str = "") -> None:
        super().__init__(f"{feature} not supported{': ' + hint if hint else ''}")
        self.feature = feature
        self.hint = hint


class SyscallError(BpfError, OSError):
    """A system call failed.

    Args:
        errno: the kernel's error number, positive.
        command: the call, e.g. `"BPF_MAP_CREATE"`.
        what: what was being done and to which object, e.g. `"create map 'counts'"`.
        hint: what to try; a sentence of its own.
    """

    def __init__(self, errno: int, command: str, what: str, hint: str = "") -> None:
        code = _errno.errorcode.get(errno, str(errno))
        text = f"{what}: {command}: {code} ({os.strerror(errno)})"
        BpfError.__init__(self, f"{text}. {hint}" if hint else text)
        self.errno = errno
        self.strerror = os.strerror(errno)
        self.filename = None
        self.command = command
        self.what = what
        self.hint = hint

    def __str__(self) -> str:  # KeyError and OSError each have one of their own
        return self.message

    def _state(self) -> dict[str, object]:
        # OSError keeps these in C, outside __dict__.
        return super()._state() | {"errno": self.errno, "strerror": self.strerror}


class KeyMissingError(SyscallError, KeyError):
    """The map has no such key (ENOENT)."""


class KeyExistsError(SyscallError):
    """The map has that key already and BPF_NOEXIST was asked for (EEXIST)."""


class VerifierError(SyscallError):
    """The kernel refused a program or BTF and said why in its log.

    Args:
        log: the whole log as text; may be empty where the kernel wrote none.
    """

    #: How many of the log's last lines the message shows.
    SHOWN_LINES = 20

    def __init__(self, errno: int, command: str, what: str, log: str, hint: str = "") -> None:
        super().__init__(errno, command, what, hint)
        self.log = log
        lines = [line for line in log.splitlines() if line.strip()]
        if lines:
            cut = len(lines) - self.SHOWN_LINES
            head = f"\n  ... {cut} lines before, all in .log" if cut > 0 else ""
            tail = "".join(f"\n  {line}" for line in lines[-self.SHOWN_LINES :])
            self.message += f"\nverifier log:{head}{tail}"
