"""Which symbols of the inputs are one, and which of them counts.

The rules are libbpf's. Static symbols are kept apart, whatever their names. Of the definitions of a
global one may be strong, all others are weak; where none is strong, the first counts. A symbol
stays strong, and hidden, once an input had it so, be it by an extern declaration. What is one has
to fit by BTF: an input's declaration is compared with what is known by then, which of an extern map
may be several.
"""

from __future__ import annotations

from ..elf.image import SHN_LORESERVE, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_SECTION
from ..errors import LinkerError
from .output import OutputSymbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .compat import Declaration
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
        from .compat import Declaration, mismatch

        new = Declaration(source, type_id, symbol.is_extern)
        earlier = Declaration(known.source, known.type_id, known.is_extern)
        if not (symbol.is_extern or known.is_extern or known.is_weak or symbol.bind == STB_WEAK):
            raise _conflict(earlier, new, _both_define(known))
        if known.declared_in is not declared_in and _is_virtual(known, symbol, declared_in):
            raise _conflict(
                earlier,
                new,
                f"it is in section {_section_name(known.declared_in)} and in"
                f" {_section_name(declared_in)}",
            )
        are_maps = known.declared_in is not None and known.declared_in.name == MAPS_SECTION
        for each in (earlier, *known.others):
            found = mismatch(each, new, are_maps=are_maps)
            if found is not None:
                raise _conflict(each, new, found.why, found.trail)
        if symbol.bind == STB_GLOBAL:
            known.bind = STB_GLOBAL
            if known.is_weak:
                known.strong_by = source.label
            known.is_weak = False
        known.visibility = max(known.visibility, symbol.visibility)
        if symbol.is_extern:
            if known.is_extern and are_maps:
                _keep(known, earlier, new)
            elif known.is_extern and known.declared_in is None and declared_in is not None:
                known.source, known.type_id, known.declared_in = source, type_id, declared_in
            return
        if not known.is_extern and symbol.bind == STB_WEAK:
            return
        known.type = symbol.type
        known.source, known.type_id = source, type_id
        known.is_extern = False
        known.others = ()
        if symbol.bind == STB_GLOBAL:
            known.strong_by = ""
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
        if symbol.is_extern and not new.is_weak:
            new.strong_by = source.label
        _place(new, symbol, section)
        self.every.append(new)
        return new


def _place(new: OutputSymbol, symbol: InputSymbol, section: InputSection | None) -> None:
    new.shndx = symbol.shndx
    new.section = None if section is None else section.out
    new.value = symbol.value + (0 if section is None else section.offset)
    new.size = symbol.size


def _conflict(
    one: Declaration, other: Declaration, why: str, trail: Sequence[tuple[int, int]] = ()
) -> LinkerError:
    from .conflict import conflict

    return conflict(one, other, why, trail)


def _both_define(known: OutputSymbol) -> str:
    if not known.strong_by:
        return "both define it; make one of them __weak"
    return (
        f"both define it, and the __weak one is strong by the extern declaration in"
        f" {known.strong_by}; make that __weak, too, or let the strong definition come first"
    )


def _keep(known: OutputSymbol, earlier: Declaration, new: Declaration) -> None:
    """Keep what extern declarations of one map say; one that says less than another can go."""
    from .compat import given

    attributes = given(new)
    told = [(each, given(each)) for each in (earlier, *known.others)]
    if any(attributes <= others for _, others in told):
        return
    kept = [each for each, others in told if not others <= attributes]
    first, *rest = [new, *kept] if earlier not in kept else [*kept, new]
    known.source, known.type_id, known.others = first.source, first.type_id, tuple(rest)


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
