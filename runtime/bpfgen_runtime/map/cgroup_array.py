"""Arrays of cgroups: what `bpf_current_task_under_cgroup` and others compare with."""

from __future__ import annotations

import errno as _errno
import os

from ..uapi import const as k
from .slots import HandleOrPath, SlotMap, shown, with_opened

__all__ = ["CgroupArray"]

_HINTS = {_errno.EBADF: "That is no directory of cgroup version 2: see `mount -t cgroup2`"}


class CgroupArray(SlotMap[int, HandleOrPath]):
    """An array of cgroups of version 2, by index.

    Assign a cgroup's directory, by its path or an open descriptor. The kernel does not tell what is
    in the array: slots can be set and deleted, not read.

    Kernel: BPF_MAP_TYPE_CGROUP_ARRAY, since v4.8.
    """

    __slots__ = ()

    TYPES = ARRAYS = (k.BPF_MAP_TYPE_CGROUP_ARRAY,)
    HINTS = _HINTS

    def update(self, key: int, value: HandleOrPath, flags: int = 0) -> None:
        """Put a cgroup into a slot, as assignment does.

        Args:
            value: its directory, e.g. `"/sys/fs/cgroup/user.slice"`, or an open descriptor of it.
            flags: 0; the kernel knows no others here.

        Raises:
            SyscallError: e.g. EBADF, no cgroup of version 2; E2BIG, no such slot.
        """
        what = f"put {shown(value)} into slot {key!r} of map {self.name!r}"
        with_opened(
            value,
            os.O_RDONLY | os.O_DIRECTORY,
            what,
            lambda number: self._put(key, self._raw(number), shown(value), flags),
        )
