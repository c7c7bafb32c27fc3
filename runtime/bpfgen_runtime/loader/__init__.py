"""From an ELF image to an `ObjectSpec`: pure, and the same on every machine.

What the file says is checked here as far as libbpf checks it at open. What this version cannot load
is still read, so that it can be inspected and generated for; `Object.load` refuses it.
"""

from __future__ import annotations

import struct

from ..btf import BTF_KIND_DATASEC, Btf, Datasec, Func
from ..btf.ext import BtfExt
from ..elf.image import SHN_UNDEF, STB_LOCAL, STB_WEAK, STT_NOTYPE, ElfImage
from ..errors import BtfError, ElfError
from ..spec import ExternSpec, ObjectSpec
from .globals import EXTERN_SECTIONS, data_maps, fix_up
from .maps import user_maps
from .programs import functions

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["load_spec"]

#: Sections with a meaning that this version cannot load.
_UNSUPPORTED_SECTIONS = frozenset(
    {
        ".struct_ops",
        ".struct_ops.link",
        "?.struct_ops",
        "?.struct_ops.link",
        ".addr_space.1",
        ".jumptables",
    }
)

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
    for map_spec in (*user_maps(image, spec.btf), *data_maps(image, spec.btf)):
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
    for extern in _externs(image, spec.btf):
        spec.externs[extern.name] = extern
    spec.unsupported = tuple(
        [s.name for s in image.sections if s.size and s.name in _UNSUPPORTED_SECTIONS]
    )
    return spec


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


def _externs(image: ElfImage, btf: Btf | None) -> Iterator[ExternSpec]:
    sections: dict[int, str] | None = None  # id of a VAR or FUNC -> its section
    for symbol in image.symbols:
        if (
            symbol.shndx != SHN_UNDEF
            or symbol.bind == STB_LOCAL
            or symbol.type != STT_NOTYPE
            or not symbol.name
        ):
            continue
        if btf is None:
            raise BtfError(f"extern {symbol.name!r} needs BTF: compile with clang -g")
        if sections is None:
            sections = _section_by_member(btf)
        found = [i for i in btf.find(symbol.name) if i in sections]
        if not found:
            raise BtfError(f"extern {symbol.name!r} is in no section that BTF describes")
        if sections[found[0]] not in EXTERN_SECTIONS:
            raise BtfError(f"extern {symbol.name!r} is in section {sections[found[0]]!r}")
        yield ExternSpec(
            symbol.name,
            sections[found[0]],
            found[0],
            symbol.index,
            isinstance(btf.type(found[0]), Func),
            symbol.bind == STB_WEAK,
        )


def _section_by_member(btf: Btf) -> dict[int, str]:
    found = {}
    for type_id in range(btf.start_id, len(btf)):
        if btf.kind(type_id) == BTF_KIND_DATASEC:
            datasec = btf.type(type_id)
            assert isinstance(datasec, Datasec)
            for place in datasec.vars:
                found[place.type] = datasec.name
    return found
