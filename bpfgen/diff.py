"""What a new version of an object breaks: pinned maps, stored values, records, globals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from bpfgen_runtime.btf import Btf
from bpfgen_runtime.btf.changes import layout_changes
from bpfgen_runtime.errors import BtfError
from bpfgen_runtime.spec import MapSpec, ObjectSpec
from bpfgen_runtime.uapi.const import BPF_F_INNER_MAP
from bpfgen_runtime.uapi.enums import MapType

from .events import Event, Events
from .text import printable

__all__ = ["Change", "as_json", "as_table", "compare"]

#: What a pinned map must have in common with its definition besides its type, or it is refused at
#: load (`load_maps`).
_ATTRIBUTES = ("key_size", "value_size", "max_entries", "map_flags", "map_extra")
#: What the maps in a map must, or the kernel refuses to put them there; some also `max_entries`.
_INNER_ATTRIBUTES = ("key_size", "value_size", "map_flags")
_SIZED = (MapType.ARRAY, MapType.XSKMAP)


class Change(NamedTuple):
    """One difference.

    Attributes:
        kind: "map", "key", "value", "event", "global".
        name: of the map or the variable; `name.inner` is the definition of the maps in a map.
        change: what it is.
        breaks: what the old object has pinned or stored does not fit the new one.
    """

    kind: str
    name: str
    change: str
    breaks: bool


def compare(old: ObjectSpec, new: ObjectSpec, data: tuple[bytes, bytes]) -> list[Change]:
    """Return what is different, maps first, in the old object's order.

    Args:
        data: the two objects' files, for the types of records.

    Raises:
        BtfError: a type is damaged.
        GenerateError: the type of a ring buffer's records is said, but not found.
    """
    return [*_maps(old, new), *_records(old, new, data), *_globals(old, new)]


def _maps(old: ObjectSpec, new: ObjectSpec) -> Iterator[Change]:
    for name, one in old.maps.items():
        if one.is_data:
            continue
        two = new.maps.get(name)
        if two is None:
            yield Change("map", name, "removed", True)
            continue
        yield from _definitions(name, old, new, one, two)
        if one.pinning != two.pinning:
            # Without, the new object does not look for the map that the old one has left.
            what = "removed" if one.pinning else "added"
            yield Change("map", name, f"pinning {what}", bool(one.pinning))
    for name, two in new.maps.items():
        if not two.is_data and name not in old.maps:
            yield Change("map", name, "added", False)


def _definitions(
    name: str, old: ObjectSpec, new: ObjectSpec, one: MapSpec, two: MapSpec, inner: bool = False
) -> Iterator[Change]:
    """Compare two definitions of a map, or of the maps in one."""
    if one.map_type != two.map_type:
        types = f"{_type_name(one.map_type)} -> {_type_name(two.map_type)}"
        yield Change("map", name, types, True)
    sized = one.map_type in _SIZED and not one.map_flags & BPF_F_INNER_MAP
    for attribute in (*_ATTRIBUTES, "numa_node"):
        before, after = getattr(one, attribute), getattr(two, attribute)
        if before == after:
            continue
        breaks = attribute in (_INNER_ATTRIBUTES if inner else _ATTRIBUTES)
        breaks |= sized and attribute == "max_entries"
        yield Change("map", name, f"{attribute} {before} -> {after}", breaks)
    for part in ("key", "value"):
        yield from _types(part, name, old, new, one, two)
    if isinstance(one.inner, MapSpec) and isinstance(two.inner, MapSpec):
        yield from _definitions(f"{name}.inner", old, new, one.inner, two.inner, inner=True)
    elif one.inner is not two.inner:
        what = "removed" if two.inner is None else "added"
        yield Change("map", f"{name}.inner", what, False)


def _type_name(map_type: int) -> str:
    return MapType(map_type).name if map_type in set(MapType) else str(map_type)


def _types(
    part: str, name: str, old: ObjectSpec, new: ObjectSpec, one: MapSpec, two: MapSpec
) -> Iterator[Change]:
    before, after = getattr(one, f"{part}_type_id"), getattr(two, f"{part}_type_id")
    if before and after and old.btf is not None and new.btf is not None:
        for text, breaks in layout_changes(old.btf, before, new.btf, after):
            yield Change(part, name, text, breaks)


def _records(old: ObjectSpec, new: ObjectSpec, data: tuple[bytes, bytes]) -> Iterator[Change]:
    before, old_btf = _events(old, data[0])
    after, new_btf = _events(new, data[1])
    for name, event in before.items():
        other = after.get(name)
        if other is None or old_btf is None or new_btf is None:
            continue  # a removed map has been told
        old_types = {_record_name(old_btf, c.type_id): c.type_id for c in event.choices}
        new_types = {_record_name(new_btf, c.type_id): c.type_id for c in other.choices}
        if len(old_types) == len(new_types) == 1:
            pairs = [(*old_types.items(), *new_types.items())]
            for (_, one), (_, two) in pairs:
                for text, breaks in layout_changes(old_btf, one, new_btf, two):
                    yield Change("event", name, text, breaks)
            continue
        for record, type_id in old_types.items():
            if record not in new_types:
                yield Change("event", name, f"{record} removed", True)
                continue
            for text, breaks in layout_changes(old_btf, type_id, new_btf, new_types[record]):
                yield Change("event", name, f"{record}: {text}", breaks)
        for record in new_types:
            if record not in old_types:
                yield Change("event", name, f"{record} added", False)


def _events(spec: ObjectSpec, data: bytes) -> tuple[dict[str, Event], Btf | None]:
    if spec.btf is None:
        return {}, None
    decided = Events(spec, {n: m for n, m in spec.maps.items() if not m.is_data}, {}, data)
    return decided.found, decided.btf


def _record_name(btf: Btf, type_id: int) -> str:
    return btf.c_name(type_id)


def _globals(old: ObjectSpec, new: ObjectSpec) -> Iterator[Change]:
    for name, one in old.variables.items():
        if one.is_static:
            continue
        two = new.variables.get(name)
        if two is None or two.is_static:
            yield Change("global", name, "removed", True)
            continue
        if one.section != two.section:
            yield Change("global", name, f"section {one.section} -> {two.section}", True)
        elif one.offset != two.offset:
            yield Change("global", name, f"offset {one.offset} -> {two.offset}", True)
        if old.btf is None or new.btf is None or not one.type_id or not two.type_id:
            continue
        try:
            changes = layout_changes(old.btf, one.type_id, new.btf, two.type_id)
        except BtfError as error:
            error.message = f"global {name!r}: {error.message}"
            raise
        for text, breaks in changes:
            yield Change("global", name, text, breaks)
    for name, two in new.variables.items():
        if name not in old.variables and not two.is_static:
            yield Change("global", name, f"added to {two.section}", False)


def as_json(changes: list[Change]) -> str:
    """Return the changes as one JSON object."""
    every = [change._asdict() for change in changes]
    breaks = any(change.breaks for change in changes)
    return json.dumps({"breaks": breaks, "changes": every}, indent=2) + "\n"


def as_table(changes: list[Change], width: int | None) -> str:
    """Return the changes as a table for people, "" if there are none.

    Args:
        width: columns; None asks the terminal.
    """
    if not changes:
        return ""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("", "name", "change", "breaks"):
        table.add_column(column)
    for change in changes:
        row = [printable(cell) for cell in (change.kind, change.name, change.change)]
        table.add_row(*row, "yes" if change.breaks else "no")
    console = Console(width=width, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
