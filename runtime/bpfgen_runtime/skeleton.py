"""What generated modules subclass: an object before load and after, and its groups of things.

The state is in the class. `OpenSkeleton` has specs and initial values, `Skeleton` has what is in
the kernel, and what is used in the wrong state says so: an empty slot raises `ClosedError`.

A generated class says by tuples (`MEMBERS`, `SECTIONS`) what its slots hold; the C name of a thing
and its attribute differ where Python's rules want it (docs/naming.md).
"""

from __future__ import annotations

from .errors import BpfError, ClosedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Any, ClassVar, TypeAlias

    from typing_extensions import Self

    from .link import Link
    from .map import Map
    from .object import Object
    from .program import Program
    from .spec import MapSpec, ObjectSpec, ProgramSpec
    from .values import DataSection

    #: One tuple for each attribute: its name, the C name, and what the group's kind adds.
    Members: TypeAlias = tuple[tuple[Any, ...], ...]

__all__ = [
    "EmbeddedObject",
    "LinkGroup",
    "MapGroup",
    "OpenMapGroup",
    "OpenProgramGroup",
    "OpenSkeleton",
    "ProgramGroup",
    "Skeleton",
]


class EmbeddedObject:
    """The BPF object that a generated module carries.

    Attributes:
        name: what the object is called, by its file.
        generator: the version of bpfgen that wrote the module.
        sha256: of the ELF file that the module was made from, hexadecimal.
        image: base64 of zlib data of the packed `ElfImage`.
        plan: the load plan (see `plan`) in hexadecimal, "" if the object has none: longer than the
            image, but to read it no module needs to be imported.
    """

    __slots__ = ("generator", "image", "name", "plan", "sha256")

    def __init__(
        self, *, name: str, generator: str, sha256: str, image: str, plan: str = ""
    ) -> None:
        self.name = name
        self.generator = generator
        self.sha256 = sha256
        self.image = image
        self.plan = plan

    def spec(self) -> ObjectSpec:
        """Read the object; each call gives a spec of its own to edit.

        Raises:
            ElfError: the module's text is damaged.
        """
        if not self.plan:
            return self._read()
        from .plan import read_plan

        try:
            return read_plan(bytes.fromhex(self.plan), self._read)
        except (EOFError, TypeError, ValueError) as reason:
            raise self._damaged(reason) from reason

    def _read(self) -> ObjectSpec:
        from binascii import Error, a2b_base64
        from zlib import decompress, error

        from .elf.image import ElfImage
        from .loader import load_spec

        try:
            packed = decompress(a2b_base64(self.image))
        except (Error, error) as reason:
            raise self._damaged(reason) from reason
        return load_spec(ElfImage.unpack(packed))

    def _damaged(self, reason: Exception) -> BpfError:
        from .errors import ElfError

        return ElfError(
            f"the object inside skeleton {self.name!r} is damaged ({reason}): generate it again"
        )

    def __repr__(self) -> str:
        return f"<EmbeddedObject {self.name!r}, sha256 {self.sha256[:12]}…>"


class _Slots:
    """Attributes in slots, filled in one state and empty in another."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            # Only for names that are no attribute, and for slots that are empty.
            for cls in type(self).__mro__:
                if name in getattr(cls, "__slots__", ()):
                    raise ClosedError(self._why_empty(name))
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _why_empty(self, name: str) -> str:
        raise NotImplementedError

    def _clear(self, *names: str) -> None:
        for name in names:
            if _is_filled(self, name):
                delattr(self, name)


def _is_filled(slots: _Slots, name: str) -> bool:
    try:
        getattr(slots, name)
    except ClosedError:
        return False
    return True


class _Group(_Slots):
    """The maps, programs or links of a skeleton: one attribute each.

    Iterating gives those that are there, in the object's order; `in` and `len` count them.
    """

    __slots__ = ()

    MEMBERS: ClassVar[Members] = ()

    def __len__(self) -> int:
        return sum([_is_filled(self, member[0]) for member in self.MEMBERS])

    def __iter__(self) -> Iterator[Any]:
        for member in self.MEMBERS:
            if _is_filled(self, member[0]):
                yield getattr(self, member[0])

    def __repr__(self) -> str:
        names = [member[0] for member in self.MEMBERS if _is_filled(self, member[0])]
        return f"<{type(self).__name__}: {', '.join(names) or 'none'}>"

    @classmethod
    def _c_name(cls, name: str) -> str:
        return next(str(member[1]) for member in cls.MEMBERS if member[0] == name)


class _FilledGroup(_Group):
    __slots__ = ()

    def __init__(self, things: Mapping[str, Any]) -> None:
        for member in self.MEMBERS:
            if member[1] in things:
                setattr(self, member[0], things[member[1]])


class OpenMapGroup(_FilledGroup):
    """The maps before load, as `MapSpec`s."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[MapSpec]: ...

    def _why_empty(self, name: str) -> str:
        return f"map {self._c_name(name)!r}: {_USED_UP}"


class OpenProgramGroup(_FilledGroup):
    """The programs before load, as `ProgramSpec`s."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[ProgramSpec]: ...

    def _why_empty(self, name: str) -> str:
        return f"program {self._c_name(name)!r}: {_USED_UP}"


class MapGroup(_FilledGroup):
    """The maps in the kernel."""

    __slots__ = ("_loaded",)

    def __init__(self, loaded: Object) -> None:
        self._loaded: Object | None = loaded  # until one of its maps is asked for

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Map]: ...

    else:

        def __getattr__(self, name):
            if name == "_loaded":
                raise AttributeError(name)
            loaded = self._loaded
            if loaded is not None:
                super().__init__(loaded.maps)
                self._loaded = None
            try:
                return object.__getattribute__(self, name)  # filled, perhaps by another thread
            except AttributeError:
                return super().__getattr__(name)

    def _why_empty(self, name: str) -> str:
        return f"map {self._c_name(name)!r} was not created: its autocreate was False at load"


class ProgramGroup(_FilledGroup):
    """The programs in the kernel."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Program]: ...

    def _why_empty(self, name: str) -> str:
        return (
            f"program {self._c_name(name)!r} was not loaded: its autoload was False; set "
            f"opened.progs.{name}.autoload = True before load"
        )


class LinkGroup(_Group):
    """The links of a skeleton, each from its program's attachment on.

    `attach()` fills them. A link that was made by hand may be put here, so that `detach()` and
    `destroy()` take care of it: `skel.links.count = skel.progs.count.attach_xdp("eth0")`.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Link]: ...

    if not TYPE_CHECKING:  # else any attribute would do

        def __setattr__(self, name, link):
            if not any(name == member[0] for member in self.MEMBERS):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            if _is_filled(self, name) and not getattr(self, name).closed:
                raise BpfError(
                    f"program {self._c_name(name)!r} is attached by skel.links.{name} already: "
                    "destroy() that link first, or keep the other one in a variable of your own"
                )
            super().__setattr__(name, link)

    def _why_empty(self, name: str) -> str:
        return (
            f"program {self._c_name(name)!r} is not attached: skel.attach() attaches those whose "
            f"section says where, methods of skel.progs.{name} the others"
        )

    def _destroy(self) -> None:
        """Destroy all links, the last first, even if destroying one fails."""
        names = [member[0] for member in self.MEMBERS if _is_filled(self, member[0])]
        links = [getattr(self, name) for name in names]
        self._clear(*names)
        _close_all([link.destroy for link in reversed(links)])


_USED_UP = (
    "this open skeleton is used up; go on with the skeleton that load() returned, or open() anew"
)


class _State(_Slots):
    """What both states of a skeleton share: sections of globals, an end, and `with`."""

    __slots__ = ()

    #: Attribute, ELF name and class of each global data section that has variables; the map's name
    #: for an arena.
    SECTIONS: ClassVar[tuple[tuple[str, str, type[DataSection]], ...]] = ()

    def _close_sections(self) -> None:
        for name, _, _ in self.SECTIONS:
            if _is_filled(self, name):
                getattr(self, name).close()

    @property
    def closed(self) -> bool:
        raise NotImplementedError

    def destroy(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        if self.closed:
            raise ClosedError(self._why_empty(""))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.destroy()


class OpenSkeleton(_State):
    """An object that is parsed and not yet in the kernel: maps, programs, globals can be changed.

    `load()` uses it up: everything reached through it then raises `ClosedError`. If load fails,
    nothing is left in the kernel and the open skeleton stays as it was, so that a caller may change
    something (leave a program out by `autoload = False`) and try again. libbpf's skeletons do not
    survive a failed load.
    """

    __slots__ = ("_name", "_spec")

    MAPS: ClassVar[type[OpenMapGroup]] = OpenMapGroup
    PROGS: ClassVar[type[OpenProgramGroup]] = OpenProgramGroup

    if TYPE_CHECKING:
        _name: str
        _spec: ObjectSpec

    def __init__(
        self, embedded: EmbeddedObject, btf_custom_path: str | None = None, kconfig: str = ""
    ) -> None:
        spec = embedded.spec()
        spec.btf_custom_path = btf_custom_path
        spec.kconfig = kconfig
        self._name = embedded.name
        self._spec = spec
        # Not plain assignments: subclasses declare these slots with types of their own.
        setattr(self, "maps", self.MAPS(spec.maps))  # noqa: B010
        setattr(self, "progs", self.PROGS(spec.programs))  # noqa: B010
        for name, section, cls in self.SECTIONS:
            holder = spec.maps[section]
            contents = holder.contents if holder.arena_data is None else holder.arena_data
            assert contents is not None
            shown = cls(contents, name=f"{embedded.name}.{name}")
            shown._spec = holder
            holder._viewers.append(shown)
            setattr(self, name, shown)

    @property
    def spec(self) -> ObjectSpec:
        """All that the file says, also what has no attribute here; may be changed."""
        return self._spec

    @property
    def closed(self) -> bool:
        """Whether it was loaded or destroyed."""
        return not _is_filled(self, "_spec")

    def destroy(self) -> None:
        """Give it up without loading; do nothing if it is used up already."""
        if self.closed:
            return
        self._close_sections()
        for name in ("maps", "progs"):
            group = getattr(self, name)
            group._clear(*[member[0] for member in group.MEMBERS])
        self._clear("_spec", "maps", "progs", *[name for name, _, _ in self.SECTIONS])

    def _why_empty(self, name: str) -> str:
        what = "" if name.startswith("_") or not name else f".{name}"
        return f"{type(self).__name__}{what}: {_USED_UP}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}{', used up' if self.closed else ''}>"


class Skeleton(_State):
    """An object in the kernel: its maps, programs, links and globals.

    Args:
        opened: what to load; used up if that succeeds.

    Raises:
        BpfError: a step of load failed; nothing is left in the kernel. `VerifierError` has the log.
    """

    __slots__ = ("_autoattach", "_object")

    MAPS: ClassVar[type[MapGroup]] = MapGroup
    PROGS: ClassVar[type[ProgramGroup]] = ProgramGroup
    LINKS: ClassVar[type[LinkGroup]] = LinkGroup

    if TYPE_CHECKING:
        _autoattach: dict[str, bool]
        _object: Object

    def __init__(self, opened: OpenSkeleton) -> None:
        from .object import Object

        spec = opened.spec
        for _, c_name, cls, key, value in self.MAPS.MEMBERS:
            spec.maps[c_name].binding = (cls, key, value)
        for _, c_name, cls in self.PROGS.MEMBERS:
            spec.programs[c_name].binding = cls
        loaded = Object.load(spec)
        try:
            # Not plain assignments: subclasses declare these slots with types of their own.
            setattr(self, "maps", self.MAPS(loaded))  # noqa: B010
            setattr(self, "progs", self.PROGS(loaded.programs))  # noqa: B010
            setattr(self, "links", self.LINKS())  # noqa: B010
            for name, section, cls in self.SECTIONS:
                data: Any = loaded.data.get(section)
                if data is None:
                    arena: Any = loaded.maps[section]
                    data = arena.globals
                setattr(self, name, cls(data, name=f"{opened._name}.{name}"))
        except BaseException:
            self._close_sections()
            loaded.close()
            raise
        self._object = loaded
        self._autoattach = {name: map_.autoattach for name, map_ in spec.maps.items()}
        self._autoattach |= {name: program.autoattach for name, program in spec.programs.items()}
        opened.destroy()

    @property
    def object(self) -> Object:
        """The loaded object, with the maps and programs that have no attribute here."""
        return self._object

    @property
    def closed(self) -> bool:
        """Whether `destroy` was called."""
        return not _is_filled(self, "_object")

    def attach(self) -> None:
        """Attach every program whose section says where and that is not attached yet.

        Then every struct_ops map, which registers its struct with the kernel.

        Left out are programs that were not loaded, have `autoattach = False`, or need a target
        (`SEC("xdp")`). If one fails, those attached by this call are detached again.

        Raises:
            SyscallError: the kernel refused to attach a program; the message names it.
            NotSupportedError: a program's kind of attachment is not there yet.
        """
        from .link import attach

        programs = self.object.programs
        links = self._links
        made = []
        try:
            for name, c_name in links.MEMBERS:
                if not self._autoattach[c_name] or _is_filled(links, name):
                    continue
                link: Link | None = None
                if c_name in programs:
                    link = attach(programs[c_name])
                elif any(c_name == member[1] for member in self.MAPS.MEMBERS):  # of struct_ops
                    registered: Any = self.object.maps.get(c_name)
                    link = None if registered is None else registered.attach()
                if link is not None:
                    setattr(links, name, link)
                    made.append(name)
        except BaseException:
            undo = [getattr(links, name).destroy for name in reversed(made)]
            links._clear(*made)
            _close_all(undo)
            raise

    def detach(self) -> None:
        """Destroy the links that `attach` made, and those put into `links` by hand."""
        if not self.closed:
            self._links._destroy()

    def destroy(self) -> None:
        """Detach, unload and close everything; do nothing if that is done already.

        What is pinned, or held by another process, stays in the kernel.
        """
        if self.closed:
            return
        loaded = self._object
        self._clear("_object")
        _close_all([self._links._destroy, self._close_sections, loaded.close])

    @property
    def _links(self) -> LinkGroup:
        links: LinkGroup = getattr(self, "links")  # noqa: B009
        return links

    def _why_empty(self, name: str) -> str:
        return f"{type(self).__name__} is destroyed: open() and load() it anew"

    def __repr__(self) -> str:
        if self.closed:
            return f"<{type(self).__name__}, destroyed>"
        attached = [
            member[0] for member in self._links.MEMBERS if _is_filled(self._links, member[0])
        ]
        return f"<{type(self).__name__}, attached: {', '.join(attached) or 'nothing'}>"


def _close_all(steps: list[Any]) -> None:
    """Take all steps even if one fails; raise the first error."""
    failure: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:
            failure = failure or error
    if failure is not None:
        raise failure
