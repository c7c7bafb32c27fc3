"""Which records programs write into which buffer: found by following values through instructions.

Each function is run abstractly: what is known of a register or stack slot (a map, a number, where a
pointer came from) flows along all paths, and where two paths disagree nothing is known. Whatever is
not understood is unknown, never guessed. Functions that are called get what all callers agree on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bpfgen_runtime import insn as i
from bpfgen_runtime.elf.image import STT_SECTION
from bpfgen_runtime.errors import FormatError
from bpfgen_runtime.insn import Insn
from bpfgen_runtime.spec import ObjectSpec, ProgramSpec
from bpfgen_runtime.uapi.enums import FuncId

__all__ = ["Function", "Value", "Write", "find_writes"]

_U64 = (1 << 64) - 1
_R10 = 10
_STACK = 512  # MAX_BPF_STACK

#: Beyond this the kernel takes no program either.
_MAX_INSNS = 1_000_000
#: Work that is spent on one object before everything left is unknown.
_MAX_STEPS = 4_000_000


class Value(NamedTuple):
    """What is known of a value.

    Attributes:
        kind: "map" (`what`: names of those that it may be), "number" (`what`), "result" (of the
            call at instruction `what`; of bpf_map_lookup_elem if `map` is not empty), "argument"
            (register `what` at the function's entry), "stack" (`what`: offset from r10, None if
            unknown; or maybe no stack pointer at all).
    """

    kind: str
    what: object
    map: str = ""


_SOMEWHERE = Value("stack", None)

#: Helpers that write records: argument registers of map, size, data (0: none) and flags.
_OUTPUTS: dict[int, tuple[int, int, int, int]] = {
    FuncId.ringbuf_reserve: (1, 2, 0, 0),
    FuncId.ringbuf_reserve_dynptr: (1, 2, 0, 0),
    FuncId.ringbuf_output: (1, 3, 2, 0),
    FuncId.perf_event_output: (2, 5, 4, 3),
    FuncId.skb_output: (2, 5, 4, 3),
    FuncId.xdp_output: (2, 5, 4, 3),
}

#: The part of a perf output's flags that says how many bytes of the context to append.
_CTXLEN = 0xFFFFF << 32


@dataclass(frozen=True)
class Write:
    """One call that writes records.

    Attributes:
        maps: the buffers that it may write into; empty: any.
        size: of the record, bytes; None if it varies.
        data: where the record is: the pointer given, or the call's own result.
        has_tail: more may follow in the record than `size` bytes.
    """

    function: Function
    insn: int
    helper: int
    maps: frozenset[str]
    size: int | None
    data: Value | None
    has_tail: bool


@dataclass
class _State:
    """Registers and stack slots; what is absent is unknown."""

    registers: dict[int, Value]
    slots: dict[int, Value]

    def copy(self) -> _State:
        return _State(dict(self.registers), dict(self.slots))

    def join(self, other: _State) -> bool:
        """Keep what both know; return whether anything changed."""
        changed = _join(self.registers, other.registers)
        return _join(self.slots, other.slots) or changed


def _join(mine: dict[int, Value], theirs: dict[int, Value]) -> bool:
    changed = False
    # A stack pointer on one path is a possible one on both: stores through it count.
    for key, value in theirs.items():
        if value.kind == "stack" and key not in mine:
            mine[key] = _SOMEWHERE
            changed = True
    for key, value in list(mine.items()):
        joined = merge(value, theirs.get(key))
        if joined != value:
            changed = True
            if joined is None:
                del mine[key]
            else:
                mine[key] = joined
    return changed


def merge(one: Value | None, other: Value | None) -> Value | None:
    """Return what holds of a value that is either of two."""
    if one == other:
        return one
    kinds = {value.kind for value in (one, other) if value is not None}
    if "stack" in kinds:
        return _SOMEWHERE
    if one is not None and other is not None and kinds == {"map"}:
        assert isinstance(one.what, frozenset)
        assert isinstance(other.what, frozenset)
        return Value("map", one.what | other.what)
    return None


@dataclass(eq=False)
class Function:
    """One function's instructions, by slot, and what is known before each of them."""

    spec: ProgramSpec
    insns: dict[int, Insn]
    loads: dict[int, Value] = field(default_factory=dict)  # relocated 64-bit loads
    callees: dict[int, Function] = field(default_factory=dict)
    #: Instructions that CO-RE changes at load.
    adjusted: set[int] = field(default_factory=set)
    #: What the callers agree on; None: not called yet.
    entry: dict[int, Value] | None = None
    before: dict[int, _State] = field(default_factory=dict)
    #: A stack pointer was stored where it cannot be followed.
    has_escaped: bool = False
    lowest: int = 0

    def value(self, slot: int, register: int) -> Value | None:
        """Return what is known of a register before the instruction at a slot."""
        state = self.before.get(slot)
        return None if state is None else state.registers.get(register)


def find_writes(spec: ObjectSpec) -> list[Write] | None:
    """Find every call that writes records; None if the object's code is not understood."""
    try:
        return _Analysis(spec).run()
    except FormatError:
        return None


class _TooMuch(FormatError):
    pass


class _Analysis:
    def __init__(self, spec: ObjectSpec) -> None:
        self.spec = spec
        self.maps = {
            (one.section_index, one.section_offset): one.name
            for one in spec.maps.values()
            if not one.is_data
        }
        self.functions: dict[tuple[int, int], Function] = {}
        self.steps = 0

    def run(self) -> list[Write]:
        specs = [*self.spec.programs.values(), *self.spec.subprograms]
        if sum(len(one.code) for one in specs) > _MAX_INSNS * i.INSN_SIZE:
            raise _TooMuch("too many instructions")
        for one in specs:
            insns, slot = {}, 0
            for each in i.decode(one.code, one.byte_order):
                insns[slot] = each
                slot += each.slots
            self.functions[one.section_index, one.insn_offset] = Function(one, insns)
        for function in self.functions.values():
            self._relocate(function)
        called = {id(c) for f in self.functions.values() for c in f.callees.values()}
        for function in self.functions.values():
            if id(function) not in called or not function.spec.is_subprogram:
                function.entry = {}
            if function.entry is not None:  # entered from outside, or a callback
                self._follow(function)
        for function in self.functions.values():
            if function.entry is None:  # of a circle of calls that nothing enters
                function.entry = {}
                self._follow(function)
        return [write for f in self.functions.values() for write in self._writes(f)]

    def _follow(self, start: Function) -> None:
        """Let values flow through a function and all that it calls."""
        pending = [start]
        while pending:
            function = pending.pop()
            self._flow(function)
            pending += [callee for callee in self._pass_on(function) if callee not in pending]

    # What relocations say

    def _relocate(self, function: Function) -> None:
        spec = function.spec
        symbols = self.spec.image.symbols
        relocated = {}
        for reloc in spec.relocs:
            if not 0 <= reloc.symbol < len(symbols):
                raise FormatError("a relocation by a symbol that is not there")
            relocated[reloc.insn] = symbols[reloc.symbol]
        ext, sections = self.spec.btf_ext, self.spec.image.sections
        if ext is not None and 0 <= spec.section_index < len(sections):
            for record in ext.core_relos.records(sections[spec.section_index].name):
                function.adjusted.add(record.insn_off // i.INSN_SIZE - spec.insn_offset)
        for slot, one in function.insns.items():
            symbol = relocated.get(slot)
            if one.code == i.LD_IMM64:
                if symbol is None:
                    function.loads[slot] = Value("number", one.imm64)
                    continue
                offset = symbol.value + (one.imm if symbol.type == STT_SECTION else 0)
                name = self.maps.get((symbol.shndx, offset))
                if name is not None:
                    function.loads[slot] = Value("map", frozenset({name}))
                elif offset % i.INSN_SIZE == 0:
                    # A callback: what it is called with is not known.
                    callee = self.functions.get((symbol.shndx, offset // i.INSN_SIZE))
                    if callee is not None:
                        callee.entry = {}
            elif one.code == i.BPF_JMP | i.BPF_CALL and one.src == i.BPF_PSEUDO_CALL:
                if symbol is None:
                    place = spec.section_index, spec.insn_offset + slot + one.imm + 1
                elif symbol.type == STT_SECTION:
                    place = symbol.shndx, symbol.value // i.INSN_SIZE + one.imm + 1
                else:
                    place = symbol.shndx, symbol.value // i.INSN_SIZE
                if place in self.functions:
                    function.callees[slot] = self.functions[place]

    # The flow of values

    def _flow(self, function: Function) -> None:
        start = _State({n: Value("argument", n) for n in range(1, 6)}, {})
        start.registers |= function.entry or {}
        start.registers[_R10] = Value("stack", 0)
        had_escaped = function.has_escaped
        function.before = {0: start}
        pending = [0]
        while pending:
            slot = pending.pop()
            self.steps += 1
            if self.steps > _MAX_STEPS:
                raise _TooMuch("too much to follow")
            one = function.insns.get(slot)
            if one is None:
                raise FormatError("a jump into nowhere")
            state = function.before[slot].copy()
            _step(function, slot, one, state)
            for target in _successors(slot, one):
                known = function.before.get(target)
                if known is None:
                    function.before[target] = state.copy()
                elif not known.join(state):
                    continue
                pending.append(target)
        if function.has_escaped and not had_escaped:
            self._flow(function)  # from the first call on

    def _pass_on(self, function: Function) -> Iterator[Function]:
        """Tell callees what they are called with; give those that learned something."""
        for slot, callee in function.callees.items():
            state = function.before.get(slot)
            if state is None or not callee.spec.is_subprogram:
                continue
            given = {
                n: value
                for n, value in state.registers.items()
                if 1 <= n <= 5 and value.kind in ("map", "number")
            }
            if callee.entry is None:
                callee.entry = given
            elif not _join(callee.entry, given) and callee.before:
                continue
            yield callee

    def _writes(self, function: Function) -> Iterator[Write]:
        for slot, one in function.insns.items():
            if one.code != i.BPF_JMP | i.BPF_CALL or one.src or one.imm not in _OUTPUTS:
                continue
            state = function.before.get(slot)
            if state is None:
                continue  # never reached
            where, size, data, flags = _OUTPUTS[one.imm]
            get = state.registers.get
            target, length = get(where), get(size)
            maps: frozenset[str] = frozenset()
            if target is not None and target.kind == "map":
                assert isinstance(target.what, frozenset)
                maps = target.what
            number = None
            if length is not None and length.kind == "number":
                assert isinstance(length.what, int)
                # Both sizes are u32 or checked to be less.
                number = length.what if length.what < 1 << 32 else None
            appended = get(flags) if flags else Value("number", 0)
            yield Write(
                function,
                slot,
                one.imm,
                maps,
                number,
                get(data) if data else Value("result", slot),
                appended is None
                or appended.kind != "number"
                or bool(int(str(appended.what)) & _CTXLEN),
            )


def _successors(slot: int, one: Insn) -> tuple[int, ...]:
    following = slot + one.slots
    kind = one.code & 7
    if kind not in (i.BPF_JMP, i.BPF_JMP32) or one.code == i.BPF_JMP | i.BPF_CALL:
        return (following,)
    operation = one.code & 0xF0
    if operation == i.BPF_EXIT:
        return ()
    if operation == i.BPF_CALL:
        return (following,)
    if operation == i.BPF_JA:
        return (following + (one.imm if kind == i.BPF_JMP32 else one.off),)
    return following, following + one.off


def _step(function: Function, slot: int, one: Insn, state: _State) -> None:
    """Change what is known by one instruction."""
    kind = one.code & 7
    registers = state.registers
    if slot in function.adjusted:
        # CO-RE puts in at load what only the running kernel knows.
        if kind not in (i.BPF_ST, i.BPF_STX):
            registers.pop(one.dst, None)
        return
    if kind in (i.BPF_ALU64, i.BPF_ALU):
        value = _arithmetic(one, registers)
        _set(registers, one.dst, value)
        if value is not None and value.kind == "stack":
            function.lowest = min(function.lowest, _lowest(value, 0))
    elif one.code == i.LD_IMM64:
        _set(registers, one.dst, function.loads.get(slot))
    elif kind == i.BPF_LDX:
        _set(registers, one.dst, _load(one, state))
        base = registers.get(one.src)
        if base is not None and base.kind == "stack":
            function.lowest = min(function.lowest, _lowest(base, one.off))
    elif kind in (i.BPF_ST, i.BPF_STX):
        _store(function, one, state)
    elif kind == i.BPF_LD:
        for n in range(6):
            registers.pop(n, None)
    elif kind in (i.BPF_JMP, i.BPF_JMP32) and one.code & 0xF0 == i.BPF_CALL:
        _call(function, slot, one, state)


def _set(registers: dict[int, Value], register: int, value: Value | None) -> None:
    if value is None:
        registers.pop(register, None)
    else:
        registers[register] = value


def _lowest(base: Value, offset: int) -> int:
    return max(base.what + offset, -_STACK) if isinstance(base.what, int) else 0


def _arithmetic(one: Insn, registers: Mapping[int, Value]) -> Value | None:
    wide = one.code & 7 == i.BPF_ALU64
    operation = one.code & 0xF0
    mine = registers.get(one.dst)
    if one.code & i.BPF_X and operation not in (i.BPF_NEG, i.BPF_END):
        operand = registers.get(one.src)
    else:
        operand = Value("number", one.imm & _U64)
    if operation == i.BPF_MOV:
        if one.off:  # sign extension, or a cast between address spaces
            return _maybe_stack(operand)
        if wide:
            return operand
        return _number(operand, 0xFFFFFFFF)
    if mine is not None and mine.kind == "stack":
        if (
            wide
            and operation in (i.BPF_ADD, i.BPF_SUB)
            and isinstance(mine.what, int)
            and operand is not None
            and operand.kind == "number"
        ):
            assert isinstance(operand.what, int)
            amount = operand.what - (1 << 64) if operand.what >> 63 else operand.what
            return Value("stack", mine.what + (amount if operation == i.BPF_ADD else -amount))
        return _SOMEWHERE
    if operand is not None and operand.kind == "stack":
        return _SOMEWHERE
    if mine is None or operand is None or mine.kind != "number" or operand.kind != "number":
        unchanged = wide and operation == i.BPF_ADD and operand == Value("number", 0)
        return mine if unchanged else None
    left, right = mine.what, operand.what
    assert isinstance(left, int)
    assert isinstance(right, int)
    mask, bits = (_U64, 63) if wide else (0xFFFFFFFF, 31)
    left, right = left & mask, right & mask
    result = {
        i.BPF_ADD: left + right,
        i.BPF_SUB: left - right,
        i.BPF_MUL: left * right,
        i.BPF_OR: left | right,
        i.BPF_AND: left & right,
        i.BPF_XOR: left ^ right,
        i.BPF_LSH: left << (right & bits),
        i.BPF_RSH: left >> (right & bits),
    }.get(operation)
    return None if result is None else Value("number", result & mask)


def _maybe_stack(value: Value | None) -> Value | None:
    return _SOMEWHERE if value is not None and value.kind == "stack" else None


def _number(value: Value | None, mask: int) -> Value | None:
    if value is not None and value.kind == "number":
        assert isinstance(value.what, int)
        return Value("number", value.what & mask)
    return _maybe_stack(value)


def _load(one: Insn, state: _State) -> Value | None:
    base = state.registers.get(one.src)
    if base is None or base.kind != "stack" or not isinstance(base.what, int):
        return None
    if one.code != i.BPF_LDX | i.BPF_MEM | i.BPF_DW:
        return None
    return state.slots.get(base.what + one.off)


_WIDTHS = {i.BPF_B: 1, i.BPF_H: 2, i.BPF_W: 4, i.BPF_DW: 8}


def _store(function: Function, one: Insn, state: _State) -> None:
    registers, slots = state.registers, state.slots
    value = registers.get(one.src) if one.code & 7 == i.BPF_STX else None
    if one.code & 7 == i.BPF_ST:
        value = Value("number", one.imm & _U64)
    mode = one.code & 0xE0
    base = registers.get(one.dst)
    if mode == i.BPF_ATOMIC:
        value = None
        for n in (one.src, 0):  # what it fetched, or compared with
            registers.pop(n, None)
        if one.imm == i.BPF_LOAD_ACQ:
            registers.pop(one.dst, None)
            return
    if base is None or base.kind != "stack":
        if value is not None and value.kind == "stack":
            function.has_escaped = True
        return
    if not isinstance(base.what, int):
        slots.clear()
        function.has_escaped |= value is not None and value.kind == "stack"
        return
    place, width = base.what + one.off, _WIDTHS[one.code & 0x18]
    function.lowest = min(function.lowest, _lowest(base, one.off))
    for at in [at for at in slots if place - 8 < at < place + width]:
        del slots[at]
    if width == 8 and mode == i.BPF_MEM and value is not None:
        slots[place] = value
    elif value is not None and value.kind == "stack":
        function.has_escaped = True


def _call(function: Function, slot: int, one: Insn, state: _State) -> None:
    registers, slots = state.registers, state.slots
    given = [registers.get(n) for n in range(1, 6)]
    result = None
    keeps = False
    is_helper = one.code == i.BPF_JMP | i.BPF_CALL and one.src == 0
    if is_helper:
        if one.imm in (FuncId.ringbuf_reserve, FuncId.map_lookup_elem):
            result = Value("result", slot)
        if one.imm == FuncId.map_lookup_elem:
            keeps = True  # only reads its key
            where = given[0]
            if where is not None and where.kind == "map":
                assert isinstance(where.what, frozenset)
                if len(where.what) == 1:
                    result = Value("result", slot, next(iter(where.what)))
        elif one.imm == FuncId.dynptr_data:
            keeps = True
            result = _dynptr_data(given, slots)
    for value in given:
        if value is not None and value.kind == "stack":
            low = value.what if isinstance(value.what, int) else None
            if not keeps:  # the callee may write from there on
                for at in [at for at in slots if low is None or at > low - 8]:
                    del slots[at]
    if function.has_escaped:
        slots.clear()
    if is_helper and one.imm == FuncId.ringbuf_reserve_dynptr:
        _note_dynptr(slot, given[3], given[1], slots)
    for n in range(1, 6):
        registers.pop(n, None)
    _set(registers, 0, result)


def _note_dynptr(
    slot: int, handle: Value | None, size: Value | None, slots: dict[int, Value]
) -> None:
    """Remember which reservation a dynptr is, and its size."""
    if handle is None or handle.kind != "stack" or not isinstance(handle.what, int):
        return
    if size is not None and size.kind == "number":
        slots[handle.what] = Value("result", slot, f"dynptr:{size.what}")


def _dynptr_data(given: list[Value | None], slots: Mapping[int, Value]) -> Value | None:
    """Return the reservation that a dynptr's memory is, if all of it is asked for."""
    handle, offset, length = given[:3]
    if handle is None or handle.kind != "stack" or not isinstance(handle.what, int):
        return None
    found = slots.get(handle.what)
    if found is None or not found.map.startswith("dynptr:") or offset != Value("number", 0):
        return None
    if length is None or length.kind != "number" or found.map != f"dynptr:{length.what}":
        return None
    return Value("result", found.what)
