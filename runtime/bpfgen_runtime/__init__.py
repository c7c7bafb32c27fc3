"""What generated BPF skeletons need: load, attach, poll.

The names below are those that an application may want beside its generated module: errors to catch,
types for annotations, and the loader for objects without a skeleton. All have their home in a
submodule and are fetched from there when first asked for: an application that uses a skeleton
should not wait for what it does not use.
"""

# The general layout, left never importing from right:
#   errors < abi uapi values < sys host elf insn sections < btf < core spec loader < relocate
#   < map program < object < link ringbuf < skeleton

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .errors import BpfError as BpfError
    from .errors import BtfError as BtfError
    from .errors import ClosedError as ClosedError
    from .errors import ElfError as ElfError
    from .errors import FormatError as FormatError
    from .errors import GenerateError as GenerateError
    from .errors import KeyExistsError as KeyExistsError
    from .errors import KeyMissingError as KeyMissingError
    from .errors import LinkerError as LinkerError
    from .errors import NotSupportedError as NotSupportedError
    from .errors import RecordError as RecordError
    from .errors import RelocationError as RelocationError
    from .errors import SyscallError as SyscallError
    from .errors import VerifierError as VerifierError
    from .link import Link as Link
    from .loader import load_spec as load_spec
    from .map import ArrayMap as ArrayMap
    from .map import HashMap as HashMap
    from .map import Map as Map
    from .map import PerCpuArrayMap as PerCpuArrayMap
    from .map import PerCpuHashMap as PerCpuHashMap
    from .object import Object as Object
    from .program import Program as Program
    from .ringbuf import RingBuf as RingBuf
    from .skeleton import OpenSkeleton as OpenSkeleton
    from .skeleton import Skeleton as Skeleton
    from .spec import MapSpec as MapSpec
    from .spec import ObjectSpec as ObjectSpec
    from .spec import ProgramSpec as ProgramSpec
    from .values import Address as Address
    from .values import CharArray as CharArray
    from .values import Struct as Struct

__all__ = [
    "Address",
    "ArrayMap",
    "BpfError",
    "BtfError",
    "CharArray",
    "ClosedError",
    "ElfError",
    "FormatError",
    "GenerateError",
    "HashMap",
    "KeyExistsError",
    "KeyMissingError",
    "Link",
    "LinkerError",
    "Map",
    "MapSpec",
    "NotSupportedError",
    "Object",
    "ObjectSpec",
    "OpenSkeleton",
    "PerCpuArrayMap",
    "PerCpuHashMap",
    "Program",
    "ProgramSpec",
    "RecordError",
    "RelocationError",
    "RingBuf",
    "Skeleton",
    "Struct",
    "SyscallError",
    "VerifierError",
    "load_spec",
]

_HOMES = {
    **dict.fromkeys(("Address", "CharArray", "Struct"), "values"),
    **dict.fromkeys(("ArrayMap", "HashMap", "Map", "PerCpuArrayMap", "PerCpuHashMap"), "map"),
    **dict.fromkeys(("MapSpec", "ObjectSpec", "ProgramSpec"), "spec"),
    **dict.fromkeys(("OpenSkeleton", "Skeleton"), "skeleton"),
    "Link": "link",
    "Object": "object",
    "Program": "program",
    "RingBuf": "ringbuf",
    "load_spec": "loader",
}


if not TYPE_CHECKING:  # else any attribute would do

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
