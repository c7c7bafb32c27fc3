"""Initial values of maps of maps and program arrays, and arenas: what an object may say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bpfgen_runtime.btf import Array, Datasec, FuncProto, Member, SecVar, Struct, Var
from bpfgen_runtime.errors import FormatError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.loader.arena import arena_offset
from bpfgen_runtime.spec import MapSpec, ObjectSpec

from tests.support.clang import compile_bpf
from tests.support.elfwriter import STT_FUNC, STT_OBJECT, minimal
from tests.support.objects import INT, U64, Types

Fields = list[tuple[str, int]]

HASH_OF_MAPS, ARRAY_OF_MAPS, PROG_ARRAY, ARENA = 13, 12, 3, 33


def nested(kind: int, key: int = INT) -> Callable[[Types], Fields]:
    def make(t: Types) -> Fields:
        inner = t.add(Struct("", 8, [Member("type", t.uint(2), 0)]))
        return [
            ("type", t.uint(kind)),
            ("key", t.pointer(key)),
            ("values", t.add(Array(t.pointer(inner), INT, 0))),
        ]

    return make


def programs(t: Types) -> Fields:
    prototype = t.pointer(t.add(FuncProto(INT)))
    return [("type", t.uint(PROG_ARRAY)), ("values", t.add(Array(prototype, INT, 0)))]


def load(make: Callable[[Types], Fields], *slots: tuple[int, str]) -> ObjectSpec:
    """Load an object of maps `m` and `plain`, with relocations (offset in .maps, symbol)."""
    types = Types()
    elf = minimal()
    size = 48
    section = elf.section(".maps", bytes(2 * size), align=8)
    places = []
    for number, (name, fields) in enumerate(
        {"m": make(types), "plain": [("type", types.uint(2))]}.items()
    ):
        members = [Member(field, type_id, 64 * i) for i, (field, type_id) in enumerate(fields)]
        definition = types.add(Struct("", 8 * len(fields), members))
        places.append(SecVar(types.add(Var(name, definition)), number * size, size))
        elf.symbol(name, section, value=number * size, size=size, type=STT_OBJECT)
    types.add(Datasec(".maps", 2 * size, places))
    elf.section(".BTF", types.build())
    text = elf.code(".text", bytes(8))
    known = {
        "plain": elf.symbol("plain", section, value=size, type=STT_OBJECT),
        "gone": elf.symbol("gone", section, value=4),
        "main": elf.symbol("main", 1, size=8, type=STT_FUNC),
        "sub": elf.symbol("sub", text, size=8, type=STT_FUNC),
    }
    if slots:
        elf.relocs(section, [(at, 2, known[name]) for at, name in slots])
    return load_spec(elf.build())


def test_slots() -> None:
    """A relocation's place says the slot; slots without one stay empty."""
    spec = load(nested(ARRAY_OF_MAPS), (16, "plain"), (32, "plain"))
    assert spec.maps["m"].values == {0: "plain", 2: "plain"}
    assert spec.maps["plain"].values == {}


def test_slots_of_programs() -> None:
    """Program arrays take entry programs."""
    spec = load(programs, (24, "main"))
    assert spec.maps["m"].values == {2: "main"}


@pytest.mark.parametrize(
    ("make", "slot", "message"),
    [
        (nested(ARRAY_OF_MAPS), (8, "plain"), "map 'm': only its field values"),
        (nested(ARRAY_OF_MAPS), (20, "plain"), "map 'm': an initial value at offset 20, between"),
        (nested(ARRAY_OF_MAPS), (16, "gone"), "map 'm': its initial value 'gone' is no map"),
        (nested(ARRAY_OF_MAPS), (16, "main"), "map 'm': its initial value 'main' is no map"),
        (nested(HASH_OF_MAPS, U64), (16, "plain"), "map 'm': a hash of maps .* not 8"),
        (programs, (8, "plain"), "map 'm': its initial value 'plain' is no entry program"),
        (programs, (8, "sub"), "map 'm': its initial value 'sub' is no entry program"),
        (programs, (48, "main"), "map 'plain': only its field values"),
        (programs, (44, "main"), "belongs to no map .*at offset 0x2c"),
    ],
)
def test_what_is_no_initial_value(
    make: Callable[[Types], Fields], slot: tuple[int, str], message: str
) -> None:
    """The error names the map, the symbol and the section."""
    with pytest.raises(FormatError, match=message) as caught:
        load(make, slot)
    assert caught.value.section == ".maps"


def arena(t: Types) -> Fields:
    return [("type", t.uint(ARENA)), ("max_entries", t.uint(4))]


def test_one_arena_only() -> None:
    """Two arenas are refused: whose would the globals be?"""
    types = Types()
    elf = minimal()
    section = elf.section(".maps", bytes(32), align=8)
    places = []
    for number, name in enumerate(("one", "two")):
        members = [Member("type", types.uint(ARENA), 0)]
        var = types.add(Var(name, types.add(Struct("", 8, members))))
        places.append(SecVar(var, number * 16, 16))
        elf.symbol(name, section, value=number * 16, size=16, type=STT_OBJECT)
    types.add(Datasec(".maps", 32, places))
    elf.section(".BTF", types.build())
    with pytest.raises(FormatError, match="map 'two': an object can have one arena, 'one'"):
        load_spec(elf.build())


@pytest.mark.needs("clang", "libbpf-dev")
def test_arena_globals() -> None:
    """The initial bytes of `__arena` variables go to the arena; a copy has its own."""
    spec = load_spec(str(compile_bpf("maps_arena")))
    data = spec.maps["arena"].arena_data
    assert data is not None
    assert data.startswith((40).to_bytes(8, "little"))
    spec.copy().maps["arena"].arena_data[0] = 1  # type: ignore[index]
    assert data[0] == 40
    with pytest.raises(FormatError, match=r"need an arena.*'\.addr_space\.1'"):
        load_spec(str(compile_bpf("maps_arena_none")))


@pytest.mark.parametrize(
    ("pages", "size", "offset"),
    [
        (16, 40, 15 * 4096),
        (16, 4096, 15 * 4096),
        (16, 4097, 14 * 4096),
        (1, 4096, 0),
        (1 << 17, 1, (1 << 29) - 4096),
        ((1 << 17) + 1, 1, 0),
        (1, 5000, 0),
    ],
)
def test_place_of_arena_globals(pages: int, size: int, offset: int) -> None:
    """Globals are in the last pages, unless the verifier would not take the offset."""
    spec = MapSpec("a", ARENA, max_entries=pages)
    assert arena_offset(spec, 4096) == 0
    spec.arena_data = bytearray(size)
    assert arena_offset(spec, 4096) == offset
