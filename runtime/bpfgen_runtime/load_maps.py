"""Maps that take more than their definition to make: pinned, reused, of maps, arenas, struct_ops.

`Object.load` comes here only if an object has such maps.
"""

from __future__ import annotations

import os
from errno import EEXIST, ENOENT, EPERM
from mmap import PAGESIZE
from sys import byteorder

from .core.struct_ops import match_struct_ops
from .errors import BpfError, FormatError, RelocationError, SyscallError
from .load import create_map, fill_data, map_data, settled
from .loader.arena import ARENA_SECTION, arena_offset
from .map import open_map
from .map.of_maps import MapOfMaps
from .spec import MapSpec
from .sys import bpf
from .sys.fd import Fd
from .uapi import const as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from .core.struct_ops import KernelOps
    from .kernel_types import KernelTypes
    from .linked import LinkedProgram
    from .map import Map
    from .object import Object
    from .program import Program
    from .spec import ObjectSpec, ProgramSpec

__all__ = ["MapLoad", "wanted_programs"]

_MAP_IN_MAP = (k.BPF_MAP_TYPE_ARRAY_OF_MAPS, k.BPF_MAP_TYPE_HASH_OF_MAPS)

# What must agree for a pinned map to be taken, as libbpf compares it.
_COMPARED = ("type", "key_size", "value_size", "max_entries", "map_flags", "map_extra")


class MapLoad:
    """The special maps of one load.

    Args:
        spec: what is loaded.
        kernel: finds the kernel's types, for struct_ops.

    Attributes:
        targets: what struct_ops programs implement: `(type id, member's index, module's BTF)`.

    Raises:
        NotSupportedError: the kernel lacks a struct that a struct_ops map implements.
        RelocationError: a map is to hold a map or a program that will not be there.
    """

    __slots__ = ("_made", "_ops", "_spec", "targets")

    def __init__(self, spec: ObjectSpec, kernel: KernelTypes) -> None:
        self._spec = spec
        self._made: list[tuple[Map, str]] = []  # pinned by this load, and the directory made for it
        self._ops: dict[str, KernelOps] = {}
        self.targets: dict[str, tuple[int, int, int]] = {}
        loaded = {program.name for program in wanted_programs(spec)}
        for name, each in spec.maps.items():
            if not each.autocreate:
                continue
            if each.struct_ops is not None:
                assert spec.btf is not None, "read from BTF"
                ops = match_struct_ops(name, each.struct_ops, spec.btf, kernel.find)
                self._ops[name] = ops
                self._add_targets(name, ops)
            for slot, what in each.values.items():
                if each.map_type in _MAP_IN_MAP:
                    if what not in spec.maps or not spec.maps[what].autocreate:
                        raise RelocationError(
                            f"map {name!r}: slot {slot} holds map {what!r}, which is not created"
                        )
                elif what not in loaded:
                    raise RelocationError(
                        f"map {name!r}: slot {slot} holds program {what!r}, which is not loaded;"
                        f" delete values[{slot}], or set its autoload"
                    )

    def _add_targets(self, map_name: str, ops: KernelOps) -> None:
        for member, index, _, name in ops.functions:
            program = self._spec.programs.get(name)
            if program is None or program.prog_type != k.BPF_PROG_TYPE_STRUCT_OPS:
                raise RelocationError(
                    f"struct_ops map {map_name!r}: member {member!r}: {name!r} is no program of"
                    ' SEC("struct_ops")'
                )
            target = (ops.type_id, index, ops.btf_fd)
            if self.targets.setdefault(name, target) != target:
                raise RelocationError(
                    f"struct_ops map {map_name!r}: program {name!r} is member {member!r} and"
                    " another one, too: a program can implement one member of one struct"
                )

    def aim(self, linked: Iterable[LinkedProgram], targets: list[tuple[int, int, int]]) -> None:
        """Set what struct_ops programs attach to: of `attach_target`, and the attach type."""
        for number, each in enumerate(linked):
            target = self.targets.get(each.spec.name)
            if target is not None:
                type_id, index, btf_fd = target
                each.spec = each.spec.copy()
                each.spec.expected_attach_type = index
                targets[number] = (type_id, btf_fd, 0)

    # --- one map

    def make(self, spec: MapSpec, btf: Fd | None, loaded: Object) -> Map:
        """Create a map, or take the one that is to be reused; fill it in and pin it.

        Raises:
            BpfError: what is pinned at the map's path is another kind of map.
            SyscallError: the kernel refused.
        """
        live = loaded.maps[spec.name] = self._make(spec, btf, loaded)
        if isinstance(live, MapOfMaps):
            live.define_inner(spec.inner, btf)
        return live

    def _make(self, spec: MapSpec, btf: Fd | None, loaded: Object) -> Map:
        definition = self._definition(spec)
        if spec.reused is not None:
            definition = _as_given(definition)
        path = self._pin_path(spec)
        again = False
        while True:
            # As in libbpf the pin goes first, if it is like the map given for reuse; without a pin,
            # that one is pinned.
            if path is not None:
                live = self._from_pin(definition, path, loaded)
                if live is not None:
                    return live
            if spec.reused is not None:
                live = self._reuse(definition, loaded)
            else:
                live = self._create(definition, btf, loaded)
            try:
                if path is not None:
                    self._pin(live, path)
                return live
            except BaseException as error:
                _discard(live, loaded)
                # Someone else has just pinned theirs: take that one.
                if again or not isinstance(error, SyscallError) or error.errno != EEXIST:
                    raise
            again = True

    def _definition(self, spec: MapSpec) -> MapSpec:
        ops = self._ops.get(spec.name)
        if ops is None:
            return spec
        definition = spec.copy()
        definition.value_size = len(ops.value)
        definition.value_type_id = 0
        if ops.btf_fd:
            definition.map_flags |= k.BPF_F_VTYPE_BTF_OBJ_FD
        return definition

    def _create(self, definition: MapSpec, btf: Fd | None, loaded: Object) -> Map:
        more: dict[str, Any] = {}
        ops = self._ops.get(definition.name)
        if ops is not None:
            more["btf_vmlinux_value_type_id"] = ops.value_type_id
            more["value_type_btf_obj_fd"] = ops.btf_fd
        inner = definition.inner if definition.map_type in _MAP_IN_MAP else None
        if inner is None:
            fd = create_map(definition, btf, **more)
        elif isinstance(inner, MapSpec):
            with create_map(settled(inner), btf) as template:
                fd = create_map(definition, btf, inner_map_fd=template.fileno(), **more)
        else:
            fd = create_map(definition, btf, inner_map_fd=_number(inner), **more)
        live = _open(fd, definition)
        try:
            self._fill(live, definition, loaded)
        except BaseException:
            _discard(live, loaded)
            raise
        return live

    def _fill(self, live: Map, definition: MapSpec, loaded: Object) -> None:
        if definition.is_data:
            data = fill_data(definition, live._fd)
            if data is not None:
                loaded.data[live.name] = data
        elif definition.map_type == k.BPF_MAP_TYPE_ARENA:
            _fill_arena(live, definition)
        elif definition.map_type in _MAP_IN_MAP:
            for slot, name in definition.values.items():
                held = loaded.maps[name]
                _set_slot(live, slot, held.fileno(), f"map {held.name!r}")

    # --- maps that are there already

    def _reuse(self, definition: MapSpec, loaded: Object) -> Map:
        live = _open(_duplicate(definition), definition)
        self._map_data(live, definition, loaded)
        return live

    def _map_data(self, live: Map, definition: MapSpec, loaded: Object) -> None:
        """Show a data section whose contents another load wrote."""
        if definition.is_data:
            try:
                data = map_data(definition, live._fd)
            except BaseException:
                live.close()
                raise
            if data is not None:
                loaded.data[live.name] = data

    def _from_pin(self, definition: MapSpec, path: str, loaded: Object) -> Map | None:
        what = f"open the pin of map {definition.name!r}, {path!r}"
        try:
            fd = bpf.obj_get(pathname=path, what=what)
        except SyscallError as error:
            if error.errno == ENOENT:
                return None
            raise
        try:
            _check_is_map(fd, what)
            _check_compatible(fd, definition, path)
        except BaseException:
            fd.close()
            raise
        live = _open(fd, definition)
        live._pin_path = path
        self._map_data(live, definition, loaded)
        return live

    # --- pins

    def _pin_path(self, spec: MapSpec) -> str | None:
        if spec.pin_path is not None:
            return os.fspath(spec.pin_path)
        if not spec.pinning:
            return None
        # The BPF file system takes no dots in names.
        return f"{self._spec.pin_root_path}/{spec.name.replace('.', '_')}"

    def _pin(self, live: Map, path: str) -> None:
        directory = os.path.dirname(path)
        made = ""
        try:
            os.mkdir(directory, 0o700)
            made = directory
        except FileExistsError:
            pass
        except OSError as error:
            what = f"make directory {directory!r} to pin map {live.name!r} in"
            raise SyscallError(error.errno or 0, "mkdir", what) from error
        try:
            live.pin(path)
        except BaseException as error:
            _remove_directory(made)
            if isinstance(error, SyscallError) and error.errno == EPERM:
                hint = f"Is {directory!r} on a BPF file system?"
                raise SyscallError(EPERM, error.command, error.what, hint) from error
            raise
        self._made.append((live, made))

    def undo(self) -> None:
        """Remove the pins that this load made, and the directories made for them."""
        for live, directory in reversed(self._made):
            try:
                live.unpin()
            except SyscallError as error:
                if error.errno != ENOENT:
                    raise
            _remove_directory(directory)
        self._made.clear()

    # --- once the programs are loaded

    def finish(self, loaded: Object) -> None:
        """Put the loaded programs into program arrays and struct_ops values."""
        for name, each in self._spec.maps.items():
            if each.map_type == k.BPF_MAP_TYPE_PROG_ARRAY and name in loaded.maps:
                for slot, program in each.values.items():
                    fd = loaded.programs[program].fileno()
                    _set_slot(loaded.maps[name], slot, fd, f"program {program!r}")
        for name, ops in self._ops.items():
            _set_value(loaded.maps[name], ops, loaded.programs)


def wanted_programs(spec: ObjectSpec) -> list[ProgramSpec]:
    """List the programs that a load includes.

    As in libbpf a struct_ops map decides about its programs: they are loaded if one of the maps
    that have them is created, whatever their `autoload`; and a program that was replaced is not.
    """
    uses: dict[str, bool] = {}  # program -> whether a created map has it
    replaced: set[str] = set()
    for each in spec.maps.values():
        ops = each.struct_ops
        if ops is None:
            continue
        for member, name in ops.declared.items():
            if each.autocreate and ops.functions.get(member) != name:
                replaced.add(name)
        for function in ops.functions.values():
            if function is not None:
                uses[function] = uses.get(function, False) or each.autocreate
    return [
        program
        for name, program in spec.programs.items()
        if uses.get(name, program.autoload and name not in replaced)
    ]


def _number(source: Any) -> int:
    number: int = source if isinstance(source, int) else source.fileno()
    return number


def _as_given(definition: MapSpec) -> MapSpec:
    """Return the definition that a map given for reuse has: it holds in place of the object's."""
    what = _reuse_what(definition)
    with _duplicate(definition) as fd:
        _check_is_map(fd, what)
        info = bpf.map_get_info_by_fd(fd.fileno(), what=what)
    taken = definition.copy()
    taken.contents = definition.contents
    taken.map_type = info.type
    taken.key_size = info.key_size
    taken._value_size = info.value_size
    taken.max_entries = info.max_entries
    taken.map_flags = info.map_flags
    taken.map_extra = info.map_extra
    return taken


def _duplicate(definition: MapSpec) -> Fd:
    number = _number(definition.reused)
    try:
        return Fd(os.dup(number), f"map {definition.name!r}")
    except OSError as error:
        raise SyscallError(error.errno or 0, "dup", _reuse_what(definition)) from error


def _reuse_what(definition: MapSpec) -> str:
    return f"reuse a map as {definition.name!r}"


def _open(fd: Fd, definition: MapSpec) -> Map:
    try:
        return open_map(fd, definition)
    except BaseException:
        fd.close()
        raise


def _discard(live: Map, loaded: Object) -> None:
    data = loaded.data.pop(live.name, None)
    if data is not None:
        data.close()
    live.close()


def _remove_directory(path: str) -> None:
    if not path:
        return
    try:
        os.rmdir(path)
    except OSError:
        return  # someone else has put something there meanwhile, and needs it


def _set_slot(live: Map, slot: int, fd: int, held: str) -> None:
    bpf.map_update_elem(
        map_fd=live.fileno(),
        key=slot.to_bytes(4, byteorder),
        value=fd.to_bytes(4, byteorder),
        what=f"put {held} into slot {slot} of map {live.name!r}",
    )


def _set_value(live: Any, ops: KernelOps, programs: Mapping[str, Program]) -> None:
    for _, _, offset, name in ops.functions:
        fd = programs[name].fileno()
        ops.value[offset : offset + 8] = fd.to_bytes(8, byteorder)
    live.value = bytes(ops.value)


def _fill_arena(live: Any, definition: MapSpec) -> None:
    data = definition.arena_data
    offset = arena_offset(definition, PAGESIZE)
    if data is not None and len(data) > definition.max_entries * PAGESIZE:
        raise FormatError(
            f"arena {definition.name!r} of {definition.max_entries} pages has no room for"
            f" __arena variables of {len(data)} bytes",
            section=ARENA_SECTION,
        )
    live.map_memory(definition.map_extra)
    if data is not None:
        live.globals_offset, live.globals_size = offset, len(data)
        live.memory[offset : offset + len(data)] = data


def _check_is_map(fd: Fd, what: str) -> None:
    # The kernel gives information about anything, and it reads like a map's.
    if "bpf-map" not in os.readlink(f"/proc/self/fd/{fd.fileno()}"):
        raise BpfError(f"{what}: that is no map")


def _check_compatible(fd: Fd, definition: MapSpec, path: str) -> None:
    info = bpf.map_get_info_by_fd(fd.fileno(), what=f"get info of the map pinned at {path!r}")
    there: Iterable[int] = [getattr(info, field) for field in _COMPARED]
    here = [
        definition.map_type,
        definition.key_size,
        definition.value_size,
        definition.max_entries,
        definition.map_flags,
        definition.map_extra,
    ]
    different = []
    for field, pinned, wanted in zip(_COMPARED, there, here, strict=True):
        if field == "map_flags" and definition.map_type in (
            k.BPF_MAP_TYPE_DEVMAP,
            k.BPF_MAP_TYPE_DEVMAP_HASH,
        ):
            pinned &= ~k.BPF_F_RDONLY_PROG  # the kernel adds it to every devmap
        if pinned != wanted:
            different.append(f"{field} {pinned} there, {wanted} here")
    if different:
        raise BpfError(
            f"map {definition.name!r} cannot be the one pinned at {path!r}:"
            f" {', '.join(different)}; remove the pin, or set pin_path"
        )
