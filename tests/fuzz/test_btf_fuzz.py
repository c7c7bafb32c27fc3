"""Damaged BTF and .BTF.ext: a BtfError or success, in bounded time, never another exception."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Btf, BtfExt, BtfType, encode
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import BtfError

from tests.support.btfbuilder import ALL_KINDS

ROUNDS = 1500
#: Seconds for one blob of 4 KiB, on a busy machine; what is not bounded takes minutes.
LIMIT = 5.0


def mutations(data: bytes, rounds: int, seed: int) -> Iterator[bytes]:
    """Yield damaged copies: words replaced by telling values, bits flipped, parts cut or copied."""
    rng = random.Random(seed)
    telling = (0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    for _ in range(rounds):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
            if len(damaged) < 8:
                break
            at = rng.randrange(len(damaged) - 4)
            word = at & ~3
            match rng.randrange(6):
                case 0:
                    damaged[at] ^= 1 << rng.randrange(8)
                case 1:
                    damaged[word : word + 4] = rng.choice(telling).to_bytes(4, "little")
                case 2:
                    damaged[word : word + 4] = rng.randrange(100).to_bytes(4, "little")
                case 3:
                    # The kind, in an info word of little or big endian.
                    damaged[word + rng.choice((0, 3))] = rng.randrange(24)
                case 4:
                    length = rng.randrange(1, 64) & ~3
                    other = rng.randrange(len(damaged)) & ~3
                    damaged[word : word + length] = damaged[other : other + length]
                case _:
                    if rng.random() < 0.2:
                        del damaged[at:]
        yield bytes(damaged)


def ask_everything(btf: Btf) -> bool:
    """Ask all that can be asked; tell whether the blob is valid as a whole."""
    try:
        btf.validate()
        valid = True
    except BtfError:
        valid = False
    for type_id in range(len(btf) + 1):
        decoded = attempt(lambda i: btf.type(i), type_id)
        if valid and type_id < len(btf):
            assert decoded, f"validate() let type {type_id} pass, which cannot be decoded"
            btf.resolve(type_id)
        for ask in (btf.size_of, btf.align_of, btf.c_name, btf.name, btf.resolve, btf.decl_tags):
            attempt(ask, type_id)
    for name in ("int", "point", ".bss", "missing"):
        attempt(btf.find, name)
    for order in "<>":
        attempt(lambda o: encode(btf, byte_order=o), order)
    assert encode(btf) == btf.to_bytes()
    return valid


def attempt(ask: Callable[..., object], argument: object) -> bool:
    try:
        ask(argument)
    except BtfError:
        return False
    return True


@pytest.mark.parametrize("order", ["<", ">"])
def test_damaged_btf(order: str) -> None:
    """Whatever is damaged, every question is answered or refused by a BtfError."""
    data = encode(ALL_KINDS, byte_order=order)
    outcomes = {"refused": 0, "invalid": 0, "valid": 0}
    for damaged in mutations(data, ROUNDS, seed=1):
        start = time.perf_counter()
        try:
            btf = Btf.parse(damaged)
        except BtfError:
            outcomes["refused"] += 1
        else:
            outcomes["valid" if ask_everything(btf) else "invalid"] += 1
        assert time.perf_counter() - start < LIMIT
    # The damage is neither so coarse nor so fine that a part of the code is never reached.
    assert min(outcomes.values()) > ROUNDS // 50, outcomes


def test_damaged_split_btf() -> None:
    """A damaged module's BTF on a sound base."""
    base = Btf.parse(encode(ALL_KINDS))
    split = Btf.parse(encode(ALL_KINDS, base=base), base=base)
    for damaged in mutations(split.to_bytes(), ROUNDS // 5, seed=2):
        try:
            btf = Btf.parse(damaged, base=base)
        except BtfError:
            continue
        ask_everything(btf)


def test_damaged_objects(compile_bpf: Callable[..., Path]) -> None:
    """Damaged .BTF and .BTF.ext of an object that clang made."""
    image = read_elf(compile_bpf("btf_kinds"))
    sections = image.section(".BTF"), image.section(".BTF.ext")
    assert sections[0] is not None
    assert sections[1] is not None
    btf = Btf.parse(sections[0].data)
    for damaged in mutations(sections[0].data, ROUNDS // 10, seed=3):
        try:
            ask_everything(Btf.parse(damaged))
        except BtfError:
            continue
    refused = 0
    for damaged in mutations(sections[1].data, ROUNDS, seed=4):
        try:
            ext = BtfExt.parse(damaged, btf)
        except BtfError:
            refused += 1
            continue
        for table in (ext.func_info, ext.line_info, ext.core_relos):
            for name in table:
                assert len(table.records(name)) * table.rec_size == len(table.raw[name])
                attempt(lambda n, table=table: table.for_program(n, 0, 1 << 32), name)
    assert ROUNDS // 10 < refused < ROUNDS


def test_random_types() -> None:
    """Types that refer to each other at random, in loops and across kinds."""
    rng = random.Random(5)
    for _ in range(200):
        types: list[BtfType] = []
        for t in rng.choices(ALL_KINDS, k=30):
            changed = type(t)(*t._values())
            for field in ("type", "index_type"):
                if hasattr(changed, field):
                    setattr(changed, field, rng.randrange(31))
            for part in ("members", "params", "vars"):
                if hasattr(changed, part):
                    setattr(changed, part, [_redirected(p, rng) for p in getattr(t, part)])
            types.append(changed)
        start = time.perf_counter()
        ask_everything(Btf.parse(encode(types)))
        assert time.perf_counter() - start < LIMIT


def _redirected(part: object, rng: random.Random) -> object:
    copy = type(part)(*part._values())  # type: ignore[attr-defined]
    copy.type = rng.randrange(31)
    return copy


def test_random_bytes() -> None:
    """Noise, with and without a sound header."""
    rng = random.Random(6)
    head = encode([])[:24]
    for length in range(200):
        noise = rng.randbytes(length)
        for data in (noise, head[:8] + noise, head + noise):
            try:
                ask_everything(Btf.parse(data))
            except BtfError:
                continue
