"""epoll(7), for those who wait for several buffers at once."""

from __future__ import annotations

import select

from ..errors import ClosedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Epoll"]


class Epoll:
    """Wait until one of several descriptors can be read; each stands for a key of the caller's.

    The descriptors stay the caller's: remove one before it is closed.
    """

    __slots__ = ("_epoll", "_keys")

    def __init__(self) -> None:
        self._epoll = select.epoll()  # close-on-exec
        self._keys: dict[int, int] = {}

    def add(self, fd: int, key: int) -> None:
        """Wait for `fd`, too."""
        self._open().register(fd, select.EPOLLIN)
        self._keys[fd] = key

    def remove(self, fd: int) -> None:
        """Do not wait for `fd` any more."""
        self._open().unregister(fd)
        del self._keys[fd]

    def wait(self, timeout: float | None = None) -> list[int]:
        """Return the keys of what can be read, at once if there is any; none after the timeout.

        A signal does not end the wait unless its handler raises.

        Args:
            timeout: seconds; None waits without end, 0 does not wait.
        """
        events = self._open().poll(-1 if timeout is None else timeout, max(len(self._keys), 1))
        return [self._keys[fd] for fd, _ in events]

    def fileno(self) -> int:
        """Return the epoll descriptor, itself readable when one of the others is."""
        return self._open().fileno()

    def close(self) -> None:
        """Close the epoll descriptor; do nothing if that is done already."""
        self._epoll.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> select.epoll:
        if self._epoll.closed:
            raise ClosedError("this epoll is closed")
        return self._epoll
