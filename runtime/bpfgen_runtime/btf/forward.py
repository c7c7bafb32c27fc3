"""Declarations of a name that has several definitions: which of them is meant, by what is around.

If a struct points at `struct x`, which is only declared there, and another one, the same but for
that, points at a definition of `struct x`, then the first says nothing that the second does not:
it is the second. That is what libbpf's comparison of type graphs finds (btf_dedup_is_equiv). Here
it is asked of types that are known to be different, so only where declarations are left.

A comparison goes through two graphs side by side. The lower one's declarations match any definition
of their name. The upper one's may be bound by it: each to one definition, from then on and
everywhere. Comparisons that need no binding go first, as they decide nothing for others.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    _Pair = tuple[int, int]

__all__ = ["Forwards"]

#: Pairs of types that are looked at, for each type and at least: what bounds the time.
_STEPS_PER_TYPE = 16
_STEPS = 4096


class Forwards:
    """One search for types that only say less than others.

    Args:
        signatures: what types must have in common, by their ids; equal types are there once.
        children: gives the types that one of these refers to.
        roots: structs, unions and typedefs, which may be merged: ids ascending.
        definitions: for each ambiguous declaration the definitions of its name.
        start_id: types below, those of a base, are never replaced.

    Attributes:
        merged: what says less, and what is to stand for it.
        bound: declarations and what each is bound to.
        seen: what a declaration has been compared with, where nothing had to be bound.
    """

    def __init__(
        self,
        signatures: Mapping[int, Hashable],
        children: Callable[[int], Sequence[int]],
        roots: Iterable[int],
        definitions: Mapping[int, set[int]],
        start_id: int,
    ) -> None:
        self.merged: dict[int, int] = {}
        self.bound: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self._signatures = signatures
        self._definitions = definitions
        self._start_id = start_id
        self._children = {node: children(node) for node in signatures}
        self._partial = self._reaching(definitions)
        self._different: set[_Pair] = set()
        self._steps = _STEPS + _STEPS_PER_TYPE * len(signatures)
        self._roots = set(roots)
        alike: dict[Hashable, list[int]] = {}
        for root in sorted(self._roots):
            alike.setdefault(signatures[root], []).append(root)
        groups = [each for each in alike.values() if not self._partial.isdisjoint(each)]
        self._search(groups, bind=False)
        if not self.merged:
            self._search(groups, bind=True)

    def _reaching(self, targets: Iterable[int]) -> set[int]:
        incoming: dict[int, list[int]] = {}
        for node, children in self._children.items():
            for child in children:
                incoming.setdefault(child, []).append(node)
        found = set(targets)
        pending = list(found)
        while pending:
            new = [node for node in incoming.get(pending.pop(), ()) if node not in found]
            found.update(new)
            pending += new
        return found

    def _search(self, groups: list[list[int]], *, bind: bool) -> None:
        for group in groups:
            for low in group:
                if low < self._start_id or low not in self._partial:
                    continue
                for high in group:
                    if low in self.merged or self._steps <= 0:
                        break
                    if self._top(high) != low:
                        self._compare(low, high, bind=bind)

    def _top(self, node: int) -> int:
        while node in self.merged:
            node = self.merged[node]
        return node

    def _compare(self, low: int, high: int, *, bind: bool) -> None:
        """Merge a type with another one, and those around it, if it says no more than that."""
        found: dict[_Pair, _Pair | None] = {(low, high): None}
        bound: dict[int, int] = {}
        seen: list[_Pair] = []
        pending = [(low, high)]
        while pending:
            pair = pending.pop()
            self._steps -= 1
            lower, upper = pair[0], self._top(pair[1])
            upper = self._top(bound.get(upper, self.bound.get(upper, upper)))
            if self._top(lower) == upper:
                continue
            if upper in self._definitions.get(lower, ()):
                seen.append((lower, upper))
            elif bind and lower in self._definitions.get(upper, ()):
                bound[upper] = lower
            elif self._steps > 0 and self._alike(lower, upper, bind=bind):
                for inner in zip(self._children[lower], self._children[upper], strict=True):
                    if inner not in found:
                        found[inner] = pair
                        pending.append(inner)
            else:
                self._fail(pair, found, bind=bind)
                return
        self.bound.update(bound)
        for lower, upper in seen:
            self.seen.setdefault(lower, upper)
        for lower, upper in found:
            upper = self._top(upper)
            if (
                lower in self._roots
                and lower >= self._start_id
                and lower not in self.merged
                and upper != lower
                and self._signatures.get(upper) == self._signatures[lower]
            ):
                self.merged[lower] = upper

    def _alike(self, lower: int, upper: int, *, bind: bool) -> bool:
        if not bind and ((lower, upper) in self._different or lower not in self._partial):
            return False
        signature = self._signatures.get(lower)
        return signature is not None and signature == self._signatures.get(upper)

    def _fail(self, pair: _Pair | None, found: dict[_Pair, _Pair | None], *, bind: bool) -> None:
        """Remember what led to a difference; what bindings led to holds for these only."""
        if not bind and self._steps > 0:
            while pair is not None:
                self._different.add(pair)
                pair = found[pair]
