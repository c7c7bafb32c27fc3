"""Source text of compiled codecs, and the caches that it uses."""

from __future__ import annotations

from .text import CharArray

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["TEXTS", "Source", "enum_cache"]


class Source:
    """Source text of one function in the making, and the objects that it refers to."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.lines: list[str] = []
        self.indent = ""
        self.names: dict[str, Any] = {}
        self._count = 0

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def var(self) -> str:
        """Return a fresh variable."""
        self._count += 1
        return f"v{self._count}"

    def bind(self, value: object) -> str:
        """Return a global name of an object."""
        for name, known in self.names.items():
            if known is value:
                return name
        name = f"g{len(self.names)}"
        self.names[name] = value
        return name

    def compile(self, name: str) -> Any:
        exec(compile("\n".join(self.lines), f"<bpfgen {self.title}>", "exec"), self.names)
        return self.names[name]


class Cache(dict):  # type: ignore[type-arg]
    """Values made before, by what they were made of; emptied when it has grown large."""

    LIMIT = 4096

    __slots__ = ("make",)

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make

    def __missing__(self, key: Any) -> Any:
        value = self.make(key)
        if len(self) >= self.LIMIT:
            self.clear()
        self[key] = value
        return value


#: Short texts by their bytes.
TEXTS = Cache(CharArray)

_ENUMS: dict[type[Any], Cache] = {}


def enum_cache(enum: type[Any]) -> Cache:
    """Return the members of an enum by number; those without a name come and go."""
    cache = _ENUMS.get(enum)
    if cache is None:
        cache = _ENUMS[enum] = Cache(enum)
    return cache
