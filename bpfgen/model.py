"""The frozen view of one object that the templates write out: every decision is made here."""

from __future__ import annotations

import binascii
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from bpfgen_runtime import sections
from bpfgen_runtime.abi import ABI
from bpfgen_runtime.btf import Array
from bpfgen_runtime.errors import GenerateError
from bpfgen_runtime.loader.globals import KCONFIG_SECTION
from bpfgen_runtime.map_classes import ANY_MAP, class_of
from bpfgen_runtime.plan import make_plan
from bpfgen_runtime.spec import MapSpec, ObjectSpec, VariableSpec
from bpfgen_runtime.uapi import const as k

from . import __version__, naming
from .deflate import deflate
from .events import Event, Events
from .imports import Imports, isort_key, link_class
from .layout import managed
from .pytypes import EnumClass, PyType, Root, StructClass, TypeTable, opaque

__all__ = ["MapMember", "Module", "ProgramMember", "Section", "Variable", "build"]

#: Attributes that every skeleton has.
_SKELETON_ATTRIBUTES = ("links", "maps", "progs")

#: Base classes of every module.
_BASES = (
    "LinkGroup",
    "MapGroup",
    "OpenMapGroup",
    "OpenProgramGroup",
    "OpenSkeleton",
    "ProgramGroup",
    "Skeleton",
)

_LINE = 76  # characters of embedded data, as in MIME


@dataclass(frozen=True)
class MapMember:
    """One map: `home` names its class; `key` and `value` are expressions, "None" if untyped."""

    name: str
    c_name: str
    home: str
    annotation: str
    key: str
    value: str
    comments: tuple[str, ...]


@dataclass(frozen=True)
class ProgramMember:
    """One program."""

    name: str
    c_name: str
    class_: str
    section: str


@dataclass(frozen=True)
class LinkMember:
    """What can be attached, a program or a struct_ops map, and the class of its links."""

    name: str
    c_name: str
    class_: str


@dataclass(frozen=True)
class Variable:
    """One global variable.

    Attributes:
        offset: in its section, bytes.
        part: the type as which it is read in place, "" if that is no other.
    """

    name: str
    c_name: str
    c_type: str
    offset: int
    type: PyType
    part: str


@dataclass(frozen=True)
class Section:
    """One global data section with variables.

    Attributes:
        name: the attribute, e.g. `rodata`.
        elf_name: e.g. `.rodata`.
        open_class, live_class: class names; the same unless the section is read-only once loaded.
        global_, constant: the descriptors' names in these classes; `constant` "" if there are none.
        size: bytes, where its last variable is an array that takes what is added; else None.
        parts_class: the class of its structs and arrays in place, "" if it has none.
        names: the names by which the class bodies use `Part` and `property`.
        comments: on variables that are left out.
    """

    name: str
    elf_name: str
    open_class: str
    live_class: str
    global_: str
    constant: str
    variables: tuple[Variable, ...]
    size: int | None
    parts_class: str
    names: Mapping[str, str]
    comments: tuple[str, ...]


@dataclass(frozen=True)
class Module:
    """All that the template needs.

    Attributes:
        command: the command line that makes the module again.
        names: the names by which base classes are imported.
        own: (open, live) class names of `Skeleton`, `Maps`, `Programs`, `Links`.
        sidecar: whether the object stays a file beside the module; then neither of these:
        image: the packed object: lines of base64 of zlib data.
        plan: its load plan: lines of hexadecimal digits; empty if it has none.
    """

    file_name: str
    object_name: str
    command: str
    abi: int
    generator: str
    byte_order: str
    builtin_imports: tuple[str, ...]
    imports: tuple[str, ...]
    typing_imports: tuple[str, ...]
    names: Mapping[str, str]
    public: tuple[str, ...]
    own: Mapping[str, tuple[str, str]]
    enums: tuple[EnumClass, ...]
    structs: tuple[StructClass, ...]
    maps: tuple[MapMember, ...]
    programs: tuple[ProgramMember, ...]
    links: tuple[LinkMember, ...]
    sections: tuple[Section, ...]
    has_settings: bool
    sha256: str
    sidecar: bool
    image: tuple[str, ...]
    plan: tuple[str, ...]


def build(
    spec: ObjectSpec,
    *,
    file_name: str,
    sha256: str,
    name: str | None,
    events: Mapping[str, str],
    sidecar: bool = False,
    data: bytes = b"",
) -> Module:
    """Plan the module of one object.

    Args:
        file_name: without directories: nothing of where the file lies gets into the text.
        sha256: of the whole file, hexadecimal.
        name: what to call the object instead of by its file; None for the file's name.
        events: map to types, of `--event`.
        sidecar: leave the object outside, in a file of its name.
        data: the whole file: types that its BTF lacks are taken from its debug information.

    Raises:
        GenerateError: nothing can be generated for the object, or an option does not fit it.
    """
    if not spec.programs and not spec.maps:
        raise GenerateError("the object has no programs and no maps: nothing to make a skeleton of")
    if name is not None and not naming.is_identifier(name):
        raise GenerateError(f"name {name!r} is no identifier")
    object_name = naming.object_name(file_name) if name is None else name
    if spec.btf is None:
        raise GenerateError("the object has no BTF, hence no types: compile it with clang -g")
    builder = _Builder(spec, object_name, events, data)
    return builder.module(file_name, sha256, name, sidecar)


class _Shape(NamedTuple):
    """What a map is in Python: the class, as `MapMember` has it, and what is to be said of it."""

    home: str
    annotation: str
    key: str
    value: str
    notes: tuple[str, ...]

    @property
    def binding(self) -> str:
        """The expression of `MapSpec.binding`, for the maps in a map."""
        return f'("{self.home}", {self.key}, {self.value})'


class _Builder:
    def __init__(
        self, spec: ObjectSpec, object_name: str, events: Mapping[str, str], data: bytes
    ) -> None:
        self.spec = spec
        self.object_name = object_name
        self.class_name = naming.cap_words(object_name)
        self.asked = events
        self.maps = {name: m for name, m in spec.maps.items() if not m.is_data}
        decided = Events(spec, self.maps, events, data)
        self.events = decided.found
        #: The object's, with types behind its own that records have.
        self.btf = decided.btf
        self.variables: dict[str, list[VariableSpec]] = {}
        self.left_out: dict[str, list[VariableSpec]] = {}
        self.ends: dict[str, int] = {}  # where the last variable of each section begins
        for variable in spec.variables.values():
            end = max(self.ends.get(variable.section, 0), variable.offset)
            self.ends[variable.section] = end
            # Static ones are their file's own affair, and may share a name. As bpftool does.
            if not variable.is_static:
                shown = self.left_out if managed(self.btf, variable.type_id) else self.variables
                shown.setdefault(variable.section, []).append(variable)
        attributes = naming.Scope(_SKELETON_ATTRIBUTES)
        self.section_names = {
            section: attributes.add(naming.section_name(section)) for section in self.variables
        }
        self.classes = naming.Scope()
        self.own = {stem: self._class(stem) for stem in ("", "Maps", "Programs", "Links")}
        self.section_classes = {
            section: self._class(naming.cap_words(attribute))
            for section, attribute in self.section_names.items()
        }
        taken = {
            name for pair in (*self.own.values(), *self.section_classes.values()) for name in pair
        }
        self.parts_classes = {
            section: self.classes.add(f"{pair[1]}Parts")
            for section, pair in self.section_classes.items()
        }
        taken |= set(self.parts_classes.values())
        in_place = [one.type_id for group in self.variables.values() for one in group]
        self.types = TypeTable(self.btf, spec.byte_order, self._roots(), taken, in_place)
        #: Members may not be called like one: in their class body it would be hidden.
        self.own_classes = {*taken, *self.types.names.values(), *self.types.views.values()}
        self.imports = Imports(self.own_classes)

    def _class(self, stem: str) -> tuple[str, str]:
        """Name a class of the skeleton: as of before load, and after."""
        live = self.classes.add(f"{self.class_name}{stem}")
        return self.classes.add(f"Open{live}"), live

    def _roots(self) -> list[Root]:
        roots = []
        for name, spec in self.maps.items():
            roots += self._element_roots(spec, name)
            event = self.events.get(name)
            if event is not None:
                roots += [Root(choice.type_id, f"{name}_event") for choice in event.choices]
        for variables in self.variables.values():
            roots += [Root(variable.type_id, variable.name) for variable in variables]
        return [root for root in roots if root.type_id]

    def _element_roots(self, spec: MapSpec, name: str) -> list[Root]:
        """Name the types of keys and values that a map's class has as parameters."""
        roots = []
        parameters = class_of(spec.map_type, spec.value_size).parameters
        if "key" in parameters:
            roots.append(Root(spec.key_type_id, f"{name}_key"))
        if "value" in parameters:
            roots.append(Root(spec.value_type_id, f"{name}_value"))
        if "inner" in parameters and isinstance(spec.inner, MapSpec):
            roots += self._element_roots(spec.inner, f"{name}_inner")
        return roots

    def module(self, file_name: str, sha256: str, name: str | None, sidecar: bool) -> Module:
        structs = tuple(self.types.structs(self.imports))
        enums = tuple(self.types.enums())
        maps = self._maps()
        programs = self._programs()
        links = self._links()
        sections = tuple(self._section(name) for name in self.variables)
        holder = "SidecarObject" if sidecar else "EmbeddedObject"
        base_names = {name: self.imports.name(name) for name in (*_BASES, holder)}
        if structs:
            base_names["dataclass"] = self.imports.name("dataclass")
        if enums:
            base_names["CEnum"] = self.imports.name("CEnum")
        if sections:
            base_names["DataSection"] = self.imports.name("DataSection")
        if any(section.parts_class for section in sections):
            base_names["Parts"] = self.imports.name("Parts")
        hidden = {one.name for one in maps}
        base_names |= {name: self.imports.name(name, hidden) for name in ("ClassVar", "Members")}
        if maps:
            base_names["MapSpec"] = self.imports.name("MapSpec", hidden)
        if programs:
            base_names["ProgramSpec"] = self.imports.name(
                "ProgramSpec", {one.name for one in programs}
            )
        public = [*(e.name for e in enums), *(s.name for s in structs), *self.own[""]]
        return Module(
            file_name=file_name,
            object_name=self.object_name,
            command=_command(file_name, name, self.asked, sidecar),
            abi=ABI,
            generator=__version__,
            byte_order=self.spec.byte_order,
            builtin_imports=tuple(self.imports.builtin_lines()),
            imports=tuple(self.imports.lines()),
            typing_imports=tuple(self.imports.typing_lines()),
            names=base_names,
            public=tuple(sorted(public, key=isort_key)),
            own={stem or "Skeleton": pair for stem, pair in self.own.items()},
            enums=enums,
            structs=structs,
            maps=maps,
            programs=programs,
            links=links,
            sections=sections,
            has_settings=KCONFIG_SECTION in self.spec.maps,
            sha256=sha256,
            sidecar=sidecar,
            image=() if sidecar else _lines(_base64(deflate(self.spec.image.pack()))),
            plan=() if sidecar else _lines((make_plan(self.spec) or b"").hex()),
        )

    def _members(self, names: Iterable[str], reserved: frozenset[str]) -> dict[str, str]:
        return naming.Scope.members(names, reserved | self.own_classes)

    def _maps(self) -> tuple[MapMember, ...]:
        names = self._members(self.maps, naming.GROUP_ATTRIBUTES)
        hidden = frozenset(names.values())
        return tuple(self._map(names[name], name, spec, hidden) for name, spec in self.maps.items())

    def _map(self, name: str, c_name: str, spec: MapSpec, hidden: frozenset[str]) -> MapMember:
        shape = self._shape(spec, hidden, self.events.get(c_name))
        comments = shape.notes
        if spec.unsupported:
            comments = (*comments, f"{spec.unsupported}: cannot be loaded yet")
        return MapMember(
            name, c_name, shape.home, shape.annotation, shape.key, shape.value, comments
        )

    def _shape(self, spec: MapSpec, hidden: frozenset[str], event: Event | None = None) -> _Shape:
        """Choose a map's class and the types that go with it."""
        found = class_of(spec.map_type, spec.value_size)
        types, notes = [], []
        key = value = "None"
        if found is ANY_MAP:
            notes.append("no typed class for this type of map yet")
        for parameter in found.parameters:
            if parameter == "inner":
                inner = self._inner(spec, hidden)
                value = inner.binding
                types.append(inner.annotation)
                notes += inner.notes
                continue
            if parameter == "frame":
                by_file = spec.map_flags & k.BPF_F_STACK_BUILD_ID
                types.append(self.imports.name("BuildIdFrame" if by_file else "Address", hidden))
                continue
            if parameter == "event":
                content = self._event(event, hidden)
            elif parameter == "key":
                content = self._content(spec.key_type_id, spec.key_size, hidden)
            else:
                content = self._content(spec.value_type_id, spec.value_size, hidden)
            types.append(content.annotation)
            notes.append(content.note)
            if parameter == "key":
                key = content.ctype
            else:
                value = content.ctype
        annotation = self.imports.name(found.name, hidden)
        if types:
            annotation += f"[{', '.join(types)}]"
        return _Shape(found.home, annotation, key, value, tuple(note for note in notes if note))

    def _inner(self, spec: MapSpec, hidden: frozenset[str]) -> _Shape:
        """Choose the class of the maps in a map of maps."""
        if isinstance(spec.inner, MapSpec):
            return self._shape(spec.inner, hidden)
        note = "no definition of the maps in it: set `inner` before load"
        return _Shape(
            ANY_MAP.home, self.imports.name(ANY_MAP.name, hidden), "None", "None", (note,)
        )

    def _content(self, type_id: int, size: int, hidden: frozenset[str]) -> PyType:
        """Describe a key or a value, of which the definition may give only the size."""
        if type_id:
            return self.types.describe(type_id, self.imports, hidden)
        note = f"only the size is given: {size} bytes"
        return opaque(size, note, self.imports, hidden)

    def _event(self, event: Event | None, hidden: frozenset[str]) -> PyType:
        """Describe the records of a buffer: of one type, of several, or bytes."""
        note = "" if event is None else event.why
        if event is None or not event.choices:
            as_bytes = self.imports.name("bytes", hidden)
            return PyType(as_bytes, as_bytes, "None", "None", note)
        uses = [self.types.describe(one.type_id, self.imports, hidden) for one in event.choices]
        if len(uses) == 1 and event.tag is None:
            return replace(uses[0], note=note)
        annotation = " | ".join(dict.fromkeys(use.annotation for use in uses))
        if event.tag is None:
            by_size = self.imports.name("by_size", hidden)
            ctype = f"{by_size}({', '.join(use.ctype for use in uses)})"
        else:
            offset, size, signed = event.tag
            tag = self.imports.name(f"{'i' if signed else 'u'}{8 * size}", hidden)
            if self.spec.byte_order == ">" and size > 1:
                tag = f"{self.imports.name('be', hidden)}({tag})"
            pairs = [
                f"{value}: {use.ctype}"
                for use, one in zip(uses, event.choices, strict=True)
                for value in one.values
            ]
            by_tag = self.imports.name("by_tag", hidden)
            ctype = f"{by_tag}({offset}, {tag}, {{{', '.join(pairs)}}})"
        return PyType(annotation, annotation, ctype, "None", note)

    def _programs(self) -> tuple[ProgramMember, ...]:
        names = self._members(self.spec.programs, naming.GROUP_ATTRIBUTES)
        hidden = frozenset(names.values())
        members = []
        for c_name, spec in self.spec.programs.items():
            class_ = sections.program_class(spec.section)
            members.append(
                ProgramMember(
                    names[c_name],
                    c_name,
                    self.imports.name(class_, hidden),
                    spec.section,
                )
            )
        return tuple(members)

    def _links(self) -> tuple[LinkMember, ...]:
        classes = {
            name: link_class(sections.program_class(spec.section))
            for name, spec in self.spec.programs.items()
        }
        classes |= {n: "StructOpsLink" for n, m in self.maps.items() if m.struct_ops is not None}
        names = self._members(classes, naming.GROUP_ATTRIBUTES)
        hidden = frozenset(names.values())
        return tuple(
            LinkMember(names[c_name], c_name, self.imports.name(class_, hidden))
            for c_name, class_ in classes.items()
        )

    def _section(self, elf_name: str) -> Section:
        variables = self.variables[elf_name]
        names = self._members([one.name for one in variables], naming.SECTION_ATTRIBUTES)
        hidden = frozenset(names.values())
        open_class, live_class = self.section_classes[elf_name]
        is_constant = self.spec.maps[elf_name].is_constant
        uses = [self.types.describe(one.type_id, self.imports, hidden) for one in variables]
        parts = [self.types.part(one.type_id, self.imports, hidden) for one in variables]
        parts = [
            "" if part == use.annotation else part for part, use in zip(parts, uses, strict=True)
        ]
        last = max(variables, key=lambda one: one.offset)
        is_last = last.offset == self.ends[elf_name] and self._is_array(last.type_id)
        is_last = is_last and self.spec.maps[elf_name].is_data  # an arena is as large as it is
        return Section(
            self.section_names[elf_name],
            elf_name,
            open_class if is_constant else live_class,
            live_class,
            self.imports.name("Global", hidden),
            self.imports.name("Constant", hidden) if is_constant else "",
            tuple(
                Variable(
                    names[one.name],
                    one.name,
                    self.btf.c_name(one.type_id),
                    one.offset,
                    use,
                    part,
                )
                for one, use, part in zip(variables, uses, parts, strict=True)
            ),
            self.spec.maps[elf_name].value_size if is_last else None,
            self.parts_classes[elf_name] if any(parts) else "",
            (
                {name: self.imports.name(name, hidden) for name in ("Part", "property")}
                if any(parts)
                else {}
            ),
            tuple(
                f"{one.name}: {self.btf.c_name(one.type_id)}, managed by the kernel"
                for one in self.left_out.get(elf_name, ())
            ),
        )

    def _is_array(self, type_id: int) -> bool:
        return isinstance(self.btf.type(self.btf.resolve(type_id)), Array)


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _command(file_name: str, name: str | None, events: Mapping[str, str], sidecar: bool) -> str:
    words = ["bpfgen", "skeleton", file_name]
    if name is not None:
        words += ["--name", name]
    for map_name, type_name in sorted(events.items()):
        words += ["--event", f"{map_name}={type_name}"]
    if sidecar:
        words.append("--sidecar")
    return shlex.join(words)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + _LINE] for at in range(0, len(text), _LINE))
