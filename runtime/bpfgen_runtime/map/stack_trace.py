"""Stack traces that programs keep by id."""

from __future__ import annotations

from _collections_abc import Mapping

from ..errors import BpfError
from ..sys.elem import MISSING
from ..uapi import const as k
from ..values import Address, Struct, byte_array, dataclass, i32, pointer, u64
from ..values.ctype import CType, as_ctype
from .element import INDEX, ElementMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import Any, NamedTuple, TypeVar

    from typing_extensions import Buffer, Self

    from ..host.kallsyms import Symbols

    F = TypeVar("F", Address, "BuildIdFrame")

    class Frame(NamedTuple):
        """One call of a stack, by name.

        Attributes:
            address: where it goes on; 0 if the kernel told the place in a file instead.
            symbol: the kernel function's name, "" if it is not known.
            offset: bytes from the function's start, or from the file's.
            module: the kernel module's name, "bpf" for a BPF program, "" for the kernel itself; the
                build id of a user's file, in hexadecimal.
        """

        address: Address
        symbol: str
        offset: int
        module: str

else:
    from collections import namedtuple

    F = object

    class Frame(namedtuple("Frame", "address symbol offset module")):
        __slots__ = ()

        def __str__(self):
            if not self.symbol:
                return f"{self.module}+{self.offset:#x}" if self.module else str(self.address)
            return f"{self.symbol}+{self.offset:#x}" + (f" [{self.module}]" if self.module else "")


__all__ = ["BuildIdFrame", "Frame", "StackTraceMap"]


@dataclass(frozen=True, slots=True)
class BuildIdFrame(Struct):
    """One call of a user stack, by place in an ELF file: struct bpf_stack_build_id.

    Attributes:
        status: `BPF_STACK_BUILD_ID_VALID` (1): `build_id` and `offset` tell the place;
            `BPF_STACK_BUILD_ID_IP` (2): the kernel found no build id, and `offset` is the address.
        build_id: 20 bytes of the file's GNU build id.
        offset: bytes from the file's beginning; or the address.
    """

    SIZE = 32
    LAYOUT = (("status", 0, i32), ("build_id", 4, byte_array(20)), ("offset", 24, u64))

    status: int = 0
    build_id: bytes = bytes(20)
    offset: int = 0

    @property
    def address(self) -> Address | None:
        """The address, where the kernel knew no more."""
        return Address(self.offset) if self.status == k.BPF_STACK_BUILD_ID_IP else None

    def __str__(self) -> str:
        """Show the place as `BUILDID+0xOFFSET`."""
        if self.status == k.BPF_STACK_BUILD_ID_VALID:
            return f"{self.build_id.hex()}+{self.offset:#x}"
        return str(Address(self.offset))


class Frames(CType["tuple[F, ...]"]):
    """The frames of a trace, the innermost first, without the empty ones behind the last."""

    __slots__ = ("element",)

    element: CType[F]

    def __init__(self, element: CType[F], size: int) -> None:
        super().__init__(size, f"{element.c_name}[{size // element.size}]")
        self.element = element

    def decode(self, buffer: Buffer, offset: int = 0) -> tuple[F, ...]:
        frames = self.element.decode_many(memoryview(buffer)[offset : offset + self.size])
        # An address that is 0, a status BPF_STACK_BUILD_ID_EMPTY.
        return tuple([frame for frame in frames if getattr(frame, "status", frame)])

    def decode_many(self, buffer: Buffer) -> list[tuple[F, ...]]:
        return [self.decode(buffer, at) for at in range(0, memoryview(buffer).nbytes, self.size)]


class StackTraceMap(ElementMap, Mapping[int, "tuple[F, ...]"]):
    """A map of stack traces by the id that `bpf_get_stackid` gave: tuples of frames.

    A frame is an `Address`; of a map with `BPF_F_STACK_BUILD_ID` a `BuildIdFrame`. Only programs
    put traces in; they can be read and deleted here.

    Kernel: BPF_MAP_TYPE_STACK_TRACE, since v4.6; build ids since v4.17.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_STACK_TRACE,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        element: CType[Any] = pointer
        if self.map_flags & k.BPF_F_STACK_BUILD_ID:
            element = as_ctype(BuildIdFrame)
        if not self.value_size or self.value_size % element.size:
            raise BpfError(
                f"map {self.name!r} has traces of {self.value_size} bytes, which are no whole"
                f" frames of {element.size}"
            )
        self.key_type = INDEX
        self.value_type = Frames(element, self.value_size)

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(
            cls, path: str | os.PathLike[str], *, key: Any = None, value: Any = None
        ) -> Self: ...

        @classmethod
        def open_id(cls, id: int, *, key: Any = None, value: Any = None) -> Self: ...

    def __getitem__(self, stack_id: int) -> tuple[F, ...]:
        trace = self._find(stack_id)
        if trace is MISSING:
            raise self._missing(stack_id)
        return trace  # type: ignore[no-any-return]

    def __contains__(self, stack_id: object) -> bool:
        return self._find(stack_id) is not MISSING

    def __delitem__(self, stack_id: int) -> None:
        if not self._delete(stack_id):
            raise self._missing(stack_id, k.BPF_MAP_DELETE_ELEM, "delete")

    def __iter__(self) -> Iterator[int]:
        raw = self._next_key(None)
        while raw is not None:
            yield self.key_type.decode(raw)
            raw = self._next_key(raw)  # the next number in use, also where this one is gone

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def to_dict(self) -> dict[int, tuple[F, ...]]:
        """Return all traces by their ids."""
        return dict(self._pairs())

    def lookup_and_delete(self, stack_id: int) -> tuple[F, ...]:
        """Delete a trace and return it, as one step.

        Raises:
            KeyMissingError: the map has no such trace.
            NotSupportedError: the kernel cannot.

        Kernel: BPF_MAP_LOOKUP_AND_DELETE_ELEM of stack traces, which not all kernels have.
        """
        return self._lookup_and_delete(stack_id, 0)  # type: ignore[no-any-return]

    def clear(self) -> None:
        """Delete all traces."""
        for stack_id in self:
            self._delete(stack_id)

    def symbolize(self, stack_id: int, symbols: Symbols | None = None) -> tuple[Frame, ...]:
        """Return a trace with the names of the kernel's functions.

        Frames of user space, and what the kernel does not name, keep their addresses alone.

        Args:
            symbols: by default those of the process's first call; modules and programs that were
                loaded since are in a new `Symbols.read()`.

        Raises:
            KeyMissingError: the map has no such trace.
            NotSupportedError: the kernel hides its addresses.
        """
        from ..host.kallsyms import kernel_symbols

        table = kernel_symbols() if symbols is None else symbols
        frames = []
        for frame in self[stack_id]:
            address: Address | None
            if isinstance(frame, BuildIdFrame):
                address = frame.address
                if address is None:
                    frames.append(Frame(Address(0), "", frame.offset, frame.build_id.hex()))
                    continue
            else:
                address = frame
            frames.append(Frame(address, *(table.find(address) or ("", 0, ""))))
        return tuple(frames)
