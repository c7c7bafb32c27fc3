"""What all maps in the kernel have in common."""

from __future__ import annotations

import os
from errno import EPERM

from ..errors import BpfError, SyscallError
from ..sys import bpf
from ..values import as_ctype, byte_array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, TypeAlias, TypeVar

    from typing_extensions import Self

    from ..spec import MapSpec
    from ..sys.fd import Fd
    from ..uapi.attr import MapInfo
    from ..uapi.enums import MapType
    from ..values import CType

    _Raised = type[BaseException]  # in the class, `type` is its property

    T = TypeVar("T")

    #: What `open_pinned` and `open_id` take: a path, and a type of keys or values. Classes with
    #: type parameters declare the two again with variables of their own: pyright infers no others.
    Path: TypeAlias = str | os.PathLike[str]
    Of: TypeAlias = CType[T] | type[T] | None

__all__ = ["Map", "open_map"]


class Map:
    """A map in the kernel, from its creation until `close`.

    Kernel: struct bpf_map.

    Args:
        fd: the map's descriptor, which belongs to this object from now on.
        key, value: the types of its keys and values; None for bytes.

    Attributes:
        name: the C variable's name, which may be longer than the kernel's 15 bytes.
        map_type: `BPF_MAP_TYPE_*`.
        key_size, value_size: bytes.
        max_entries: elements; bytes for a ring buffer.
        map_flags: `BPF_F_*` of the map's creation.
        key_type, value_type: how keys and values are decoded.
    """

    __slots__ = (
        "__weakref__",
        "_fd",
        "_pin_path",
        "key_size",
        "key_type",
        "map_flags",
        "map_type",
        "max_entries",
        "name",
        "value_size",
        "value_type",
    )

    def __init__(
        self,
        fd: Fd,
        *,
        name: str,
        map_type: int,
        key_size: int,
        value_size: int,
        max_entries: int,
        map_flags: int = 0,
        key: CType[Any] | type[Any] | None = None,
        value: CType[Any] | type[Any] | None = None,
    ) -> None:
        self._fd = fd
        self._pin_path: str | None = None
        self.name = name
        self.map_type = map_type
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.map_flags = map_flags
        self.key_type: CType[Any] = byte_array(key_size) if key is None else as_ctype(key)
        self.value_type: CType[Any] = byte_array(value_size) if value is None else as_ctype(value)

    @classmethod
    def open_pinned(
        cls,
        path: str | os.PathLike[str],
        *,
        key: CType[Any] | type[Any] | None = None,
        value: CType[Any] | type[Any] | None = None,
    ) -> Self:
        """Open a map by the file that it is pinned as.

        Where the kernel knows the map's types (it was created with BTF), `key` and `value` are held
        against them.

        Raises:
            BpfError: it is no map, not of this class's type, or its keys or values are laid out
                otherwise; the message tells the fields.
            SyscallError: BPF_OBJ_GET failed, e.g. ENOENT.
        """
        shown = os.fsdecode(path)
        what = f"open pinned map {shown!r}"
        opened = cls._opened(bpf.obj_get(pathname=path, what=what), what, key, value)
        opened._pin_path = shown
        return opened

    @classmethod
    def open_id(
        cls,
        id: int,
        *,
        key: CType[Any] | type[Any] | None = None,
        value: CType[Any] | type[Any] | None = None,
    ) -> Self:
        """Open a map by its id, `info().id`; otherwise like `open_pinned`.

        Raises:
            BpfError: as of `open_pinned`.
            SyscallError: BPF_MAP_GET_FD_BY_ID failed: ENOENT if there is none, EPERM without
                CAP_SYS_ADMIN.

        Kernel: BPF_MAP_GET_FD_BY_ID, since v4.13.
        """
        return cls._opened(bpf.map_get_fd_by_id(id), f"open map id {id}", key, value)

    @classmethod
    def _opened(cls, fd: Fd, what: str, key: Any, value: Any) -> Self:
        try:
            info = bpf.map_get_info_by_fd(fd.fileno(), what=what)
            name = info.name.decode(errors="replace")
            if info.btf_id:
                _check_layout(what, name, info, key, value)
            return cls._of(fd, info, key, value)
        except BaseException:
            fd.close()
            raise

    @classmethod
    def _of(cls, fd: Fd, info: MapInfo, key: Any, value: Any) -> Self:
        """Return the map that the kernel has told of."""
        return cls(
            fd,
            name=info.name.decode(errors="replace"),
            map_type=info.type,
            key_size=info.key_size,
            value_size=info.value_size,
            max_entries=info.max_entries,
            map_flags=info.map_flags,
            key=key,
            value=value,
        )

    def _check(self, types: tuple[int, ...]) -> None:
        """Refuse a map of another type, or whose sizes are not those of its key and value types."""
        if self.map_type not in types:
            raise BpfError(
                f"map {self.name!r} cannot be of class {type(self).__name__}:"
                f" its type is {self.type!r}"
            )
        for what, ctype, size in (
            ("keys", self.key_type, self.key_size),
            ("values", self.value_type, self.value_size),
        ):
            if ctype.size != size:
                raise BpfError(
                    f"map {self.name!r} has {what} of {size} bytes, {ctype.c_name} has {ctype.size}"
                )

    @property
    def type(self) -> MapType | int:
        """The type as `MapType`; the plain number where this version does not know it."""
        from ..uapi.enums import MapType

        try:
            return MapType(self.map_type)
        except ValueError:
            return self.map_type

    @property
    def closed(self) -> bool:
        """Whether the map was closed."""
        return self._fd.closed

    @property
    def pin_path(self) -> str | None:
        """The file that keeps the map, None if it is not pinned as far as this object knows."""
        return self._pin_path

    def fileno(self) -> int:
        """Return the descriptor, which stays the map's.

        Raises:
            ClosedError: the map was closed.
        """
        return self._fd.fileno()

    def info(self) -> MapInfo:
        """Ask the kernel what the map is.

        Kernel: struct bpf_map_info, since v4.13.
        """
        return bpf.map_get_info_by_fd(self.fileno(), what=f"get info of map {self.name!r}")

    def freeze(self) -> None:
        """Make the map read-only for system calls, for good; programs may still write it.

        Kernel: BPF_MAP_FREEZE, since v5.2.
        """
        bpf.map_freeze(self.fileno(), what=f"freeze map {self.name!r}")

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Let a file on the BPF file system hold the map, so that it outlives this process.

        Raises:
            BpfError: it is pinned already.
            SyscallError: BPF_OBJ_PIN failed, e.g. EEXIST, or EPERM outside a BPF file system.
        """
        from ..sys.pins import pin

        self._pin_path = pin(self.fileno(), path, self._pin_path, f"map {self.name!r}")

    def unpin(self) -> None:
        """Remove the file that `pin` made, or that the map was opened from.

        Raises:
            BpfError: the map is not pinned.
            SyscallError: the file cannot be removed, e.g. ENOENT if someone else did.
        """
        from ..sys.pins import unpin

        unpin(self._pin_path, f"map {self.name!r}")
        self._pin_path = None

    def close(self) -> None:
        """Close the descriptor; do nothing if that is done already.

        The map itself goes with its last holder: descriptors, programs, pins.
        """
        self._fd.close()

    def __enter__(self) -> Self:
        self.fileno()
        return self

    def __exit__(
        self,
        kind: _Raised | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._fd.closed else f"fd {self._fd.fileno()}"
        return f"<{type(self).__name__} {self.name!r}: {state}>"


def _check_layout(what: str, name: str, info: MapInfo, key: Any, value: Any) -> None:
    """Refuse a map whose BTF says that its keys or values are not what is expected of them."""
    types = (("key", key, info.btf_key_type_id), ("value", value, info.btf_value_type_id))
    known = [(side, as_ctype(ctype), id) for side, ctype, id in types if ctype is not None and id]
    if not known:
        return
    from ..btf.compare import differences
    from ..btf.kernel import loaded_btf

    try:
        btf = loaded_btf(info.btf_id)
    except SyscallError as error:
        if error.errno != EPERM:
            raise
        return  # one may open the map and yet not see its types: sizes must do
    lines = [line for side, ctype, id in known for line in differences(ctype, btf, id, side)]
    if lines:
        raise BpfError(
            f"{what}: the keys or values of map {name!r} are not laid out as expected (generate"
            " the skeleton from the object that made the map):\n  " + "\n  ".join(lines)
        )


def open_map(fd: Fd, spec: MapSpec) -> Map:
    """Return the live map of a spec: of the class that it is bound to, else of one by its type.

    The descriptor is the map's from now on, and closed if there cannot be one.

    Raises:
        BpfError: the spec was changed into something that is not of the class it is bound to.
    """
    bound, key, value = spec.binding or (Map, None, None)
    cls = Map if spec.is_data else map_class(bound, spec.map_type, spec.value_size)
    try:
        live: Map = cls(
            fd,
            name=spec.name,
            map_type=spec.map_type,
            key_size=spec.key_size,
            value_size=spec.value_size,
            max_entries=spec.max_entries,
            map_flags=spec.map_flags,
            key=key,
            value=value,
        )
    except BaseException:
        fd.close()
        raise
    return live


def map_class(bound: type[Map] | str, map_type: int, value_size: int) -> type[Map]:
    """Return the class that a map is bound to, perhaps by name; for `Map` that of its type."""
    if isinstance(bound, str):
        bound = _import(bound)
    if bound is not Map:
        return bound
    from ..map_classes import class_of

    return _import(class_of(map_type, value_size).home)


def _import(path: str) -> type[Map]:
    """Return a class by its name in this package, `module.Name`."""
    module, _, name = path.rpartition(".")
    cls: type[Map] = getattr(__import__(module, globals(), None, [name], 2), name)
    return cls
