"""`Linker`: object files in, one object out."""

from __future__ import annotations

import os

from ..elf.image import EM_BPF
from ..elf.writer import write_elf
from ..errors import LinkerError
from .inputs import InputObject
from .output import OutputSection, image_of
from .symbols import SymbolMerger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..elf.image import ByteOrder
    from .inputs import InputSection

__all__ = ["Linker", "link"]

#: Of these the first input's counts, and all others have to be equal.
_EQUAL_SECTIONS = ("license", "version")

_BPF_CALL = 0x85  # BPF_JMP | BPF_CALL
_MAX_SIZE = 0xFFFFFFFF


class Linker:
    """Link compiled BPF objects statically, as libbpf's bpf_linker does.

    Sections of one name are put behind each other, static names are kept apart, each global becomes
    one, types are merged. Externs that no input defines stay, for another link or for the loader.
    The result depends on the inputs and their order alone. An input that cannot be added leaves the
    linker unusable.

    Args:
        name: what messages call the output.
    """

    def __init__(self, name: str = "linked") -> None:
        self.name = name
        self._sources: list[InputObject] = []
        self._sections: dict[str, OutputSection] = {}
        self._symbols = SymbolMerger()
        self._byte_order: ByteOrder = "<"
        self._why_unusable = ""
        self._files: list[tuple[str, tuple[int, int]]] = []
        self._result: bytes | None = None

    def add_file(self, path: str | os.PathLike[str]) -> None:
        """Add an object file.

        Raises:
            OSError: it cannot be read.
            ElfError, BtfError: it is damaged, or no BPF object.
            LinkerError: it cannot be linked with those before it; names the symbol, both files, and
                the types in C.
        """
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read()
        self._add(os.fspath(path), data)
        self._files.append((os.fspath(path), (status.st_dev, status.st_ino)))

    def add_fd(self, fd: int) -> None:
        """Add the object that an open file holds from its start; its position stays what it is.

        Raises:
            OSError, ElfError, BtfError, LinkerError: as for `add_file`.
        """
        status = os.fstat(fd)
        parts = []
        at = 0
        while part := os.pread(fd, 1 << 20, at):
            parts.append(part)
            at += len(part)
        self._add(f"fd:{fd}", b"".join(parts))
        self._files.append((f"fd:{fd}", (status.st_dev, status.st_ino)))

    def add_bytes(self, data: bytes | bytearray | memoryview, name: str = "<bytes>") -> None:
        """Add an object from memory.

        Args:
            name: what messages call it.

        Raises:
            ElfError, BtfError, LinkerError: as for `add_file`.
        """
        self._add(name, bytes(data))

    def unresolved(self) -> list[str]:
        """Return the names of externs that no input defines and no section hands to the loader.

        Externs in `.ksyms` and `.kconfig` are the loader's, and not among them.
        """
        return [
            symbol.name
            for symbol in self._symbols.named.values()
            if symbol.is_extern
            and (symbol.declared_in is None or symbol.declared_in.name == ".maps")
        ]

    def finalize(self) -> bytes:
        """Return the linked object. Nothing can be added after that.

        Raises:
            LinkerError: there are no inputs, or adding one has failed.
        """
        if self._result is None:
            self._check_usable()
            if not self._sources:
                raise LinkerError(f"{self.name}: nothing was added to be linked")
            from .types import merge_types

            sections = list(self._sections.values())
            for section in sections:
                if section.size > _MAX_SIZE:
                    raise LinkerError(f"section {section.name!r} would have {section.size} bytes")
            made = merge_types(self._sources, sections, self._symbols.named, self._byte_order)
            image = image_of(
                self.name, self._byte_order, EM_BPF, sections, self._symbols.every, made
            )
            self._result = write_elf(image)
            self._why_unusable = "it was finalized"
        return self._result

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the linked object, whole or not at all; a file that is there is replaced.

        Raises:
            LinkerError: as for `finalize`; or it would replace an input.
            OSError: the file or its directory cannot be written; nothing has changed then.
        """
        data = self.finalize()
        try:
            status = os.stat(path)
        except FileNotFoundError:
            pass
        else:
            for label, identity in self._files:
                if identity == (status.st_dev, status.st_ino):
                    raise LinkerError(
                        f"{os.fspath(path)}: the output would replace the input {label}"
                    )
        _write(path, data)

    # --- one input --------------------------------------------------------------------------------

    def _add(self, label: str, data: bytes) -> None:
        self._check_usable()
        self._why_unusable = f"adding {label} failed"
        source = InputObject(label, data)
        if not self._sources:
            self._byte_order = source.byte_order
        elif source.byte_order != self._byte_order:
            raise LinkerError(
                f"{label} is {_endian(source.byte_order)}, {self._sources[0].label}"
                f" {_endian(self._byte_order)}"
            )
        for section in source.sections[1:]:
            if section.is_ephemeral or (section.is_data and not section.is_dropped):
                self._merge(source, section)
        self._symbols.add(source)
        for section in source.sections:
            if section.is_relocations and not section.is_dropped:
                self._relocate(source, section)
        self._sources.append(source)
        self._why_unusable = ""

    def _check_usable(self) -> None:
        if self._why_unusable:
            raise LinkerError(f"{self.name}: this linker cannot go on: {self._why_unusable}")

    def _merge(self, source: InputObject, section: InputSection) -> None:
        known = self._sections.get(section.name)
        if known is None:
            known = self._sections[section.name] = OutputSection(section.name, source.label)
        elif section.name in _EQUAL_SECTIONS and not known.is_ephemeral:
            if bytes(known.data) != section.data:
                raise LinkerError(
                    f"section {section.name!r} differs: {bytes(known.data)!r} in {known.first},"
                    f" {section.data!r} in {source.label}"
                )
            section.out = known
            section.is_dropped = True
            return
        known.append(source, section)

    def _relocate(self, source: InputObject, table: InputSection) -> None:
        """Take over an input's relocations of one section, and rebase what they refer to."""
        section = source.sections[table.info]
        out = section.out
        if out is None or section.is_dropped:
            return
        for offset, type_, number in source.relocations(table):
            symbol = source.symbols[number]
            if symbol.out is None:
                raise LinkerError(
                    f"{source.label}: {section.name!r} at {offset:#x} refers to symbol"
                    f" {symbol.name!r} in a section that is not linked"
                )
            out.relocations.append((section.offset + offset, type_, symbol.out))
            if symbol.is_section:
                if not section.is_code:
                    raise LinkerError(
                        f"{source.label}: data in {section.name!r} at {offset:#x} refers to"
                        " something static; make it a global, as libbpf's linker demands too"
                    )
                moved = source.sections[symbol.shndx].offset
                if moved:
                    _rebase(out.data, section.offset + offset, moved, self._byte_order)


def link(inputs: Iterable[str | os.PathLike[str] | bytes], *, name: str = "linked") -> bytes:
    """Link objects, each a path or a file's bytes, and return the object.

    Raises:
        OSError, ElfError, BtfError, LinkerError: as for `Linker`.
    """
    linker = Linker(name)
    for number, each in enumerate(inputs, 1):
        if isinstance(each, (bytes, bytearray, memoryview)):
            linker.add_bytes(each, f"<bytes {number}>")
        else:
            linker.add_file(each)
    return linker.finalize()


def _rebase(code: bytearray, at: int, moved: int, byte_order: str) -> None:
    """Add to the immediate of the instruction at `at`, which is relative to a section that moved.

    A call counts instructions, all else (a variable's or a function's address) bytes.
    """
    order = "little" if byte_order == "<" else "big"
    imm = int.from_bytes(code[at + 4 : at + 8], order, signed=True)  # type: ignore[arg-type]
    imm += moved // 8 if code[at] == _BPF_CALL else moved
    code[at + 4 : at + 8] = (imm & 0xFFFFFFFF).to_bytes(4, order)  # type: ignore[arg-type]


def _endian(byte_order: str) -> str:
    return "little-endian" if byte_order == "<" else "big-endian"


def _write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file beside the target and put it in its place; the target's permissions stay."""
    if os.path.exists(path) and not os.path.isfile(path):
        # A device, or a pipe, which /dev/stdout has no other name of.
        with open(path, "wb") as file:
            file.write(data)
        return
    target = os.path.realpath(path)
    folder, base = os.path.split(target)
    # Not tempfile's: importing it takes longer than all else here.
    partial = os.path.join(folder, f".{base}.{os.getpid()}-{os.urandom(4).hex()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            if os.path.exists(target):
                os.fchmod(handle, os.stat(target).st_mode & 0o7777)
        os.replace(partial, target)
    except BaseException:
        os.unlink(partial)
        raise
