"""Which type records have that programs write: worked out from their code and debug information.

Each call that writes into the buffer must give the same answer, or answers of different sizes. An
answer is the type of what the record is made from: of a variable that holds the pointer (DWARF), of
a parameter (BTF), of the value of the map that it was looked up in (BTF). Only where nothing says
what it is made from, the one struct of the record's size is taken, if there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bpfgen_runtime.btf import BTF_KIND_FUNC, Btf, Func, FuncProto, Ptr, Struct, Typedef
from bpfgen_runtime.elf.dwarf import Die, Place
from bpfgen_runtime.errors import BtfError
from bpfgen_runtime.spec import MapSpec, ObjectSpec
from bpfgen_runtime.uapi.const import BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_USER_RINGBUF
from bpfgen_runtime.uapi.enums import FuncId
from bpfgen_runtime.values.records import padded_size

from .dwarf import DwarfTypes
from .writes import Value, Write, find_writes

__all__ = ["Inference", "Inferred"]

#: Helpers that write into perf buffers; all others write into ring buffers.
_PERF = {FuncId.perf_event_output, FuncId.skb_output, FuncId.xdp_output}

_OP_FBREG, _OP_BREG10, _OP_PLUS_UCONST, _OP_PIECE = 0x91, 0x7A, 0x23, 0x93
_OP_REG0 = 0x50
_REGISTERS = 11
_INSN_SIZE = 8

#: Numbers have these sizes, too, so that a struct's size says nothing.
_NUMBER_SIZES = (1, 2, 4, 8)


class Inferred(NamedTuple):
    """What was found out: type ids, none if nothing; and why, or why not."""

    type_ids: tuple[int, ...]
    why: str


class _Unclear(Exception):
    """Nothing can be said; the text says why."""


class _Variable(NamedTuple):
    """A variable of a function, or of what was inlined into it.

    Attributes:
        scopes: ranges of code, bytes in the section, that it exists in; none: the whole function.
    """

    name: str
    type: int
    places: list[Place]
    scopes: tuple[list[tuple[int, int]], ...]


class Inference:
    """Infers the types of records of one object's buffers.

    Args:
        types: of the object's DWARF; without units where it has none.
    """

    def __init__(self, spec: ObjectSpec, types: DwarfTypes) -> None:
        assert spec.btf is not None
        self._spec = spec
        self._btf: Btf = spec.btf
        self._types = types
        self._writes = find_writes(spec)

    def infer(self, buffer: MapSpec) -> Inferred:
        """Infer the types of a buffer's records."""
        try:
            return self._infer(buffer)
        except (_Unclear, BtfError) as error:
            return Inferred((), str(error))

    def _infer(self, buffer: MapSpec) -> Inferred:
        if self._writes is None:
            raise _Unclear("the programs' code is not understood")
        if buffer.map_type == BPF_MAP_TYPE_USER_RINGBUF:
            raise _Unclear("what programs read is not inferred")
        is_perf = buffer.map_type == BPF_MAP_TYPE_PERF_EVENT_ARRAY
        writes = [one for one in self._writes if (one.helper in _PERF) == is_perf]
        for one in writes:
            if not one.maps:
                raise _Unclear(f"{_place(one)} writes into a buffer that is not known")
        writes = [one for one in writes if buffer.name in one.maps]
        if not writes:
            raise _Unclear("no program writes into it")
        found: dict[int, str] = {}
        for one in writes:
            id, why = self._type_of(one)
            found.setdefault(id, why)
        if len(found) == 1:
            ((id, why),) = found.items()
            return Inferred((id,), why)
        btf = self._types.extended()
        names = ", ".join(sorted(btf.c_name(id) for id in found))
        sizes = [btf.size_of(id) for id in found]
        if is_perf:
            sizes = [padded_size(size) for size in sizes]
        if len(set(sizes)) != len(sizes):
            raise _Unclear(f"programs write several types of one size: {names}")
        if any(one.has_tail for one in writes):
            raise _Unclear(f"programs write several types, with parts of packets behind: {names}")
        ids = sorted(found, key=lambda id: (btf.size_of(id), btf.c_name(id)))
        return Inferred(tuple(ids), "; ".join(found[id] for id in ids))

    def _type_of(self, write: Write) -> tuple[int, str]:
        """Return the type of what one call writes, and what says so."""
        if write.size is None:
            raise _Unclear(f"{_place(write)} writes records of varying size")
        size = write.size
        evidence: dict[int, str] = {}
        for id, source in self._evidence(write, size):
            evidence.setdefault(self._same(id), source)
        if len(evidence) == 1:
            ((id, source),) = evidence.items()
            name = self._types.extended().c_name(id)
            return id, f"{name}, {source} of {write.function.spec.name}()"
        if evidence:
            names = self._names(evidence)
            raise _Unclear(f"what {_place(write)} writes has several types: {names}")
        candidates = self._of_size(size)
        if len(candidates) == 1 and size not in _NUMBER_SIZES and self._is_exclusive(candidates):
            (id,) = candidates
            name = self._types.extended().c_name(id)
            return id, f"{name}, the one struct of the {size} bytes that {_place(write)} writes"
        listed = f"structs of {size} bytes: {self._names(candidates) or 'none'}"
        raise _Unclear(f"nothing says what {_place(write)} writes; {listed}")

    def _names(self, ids: dict[int, str]) -> str:
        btf = self._types.extended()
        names = sorted({btf.c_name(id) for id in ids})
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return ", ".join(names[:8]) + more

    def _same(self, id: int) -> int:
        """Return one id for all names of a struct that has one of its own."""
        btf = self._types.extended()
        target = btf.resolve(id)
        if btf.name(target):
            return target
        while not isinstance(btf.type(id), Typedef) and id != target:
            id = btf.target(id)
        return id

    # What a record is made from

    def _evidence(self, write: Write, size: int) -> Iterator[tuple[int, str]]:
        """Yield types of that size, with what has them."""
        data = write.data
        if data is None:
            return
        if data.kind == "result" and data.map in self._spec.maps:
            id = self._spec.maps[data.map].value_type_id
            if id and self._btf.size_of(id) == size:
                yield id, f"values of map {data.map!r}, found by a look-up"
        if data.kind == "argument":
            yield from self._parameter(write, data, size)
        for variable in self._variables(write):
            held = self._held(write, data, variable, size)
            if held is not None:
                yield self._types.convert(held), f"variable {variable.name!r}"

    def _parameter(self, write: Write, data: Value, size: int) -> Iterator[tuple[int, str]]:
        assert isinstance(data.what, int)
        btf = self._btf
        for id in btf.find(write.function.spec.name, BTF_KIND_FUNC):
            function = btf.type(id)
            assert isinstance(function, Func)
            proto = btf.type(function.type)
            if not isinstance(proto, FuncProto) or len(proto.params) < data.what:
                continue
            parameter = proto.params[data.what - 1]
            pointer = btf.type(btf.resolve(parameter.type))
            if isinstance(pointer, Ptr) and self._size(pointer.type) == size:
                yield pointer.type, f"parameter {parameter.name!r}"

    def _size(self, id: int) -> int | None:
        try:
            return self._btf.size_of(id)
        except BtfError:
            return None  # void, or only declared

    def _held(self, write: Write, data: Value, variable: _Variable, size: int) -> int | None:
        """Return the type of the record if the variable is it, or points to it."""
        function, code = write.function, write.function.spec.insn_offset * _INSN_SIZE
        call = code + write.insn * _INSN_SIZE
        if data.kind == "stack":
            if not isinstance(data.what, int) or self._types.size(variable.type) != size:
                return None
            # The compiler counts from the frame's lower end, the instructions from the upper one.
            wanted = data.what + (-function.lowest + 7 & ~7)
            if not all(any(low <= call < high for low, high in one) for one in variable.scopes):
                return None
            starts = {
                _frame_offset(place.ops)
                for place in variable.places
                if place.begin is None
                or (place.end is not None and place.begin <= call < place.end)
            }
            return variable.type if starts == {wanted} else None
        pointer = self._types.strip(variable.type)
        if pointer is None or pointer.tag != "pointer_type":
            return None
        target = pointer.get("type")
        if self._types.size(target) != size:
            return None
        for place in variable.places:
            if len(place.ops) != 1 or not 0 <= place.ops[0] - _OP_REG0 < _REGISTERS:
                continue
            at = call if place.begin is None else place.begin
            known = function.value((at - code) // _INSN_SIZE, place.ops[0] - _OP_REG0)
            if known == data:
                assert isinstance(target, int)
                return target
        return None

    def _variables(self, write: Write) -> Iterator[_Variable]:
        spec = write.function.spec
        begin = spec.insn_offset * _INSN_SIZE
        end = begin + len(spec.code)
        found = [
            die
            for unit in self._types.units
            for die in unit.children
            if die.tag == "subprogram"
            and die.get("low_pc") == begin
            and die.get("high_pc") == end
            and self._origin(die, "name") == spec.name
        ]
        if len(found) == 1:
            yield from self._inside(found[0], ())

    def _inside(self, scope: Die, scopes: tuple[list[tuple[int, int]], ...]) -> Iterator[_Variable]:
        for die in scope.children:
            if die.tag in ("variable", "formal_parameter"):
                places, type_ = die.get("location"), self._origin(die, "type")
                if isinstance(places, list) and isinstance(type_, int):
                    yield _Variable(str(self._origin(die, "name")), type_, places, scopes)
            elif die.tag in ("lexical_block", "inlined_subroutine"):
                ranges = die.get("ranges")
                low, high = die.get("low_pc"), die.get("high_pc")
                if ranges is None and isinstance(low, int) and isinstance(high, int):
                    ranges = [(low, high)]
                yield from self._inside(die, scopes if ranges is None else (*scopes, ranges))

    def _origin(self, die: Die, attribute: str) -> object:
        """Return an attribute of an entry, or of the one that it is an instance of."""
        for _ in range(4):
            found = die.get(attribute)
            if found is not None:
                return found
            origin = die.get("abstract_origin") or die.get("specification")
            if origin not in self._types.dies:
                return None
            die = self._types.dies[origin]
        return None

    # What has the record's size

    def _of_size(self, size: int) -> dict[int, str]:
        """Return the structs of that size that are not the kernel's."""
        found: dict[int, str] = {}
        of_kernel = set()
        for die in self._types.structs():
            if self._types.size(die.offset) == size:
                struct = self._types.strip(die.offset)
                file = None if struct is None else struct.get("decl_file")
                if isinstance(file, str) and file.rpartition("/")[2] == "vmlinux.h":
                    of_kernel.add(die.get("name"))
                else:
                    found[self._same(self._types.convert(die.offset))] = ""
        for id, kind in self._btf.types():
            target = self._btf.resolve(id)
            is_named = isinstance(kind, Struct) or isinstance(self._btf.type(target), Struct)
            if (
                kind.name
                and kind.name not in of_kernel
                and isinstance(kind, (Struct, Typedef))
                and is_named
                and self._size(id) == size
            ):
                found[self._same(id)] = ""
        return found

    def _is_exclusive(self, ids: dict[int, str]) -> bool:
        """Tell whether a struct can be what records are, though nothing but its size says so.

        Where there is DWARF, it has all structs. Where there is none, those that only local
        variables use are missing, and one that has another use may have the right size by chance.
        """
        if self._types.units:
            return True
        used = {
            self._btf.resolve(id)
            for one in self._spec.maps.values()
            for id in (one.key_type_id, one.value_type_id)
            if id
        }
        ext = self._spec.btf_ext
        if ext is not None:
            for section in ext.core_relos:
                used |= {self._btf.resolve(one.type_id) for one in ext.core_relos.records(section)}
        return not any(self._btf.resolve(id) in used for id in ids)


def _place(write: Write) -> str:
    return f"{write.function.spec.name}()"


def _frame_offset(ops: bytes) -> int | None:
    """Return where in the frame a variable begins, None if it is not known to be there.

    A variable may be in pieces, some of them nowhere: those in the frame must have the same idea of
    where it begins.
    """
    found: set[int] = set()
    place: int | None = None
    at = done = 0
    while at < len(ops):
        op = ops[at]
        at += 1
        if op not in (_OP_FBREG, _OP_BREG10, _OP_PLUS_UCONST, _OP_PIECE):
            return None
        value, at = _leb128(ops, at, signed=op in (_OP_FBREG, _OP_BREG10))
        if op == _OP_PIECE:
            if place is not None:
                found.add(place - done)
            place, done = None, done + value
        elif op == _OP_PLUS_UCONST:
            place = None if place is None else place + value
        else:
            place = value
    if place is not None:
        found.add(place)
    return found.pop() if len(found) == 1 else None


def _leb128(data: bytes, at: int, *, signed: bool) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not byte & 0x80:
            return (value - (1 << shift) if signed and byte & 0x40 else value), at
    return value, at
