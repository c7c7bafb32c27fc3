"""A loaded program: what the kernel knows of it, its links, a pin, a test run."""

from __future__ import annotations

import os

from .errors import ClosedError
from .sys import bpf
from .uapi import start as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Buffer, Self

    from .link.base import Link
    from .spec import ProgramSpec
    from .sys.fd import Fd
    from .uapi.attr_more import ProgInfo
    from .uapi.enums import AttachType, ProgType

    ExceptionType = type[BaseException]  # `type` is a property of the class below

__all__ = ["Program", "TestRunResult"]

# Program types whose test run gives no context back; the kernel answers EINVAL to the wish for one.
_NO_CTX_OUT = frozenset(
    (
        k.BPF_PROG_TYPE_RAW_TRACEPOINT,
        k.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
        k.BPF_PROG_TYPE_SYSCALL,
        k.BPF_PROG_TYPE_TRACING,
    )
)

#: How much longer than its input a packet may have become, in bytes, unless `data_size_out` says
#: else.
_DATA_GROWTH = 512


class TestRunResult:
    """What `Program.test_run` saw.

    Attributes:
        retval: what the program returned, as the kernel's unsigned 32 bits.
        data_out: the packet afterwards; empty where there was no `data_in`.
        ctx_out: the context afterwards; empty where there was no `ctx_in`.
        duration_ns: mean time of one run, nanoseconds; 0 for program types that do not measure it.
    """

    __test__ = False  # not a test, whatever pytest makes of the name
    __slots__ = ("ctx_out", "data_out", "duration_ns", "retval")

    def __init__(self, retval: int, data_out: bytes, ctx_out: bytes, duration_ns: int) -> None:
        self.retval = retval
        self.data_out = data_out
        self.ctx_out = ctx_out
        self.duration_ns = duration_ns

    def __repr__(self) -> str:
        return (
            f"TestRunResult(retval={self.retval}, data_out={self.data_out!r},"
            f" ctx_out={self.ctx_out!r}, duration_ns={self.duration_ns})"
        )


class Program:
    """A program in the kernel, from load until `close`.

    Kernel: struct bpf_prog.

    Args:
        fd: the program's descriptor, which belongs to this object from now on.
        spec: what it was loaded from.

    Attributes:
        name: the C function's name, which may be longer than the kernel's 15 bytes.
        section, attach_target: the `SEC()` name, and its part behind the prefix.
        prog_type, expected_attach_type: `BPF_PROG_TYPE_*` and attach type it was loaded with.
        log: what the verifier wrote; empty unless a log level was set.
    """

    __slots__ = (
        "_fd",
        "_links",
        "_pin_path",
        "attach_target",
        "expected_attach_type",
        "log",
        "name",
        "prog_type",
        "section",
    )

    def __init__(self, fd: Fd, spec: ProgramSpec) -> None:
        self._fd: Fd | None = fd
        self._links: list[Link] = []
        self._pin_path: str | None = None
        self.name = spec.name
        self.section = spec.section
        self.attach_target = spec.attach_target
        self.prog_type = spec.prog_type
        self.expected_attach_type = spec.expected_attach_type
        self.log = ""

    @classmethod
    def open_id(cls, id: int) -> Self:
        """Open a program that is in the kernel, whoever loaded it.

        The kernel tells its name (at most 15 bytes) and type, but not its section nor its expected
        attach type, which are "" and 0. It closes when nothing refers to it, without a warning.

        Raises:
            SyscallError: BPF_PROG_GET_FD_BY_ID failed: ENOENT, there is none; EPERM, it takes
                CAP_SYS_ADMIN.

        Kernel: since v4.13.
        """
        from .spec import ProgramSpec
        from .sys.fd import LooseFd

        fd = LooseFd.of(bpf.prog_get_fd_by_id(id))
        info = bpf.prog_get_info_by_fd(fd.fileno(), what=f"get info of program {id}")
        name = info.name.decode(errors="replace")
        return cls(fd, ProgramSpec(name, "", b"", prog_type=info.type))

    @property
    def type(self) -> ProgType | int:
        """`prog_type` as `ProgType`; the plain number where this version does not know it."""
        from .uapi.enums import ProgType

        try:
            return ProgType(self.prog_type)
        except ValueError:
            return self.prog_type

    @property
    def attach_type(self) -> AttachType | int:
        """`expected_attach_type` as `AttachType`; the plain number where this version lacks it."""
        from .uapi.enums import AttachType

        try:
            return AttachType(self.expected_attach_type)
        except ValueError:
            return self.expected_attach_type

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._fd is None

    def fileno(self) -> int:
        """Return the descriptor, which stays the program's.

        Raises:
            ClosedError: the program is closed.
        """
        if self._fd is None:
            raise ClosedError(f"program {self.name!r} is closed")
        return self._fd.fileno()

    def info(self) -> ProgInfo:
        """Ask the kernel about the program: id, tag, sizes, run statistics.

        Kernel: struct bpf_prog_info, since v4.13.
        """
        return bpf.prog_get_info_by_fd(self.fileno(), what=f"get info of program {self.name!r}")

    @property
    def id(self) -> int:
        """The kernel's number of the program, as `bpftool prog` shows it."""
        return self.info().id

    @property
    def tag(self) -> str:
        """The kernel's hash of the instructions, 16 hexadecimal digits."""
        return bytes(self.info().tag).hex()

    # --- links

    @property
    def links(self) -> tuple[Link, ...]:
        """The links that attach the program and close with it."""
        return tuple(self._links)

    def adopt(self, link: Link) -> None:
        """Keep a link, so that it is destroyed with the program; links call this themselves."""
        if self._fd is None:
            raise ClosedError(f"program {self.name!r} is closed")
        self._links.append(link)

    def disown(self, link: Link) -> None:
        """Forget a link that is destroyed or passed on; links call this themselves."""
        for place, known in enumerate(self._links):
            if known is link:
                del self._links[place]
                return

    # --- pins

    @property
    def pin_path(self) -> str | None:
        """The file that keeps the program, None if it is not pinned as far as this object knows."""
        return self._pin_path

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Let a file on the BPF file system hold the program, so that it outlives this process.

        Raises:
            BpfError: it is pinned already.
            SyscallError: `BPF_OBJ_PIN` failed, e.g. EEXIST, or EPERM outside a BPF file system.
        """
        from .sys.pins import pin

        self._pin_path = pin(self.fileno(), path, self._pin_path, f"program {self.name!r}")

    def unpin(self) -> None:
        """Remove the file that `pin` made.

        Raises:
            BpfError: the program is not pinned.
            SyscallError: the file cannot be removed, e.g. ENOENT if someone else did.
        """
        from .sys.pins import unpin

        unpin(self._pin_path, f"program {self.name!r}")
        self._pin_path = None

    # --- test runs

    def test_run(
        self,
        data_in: Buffer = b"",
        *,
        ctx_in: Buffer | None = None,
        repeat: int = 1,
        data_size_out: int | None = None,
        flags: int = 0,
        cpu: int = 0,
        batch_size: int = 0,
    ) -> TestRunResult:
        """Run the program on made-up input, without attaching it.

        Its side effects are real: maps and globals change.

        Kernel: `BPF_PROG_TEST_RUN`, since v4.12 for packets; raw tracepoints v5.10, `syscall`
        v5.14, other types later or never.

        Args:
            data_in: a packet with its Ethernet header, for program types that take one (at least 14
                bytes). Others refuse data.
            ctx_in: the context, e.g. a `struct xdp_md` or, for raw tracepoints, 8 bytes an
                argument.
            repeat: how often to run; the result is the last run's. Types without packets run once.
            data_size_out: room for the packet afterwards, bytes; `data_in` and 512 by default.
            flags: `BPF_F_TEST_RUN_ON_CPU` (with `cpu`), `BPF_F_TEST_XDP_LIVE_FRAMES` (with
                `batch_size`).

        Raises:
            SyscallError: e.g. EINVAL, an input that the program type does not take; ENOSPC, the
                packet has outgrown `data_size_out`; ENOTSUPP (524), the type cannot be test-run.
        """
        data_in = bytes(data_in)
        if data_size_out is None:
            data_size_out = len(data_in) + _DATA_GROWTH if data_in else 0
        data_out = bytearray(data_size_out) if data_size_out else None
        # A program of type syscall changes its context in place.
        context = None if ctx_in is None else bytearray(ctx_in)
        ctx_out = None
        if context is not None and self.prog_type not in _NO_CTX_OUT:
            ctx_out = bytearray(len(context))
        result = bpf.prog_test_run(
            prog_fd=self.fileno(),
            data_in=data_in,
            data_out=data_out,
            ctx_in=context,
            ctx_out=ctx_out,
            # To the kernel 0 is 1, and the only number that types which run once take.
            repeat=0 if repeat == 1 else repeat,
            flags=flags,
            cpu=cpu,
            batch_size=batch_size,
            what=f"test run of program {self.name!r}",
        )
        if ctx_out is not None:
            after = bytes(ctx_out[: result.ctx_size_out])
        else:
            after = b"" if context is None else bytes(context)
        packet = b"" if data_out is None else bytes(data_out[: result.data_size_out])
        return TestRunResult(result.retval, packet, after, result.duration)

    # --- the end

    def close(self) -> None:
        """Destroy the program's links and close its descriptor; do nothing if that is done already.

        The kernel frees the program when nothing else (a pin, a link that is pinned) holds it.
        """
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            for link in self._links[::-1]:
                link.destroy()
        finally:
            fd.close()

    def __enter__(self) -> Self:
        self.fileno()
        return self

    def __exit__(
        self,
        kind: ExceptionType | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._fd is None else f"fd {self._fd.fileno()}"
        return f"<{type(self).__name__} {self.name!r} ({self.section}): {state}>"
