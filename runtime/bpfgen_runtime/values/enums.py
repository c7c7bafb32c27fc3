"""C enums. Imported only by modules that have one: `enum` costs 3 ms at start-up."""

from __future__ import annotations

from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["CEnum"]


class CEnum(IntEnum):
    """An enum of C: any value is representable, named or not.

    C (and a newer kernel) may store a value that is no enumerator. It becomes a member without a
    name, equal to its `int`, and survives a round trip; `is_named` tells the two apart. Unnamed
    members are not kept, so compare them by `==`, not by `is`.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = ""
        member._value_ = int(value)
        return member

    @property
    def is_named(self) -> bool:
        """Whether the value is one of the enumerators."""
        return bool(self._name_)

    def __repr__(self) -> str:
        name = f".{self._name_}" if self._name_ else ""
        return f"<{type(self).__name__}{name}: {self._value_}>"

    # As in IntEnum since Python 3.11; 3.10 printed the name in one and the number in the other.
    __str__ = int.__repr__
    __format__ = int.__format__  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return type(self), (self._value_,)
