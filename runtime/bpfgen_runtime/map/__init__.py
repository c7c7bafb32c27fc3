"""Maps in the kernel, typed by their keys and values."""

# The general layout: `base` has what all maps share, `hash` and `array` the typed classes,
# `percpu` their per-CPU kin, `batch` the reading of many elements at once. What a program does
# not use is not imported.

from __future__ import annotations

from .base import Map as Map
from .base import open_map as open_map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .array import ArrayMap as ArrayMap
    from .hash import HashMap as HashMap
    from .percpu import PerCpuArrayMap as PerCpuArrayMap
    from .percpu import PerCpuHashMap as PerCpuHashMap
else:
    _LAZY = {
        "ArrayMap": "array",
        "HashMap": "hash",
        "PerCpuArrayMap": "percpu",
        "PerCpuHashMap": "percpu",
    }

    def __getattr__(name):
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(__import__(_LAZY[name], globals(), level=1), name)
        globals()[name] = value
        return value


__all__ = ["ArrayMap", "HashMap", "Map", "PerCpuArrayMap", "PerCpuHashMap", "open_map"]
