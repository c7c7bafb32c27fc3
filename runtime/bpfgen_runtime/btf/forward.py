"""Declarations of a name that has several definitions: which of them is meant, by what is around.

If a struct points at `struct x`, which is only declared there, and another one, the same but for
that, points at a definition of `struct x`, then the first says nothing that the second does not:
it is the second, and `struct x` was that definition. This is libbpf's walk over pairs of type
graphs (btf_dedup_struct_types, btf_dedup_is_equiv), in libbpf's order: several definitions may fit,
and which one is taken decides what else can be merged.

Each struct or union, by ascending ids, is compared with the ones that stand for themselves so far
and are alike in their own words. The two graphs are walked side by side; a declaration goes for any
definition of its name; a node of the graph that stands already may meet only one node of the other,
or one that is the same. What fits binds the declarations that were met, everywhere, and merges the
structs and unions that were met. Typedefs come last, in the same way, as in libbpf 1.6.

Unlike libbpf, a definition is never merged with one that its declaration alone was compared with.
"""

from __future__ import annotations

from .types import (
    BTF_KIND_ARRAY,
    BTF_KIND_DATASEC,
    BTF_KIND_STRUCT,
    BTF_KIND_TYPEDEF,
    BTF_KIND_UNION,
    BTF_KIND_VAR,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

__all__ = ["COMPOSITES", "Forwards"]

COMPOSITES = (BTF_KIND_STRUCT, BTF_KIND_UNION)
_MERGED = (*COMPOSITES, BTF_KIND_TYPEDEF)
_NEVER_MERGED = (BTF_KIND_VAR, BTF_KIND_DATASEC)

#: Pairs of types that are looked at, for each type and at least: what bounds the time.
_STEPS_PER_TYPE = 64
_STEPS = 1 << 16
#: How deep structs that hold each other are compared; as in libbpf 1.6.
_DEPTH = 16


class Forwards:
    """One walk over a graph of types, called by their ids.

    Args:
        kinds: the kind of each type, ids ascending, also of those of a base that equal none.
        signatures: what types must have in common to be equal; types without are left alone.
        children: the types that each of these refers to.
        declared: the names that declarations are of.
        defined: the names that structs and unions are of.
        start_id: types below, those of a base, are never replaced.
        leaves: how many own types that refer to none are in libbpf's table.
    """

    def __init__(
        self,
        kinds: Mapping[int, int],
        signatures: Mapping[int, Hashable],
        children: Mapping[int, Sequence[int]],
        declared: Mapping[int, Hashable],
        defined: Mapping[int, Hashable],
        start_id: int,
        leaves: int,
    ) -> None:
        self._kinds = kinds
        self._signatures = signatures
        self._children = children
        self._declared = declared
        self._defined = defined
        self._start_id = start_id
        self._leaves = leaves
        self._steps = _STEPS + _STEPS_PER_TYPE * len(kinds)
        self._table = _Candidates()
        #: What stands for a type, itself if it stays; a name's declarations are one from the start.
        self._map: dict[int, int] = {}
        first: dict[Hashable, int] = {}
        for node, name in declared.items():
            self._map[node] = first.setdefault(name, node)

    def replaced(self) -> dict[int, int]:
        """Compare all, and return what goes for what: duplicates, and declarations that were bound.

        To be called once.
        """
        kinds = self._kinds
        for node, kind in kinds.items():
            if node < self._start_id:
                self._take(node, kind)
        self._table.skip(self._leaves)
        for wanted in (COMPOSITES, (BTF_KIND_TYPEDEF,)):
            for node, kind in kinds.items():
                if self._steps < 0:
                    break
                if node >= self._start_id and kind in wanted and node not in self._map:
                    self._find_place(node)
        tops = ((node, self._top(node)) for node in self._map if node >= self._start_id)
        return {node: top for node, top in tops if node != top}

    def _take(self, node: int, kind: int) -> None:
        """Let a type of a base stand for itself."""
        if kind in _MERGED and node in self._signatures:
            self._table.add(self._signatures[node], node)
            self._map[node] = node
        elif kind not in _NEVER_MERGED:
            self._table.skip(1)

    def _find_place(self, node: int) -> None:
        """Merge a type with the first that stands for itself and fits, or let it stand so, too."""
        signature = self._signatures[node]
        for candidate in self._table.of(signature):
            met = self._compare(node, candidate)
            if met is None:
                continue
            if any(self._says_less(upper, lower) for upper, lower in met.items()):
                self._bind(met)
                continue
            self._merge(met)
            self._map[node] = candidate
            return
        self._map[node] = node
        self._table.add(signature, node)

    def _top(self, node: int) -> int:
        mapped = self._map
        while (target := mapped.get(node, node)) != node:
            node = target
        return node

    def _compare(self, low: int, high: int) -> dict[int, int] | None:
        """Return what each node of the graph that stands has met; None if the graphs differ."""
        signatures, children, declared = self._signatures, self._children, self._declared
        met: dict[int, int] = {}
        pending = [(low, high)]
        while pending:
            lower, upper = pending.pop()
            self._steps -= 1
            if self._steps < 0:
                return None
            if not self._says_less(upper, lower):
                bound = self._top(upper)
                if self._top(lower) == bound:
                    continue
                if upper in declared and bound not in declared:
                    upper = bound
            if upper in met:
                if not self._identical(met[upper], lower, _DEPTH):
                    return None
                continue
            met[upper] = lower
            if self._declares(lower, upper) or self._declares(upper, lower):
                continue
            if signatures.get(lower, lower) != signatures.get(upper, upper):
                return None
            pending += reversed(list(zip(children[lower], children[upper], strict=True)))
        return met

    def _identical(self, one: int, other: int, depth: int) -> bool:
        """Tell whether types are alike and refer to the same types: compilers write some twice."""
        if one == other:
            return True
        self._steps -= 1
        signature = self._signatures.get(one)
        if (
            self._steps < 0
            or not depth
            or signature is None
            or signature != self._signatures.get(other)
        ):
            return False
        pairs = zip(self._children[one], self._children[other], strict=True)
        if self._kinds.get(one) in COMPOSITES:
            return all(self._identical(*pair, depth - 1) for pair in pairs)
        return self._kinds[one] == BTF_KIND_ARRAY and all(a == b for a, b in pairs)

    def _declares(self, one: int, other: int) -> bool:
        return one in self._declared and self._declared[one] == self._defined.get(other)

    def _says_less(self, upper: int, lower: int) -> bool:
        """Tell whether a base declares what is defined on top of it: it cannot stand for that."""
        return upper < self._start_id and upper in self._declared and lower not in self._declared

    def _bind(self, met: Mapping[int, int]) -> None:
        for upper, lower in met.items():
            one, other = self._top(lower), self._top(upper)
            if other in self._declared and one not in self._declared:
                self._map[other] = one

    def _merge(self, met: Mapping[int, int]) -> None:
        mapped, declared = self._map, self._declared
        self._bind(met)
        for upper, lower in met.items():
            one, other = self._top(lower), self._top(upper)
            if one in declared:
                if other not in declared:
                    mapped[one] = other
            elif (
                one not in mapped
                and other in mapped
                and self._kinds.get(one) in COMPOSITES
                and lower not in declared
            ):
                mapped[one] = other


class _Candidates:
    """Types that stand for themselves, by signature, in the order of libbpf's hash table.

    A table of chains: what is added comes first; the table has three entries for four chains, and
    each time it grows by half of its chains, all chains are turned round.
    """

    def __init__(self) -> None:
        self._size = 0
        self._chains = 0
        self._turns = 0
        self._by_signature: dict[Hashable, tuple[int, list[int]]] = {}

    def skip(self, count: int) -> None:
        """Make as if so many types of other signatures had been added."""
        for _ in range(count):
            self._size += 1
            if self._size * 4 // 3 > self._chains:
                self._chains = max(2 * self._chains, 4)
                self._turns += 1

    def add(self, signature: Hashable, node: int) -> None:
        self.skip(1)
        self._by_signature[signature] = self._turns, [node, *self.of(signature)]

    def of(self, signature: Hashable) -> Sequence[int]:
        turns, chain = self._by_signature.get(signature, (0, []))
        return chain if (self._turns - turns) % 2 == 0 else chain[::-1]
