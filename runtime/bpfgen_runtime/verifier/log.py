"""Read a verifier log: instructions, source lines, register states, the complaint at its end.

The format is no interface and changes with every kernel; what is here covers 5.10 to 7.x, and takes
any text: what it does not recognise is not there in the result.

- Instructions: `12: (79) r1 = *(u64 *)(r6 +8)`. Since v5.18 the registers that changed follow on
  the same line (`; R1_w=…`); before, whole states stand in lines of their own.
- Whole states: `from 3 to 7: R0=… R1=…`, `7: R0=…`, ` R0=… R1=…`; also behind a jump on its line.
- Source lines: `; x = y;`, since v6.8 with their place: `; x = y; @ file.c:12`.
- The complaint: what follows the last instruction. Where no instruction was looked at (a bad flow
  of control, an excessive stack) it is all that there is, and names an instruction in words.
- Figures: `processed 12 insns (limit 1000000) …`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["SourceLine", "VerifierLog", "VerifierStats", "parse"]

_INSN = re.compile(r"(\d+): \(([0-9a-f]{2})\) (.*)")
_SOURCE = re.compile(r"; (.*?)(?: @ ([^@]*):(\d+))?$")
_FLOW = re.compile(r"\s*(?:from (\d+) to )?(\d+)(?: \(speculative execution\))?:(?= |$)")
_FLOW_BEHIND = re.compile(r" (?:from \d+ to )?\d+: (?:frame\d+: ?)?R\d+(?:_\w+)?=")
_STATE = re.compile(r" ?(?:frame(\d+):|(?=R\d+(?:_\w+)?=))")
_FRAME = re.compile(r"\s*frame(\d+):")
_CHANGES = re.compile(r"; ?(?:frame\d+: ?)?(?:(?:R\d+|fp-\d+)(?:_[A-Za-z]+)?|refs|cb)=")
_SLOT = re.compile(r"(?:^|(?<=[\s:]))(R\d+|fp-\d+|refs|cb|async_cb)(?:_[A-Za-z]+)?=")
_STATS = re.compile(
    r"processed (\d+) insns \(limit (\d+)\) max_states_per_insn (\d+) total_states (\d+)"
    r" peak_states (\d+)"
)
_WRITTEN = re.compile(r"[rw](\d+) (?:[-+*/%&|^<>=]|s>)")

#: Lines that report what the verifier does, not what it dislikes.
_NOISE = re.compile(
    r"processed \d+ insns|verification time |stack depth |insns processed|-- (?:BEGIN|END)\b"
    r"|mark_precise: |regs=|last_idx \d|parent (?:didn't|already) |func#\d+ @|Live regs before"
    r"|propagating r|Validating .*\(\) func#|Func#\d+ .*is safe|(?:Func|func)#\d+ .*assumed valid"
    r"|caller:$|callee:$|returning from callee:|to caller at |propagating |\d+: safe$"
    r"|frame \d+: propagating|cur state:|old state:|arg#\d+ (?:reference type\(|type is not a st)"
    r"|loop_entry|update_loop"
    r"|falling back to |BPF_STX |libbpf:|reg_type|subprog [0-9]+ |\s*\d+: [.0-9r]{10,11} \("
)

#: Instructions in words, where they are what the complaint is about.
_NAMED = re.compile(
    r"back-edge from insn (\d+)|unreachable insn (\d+)|infinite loop detected at insn (\d+)"
    r"|jump out of range from insn (\d+)|jump into the middle of ldimm64 insn (\d+)"
    r"|^insn (\d+) cannot|at insn (\d+)$|^insn (\d+) "
)

#: Before v6.8 a bad flow of control has the lines of both its ends first: `15: x = y;`.
_ENDS = re.compile(r"(\d+): (?!\()(.+)")

#: Registers that a call leaves without value.
_CALLER_SAVED = ("R0", "R1", "R2", "R3", "R4", "R5")


class SourceLine(NamedTuple):
    """A place in the C source; `file` is "" and `line` 0 where only the text is known.

    Attributes:
        file: the path as the compiler was given it.
        line, column: from 1; column 0 if unknown.
        text: the line, without the blanks around it.
    """

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "?"


class VerifierStats(NamedTuple):
    """What verification cost.

    Attributes:
        insns: instructions looked at, over all paths.
        limit: how many there may be.
        max_states_per_insn, total_states, peak_states: remembered to cut paths short.
    """

    insns: int
    limit: int
    max_states_per_insn: int
    total_states: int
    peak_states: int


@dataclass(frozen=True)
class VerifierLog:
    """What a log says.

    Attributes:
        complaint: the lines that say why the program was refused, in order; () if there are none.
        insn_index: the instruction concerned, an index into the program as it was loaded.
        insn: its text in the kernel's assembler.
        source: the last source line before it, as the log has it.
        registers: what the verifier knew before that instruction, by name: `R1` and stack slots as
            `fp-8`. Of kernels before v5.18 only what surely still held there.
        stats: None where the log has none.
    """

    complaint: tuple[str, ...] = ()
    insn_index: int | None = None
    insn: str = ""
    source: SourceLine | None = None
    registers: dict[str, str] = field(default_factory=dict)
    stats: VerifierStats | None = None


class _Reader:
    """One pass over a log, line by line."""

    def __init__(self) -> None:
        self.complaint: list[str] = []
        self.index: int | None = None
        self.insn = ""
        self.texts: dict[int, tuple[str, SourceLine | None]] = {}
        self.source: SourceLine | None = None
        self.frames: dict[int, dict[str, str]] = {0: {}}
        self.frame = 0
        self.overwritten: tuple[str, ...] = ()
        self.stats: VerifierStats | None = None

    def read(self, line: str) -> None:
        stats = _STATS.match(line)
        if stats:
            self.stats = VerifierStats(*map(int, stats.groups()))
            return
        if not line.strip() or _NOISE.match(line):
            return
        insn = _INSN.match(line)
        if insn:
            self._instruction(int(insn[1]), insn[3])
        elif line.startswith(";"):
            self._at(line)
        elif not self._state(line):
            self.complaint.append(line.strip())

    def _at(self, line: str) -> None:
        found = _SOURCE.match(line)
        self.complaint.clear()
        if found and found[1].strip():
            number = int(found[3]) if found[3] else 0
            self.source = SourceLine(found[2] or "", number, 0, found[1].strip())

    def _instruction(self, index: int, rest: str) -> None:
        self._forget()
        self.complaint.clear()
        text, after = _cut(rest)
        self.index, self.insn = index, text
        self.texts[index] = (text, self.source)
        self.overwritten = _overwritten(text)
        if _CHANGES.match(after):
            self._forget()
            frame, slots = _slots(after[1:])
            self.frames.setdefault(frame, {}).update(slots)
            self.frame = frame
        elif after.startswith(";"):
            self._at(after)
        elif after:
            self._state(after)

    def _forget(self) -> None:
        """Drop what the last instruction overwrote: only now has it run."""
        for name in self.overwritten:
            self.frames[self.frame].pop(name, None)
        self.overwritten = ()

    def _state(self, line: str) -> bool:
        """Take a line with a whole state; False if it is none."""
        flow = _FLOW.match(line)
        rest = line[flow.end() :] if flow else line
        if not _STATE.match(rest):
            return flow is not None and not rest.strip()
        self.complaint.clear()
        self.overwritten = ()
        self.frame, slots = _slots(rest)
        self.frames[self.frame] = slots
        return True


def _cut(rest: str) -> tuple[str, str]:
    """Split an instruction's line into its text and what stands behind."""
    flow = _FLOW_BEHIND.search(rest)
    if flow:
        return rest[: flow.start()].strip(), rest[flow.start() :].strip()
    text, mark, after = rest.partition(";")
    return text.strip(), mark + after


def _slots(text: str) -> tuple[int, dict[str, str]]:
    """Take registers and stack slots of a state apart; with the frame that they are of."""
    state = _FRAME.match(text)
    frame = int(state[1]) if state else 0
    found = list(_SLOT.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return frame, {
        each[1]: text[each.end() : end].strip()
        for each, end in zip(found, ends, strict=True)
        if each[1][0] == "R" or each[1].startswith("fp")
    }


def _overwritten(insn: str) -> tuple[str, ...]:
    """List the registers whose value an instruction replaces."""
    if insn.startswith(("call ", "callx ")):
        return _CALLER_SAVED
    written = _WRITTEN.match(insn)
    if written and "=" in insn:
        return (f"R{written[1]}",)
    return ()


def parse(text: str) -> VerifierLog:
    """Read a log of any kernel; never fails."""
    reader = _Reader()
    for line in text.splitlines():
        reader.read(line)
    index, insn, source = reader.index, reader.insn, reader.source
    complaint = reader.complaint
    for line in complaint:
        named = _NAMED.search(line)
        if named:
            index = int(next(group for group in named.groups() if group is not None))
            insn, source = reader.texts.get(index, ("", None))
            ends = {end: _ENDS.match(end) for end in complaint}
            complaint = [end for end in complaint if ends[end] is None]
            for found in ends.values():
                if found is not None and int(found[1]) == index and source is None:
                    source = SourceLine("", 0, 0, found[2])
            break
    return VerifierLog(
        tuple(complaint),
        index,
        insn,
        source,
        dict(reader.frames[reader.frame]),
        reader.stats,
    )
