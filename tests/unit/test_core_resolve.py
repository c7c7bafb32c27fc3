"""Several candidates: agreement, ambiguity, pruning, and where they are looked for."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import Btf, BtfType, Enum, Enumerator, Member, Struct
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.core import Resolver
from bpfgen_runtime.errors import RelocationError
from bpfgen_runtime.uapi import const as k

from tests.support.coretypes import FIRST, INT, LONG, UCHAR, UINT, side

A = FIRST
OFFSET, SIZE = k.BPF_CORE_FIELD_BYTE_OFFSET, k.BPF_CORE_FIELD_BYTE_SIZE

LOCAL = side(
    Struct("s", 8, [Member("a", INT, 0), Member("b", INT, 32)]),
    Enum("e", 4, [Enumerator("X", 0)]),
    Struct("", 4, [Member("a", INT, 0)]),
)


def test_candidates_that_agree() -> None:
    """Several types of one name are no trouble while they answer alike."""
    two = side(
        Struct("s", 8, [Member("a", INT, 32)]),
        Struct("s___2", 64, [Member("z", LONG, 64), Member("a", INT, 32)]),
    )
    assert Resolver(LOCAL, two).resolve(A, "0:0", OFFSET).value == 4


@pytest.mark.parametrize(
    ("types", "type_id", "path", "kind", "message"),
    [
        (
            [Struct("s", 8, [Member("a", INT, 0)]), Struct("s", 8, [Member("a", INT, 32)])],
            A,
            "0:0",
            OFFSET,
            r"struct s::a .* is ambiguous in the kernel: struct s::a \(0:0 @ offset 0\) or",
        ),
        (
            [Struct("s", 8, [Member("a", INT, 0)]), Struct("s", 8, [Member("a", INT, 32)])],
            A,
            "0:0",
            k.BPF_CORE_FIELD_EXISTS,  # even if that question has one answer
            "is ambiguous",
        ),
        (
            [Struct("s", 8, [Member("a", INT, 0)]), Struct("s", 8, [Member("a", UCHAR, 0)])],
            A,
            "0:0",
            SIZE,
            "byte_sz of struct s::a .* is ambiguous in the kernel: 4 .* or 1",
        ),
        ([Struct("s", 8, []), Struct("s", 16, [])], A, "0", k.BPF_CORE_TYPE_SIZE, "ambiguous"),
        ([Struct("s", 8, []), Struct("s", 8, [])], A, "0", k.BPF_CORE_TYPE_ID_TARGET, "ambiguous"),
        (
            [Enum("e", 4, [Enumerator("X", 1)]), Enum("e", 4, [Enumerator("X", 2)])],
            A + 1,
            "0",
            k.BPF_CORE_ENUMVAL_VALUE,
            "enumval_value of enum e::X is ambiguous in the kernel: 1 .* or 2",
        ),
    ],
)
def test_ambiguity(types: list[BtfType], type_id: int, path: str, kind: int, message: str) -> None:
    """Where candidates answer differently, none is right."""
    with pytest.raises(RelocationError, match=message):
        Resolver(LOCAL, side(*types)).resolve(type_id, path, kind)


def test_pruning() -> None:
    """What lacks one field of a type is no candidate for its other fields, as with libbpf."""
    types = [
        Struct("s", 16, [Member("a", INT, 0), Member("b", INT, 64)]),
        Struct("s", 16, [Member("a", INT, 32)]),
    ]
    with pytest.raises(RelocationError, match="ambiguous"):
        Resolver(LOCAL, side(*types)).resolve(A, "0:0", OFFSET)
    resolver = Resolver(LOCAL, side(*types))
    assert resolver.resolve(A, "0:1", OFFSET).value == 8
    assert resolver.resolve(A, "0:0", OFFSET).value == 0


def test_no_match_prunes_nothing() -> None:
    """A field that no candidate has leaves them all candidates for others."""
    target = side(Struct("s", 16, [Member("b", INT, 64)]))
    resolver = Resolver(LOCAL, target)
    missing = resolver.resolve(A, "0:0", OFFSET)
    assert (missing.poison, missing.type_found) == (True, True)
    assert resolver.resolve(A, "0:1", OFFSET).value == 8


def test_anonymous_root() -> None:
    """A type without name cannot be looked for, but has an id of its own."""
    resolver = Resolver(LOCAL, LOCAL)
    with pytest.raises(RelocationError, match="byte_off of the anonymous type"):
        resolver.resolve(A + 2, "0:0", OFFSET)
    assert resolver.resolve(A + 2, "0", k.BPF_CORE_TYPE_ID_LOCAL).value == A + 2


def test_same_question_same_answer() -> None:
    """An answer is worked out once."""
    resolver = Resolver(LOCAL, LOCAL)
    assert resolver.resolve(A, "0:1", SIZE) is resolver.resolve(A, "0:1", SIZE)


class Modules:
    """Split BTFs of two modules, which count how often they are asked for."""

    def __init__(self, base: Btf) -> None:
        self.asked = 0
        self.btfs = [
            Btf.parse(encode(types, byte_order="<", base=base), base=base)
            for types in (
                [Struct("only", 8, [Member("a", INT, 0)])],
                [
                    Struct("s", 8, [Member("a", INT, 32)]),
                    Struct("s___x", 8, [Member("a", UINT, 32)]),
                ],
            )
        ]

    def __call__(self) -> list[Btf]:
        self.asked += 1
        return self.btfs


def test_modules_are_asked_last() -> None:
    """Types of modules count if the kernel proper has no candidate; their BTFs are read once."""
    kernel = side(Enum("e", 4, [Enumerator("X", 5)]))
    modules = Modules(kernel)
    resolver = Resolver(LOCAL, kernel, modules)
    assert resolver.resolve(A + 1, "0", k.BPF_CORE_ENUMVAL_VALUE).value == 5
    assert modules.asked == 0
    assert resolver.resolve(A, "0:0", OFFSET).value == 4
    assert resolver.resolve(A, "0:1", k.BPF_CORE_FIELD_EXISTS).value == 0
    assert modules.asked == 1


def test_type_id_in_a_module() -> None:
    """The id of a type in a module counts on from the kernel's."""
    kernel = side()
    local = side(Struct("only", 4, [Member("a", INT, 0)]))
    result = Resolver(local, kernel, Modules(kernel)).resolve(A, "0", k.BPF_CORE_TYPE_ID_TARGET)
    assert result.value == len(kernel)


def test_kernel_before_modules() -> None:
    """A type of the kernel that does not fit keeps modules from being asked, as with libbpf."""
    kernel = side(Struct("s", 4, [Member("z", INT, 0)]))
    modules = Modules(kernel)
    assert Resolver(LOCAL, kernel, modules).resolve(A, "0:0", OFFSET).poison
    assert modules.asked == 0
