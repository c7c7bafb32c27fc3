"""Local storage: values that belong to sockets, files, tasks and cgroups, and go with them."""

from __future__ import annotations

import errno as _errno
import os
from sys import byteorder

from ..errors import BpfError, KeyMissingError, SyscallError
from ..sys import bpf
from ..sys.call import failure
from ..sys.fd import Fd
from ..uapi import const as k
from ..values.ctype import placed
from .base import Map
from .slots import Handle, HandleOrPath, descriptor, shown, with_opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Generic, TypeVar, overload

    S = TypeVar("S")
    R = TypeVar("R")
    T = TypeVar("T")
    V = TypeVar("V")

    class _Generic(Generic[S, V]):
        __slots__ = ()

else:
    S = V = object

    class _Generic:
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


__all__ = ["CgrpStorage", "InodeStorage", "Pid", "SkStorage", "StorageMap", "TaskStorage"]


class Pid(int):
    """The number of a process or (since v6.9) of a thread: `storage[Pid(1234)]`.

    A plain number stands for a descriptor, as everywhere.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Pid({int(self)})"


class StorageMap(Map, _Generic[S, V]):
    """A map whose values `V` belong to kernel objects, told by descriptors and the like, `S`.

    An object has at most one value, which goes with it, or with the map. The kernel cannot tell
    which objects have one: there is no iteration but that of `iter/` programs.
    """

    __slots__ = ()

    TYPES: ClassVar[tuple[int, ...]] = ()
    #: What an object must be, for messages.
    OWNER: ClassVar[str] = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._check(self.TYPES)

    def __getitem__(self, owner: S) -> V:
        return self.lookup(owner)

    def __setitem__(self, owner: S, value: V) -> None:
        self.update(owner, value)

    def __delitem__(self, owner: S) -> None:
        self.delete(owner)

    def __contains__(self, owner: S) -> bool:
        return self._find(owner, 0) is not None

    if TYPE_CHECKING:

        @overload
        def get(self, owner: S, /) -> V | None: ...
        @overload
        def get(self, owner: S, /, default: V) -> V: ...
        @overload
        def get(self, owner: S, /, default: T) -> V | T: ...

    def get(self, owner: S, /, default: Any = None) -> Any:
        """Return an object's value, `default` if it has none."""
        raw = self._find(owner, 0)
        return default if raw is None else self.value_type.decode(raw)

    def lookup(self, owner: S, flags: int = 0) -> V:
        """Return an object's value, as `[]` does; with flags, such as `BPF_F_LOCK`.

        Raises:
            KeyMissingError: it has none.
            SyscallError: e.g. EBADF, it is no such object.
        """
        raw = self._find(owner, flags)
        if raw is None:
            raise self._missing(owner, k.BPF_MAP_LOOKUP_ELEM, "look up")
        return self.value_type.decode(raw)  # type: ignore[no-any-return]

    def update(self, owner: S, value: V, flags: int = 0) -> None:
        """Set an object's value, as assignment does; with flags.

        Args:
            flags: `BPF_NOEXIST` only where it has none, `BPF_EXIST` only where it has one; either
                may go with `BPF_F_LOCK`.

        Raises:
            KeyExistsError: `BPF_NOEXIST`, and it has one.
            KeyMissingError: `BPF_EXIST`, and it has none.
            SyscallError: e.g. EBADF, it is no such object.
        """
        try:
            raw = self.value_type.encode(value)
        except (OverflowError, TypeError, ValueError) as error:
            raise placed(error, f"value of map {self.name!r}") from None

        def call(key: bytes, what: str) -> None:
            bpf.map_update_elem(map_fd=self.fileno(), key=key, value=raw, flags=flags, what=what)

        self._with_key(owner, "set", call)

    def delete(self, owner: S) -> None:
        """Delete an object's value, as `del map[owner]` does.

        Raises:
            KeyMissingError: it has none.
        """

        def call(key: bytes, what: str) -> None:
            bpf.map_delete_elem(map_fd=self.fileno(), key=key, what=what)

        self._with_key(owner, "delete", call)

    def _find(self, owner: S, flags: int) -> bytearray | None:
        raw = bytearray(self.value_size)

        def call(key: bytes, what: str) -> None:
            bpf.map_lookup_elem(map_fd=self.fileno(), key=key, value=raw, flags=flags, what=what)

        try:
            self._with_key(owner, "look up", call)
        except KeyMissingError:
            return None
        return raw

    def _with_key(self, owner: S, verb: str, call: Callable[[bytes, str], None]) -> None:
        """Issue a command with the key of an object, which it may have to be opened for."""
        what = self._doing(verb, owner)
        try:
            self._use(owner, what, lambda number: call(number.to_bytes(4, byteorder), what))
        except SyscallError as error:
            if error.errno not in (_errno.EBADF, _errno.ENOTSOCK):
                raise
            hint = f"That is no descriptor of {self.OWNER}"
            raise SyscallError(error.errno, error.command, error.what, hint) from error

    def _use(self, owner: Any, what: str, use: Callable[[int], R]) -> R:
        return use(descriptor(owner))

    def _doing(self, verb: str, owner: object) -> str:
        return f"{verb} the value of {shown(owner)} in map {self.name!r}"

    def _missing(self, owner: object, command: int, verb: str) -> BpfError:
        return failure(_errno.ENOENT, command, self._doing(verb, owner))


class SkStorage(StorageMap[Handle, V]):
    """Values of sockets: `storage[sock] = value`, with a socket or a descriptor.

    Kernel: BPF_MAP_TYPE_SK_STORAGE, since v5.2.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_SK_STORAGE,)
    OWNER = "a socket"


class InodeStorage(StorageMap[HandleOrPath, V]):
    """Values of files: `storage["/etc/passwd"] = value`, with a path, a file or a descriptor.

    The value belongs to the inode, whatever its names; symbolic links are followed.

    Kernel: BPF_MAP_TYPE_INODE_STORAGE, since v5.10, with CONFIG_BPF_LSM. Do not use it where `bpf`
    is not among the active security modules (/sys/kernel/security/lsm): the kernel does not check
    that, and inodes then have no room for storage.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_INODE_STORAGE,)
    OWNER = "a file"

    def _use(self, owner: Any, what: str, use: Callable[[int], R]) -> R:
        return with_opened(owner, os.O_PATH, what, use)


class TaskStorage(StorageMap[Handle, V]):
    """Values of tasks: `storage[Pid(1234)] = value`, or with a pidfd as of `os.pidfd_open`.

    Kernel: BPF_MAP_TYPE_TASK_STORAGE, since v5.11.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_TASK_STORAGE,)
    OWNER = "a process (a pidfd); for its number there is Pid(number)"

    def _use(self, owner: Any, what: str, use: Callable[[int], R]) -> R:
        if not isinstance(owner, Pid):
            return super()._use(owner, what, use)
        try:
            number = _open_pid(owner)
        except OSError as error:
            raise SyscallError(error.errno or 0, "pidfd_open", what) from error
        with Fd(number, repr(owner)) as pidfd:
            return use(pidfd.fileno())


class CgrpStorage(StorageMap[HandleOrPath, V]):
    """Values of cgroups: `storage["/sys/fs/cgroup/x"] = value`, with a path or a descriptor.

    Kernel: BPF_MAP_TYPE_CGRP_STORAGE, since v6.2.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_CGRP_STORAGE,)
    OWNER = "a directory of cgroup version 2"

    def _use(self, owner: Any, what: str, use: Callable[[int], R]) -> R:
        return with_opened(owner, os.O_RDONLY | os.O_DIRECTORY, what, use)


def _open_pid(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        # A thread that is not its process's first: EINVAL before v6.9.
        if error.errno not in (_errno.ENOENT, _errno.EINVAL):
            raise
    return os.pidfd_open(pid, os.O_EXCL)  # PIDFD_THREAD
