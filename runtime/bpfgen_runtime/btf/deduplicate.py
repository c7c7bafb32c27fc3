"""`dedup`: equal types become one, and forward declarations what they declare.

Two types are equal if nothing that C can say tells them apart: their own words are equal, and so is
each type that they refer to. For types that refer to each other in cycles this is the question
which states of an automaton are equivalent, and it is answered in the same way: types start out in
classes by their own words, and a class is split as long as its types refer to different classes.
What is never split is equal.

libbpf instead compares graphs pair by pair. Where no name has several definitions the outcome is
the same, but here it does not depend upon the order of types, and the time is bounded by n log n
for n references, whatever the input. The outcome is complete: deduplicating it changes nothing.

Forward declarations. A FWD of a name is taken for the struct or union of that name as long as all
of these turn out to be equal, *given* that assumption about all such names: so two objects which
each define one half of a cycle, and declare the other, come out as one.

Where the definitions of a name differ, the types around its FWD decide, and the order of types
decides between several that fit: libbpf's walk over pairs, in libbpf's order (forward.py). What it
merges is merged here, too; then what is left is looked at again, until nothing changes. So there
are never more types than libbpf leaves.

What the base of a split BTF declares stays a declaration, as the base cannot change, and a type
that leads to a definition is never one of the base that leads to its declaration. libbpf merges
these as well, once it has seen what the base declares: that is fewer types, but they say less.
"""

from __future__ import annotations

from .btf import Btf
from .encoder import StringTable, assemble
from .fields import IDS, check_ids, ids_of, own_records, rewrite
from .forward import COMPOSITES, Forwards
from .refine import Partition
from .types import (
    BTF_KIND_ARRAY,
    BTF_KIND_DATASEC,
    BTF_KIND_DECL_TAG,
    BTF_KIND_ENUM,
    BTF_KIND_ENUM64,
    BTF_KIND_FLOAT,
    BTF_KIND_FUNC_PROTO,
    BTF_KIND_FWD,
    BTF_KIND_INT,
    BTF_KIND_UNION,
    BTF_KIND_VAR,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    #: A struct's or union's name, as a number, and whether it is a union.
    _Named = tuple[int, int]

__all__ = ["Deduped", "dedup"]

_ENUMS = (BTF_KIND_ENUM, BTF_KIND_ENUM64)
_LEAVES = (BTF_KIND_INT, BTF_KIND_FLOAT, BTF_KIND_FWD, *_ENUMS)
#: Never merged: two variables are two even if they are declared alike.
_UNIQUE = (BTF_KIND_VAR, BTF_KIND_DATASEC)
_VLEN = 0xFFFFFF


class Deduped:
    """What `dedup` gives.

    Attributes:
        btf: the BTF without duplicates, in the order of the first of each.
        ids: the new id of each type by its old one; those of a base stay.
        strings: the new offset of each string that is still there by its old one.
    """

    __slots__ = ("btf", "ids", "strings")

    def __init__(self, btf: Btf, ids: list[int], strings: dict[int, int]) -> None:
        self.btf = btf
        self.ids = ids
        self.strings = strings


def dedup(btf: Btf, *, keep_strings: Iterable[int] = ()) -> Deduped:
    """Merge equal types, as libbpf's btf__dedup does, and drop strings that nothing uses.

    VARs and DATASECs are never merged. Types of a base are used but not changed.

    Args:
        keep_strings: offsets of strings that something else uses, as `.BTF.ext` does.

    Raises:
        BtfError: a type refers to an id or a string that does not exist.
        NotSupportedError: a type is of a kind that is not known here.
    """
    graph = _Graph(btf)
    representative = graph.representatives()
    ids = list(range(btf.start_id))
    next_id = btf.start_id
    for type_id in range(btf.start_id, len(btf)):
        first = representative[type_id]
        if first == type_id:
            ids.append(next_id)
            next_id += 1
        else:
            # The first of a class has the lowest id, except for what a FWD has become.
            ids.append(ids[first] if first < type_id else -1)
    for type_id in range(btf.start_id, len(btf)):
        if ids[type_id] < 0:
            ids[type_id] = ids[representative[type_id]]
    strings = _Strings(btf)
    words: list[int] = []
    for type_id, kind, record in own_records(btf):
        if representative[type_id] == type_id:
            words += rewrite(kind, record, strings.__getitem__, ids.__getitem__)
    for offset in keep_strings:
        strings[offset]
    from struct import pack

    order = btf.byte_order
    records = pack(f"{order}{len(words)}I", *words)
    result = Btf(assemble(order, records, strings.table.to_bytes()), btf.base)
    result.pointer_size = btf.pointer_size
    return Deduped(result, ids, dict(strings))


class _Strings(dict[int, int]):
    """New offsets of strings by the old ones, in the order in which they are asked for."""

    def __init__(self, btf: Btf) -> None:
        super().__init__({0: 0})
        self._btf = btf
        self.table = StringTable(btf.base)

    def __missing__(self, offset: int) -> int:
        new = self[offset] = self.table.add(self._btf.string(offset))
        return new


class _Texts(dict[int, int]):
    """One number for each text, by its offset: string sections may hold a text several times."""

    def __init__(self, btf: Btf) -> None:
        super().__init__({0: 0})
        self._btf = btf
        self._numbers = {"": 0}

    def __missing__(self, offset: int) -> int:
        text = self._btf.string(offset)
        number = self[offset] = self._numbers.setdefault(text, len(self._numbers))
        return number


class _Graph:
    """The types of a BTF, and those of its base that may equal some: nodes called by their ids."""

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.texts = _Texts(btf)
        self.children: dict[int, list[int]] = {}
        self.signatures: dict[int, Hashable] = {}
        #: By (name, is union): definitions, and declarations; those of the base, and own ones of
        #: names that the base declares, are told apart.
        self.defined: dict[_Named, list[int]] = {}
        self.declared: dict[_Named, list[int]] = {}
        self.declared_below: dict[_Named, list[int]] = {}
        self.enums: dict[int, int] = {}
        self.declared_enums: dict[int, list[int]] = {}
        heads = set()
        for type_id, kind, record in own_records(btf):
            self._add(type_id, kind, record)
            heads.add((self.texts[record[0]], record[1]))
        names = {name for name, _ in self.declared}.union(self.declared_enums, self.enums)
        for type_id, kind, record in _base_records(btf):
            name = self.texts[record[0]]
            if (name, record[1]) in heads or name in names:
                self._add(type_id, kind, record)
        #: What takes a type's place: for a declared enum the full one.
        self.instead: dict[int, int] = {
            declared: self.enums[name]
            for name, each in self.declared_enums.items()
            for declared in each
            if name in self.enums
        }

    def _add(self, type_id: int, kind: int, record: list[int]) -> None:
        name = self.texts[record[0]]
        vlen = record[1] & _VLEN
        own = type_id >= self.btf.start_id
        ids = ids_of(kind, record)
        check_ids(self.btf, type_id, ids)
        self.children[type_id] = ids
        self.signatures[type_id] = self._signature(type_id, kind, name, record)
        if not name:
            return
        if kind in COMPOSITES:
            self.defined.setdefault((name, kind == BTF_KIND_UNION), []).append(type_id)
        elif kind == BTF_KIND_FWD:
            what = name, record[1] >> 31
            if own:
                self.declared.setdefault(what, []).append(type_id)
            else:
                below = self.declared_below.setdefault(what, [])
                below += [type_id, *self.declared.pop(what, ())]
        elif kind in _ENUMS and vlen:
            first = self.enums.get(name, type_id)
            self.enums[name] = min(first, type_id)
        elif kind in _ENUMS and own:
            self.declared_enums.setdefault(name, []).append(type_id)
        elif kind in _ENUMS:
            self.declared_enums.pop(name, None)

    def _signature(self, type_id: int, kind: int, name: int, record: list[int]) -> Hashable:
        """Return what two types must have in common, whatever they refer to."""
        if kind in _UNIQUE:
            return type_id
        info = record[1]
        text = self.texts.__getitem__
        if kind in COMPOSITES:
            return name, info, record[2], tuple(map(text, record[3::3])), tuple(record[5::3])
        if kind in _ENUMS:
            if not info & _VLEN and name:
                return name, "enum"  # of whatever size: it is only declared
            step = 2 if kind == BTF_KIND_ENUM else 3
            values = record[4::step] if kind == BTF_KIND_ENUM else record[4::3] + record[5::3]
            return name, info, record[2], tuple(map(text, record[3::step])), tuple(values)
        if kind == BTF_KIND_FUNC_PROTO:
            return name, info, tuple(map(text, record[3::2]))
        if kind == BTF_KIND_ARRAY:
            return name, info, record[5]
        if kind in (BTF_KIND_INT, BTF_KIND_FLOAT, BTF_KIND_DECL_TAG):
            return name, info, record[2] if kind != BTF_KIND_DECL_TAG else 0, *record[3:]
        return name, info

    def representatives(self) -> dict[int, int]:
        """Return the type that stands for each type: the one of its class with the lowest id."""
        found = self._first_of_each_class()
        if not self._has_ambiguous_declarations():
            return found
        # Once as libbpf does, with all duplicates; then with what is left, until nothing changes.
        new = self._by_graphs({node: node for node in found})
        while new:
            self._replace(new)
            found = self._first_of_each_class()
            new = self._by_graphs(found) if self._has_ambiguous_declarations() else {}
        return found

    def _has_ambiguous_declarations(self) -> bool:
        if any(what in self.defined and what not in self._open for what in self.declared):
            return True
        start_id = self.btf.start_id
        return any(
            what in self.defined and max(each) >= start_id
            for what, each in self.declared_below.items()
        )

    def _by_graphs(self, found: Mapping[int, int]) -> dict[int, int]:
        """Return what is to go for what, of the types that only declarations tell apart.

        Args:
            found: the type to look at in place of each type.
        """
        instead = self.instead
        nodes = [node for node in sorted(self.children) if found[node] == node]
        children = {
            node: [
                found.get(target, target)
                for child in self.children[node]
                for target in (instead.get(child, child),)
            ]
            for node in nodes
        }
        declared, defined = (
            {node: what for what, each in named.items() for node in each if found[node] == node}
            for named in (self.declared | self.declared_below, self.defined)
        )
        kind_of = self.btf.kind
        kinds = {node: kind_of(node) for node in range(1, self.btf.start_id)}
        kinds.update((node, kind_of(node)) for node in nodes)
        signatures = {node: self.signatures[node] for node in nodes}
        forwards = Forwards(
            kinds,
            signatures,
            children,
            declared,
            defined,
            self.btf.start_id,
            self._count_leaves(nodes),
        )
        new = forwards.replaced()
        return {node: new[first] for node, first in found.items() if first in new}

    def _count_leaves(self, nodes: Iterable[int]) -> int:
        """Count own types that refer to none and differ; a declared enum only before a full one."""
        start_id, instead = self.btf.start_id, self.instead
        seen: set[Hashable] = set()
        count = 0
        for node in sorted(nodes):
            kind = self.btf.kind(node)
            if kind not in _LEAVES or self.signatures[node] in seen:
                continue
            seen.add(self.signatures[node])
            declared = kind in _ENUMS and instead.get(node, node) < node
            count += node >= start_id and not declared
        return count

    def _replace(self, new: dict[int, int]) -> None:
        """Take types out of the graph, and let what refers to them refer to others instead."""
        instead = self.instead
        instead.update(new)
        for node in instead:
            target = instead[node]
            while target in instead:
                target = instead[target]
            instead[node] = target
        for node in new:
            self.children.pop(node, None)
            self.signatures.pop(node, None)
        for named in (self.defined, self.declared, self.declared_below):
            for what, nodes in list(named.items()):
                named[what] = [node for node in nodes if node not in new]
                if not named[what]:
                    del named[what]

    def _first_of_each_class(self) -> dict[int, int]:
        """Return the same for types that are equal but for declarations of unambiguous names."""
        self._open = {what: each for what, each in self.declared.items() if what in self.defined}
        tokens = {
            node: what
            for what, declared in self._open.items()
            for node in (*declared, *self.defined[what])
        }
        self._parts = parts = Partition(self._keys(tokens))
        held: dict[int, list[tuple[int, int]]] = {}
        for node, children in self.children.items():
            for position, child in enumerate(children):
                target = self.instead.get(child, child)
                if target in tokens:
                    held.setdefault(target, []).append((node, position))
                elif target in self.children:
                    parts.connect(node, position, target)
        parts.refine(range(len(parts.members)))
        suspects: Iterable[_Named] = list(self._open)
        while suspects:
            changed: dict[int, None] = {}
            for what in suspects:
                if not self._ambiguous(what):
                    continue
                # Told apart, so references to them and to what they are declared by count again.
                for node in (*self._open.pop(what), *self.defined[what]):
                    for source, position in held.pop(node, ()):
                        parts.connect(source, position, node)
                    changed[parts.class_of[node]] = None
            parts.moved.clear()
            parts.refine(changed)
            suspects = {tokens[node]: None for node in parts.moved if node in tokens}
        return self._first_of_each()

    def _keys(self, tokens: dict[int, _Named]) -> dict[int, Hashable]:
        """Return each node's signature with those of the types that it refers to.

        Types with an open declaration are all called by that; those of a base that equal nothing,
        and `void`, by their ids.
        """
        numbers: dict[Hashable, int] = {}
        looks: dict[int, int] = {}
        for node, signature in self.signatures.items():
            signature = ("open", tokens[node]) if node in tokens else signature
            looks[node] = numbers.setdefault(signature, len(numbers))
        keys: dict[int, Hashable] = {}
        for node, children in self.children.items():
            seen = [
                looks[target] if (target := self.instead.get(child, child)) in looks else ~child
                for child in children
            ]
            keys[node] = self.signatures[node], tuple(seen)
        return keys

    def _ambiguous(self, what: _Named) -> bool:
        if what not in self._open:
            return False
        class_of = self._parts.class_of
        return len({class_of[node] for node in self.defined[what]}) > 1

    def _first_of_each(self) -> dict[int, int]:
        first = [min(nodes) for nodes in self._parts.members]
        class_of = self._parts.class_of
        found = {node: first[number] for node, number in class_of.items()}
        for what, declared in self._open.items():
            definition = found[self.defined[what][0]]
            found.update(dict.fromkeys(declared, definition))
        for node, target in self.instead.items():
            found[node] = found[target]
        return found


def _base_records(btf: Btf) -> Iterator[tuple[int, int, list[int]]]:
    """Yield all records of a BTF's base, as own_records does; kinds that are not known left out."""
    base = btf.base
    while base is not None:
        words, starts = base.records()
        ends = [*starts[1:], len(words)]
        for number, (at, end) in enumerate(zip(starts, ends, strict=True)):
            kind = words[at + 1] >> 24 & 0x7F
            if kind in IDS:
                yield base.start_id + number, kind, list(words[at:end])
        base = base.base
