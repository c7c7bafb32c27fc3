"""What all links have in common: they own a descriptor and keep a program attached."""

from __future__ import annotations

import errno
import os

from ..errors import BpfError, ClosedError, NotSupportedError, SyscallError
from ..sys import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ..program import Program
    from ..sys.fd import Fd
    from .info import LinkInfo

__all__ = ["Link", "with_hint"]


class Link:
    """Keep a program attached to a hook, from attachment until `destroy`.

    The kernel detaches the program when the last reference to the link goes: this object's
    descriptor, and the file that `pin` made, if any. The program keeps the link too, and destroys
    it when it is itself closed; so a link that nobody stored stays.

    Kernel: struct bpf_link, since v5.7; before (v4.17) descriptors that attach tracing programs.

    Args:
        fd: the link's descriptor, which belongs to this object from now on.
        program: the program that it attaches; None for a link opened from a file.
    """

    __slots__ = ("_connected", "_fd", "_pin_path", "_program")

    #: The kernel's types of link, `BPF_LINK_TYPE_*`, that this class stands for; empty for any.
    LINK_TYPES: tuple[int, ...] = ()

    def __init__(self, fd: Fd, program: Program | None = None) -> None:
        self._fd: Fd | None = fd
        self._program = program
        self._pin_path: str | None = None
        self._connected = True
        if program is not None:
            program.adopt(self)

    @classmethod
    def open_pinned(cls, path: str | os.PathLike[str]) -> Self:
        """Open a link by the file that `pin` made, as an object of the class for its type.

        Raises:
            SyscallError: `BPF_OBJ_GET` failed, e.g. ENOENT.
            BpfError: the file is no link, or not of the type of the class that this was called on.
        """
        from .info import class_of, link_type

        name = os.fspath(path)
        what = f"open pinned link {name!r}"
        fd = bpf.obj_get(pathname=name, what=what)
        try:
            kind = link_type(fd.fileno(), what)
            found = class_of(kind)
            if not cls.LINK_TYPES:
                assert issubclass(found, cls)
            elif kind in cls.LINK_TYPES:
                found = cls
            else:
                raise BpfError(f"{what}: it is a {found.__name__}, not a {cls.__name__}")
        except BaseException:
            fd.close()
            raise
        link = found(fd)
        link._pin_path = name
        return link

    @property
    def closed(self) -> bool:
        """Whether the link was destroyed."""
        return self._fd is None

    @property
    def program(self) -> Program | None:
        """The program that this attaches; None for a link opened from a file, or destroyed."""
        return self._program

    @property
    def pin_path(self) -> str | None:
        """The file that keeps the link, None if it is not pinned as far as this object knows."""
        return self._pin_path

    def fileno(self) -> int:
        """Return the descriptor, which stays the link's.

        Raises:
            ClosedError: the link was destroyed.
        """
        if self._fd is None:
            raise ClosedError(f"{self._what()} is destroyed")
        return self._fd.fileno()

    def info(self) -> LinkInfo:
        """Ask the kernel what the link is: its id, type, program, and what the type adds.

        Kernel: struct bpf_link_info, since v5.8.
        """
        from .info import link_info

        return link_info(self.fileno(), f"get info of {self._what()}")

    def detach(self) -> None:
        """Detach the program now, even if a pin or another process holds the link too.

        Where the kernel cannot do that for this type of link (all but cgroup, network namespace,
        XDP and the like), the link is destroyed, which does the same unless someone else holds it.

        Raises:
            NotSupportedError: the kernel cannot, and the pin would keep the program attached.
        """
        number = self.fileno()
        try:
            bpf.link_detach(number, what=f"detach {self._what()}")  # since v5.9
        except SyscallError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            if self._pin_path is not None:
                raise NotSupportedError(
                    f"detaching pinned {self._what()}",
                    f"the kernel detaches such a link with its last holder: unpin() it from "
                    f"{self._pin_path!r} and destroy() it",
                ) from error
            self.destroy()

    def disconnect(self) -> None:
        """Let the program stay attached when the link is destroyed.

        As in libbpf the descriptor then stays open until the process ends, unless the caller closes
        it (`fileno`) once something else, such as a pin, keeps the program attached.
        """
        self.fileno()
        self._connected = False

    def destroy(self) -> None:
        """Close the descriptor and so detach the program, unless a pin or another holder keeps it.

        Does nothing if that is done already.
        """
        fd, self._fd = self._fd, None
        if fd is None:
            return
        program, self._program = self._program, None
        try:
            if program is not None:
                program.disown(self)
        finally:
            if self._connected:
                fd.close()
            else:
                fd.release()

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Let a file on the BPF file system hold the link, so that it outlives this process.

        Raises:
            BpfError: it is pinned already.
            SyscallError: `BPF_OBJ_PIN` failed, e.g. EEXIST, or EPERM outside a BPF file system.
        """
        from ..sys.pins import pin

        self._pin_path = pin(self.fileno(), path, self._pin_path, self._what())

    def unpin(self) -> None:
        """Remove the file that `pin` made, or that the link was opened from.

        Raises:
            BpfError: the link is not pinned.
            SyscallError: the file cannot be removed, e.g. ENOENT if someone else did.
        """
        from ..sys.pins import unpin

        unpin(self._pin_path, self._what())
        self._pin_path = None

    def _update(self, program: Program, flags: int, old: Program | None) -> None:
        """Put another program in the place of the attached one, without a moment in between.

        From now on the link belongs to that program: it closes with it, not with the old one.
        """
        bpf.link_update(
            link_fd=self.fileno(),
            new_prog_fd=program.fileno(),
            flags=flags,
            old_prog_fd=0 if old is None else old.fileno(),
            what=f"put program {program.name!r} in the place of {self._what()}",
        )
        before, self._program = self._program, program
        if before is not program:
            program.adopt(self)
            if before is not None:
                before.disown(self)

    def _what(self) -> str:
        name = "" if self._program is None else f" of program {self._program.name!r}"
        return f"{type(self).__name__}{name}"

    def __enter__(self) -> Self:
        self.fileno()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.destroy()

    def __repr__(self) -> str:
        state = "destroyed" if self._fd is None else f"fd {self._fd.fileno()}"
        pinned = "" if self._pin_path is None else f", pinned at {self._pin_path!r}"
        return f"<{self._what()}: {state}{pinned}>"


def with_hint(error: SyscallError, hint: str) -> SyscallError:
    """Give the same error with another hint: what its errno means for this family of links."""
    return SyscallError(error.errno or 0, error.command, error.what, hint)
