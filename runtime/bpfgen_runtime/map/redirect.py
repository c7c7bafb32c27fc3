"""What XDP redirects packets to: network devices, and other CPUs."""

from __future__ import annotations

import errno as _errno
from sys import byteorder

from ..errors import SyscallError
from ..uapi import const as k
from ..values import Struct, dataclass, u32
from .slots import NumberMapping, SlotMapping, descriptor, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..program import Program

__all__ = ["CpuMap", "CpuMapVal", "CpuProgMap", "DevMap", "DevMapVal", "DevProgMap"]


@dataclass(frozen=True, slots=True)
class DevMapVal(Struct):
    """struct bpf_devmap_val, 8 bytes: a device, and the program that sees what is sent to it.

    Attributes:
        ifindex: the device's index, in the namespace of who put it there.
        prog_id: the program's id in the kernel, 0 without one.
    """

    SIZE = 8
    LAYOUT = (("ifindex", 0, u32), ("prog_id", 4, u32))

    ifindex: int = 0
    prog_id: int = 0


@dataclass(frozen=True, slots=True)
class CpuMapVal(Struct):
    """struct bpf_cpumap_val, 8 bytes: a CPU's queue, and the program that runs there.

    Attributes:
        qsize: how many packets the queue has room for.
        prog_id: the program's id in the kernel, 0 without one.
    """

    SIZE = 8
    LAYOUT = (("qsize", 0, u32), ("prog_id", 4, u32))

    qsize: int = 0
    prog_id: int = 0


_NO_DEVICE = "There is no such device in this network namespace: see `ip link`"
_DEVICE_HINTS = {_errno.EINVAL: _NO_DEVICE}
_DEVICE_PROGRAM_HINTS = {
    _errno.EINVAL: f'{_NO_DEVICE}. Or the program is none of SEC("xdp/devmap")',
}


class DevMap(NumberMapping[int, "int | str"]):
    """Network devices by number, as a mapping to their indices: what `bpf_redirect_map` sends to.

    Assign a device's index or its name, as of the network namespace of the caller. A device that
    is removed leaves the map by itself.

    Kernel: BPF_MAP_TYPE_DEVMAP, since v4.14, an array of `max_entries` slots;
    BPF_MAP_TYPE_DEVMAP_HASH, since v5.4, any numbers.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_DEVMAP, k.BPF_MAP_TYPE_DEVMAP_HASH)
    ARRAYS = (k.BPF_MAP_TYPE_DEVMAP,)
    HINTS = _DEVICE_HINTS

    def _raw(self, value: int | str) -> bytes:
        return _device(value, self.name).to_bytes(4, byteorder)

    def _shown(self, value: int | str) -> str:
        return f"device {value!r}"


class DevProgMap(SlotMapping[int, "int | str | tuple[int | str, Program | int | None]", DevMapVal]):
    """Network devices by number, each with an XDP program that sees what is sent to it.

    The same as `DevMap` for maps whose values are `struct bpf_devmap_val`: assign a device, or a
    device and a program of `SEC("xdp/devmap")`. Reading gives a `DevMapVal`.

    Kernel: values of 8 bytes since v5.8.
    """

    __slots__ = ()

    TYPES = DevMap.TYPES
    ARRAYS = DevMap.ARRAYS
    HINTS = _DEVICE_PROGRAM_HINTS

    def _raw(self, value: int | str | tuple[int | str, Program | int | None]) -> bytes:
        device, program = value if isinstance(value, tuple) else (value, None)
        return _with_program(_device(device, self.name), program)

    def _shown(self, value: int | str | tuple[int | str, Program | int | None]) -> str:
        device, program = value if isinstance(value, tuple) else (value, None)
        return f"device {device!r}{_and(program)}"

    def _read(self, raw: bytes) -> DevMapVal:
        return DevMapVal.from_bytes(raw)


_CPU_HINTS = {
    _errno.EOVERFLOW: "A queue has room for at most 16384 packets",
    _errno.ENODEV: "This machine can have no such CPU: see /sys/devices/system/cpu/possible",
}
_CPU_PROGRAM_HINTS = {
    **_CPU_HINTS,
    # That is all that the kernel says of a program that does not suit, some before 7.2 by ENOMEM.
    _errno.EINVAL: 'The program is none of SEC("xdp/cpumap")',
    _errno.ENOMEM: 'The program is none of SEC("xdp/cpumap"), or there is no memory for the queue',
}


class CpuMap(NumberMapping[int, int]):
    """CPUs by number, as a mapping to the sizes of their queues: what `bpf_redirect_map` sends to.

    Assign how many packets the CPU's queue is to have room for, up to 16384; the kernel then starts
    a thread on that CPU, which goes when the slot is emptied.

    Kernel: BPF_MAP_TYPE_CPUMAP, since v4.15.
    """

    __slots__ = ()

    TYPES = ARRAYS = (k.BPF_MAP_TYPE_CPUMAP,)
    HINTS = _CPU_HINTS

    def _raw(self, value: int) -> bytes:
        return _queue(value, self.name).to_bytes(4, byteorder)

    def _shown(self, value: int) -> str:
        return f"a queue of {value}"


class CpuProgMap(SlotMapping[int, "int | tuple[int, Program | int | None]", CpuMapVal]):
    """CPUs by number, each with a queue and an XDP program that runs there.

    The same as `CpuMap` for maps whose values are `struct bpf_cpumap_val`: assign a queue's
    size, or a size and a program of `SEC("xdp/cpumap")`. Reading gives a `CpuMapVal`.

    Kernel: values of 8 bytes since v5.9.
    """

    __slots__ = ()

    TYPES = ARRAYS = CpuMap.TYPES
    HINTS = _CPU_PROGRAM_HINTS

    def _raw(self, value: int | tuple[int, Program | int | None]) -> bytes:
        size, program = value if isinstance(value, tuple) else (value, None)
        return _with_program(_queue(size, self.name), program)

    def _shown(self, value: int | tuple[int, Program | int | None]) -> str:
        size, program = value if isinstance(value, tuple) else (value, None)
        return f"a queue of {size}{_and(program)}"

    def _read(self, raw: bytes) -> CpuMapVal:
        return CpuMapVal.from_bytes(raw)


def _device(device: int | str, map_name: str) -> int:
    """Return the index of a device."""
    if isinstance(device, str):
        import socket

        try:
            return socket.if_nametoindex(device)
        except OSError as error:
            what = f"put device {device!r} into map {map_name!r}"
            raise SyscallError(_errno.ENODEV, "if_nametoindex", what, _NO_DEVICE) from error
    if device < 1:
        raise ValueError(f"map {map_name!r}: {device} is no device's index; `del` empties a slot")
    return device


def _queue(size: int, map_name: str) -> int:
    # The kernel takes 0 for a deletion.
    if not 1 <= size < 1 << 32:
        raise ValueError(f"map {map_name!r}: {size} is no queue's size; `del` empties a slot")
    return size


def _and(program: Program | int | None) -> str:
    return "" if program is None else f" and {shown(program)}"


def _with_program(number: int, program: Program | int | None) -> bytes:
    """Encode `struct bpf_devmap_val` or `struct bpf_cpumap_val`."""
    fd = 0 if program is None else descriptor(program)
    return number.to_bytes(4, byteorder) + fd.to_bytes(4, byteorder)
