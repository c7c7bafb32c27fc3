"""Which symbols of the inputs are one, and which of them counts.

The rules are libbpf's. Static symbols are kept apart, whatever their names. Of the definitions of a
global one may be strong, all others are weak; where none is strong, the first counts. A symbol
stays strong, and hidden, once an input had it so. What is one has to fit by BTF.
"""

from __future__ import annotations

from ..elf.image import SHN_LORESERVE, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_SECTION
from ..errors import LinkerError
from .output import OutputSymbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .inputs import InputObject, InputSection, InputSymbol
    from .output import OutputSection

__all__ = ["MAPS_SECTION", "SymbolMerger"]

MAPS_SECTION = ".maps"
_JUMP_TABLES = ".jumptables"  # the compiler's, of which BTF says nothing


class SymbolMerger:
    """The symbols of the output; `named` has those that inputs share."""

    def __init__(self) -> None:
        self.every: list[OutputSymbol] = []
        self.named: dict[str, OutputSymbol] = {}

    def add(self, source: InputObject) -> None:
        """Add an input's symbols; each gets its `out`.

        Raises:
            LinkerError: a conflict with an earlier input, or BTF is missing.
        """
        for symbol in source.symbols[1:]:
            section = None
            if not symbol.is_extern and symbol.shndx < SHN_LORESERVE:
                section = source.sections[symbol.shndx]
                if section.out is None:
                    continue
            if section is not None and section.is_dropped:
                # One of the licences that are equal: the first input's symbol serves.
                known = self.named.get(symbol.name)
                symbol.out = section.out.symbol if known is None and section.out else known
            elif symbol.bind == STB_LOCAL or (section and section.name == _JUMP_TABLES):
                symbol.out = self._local(source, symbol, section)
            else:
                symbol.out = self._global(source, symbol, section)

    def _local(
        self, source: InputObject, symbol: InputSymbol, section: InputSection | None
    ) -> OutputSymbol:
        if symbol.type == STT_SECTION and section is not None and section.out is not None:
            if section.out.symbol is None:
                section.out.symbol = self._new(source, symbol, section)
                section.out.symbol.value = 0
            return section.out.symbol
        return self._new(source, symbol, section)

    def _global(
        self, source: InputObject, symbol: InputSymbol, section: InputSection | None
    ) -> OutputSymbol:
        type_id, datasec = source.declaration(symbol.name)
        declared_in = None if section is None else section.out
        if symbol.is_extern and datasec:
            assert source.btf is not None
            shell = source.section(source.btf.name(datasec))
            declared_in = None if shell is None else shell.out
        known = self.named.get(symbol.name)
        if known is None:
            known = self.named[symbol.name] = self._new(source, symbol, section)
            known.type_id = type_id
            known.declared_in = declared_in
            return known
        self._unite(known, source, symbol, section, declared_in, type_id)
        return known

    def _unite(
        self,
        known: OutputSymbol,
        source: InputObject,
        symbol: InputSymbol,
        section: InputSection | None,
        declared_in: OutputSection | None,
        type_id: int,
    ) -> None:
        if not (symbol.is_extern or known.is_extern or known.is_weak or symbol.bind == STB_WEAK):
            raise conflict(known, source, type_id, "both define it; make one of them __weak")
        if known.declared_in is not declared_in and _is_virtual(known, symbol, declared_in):
            raise conflict(
                known,
                source,
                type_id,
                f"it is in section {_section_name(known.declared_in)} and in"
                f" {_section_name(declared_in)}",
            )
        from .compat import mismatch

        why = mismatch(known, source, symbol, type_id)
        if why:
            raise conflict(known, source, type_id, why)
        if symbol.bind == STB_GLOBAL:
            known.bind = STB_GLOBAL
            known.is_weak = False
        known.visibility = max(known.visibility, symbol.visibility)
        if symbol.is_extern:
            if known.is_extern and known.declared_in is None and declared_in is not None:
                known.source, known.type_id, known.declared_in = source, type_id, declared_in
            return
        if not known.is_extern and symbol.bind == STB_WEAK:
            return
        known.type = symbol.type
        known.source, known.type_id = source, type_id
        known.is_extern = False
        _place(known, symbol, section)
        known.declared_in = known.section

    def _new(
        self, source: InputObject, symbol: InputSymbol, section: InputSection | None
    ) -> OutputSymbol:
        new = OutputSymbol(symbol.name, symbol.bind, source)
        new.type = symbol.type
        new.visibility = symbol.visibility
        new.is_extern = symbol.is_extern
        new.is_weak = symbol.bind == STB_WEAK
        _place(new, symbol, section)
        self.every.append(new)
        return new


def _place(new: OutputSymbol, symbol: InputSymbol, section: InputSection | None) -> None:
    new.shndx = symbol.shndx
    new.section = None if section is None else section.out
    new.value = symbol.value + (0 if section is None else section.offset)
    new.size = symbol.size


def _is_virtual(
    known: OutputSymbol, symbol: InputSymbol, declared_in: OutputSection | None
) -> bool:
    """Tell whether an extern for the loader (`__ksym`, `__kconfig`) meets something else."""
    if known.is_extern and symbol.is_extern:
        return known.declared_in is not None and declared_in is not None
    extern_in = known.declared_in if known.is_extern else declared_in
    return (known.is_extern or symbol.is_extern) and extern_in is not None


def _section_name(section: OutputSection | None) -> str:
    return "none" if section is None else repr(section.name)


def conflict(known: OutputSymbol, source: InputObject, type_id: int, why: str) -> LinkerError:
    """Return the error for a symbol of two inputs that do not fit, with its type in both."""
    from .compat import c_text

    lines = [f"{source.label}: {known.name!r} conflicts with {known.source.label}: {why}"]
    for one, declared in ((known.source, known.type_id), (source, type_id)):
        lines.append(f"in {one.label}: {c_text(one, declared)}")
    return LinkerError("\n  ".join(lines))
