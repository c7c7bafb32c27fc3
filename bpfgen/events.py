"""What type the records of a ring buffer have: asked, or told by a declaration tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bpfgen_runtime.btf import BTF_KIND_VAR, Btf, Enum, Int, Struct, Typedef, Union
from bpfgen_runtime.errors import GenerateError
from bpfgen_runtime.map_classes import class_of
from bpfgen_runtime.spec import MapSpec

__all__ = ["Event", "event_types", "parse_event"]


_TAG = "bpfgen:event="


class Event(NamedTuple):
    """The type of one map's records; `type_id` is None where nothing says it.

    Attributes:
        why: what decided, as a comment for the generated module.
    """

    type_id: int | None
    why: str


def parse_event(text: str) -> tuple[str, str]:
    """Read `MAP=STRUCT`, of `--event` and of a project's configuration.

    Raises:
        GenerateError: it is something else.
    """
    map_name, _, type_name = text.partition("=")
    if not map_name.strip() or not type_name.strip():
        raise GenerateError(f"{text!r} is not of the form MAP=STRUCT")
    return map_name.strip(), type_name.strip()


def event_types(
    btf: Btf | None, maps: Mapping[str, MapSpec], asked: Mapping[str, str]
) -> dict[str, Event]:
    """Decide the type of the records of each map that has any.

    Args:
        asked: map to type, of `--event MAP=STRUCT`; wins over declaration tags.

    Raises:
        GenerateError: an unknown map or type; the message lists those that exist.
    """
    carriers = [
        name
        for name, spec in maps.items()
        if "event" in class_of(spec.map_type, spec.value_size).parameters
    ]
    for name in asked:
        if name not in carriers:
            what = "no ring buffer" if name in maps else "no map of the object"
            raise GenerateError(
                f"--event {name}={asked[name]}: {name!r} is {what}; ring buffers: {_list(carriers)}"
            )
    found = {}
    for name in carriers:
        if name in asked:
            id = _find(btf, asked[name], f"--event {name}={asked[name]}")
            found[name] = Event(id, f"event type from --event {name}={asked[name]}")
        elif (tag := _tag(btf, name)) is not None:
            id = _find(btf, tag, f"declaration tag {_TAG}{tag} on map {name!r}")
            found[name] = Event(id, f"event type from the declaration tag {_TAG}{tag}")
        else:
            how = f'tag the map with __attribute__((btf_decl_tag("{_TAG}STRUCT")))'
            found[name] = Event(None, f"event type unknown: {how}, or use --event {name}=STRUCT")
    return found


def _tag(btf: Btf | None, name: str) -> str | None:
    """Give what the map's declaration tag says, None without one."""
    if btf is not None:
        for id in btf.find(name, BTF_KIND_VAR):
            for tag in btf.decl_tags(id):
                if tag.startswith(_TAG):
                    return tag[len(_TAG) :].strip()
    return None


def _find(btf: Btf | None, wanted: str, asker: str) -> int:
    """Find a type by its C name: `exec_event`, `struct exec_event`, a typedef, `__u64`."""
    if btf is None:
        raise GenerateError(f"{asker}: the object has no BTF to find types in; use clang -g")
    word, _, name = wanted.strip().rpartition(" ")
    kinds = {
        "struct": (Struct,),
        "union": (Union,),
        "enum": (Enum,),
        "": (Struct, Typedef, Enum, Int),
    }.get(word)
    if kinds is None:
        kinds, name = (Int,), wanted.strip()  # "unsigned int"
    ids = [id for id in btf.find(name) if isinstance(btf.type(id), kinds)]
    if not ids:
        candidates = _candidates(btf)
        raise GenerateError(
            f"{asker}: the object's BTF has no type {wanted!r}; it has {_list(candidates)}. "
            "clang drops types that only local variables use: keep this one by a global pointer, "
            f"`struct {name} *unused_{name} __attribute__((unused));`"
        )
    # A struct of the name rather than a typedef or enum of the same name.
    return min(ids, key=lambda id: (not isinstance(btf.type(id), Struct), id))


def _candidates(btf: Btf) -> list[str]:
    return [btf.c_name(id) for id, kind in btf.types() if isinstance(kind, Struct) and kind.name]


def _list(names: list[str], shown: int = 20) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return (", ".join(names[:shown]) or "none") + more
