"""From a kernel's BTF to the text of the generated modules."""

from __future__ import annotations

from typing import Protocol, TypeVar

from . import emit, patches, tables
from .emit import Enumerators
from .model import Composite, Member

T = TypeVar("T")


class Kernel(Protocol):
    """Where the facts come from; None is for what this kernel has not."""

    def enum(self, name: str) -> Enumerators | None: ...
    def anonymous_enum(self, enumerator: str) -> Enumerators | None: ...
    def composite(self, name: str) -> Composite | None: ...


def modules(kernel: Kernel, header: str) -> dict[str, str]:
    """Return the text of each module in `bpfgen_runtime/uapi`, by file name, not yet formatted."""
    listed = []
    complete: dict[str, Enumerators] = {}
    for _, name, _ in tables.ENUMS:
        known, newer = _enumerators(name, _present(kernel.enum(name), f"enum {name}"))
        listed.append((name, f"enum {name}", known, newer))
        complete[name] = known + newer
    for key, title in tables.ANONYMOUS_ENUMS:
        known, newer = _enumerators(key, _present(kernel.anonymous_enum(key), f"the enum of {key}"))
        listed.append((key, title, known, newer))

    start_up, more, perf = emit.StructWriter(), emit.StructWriter(), emit.StructWriter()
    for class_name, attr, command in tables.ATTRS:
        writer = start_up if class_name in tables.START_UP else more
        writer.add(class_name, attr_struct(kernel, attr), command)
    for class_name, name in tables.INFOS:
        composite = _present(kernel.composite(name), name)
        more.add(class_name, composite, f"{'union' if composite.is_union else 'struct'} {name}")
    for class_name, name in tables.PERF:
        perf.add(class_name, _present(kernel.composite(name), name), f"struct {name}")
    const = emit.const_module(header, listed)
    return {
        "const.py": const,
        "start.py": emit.start_module(header, const),
        "enums.py": emit.enums_module(header, complete),
        "attr.py": start_up.module(
            "The structs of `union bpf_attr` that start-up needs; the others on demand.\n\n"
            + header,
            _REEXPORT.format(
                imports="\n    ".join(
                    f"from .attr_more import {name} as {name}" for name in sorted(more.names)
                )
            ),
        ),
        "attr_more.py": more.module(
            "The structs of bpf(2) that start-up does without; names of `attr`, too.\n\n" + header
        ),
        "perf_attr.py": perf.module("What perf_event_open(2) takes.\n\n" + header),
    }


_REEXPORT = """
if TYPE_CHECKING:
    {imports}
else:

    def __getattr__(name):
        if name == "__path__":  # asked for by every `from .attr import`
            raise AttributeError(name)
        from . import attr_more

        try:
            return getattr(attr_more, name)
        except AttributeError:
            raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}") from None
"""


def attr_struct(kernel: Kernel, first: str) -> Composite:
    """Return the member of `union bpf_attr` with this name, or with a first field of this name."""
    for member in _present(kernel.composite("bpf_attr"), "union bpf_attr").members:
        if isinstance(member.type, Composite) and first in (member.name, _first_name(member)):
            return member.type
    raise LookupError(f"union bpf_attr has no {first}")


def _first_name(member: Member) -> str:
    while not member.name and isinstance(member.type, Composite):
        member = member.type.members[0]
    return member.name


def _enumerators(key: str, known: Enumerators) -> tuple[Enumerators, Enumerators]:
    """Split off what counts, and add what the patch table knows of newer kernels."""
    values = dict(known)
    newer = []
    for name, value in patches.NEWER.get(key, {}).items():
        if values.setdefault(name, value) != value:
            raise ValueError(f"{name} is {values[name]} in this kernel, {value} in the patch table")
        if name not in dict(known):
            newer.append((name, value))
    return [(name, value) for name, value in known if name not in tables.SENTINELS], newer


def _present(thing: T | None, what: str) -> T:
    if thing is None:
        raise LookupError(f"this kernel's BTF has no {what}")
    return thing
