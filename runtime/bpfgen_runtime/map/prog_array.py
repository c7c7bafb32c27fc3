"""Program arrays: what `bpf_tail_call` goes to."""

from __future__ import annotations

import errno as _errno
from sys import byteorder

from ..program import Program
from ..uapi import const as k
from .slots import SlotMapping

__all__ = ["ProgArray"]

_HINTS = {
    _errno.EINVAL: (
        "All programs of a program array, and those that use it, must be of one type, agree in"
        " expected_attach_type and sleepability, and be JIT-compiled or not"
    ),
    _errno.EBADF: "That is no descriptor of a program",
}


class ProgArray(SlotMapping[int, "Program | int", Program]):
    """An array of programs, as a mapping of the indices in use.

    Assign a `Program`, or a descriptor of one; from then on `bpf_tail_call` to that index goes
    there. All programs in it, and those that jump, must be of one type. Reading gives a `Program`
    of its own, opened by id, for information, `test_run`, `pin`; it closes when it is dropped.

    Programs are taken out when the last descriptor of the array is closed and no pin holds it.

    Kernel: BPF_MAP_TYPE_PROG_ARRAY, since v4.2; reading since v4.13.
    """

    __slots__ = ()

    TYPES = ARRAYS = (k.BPF_MAP_TYPE_PROG_ARRAY,)
    HINTS = _HINTS

    def _read(self, raw: bytes) -> Program:
        return Program.open_id(int.from_bytes(raw, byteorder))

    def ids(self) -> dict[int, int]:
        """Return the kernel's ids of the programs, by index."""
        return {index: int.from_bytes(raw, byteorder) for index, raw in self._found()}
