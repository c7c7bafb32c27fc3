"""`BtfBuilder`: BTF made type by type, or out of other BTF."""

from __future__ import annotations

import struct

from .btf import Btf
from .encoder import StringTable, assemble, record_of
from .fields import check_ids, ids_of, one_record, own_records, rewrite
from .parse import NATIVE
from .types import BtfType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class BtfBuilder:
    """BTF under construction: types get ids in the order in which they come.

    A type may refer to ids that are still to come: what is referred to counts when `build` is
    called. Strings are kept once.

    Args:
        base: what the types continue, for a split BTF; ids begin at len(base).
        byte_order: "<" or ">"; by default that of the base, or of this machine.
    """

    def __init__(self, base: Btf | None = None, *, byte_order: str | None = None) -> None:
        if byte_order is None:
            byte_order = NATIVE if base is None else base.byte_order
        if base is not None and byte_order != base.byte_order:
            raise ValueError("a split BTF has the byte order of its base")
        self.base = base
        self.byte_order = byte_order
        self._start = 1 if base is None else len(base)
        self._records: list[Sequence[int]] = []
        self._strings = StringTable(base)
        self._names: _Names | None = None

    @classmethod
    def of(cls, btf: Btf) -> BtfBuilder:
        """Return a builder that begins with a BTF: its types keep their ids, its strings their
        offsets.

        Raises:
            NotSupportedError: a type is of a kind that is not known here.
        """
        builder = cls(btf.base, byte_order=btf.byte_order)
        builder._records = [record for _, _, record in own_records(btf)]
        builder._strings = StringTable(btf.base, btf.string_section())
        return builder

    def __len__(self) -> int:
        """Return the id that the next type will get."""
        return self._start + len(self._records)

    def add(self, t: BtfType) -> int:
        """Add a type of any kind and return its id.

        Raises:
            ValueError: a field is too large for BTF, or a name has NUL in it.
        """
        self._records.append(self._record(t, len(self)))
        return len(self) - 1

    def replace(self, type_id: int, t: BtfType) -> None:
        """Put another type, of any length, in the place of one that was added.

        Raises:
            ValueError: as for `add`, or there is no such id, or it is one of the base.
        """
        if not self._start <= type_id < len(self):
            raise ValueError(f"type id {type_id} is not in this BTF")
        self._records[type_id - self._start] = self._record(t, type_id)

    def add_str(self, text: str) -> int:
        """Return the offset of a string, which is added if it is new."""
        return self._strings.add(text)

    def append(self, other: Btf) -> int:
        """Add all types of another BTF and return by how much their ids grow.

        Id i of `other` becomes i + the returned number. If `other` is a split BTF, it has to have
        this builder's base; then ids of the base stay, and those from len(base) on grow. Strings
        that no type uses are not taken along. Either all types are added or, after an error, none.

        Raises:
            BtfError: a type refers to an id or a string that does not exist.
            NotSupportedError: a type is of a kind that is not known here.
            ValueError: `other` has another base.
        """
        offset = len(self) - other.start_id
        self.merge(other)
        return offset

    def merge(self, other: Btf, known: Mapping[int, int] | None = None) -> list[int]:
        """Add the types of another BTF but for some, and return the new id of each by the old one.

        Args:
            other: as for `append`.
            known: ids of `other` whose types are not added, and what stands for them: ids that this
                builder has or will have.

        Raises:
            BtfError, NotSupportedError, ValueError: as for `append`.
        """
        if other.base is not None and other.base is not self.base:
            raise ValueError("a split BTF can only be added to one on the same base")
        ids = list(range(other.start_id))
        next_id = len(self)
        for type_id in range(other.start_id, len(other)):
            new_id = None if known is None else known.get(type_id)
            if new_id is None:
                new_id = next_id
                next_id += 1
            ids.append(new_id)
        names = _Names(other, self._strings)
        added: list[Sequence[int]] = []
        for type_id, kind, record in own_records(other):
            if known is not None and type_id in known:
                continue
            check_ids(other, type_id, ids_of(kind, record))
            added.append(rewrite(kind, record, names.__getitem__, ids.__getitem__))
        self._records += added
        return ids

    def copy(self, other: Btf, type_id: int, ids: Mapping[int, int] | Sequence[int]) -> int:
        """Add one type of another BTF and return its id.

        Args:
            ids: for each id that the type refers to, `void` too, what it refers to here.

        Raises:
            BtfError: the type refers to a string, or to an id, that `other` or `ids` has not.
            NotSupportedError: it is of a kind that is not known here.
        """
        if self._names is None or self._names.source is not other:
            self._names = _Names(other, self._strings)
        kind, record = one_record(other, type_id)
        check_ids(other, type_id, ids_of(kind, record))
        self._records.append(rewrite(kind, record, self._names.__getitem__, ids.__getitem__))
        return len(self) - 1

    def to_bytes(self, *, byte_order: str | None = None) -> bytes:
        """Return the blob.

        Args:
            byte_order: "<" or ">"; by default the builder's own.
        """
        words = [word for record in self._records for word in record]
        order = byte_order or self.byte_order
        return assemble(
            order, struct.pack(f"{order}{len(words)}I", *words), self._strings.to_bytes()
        )

    def build(self) -> Btf:
        """Return the BTF as it is now; the builder can go on.

        Raises:
            BtfError: a type's record is none that `Btf.parse` takes.
        """
        return Btf.parse(self.to_bytes(), base=self.base)

    def _record(self, t: BtfType, type_id: int) -> list[int]:
        try:
            record = record_of(t, self._strings.add)
            struct.pack(f"<{len(record)}I", *record)
        except (ValueError, struct.error) as error:
            raise ValueError(f"cannot encode type [{type_id}] {t!r}: {error}") from error
        return record


class _Names(dict[int, int]):
    """New string offsets by the old ones, found when they are first asked for."""

    def __init__(self, source: Btf, strings: StringTable) -> None:
        super().__init__()
        self.source = source
        self._strings = strings

    def __missing__(self, offset: int) -> int:
        new = self[offset] = self._strings.add(self.source.string(offset))
        return new
