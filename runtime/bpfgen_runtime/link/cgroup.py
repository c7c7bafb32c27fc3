"""Control groups: `SEC("cgroup/…")`, `SEC("sockops")`: what the processes of a cgroup may do."""

from __future__ import annotations

import errno
import os

from ..errors import SyscallError
from ..program import Program
from ..sys import bpf
from ..sys.fd import Fd
from ..uapi import const as k
from .base import Link, with_hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from .info import CgroupInfo

    class HasFileno(Protocol):
        """Anything with a descriptor."""

        def fileno(self) -> int: ...


__all__ = ["CgroupLink", "CgroupProgram", "attach"]


class CgroupLink(Link):
    """A program on a cgroup and all cgroups below it."""

    __slots__ = ()

    LINK_TYPES = (k.BPF_LINK_TYPE_CGROUP,)

    if TYPE_CHECKING:

        def info(self) -> CgroupInfo: ...

    def update(self, program: CgroupProgram, *, old: CgroupProgram | None = None) -> None:
        """Put another program in the place of the attached one, without a moment in between.

        The link belongs to the new program from then on: it closes with that one.

        Args:
            program: must be of the same type.
            old: only if this is the program attached now, else EPERM.
        """
        self._update(program, 0 if old is None else k.BPF_F_REPLACE, old)


class CgroupProgram(Program):
    """A program of one of the cgroup types, e.g. `BPF_PROG_TYPE_CGROUP_SKB`."""

    __slots__ = ()

    def attach_cgroup(
        self, cgroup: str | os.PathLike[str] | int | HasFileno, flags: int = 0
    ) -> CgroupLink:
        """Attach the program to a cgroup, beside those attached there already.

        It also counts for the cgroups below. The attach type is the section's; a bare
        `SEC("cgroup/skb")` means ingress.

        Kernel: `BPF_LINK_CREATE`, since v5.7; cgroup version 2 only.

        Args:
            cgroup: its directory, e.g. `"/sys/fs/cgroup/user.slice"`, or an open descriptor of it.
            flags: `BPF_F_BEFORE` and the like, where the kernel has an order of programs (v6.17).

        Raises:
            SyscallError: e.g. EBADF, no cgroup of version 2; EPERM, a cgroup above has a program
                attached that allows none below.
        """
        return attach(self, cgroup, flags)


def attach(
    program: Program, cgroup: str | os.PathLike[str] | int | HasFileno, flags: int = 0
) -> CgroupLink:
    """Attach any cgroup program, as `CgroupProgram.attach_cgroup`."""
    if isinstance(cgroup, int):
        return _attach(program, cgroup, f"cgroup descriptor {cgroup}", flags)
    if not isinstance(cgroup, (str, os.PathLike)):
        return _attach(program, cgroup.fileno(), f"cgroup {cgroup!r}", flags)
    path = os.fspath(cgroup)
    try:
        number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        code = error.errno or 0
        what = f"attach program {program.name!r} to cgroup {path!r}"
        raise SyscallError(code, "open", what) from error
    with Fd(number, f"cgroup {path!r}") as directory:
        return _attach(program, directory.fileno(), f"cgroup {path!r}", flags)


def _attach(program: Program, number: int, name: str, flags: int) -> CgroupLink:
    what = f"attach program {program.name!r} to {name}"
    try:
        fd = bpf.link_create(
            prog_fd=program.fileno(),
            target_fd=number,
            attach_type=program.expected_attach_type,
            flags=flags,
            what=what,
        )
    except SyscallError as error:
        if error.errno != errno.EBADF:
            raise
        hint = "That is no directory of cgroup version 2: see `mount -t cgroup2`"
        raise with_hint(error, hint) from error
    return CgroupLink(fd, program)
