"""zlib data that is the same on every machine.

The `zlib` module of one Python is not that of another: distributions build it on zlib, zlib-ng, or
a vendor's accelerated one, and each finds other matches in the same bytes. A generated module must
not depend on that, so it is compressed here; any inflate reads it. Slower than C by far, which
nobody notices on the few kilobytes of a BPF object.

RFC 1950 (zlib), RFC 1951 (deflate).
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["deflate"]

_WINDOW = 32768
_MIN_MATCH, _MAX_MATCH = 3, 258
_CHAIN = 64  # how many earlier places are tried for a match
_BLOCK = 1 << 14  # symbols that share one pair of codes

_END = 256
_CODE_LENGTH_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


def _code_table(first: int, plain: int, per_extra: int, codes: int) -> list[tuple[int, int]]:
    """Give (lowest value, extra bits) per code: `plain` codes without extra bits, then rising."""
    table, value = [], first
    for code in range(codes):
        extra = max(0, (code - plain) // per_extra + 1)
        table.append((value, extra))
        value += 1 << extra
    return table


_LENGTHS = [*_code_table(_MIN_MATCH, 8, 4, 28), (_MAX_MATCH, 0)]
_DISTANCES = _code_table(1, 4, 2, 30)
_LENGTH_CODE = {
    length: code
    for code, (low, extra) in enumerate(_LENGTHS)
    for length in range(low, low + (1 << extra))
}

#: A literal byte is (byte, 0); a match is (length, distance).
_Token = tuple[int, int]


def deflate(data: bytes) -> bytes:
    """Compress, as `zlib.compress` does; what `zlib.decompress` gives back is `data`."""
    out = _Bits()
    tokens = _tokens(data)
    starts = range(0, len(tokens), _BLOCK) or range(1)
    for start in starts:
        _write_block(out, tokens[start : start + _BLOCK], is_last=start == starts[-1])
    checksum = zlib.adler32(data).to_bytes(4, "big")  # of one meaning everywhere
    return b"\x78\xda" + out.finish() + checksum


class _Bits:
    """A stream of bits, the lowest first."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._pending = self._count = 0

    def write(self, value: int, count: int) -> None:
        self._pending |= value << self._count
        self._count += count
        while self._count >= 8:
            self._out.append(self._pending & 0xFF)
            self._pending >>= 8
            self._count -= 8

    def finish(self) -> bytes:
        if self._count:
            self._out.append(self._pending)
        return bytes(self._out)


def _tokens(data: bytes) -> list[_Token]:
    """Replace repetitions by matches; the longer of two that start side by side is taken."""
    places: dict[bytes, list[int]] = {}
    tokens: list[_Token] = []
    at = 0
    ahead: _Token | None = None  # the match at `at`, where looking ahead found it already

    def enter(start: int, end: int) -> None:
        for place in range(start, end):
            places.setdefault(data[place : place + _MIN_MATCH], []).append(place)

    while at < len(data):
        match = ahead or _longest(data, at, places)
        enter(at, at + 1)
        ahead = _longest(data, at + 1, places) if match[0] < _MAX_MATCH else (0, 0)
        if match[0] < _MIN_MATCH or ahead[0] > match[0]:
            tokens.append((data[at], 0))
            at += 1
        else:
            tokens.append(match)
            enter(at + 1, at + match[0])
            at += match[0]
            ahead = None
    return tokens


def _longest(data: bytes, at: int, places: dict[bytes, list[int]]) -> _Token:
    """Find the longest match among the last `_CHAIN` places, of equal ones the nearest."""
    most = min(_MAX_MATCH, len(data) - at)
    if most < _MIN_MATCH:
        return 0, 0
    earlier = places.get(data[at : at + _MIN_MATCH])
    if not earlier or earlier[-1] < at - _WINDOW:
        return 0, 0
    first = max(earlier[-_CHAIN:][0], at - _WINDOW)
    length, place = _MIN_MATCH, earlier[-1]
    while True:
        low, high = length, most  # the common length is in between; slices compare in C
        while low < high:
            middle = (low + high + 1) // 2
            if data[place + low : place + middle] == data[at + low : at + middle]:
                low = middle
            else:
                high = middle - 1
        length = low
        if length == most or place == first:
            return length, at - place
        # The next place, going back, where more than that is equal.
        longer = data.rfind(data[at : at + length + 1], first, place + length)
        if longer < 0:
            return length, at - place
        length, place = length + 1, longer


def _write_block(out: _Bits, tokens: Sequence[_Token], *, is_last: bool) -> None:
    symbols = list(_symbols(tokens))
    literal_lengths = _code_lengths(
        (s for s, _, _, is_distance in symbols if not is_distance), 286, 15
    )
    distance_lengths = _code_lengths((s for s, _, _, is_distance in symbols if is_distance), 30, 15)
    if not any(distance_lengths):
        distance_lengths[0] = 1  # RFC 1951 3.2.7: one code at least
    out.write(int(is_last), 1)
    out.write(2, 2)  # dynamic codes
    _write_codes(out, _trim(literal_lengths, 257), _trim(distance_lengths, 1))
    codes = _canonical(literal_lengths), _canonical(distance_lengths)
    lengths = literal_lengths, distance_lengths
    for symbol, value, extra, is_distance in symbols:
        out.write(codes[is_distance][symbol], lengths[is_distance][symbol])
        if extra:
            out.write(value, extra)


def _symbols(tokens: Iterable[_Token]) -> Iterator[tuple[int, int, int, bool]]:
    """Give (symbol, extra value, its bits, whether of the distance code), with the block's end."""
    for length, distance in tokens:
        if not distance:
            yield length, 0, 0, False
            continue
        code = _LENGTH_CODE[length]
        low, extra = _LENGTHS[code]
        yield _END + 1 + code, length - low, extra, False
        code = next(c for c in reversed(range(30)) if _DISTANCES[c][0] <= distance)
        low, extra = _DISTANCES[code]
        yield code, distance - low, extra, True
    yield _END, 0, 0, False


def _trim(lengths: list[int], least: int) -> list[int]:
    count = len(lengths)
    while count > least and not lengths[count - 1]:
        count -= 1
    return lengths[:count]


def _write_codes(out: _Bits, literals: list[int], distances: list[int]) -> None:
    """Write the two codes' lengths, run-length encoded and themselves Huffman-coded."""
    runs = list(_runs(literals + distances))
    lengths = _code_lengths((symbol for symbol, _, _ in runs), 19, 7)
    codes = _canonical(lengths)
    order = [lengths[symbol] for symbol in _CODE_LENGTH_ORDER]
    order = _trim(order, 4)
    out.write(len(literals) - 257, 5)
    out.write(len(distances) - 1, 5)
    out.write(len(order) - 4, 4)
    for length in order:
        out.write(length, 3)
    for symbol, value, extra in runs:
        out.write(codes[symbol], lengths[symbol])
        if extra:
            out.write(value, extra)


def _runs(lengths: list[int]) -> Iterator[tuple[int, int, int]]:
    at = 0
    while at < len(lengths):
        length, run = lengths[at], 1
        while at + run < len(lengths) and lengths[at + run] == length:
            run += 1
        at += run
        if length:
            yield length, 0, 0
            run -= 1
            while run >= 3:
                count = min(run, 6)
                yield 16, count - 3, 2
                run -= count
        else:
            while run >= 3:
                count = min(run, 138)
                yield (17, count - 3, 3) if count <= 10 else (18, count - 11, 7)
                run -= count
        for _ in range(run):
            yield length, 0, 0


def _code_lengths(symbols: Iterable[int], count: int, limit: int) -> list[int]:
    """Give each symbol's code length by Huffman's method, at most `limit` bits."""
    frequencies = [0] * count
    for symbol in symbols:
        frequencies[symbol] += 1
    while True:
        lengths = _huffman(frequencies)
        if max(lengths) <= limit:
            return lengths
        # Flatter frequencies make a flatter tree; in the end it is balanced.
        frequencies = [(f + 1) // 2 for f in frequencies]


def _huffman(frequencies: list[int]) -> list[int]:
    lengths = [0] * len(frequencies)
    # Symbols decide ties, so that the tree is the same everywhere.
    heap = [(f, symbol, [symbol]) for symbol, f in enumerate(frequencies) if f]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        f1, tie1, symbols1 = heapq.heappop(heap)
        f2, tie2, symbols2 = heapq.heappop(heap)
        for symbol in symbols1 + symbols2:
            lengths[symbol] += 1
        heapq.heappush(heap, (f1 + f2, min(tie1, tie2), symbols1 + symbols2))
    return lengths


def _canonical(lengths: list[int]) -> list[int]:
    """Give each symbol's code, its bits reversed as they are written."""
    codes, code = [0] * len(lengths), 0
    for length in range(1, max(lengths) + 1):
        for symbol, own in enumerate(lengths):
            if own == length:
                codes[symbol] = int(f"{code:0{length}b}"[::-1], 2)
                code += 1
        code <<= 1
    return codes
