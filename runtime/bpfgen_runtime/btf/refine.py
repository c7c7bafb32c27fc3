"""Which nodes of a graph cannot be told apart: classes of nodes, split until nothing splits them.

The nodes that a node points at are ordered: each edge has a position. Two nodes stay in one class
if they began in one, and if at each position both point into the same class, or both at nothing.

Hopcroft's algorithm: a class that was split asks to look only at its smaller parts again, so that a
node is looked at no more often than the logarithm of their number.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

_MASK = 0xFFFFFFFF


class Partition:
    """Classes of nodes; nodes are numbers below 2**32.

    Attributes:
        class_of: the number of each node's class.
        members: the nodes of each class, by its number.
        moved: nodes that came into another class since this list was last cleared.
    """

    def __init__(self, keys: Mapping[int, Hashable]) -> None:
        """Put nodes with equal keys into one class."""
        numbers: dict[Hashable, int] = {}
        self.class_of = {node: numbers.setdefault(key, len(numbers)) for node, key in keys.items()}
        self.members: list[set[int]] = [set() for _ in numbers]
        for node, number in self.class_of.items():
            self.members[number].add(node)
        self.moved: list[int] = []
        self._incoming: dict[int, list[int]] = {}

    def connect(self, node: int, position: int, target: int) -> None:
        """Let a node point at another; counts at the next `refine` of the target's class."""
        self._incoming.setdefault(target, []).append(position << 32 | node)

    def refine(self, classes: Iterable[int]) -> None:
        """Split until nothing changes, beginning with what points into the given classes.

        Args:
            classes: all at first; later those that edges were added to.
        """
        pending = dict.fromkeys(classes)
        class_of, members, incoming = self.class_of, self.members, self._incoming
        while pending:
            splitter, _ = pending.popitem()
            hits: dict[int, list[int]] = {}
            for node in members[splitter]:
                for edge in incoming.get(node, ()):
                    source = edge & _MASK
                    if len(members[class_of[source]]) > 1:
                        hits.setdefault(source, []).append(edge >> 32)
            parts: dict[int, dict[Hashable, list[int]]] = {}
            for source, positions in hits.items():
                key = positions[0] if len(positions) == 1 else tuple(sorted(positions))
                parts.setdefault(class_of[source], {}).setdefault(key, []).append(source)
            for number, by_key in parts.items():
                self._split(number, list(by_key.values()), pending)

    def _split(self, number: int, parts: list[list[int]], pending: dict[int, None]) -> None:
        """Make parts of a class, and what is left of it, classes of their own; one stays."""
        nodes = self.members[number]
        left = len(nodes) - sum(map(len, parts))
        if not left and len(parts) == 1:
            return
        largest = max(parts, key=len)
        if len(largest) > left:
            if left:
                parts.append(list(nodes.difference(*parts)))
            parts.remove(largest)
        for part in parts:
            new = len(self.members)
            self.members.append(set(part))
            nodes.difference_update(part)
            for node in part:
                self.class_of[node] = new
            self.moved += part
            pending[new] = None
