"""The UAPI generator on kernels that are made up: what it writes, accepts and refuses."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from bpfgen_runtime.uapi import attr, const, enums, perf_attr
from uapi import compare, emit, generate, patches, tables
from uapi.model import Composite, Member, Scalar, Vector, walk

U8, U32, U64, S32 = Scalar(1, False), Scalar(4, False), Scalar(8, False), Scalar(4, True)


def struct(size: int, *members: tuple[str, Scalar | Vector | Composite, int] | Member) -> Composite:
    """Build a struct of (name, type, byte offset)."""
    return Composite(
        False,
        size,
        tuple(m if isinstance(m, Member) else Member(m[0], m[1], m[2] * 8, 0) for m in members),
    )


def union(size: int, *members: tuple[str, Scalar | Vector | Composite]) -> Composite:
    """Build a union of (name, type)."""
    return Composite(True, size, tuple(Member(name, kind, 0, 0) for name, kind in members))


def compiled(name: str, composite: Composite) -> type[ctypes.Structure]:
    """Write a class for a composite, run the text, and give the class."""
    writer = emit.StructWriter()
    writer.add(name, composite, "made up")
    module = ModuleType("made_up")
    exec(writer.module("Made up."), vars(module))
    cls = getattr(module, name)
    assert issubclass(cls, ctypes.Structure | ctypes.Union)
    return cls


@pytest.mark.parametrize(
    "composite",
    [
        pytest.param(struct(8, ("a", U32, 0), ("b", U32, 4)), id="plain"),
        pytest.param(struct(24, ("a", U32, 0), ("b", U64, 8), ("c", U8, 16)), id="padding"),
        pytest.param(struct(24, ("a", Vector(U8, 16, True), 0), ("b", S32, 16)), id="text"),
        pytest.param(
            struct(8, ("", union(4, ("a", U32), ("b", U32)), 0), ("c", U32, 4)), id="twins"
        ),
        pytest.param(
            struct(
                24,
                ("a", U32, 0),
                ("", union(16, ("b", U32), ("", struct(16, ("c", U64, 0), ("d", U32, 8)))), 8),
            ),
            id="anonymous struct in an anonymous union",
        ),
        pytest.param(
            struct(16, ("a", struct(8, ("b", U32, 0), ("c", U32, 4)), 0), ("d", U64, 8)),
            id="nested",
        ),
        pytest.param(
            struct(
                16,
                Member("a", U32, 0, 1),
                Member("b", U32, 1, 3),
                Member("c", U32, 4, 28),
                Member("d", U32, 64, 2),
                ("e", U32, 12),
            ),
            id="bitfields",
        ),
    ],
)
def test_struct_is_laid_out_as_told(composite: Composite) -> None:
    """The written class has each member where the description has it, and its size."""
    cls = compiled("Made", composite)
    assert compare.ctypes_layout(cls) == {n: tuple(place) for n, *place in walk(composite)}
    assert ctypes.sizeof(cls) == composite.size


def test_layout_does_not_hang_on_alignment() -> None:
    """Padding is spelled out, so a machine that aligns 64-bit numbers to 4 bytes agrees."""
    cls = compiled("Made", struct(24, ("a", U32, 0), ("b", U64, 8), ("c", U8, 16)))
    assert [(entry[0], ctypes.sizeof(entry[1])) for entry in cls._fields_] == [
        ("a", 4),
        ("_pad4", 4),
        ("b", 8),
        ("c", 1),
        ("_pad17", 7),
    ]


class FakeKernel:
    """The committed modules' own facts, with changes: a kernel other than the one they are from."""

    def __init__(self, **changes: int) -> None:
        self.changes = changes

    def enum(self, name: str) -> emit.Enumerators | None:
        for class_name, enum, prefix in tables.ENUMS:
            if enum == name:
                members = getattr(enums, class_name).__members__
                return self._changed([(prefix + key, int(value)) for key, value in members.items()])
        return None

    def anonymous_enum(self, enumerator: str) -> emit.Enumerators | None:
        value = getattr(const, enumerator, None)
        return None if value is None else self._changed([(enumerator, value)])

    def composite(self, name: str) -> Composite | None:
        if name == "bpf_attr":
            offset = self.changes.get("map_flags_at", 16)
            create = struct(
                24, ("map_type", U32, 0), ("map_flags", U32, offset), ("brand_new", U32, 20)
            )
            return union(24, ("", create))
        return None

    def _changed(self, values: emit.Enumerators) -> emit.Enumerators:
        return [
            (name, self.changes.get(name, value))
            for name, value in values
            if self.changes.get(name) != -1000
        ]


def test_other_kernel_agrees() -> None:
    """A kernel with fewer structs, and fields that are new, is no disagreement."""
    kernel = FakeKernel(BPF_MAP_TYPE_ARENA=-1000)
    compared, wrong = compare.constants(kernel, const, enums)
    assert (compared > 400, wrong) == (True, [])
    assert compare.structs(kernel, attr, perf_attr) == (2, [])


def test_other_kernel_disagrees() -> None:
    """A value or a place that differs is named with both."""
    kernel = FakeKernel(BPF_MAP_TYPE_ARENA=99, map_flags_at=12)
    assert compare.constants(kernel, const, enums)[1] == [
        "BPF_MAP_TYPE_ARENA is 33 here and 99 in the kernel"
    ]
    assert compare.structs(kernel, attr, perf_attr)[1] == [
        "MapCreateAttr.map_flags is at (bit, bytes, bits) (128, 4, 0) here and (96, 4, 0) "
        "in the kernel"
    ]


def test_patch_table_must_agree_with_the_kernel() -> None:
    """A newer enumerator that the kernel has by now under another number stops the generator."""
    assert patches.NEWER["bpf_map_type"]["BPF_MAP_TYPE_RHASH"] == 35
    with pytest.raises(ValueError, match="BPF_MAP_TYPE_RHASH is 3000 in this kernel, 35 in the"):
        generate.modules(FakeKernel(BPF_MAP_TYPE_RHASH=3000), "")


def test_missing_enum_is_named() -> None:
    """A kernel too old to generate from is refused by the name of what it lacks."""

    class Old(FakeKernel):
        def enum(self, name: str) -> emit.Enumerators | None:
            return None if name == "bpf_link_type" else super().enum(name)

    with pytest.raises(LookupError, match="this kernel's BTF has no enum bpf_link_type"):
        generate.modules(Old(), "")


def test_conflicting_constants_are_refused() -> None:
    """One name with two values cannot be written."""
    listed = [("k", "t", [("BPF_X", 1)], []), ("l", "u", [("BPF_X", 2)], [])]
    with pytest.raises(ValueError, match="BPF_X is both 1 and 2"):
        emit.const_module("", listed)
