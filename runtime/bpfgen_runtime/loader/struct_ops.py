"""struct_ops: sections whose variables are kernel structs of functions, implemented by programs.

Each variable of `.struct_ops`, `.struct_ops.link` and their `?` forms is a map with one value: the
struct, whose function pointers the kernel has called once the map is attached.
"""

from __future__ import annotations

from ..btf.types import Datasec, FuncProto, Ptr, Struct, Var
from ..elf.image import SHN_LORESERVE
from ..errors import BtfError, FormatError
from ..spec import MapSpec
from ..uapi.const import BPF_F_LINK, BPF_MAP_TYPE_STRUCT_OPS, BPF_PROG_TYPE_STRUCT_OPS
from .globals import STRUCT_OPS_SECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from ..btf.btf import Btf
    from ..elf.image import Section
    from ..spec import ObjectSpec, ProgramSpec

__all__ = ["StructOps", "collect_functions", "struct_ops_maps"]

_INSN_SIZE = 8


class StructOps:
    """What a struct_ops map tells the kernel: data members as bytes, functions as programs.

    Everything may be changed before load.

    Attributes:
        type_id: the struct in the object's BTF, whose name may have a flavor.
        contents: the struct's bytes as the object's types lay it out; function pointers are 0.
        functions: the program that implements each function member, by the members' names. None,
            or no entry: the member is left out, and the program too unless another map uses it.
        declared: the functions as the file has them.
    """

    __slots__ = ("_order", "_places", "contents", "declared", "functions", "type_id")

    def __init__(
        self,
        type_id: int,
        contents: bytearray,
        places: dict[str, tuple[int, int]],
        order: Literal["little", "big"] = "little",
    ) -> None:
        self.type_id = type_id
        self.contents = contents
        self.functions: dict[str, str | None] = {}
        self.declared: dict[str, str] = {}
        #: Offset and size of each member that is no bitfield; the size of a function is -1.
        self._places = places
        self._order = order

    def get(self, member: str) -> bytes:
        """Return a data member's bytes."""
        offset, size = self._place(member)
        return bytes(self.contents[offset : offset + size])

    def set(self, member: str, value: bytes | str | int) -> None:
        """Set a data member, e.g. `set("name", "mine")`, `set("flags", 1)`.

        Args:
            value: a number; text, which is padded with NULs; or exactly the member's size in bytes.

        Raises:
            KeyError: there is no such data member.
            OverflowError: the number has not so many bits.
            ValueError: the text is longer than the member, the bytes are not of its size.
        """
        offset, size = self._place(member)
        if isinstance(value, int):
            try:
                raw = value.to_bytes(size, self._order, signed=value < 0)
            except OverflowError:
                raise OverflowError(
                    f"member {member!r} has {8 * size} bits, {value} more"
                ) from None
        elif isinstance(value, str):
            raw = value.encode().ljust(size, b"\0")
        else:
            raw = value
        if len(raw) != size:
            raise ValueError(f"member {member!r} takes {size} bytes, {len(raw)} were given")
        self.contents[offset : offset + size] = raw

    def _place(self, member: str) -> tuple[int, int]:
        offset, size = self._places.get(member, (0, 0))
        if member not in self._places:
            others = ", ".join([name for name, place in self._places.items() if place[1] >= 0])
            raise KeyError(
                f"the struct has no member {member!r}, or it is a bitfield; it has {others}"
            )
        if size < 0:
            raise KeyError(
                f"member {member!r} is a function: functions[{member!r}] names the program that"
                " implements it"
            )
        return offset, size

    def copy(self) -> StructOps:
        """Return an independent copy."""
        twin = StructOps(self.type_id, bytearray(self.contents), self._places, self._order)
        twin.functions = dict(self.functions)
        twin.declared = self.declared
        return twin

    def __repr__(self) -> str:
        return f"StructOps(type_id={self.type_id}, functions={self.functions})"


def struct_ops_maps(sections: tuple[Section, ...], btf: Btf | None) -> Iterator[MapSpec]:
    """Make a map of each variable of the struct_ops sections.

    Raises:
        BtfError: no types of the section, or of a variable.
        FormatError: a variable that is no struct with a name, or outside its section.
    """
    for section in sections:
        if section.name not in STRUCT_OPS_SECTIONS or not section.size:
            continue
        type_id = None if btf is None else btf.find_datasec(section.name)
        if btf is None or type_id is None:
            raise BtfError(
                "struct_ops needs types, and BTF has none of the section: compile with clang -g",
                section=section.name,
            )
        datasec = btf.type(type_id)
        assert isinstance(datasec, Datasec)
        for place in datasec.vars:
            var = btf.type(place.type)
            assert isinstance(var, Var), "the BTF has been fixed up"
            yield _map(btf, section, var, place.offset)


def _map(btf: Btf, section: Section, var: Var, offset: int) -> MapSpec:
    struct_id = btf.resolve(var.type)
    struct = btf.type(struct_id)
    if type(struct) is not Struct or not struct.name:
        raise _bad(section.name, var.name, "its type is no struct with a name")
    if offset + struct.size > len(section.data):
        raise _bad(section.name, var.name, "it ends outside the section")
    name = section.name.removeprefix("?")
    spec = MapSpec(
        var.name,
        BPF_MAP_TYPE_STRUCT_OPS,
        key_size=4,
        value_size=struct.size,
        max_entries=1,
        map_flags=BPF_F_LINK if name == ".struct_ops.link" else 0,
        section=name,
        section_index=section.index,
        section_offset=offset,
        value_type_id=struct_id,
        autocreate=name == section.name,
    )
    places = {
        member.name: (
            member.bit_offset // 8,
            -1 if _is_function(btf, member.type) else btf.size_of(member.type),
        )
        for member in struct.members
        if member.name and not member.bitfield_size
    }
    contents = bytearray(section.data[offset : offset + struct.size])
    order: Literal["little", "big"] = "little" if btf.byte_order == "<" else "big"
    spec.struct_ops = StructOps(struct_id, contents, places, order)
    return spec


def _is_function(btf: Btf, type_id: int) -> bool:
    pointer = btf.type(btf.resolve(type_id))
    return isinstance(pointer, Ptr) and isinstance(btf.type(btf.resolve(pointer.type)), FuncProto)


def collect_functions(spec: ObjectSpec) -> None:
    """Find the programs that struct_ops maps name, once maps and programs have been read.

    Raises:
        FormatError: a relocation that is no function member of a map, or whose symbol is no program
            of section `struct_ops`; names the map and the member.
    """
    programs = {(each.section_index, each.insn_offset): each for each in spec.programs.values()}
    maps = [each for each in spec.maps.values() if each.struct_ops is not None]
    for index in dict.fromkeys(each.section_index for each in maps):
        for reloc in spec.image.relocations(index):
            for each in maps:
                if (
                    each.section_index == index
                    and 0 <= reloc.offset - each.section_offset < each.value_size
                ):
                    symbol = spec.image.symbols[reloc.symbol]
                    at = reloc.offset - each.section_offset
                    program = None
                    if symbol.shndx < SHN_LORESERVE and symbol.value % _INSN_SIZE == 0:
                        program = programs.get((symbol.shndx, symbol.value // _INSN_SIZE))
                    _set_function(spec.btf, each, at, program, symbol.name)
                    break
            else:
                raise FormatError(
                    "a relocation that belongs to no struct_ops variable",
                    section=spec.image.sections[index].name,
                    offset=reloc.offset,
                )


def _set_function(
    btf: Btf | None, target: MapSpec, at: int, program: ProgramSpec | None, symbol: str
) -> None:
    ops = target.struct_ops
    assert ops is not None
    assert btf is not None
    struct = btf.type(ops.type_id)
    assert isinstance(struct, Struct)
    member = next((one for one in struct.members if one.bit_offset == at * 8), None)
    if member is None:
        raise _bad(target.section, target.name, f"no member at offset {at} takes {symbol!r}")
    if not _is_function(btf, member.type):
        raise _bad(target.section, target.name, f"member {member.name!r} is no function pointer")
    if program is None or program.prog_type != BPF_PROG_TYPE_STRUCT_OPS:
        name = program.name if program is not None else symbol
        raise _bad(
            target.section,
            target.name,
            f'member {member.name!r}: {name!r} is no program of SEC("struct_ops")',
        )
    ops.functions[member.name] = ops.declared[member.name] = program.name


def _bad(section: str, name: str, what: str) -> FormatError:
    return FormatError(f"struct_ops map {name!r}: {what}", section=section)
