"""Errors that a start does without; they are names of `errors`, and belong there."""

from __future__ import annotations

from .errors import BpfError, SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .verifier import SourceLine, VerifierStats
    from .verifier.lines import LineRecord

__all__ = [
    "BtfError",
    "ElfError",
    "FormatError",
    "GenerateError",
    "KeyExistsError",
    "KeyMissingError",
    "LinkerError",
    "RecordError",
    "RelocationError",
    "VerifierError",
]


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


class RecordError(BpfError):
    """A record of a ring or perf buffer is not of the type that the buffer was declared to carry.

    It was passed over; the next call goes on behind it.

    Args:
        message: which buffer, and what does not fit.
        data: the record's bytes.
    """

    def __init__(self, message: str, data: bytes) -> None:
        super().__init__(message)
        self.data = data


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


for _name in __all__:
    globals()[_name].__module__ = "bpfgen_runtime.errors"
