"""A BTF and its bases as one: words, places of records, and strings, each by id or offset."""

from __future__ import annotations

from array import array

from ..errors import BtfError
from .btf import Btf
from .parse import SECTION
from .types import BTF_KIND_STRUCT, BTF_KIND_TYPEDEF, BTF_KIND_UNION, MODIFIER_KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


#: References on the way from a member to a struct.
_MAX_CHAIN = 128
#: Strings that are kept decoded; most of a kernel's are the name of one thing.
_KEPT_NAMES = 1 << 13


class Flat:
    """What passes over all types read, without a call for each.

    Attributes:
        words: the records of all types.
        starts: by type id, the index in `words` of its record; that of `void` is of no use.
        kinds: by type id, BTF_KIND_*.
    """

    def __init__(self, btf: Btf) -> None:
        chain = [btf]
        while chain[-1].base is not None:
            chain.append(chain[-1].base)
        self.starts = array("I", (0,))
        if len(chain) == 1:
            words, starts = btf.records()
            self.words: Sequence[int] = words
            self.starts.extend(starts)
        else:
            joined = array("I")
            for each in reversed(chain):
                words, starts = each.records()
                self.starts.extend([len(joined) + at for at in starts])
                joined.extend(words)
            self.words = joined
        self._strings = b"".join(each.string_section() for each in reversed(chain))
        words = self.words
        self.kinds = bytearray([words[at + 1] >> 24 & 0x7F for at in self.starts])
        if self.kinds:
            self.kinds[0] = 0
        self.names = _Names(self._strings)

    def name(self, type_id: int) -> str:
        """Return a type's name, "" if it has none."""
        return self.names[self.words[self.starts[type_id]]] if type_id else ""


def flat_of(btf: Btf) -> Flat:
    """Return the flat view of a BTF, made once."""
    flat = btf.__dict__.get("_flat")
    if flat is None:
        flat = btf.__dict__["_flat"] = Flat(btf)
    assert isinstance(flat, Flat)
    return flat


def embedded(flat: Flat, type_id: int) -> int:
    """Return the named struct or union that a member without name is, 0 if it is none.

    A struct behind a typedef counts as named. Only -fms-extensions let C have such a member.
    """
    words, starts, kinds = flat.words, flat.starts, flat.kinds
    named = False
    for _ in range(_MAX_CHAIN):
        kind, at = kinds[type_id], starts[type_id]
        if kind in (BTF_KIND_STRUCT, BTF_KIND_UNION):
            return type_id if named or words[at] else 0
        if kind not in MODIFIER_KINDS:
            return 0
        named |= kind == BTF_KIND_TYPEDEF
        type_id = words[at + 2]
    return 0


class _Names(dict[int, str]):
    """Strings by their offset, decoded when they are asked for; the latest ones are kept."""

    def __init__(self, strings: bytes) -> None:
        super().__init__({0: ""})
        self._strings = strings

    def __missing__(self, offset: int) -> str:
        if offset >= len(self._strings):
            raise BtfError(
                f"string offset {offset:#x} is beyond the strings' end ({len(self._strings):#x})",
                section=SECTION,
            )
        raw = self._strings[offset : self._strings.find(b"\0", offset)]
        if len(self) >= _KEPT_NAMES:
            self.clear()
            self[0] = ""
        text = self[offset] = raw.decode("utf-8", "surrogateescape")
        return text
