"""Exception callbacks: `__exception_cb(NAME)` of a program, kept in a declaration tag."""

from __future__ import annotations

from ..btf.types import BTF_FUNC_GLOBAL, BTF_KIND_DECL_TAG, DeclTag, Func
from ..errors import RelocationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec import ObjectSpec, ProgramSpec

__all__ = ["exception_callbacks", "find_callback"]

_TAG = "exception_callback:"


def exception_callbacks(spec: ObjectSpec) -> dict[str, str]:
    """Return the callback's name by the program's; "" where a program names several.

    The verifier refuses a program with several, so none of them is linked to it.

    Raises:
        RelocationError: a tag is on something else than a global function.

    Kernel: bpf_throw(), since v6.7.
    """
    btf = spec.btf
    found: dict[str, str] = {}
    if btf is None:
        return found
    for type_id in range(1, len(btf)):
        if btf.kind(type_id) != BTF_KIND_DECL_TAG or not btf.name(type_id).startswith(_TAG):
            continue
        tag = btf.type(type_id)
        assert isinstance(tag, DeclTag)
        if tag.component != -1:
            continue
        tagged = btf.type(tag.type)
        if not isinstance(tagged, Func) or tagged.linkage != BTF_FUNC_GLOBAL:
            raise RelocationError(
                f"declaration tag {tag.name!r} is on {tagged.name!r}, which is no program"
            )
        name = tag.name[len(_TAG) :]
        if not name:
            raise RelocationError(f"program {tagged.name!r} names an empty exception callback")
        found[tagged.name] = "" if tagged.name in found else name
    return found


def find_callback(spec: ObjectSpec, program: ProgramSpec, name: str) -> ProgramSpec:
    """Return the subprogram that a program wants to be its exception callback.

    Raises:
        RelocationError: there is none of that name, or it is static or hidden.
    """
    for function in spec.subprograms:
        if function.name == name:
            if not function.is_global or function.is_hidden:
                break
            return function
    else:
        raise RelocationError(
            f"program {program.name!r}: there is no exception callback {name!r} in .text"
        )
    raise RelocationError(
        f"program {program.name!r}: exception callback {name!r} must be a global function that is"
        " not hidden"
    )
