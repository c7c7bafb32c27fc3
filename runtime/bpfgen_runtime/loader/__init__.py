"""From an ELF image to an `ObjectSpec`: pure, and the same on every machine.

What the file says is checked here as far as libbpf checks it at open. What this version cannot load
is still read, so that it can be inspected and generated for; `Object.load` refuses it.
"""

from __future__ import annotations

import struct

from ..btf import Btf
from ..btf.ext import BtfExt
from ..elf.image import SHN_UNDEF, STB_LOCAL, ElfImage
from ..errors import ElfError
from ..spec import ObjectSpec
from .arena import collect_arena
from .globals import STRUCT_OPS_SECTIONS, data_maps, fix_up
from .initial import collect_values
from .maps import user_maps
from .programs import functions

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from ..spec import MapSpec

__all__ = ["load_spec"]

#: Sections with a meaning that this version cannot load.
_UNSUPPORTED_SECTIONS = frozenset({".jumptables"})

_LICENSE_SIZE = 64  # libbpf's, the NUL included


def load_spec(source: ElfImage | str | os.PathLike[str] | bytes) -> ObjectSpec:
    """Read an object file: maps, programs, variables, types.

    Args:
        source: an image already read, the path of an ELF file, or the file's bytes.

    Raises:
        ElfError, BtfError: the file is damaged, or no BPF object; names section and offset.
        FormatError: a map's definition that libbpf refuses too.
        OSError: the file cannot be read.
    """
    if isinstance(source, ElfImage):
        image = source
    else:
        from ..elf.reader import read_elf

        image = read_elf(source)
    if image.section("maps") is not None:
        raise ElfError(
            "maps of the old kind, struct bpf_map_def, are not supported: define them by BTF in"
            ' SEC(".maps"), as libbpf 1.0 demands',
            section="maps",
        )
    every = list(functions(image))
    spec = ObjectSpec(image.name, image, license=_license(image), kern_version=_kern_version(image))
    section = image.section(".BTF")
    if section is not None:
        spec.btf = fix_up(Btf.parse(section.data), image, every)
        section = image.section(".BTF.ext")
        if section is not None:
            spec.btf_ext = BtfExt.parse(section.data, spec.btf)
    maps = [*user_maps(image, spec.btf), *data_maps(image, spec.btf)]
    if any(s.shndx == SHN_UNDEF and s.bind != STB_LOCAL and s.name for s in image.symbols):
        _add_externs(spec, maps)
    if any(s.name in STRUCT_OPS_SECTIONS for s in image.sections):
        from .struct_ops import struct_ops_maps

        maps += struct_ops_maps(image.sections, spec.btf)
    for map_spec in maps:
        if map_spec.name in spec.maps:
            raise ElfError(f"two maps are called {map_spec.name!r}", section=map_spec.section)
        spec.maps[map_spec.name] = map_spec
    for function in every:
        if function.is_subprogram:
            spec.subprograms.append(function)
        elif function.name in spec.programs:
            raise ElfError(f"two programs are called {function.name!r}", section=function.section)
        else:
            spec.programs[function.name] = function
    collect_values(spec)
    collect_arena(spec)
    if any(map_spec.struct_ops is not None for map_spec in maps):
        from .struct_ops import collect_functions

        collect_functions(spec)
    spec.unsupported = tuple(
        [s.name for s in image.sections if s.size and s.name in _UNSUPPORTED_SECTIONS]
    )
    return spec


def _add_externs(spec: ObjectSpec, maps: list[MapSpec]) -> None:
    from .externs import collect_externs, declare_externs, kconfig_map

    externs = collect_externs(spec.image, spec.btf)
    spec.externs = {extern.name: extern for extern in externs}
    if spec.btf is not None:
        spec.btf = declare_externs(spec.btf, externs)
        kconfig = kconfig_map(spec.image, spec.btf, externs)
        if kconfig is not None:
            maps.append(kconfig)


def _license(image: ElfImage) -> str:
    section = image.section("license")
    if section is None:
        return ""
    text = section.data.partition(b"\0")[0][: _LICENSE_SIZE - 1]
    return text.decode("utf-8", "surrogateescape")


def _kern_version(image: ElfImage) -> int:
    section = image.section("version")
    if section is None:
        return 0
    if len(section.data) != 4:
        raise ElfError(
            f"a kernel version has 4 bytes, there are {len(section.data)}", section="version"
        )
    version: int = struct.unpack(image.byte_order + "I", section.data)[0]
    return version
