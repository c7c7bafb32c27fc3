"""Load plans: what a skeleton carries gives the kernel what the object itself would."""

from __future__ import annotations

import copy
import marshal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Int
from bpfgen_runtime.errors import ElfError
from bpfgen_runtime.linked import LinkedProgram
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.plan import PlannedSpec, make_plan, planned_links, read_plan
from bpfgen_runtime.relocate import Relocator
from bpfgen_runtime.skeleton import EmbeddedObject
from bpfgen_runtime.spec import MapSpec, ObjectSpec, ProgramSpec

from tests.golden.regenerate import CASES
from tests.support.clang import compile_bpf

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/*.bpf.o"))
COMMITTED = {path.stem: path for path in (*EXAMPLES, *(case.object for case in CASES))}

#: Sources of tests/bpf: whether there can be a plan.
COMPILED = {
    "core_flavors": False,
    "ext_kconfig": False,
    "link_fentry": True,
    "load_callbacks": True,
    "load_globals": True,
    "load_loops": True,
    "load_maps": True,
    "load_sections": True,
    "load_subprogs": True,
    "maps_arena": False,
    "maps_nested": False,
    "maps_ops": False,
    "maps_pinned": True,
    "maps_resized": True,
    "maps_tailcalls": False,
}

GLOBALS = COMMITTED["globals.bpf"]


def planned(path: Path) -> PlannedSpec:
    data = make_plan(load_spec(str(path)))
    assert data is not None
    return read_plan(data, lambda: load_spec(str(path)))


def parts(linked: LinkedProgram) -> dict[str, object]:
    values = {name: getattr(linked, name) for name in LinkedProgram.__slots__}
    return values | {"spec": linked.spec.name}


def linked_anew(spec: ObjectSpec) -> list[dict[str, object]]:
    relocator = Relocator(spec)
    return [parts(relocator.link(program)) for program in spec.programs.values()]


def assert_alike(path: Path) -> None:
    """Hold an object's planned spec against the one that is read from it."""
    spec, other = load_spec(str(path)), planned(path)
    for name in ("name", "byte_order", "license", "kern_version", "externs", "unsupported"):
        assert getattr(other, name) == getattr(spec, name), name
    assert other.btf_bytes() == spec.btf_bytes()
    for ours, theirs, kind in (
        (other.maps, spec.maps, MapSpec),
        (other.programs, spec.programs, ProgramSpec),
    ):
        assert list(ours) == list(theirs)
        for name in theirs:
            for slot in kind.__slots__:
                if slot != "relocs":
                    assert getattr(ours[name], slot) == getattr(theirs[name], slot), (name, slot)
    links = planned_links(other, other.programs.values())
    assert links is not None
    assert other.plan is not None, "nothing of that may read the image"
    assert [parts(each) for each in links] == linked_anew(spec)
    assert linked_anew(other) == linked_anew(spec)  # from the image, as after a change


@pytest.mark.parametrize("name", sorted(COMMITTED))
def test_committed_objects(name: str) -> None:
    """What needs nothing of the kernel beforehand has a plan, which equals reading the object."""
    spec = load_spec(str(COMMITTED[name]))
    if name in ("tasktree.bpf", "kconfig.bpf", "slots.bpf"):  # CO-RE; settings; initial values
        assert make_plan(spec) is None
    else:
        assert_alike(COMMITTED[name])


@pytest.mark.needs("clang", "libbpf-dev", "linux-headers")
@pytest.mark.parametrize("name", sorted(COMPILED))
def test_compiled_objects(name: str) -> None:
    """The same for subprograms, callbacks, sections of all sorts, and special maps."""
    path = compile_bpf(name)
    if COMPILED[name]:
        assert_alike(path)
    else:
        assert make_plan(load_spec(str(path))) is None


def test_equal_objects_have_equal_plans() -> None:
    """A plan does not depend on which strings are interned, or shared."""
    spec = load_spec(str(GLOBALS))
    data = make_plan(spec)
    for each in spec.maps.values():
        each.section = "".join(list(each.section))
    assert make_plan(spec) == data
    assert data is not None
    assert marshal.dumps(marshal.loads(data), 2) == data


def _change_code(spec: ObjectSpec) -> None:
    program = next(iter(spec.programs.values()))
    program.set_insns(program.code[:-16] + struct.pack("<BBhi", 0xB7, 0, 0, 7) + program.code[-8:])


def _shorten(spec: ObjectSpec) -> None:
    code = struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)
    next(iter(spec.programs.values())).set_insns(code)


def _leave_out_a_map(spec: ObjectSpec) -> None:
    next(iter(spec.maps.values())).autocreate = False


def _fill_in_a_global(spec: ObjectSpec) -> None:
    contents = next(each.contents for each in spec.maps.values() if each.contents)
    contents[0] ^= 1


def _put_other_types(spec: ObjectSpec) -> None:
    assert spec.btf is not None
    spec.btf = spec.btf.extend([Int("added", 4)])


def _turn_relocations(spec: ObjectSpec) -> None:
    program = next(each for each in spec.programs.values() if each.relocs)
    program.relocs = program.relocs[:1]


def _add_a_program(spec: ObjectSpec) -> None:
    first = next(iter(spec.programs.values())).copy()
    first.name = "second"
    spec.programs["second"] = first


#: A change, and whether the plan holds with it.
CHANGES: list[tuple[Callable[[ObjectSpec], object], bool]] = [
    (lambda spec: setattr(next(iter(spec.programs.values())), "autoload", False), True),
    (lambda spec: setattr(next(iter(spec.maps.values())), "max_entries", 7), True),
    (lambda spec: setattr(spec, "kconfig", "CONFIG_X=y"), True),
    (_leave_out_a_map, True),
    (_fill_in_a_global, True),
    (_change_code, False),
    (_shorten, False),
    (_turn_relocations, False),
    (_put_other_types, False),
    (_add_a_program, False),
    (lambda spec: setattr(spec, "subprograms", []), False),
    (lambda spec: spec.programs.update(reversed(list(spec.programs.items()))), True),
    (lambda spec: spec.maps.update({"more": MapSpec("more", 2, section_index=99)}), False),
    (lambda spec: next(iter(spec.variables.values())).get(), False),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_changed_specs(number: int) -> None:
    """With a change that the plan does not know of, the programs are linked as without a plan."""
    change, holds = CHANGES[number]
    spec, other = load_spec(str(GLOBALS)), planned(GLOBALS)
    change(spec)
    change(other)
    links = planned_links(other, other.programs.values())
    assert (links is not None) == holds
    anew = linked_anew(spec)
    if links is not None:
        assert [parts(each) for each in links] == anew
    assert other.btf_bytes() == spec.btf_bytes()
    assert linked_anew(other) == anew


@pytest.mark.parametrize("copied", [ObjectSpec.copy, copy.copy])
def test_copies_are_ordinary_specs(copied: Callable[[ObjectSpec], ObjectSpec]) -> None:
    """A copy has all that an object has, and no plan."""
    twin = copied(planned(GLOBALS))
    assert type(twin) is ObjectSpec
    assert planned_links(twin, twin.programs.values()) is None
    assert linked_anew(twin) == linked_anew(load_spec(str(GLOBALS)))
    assert repr(twin).startswith("ObjectSpec(")


def test_unknown_attribute() -> None:
    """Asking for what no spec has reads no image."""
    spec = planned(GLOBALS)
    with pytest.raises(AttributeError, match="it is a definition, not yet in the kernel"):
        spec.attach  # type: ignore[attr-defined]  # noqa: B018
    assert spec.plan is not None
    assert repr(spec).startswith("ObjectSpec(")


@pytest.mark.parametrize("plan", ["zz", "28", "e9ffffffff", "29010000004e", "4e"])
def test_damaged_plan(plan: str) -> None:
    """A module whose plan is damaged says so by the object's name."""
    embedded = EmbeddedObject(name="damaged", generator="0", sha256="0" * 64, image="", plan=plan)
    with pytest.raises(ElfError, match="'damaged' is damaged"):
        embedded.spec()
