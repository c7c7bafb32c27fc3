"""Programs attached to hooks: one module per family, a program class and a link class in each.

`Link` is what all links have in common, `attach` attaches a program where its section says. The
families are imported when they are first used.
"""

from __future__ import annotations

from ..errors import NotSupportedError
from .base import Link as Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..program import Program

__all__ = ["Link", "attach"]


def attach(program: Program) -> Link | None:
    """Attach a program where its section says, as libbpf's `bpf_program__attach` does.

    Returns:
        The link; None if the section names no target, so that the program wants one by hand
        (`SEC("xdp")`, a bare `SEC("tp")`).

    Raises:
        NotSupportedError: the section attaches by itself in libbpf, but not yet in this version.
        SyscallError: the kernel refused; see the family's attach method.
    """
    own = getattr(program, "_autoattach", None)
    if own is not None:  # the class of a family that the section named
        link: Link | None = own()
        return link
    from .. import sections

    definition = sections.find(program.section)[0]
    family = None if definition is None else definition.attach
    if family is None:
        return None
    if family == "tracepoint":
        from .tracepoint import autoattach as tracepoint

        return tracepoint(program)
    if family == "raw_tracepoint":
        from .raw_tracepoint import autoattach as raw_tracepoint

        return raw_tracepoint(program)
    if family in ("trace", "lsm"):
        from .tracing import autoattach as tracing

        return tracing(program)
    if family == "iter":
        from .iter import autoattach as iterator

        return iterator(program)
    if not program.attach_target:
        return None
    raise NotSupportedError(
        f"attaching program {program.name!r} by its section {program.section!r}",
        "this version attaches tracepoints, raw tracepoints, BTF tracepoints and functions, "
        "LSM hooks and iterators by their sections, XDP and cgroup programs by hand; "
        "set autoattach = False on the program to attach the others",
    )
