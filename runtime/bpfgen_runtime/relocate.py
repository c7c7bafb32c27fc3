"""Make a loadable program of a function: append what it calls, and fill in maps and globals.

Two steps, so that every error of the file shows before anything is made in the kernel:
`Relocator.link` needs only the spec; `LinkedProgram.fill_in` (in `linked`) puts in the descriptors.
"""

from __future__ import annotations

from .elf.image import SHN_LORESERVE, SHN_UNDEF, STB_GLOBAL, STB_WEAK, STT_FUNC, STT_SECTION
from .errors import NotSupportedError, RelocationError
from .insn import (
    BPF_CALL,
    BPF_JMP,
    BPF_PSEUDO_CALL,
    BPF_PSEUDO_FUNC,
    INSN_SIZE,
    LD_IMM64,
    get_imm,
    get_src,
    set_imm,
    set_src,
)
from .linked import POISON_BASE, LinkedProgram
from .loader.arena import ARENA_SECTION, arena_offset
from .loader.globals import KCONFIG_SECTION
from .loader.maps import MAPS_SECTION
from .loader.programs import TEXT_SECTION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from .btf.ext import InfoTable
    from .core import Poison
    from .elf.image import ByteOrder, Symbol
    from .spec import ObjectSpec, ProgramSpec

__all__ = ["Relocator", "describe_poison", "poisoned_map", "unresolved"]

_CALL = BPF_JMP | BPF_CALL

#: How far from its end libbpf looks in a log, too, for what it can explain.
_LAST_LINES = 11

# What a relocated instruction refers to.
_TO_CALL = 0
_TO_FUNCTION = 1
_TO_MAP = 2
_TO_DATA = 3
_TO_KERNEL = 4


class Relocator:
    """Link the programs of one object.

    What is worked out about a function is kept and shared by all programs that contain it.

    Args:
        page_size: bytes of a page here, for the place of globals in an arena.

    Raises:
        RelocationError: from `link`, for a reference that leads nowhere; names function,
            instruction and symbol.
        NotSupportedError: from `link`, for references this version cannot resolve.
    """

    __slots__ = (
        "_arena_offset",
        "_callbacks",
        "_calls",
        "_data_at",
        "_map_at",
        "_spec",
        "_targets",
        "_text",
        "_text_index",
        "patched",
    )

    def __init__(self, spec: ObjectSpec, *, page_size: int = 4096) -> None:
        self._spec = spec
        #: What `core.relocate` made of functions: code in place of theirs, poisoned instructions.
        self.patched: dict[ProgramSpec, tuple[bytes, dict[int, Poison]]] = {}
        # By where they begin in .text, in bytes.
        self._text = {f.insn_offset * INSN_SIZE: f for f in spec.subprograms}
        text = spec.image.section(TEXT_SECTION)
        self._text_index = -1 if text is None else text.index
        self._map_at: dict[tuple[int, int], str] = {}
        self._data_at: dict[int, str] = {}
        self._arena_offset = 0
        for name, map_spec in spec.maps.items():
            if map_spec.is_data:
                self._data_at[map_spec.section_index] = name
            else:
                self._map_at[map_spec.section_index, map_spec.section_offset] = name
            if map_spec.arena_data is not None:
                arena = spec.image.section(ARENA_SECTION)
                if arena is not None:
                    self._data_at[arena.index] = name
                    self._arena_offset = arena_offset(map_spec, page_size)
        self._targets: dict[ProgramSpec, dict[int, tuple[int, str, int]]] = {}
        # Seldom any: looked for, with a module of its own, only if BTF speaks of some.
        strings = b"" if spec.btf is None else spec.btf.string_section()
        self._callbacks: dict[str, str] | None = None if b"exception_callback:" in strings else {}
        self._calls: dict[ProgramSpec, list[tuple[int, ProgramSpec]]] = {}

    def functions_of(self, programs: Iterable[ProgramSpec]) -> list[ProgramSpec]:
        """Return the programs and every subprogram that they reach, each once."""
        found = dict.fromkeys(programs)
        for callback in [self._callback_of(program) for program in found]:
            if callback is not None:
                found[callback] = None
        pending = list(found)
        while pending:
            for _, callee in self._calls_of(pending.pop()):
                if callee not in found:
                    found[callee] = None
                    pending.append(callee)
        return list(found)

    def link(self, program: ProgramSpec) -> LinkedProgram:
        """Append every subprogram that the program reaches, once, and turn the calls to them.

        The order is libbpf's: a subprogram goes to the end where its first call is met, then its
        own calls are followed before those behind it.
        """
        linked = LinkedProgram(program)
        code = linked.code
        base: dict[ProgramSpec, int] = {}  # function -> its first instruction; in order
        # An exception callback comes last, unless the program calls it, which the kernel refuses.
        for root in (program, self._callback_of(program)):
            stack = [iter([(0, root)])] if root is not None else []
            while stack:
                for _, callee in stack[-1]:
                    if callee not in base:
                        base[callee] = len(code) // INSN_SIZE
                        code += self._code_of(callee)
                        stack.append(iter(self._calls_of(callee)))
                        break
                else:
                    stack.pop()
        order = program.byte_order
        for function, first in base.items():
            if function in self.patched:
                for insn, reason in self.patched[function][1].items():
                    linked.poisoned[first + insn] = reason
            targets = self._targets_of(function)
            for insn, callee in self._calls_of(function):
                at = first + insn
                set_imm(code, at, base[callee] - at - 1, order)
                if code[at * INSN_SIZE] == LD_IMM64:
                    set_src(code, at, BPF_PSEUDO_FUNC, order)
            for insn, (kind, name, offset) in targets.items():
                at = first + insn
                if kind == _TO_DATA:
                    addend = get_imm(code, at, order)
                    set_imm(code, at + 1, addend + offset & 0xFFFFFFFF, order)
                if kind in (_TO_DATA, _TO_MAP):
                    linked.map_uses.append((at, name, kind == _TO_DATA))
                elif kind == _TO_KERNEL:
                    linked.extern_uses.append((at, name))
        ext = self._spec.btf_ext
        if ext is not None:
            linked.func_info_size = ext.func_info.known_size
            linked.func_info = self._infos(ext.func_info, "function", base)
            linked.line_info_size = ext.line_info.known_size
            linked.line_info = self._infos(ext.line_info, "line", base)
        return linked

    def _callback_of(self, program: ProgramSpec) -> ProgramSpec | None:
        """Find the program's exception callback."""
        if self._callbacks is None:
            from .loader.exceptions import exception_callbacks

            self._callbacks = exception_callbacks(self._spec)
        name = self._callbacks.get(program.name)
        if not name:
            return None
        from .loader.exceptions import find_callback

        return find_callback(self._spec, program, name)

    def _code_of(self, function: ProgramSpec) -> bytes:
        return self.patched[function][0] if function in self.patched else function.code

    # --- calls

    def _calls_of(self, function: ProgramSpec) -> list[tuple[int, ProgramSpec]]:
        """Find the instructions that call a function or take its address, and the function."""
        calls = self._calls.get(function)
        if calls is None:
            calls = self._calls[function] = list(self._find_calls(function))
        return calls

    def _find_calls(self, function: ProgramSpec) -> Iterator[tuple[int, ProgramSpec]]:
        targets = self._targets_of(function)
        code, order = function.code, function.byte_order
        for insn in _local_calls(code, order, targets):
            imm = get_imm(code, insn, order)
            target = targets.get(insn)
            if target is None:
                # Within one section the compiler resolves a call itself.
                if not function.is_subprogram:
                    raise _bad(
                        function, insn, "calls a function of the same section, which is not .text"
                    )
                callee_at = (function.insn_offset + insn + imm + 1) * INSN_SIZE
            elif target[0] == _TO_CALL:
                # A global function: imm is -1 and the symbol says where. A static one: the symbol
                # is the section's, imm says where.
                callee_at = target[2] + (imm + 1) * INSN_SIZE
            else:
                callee_at = target[2] + imm
            callee = self._text.get(callee_at)
            if callee is None:
                raise _bad(function, insn, f"no function begins at offset {callee_at:#x} of .text")
            yield insn, callee

    # --- relocations

    def _targets_of(self, function: ProgramSpec) -> dict[int, tuple[int, str, int]]:
        """Resolve relocations: instruction -> (kind, map name or "", offset in bytes)."""
        targets = self._targets.get(function)
        if targets is None:
            targets = {}
            for reloc in function.relocs:
                symbol = self._spec.image.symbols[reloc.symbol]
                targets[reloc.insn] = self._target(function, reloc.insn, symbol)
            self._targets[function] = targets
        return targets

    def _target(self, function: ProgramSpec, insn: int, symbol: Symbol) -> tuple[int, str, int]:
        code, at = function.code, insn * INSN_SIZE
        name = self._symbol_name(symbol)
        opcode = code[at]
        is_call = opcode == _CALL
        if not is_call and (opcode != LD_IMM64 or at + 2 * INSN_SIZE > len(code)):
            raise _bad(
                function, insn, f"a relocation by {name!r}, but no call and no 64-bit load there"
            )
        if symbol.shndx == SHN_UNDEF:
            extern = self._spec.externs.get(symbol.name)
            if extern is not None and extern.section != KCONFIG_SECTION:
                return _TO_KERNEL, extern.name, 0
            if extern is not None and not is_call:
                return _TO_DATA, extern.section, extern.offset
            raise _bad(function, insn, f"symbol {name!r} is not defined")
        if is_call:
            if get_src(code, insn, function.byte_order) != BPF_PSEUDO_CALL:
                raise _bad(function, insn, f"a call relocated by {name!r} calls no function")
            if symbol.shndx != self._text_index:
                where = self._section_name(symbol)
                raise _bad(
                    function,
                    insn,
                    f"calls {name!r} of section {where!r}: only .text has subprograms",
                )
            return _TO_CALL, "", symbol.value
        if symbol.shndx >= SHN_LORESERVE:
            raise _bad(function, insn, f"{name!r} has no section; is the global initialised?")
        if symbol.shndx == self._text_index and (
            symbol.type == STT_SECTION
            or (symbol.type == STT_FUNC and symbol.bind in (STB_GLOBAL, STB_WEAK))
        ):
            return _TO_FUNCTION, "", symbol.value
        data = self._data_at.get(symbol.shndx)
        if data is not None:
            offset = 0 if self._spec.maps[data].is_data else self._arena_offset
            return _TO_DATA, data, symbol.value + offset
        map_name = self._map_at.get((symbol.shndx, symbol.value))
        if map_name is not None:
            return _TO_MAP, map_name, 0
        where = self._section_name(symbol)
        if where in self._spec.unsupported:
            raise NotSupportedError(f"section {where!r}", f"function {function.name!r} uses it")
        if where == MAPS_SECTION:
            raise _bad(
                function, insn, f"{name!r}: no map begins at offset {symbol.value:#x} of .maps"
            )
        raise _bad(function, insn, f"{name!r} of section {where!r} is neither map nor global data")

    def _section_name(self, symbol: Symbol) -> str:
        sections = self._spec.image.sections
        return sections[symbol.shndx].name if symbol.shndx < len(sections) else "?"

    def _symbol_name(self, symbol: Symbol) -> str:
        return symbol.name or self._section_name(symbol)

    # --- .BTF.ext

    def _infos(self, table: InfoTable[Any], what: str, base: dict[ProgramSpec, int]) -> bytes:
        """Collect the records of all functions of a program, one function after the other.

        The kernel wants them of all functions or of none.
        """
        parts: list[bytes] = []
        if any(function.is_replaced for function in base):
            return b""
        for function, first in base.items():
            part = self._records(table, function, first)
            if not part:
                if parts:
                    raise RelocationError(
                        f".BTF.ext has no {what} info of function {function.name!r}"
                    )
                break
            parts.append(part)
        return b"".join(parts)

    def _records(self, table: InfoTable[Any], function: ProgramSpec, first: int) -> bytes:
        section = self._spec.image.sections[function.section_index].name
        start = function.insn_offset * INSN_SIZE
        return table.for_program(section, start, len(function.code), first)


def describe_poison(program: LinkedProgram, insn_index: int) -> str | None:
    """Say why CO-RE poisoned an instruction; None if it did not.

    Args:
        insn_index: as in the verifier's log: of the program as it was loaded.
    """
    reason = program.poisoned.get(insn_index)
    return None if reason is None else str(reason)


def unresolved(program: LinkedProgram, log: str) -> str | None:
    """Say which CO-RE relocation is to blame if that is why the verifier refused the program.

    The log then ends, but for its statistics, with `insn: (85) call unknown#195896080` and
    `invalid func unknown#195896080`.
    """
    if not program.poisoned:
        return None
    from .core import POISON

    lines = log.splitlines()[-_LAST_LINES:]
    for line, after in zip(reversed(lines[:-1]), reversed(lines[1:]), strict=True):
        if after == f"invalid func unknown#{POISON}":
            index = line.partition(":")[0]
            return describe_poison(program, int(index)) if index.isdecimal() else None
    return None


def poisoned_map(log: str, map_names: list[str]) -> str | None:
    """Find in a verifier log which map that was not created a program wants to use."""
    marker = f"unknown#{POISON_BASE // 1_000_000}"
    at = log.rfind(marker)
    if at < 0:
        return None
    digits = log[at + len("unknown#") :].split(maxsplit=1)[0]
    index = int(digits) - POISON_BASE if digits.isdecimal() else -1
    return map_names[index] if 0 <= index < len(map_names) else None


def _local_calls(
    code: bytes, order: ByteOrder, targets: Mapping[int, tuple[int, str, int]]
) -> list[int]:
    """List the instructions that lead to another function, in order."""
    opcodes = code[::INSN_SIZE]
    found = []
    insn = opcodes.find(_CALL)
    while insn >= 0:
        if get_src(code, insn, order) == BPF_PSEUDO_CALL and not (
            insn in targets and targets[insn][0] == _TO_KERNEL
        ):
            found.append(insn)
        insn = opcodes.find(_CALL, insn + 1)
    addresses = [insn for insn, target in targets.items() if target[0] == _TO_FUNCTION]
    return sorted(found + addresses) if addresses else found


def _bad(function: ProgramSpec, insn: int, what: str) -> RelocationError:
    return RelocationError(f"function {function.name!r}, instruction {insn}: {what}")
