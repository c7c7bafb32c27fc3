"""Changes that damage a file: what is drawn, and how it is done."""

from __future__ import annotations

from typing import Literal

from hypothesis import strategies as st

# Numbers that overflow, wrap around, or mean something special as an index or a size.
WORDS = st.sampled_from(
    [0, 1, 7, 8, 0x7F, 0xFF, 0xFF00, 0xFFFF, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64 - 8]
)


# One change: where (the file's header, the section headers, anywhere), how far in, what, with what.
# The changes are drawn, not the changed file, so that a failure prints a few numbers.
CHANGE = st.tuples(
    st.sampled_from(["start", "end", "anywhere"]),
    st.integers(0, 1 << 20),
    st.sampled_from(["byte", "u16", "u32", "u64", "cut", "move"]),
    st.one_of(WORDS, st.integers(0, 2**64 - 1)),
    st.sampled_from(["little", "big"]),
)
Change = tuple[str, int, str, int, Literal["little", "big"]]
DAMAGE = st.lists(CHANGE, min_size=1, max_size=4)
SIZES = {"byte": 1, "u16": 2, "u32": 4, "u64": 8}


def damage(content: bytes, changes: list[Change]) -> bytes:
    """Return a file with changes made to it."""
    data = bytearray(content)
    for place, distance, what, value, byte_order in changes:
        low = max(len(data) - 64 * 8, 0) if place == "end" else 0
        high = min(64, len(data)) if place == "start" else len(data)
        at = low + distance % max(high - low, 1)
        if what == "cut":
            del data[at:]
        elif what == "move":
            data[at:at] = data[: value % 32]
        else:
            size = SIZES[what]
            at -= at % size
            data[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, byte_order)
    return bytes(data)
