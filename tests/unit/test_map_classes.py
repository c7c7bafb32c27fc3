"""The table of map classes: what it names is there, and serves the type that it stands for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime.map import Map
from bpfgen_runtime.map_classes import ANY_MAP, MapClass, class_of, every_class
from bpfgen_runtime.uapi.enums import MapType

ROOT = Path(__file__).resolve().parents[2]

#: Types that have no class, as README.md says.
WITHOUT = {MapType.UNSPEC, MapType.INSN_ARRAY, MapType.RHASH}


def class_at(found: MapClass) -> Any:
    module, _, name = found.home.rpartition(".")
    return getattr(import_module(f"bpfgen_runtime.{module}"), name)


@pytest.mark.parametrize("map_type", sorted(set(MapType) - WITHOUT), ids=lambda one: one.name)
@pytest.mark.parametrize("value_size", [4, 8])
def test_class_serves_its_type(map_type: MapType, value_size: int) -> None:
    """Each type of map has a class, which takes maps of that type."""
    found = class_of(map_type, value_size)
    cls = class_at(found)
    assert found is not ANY_MAP
    assert issubclass(cls, Map)
    assert map_type in getattr(cls, "TYPES", (map_type,))


def test_types_without_a_class() -> None:
    """The others are plain maps, and README.md names them."""
    readme = (ROOT / "README.md").read_text()
    for map_type in WITHOUT:
        assert class_of(map_type, 4) is ANY_MAP
        assert map_type is MapType.UNSPEC or f"`{map_type.name}`" in readme


@pytest.mark.parametrize("found", every_class(), ids=lambda one: one.name)
def test_parameters_are_the_class_s(found: MapClass) -> None:
    """A class with parameters can be subscripted by as many, at run time too."""
    cls = class_at(found)
    assert cls.__name__ == found.name
    if found.parameters:
        assert cls[(int,) * len(found.parameters)].__origin__ is cls
