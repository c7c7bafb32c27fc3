"""The inputs' `.BTF.ext` as one: functions, source lines and CO-RE relocations."""

from __future__ import annotations

from struct import pack, unpack

from ..btf.parse import BTF_MAGIC, BTF_VERSION
from ..errors import BtfError, LinkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..btf.build import BtfBuilder
    from ..btf.deduplicate import Deduped
    from ..btf.ext import CoreRelo, FuncInfo, InfoTable, LineInfo
    from .inputs import InputObject

__all__ = ["ExtMerger"]

_HEADER_SIZE = 32


class ExtMerger:
    """Takes records input by input; ids and strings are a builder's until it is deduplicated."""

    def __init__(self, builder: BtfBuilder) -> None:
        self._builder = builder
        self._tables = (
            _Table("func_info", 1, ()),
            _Table("line_info", None, (1, 2)),
            _Table("core_relos", 1, (2,)),
        )

    def add(self, source: InputObject, ids: Sequence[int]) -> None:
        """Add an input's records.

        Args:
            ids: the builder's ids of its types, by its own.

        Raises:
            LinkerError: the records are of another size than those of an earlier input, or are
                about a section that is not there.
            BtfError: a type or a string does not exist.
        """
        for table in self._tables:
            table.add(source, ids, self._builder)

    def strings(self) -> set[int]:
        """Return the builder's offsets of all strings that records need."""
        found: set[int] = set()
        for table in self._tables:
            for section, records in table.sections.items():
                found.add(self._builder.add_str(section))
                for at in table.strings_at:
                    found.update(records[at :: table.words])
        return found

    def to_bytes(self, deduped: Deduped, order: Sequence[str], byte_order: str) -> bytes:
        """Return the section, b"" without records.

        Args:
            deduped: what became of the builder's types and strings.
            order: the names of the sections; records come in this order.
        """
        places: list[int] = []
        body: list[int] = []
        for table in self._tables:
            part = []
            for name in order:
                if name in table.sections:
                    records = table.renumbered(name, deduped)
                    section = deduped.strings[self._builder.add_str(name)]
                    part += [section, len(records) // table.words, *records]
            if part:
                part.insert(0, 4 * table.words)
            places += (4 * len(body), 4 * len(part))
            body += part
        if not body:
            return b""
        header = pack(byte_order + "HBBI", BTF_MAGIC, BTF_VERSION, 0, _HEADER_SIZE)
        return header + pack(f"{byte_order}{len(places) + len(body)}I", *places, *body)


class _Table:
    """The records of one sort, as words.

    Args:
        name: of the `BtfExt`'s attribute.
        type_at: the word of a record that is a type id, None if none is.
        strings_at: the words that are string offsets.
    """

    def __init__(self, name: str, type_at: int | None, strings_at: tuple[int, ...]) -> None:
        self.name = name
        self.type_at = type_at
        self.strings_at = strings_at
        self.words = 0
        self.first = ""
        self.sections: dict[str, list[int]] = {}

    def add(self, source: InputObject, ids: Sequence[int], builder: BtfBuilder) -> None:
        ext, btf = source.btf_ext, source.btf
        if ext is None or btf is None:
            return
        table: InfoTable[FuncInfo] | InfoTable[LineInfo] | InfoTable[CoreRelo]
        table = getattr(ext, self.name)
        if not len(table):
            return
        words = table.rec_size // 4
        if self.words and self.words != words:
            raise LinkerError(
                f".BTF.ext has {self.name} records of {4 * self.words} bytes in {self.first}, and"
                f" of {4 * words} in {source.label}"
            )
        self.words, self.first = words, self.first or source.label
        names: dict[int, int] = {}
        for section_name, raw in table.raw.items():
            section = source.section(section_name)
            if section is None or section.out is None:
                raise LinkerError(
                    f"{source.label}: .BTF.ext is about section {section_name!r}, which is not"
                    " there"
                )
            records = list(unpack(f"{source.byte_order}{len(raw) // 4}I", raw))
            if section.offset:
                records[::words] = [at + section.offset for at in records[::words]]
            if self.type_at is not None:
                old_ids = records[self.type_at :: words]
                if max(old_ids) >= len(ids):
                    raise BtfError(
                        f"{source.label}: there is no type id {max(old_ids)}", section=".BTF.ext"
                    )
                records[self.type_at :: words] = [ids[type_id] for type_id in old_ids]
            for at in self.strings_at:
                offsets = records[at::words]
                for offset in set(offsets) - names.keys():
                    names[offset] = builder.add_str(btf.string(offset))
                records[at::words] = [names[offset] for offset in offsets]
            self.sections.setdefault(section.out.name, []).extend(records)

    def renumbered(self, section: str, deduped: Deduped) -> list[int]:
        records = self.sections[section]
        if self.type_at is not None:
            ids = records[self.type_at :: self.words]
            records[self.type_at :: self.words] = [deduped.ids[type_id] for type_id in ids]
        for at in self.strings_at:
            offsets = records[at :: self.words]
            records[at :: self.words] = [deduped.strings[offset] for offset in offsets]
        return records
