"""Maps of maps: under each key there is a map, whose type all of them share."""

from __future__ import annotations

import errno as _errno
from sys import byteorder

from ..errors import BpfError, SyscallError
from ..sys import bpf
from ..sys.fd import LooseFd
from ..uapi import const as k
from .base import Map, map_class
from .slots import Handle, SlotMapping, descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from ..spec import MapSpec
    from ..sys.fd import Fd

    K = TypeVar("K")
    M = TypeVar("M", bound=Map)
else:
    K = M = tuple

__all__ = ["ArrayOfMaps", "HashOfMaps", "MapOfMaps"]

#: What a map must have in common with the definition, and the kernel's names of it.
_COMPARED = ("type", "key_size", "value_size", "map_flags")
#: Types that must agree in max_entries, unless they have BPF_F_INNER_MAP.
_SIZED = (k.BPF_MAP_TYPE_ARRAY, k.BPF_MAP_TYPE_XSKMAP)

_HINTS = {_errno.EBADF: "That is no descriptor of a map"}


class MapOfMaps(SlotMapping[K, "M | int", M]):
    """A map of maps as a mapping to the maps in it; see `ArrayOfMaps` and `HashOfMaps`.

    Assign a map, or the descriptor of one. Reading opens it by its id, which takes CAP_SYS_ADMIN:
    each time a new object of the inner class with a descriptor of its own, which closes when it is
    dropped. So `outer[key][inner_key] = value` does what it says, and who works with the map for
    longer keeps `inner = outer[key]`.

    The maps in it must be like the definition that the outer map was created with in type, sizes of
    keys and values, flags and special fields (locks, timers); arrays also in `max_entries`, unless
    they are `BPF_F_INNER_MAP` (since v5.10).

    Attributes:
        inner: that definition, None if it is not known: the map was opened from a pin. It may be
            set then, for `create_inner`.
    """

    __slots__ = ("_btf", "_inner_types", "inner")

    HINTS = _HINTS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The class of the maps in it, and the types of their keys and values.
        self._inner_types: tuple[Any, Any, Any] | None = kwargs.pop("value", None)
        super().__init__(*args, **kwargs)
        self._btf: Fd | None = None
        self.inner: MapSpec | None = None

    def define_inner(self, inner: MapSpec | Handle | None, btf: Fd | None) -> None:
        """Say what the maps in it are like; load does.

        Args:
            inner: a definition, or a map in the kernel that is the pattern.
            btf: the types of the object, of which this takes a duplicate.
        """
        from ..spec import MapSpec

        if isinstance(inner, MapSpec):
            self.inner = inner.copy()
            if btf is not None and (inner.key_type_id or inner.value_type_id):
                self._btf = btf.dup()
        elif inner is not None:
            what = f"read the pattern of the maps in map {self.name!r}"
            info = bpf.map_get_info_by_fd(descriptor(inner), what=what)
            self.inner = MapSpec(
                f"{self.name}.inner",
                info.type,
                key_size=info.key_size,
                value_size=info.value_size,
                max_entries=info.max_entries,
                map_flags=info.map_flags,
                map_extra=info.map_extra,
            )

    def create_inner(self, *, name: str = "", max_entries: int | None = None) -> M:
        """Create a map by the inner definition; it is the caller's to put in and to close.

        The outer map holds what is in it: `with outer.create_inner() as inner: outer[key] = inner`.

        Args:
            name: what the kernel is to call it, at most 15 bytes; the outer map's name without one.
            max_entries: in place of the definition's.

        Raises:
            BpfError: the definition is not known; set `inner`.
            SyscallError: BPF_MAP_CREATE failed.
        """
        definition = self.inner
        if definition is None:
            raise BpfError(
                f"map {self.name!r}: what the maps in it are like is not known of a map that was"
                " opened; set its `inner` to a MapSpec"
            )
        fd = bpf.map_create(
            map_type=definition.map_type,
            key_size=definition.key_size,
            value_size=definition.value_size,
            max_entries=definition.max_entries if max_entries is None else max_entries,
            map_flags=definition.map_flags,
            numa_node=definition.numa_node,
            map_name=name or self.name[:15],
            map_extra=definition.map_extra,
            btf_fd=0 if self._btf is None else self._btf.fileno(),
            btf_key_type_id=0 if self._btf is None else definition.key_type_id,
            btf_value_type_id=0 if self._btf is None else definition.value_type_id,
            what=f"create a map to be in map {self.name!r}",
        )
        return self._made(fd)

    def insert(self, key: K, flags: int = 0, *, max_entries: int | None = None) -> M:
        """Create a map by the inner definition, put it under a key, and return it.

        Args:
            flags: as of `update`: `BPF_NOEXIST` only where nothing is yet.

        Raises:
            KeyExistsError: `BPF_NOEXIST`, and there is a map.
        """
        with self.create_inner(max_entries=max_entries) as inner:
            self.update(key, inner, flags)
            return self._made(LooseFd.of(inner._fd.dup()))

    def ids(self) -> dict[K, int]:
        """Return the kernel's ids of the maps, by key; it takes no privilege beyond the map's."""
        return {key: int.from_bytes(raw, byteorder) for key, raw in self._found()}

    def close(self) -> None:
        """Close the descriptor; the maps in it stay as long as the outer map is held."""
        btf, self._btf = self._btf, None
        if btf is not None:
            btf.close()
        super().close()

    def _read(self, raw: bytes) -> M:
        return self._made(LooseFd.of(bpf.map_get_fd_by_id(int.from_bytes(raw, byteorder))))

    def _made(self, fd: Fd) -> M:
        """Return a map that is in the kernel, of the inner class."""
        cls, key, value = self._inner_types or (Map, None, None)
        try:
            info = bpf.map_get_info_by_fd(fd.fileno(), what=f"open a map in map {self.name!r}")
            made: Any = map_class(cls, info.type, info.value_size)._of(fd, info, key, value)
        except BaseException:
            fd.close()
            raise
        return made  # type: ignore[no-any-return]

    def _put(self, key: K, value: bytes, what: str, flags: int) -> None:
        try:
            super()._put(key, value, what, flags)
        except SyscallError as error:
            if error.errno != _errno.EINVAL:
                raise
            number = int.from_bytes(value, byteorder)
            raise SyscallError(
                error.errno, error.command, error.what, self._differences(number)
            ) from error

    def _differences(self, number: int) -> str:
        """Say why the kernel does not take a map, as far as it can be seen."""
        inner = self.inner
        if inner is None:
            return "It must be like the maps in it: of their type, sizes and flags"
        try:
            info = bpf.map_get_info_by_fd(number)
        except SyscallError:
            return "That is no descriptor of a map"
        wanted = [inner.map_type, inner.key_size, inner.value_size, inner.map_flags]
        pairs = list(
            zip(_COMPARED, [getattr(info, name) for name in _COMPARED], wanted, strict=True)
        )
        if info.type in _SIZED and not inner.map_flags & k.BPF_F_INNER_MAP:
            pairs.append(("max_entries", info.max_entries, inner.max_entries))
        found = [f"its {name} is {has}, not {want}" for name, has, want in pairs if has != want]
        if not found:
            return "Special fields of the values (locks, timers, kptrs) differ, or the flags"
        return f"It is not like the definition of the maps in it: {', '.join(found)}"


class ArrayOfMaps(MapOfMaps[int, M]):
    """An array of maps, as a mapping of the indices in use.

    Kernel: BPF_MAP_TYPE_ARRAY_OF_MAPS, since v4.12; reading since v4.14.
    """

    __slots__ = ()

    TYPES = ARRAYS = (k.BPF_MAP_TYPE_ARRAY_OF_MAPS,)


class HashOfMaps(MapOfMaps[K, M]):
    """Maps by keys of the object's own.

    Kernel: BPF_MAP_TYPE_HASH_OF_MAPS, since v4.12; reading since v4.14.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_HASH_OF_MAPS,)
    NUMBERED = False
