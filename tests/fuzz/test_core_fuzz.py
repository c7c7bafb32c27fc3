"""CO-RE with random paths and damaged BTF: an answer or a typed error, in bounded time."""

from __future__ import annotations

import random
import time

from bpfgen_runtime.btf import Btf
from bpfgen_runtime.core import Poison, Resolver
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import BtfError, RelocationError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.test_btf_fuzz import mutations
from tests.support.btfbuilder import ALL_KINDS
from tests.support.clang import compile_bpf
from tests.support.coretypes import side

#: Seconds for all questions to one damaged BTF, on a busy machine.
LIMIT = 5.0
KINDS = range(14)  # one more than there are

ALL = side(*ALL_KINDS)


def ask(resolver: Resolver, type_id: int, path: str, kind: int) -> bool:
    """Resolve; tell whether there was an answer. Any other error than the two is a failure."""
    try:
        result = resolver.resolve(type_id, path, kind)
    except (BtfError, RelocationError):
        return False
    assert 0 <= result.value < 1 << 64
    if result.poison:
        assert "does not exist here" in str(Poison(kind, result, "here"))
    return True


paths = st.one_of(
    st.text(alphabet="0123456789:-+ x", max_size=40),
    st.lists(st.integers(0, 9), min_size=1, max_size=70).map(lambda p: ":".join(map(str, p))),
)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(ALL) + 2), paths, st.sampled_from(KINDS))
def test_random_paths(type_id: int, path: str, kind: int) -> None:
    """Whatever the record says, there is an answer or a typed error."""
    ask(Resolver(ALL, ALL), type_id, path, kind)


def _made_up() -> bytes:
    section = read_elf(str(compile_bpf("core_made_up"))).section(".BTF")
    assert section is not None
    return section.data


def test_damaged_btf() -> None:
    """Damage in the object's or the kernel's BTF ends in an answer or a typed error, soon."""
    good = _made_up()
    rng = random.Random(3)
    answers = errors = 0
    for damaged in mutations(good, 400, seed=11):
        try:
            other = Btf.parse(damaged)
        except BtfError:
            continue
        began = time.monotonic()
        for local, target in ((Btf.parse(good), other), (other, Btf.parse(good)), (other, other)):
            resolver = Resolver(local, target)
            for _ in range(30):
                type_id = rng.randrange(len(local) + 1)
                path = ":".join(str(rng.randrange(4)) for _ in range(rng.randrange(1, 5)))
                for kind in (rng.randrange(6), rng.choice(KINDS)):
                    use = path if kind < 6 else "0"
                    if ask(resolver, type_id, use, kind):
                        answers += 1
                    else:
                        errors += 1
        assert time.monotonic() - began < LIMIT
    assert min(answers, errors) > 1000
