"""The load plan of a skeleton: what open and link work out of an object, worked out beforehand.

Reading and linking an object is a fifth of a small tool's start-up, and comes out the same every
time. So the generator does it, by `make_plan`, and the module carries the outcome beside the image.
`PlannedSpec` is an object's spec made of that, and an ordinary one in all respects: what the plan
does not have (the image, types, subprograms) is read from the image when first asked for. From then
on, and after any change that the plan does not know of, the object is linked as without a plan.

A plan is `marshal` data of version 2: equal tuples, strings, bytes and numbers give the same data
on every CPython (later versions say which objects happen to be shared, or interned).
"""

from __future__ import annotations

import marshal

from .errors import BpfError
from .linked import LinkedProgram
from .spec import MapSpec, ObjectSpec, ProgramSpec, RelocSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = ["PlannedSpec", "make_plan", "planned_links", "read_plan"]

_MARSHAL_VERSION = 2

#: What a planned spec reads from the image.
_INFLATED = ("btf", "btf_ext", "image", "subprograms")


class _Plan:
    """What load takes from a plan.

    Attributes:
        btf: the BTF as the kernel gets it, None if the object has none.
        layout: what `_layout` said of the maps that the programs were linked with.
        links: by program, what it was linked from (see `_source`), and what came out.
    """

    __slots__ = ("btf", "layout", "links")

    def __init__(self, btf: bytes | None, layout: list[Any], links: dict[str, Any]) -> None:
        self.btf = btf
        self.layout = layout
        self.links = links


class PlannedSpec(ObjectSpec):
    """The spec of an object with a plan.

    Attributes:
        plan: None once it may not hold any more.
    """

    __slots__ = ("_inflate", "plan")

    def __init__(
        self,
        name: str,
        byte_order: Any,
        license: str,
        kern_version: int,
        inflate: Callable[[], ObjectSpec],
    ) -> None:
        self.plan: _Plan | None = None
        # The constructor wants nothing of an image but this.
        self.byte_order = byte_order
        super().__init__(name, self, license=license, kern_version=kern_version)  # type: ignore[arg-type]
        for lazy in _INFLATED:
            delattr(self, lazy)
        self._inflate = inflate

    def inflate(self) -> None:
        """Read what is missing from the image; the plan is not used any more."""
        if self.plan is not None:
            self.plan = None
            whole = self._inflate()
            for name in _INFLATED:
                setattr(self, name, getattr(whole, name))

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name in _INFLATED and self.plan is not None:
                self.inflate()
                return getattr(self, name)
            return super().__getattr__(name)

        def __setattr__(self, name, value):
            if name in _INFLATED:
                self.inflate()
            super().__setattr__(name, value)

    def btf_bytes(self) -> bytes | None:
        return super().btf_bytes() if self.plan is None else self.plan.btf

    # Copies are ordinary specs.

    def _clone(self) -> Any:
        self.inflate()
        twin = ObjectSpec.__new__(ObjectSpec)
        for name in ObjectSpec.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin

    def __copy__(self) -> Any:
        return self._clone()

    def __repr__(self) -> str:
        return repr(self._clone())


def make_plan(spec: ObjectSpec) -> bytes | None:
    """Return the plan of an object as it was read; None if there can be none.

    There is one only if it gives back the spec to the letter, and nothing is left to find out from
    the running kernel before the instructions are complete: objects with CO-RE relocations, externs
    or special maps have none.
    """
    if spec.btf_ext is not None and len(spec.btf_ext.core_relos):
        return None
    from .relocate import Relocator

    relocator = Relocator(spec)
    programs = []
    for program in spec.programs.values():
        try:
            link = _packed(relocator.link(program))
        except BpfError:
            link = None  # load will say it again
        programs.append(
            (
                program.name,
                program.section,
                program.code,
                program.prog_type,
                program.expected_attach_type,
                program.sec_flags,
                program.attach_target,
                program.section_index,
                program.insn_offset,
                program.autoload,
                program.is_hidden,
                _relocs(program),
                link,
            )
        )
    maps = [
        (
            each.name,
            each.map_type,
            each.key_size,
            each.value_size,
            each.max_entries,
            each.map_flags,
            each.kernel_name,
            each.section,
            each.section_index,
            each.section_offset,
            each.numa_node,
            each.map_extra,
            each.pinning,
            each.key_type_id,
            each.value_type_id,
            _packed_contents(each.contents),
        )
        for each in spec.maps.values()
    ]
    head = (spec.name, spec.byte_order, spec.license, spec.kern_version)
    plan = (*head, spec.btf_bytes(), tuple(maps), tuple(programs))
    data = marshal.dumps(plan, _MARSHAL_VERSION)
    return data if _is_same(spec, read_plan(data, lambda: spec)) else None


def read_plan(data: bytes, inflate: Callable[[], ObjectSpec]) -> PlannedSpec:
    """Make the spec of an object by its plan.

    Args:
        data: of `make_plan`; like code, only to be taken from who is trusted.
        inflate: reads the whole object.
    """
    name, byte_order, license, kern_version, btf, maps, programs = marshal.loads(data)
    spec = PlannedSpec(name, byte_order, license, kern_version, inflate)
    for row in maps:
        contents = row[15]
        each = MapSpec(
            row[0],
            row[1],
            key_size=row[2],
            value_size=row[3],
            max_entries=row[4],
            map_flags=row[5],
            kernel_name=row[6],
            section=row[7],
            section_index=row[8],
            section_offset=row[9],
            numa_node=row[10],
            map_extra=row[11],
            pinning=row[12],
            key_type_id=row[13],
            value_type_id=row[14],
            contents=None if contents is None else bytearray(contents),
        )
        spec.maps[each.name] = each
    links = {}
    for row in programs:
        program = ProgramSpec(
            row[0],
            row[1],
            row[2],
            prog_type=row[3],
            expected_attach_type=row[4],
            sec_flags=row[5],
            attach_target=row[6],
            section_index=row[7],
            insn_offset=row[8],
            autoload=row[9],
            is_hidden=row[10],
            relocs=tuple([RelocSpec(*reloc) for reloc in row[11]]),
            byte_order=byte_order,
        )
        spec.programs[program.name] = program
        links[program.name] = (_source(program), row[12])
    spec.plan = _Plan(btf, _layout(spec.maps), links)
    return spec


def planned_links(spec: ObjectSpec, programs: Iterable[ProgramSpec]) -> list[LinkedProgram] | None:
    """Return the programs as they were linked; None if they must be linked anew."""
    plan = spec.plan if isinstance(spec, PlannedSpec) else None
    if plan is None or _layout(spec.maps) != plan.layout:
        return None
    linked = []
    for program in programs:
        source, link = plan.links.get(program.name, (None, None))
        if link is None or _source(program) != source:
            return None
        linked.append(_unpacked(program, link))
    return linked


# --- what a plan depends on


def _layout(maps: dict[str, MapSpec]) -> list[Any]:
    """Say of maps what linking goes by, and the choice of their classes."""
    return [
        (
            name,
            each.section_index,
            each.section_offset,
            each.is_data,
            each.arena_data is None,
            each.map_type,
            each.key_size,
            each.value_size,
        )
        for name, each in maps.items()
    ]


def _source(program: ProgramSpec) -> tuple[Any, ...]:
    """Say of a program what linking goes by."""
    return (
        program.code,
        program.section_index,
        program.insn_offset,
        program.byte_order,
        program.is_replaced,
        _relocs(program),
    )


def _relocs(program: ProgramSpec) -> tuple[tuple[int, int, int], ...]:
    return tuple([(reloc.insn, reloc.type, reloc.symbol) for reloc in program.relocs])


def _packed_contents(contents: bytearray | None) -> bytes | int | None:
    """Zeros are as good as their number, of which `bytearray` makes them again."""
    if contents is None or any(contents):
        return None if contents is None else bytes(contents)
    return len(contents)


def _packed(linked: LinkedProgram) -> tuple[Any, ...]:
    code = bytes(linked.code)
    return (
        None if code == linked.spec.code else code,
        tuple(linked.map_uses),
        linked.func_info_size,
        linked.func_info,
        linked.line_info_size,
        linked.line_info,
    )


def _unpacked(program: ProgramSpec, link: tuple[Any, ...]) -> LinkedProgram:
    linked = LinkedProgram(program)
    code, uses = link[:2]
    linked.code = bytearray(program.code if code is None else code)
    linked.map_uses = list(uses)
    linked.func_info_size, linked.func_info, linked.line_info_size, linked.line_info = link[2:]
    return linked


def _is_same(spec: ObjectSpec, planned: PlannedSpec) -> bool:
    """Tell whether nothing of a spec was lost on the way into a plan and back."""
    pairs: list[tuple[Any, Any]] = [
        (getattr(spec, name), getattr(planned, name))
        for name in ObjectSpec.__slots__
        if name not in (*_INFLATED, "_variables", "maps", "programs")
    ]
    pairs += [(list(spec.maps), list(planned.maps)), (list(spec.programs), list(planned.programs))]
    for name, each in spec.maps.items():
        pairs += [
            (getattr(each, slot), getattr(planned.maps[name], slot)) for slot in MapSpec.__slots__
        ]
    for name, program in spec.programs.items():
        other = planned.programs[name]
        pairs += [
            (getattr(program, slot), getattr(other, slot))
            for slot in ProgramSpec.__slots__
            if slot != "relocs"
        ]
        pairs.append((_relocs(program), _relocs(other)))
    return all(one == two for one, two in pairs)
