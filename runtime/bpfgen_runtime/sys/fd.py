"""Owned file descriptors."""

from __future__ import annotations

import os
import sys

from ..errors import ClosedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Fd", "LooseFd"]


class Fd:
    """Own one file descriptor and close it once.

    Numbers below 3 are moved out of the way: BPF reads descriptor 0 as "none" in many fields, and a
    process whose standard streams are closed gets exactly these numbers.

    Args:
        number: an open descriptor, which belongs to this object from now on.
        what: what it is, for messages, e.g. `"map 'counts'"`.
    """

    __slots__ = ("_number", "what")

    def __init__(self, number: int, what: str = "file descriptor") -> None:
        self._number = number if number > 2 else _move_up(number)
        self.what = what

    def fileno(self) -> int:
        """Return the descriptor's number, which stays owned by this object.

        Raises:
            ClosedError: it is closed, or was released.
        """
        if self._number < 0:
            raise ClosedError(f"{self.what} is closed")
        return self._number

    @property
    def closed(self) -> bool:
        """Whether there is no descriptor any more."""
        return self._number < 0

    def close(self) -> None:
        """Close the descriptor; do nothing if that is done already."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    def release(self) -> int:
        """Hand the descriptor over: return its number, which the caller must close."""
        number = self.fileno()
        self._number = -1
        return number

    def dup(self) -> Fd:
        """Return a second descriptor (close-on-exec) for the same kernel object."""
        return Fd(os.dup(self.fileno()), self.what)

    def __enter__(self) -> Self:
        self.fileno()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # __init__ may have failed before there was a number.
        if getattr(self, "_number", -1) < 0:
            return
        if not sys.is_finalizing():  # nothing can be imported any more then
            import warnings

            message = f"unclosed {self.what} (fd {self._number})"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._number < 0 else f"fd {self._number}"
        return f"<{type(self).__name__} {self.what}: {state}>"


class LooseFd(Fd):
    """One that may be dropped: it closes without a warning when nothing refers to it any more.

    For what is opened by reading, such as the map in a slot of another one, and mostly used in the
    same expression.
    """

    __slots__ = ()

    @classmethod
    def of(cls, owned: Fd) -> Self:
        """Take a descriptor over from its owner."""
        return cls(owned.release(), owned.what)

    def __del__(self) -> None:
        if getattr(self, "_number", -1) >= 0:
            self.close()


def _move_up(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is no file descriptor")
    import fcntl

    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(number)
