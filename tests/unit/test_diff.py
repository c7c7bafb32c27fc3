"""`bpfgen diff`: what breaks pinned maps and stored data, and what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bpfgen_runtime import load_maps
from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfType,
    Enum,
    Enumerator,
    Float,
    Int,
    Member,
    Ptr,
    Struct,
    encode,
)
from bpfgen_runtime.btf.changes import layout_changes
from bpfgen_runtime.errors import BtfError
from bpfgen_runtime.map import of_maps
from click.testing import CliRunner

from bpfgen import diff
from bpfgen.cli import main
from tests.support.clang import compile_source

U32, U64, S32 = Int("u32", 4), Int("u64", 8), Int("s32", 4, 1)


def changes(old: list[BtfType], new: list[BtfType]) -> list[tuple[str, bool]]:
    """Compare the last type of each list."""
    one, two = Btf.parse(encode(old)), Btf.parse(encode(new))
    return layout_changes(one, len(old), two, len(new))


def struct(*members: tuple[str, int, int], size: int = 16) -> list[BtfType]:
    """Build a struct of (name, type id, offset in bytes), of the types 1 u32, 2 u64, 3 s32."""
    every = [Member(name, type_id, 8 * at) for name, type_id, at in members]
    return [U32, U64, S32, Struct("s", size, every)]


OLD = struct(("a", 1, 0), ("b", 2, 8))


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (OLD, []),
        (
            struct(("a", 1, 0), ("pad", 1, 4), ("b", 2, 8)),
            [("pad: added, unsigned of 32 bits", False)],
        ),
        (struct(("a", 1, 0)), [("b: removed", True)]),
        (struct(("a", 1, 4), ("b", 2, 8)), [("a: offset 0 -> 4", True)]),
        (
            struct(("a", 3, 0), ("b", 2, 8)),
            [("a: unsigned of 32 bits -> signed of 32 bits", True)],
        ),
        (
            struct(("a", 2, 0), ("b", 2, 8)),
            [("a: unsigned of 32 bits -> unsigned of 64 bits", True)],
        ),
        (struct(("a", 1, 0), ("b", 2, 8), size=24), [("size 16 -> 24", True)]),
        (
            struct(("a", 1, 0), ("c", 2, 8)),
            [("b: removed", True), ("c: added, unsigned of 64 bits", True)],
        ),
    ],
)
def test_structs(new: list[BtfType], expected: list[tuple[str, bool]]) -> None:
    """A field that moves, goes or changes breaks; one in former padding does not."""
    assert changes(OLD, new) == expected


def test_other_kinds() -> None:
    """Arrays by their length, enums by their values, nameless structs by what is in them."""
    assert changes([U32, Array(1, 1, 4)], [U32, Array(1, 1, 8)]) == [
        ("size 16 -> 32", True),
        ("[]: 4 elements -> 8 elements", True),
    ]
    one, two = Enumerator("A", 0), Enumerator("B", 1)
    assert changes([Enum("e", 4, [one])], [Enum("e", 4, [one, two])]) == []
    assert changes([Enum("e", 4, [one, two])], [Enum("e", 4, [Enumerator("B", 0)])]) == [
        ("A removed", True),
        ("B 1 -> 0", True),
    ]
    inner = Struct("", 8, [Member("a", 1, 0), Member("b", 1, 32)])
    flat = Struct("s", 8, [Member("a", 1, 0), Member("b", 1, 32)])
    assert changes([U32, inner, Struct("s", 8, [Member("", 2, 0)])], [U32, flat]) == []
    assert changes([Ptr(0)], [U64]) == [("pointer of 64 bits -> unsigned of 64 bits", True)]
    assert changes([Float("double", 8)], [U64]) == [
        ("float of 64 bits -> unsigned of 64 bits", True)
    ]
    listed = [U32, Struct("e", 4, [Member("a", 1, 0)]), Array(2, 1, 2)]
    other = [U32, Struct("e", 4, [Member("b", 1, 0)]), Array(2, 1, 2)]
    assert changes(listed, other) == [
        ("[].*.a: removed", True),
        ("[].*.b: added, unsigned of 32 bits", True),
    ]


def test_what_contains_itself_is_refused() -> None:
    """A struct in itself has no fields that could be compared."""
    own: list[BtfType] = [Struct("s", 4, [Member("s", 1, 0)])]
    with pytest.raises(BtfError, match="contains itself"):
        changes(own, own)


SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct value {{ {members} }};
struct {{
    __uint(type, {type});
    __uint(max_entries, {entries});
    __type(key, int);
    __type(value, struct value);
}} counts SEC(".maps");
{more}
SEC("xdp") int pass(void *ctx) {{ return 2; }}
char LICENSE[] SEC("license") = "GPL";
"""
PLAIN = {"members": "int a; long b;", "type": "1", "entries": "8", "more": "int wanted = 1;"}


def compiled(folder: Path, name: str, **parts: str) -> Path:
    source = folder / f"{name}.bpf.c"
    source.write_text(SOURCE.format(**{**PLAIN, **parts}))
    return compile_source(source)


@pytest.mark.needs("clang")
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, []),
        ({"entries": "16"}, [["map", "counts", "max_entries 8 -> 16", True]]),
        ({"type": "9"}, [["map", "counts", "HASH -> LRU_HASH", True]]),
        (
            {"members": "int a; int new; long b;"},
            [["value", "counts", "new: added, signed of 32 bits", False]],
        ),
        (
            {"members": "long b; int a;"},
            [
                ["value", "counts", "a: offset 0 -> 8", True],
                ["value", "counts", "b: offset 8 -> 0", True],
            ],
        ),
        (
            {"more": "int wanted = 1; int other = 2;"},
            [["global", "other", "added to .data", False]],
        ),
        ({"more": ""}, [["global", "wanted", "removed", True]]),
        (
            {"more": "unsigned wanted = 1;"},
            [["global", "wanted", "signed of 32 bits -> unsigned of 32 bits", True]],
        ),
        ({"more": "int wanted;"}, [["global", "wanted", "section .data -> .bss", True]]),
    ],
)
def test_command(tmp_path: Path, parts: dict[str, str], expected: list[list[object]]) -> None:
    """Changes come as a table or as JSON, and status 1 says that one of them breaks."""
    old, new = compiled(tmp_path, "old"), compiled(tmp_path, "new", **parts)
    result = CliRunner().invoke(main, ["diff", "--json", str(old), str(new)])
    found = json.loads(result.stdout)
    assert [list(one.values()) for one in found["changes"]] == expected
    breaks = any(one[-1] for one in expected)
    assert found["breaks"] is breaks
    assert result.exit_code == int(breaks)
    table = CliRunner().invoke(main, ["diff", str(old), str(new)])
    assert table.exit_code == int(breaks)
    assert bool(table.stdout) is bool(expected)
    for one in expected:
        assert str(one[2]) in table.stdout


BLOOM = """struct { __uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __uint(max_entries, 8);
    __type(value, int); __uint(map_extra, 3); } seen SEC(".maps");"""
OUTER = """struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, int);
    __type(value, int); };
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(key_size, 4); __uint(max_entries, 2);
    __array(values, struct inner); } outer SEC(".maps");"""
TABLE = """struct { __uint(type, 1); __uint(max_entries, 8); __type(key, int); __type(value, int);
    __uint(map_flags, 4); __uint(numa_node, 0); __uint(pinning, 1); } table SEC(".maps");"""


@pytest.mark.needs("clang")
@pytest.mark.parametrize(
    ("more", "old", "new", "expected"),
    [
        (BLOOM, "extra, 3", "extra, 5", [("map", "seen", "map_extra 3 -> 5", True)]),
        (TABLE, "node, 0", "node, 1", [("map", "table", "numa_node 0 -> 1", False)]),
        (TABLE, "pinning, 1", "pinning, 0", [("map", "table", "pinning removed", True)]),
        (TABLE, "pinning, 0", "pinning, 1", [("map", "table", "pinning added", False)]),
        (
            OUTER,
            "__type(value, int)",
            "__type(value, long)",
            [
                ("map", "outer.inner", "value_size 4 -> 8", True),
                ("value", "outer.inner", "size 4 -> 8", True),
                ("value", "outer.inner", "signed of 32 bits -> signed of 64 bits", True),
            ],
        ),
        (
            OUTER,
            "__type(key, int)",
            "__type(key, unsigned)",
            [("key", "outer.inner", "signed of 32 bits -> unsigned of 32 bits", True)],
        ),
        (
            OUTER,
            "entries, 1)",
            "entries, 9)",
            [("map", "outer.inner", "max_entries 1 -> 9", True)],
        ),
        (
            OUTER.replace("(type, 2)", "(type, 1)"),
            "entries, 1)",
            "entries, 9)",
            [("map", "outer.inner", "max_entries 1 -> 9", False)],
        ),
        (
            OUTER,
            "(type, 2)",
            "(type, 1)",
            [("map", "outer.inner", "ARRAY -> HASH", True)],
        ),
    ],
)
def test_all_of_a_definition(
    tmp_path: Path, more: str, old: str, new: str, expected: list[tuple[object, ...]]
) -> None:
    """Attributes of few maps, pinning, and the maps in a map, which have a name of their own."""
    if old not in more:
        more = more.replace(new, old)
    changed = more.replace(old, new)
    assert changed != more
    paths = [compiled(tmp_path, "old", more=more), compiled(tmp_path, "new", more=changed)]
    result = CliRunner().invoke(main, ["diff", "--json", *map(str, paths)])
    found = [tuple(one.values()) for one in json.loads(result.stdout)["changes"]]
    assert found == expected
    assert result.exit_code == int(any(one[-1] for one in expected))


def test_what_breaks_is_what_load_refuses() -> None:
    """A pinned map's attributes are those that a load compares, and so with the maps in a map."""
    assert ("type", *diff._ATTRIBUTES) == load_maps._COMPARED
    assert ("type", *diff._INNER_ATTRIBUTES) == of_maps._COMPARED
    assert diff._SIZED == of_maps._SIZED


RING = """struct event {{ int pid; {more} }};
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); }} events SEC(".maps")
    __attribute__((btf_decl_tag("bpfgen:event=event")));
struct event *unused_event;"""


@pytest.mark.needs("clang")
def test_records(tmp_path: Path) -> None:
    """The records of a ring buffer are compared like values."""
    old = compiled(tmp_path, "old", more=RING.format(more="int uid;"))
    new = compiled(tmp_path, "new", more=RING.format(more="long uid;"))
    result = CliRunner().invoke(main, ["diff", "--json", str(old), str(new)])
    found = [list(one.values()) for one in json.loads(result.stdout)["changes"]]
    assert ["event", "events", "size 8 -> 16", True] in found
    assert result.exit_code == 1


def test_bad_input(tmp_path: Path) -> None:
    """What is no object is one line on stderr, and status 1."""
    bad = tmp_path / "bad.o"
    bad.write_bytes(b"no object")
    result = CliRunner().invoke(main, ["diff", str(bad), str(bad)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "bad.o" in result.stderr
