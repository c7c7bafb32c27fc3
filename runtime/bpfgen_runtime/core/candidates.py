"""Types of the kernel that a local type may mean: those of the same essential name and kind."""

from __future__ import annotations

from .compat import same_kind
from .names import essential_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf, BtfType


def find_candidates(local: BtfType, target: Btf) -> list[int]:
    """Return the ids of target's types that local may mean, ascending; no other type is decoded.

    Of a split BTF only its own types count: those of its base were asked before.
    """
    name = essential_name(local.name)
    names = _flavors(target, name)
    if essential_name(name) == name:  # not so of `a___b`, from `a___b___mine`
        names.add(name)
    found = []
    for each in names:
        for type_id in target.find(each):
            if type_id >= target.start_id and same_kind(local, target.type(type_id)):
                found.append(type_id)
    return sorted(found)


def _flavors(target: Btf, name: str) -> set[str]:
    """Return the flavored forms of that name: `name___2`, which BTF-to-C converters make."""
    found = set()
    wanted = f"{name}___".encode("utf-8", "surrogateescape")
    btf: Btf | None = target
    while btf is not None:  # a module's types may have names from the base's strings
        strings = btf.strings_with(b"___")
        at = strings.find(wanted)
        while at >= 0:
            end = strings.index(b"\0", at)
            text = strings[at:end].decode("utf-8", "surrogateescape")
            if essential_name(text) == name:
                found.add(text)
            at = strings.find(wanted, end)
        btf = btf.base
    return found
