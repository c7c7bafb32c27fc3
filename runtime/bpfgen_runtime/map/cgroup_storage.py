"""Storage of programs attached to cgroups: a value for each cgroup, made by the attachment."""

from __future__ import annotations

import os

# collections.abc itself would import all of collections: 2 ms at start-up.
from _collections_abc import Mapping

from ..sys.elem import MISSING
from ..uapi import const as k
from .element import ElementMap
from .percpu import PerCpu
from .slots import descriptor
from .views import PairItems, PairValues

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, ValuesView
    from typing import Any, TypeVar

    from .slots import HandleOrPath

    K = TypeVar("K")
    V = TypeVar("V")
else:
    K = V = tuple

__all__ = ["CgroupStorage", "PerCpuCgroupStorage", "cgroup_id"]


class CgroupStorage(ElementMap, Mapping[K, V]):
    """Values of cgroups that programs using the map are attached to, as a mapping.

    An attachment makes a cgroup's value and its end deletes it; from here values can be read and
    set. Keys are `struct bpf_cgroup_storage_key` (cgroup and attach type), or `__u64` (the cgroup
    alone, since v5.9), as the object has it; `cgroup_id` gives a cgroup's number.

    Kernel: BPF_MAP_TYPE_CGROUP_STORAGE, since v4.19; see also `CgrpStorage`, since v6.2.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_CGROUP_STORAGE,)

    def __getitem__(self, key: K) -> V:
        value = self._find(key)
        if value is MISSING:
            raise self._missing(key)
        return value  # type: ignore[no-any-return]

    def __setitem__(self, key: K, value: V) -> None:
        self.update(key, value)

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not MISSING

    def __iter__(self) -> Iterator[K]:
        return (key for key, _ in self._pairs())

    def __len__(self) -> int:
        return sum([1 for _ in self._pairs()])

    # `Mapping` would compare contents.
    __eq__ = ElementMap.__eq__
    __hash__ = ElementMap.__hash__

    def items(self) -> ItemsView[K, V]:
        """Return a view of the keys with their values."""
        return PairItems(self)

    def values(self) -> ValuesView[V]:
        """Return a view of the values."""
        return PairValues(self)

    def lookup(self, key: K, flags: int = 0) -> V:
        """Return a cgroup's value, as `[]` does; with flags, such as `BPF_F_LOCK`.

        Raises:
            KeyMissingError: no program with this map is attached to the cgroup.
        """
        return self._lookup(key, flags)  # type: ignore[no-any-return]

    def update(self, key: K, value: V, flags: int = 0) -> None:
        """Set a cgroup's value, as assignment does; with flags, such as `BPF_F_LOCK`.

        Raises:
            KeyMissingError: no program with this map is attached to the cgroup.
        """
        self._update(key, value, flags)


class PerCpuCgroupStorage(CgroupStorage[K, "tuple[V, ...]"]):
    """The same with a tuple of values, one for each possible CPU.

    Kernel: BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, since v4.20.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.value_type = PerCpu(self.value_type)


def cgroup_id(cgroup: HandleOrPath) -> int:
    """Return a cgroup's number, the `cgroup_inode_id` of keys: its directory's inode.

    Args:
        cgroup: its directory, or a descriptor of that.

    Raises:
        OSError: there is no such directory.
    """
    if isinstance(cgroup, (str, os.PathLike)):
        return os.stat(cgroup).st_ino
    return os.stat(descriptor(cgroup)).st_ino
