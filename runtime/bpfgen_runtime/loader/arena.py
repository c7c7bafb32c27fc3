"""Global variables in an arena: section `.addr_space.1`, where clang puts what is `__arena`."""

from __future__ import annotations

from ..errors import FormatError
from ..uapi.const import BPF_MAP_TYPE_ARENA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec import MapSpec, ObjectSpec

__all__ = ["ARENA_SECTION", "arena_offset", "collect_arena"]

ARENA_SECTION = ".addr_space.1"

#: The verifier's BPF_MAX_VAR_OFF.
_LONGEST_OFFSET = 1 << 29


def collect_arena(spec: ObjectSpec) -> None:
    """Give the `__arena` globals to the arena of an object whose maps have been read.

    Raises:
        FormatError: two arenas, or globals without an arena.
    """
    arenas = [each for each in spec.maps.values() if each.map_type == BPF_MAP_TYPE_ARENA]
    if len(arenas) > 1:
        raise FormatError(
            f"map {arenas[1].name!r}: an object can have one arena, {arenas[0].name!r} is one"
            " already",
            section=arenas[1].section,
        )
    section = spec.image.section(ARENA_SECTION)
    if section is None or not section.size:
        return
    if not arenas:
        raise FormatError(
            "__arena variables need an arena: a map of type BPF_MAP_TYPE_ARENA in .maps",
            section=ARENA_SECTION,
        )
    arenas[0].arena_data = bytearray(section.data or section.size)


def arena_offset(spec: MapSpec, page_size: int) -> int:
    """Say where in an arena its globals are: in its last pages, as with libbpf.

    There they do not take the addresses that allocators begin with. But before v7.0 the verifier
    takes no constant offset of 512 MiB and more, and larger arenas have their globals at their
    beginning.
    """
    if spec.arena_data is None:
        return 0
    pages = -(-len(spec.arena_data) // page_size)
    offset = (spec.max_entries - pages) * page_size
    return offset if 0 <= offset < _LONGEST_OFFSET else 0
