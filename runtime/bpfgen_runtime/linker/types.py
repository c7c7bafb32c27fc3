"""The inputs' BTF as one: appended, its sections made anew, deduplicated."""

from __future__ import annotations

from ..btf.build import BtfBuilder
from ..btf.deduplicate import dedup
from ..btf.fields import ids_of, own_records
from ..btf.types import (
    BTF_KIND_DATASEC,
    BTF_KIND_DECL_TAG,
    BTF_KIND_FUNC,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_VAR,
    Datasec,
    SecVar,
)
from ..errors import LinkerError
from .ext import ExtMerger
from .inputs import is_global

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .inputs import InputObject
    from .output import OutputSection, OutputSymbol

__all__ = ["merge_types"]


def merge_types(
    sources: Sequence[InputObject],
    sections: Sequence[OutputSection],
    named: Mapping[str, OutputSymbol],
    byte_order: str,
) -> dict[str, bytes]:
    """Return the contents of `.BTF` and `.BTF.ext`, of those that the output has.

    Raises:
        LinkerError: see `ExtMerger.add`; or a name is a function here and a variable there.
        BtfError: `.BTF.ext` refers to what does not exist.
        NotSupportedError: a type is of a kind that is not known here.
    """
    with_types = [source for source in sources if source.btf is not None]
    if not with_types:
        return {}
    builder = BtfBuilder(byte_order=byte_order)
    ids = _append(builder, with_types, named)
    for section in sections:
        datasec = _datasec(section, named, ids)
        if datasec is not None:
            builder.add(datasec)
    ext = ExtMerger(builder)
    for source in with_types:
        ext.add(source, ids[source])
    strings = sorted(ext.strings())
    merged = dedup(builder.build(), keep_strings=strings)
    made = {".BTF": merged.btf.to_bytes()}
    records = ext.to_bytes(merged, [section.name for section in sections], byte_order)
    if records:
        made[".BTF.ext"] = records
    return made


def _append(
    builder: BtfBuilder, sources: Sequence[InputObject], named: Mapping[str, OutputSymbol]
) -> dict[InputObject, list[int]]:
    """Add the inputs' types but for sections, which are made anew, and return their new ids.

    A global has one VAR or FUNC, that of the input which defines it; this is what resolves linkage,
    and gives an `extern int table[];` its size. What has no symbol any more, such as the variable
    of a second licence, is left out with its tags (id 0).
    """
    left_out: dict[InputObject, dict[int, int]] = {}
    owned: dict[InputObject, dict[int, OutputSymbol]] = {}
    places: dict[OutputSymbol, int] = {}
    next_id = len(builder)
    for source in sources:
        out, elsewhere = left_out[source], owned[source] = _not_added(source, named)
        assert source.btf is not None
        own = {symbol.type_id: symbol for symbol in named.values() if symbol.source is source}
        for type_id in range(1, len(source.btf)):
            if type_id in out or type_id in elsewhere:
                continue
            if type_id in own:
                places[own[type_id]] = next_id
            next_id += 1
    ids = {}
    for source in sources:
        assert source.btf is not None
        known = left_out[source] | {i: places[s] for i, s in owned[source].items()}
        ids[source] = builder.merge(source.btf, known)
    return ids


def _not_added(
    source: InputObject, named: Mapping[str, OutputSymbol]
) -> tuple[dict[int, int], dict[int, OutputSymbol]]:
    """Return the ids that an input does not add: those left out, as 0, and those of other inputs'.

    A prototype that only such functions have goes with them: the definition brings its own.
    """
    btf = source.btf
    assert btf is not None
    out: dict[int, int] = {}
    elsewhere: dict[int, OutputSymbol] = {}
    tags: list[tuple[int, int]] = []
    prototypes: set[int] = set()
    needed: set[int] = set()
    for type_id, kind, record in own_records(btf):
        if kind == BTF_KIND_DATASEC:
            out[type_id] = 0
            continue
        if kind in (BTF_KIND_FUNC, BTF_KIND_VAR) and is_global(btf, type_id):
            symbol = named.get(btf.name(type_id))
            if symbol is None:
                out[type_id] = 0
                continue
            if symbol.source is not source:
                other = symbol.source.btf
                assert other is not None
                if other.kind(symbol.type_id) != kind:
                    raise LinkerError(
                        f"{symbol.name!r} is a function in one of {symbol.source.label} and"
                        f" {source.label}, and a variable in the other"
                    )
                elsewhere[type_id] = symbol
                if kind == BTF_KIND_FUNC:
                    prototypes.add(record[2])
                continue
            if symbol.type_id != type_id:  # declared twice
                elsewhere[type_id] = symbol
                continue
        elif kind == BTF_KIND_DECL_TAG:
            tags.append((type_id, record[2]))
            continue
        needed.update(ids_of(kind, record))
    for tag, target in tags:
        if target in out:
            out[tag] = 0
    for type_id in prototypes - needed:
        if btf.kind(type_id) == BTF_KIND_FUNC_PROTO:
            out[type_id] = 0
    return out, elsewhere


def _datasec(
    section: OutputSection,
    named: Mapping[str, OutputSymbol],
    ids: Mapping[InputObject, Sequence[int]],
) -> Datasec | None:
    """Return the DATASEC of a section, None if BTF of no input has one."""
    variables: list[SecVar] = []
    has_one = False
    for source, part in section.parts:
        if not part.datasec:
            continue
        has_one = True
        btf = source.btf
        assert btf is not None
        for type_id, offset, size in part.variables:
            new_id = ids[source][type_id]
            if is_global(btf, type_id):
                symbol = named.get(btf.name(type_id))
                if symbol is None or symbol.source is not source or symbol.type_id != type_id:
                    continue
            variables.append(SecVar(new_id, part.offset + offset, size))
    if not has_one:
        return None
    variables.sort(key=lambda variable: variable.offset)
    return Datasec(section.name, section.size, variables)
