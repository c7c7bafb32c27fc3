"""`Btf`: the types of one blob, decoded when asked for, and what can be asked of them."""

from __future__ import annotations

from struct import pack

from ..errors import BtfError
from .decode import decode
from .parse import LARGE, SECTION, Header, around, bytes_of, index_records, words_of
from .types import (
    BTF_KIND_DATASEC,
    BTF_KIND_DECL_TAG,
    BTF_KIND_INT,
    MODIFIER_KINDS,
    VOID,
    BtfType,
    DeclTag,
    kind_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: As in libbpf and the kernel: a longer chain of modifiers or of nested types is taken for a loop.
MAX_RESOLVE_DEPTH = 32

#: Types whose names are looked at in one go: each is a Python number for as long as that takes.
_PIECE = 1 << 13

_LONG_NAMES = (
    "long int",
    "long unsigned int",
    "long",
    "unsigned long",
    "unsigned long int",
    "int long",
    "long unsigned",
    "unsigned int long",
    "long int unsigned",
    "int unsigned long",
    "int long unsigned",
)


class Btf:
    """The types of one BTF blob, or of a split BTF on top of its base.

    Ids run from 0 (`void`) to len(btf) - 1; a split BTF continues its base's ids and string
    offsets. Opening indexes the records, no more; `type(id)` decodes one and keeps it.

    Kernel: include/uapi/linux/btf.h, since v4.18.
    """

    def __init__(self, data: bytes, base: Btf | None = None) -> None:
        self.base = base
        self.header = header = Header(data)
        if base is not None and base.byte_order != header.byte_order:
            raise BtfError("split BTF and its base differ in byte order", section=SECTION, offset=0)
        #: "<" or ">".
        self.byte_order: str = header.byte_order
        #: Id of the first type that is in this blob and not in the base.
        self.start_id: int = 1 if base is None else len(base)
        self._start_str_off: int = 0 if base is None else base._end_str_off
        self._end_str_off: int = self._start_str_off + header.str_len
        self._strings = self._check_strings(data)
        self._words = words_of(data, header)
        base_layout = () if base is None else base.header.layout
        self._starts = index_records(self._words, header, base_layout)
        self._end_id = self.start_id + len(self._starts)
        self._types: dict[int, BtfType] = {0: VOID}
        self._found: dict[str, list[int]] = {}
        self._name_table: bytes | None = None
        self._strings_with: dict[bytes, bytes] = {}
        self._shares_suffixes = False
        self._aligns: dict[int, int] = {}
        self._tags: dict[tuple[int, int], list[str]] | None = None
        self._pointer_size: int | None = None
        #: The whole blob; of a large one only what the words and the strings do not say.
        self._data = data
        self._around: tuple[bytes, bytes, bytes] | None = None
        if header.type_len < LARGE:
            self.check_names()
        else:
            self._data = b""
            self._around = around(data, header)

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview, *, base: Btf | None = None) -> Btf:
        """Index a BTF blob of either byte order.

        Checks what stepping over the types can show: the header, the strings' ends, kinds, and
        lengths. Names of types are checked too, except in more than 64 KiB of types, where that
        waits for the first `find`. What a type refers to is checked as it is decoded; `validate`
        does it for all.

        Args:
            data: the section `.BTF` of an object, or a file like /sys/kernel/btf/vmlinux.
            base: what a split BTF (a kernel module's) continues.

        Raises:
            BtfError: with the section `.BTF` and the byte offset in it.
        """
        return cls(data if isinstance(data, bytes) else bytes(data), base)

    def __repr__(self) -> str:
        split = f" on a base of {self.start_id}" if self.base is not None else ""
        return f"<Btf: {self._end_id - self.start_id} types{split}, byte order {self.byte_order!r}>"

    def __len__(self) -> int:
        """Return one more than the highest id, as btf__type_cnt does: `void` and the base count."""
        return self._end_id

    def to_bytes(self) -> bytes:
        """Return the blob, byte for byte as it was given."""
        if self._around is None:
            return self._data
        head, between, tail = self._around
        records = bytes_of(self._words, self.header)
        return b"".join((head, records, between, self._strings, tail))

    # --- types ------------------------------------------------------------------------------------

    def type(self, type_id: int) -> BtfType:
        """Return the type with that id; 0 is `void`.

        Raises:
            BtfError: there is no such id, or the type's record is damaged.
        """
        found = self._types.get(type_id)
        if found is not None:
            return found
        if type_id < self.start_id and self.base is not None:
            return self.base.type(type_id)
        words, at = self.record(type_id)
        position = type_id - self.start_id + 1
        end = self._starts[position] if position < len(self._starts) else len(words)
        found = self._types[type_id] = decode(self, words, at, end)
        return found

    def types(self) -> Iterator[tuple[int, BtfType]]:
        """Yield (id, type) of this blob's types, ascending; those of a base are not among them."""
        for type_id in range(self.start_id, self._end_id):
            yield type_id, self.type(type_id)

    def kind(self, type_id: int) -> int:
        """Return a type's BTF_KIND_* without decoding it."""
        if type_id == 0:
            return 0
        words, at = self.record(type_id)
        return words[at + 1] >> 24 & 0x7F

    def name(self, type_id: int) -> str:
        """Return a type's name without decoding it, "" if it has none."""
        if type_id == 0:
            return ""
        words, at = self.record(type_id)
        return self.string(words[at])

    def string(self, offset: int) -> str:
        """Return the string at an offset in the string section.

        Bytes that are no UTF-8 come as surrogates, as in file names, so nothing is lost.

        Raises:
            BtfError: the offset is outside of the section.
        """
        if offset == 0:
            return ""
        own = offset - self._start_str_off
        if own < 0 and self.base is not None:
            return self.base.string(offset)
        if not 0 <= own < len(self._strings):
            raise BtfError(
                f"string offset {offset:#x} is beyond the strings' end ({self._end_str_off:#x})",
                section=SECTION,
            )
        end = self._strings.find(b"\0", own)
        return self._strings[own:end].decode("utf-8", "surrogateescape")

    # --- names ------------------------------------------------------------------------------------

    def find(self, name: str, kind: int | None = None) -> list[int]:
        """Return the ids of all types with that name, ascending; those of the base come first.

        No type is decoded: the name is searched in the strings, and its offset among the names'
        offsets. The empty name finds nothing.

        Args:
            kind: BTF_KIND_*; None for any.
        """
        ids = self._found.get(name)
        if ids is None:
            ids = [] if self.base is None else self.base.find(name)
            own = sorted(
                type_id for offset in self.string_offsets(name) for type_id in self._named(offset)
            )
            ids = self._found[name] = ids + own
        if kind is None:
            return list(ids)
        return [type_id for type_id in ids if self.kind(type_id) == kind]

    def find_datasec(self, name: str) -> int | None:
        """Return the id of the DATASEC of a section, `".bss"`, None if it has no types."""
        ids = self.find(name, BTF_KIND_DATASEC)
        return ids[0] if ids else None

    def string_offsets(self, text: str) -> list[int]:
        """Return each offset at which that string can be read, also inside of a longer string."""
        wanted = text.encode("utf-8", "surrogateescape")
        if not wanted or b"\0" in wanted:
            return []
        found = [] if self.base is None else self.base.string_offsets(text)
        wanted += b"\0"
        at = self._strings.find(wanted)
        while at >= 0:
            found.append(self._start_str_off + at)
            at = self._strings.find(wanted, at + 1)
        return found

    def strings_with(self, part: bytes) -> bytes:
        """Return those own strings that have part in them, each ended by NUL; kept, once asked."""
        kept = self._strings_with.get(part)
        if kept is None:
            strings, found, end = self._strings, [], 0
            while (at := strings.find(part, end)) >= 0:
                end = strings.index(b"\0", at) + 1
                found.append(strings[strings.rfind(b"\0", 0, at) + 1 : end])
            kept = self._strings_with[part] = b"".join(found)
        return kept

    def _named(self, offset: int) -> list[int]:
        table = self._names()
        own = offset - self._start_str_off
        if own > 0 and self._strings[own - 1] and not self._shares_suffixes:
            return []
        wanted = pack("=I", offset)
        ids = []
        at = table.find(wanted)
        while at >= 0:
            if at % 4 == 0:
                ids.append(self.start_id + at // 4)
            at = table.find(wanted, at + 1)
        return ids

    def _names(self) -> bytes:
        """Return the name offsets of all own types as packed words, checked."""
        if self._name_table is None:
            # The byte before each name: an IndexError where a name is beyond the strings, and not
            # 0 where it is the end of another string. Compilers and pahole do not share strings so,
            # and `find` need not look for names that are the end of others then.
            before = (b"\0" + self._strings)[:-1]
            start = self._start_str_off
            packed = []
            for first in range(0, len(self._starts), _PIECE):
                names = _pick(self._words, self._starts[first : first + _PIECE])
                own = names if not start else [name - start for name in names if name >= start]
                try:
                    self._shares_suffixes |= any(_pick(before, own))
                except IndexError:
                    raise self._bad_name(first, names) from None
                packed.append(pack(f"={len(names)}I", *names))
            self._name_table = b"".join(packed)
        return self._name_table

    def _bad_name(self, first: int, names: Sequence[int]) -> BtfError:
        end = self._end_str_off
        at, name = next((i, name) for i, name in enumerate(names) if name >= end)
        return BtfError(
            f"type [{self.start_id + first + at}]: its name at {name:#x} is beyond the strings' "
            f"end ({end:#x})",
            section=SECTION,
            offset=self.offset_of(self._starts[first + at]),
        )

    def check_names(self) -> None:
        """Raise BtfError if the name of a type is beyond the strings."""
        self._names()

    # --- questions --------------------------------------------------------------------------------

    def resolve(self, type_id: int) -> int:
        """Return the id of what is behind typedefs, const, volatile, restrict, type tags, and VAR.

        `void` (0), FWD and all other kinds resolve to themselves.

        Raises:
            BtfError: the chain is longer than 32: a loop.
        """
        at = type_id
        for _ in range(MAX_RESOLVE_DEPTH):
            if self.kind(at) not in MODIFIER_KINDS:
                return at
            at = self.target(at)
        raise self._loop(type_id)

    def target(self, type_id: int) -> int:
        """Return the id that a reference's third word holds (PTR, TYPEDEF, CONST, FUNC, VAR, …)."""
        words, at = self.record(type_id)
        target = words[at + 2]
        if target >= self._end_id:
            self.check_id(target, at + 2)
        return target

    @property
    def pointer_size(self) -> int:
        """Bytes of a pointer: the size of `long` if this BTF has it, else 8.

        BPF objects built for a 32-bit target's headers still have pointers of 8 bytes; their loader
        assigns 8.
        """
        if self._pointer_size is None:
            self._pointer_size = self._guess_pointer_size()
        return self._pointer_size

    @pointer_size.setter
    def pointer_size(self, size: int) -> None:
        if size not in (4, 8):
            raise ValueError(f"a pointer has 4 or 8 bytes, not {size}")
        self._pointer_size = size
        self._aligns.clear()

    def _guess_pointer_size(self) -> int:
        if self.base is not None:
            return self.base.pointer_size
        for name in _LONG_NAMES:
            for type_id in self.find(name, BTF_KIND_INT):
                words, at = self.record(type_id)
                size = words[at + 2]
                if size in (4, 8):
                    return size
        return 8

    def size_of(self, type_id: int) -> int:
        """Return the size of a type in bytes, as C's sizeof; for a DATASEC that of the section.

        Raises:
            BtfError: the type has no size (void, FWD, FUNC, FUNC_PROTO), or it contains itself.
        """
        from .layout import size_of

        return size_of(self, type_id)

    def align_of(self, type_id: int) -> int:
        """Return the alignment of a type in bytes; 1 for a struct whose members show it packed.

        Raises:
            BtfError: the type has no alignment (void, FWD, FUNC, DATASEC), or it contains itself.
        """
        from .layout import align_of

        return align_of(self, type_id, self._aligns)

    def decl_tags(self, type_id: int, component: int = -1) -> list[str]:
        """Return the texts of the declaration tags on a type, in the order of their ids.

        Args:
            component: the index of a member or parameter, -1 for those on the type itself.
        """
        if self._tags is None:
            self._tags = {}
            words = self._words
            for number, at in enumerate(self._starts):
                if words[at + 1] >> 24 & 0x7F == BTF_KIND_DECL_TAG:
                    tag = self.type(self.start_id + number)
                    assert isinstance(tag, DeclTag)
                    self._tags.setdefault((tag.type, tag.component), []).append(tag.name)
        below = [] if self.base is None else self.base.decl_tags(type_id, component)
        return below + self._tags.get((type_id, component), [])

    def c_name(self, type_id: int) -> str:
        """Return a type as C writes it: `"const char *"`, `"struct foo"`, `"unsigned int [4]"`."""
        from .cname import declaration

        return declaration(self, type_id)

    def validate(self) -> None:
        """Check every type of this blob, as one must before trusting what somebody else built.

        Raises:
            BtfError: an id or a string offset points nowhere, a kind refers to one that it may not
                refer to, or a type contains itself.
        """
        from .validate import validate

        validate(self)

    # --- changes ----------------------------------------------------------------------------------

    def replace(self, changes: Mapping[int, BtfType]) -> Btf:
        """Return a copy in which some types are others of the same encoded length.

        For what a loader corrects: sizes, offsets and order in a DATASEC, a linkage, a bit of a
        member. Strings stay as they are: the new types may use only names that the blob has.

        Args:
            changes: the new types by id; ids of a base are not allowed.

        Raises:
            ValueError: an id is not in this blob, a record would change its length, or a name is
                new.
            NotSupportedError: the header has fields that are not known here.
        """
        from .encoder import replace

        return replace(self, changes)

    def extend(self, types: Iterable[BtfType]) -> Btf:
        """Return a copy with more types behind the last one; their ids begin at len(self).

        Ids and strings of the types that are there stay what they are.

        Raises:
            ValueError: a field is too large for BTF.
            NotSupportedError: the header has fields that are not known here.
        """
        from .encoder import extend

        return extend(self, types)

    # --- for the modules of this package ----------------------------------------------------------

    def records(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return all own words, and the index of each own record's first word."""
        return self._words, self._starts

    def record(self, type_id: int) -> tuple[Sequence[int], int]:
        """Return the words that have a type's record, and the index of its first."""
        if type_id < self.start_id and self.base is not None:
            return self.base.record(type_id)
        number = type_id - self.start_id
        if not 0 <= number < len(self._starts):
            raise BtfError(f"there is no type id {type_id}, the last is {self._end_id - 1}")
        return self._words, self._starts[number]

    def string_section(self) -> bytes:
        """Return the blob's own strings, each ended by NUL."""
        return self._strings

    @property
    def end_string_offset(self) -> int:
        """The offset after the last string, the base's strings counted."""
        return self._end_str_off

    def offset_of(self, word: int) -> int:
        """Return the byte offset in the blob of a word of its types."""
        return self.header.type_start + 4 * word

    def check_id(self, type_id: int, word: int) -> None:
        """Raise BtfError if there is no such type; `word` is where it was referred to."""
        if type_id >= self._end_id:
            raise BtfError(
                f"type id {type_id} does not exist, the last is {self._end_id - 1}",
                section=SECTION,
                offset=self.offset_of(word),
            )

    def check_ids(self, type_ids: Sequence[int], word: int, stride: int) -> None:
        """Do as check_id for ids that are `stride` words apart."""
        if type_ids and max(type_ids) >= self._end_id:
            for number, type_id in enumerate(type_ids):
                self.check_id(type_id, word + stride * number)

    def _loop(self, type_id: int) -> BtfError:
        kind = kind_name(self.kind(type_id))
        return BtfError(
            f"type [{type_id}] {kind} {self.name(type_id)!r} refers to itself, or is nested deeper "
            f"than {MAX_RESOLVE_DEPTH}",
            section=SECTION,
        )

    def _check_strings(self, data: bytes) -> bytes:
        start, size = self.header.str_start, self.header.str_len
        strings = data[start : start + size]
        if self.base is not None and not size:
            return strings
        if not strings.endswith(b"\0"):
            raise BtfError(
                "the strings do not end with NUL", section=SECTION, offset=start + max(size - 1, 0)
            )
        if self.base is None and strings[0]:
            raise BtfError(
                "the first string is not empty: is this split BTF, which needs its base?",
                section=SECTION,
                offset=start,
            )
        return strings


def _pick(source: Sequence[int], indexes: Sequence[int]) -> Sequence[int]:
    """Return source[i] for each i of indexes."""
    if len(indexes) < 1000:
        return [source[i] for i in indexes]
    from _operator import itemgetter  # half the time of a loop; `operator` imports more

    picked: tuple[int, ...] = itemgetter(*indexes)(source)
    return picked
