"""Damaged BTF through deduplication, C, data, and other bases: an error of ours, or success."""

from __future__ import annotations

import contextlib
import random
import resource
import time
from collections.abc import Callable, Iterable

import pytest
from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfBuilder,
    BtfType,
    Fwd,
    Int,
    Member,
    Ptr,
    Struct,
    Typedef,
    dedup,
    encode,
)
from bpfgen_runtime.btf.changes import layout_changes
from bpfgen_runtime.btf.dump import dump_c
from bpfgen_runtime.btf.dump_data import dump_type_data
from bpfgen_runtime.btf.listing import dump_raw
from bpfgen_runtime.btf.rebase import distill_base, permute, relocate
from bpfgen_runtime.errors import BtfError, NotSupportedError

from tests.fuzz.test_btf_fuzz import mutations
from tests.support.btfbuilder import ALL_KINDS
from tests.support.btfunits import Program, joined

ROUNDS = 100
#: Seconds for all that is done with one blob of some KiB.
LIMIT = 5.0


def attempt(action: Callable[[], object]) -> None:
    with contextlib.suppress(BtfError, NotSupportedError):
        action()


def drain(parts: Iterable[str]) -> int:
    """Take all text, and none of it kept; it may be long, but not without end."""
    size = 0
    for part in parts:
        size += len(part)
        assert size < 64 << 20
    return size


def use_everything(btf: Btf, base: Btf) -> None:
    attempt(lambda: dedup(btf))
    attempt(lambda: drain(dump_c(btf)))
    attempt(lambda: drain(dump_raw(btf)))
    attempt(lambda: permute(btf, list(range(len(btf) - 1, 0, -1))))
    attempt(lambda: BtfBuilder().append(btf))
    for type_id in range(len(btf)):
        attempt(lambda i=type_id: layout_changes(btf, i, base, min(i, len(base) - 1)))  # type: ignore[misc]
        attempt(lambda i=type_id: drain([print_data(btf, i)]))  # type: ignore[misc]


def print_data(btf: Btf, type_id: int) -> str:
    size = btf.size_of(type_id)
    if size > 256:
        return ""
    return dump_type_data(btf, type_id, bytes(i % 255 + 1 for i in range(size)), emit_zeroes=True)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_btf(seed: int) -> None:
    """Whatever words are changed, every tool ends, with a result or an error of ours."""
    rng = random.Random(seed)
    program = Program(rng, 6)
    good = Btf.parse(encode(ALL_KINDS)) if seed % 2 else joined([program.unit(), program.unit()])
    for data in mutations(good.to_bytes(), ROUNDS, seed):
        start = time.perf_counter()
        try:
            btf = Btf.parse(data)
        except (BtfError, NotSupportedError):
            continue
        use_everything(btf, good)
        assert time.perf_counter() - start < LIMIT


@pytest.mark.parametrize("seed", range(2))
def test_damaged_split_btf(seed: int) -> None:
    """The same for BTF on a base, distilled and relocated."""
    rng = random.Random(seed)
    program = Program(rng, 5)
    base = dedup(joined([program.unit(1.0)])).btf
    builder = BtfBuilder(base)
    builder.merge(program.unit(0.5))
    good = dedup(builder.build()).btf
    for data in mutations(good.to_bytes(), ROUNDS, seed):
        start = time.perf_counter()
        try:
            btf = Btf.parse(data, base=base)
        except (BtfError, NotSupportedError):
            continue
        attempt(lambda: dedup(btf))  # noqa: B023
        attempt(lambda: drain(dump_c(btf)))  # noqa: B023
        attempt(lambda: relocate(distill_base(btf)[1], base))  # noqa: B023
        assert time.perf_counter() - start < LIMIT


MANY = 20_000
INT = Int("int", 4, 1)
LARGE: dict[str, list[BtfType]] = {
    "a chain of pointers": [Ptr(i) for i in range(MANY)],
    "a ring of pointers": [Ptr(i % MANY + 1) for i in range(1, MANY + 1)],
    "a chain of typedefs": [Typedef(f"t{i}", i) for i in range(MANY)],
    "a list of structs": [
        (
            Struct(f"s{i}", 8, [Member("p", 2 * i + 2, 0)])
            if not half
            else Ptr((2 * i + 3) % MANY or 1)
        )
        for i in range(MANY // 2)
        for half in (0, 1)
    ],
    "structs that differ at their far end": [
        INT,
        *(Struct("s", 8, [Member("p", i, 0)]) for i in range(1, MANY)),
    ],
    "declarations that hang together": [
        t
        for i in range(MANY // 4)
        for t in (
            Fwd(f"s{i}"),
            Struct(f"s{i}", 8, [Member("p", 4 * i + 4, 0)]),
            Struct(f"s{i}", 16, [Member("p", 4 * i + 4, 0)]),
            Ptr(4 * i + 5 if i + 1 < MANY // 4 else 0),
        )
    ],
    "one struct of many members": [
        INT,
        Struct("s", 4 * MANY, [Member(f"m{i}", 1, 32 * i) for i in range(MANY)]),
        Struct("s", 4 * MANY, [Member(f"m{i}", 1, 32 * i) for i in range(MANY)]),
    ],
    "an array without end": [INT, Array(1, 1, 0xFFFFFFFF), Struct("s", 4, [Member("a", 2, 0)])],
    "members that are all pointers to one another": [
        Struct("s", 8 * MANY, [Member(f"m{i}", 3 + i, 64 * i) for i in range(MANY)]),
        Struct("s", 8 * MANY, [Member(f"m{i}", 3 + i, 64 * i) for i in range(MANY)]),
        *(Ptr(3 + i + 1 if i + 1 < MANY else 1) for i in range(MANY)),
    ],
}


@pytest.mark.parametrize("name", LARGE)
def test_large_btf(name: str) -> None:
    """Long chains, wide structs and ambiguous declarations cost time by their size, not more."""
    btf = Btf.parse(encode(LARGE[name]))
    start = time.process_time()
    found = dedup(btf)
    assert len(found.btf) <= len(btf)
    attempt(lambda: drain(dump_c(btf)))
    assert time.process_time() - start < 30
    # In KiB; the whole test session's, so a bound for what runs away.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20
