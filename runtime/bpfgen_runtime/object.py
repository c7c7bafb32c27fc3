"""A loaded object: its maps, programs and global data in the kernel."""

from __future__ import annotations

from _thread import allocate_lock
from errno import EINVAL, EPERM
from sys import byteorder

from .errors import ClosedError, NotSupportedError, SyscallError
from .load import create_map, fill_data, load_btf, load_program, settled
from .plan import planned_links
from .program import Program
from .sys import bpf
from .uapi.start import BPF_MAP_TYPE_ARENA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from .externs import ResolvedExterns
    from .kernel_types import KernelTypes
    from .linked import LinkedProgram
    from .load_maps import MapLoad
    from .map import Map
    from .spec import MapSpec, ObjectSpec, ProgramSpec
    from .sys.fd import Fd

__all__ = ["Object"]

_opening = allocate_lock()

_NO_TARGET = (0, 0, 0)  # of `attach_target`

#: Among the strings of BTF with such a tag; see `arg_ctx`.
_ARG_CTX = b"\0arg:ctx\0"


class Object:
    """Everything that a load made in the kernel; closes together.

    Attributes:
        name: libbpf's object name.
        programs: by name, without those that `autoload` left out.
        data: the bytes of global data sections, by section name, shared with the kernel; sections
            without a visible variable are not among them. Read-only where they hold constants.
    """

    __slots__ = ("_btf", "_closed", "_maps", "_pending", "data", "name", "programs")

    def __init__(self, name: str) -> None:
        self.name = name
        self._maps: dict[str, Map] = {}
        #: Maps that nobody has asked for yet: descriptor and definition.
        self._pending: dict[str, tuple[Fd, MapSpec]] = {}
        self.programs: dict[str, Program] = {}
        self.data: dict[str, mmap] = {}
        self._btf: Fd | None = None
        self._closed = False

    @classmethod
    def load(
        cls,
        spec: ObjectSpec,
        *,
        log_level: int = 0,
        btf_custom_path: str | None = None,
        kconfig: str = "",
    ) -> Self:
        """Create an object's maps and load its programs: all of them or nothing.

        The spec is only read, and can be loaded again.

        Args:
            log_level: `BPF_LOG_LEVEL*` bits for every program, on top of its own `log_level`.
            btf_custom_path: a file of BTF for CO-RE, in place of `spec.btf_custom_path`.
            kconfig: settings for `.kconfig` externs, before those of `spec.kconfig`.

        Raises:
            NotSupportedError: the object needs something that this version or this kernel lacks.
            RelocationError: a reference that leads nowhere.
            VerifierError: the kernel refused a program; has the whole log.
            SyscallError: another step failed; names it, and the object concerned.
        """
        _check(spec)
        if any(map_spec.resized for map_spec in spec.maps.values()):
            from .loader.resize import resized

            spec = resized(spec)
        if not (
            spec.externs
            or _has_btf_targets(spec)
            or any(_is_special(map_spec) for map_spec in spec.maps.values())
        ):
            return cls._load_unlimited(spec, log_level, btf_custom_path, None, None)
        from .externs import with_externs
        from .kernel_types import KernelTypes

        kernel = KernelTypes()
        try:
            spec, externs = with_externs(spec, kernel, kconfig)
            return cls._load_unlimited(spec, log_level, btf_custom_path, kernel, externs)
        finally:
            kernel.close()

    @classmethod
    def _load_unlimited(cls, *arguments: Any) -> Self:
        try:
            return cls._load(*arguments)
        except SyscallError as error:
            if error.errno != EPERM:
                raise
            from .sanitize import raise_memlock

            if not raise_memlock():
                raise
        return cls._load(*arguments)

    @classmethod
    def _load(
        cls,
        spec: ObjectSpec,
        log_level: int,
        btf_custom_path: str | None,
        kernel: KernelTypes | None,
        externs: ResolvedExterns | None,
    ) -> Self:
        # What the file alone can get wrong shows before there is anything to undo.
        programs = [program for program in spec.programs.values() if program.autoload]
        special: MapLoad | None = None
        if kernel is not None and any(_is_special(map_spec) for map_spec in spec.maps.values()):
            from .load_maps import MapLoad, wanted_programs

            programs = wanted_programs(spec)
            special = MapLoad(spec, kernel)
        linked = planned_links(spec, programs)
        # Maps that are what they were when the skeleton was generated are of the class given there,
        # so that what remains of making them cannot fail, and can wait.
        may_wait = linked is not None and special is None
        if linked is None:
            linked = _link(spec, programs, btf_custom_path)
        btf_data = spec.btf_bytes()
        if btf_data is not None and _ARG_CTX in btf_data:
            from .arg_ctx import for_kernel

            spec = for_kernel(spec, linked)
        targets = [_NO_TARGET] * len(linked)
        if kernel is not None:
            from .attach_target import attach_target

            targets = [attach_target(each.spec, kernel) for each in linked]
        if special is not None:
            special.aim(linked, targets)
        loaded = cls(spec.name)
        try:
            loaded._btf = load_btf(spec)
            fds = loaded._make_maps(spec, special, may_wait)
            names = list(spec.maps)
            for each, target in zip(linked, targets, strict=True):
                program = each.spec
                fd, log = load_program(
                    each,
                    each.fill_in(fds, names, externs),
                    spec,
                    loaded._btf,
                    target,
                    program.log_level | log_level,
                    () if externs is None else externs.fd_array,
                )
                try:
                    live = (program.binding or Program)(fd, each.spec)
                except BaseException:
                    fd.close()
                    raise
                live.log = log
                loaded.programs[program.name] = live
                _bind_constants(spec, each, live, fds)
            if special is not None:
                special.finish(loaded)
        except BaseException:
            try:
                if special is not None:
                    special.undo()
            finally:
                loaded.close()
            raise
        return loaded

    def _make_maps(
        self, spec: ObjectSpec, special: MapLoad | None, may_wait: bool
    ) -> dict[str, int]:
        fds = {}
        # What others hold comes first.
        for name, map_spec in sorted(spec.maps.items(), key=_has_values):
            if not map_spec.autocreate:
                continue
            definition = settled(map_spec)
            if special is not None and _is_special(map_spec):
                fds[name] = special.make(definition, self._btf, self).fileno()
                continue
            fd = create_map(definition, self._btf)
            self._pending[name] = fd, definition._clone()
            if not may_wait:
                self._open_pending()
            fds[name] = fd.fileno()
            if map_spec.is_data:
                data = fill_data(map_spec, fd)
                if data is not None:
                    self.data[name] = data
        if special is not None:
            self._maps = {name: self._maps[name] for name in spec.maps if name in fds}
        return fds

    def _open_pending(self) -> None:
        from .map import open_map

        with _opening:  # several threads may be the first to ask
            while self._pending:
                name, (fd, definition) = next(iter(self._pending.items()))
                try:
                    self._maps[name] = open_map(fd, definition)
                finally:
                    del self._pending[name]

    @property
    def maps(self) -> dict[str, Map]:
        """By name, data sections included; without those that `autocreate` left out."""
        if self._pending:
            self._open_pending()
        return self._maps

    @property
    def btf_fd(self) -> int:
        """The descriptor of the object's BTF in the kernel, -1 if it has none there.

        Raises:
            ClosedError: the object is closed.
        """
        if self._closed:
            raise ClosedError(f"object {self.name!r} is closed")
        return -1 if self._btf is None else self._btf.fileno()

    def close(self) -> None:
        """Detach, unload and close everything; do nothing if that is done already.

        What is pinned stays in the kernel.
        """
        if self._closed:
            return
        self._closed = True
        try:
            for program in self.programs.values():
                program.close()
        finally:
            for data in self.data.values():
                _unmap(data)
            self.data.clear()
            for live in self._maps.values():
                live.close()
            for fd, _ in self._pending.values():
                fd.close()
            if self._btf is not None:
                self._btf.close()

    def __enter__(self) -> Self:
        if self._closed:
            raise ClosedError(f"object {self.name!r} is closed")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = (
            "closed"
            if self._closed
            else f"{len(self._maps) + len(self._pending)} maps, {len(self.programs)} programs"
        )
        return f"<{type(self).__name__} {self.name!r}: {state}>"


def _has_btf_targets(spec: ObjectSpec) -> bool:
    programs = spec.programs.values()
    if any(program.is_target_set for program in programs):
        return True
    if not any(program.sec_flags for program in programs):
        return False
    from .sections import ATTACH_BTF

    return any(program.sec_flags & ATTACH_BTF for program in programs)


def _link(
    spec: ObjectSpec, programs: list[ProgramSpec], btf_custom_path: str | None
) -> list[LinkedProgram]:
    from mmap import PAGESIZE

    from .relocate import Relocator

    relocator = Relocator(spec, page_size=PAGESIZE)
    if spec.btf_ext is not None and len(spec.btf_ext.core_relos):
        from .core_target import relocate_core

        relocator.patched = relocate_core(
            spec, relocator.functions_of(programs), btf_custom_path or spec.btf_custom_path
        )
    return [relocator.link(program) for program in programs]


def _bind_constants(
    spec: ObjectSpec, linked: LinkedProgram, program: Program, fds: dict[str, int]
) -> None:
    """Let a program hold the constants that it does not use, too, for those who dump it."""
    used = {use[1] for use in linked.map_uses}
    for name, fd in fds.items():
        if name not in used and spec.maps[name].is_rodata:
            try:
                bpf.prog_bind_map(prog_fd=program.fileno(), map_fd=fd)
            except SyscallError as error:
                if error.errno != EINVAL:  # the kernel is older than v5.10, and no worse for it
                    raise


def _unmap(data: mmap) -> None:
    try:
        data.close()
    except BufferError:
        return  # someone still has a view of the memory, and it is unmapped with the last one


def _is_special(spec: MapSpec) -> bool:
    """Tell whether a map takes more than its definition to make; see `load_maps`."""
    return bool(
        spec.pinning
        or spec.values
        or spec.pin_path is not None
        or spec.inner is not None
        or spec.reused is not None
        or spec.struct_ops is not None
        or spec.map_type == BPF_MAP_TYPE_ARENA
    )


def _has_values(item: tuple[str, MapSpec]) -> bool:
    return bool(item[1].values)


def _check(spec: ObjectSpec) -> None:
    """Refuse what this version cannot load, and what no kernel could."""
    if (spec.byte_order == "<") != (byteorder == "little"):
        order = "big" if spec.byte_order == ">" else "little"
        raise NotSupportedError(
            f"loading object {spec.name!r}, which is {order}-endian, on this machine",
            "compile with clang -target bpf, which takes the machine's byte order",
        )
    for section in spec.unsupported:
        raise NotSupportedError(f"section {section!r} of object {spec.name!r}")
    for map_spec in spec.maps.values():
        if map_spec.autocreate and map_spec.unsupported:
            raise NotSupportedError(f"map {map_spec.name!r}: {map_spec.unsupported}")
    for program in spec.programs.values():
        if program.autoload and program.prog_type == 0:
            from .errors import ElfError

            raise ElfError(
                f"program {program.name!r}: its section's name says no program type; correct"
                " SEC(), or set type before load",
                section=program.section,
            )
