"""struct_ops: a struct of functions registered with the kernel, e.g. a congestion control."""

from __future__ import annotations

import errno
import os

from ..errors import ClosedError, NotSupportedError, SyscallError
from ..map import Map
from ..sys import bpf
from ..sys.fd import Fd
from ..uapi import const as k
from .base import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["StructOpsLink", "StructOpsMap"]

_KEY = bytes(4)


class StructOpsMap(Map):
    """A map of type `BPF_MAP_TYPE_STRUCT_OPS`: one struct, in use by the kernel while attached.

    Kernel: struct bpf_struct_ops_map, since v5.6.

    Attributes:
        value: the kernel's struct with the programs' descriptors in it, as `attach` hands it over.
    """

    __slots__ = ("_links", "value")

    def __init__(self, fd: Fd, **fields: Any) -> None:
        super().__init__(fd, **fields)
        self._links: list[StructOpsLink] = []
        self.value = b""

    @property
    def links(self) -> tuple[StructOpsLink, ...]:
        """The links that register the struct and close with the map."""
        return tuple(self._links)

    def attach(self) -> StructOpsLink:
        """Register the struct with the kernel, as libbpf's `bpf_map__attach_struct_ops` does.

        Kernel: `BPF_MAP_UPDATE_ELEM`, since v5.6; for `SEC(".struct_ops.link")` also
        `BPF_LINK_CREATE`, since v6.4.

        Raises:
            SyscallError: e.g. EEXIST, one of that name is registered already; EBUSY, the map is
                in use; EINVAL, a function that the kernel needs is missing.
        """
        what = f"attach struct_ops map {self.name!r}"
        number = self.fileno()
        is_link = bool(self.map_flags & k.BPF_F_LINK)
        try:
            bpf.map_update_elem(map_fd=number, key=_KEY, value=self.value, what=what)
        except SyscallError as error:
            # A map whose value was set before, by an earlier link, keeps it.
            if not is_link or error.errno != errno.EBUSY:
                raise
        if is_link:
            fd = bpf.link_create(map_fd=number, attach_type=k.BPF_STRUCT_OPS, what=what)
        else:
            fd = self._fd.dup()
        link = StructOpsLink(fd)
        link._map, link._is_link = self, is_link
        self._links.append(link)
        return link

    def disown(self, link: StructOpsLink) -> None:
        """Forget a link that is destroyed; links call this themselves."""
        self._links = [known for known in self._links if known is not link]

    def close(self) -> None:
        """Destroy the map's links and close its descriptor; do nothing if that is done already."""
        try:
            for link in self._links[::-1]:
                link.destroy()
        finally:
            super().close()


class StructOpsLink(Link):
    """A struct registered with the kernel, until `destroy`.

    For a map of `SEC(".struct_ops")` there is no link in the kernel: the map itself is registered,
    stays so when the process ends, and cannot be pinned as a link.
    """

    __slots__ = ("_is_link", "_map")

    LINK_TYPES = (k.BPF_LINK_TYPE_STRUCT_OPS,)

    def __init__(self, fd: Fd, program: None = None) -> None:
        super().__init__(fd, program)
        self._map: StructOpsMap | None = None
        self._is_link = True

    @property
    def map(self) -> StructOpsMap | None:
        """The map that this registers; None for a link opened from a file, or destroyed."""
        return self._map

    def update(self, new: StructOpsMap) -> None:
        """Put another struct in the place of the registered one, without a moment in between.

        Kernel: `BPF_LINK_UPDATE` of struct_ops links, since v6.4.

        Raises:
            NotSupportedError: the registered map is none of `SEC(".struct_ops.link")`.
            SyscallError: e.g. EINVAL, the new struct has another name.
        """
        what = f"put struct_ops map {new.name!r} in the place of {self._what()}"
        if not self._is_link:
            raise NotSupportedError(what, 'Use SEC(".struct_ops.link")')
        try:
            bpf.map_update_elem(map_fd=new.fileno(), key=_KEY, value=new.value, what=what)
        except SyscallError as error:
            if error.errno != errno.EBUSY:
                raise
        bpf.link_update(link_fd=self.fileno(), new_prog_fd=new.fileno(), what=what)
        if self._map is not None:
            self._map.disown(self)
        self._map = new
        new._links.append(self)

    def detach(self) -> None:
        """Take the struct back from the kernel; what uses it now, e.g. a socket, goes on with it.

        Kernel: `BPF_LINK_DETACH` of struct_ops links, since v6.11; before, destroys the link.
        """
        if self._is_link:
            super().detach()
        else:
            self.destroy()

    def destroy(self) -> None:
        """Take the struct back and let go of it; do nothing if that is done already."""
        fd, is_link = self._fd, self._is_link
        if fd is not None and self._map is not None:
            self._map.disown(self)
        what = f"detach {self._what()}"
        self._map = None
        if fd is None or is_link or not self._connected:
            super().destroy()
            return
        try:
            bpf.map_delete_elem(map_fd=fd.fileno(), key=_KEY, what=what)
        except SyscallError as error:
            if error.errno not in (errno.ENOENT, errno.EINPROGRESS):  # someone else did it
                raise
        finally:
            super().destroy()

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Let a file on the BPF file system hold the link, so that it outlives this process.

        Raises:
            NotSupportedError: there is no link; see the class.
        """
        if self._fd is None:
            raise ClosedError(f"{self._what()} is destroyed")
        if not self._is_link:
            raise NotSupportedError(f"pinning {self._what()}", 'Use SEC(".struct_ops.link")')
        super().pin(path)

    def _what(self) -> str:
        name = "" if self._map is None else f" of map {self._map.name!r}"
        return f"{type(self).__name__}{name}"
