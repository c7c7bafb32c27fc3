"""What types the records of a ring or perf buffer have: asked, told by a tag, or inferred.

What is asked or told is a list of C types, `open_event,exit_event`. One is the type of every
record; several are told apart by their sizes, or by a member that they share:
`open_event@kind:1,exit_event@kind:2`, or by the name of an enumerator, `open_event@hdr.kind:OPEN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bpfgen_runtime.btf import BTF_KIND_VAR, Btf, BtfType, Enum, Int, Struct, Typedef, Union
from bpfgen_runtime.elf.dwarf import read_dwarf
from bpfgen_runtime.errors import BtfError, ElfError, GenerateError
from bpfgen_runtime.map_classes import class_of
from bpfgen_runtime.spec import MapSpec, ObjectSpec
from bpfgen_runtime.uapi.const import BPF_MAP_TYPE_PERF_EVENT_ARRAY
from bpfgen_runtime.values.records import padded_size

from .dwarf import DwarfTypes
from .infer import Inference
from .layout import bitfield_width

__all__ = ["Choice", "Event", "Events", "parse_event"]

_TAG = "bpfgen:event="


class Choice(NamedTuple):
    """One of the types that records have; `values`: of the tag, for records of this type."""

    type_id: int
    values: tuple[int, ...] = ()


class Event(NamedTuple):
    """The types of one map's records; no choices where nothing says them.

    Attributes:
        why: what decided, as a comment for the generated module.
        tag: of the member that tells the types apart: offset and size in bytes, whether it is
            signed; None: their sizes do.
    """

    choices: tuple[Choice, ...]
    why: str
    tag: tuple[int, int, bool] | None = None


def parse_event(text: str) -> tuple[str, str]:
    """Read `MAP=STRUCT`, of `--event` and of a project's configuration.

    Raises:
        GenerateError: it is something else.
    """
    map_name, _, type_name = text.partition("=")
    if not map_name.strip() or not type_name.strip():
        raise GenerateError(f"{text!r} is not of the form MAP=STRUCT")
    return map_name.strip(), type_name.strip()


class Events:
    """Decides the types of the records of each map that has any.

    Args:
        asked: map to types, of `--event MAP=STRUCT`; wins over declaration tags.
        data: the object's file, which has debug information perhaps.

    Attributes:
        found: by the map's name.
        btf: the object's, with the types taken from its debug information behind its own.

    Raises:
        GenerateError: an unknown map or type, or types that cannot be told apart; the message says
            what there is.
    """

    def __init__(
        self, spec: ObjectSpec, maps: Mapping[str, MapSpec], asked: Mapping[str, str], data: bytes
    ) -> None:
        assert spec.btf is not None
        self._spec = spec
        self._data = data
        self._dwarf: DwarfTypes | None = None
        self._damage = ""
        self._inference: Inference | None = None
        carriers = [
            name
            for name, one in maps.items()
            if "event" in class_of(one.map_type, one.value_size).parameters
        ]
        for name in asked:
            if name not in carriers:
                what = "no ring or perf buffer" if name in maps else "no map of the object"
                raise GenerateError(
                    f"--event {name}={asked[name]}: {name!r} is {what};"
                    f" ring and perf buffers: {_list(carriers)}"
                )
        self.found = {name: self._decide(maps[name], asked.get(name)) for name in carriers}
        self.btf: Btf = spec.btf if self._dwarf is None else self._dwarf.extended()

    def _decide(self, buffer: MapSpec, asked: str | None) -> Event:
        name = buffer.name
        if asked is not None:
            option = f"--event {name}={asked}"
            return self._told(buffer, asked, option, option)
        tag = _tag(self._spec.btf, name)
        if tag is not None:
            asker = f"declaration tag {_TAG}{tag} on map {name!r}"
            return self._told(buffer, tag, asker, f"the declaration tag {_TAG}{tag}")
        if self._inference is None:
            self._inference = Inference(self._spec, self._types())
        inferred = self._inference.infer(buffer)
        if inferred.type_ids:
            choices = tuple(Choice(id) for id in inferred.type_ids)
            return Event(choices, f"event type inferred: {inferred.why}")
        damage = f" ({self._damage})" if self._damage else ""
        how = f'tag the map with __attribute__((btf_decl_tag("{_TAG}STRUCT")))'
        why = f"{inferred.why}{damage}; {how}, or use --event {name}=STRUCT"
        return Event((), f"event type unknown: {why}")

    def _types(self) -> DwarfTypes:
        """Return the types of the debug information, read when first needed."""
        if self._dwarf is None:
            assert self._spec.btf is not None
            try:
                units = read_dwarf(self._data)
            except ElfError as error:
                units, self._damage = [], error.message
            self._dwarf = DwarfTypes(self._spec.btf, units)
        return self._dwarf

    def _told(self, buffer: MapSpec, wanted: str, asker: str, source: str) -> Event:
        why = f"event type from {source}"
        found: dict[int, list[int]] = {}
        tags: list[tuple[int, int, bool]] = []
        tagged = []
        for part in wanted.split(","):
            type_name, at, tag = part.partition("@")
            id = self._find(type_name.strip(), asker)
            values = found.setdefault(id, [])
            tagged.append(bool(at))
            if at:
                place, value = self._tag_of(id, tag, asker)
                tags.append(place)
                if any(value in others for others in found.values()):
                    raise GenerateError(f"{asker}: two types have the tag {value}")
                values.append(value)
        if any(tagged):
            if not all(tagged):
                raise GenerateError(f"{asker}: some types have a tag (TYPE@MEMBER:VALUE), some not")
            if len(set(tags)) > 1:
                raise GenerateError(f"{asker}: the tags are not the same member of all types")
            choices = tuple(Choice(id, tuple(values)) for id, values in found.items())
            return Event(choices, why, tags[0])
        self._check_sizes(buffer, list(found), asker)
        return Event(tuple(Choice(id) for id in found), why)

    def _check_sizes(self, buffer: MapSpec, ids: list[int], asker: str) -> None:
        btf = self._now()
        sizes: dict[int, int] = {}
        is_perf = buffer.map_type == BPF_MAP_TYPE_PERF_EVENT_ARRAY
        for id in ids:
            size = btf.size_of(id)
            if is_perf:
                size = padded_size(size)
            other = sizes.setdefault(size, id)
            if other != id:
                raise GenerateError(
                    f"{asker}: {btf.c_name(other)} and {btf.c_name(id)} cannot be told apart by"
                    f" size{', which perf buffers round up' if is_perf else ''}: name the"
                    " member that does, TYPE@MEMBER:VALUE"
                )

    def _now(self) -> Btf:
        assert self._spec.btf is not None
        return self._spec.btf if self._dwarf is None else self._dwarf.extended()

    def _find(self, wanted: str, asker: str) -> int:
        """Find a type by its C name: `exec_event`, `struct exec_event`, a typedef, `__u64`."""
        btf = self._spec.btf
        assert btf is not None
        word, _, name = wanted.rpartition(" ")
        kinds: tuple[type[BtfType], ...] | None = {
            "struct": (Struct,),
            "union": (Union,),
            "enum": (Enum,),
            "": (Struct, Typedef, Enum, Int),
        }.get(word)
        if kinds is None:
            kinds, name = (Int,), wanted  # "unsigned int"
        ids = [id for id in btf.find(name) if isinstance(btf.type(id), kinds)]
        if ids:
            # A struct of the name rather than a typedef or enum of the same name.
            return min(ids, key=lambda id: (not isinstance(btf.type(id), Struct), id))
        types = self._types()
        dies = types.find(word, name)
        try:
            for die in sorted(dies, key=lambda one: (one.tag != "structure_type", one.offset)):
                return types.convert(die.offset)
        except BtfError as error:
            raise GenerateError(f"{asker}: {error.message}") from error
        listed = [btf.c_name(id) for id, one in btf.types() if isinstance(one, Struct) and one.name]
        for die in types.structs():
            is_typedef = die.tag == "typedef"
            listed.append(f"{'' if is_typedef else 'struct '}{die.get('name')}")
        how = ""
        if not types.units:
            how = (
                f"{self._damage or 'it has no debug information'}, and clang drops types that only"
                " local variables use from BTF: keep this one by a global pointer, "
                f"`struct {name} *unused_{name} __attribute__((unused));`"
            )
        raise GenerateError(
            f"{asker}: the object has no type {wanted!r}; it has"
            f" {_list(list(dict.fromkeys(listed)))}{'. ' + how if how else ''}"
        )

    def _tag_of(self, id: int, text: str, asker: str) -> tuple[tuple[int, int, bool], int]:
        """Return what `Event.tag` says of a tag, and the value that `MEMBER:VALUE` gives it."""
        path, colon, value = text.partition(":")
        if not colon:
            raise GenerateError(f"{asker}: {text!r} is not of the form MEMBER:VALUE")
        btf = self._now()
        offset, type_id = 0, id
        for step in path.strip().split("."):
            place = _member(btf, type_id, step)
            if place is None:
                raise GenerateError(f"{asker}: {btf.c_name(type_id)} has no member {step!r}")
            offset, type_id = offset + place[0], place[1]
        kind = btf.type(btf.resolve(type_id))
        if not isinstance(kind, (Int, Enum)) or kind.size > 8:
            raise GenerateError(f"{asker}: member {path!r} is no integer")
        # An enum's sign is not known from all compilers; its members are compared as bytes anyway.
        signed = kind.is_signed if isinstance(kind, Int) else False
        number = _number(btf, kind, value.strip(), asker)
        if number < 0 and not signed:
            number &= (1 << 8 * kind.size) - 1
        return (offset, kind.size, signed), number


def _member(btf: Btf, type_id: int, name: str) -> tuple[int, int] | None:
    """Return a member's offset in bytes and type, also of one in anonymous members."""
    struct = btf.type(btf.resolve(type_id))
    if not isinstance(struct, Struct):
        return None
    for one in struct.members:
        if one.name == name and not bitfield_width(one, btf.type(btf.resolve(one.type))):
            return one.bit_offset // 8, one.type
        if not one.name:
            inner = _member(btf, one.type, name)
            if inner is not None:
                return one.bit_offset // 8 + inner[0], inner[1]
    return None


def _number(btf: Btf, kind: Int | Enum, text: str, asker: str) -> int:
    """Return the value of a tag, written as a number or an enumerator's name."""
    try:
        value = int(text, 0)
    except ValueError:
        enums = [kind] if isinstance(kind, Enum) else []
        enums += [one for _, one in btf.types() if isinstance(one, Enum)]
        values = [one.value for enum in enums for one in enum.values if one.name == text]
        if not values:
            raise GenerateError(
                f"{asker}: {text!r} is neither a number nor an enumerator of the object"
            ) from None
        value = values[0]
    bits = 8 * kind.size
    if isinstance(kind, Enum):
        low, high = -1 << bits - 1, 1 << bits
    elif kind.is_signed:
        low, high = -1 << bits - 1, 1 << bits - 1
    else:
        low, high = 0, 1 << bits
    if not low <= value < high:
        raise GenerateError(f"{asker}: {value} does not fit a tag of {kind.size} bytes")
    return value


def _tag(btf: Btf | None, name: str) -> str | None:
    """Give what the map's declaration tag says, None without one."""
    if btf is not None:
        for id in btf.find(name, BTF_KIND_VAR):
            for tag in btf.decl_tags(id):
                if tag.startswith(_TAG):
                    return tag[len(_TAG) :].strip()
    return None


def _list(names: list[str], shown: int = 20) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return (", ".join(names[:shown]) or "none") + more
