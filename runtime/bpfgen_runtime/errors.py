"""Every error that bpfgen and its runtime raise on purpose.

```
BpfError
  FormatError(section, offset) > ElfError, BtfError
  RelocationError, LinkerError, GenerateError
  ClosedError
  NotSupportedError(feature)
  SyscallError(BpfError, OSError; command)
    KeyMissingError(+KeyError), KeyExistsError, VerifierError(log, summary, source …)
```

A message says what was being done, to which object, and what to try. All of them pickle.
"""

from __future__ import annotations

import errno as _errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .verifier import SourceLine, VerifierStats
    from .verifier.lines import LineRecord

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

    The message explains it: the kernel's reason, the line of C, the instruction and the registers
    concerned, what to do, and the log's last lines. It is worked out when first asked for, and
    `rich.print(error)` highlights it.

    Args:
        log: the whole log as text; may be empty where the kernel wrote none.
        hint: what is known of the cause from elsewhere; for where the log suggests nothing.
        program: the program's name, "" if it was no program.
        lines: line info of the program as it was loaded, ascending: first instruction, file, line,
            column, text of the line.

    Attributes:
        log, program, lines: as given.
        summary: the kernel's reason and what to do about it; "" if the log says neither.
        hint: what to do; "" if that is not known.
        insn_index: the failing instruction, an index into the program as it was loaded.
        insn: that instruction in the kernel's assembler; "" if the log does not show it.
        source: the line of C that it was compiled from.
        registers: what the verifier knew before it, by name: `R1`, and stack slots as `fp-8`.
        stats: what verification had cost by then.
    """

    summary: str
    insn_index: int | None
    insn: str
    source: SourceLine | None
    registers: dict[str, str]
    stats: VerifierStats | None

    def __init__(
        self,
        errno: int,
        command: str,
        what: str,
        log: str,
        hint: str = "",
        *,
        program: str = "",
        lines: Sequence[LineRecord] = (),
    ) -> None:
        super().__init__(errno, command, what)
        self.log = log
        self.program = program
        self.lines = tuple(lines)
        self.head = self.message
        self.given_hint = hint
        # Left to `__getattr__`: few errors are read, and features are probed by failing loads.
        del self.message, self.hint

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            if name not in _EXPLAINED:
                raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
            from .verifier import explain

            self.__dict__.update(explain(self))
            return self.__dict__[name]

    def _state(self) -> dict[str, object]:
        _ = self.message  # so that it reads the same wherever it goes
        return super()._state()

    def __rich__(self) -> str:
        """Return the message as rich's markup."""
        from .verifier.explain import markup

        return markup(self)


#: What `VerifierError` works out when asked.
_EXPLAINED = frozenset(
    ("hint", "insn", "insn_index", "message", "registers", "source", "stats", "summary")
)
