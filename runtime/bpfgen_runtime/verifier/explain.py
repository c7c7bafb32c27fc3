"""Explain a refused program: what `VerifierError` shows, worked out when somebody asks."""

from __future__ import annotations

import re

from .lines import source_of
from .log import VerifierLog, parse
from .reasons import advice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import VerifierError
    from .lines import LineRecord
    from .log import SourceLine

__all__ = ["explain", "markup"]

#: Lines of the log that the message shows.
SHOWN_LINES = 12

_MARKER = "invalid func unknown#"
_ALLOCATED = re.compile(r"alloc_insn=(\d+)")


def explain(error: VerifierError) -> dict[str, object]:
    """Work out what `VerifierError` has beyond what it was given."""
    log = parse(error.log)
    complaint = "; ".join(log.complaint[:3])
    hint = advice("\n".join(log.complaint)) or error.given_hint
    # A poisoned instruction's number says nothing; whoever poisoned it gives the hint.
    reason = "" if hint and complaint.startswith(_MARKER) else complaint
    source = log.source
    if log.insn_index is not None:
        source = source_of(error.lines, log.insn_index) or source
    elsewhere = _acquired(error.lines, complaint)
    if elsewhere:
        hint = f"{hint}. Acquired at {elsewhere}"
    summary = ". ".join(part for part in (reason, hint) if part)
    found: dict[str, object] = {
        "hint": hint,
        "summary": summary,
        "insn_index": log.insn_index,
        "insn": log.insn,
        "source": source,
        "registers": log.registers,
        "stats": log.stats,
    }
    found["message"] = "\n".join(
        "".join(text for text, _ in line) for line in _lines(error, log, reason, hint, source)
    )
    return found


def involved(log: VerifierLog) -> dict[str, str]:
    """Return the registers that the complaint and the instruction speak of."""
    text = f"{log.insn} {' '.join(log.complaint)}"
    wanted = {f"R{number}" for number in re.findall(r"\b[rRw](\d+)\b", text)}
    return {name: state for name, state in log.registers.items() if name in wanted}


def _acquired(lines: Sequence[LineRecord], complaint: str) -> str:
    found = _ALLOCATED.search(complaint)
    source = source_of(lines, int(found[1])) if found else None
    return f"{source}: {source.text}" if source else ""


def _lines(
    error: VerifierError, log: VerifierLog, reason: str, hint: str, source: SourceLine | None
) -> list[list[tuple[str, str]]]:
    """Lay the message out: lines of pieces, each with a style of rich's."""
    lines = [[(error.head, "bold")]]
    if reason:
        lines.append([("reason: ", ""), (reason, "bold red")])
    if source is not None:
        place = f" ({source})" if source.file else ""
        lines.append([("source: ", ""), (source.text, "bold yellow"), (place, "cyan")])
    if log.insn_index is not None:
        text = f"{log.insn_index}: {log.insn}" if log.insn else str(log.insn_index)
        lines.append([("instruction: ", ""), (text, "cyan")])
    for name, state in involved(log).items():
        lines.append([(f"  {name} = {state}", "")])
    if hint:
        lines.append([("hint: ", ""), (hint, "green")])
    shown = [line for line in error.log.splitlines() if line.strip()]
    if shown:
        lines.append([("verifier log:", "")])
        cut = len(shown) - SHOWN_LINES
        if cut > 0:
            lines.append([(f"  ... {cut} lines before, all in .log", "dim")])
        lines += [[(f"  {line}", "dim")] for line in shown[-SHOWN_LINES:]]
    return lines


def markup(error: VerifierError) -> str:
    """Return the message in rich's markup, its source line and reason highlighted."""
    log = parse(error.log)
    complaint = "; ".join(log.complaint[:3])
    reason = "" if complaint.startswith(_MARKER) and error.given_hint else complaint
    return "\n".join(
        "".join(f"[{style}]{_escape(text)}[/]" if style else _escape(text) for text, style in line)
        for line in _lines(error, log, reason, error.hint, error.source)
    )


def _escape(text: str) -> str:
    """Keep rich from reading the text as markup: a bracket behind a backslash is a bracket."""
    text = re.sub(r"(\\*)(\[[a-zA-Z/@#].*?\])", r"\1\1\\\2", text)
    if text.endswith("\\"):
        text += "\\" * (len(text) - len(text.rstrip("\\")))
    return text
