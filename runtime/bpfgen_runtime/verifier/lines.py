"""Line info in words: from which line of C an instruction was compiled."""

from __future__ import annotations

from struct import Struct

from .log import SourceLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..btf import Btf

    #: First instruction, file, line, column, text of the line.
    LineRecord = tuple[int, str, int, int, str]

__all__ = ["source_lines", "source_of"]


def source_lines(line_info: bytes, rec_size: int, btf: Btf | None) -> tuple[LineRecord, ...]:
    """Return a program's line info with its strings.

    Args:
        line_info: records as `BPF_PROG_LOAD` takes them.
        rec_size: bytes per record, 0 if there are none.
        btf: has the strings, and says the byte order; None if the object has none.

    Kernel: struct bpf_line_info, since v5.0.
    """
    if btf is None or not rec_size:
        return ()
    record = Struct(f"{btf.byte_order}4I{rec_size - 16}x")
    return tuple(
        (insn, btf.string(file), place >> 10, place & 0x3FF, btf.string(text))
        for insn, file, text, place in record.iter_unpack(line_info)
    )


def source_of(lines: Sequence[LineRecord], insn: int) -> SourceLine | None:
    """Find the source line that an instruction was compiled from.

    Args:
        lines: of `source_lines`.
        insn: its index in the program as it was loaded.
    """
    found = None
    for first, file, line, column, text in lines:
        if first > insn:
            break
        if line:  # the compiler marks what belongs to no line by 0
            found = SourceLine(file, line, column, text.strip())
    return found
