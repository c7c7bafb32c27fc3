"""Hold the committed modules against a kernel that they were not generated from."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any

from . import generate, tables
from .generate import Kernel
from .model import Composite, walk


def constants(kernel: Kernel, const: ModuleType, enums: ModuleType) -> tuple[int, list[str]]:
    """Compare every enumerator that both sides have; return how many, and what is wrong."""
    compared, wrong = 0, []
    committed = dict(vars(const))
    for class_name, _, prefix in tables.ENUMS:
        for name, member in getattr(enums, class_name).__members__.items():
            committed.setdefault(prefix + name, int(member))
    found = [kernel.enum(name) for _, name, _ in tables.ENUMS]
    found += [kernel.anonymous_enum(key) for key, _ in tables.ANONYMOUS_ENUMS]
    for enumerators in found:
        for name, value in enumerators or []:
            if name in committed and name not in tables.SENTINELS:
                compared += 1
                if committed[name] != value:
                    wrong.append(f"{name} is {committed[name]} here and {value} in the kernel")
    return compared, wrong


def structs(kernel: Kernel, attr: ModuleType, perf_attr: ModuleType) -> tuple[int, list[str]]:
    """Compare the place of every member that both have; return how many, and what is wrong."""
    compared, wrong = 0, []
    for class_name, composite in _composites(kernel):
        module = perf_attr if hasattr(perf_attr, class_name) else attr
        ours = ctypes_layout(getattr(module, class_name))
        for name, *place in walk(composite):
            if name in ours:
                compared += 1
                if ours[name] != tuple(place):
                    wrong.append(
                        f"{class_name}.{name} is at (bit, bytes, bits) {ours[name]} here and "
                        f"{tuple(place)} in the kernel"
                    )
    return compared, wrong


def _composites(kernel: Kernel) -> list[tuple[str, Composite]]:
    found = []
    for class_name, first, _ in tables.ATTRS:
        try:
            found.append((class_name, generate.attr_struct(kernel, first)))
        except LookupError:  # an older kernel
            continue
    for class_name, name in tables.INFOS + tables.PERF:
        composite = kernel.composite(name)
        if composite is not None:
            found.append((class_name, composite))
    return found


def ctypes_layout(
    cls: type[ctypes.Structure] | type[ctypes.Union], base: int = 0, prefix: str = ""
) -> dict[str, tuple[int, int, int]]:
    """Flatten a ctypes class to {dotted name: (bit offset, size in bytes, bitfield width)}."""
    types = {entry[0]: entry[1] for entry in cls._fields_}
    found: dict[str, tuple[int, int, int]] = {}
    for name, kind in types.items():
        if isinstance(kind, type(ctypes.Structure) | type(ctypes.Union)):
            inner = prefix if name.startswith("_at") else f"{prefix}{name}."
            found |= ctypes_layout(kind, base + getattr(cls, name).offset * 8, inner)
    for name, place in vars(cls).items():  # with what ctypes adds for anonymous parts, and aliases
        if hasattr(place, "offset") and not name.startswith("_"):
            size, start, width = place.size, place.offset * 8, 0
            if size >> 16:  # a bitfield: its width, and where it starts in its unit
                start, width = start + (size & 0xFFFF), size >> 16
                size = _unit(cls, name)
            found.setdefault(prefix + name, (base + start, size, width))
    return found


def _unit(cls: Any, name: str) -> int:
    """Return the size in bytes of the type that a bitfield was declared with."""
    for entry in cls._fields_:
        if entry[0] == name:
            return ctypes.sizeof(entry[1])
        if entry[0].startswith("_at") and hasattr(entry[1], name):
            return _unit(entry[1], name)
    raise LookupError(f"{cls.__name__} has no {name}")
