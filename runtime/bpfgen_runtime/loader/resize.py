"""Resized data sections: what the types say of a section once `MapSpec.value_size` was set."""

from __future__ import annotations

from ..btf.types import Array, Datasec, SecVar, Var

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf.btf import Btf
    from ..spec import ObjectSpec

__all__ = ["resized", "variable_size", "with_size"]


def variable_size(spec: ObjectSpec, section: str, offset: int, size: int) -> int:
    """Return the size of a variable now; `size` is what the file says.

    The last variable of a section takes what was added, or bears what was taken away.
    """
    target = spec.maps[section]
    if spec.btf is None or not target.value_type_id or target.contents is None:
        return size
    datasec = spec.btf.type(target.value_type_id)
    if not isinstance(datasec, Datasec) or datasec.size == target.value_size:
        return size
    if any(place.offset > offset for place in datasec.vars):
        return size
    return max(0, target.value_size - offset)


def resized(spec: ObjectSpec) -> ObjectSpec:
    """Return a spec whose BTF has the sizes that its data sections have been given.

    Sections whose types cannot say the new size are loaded without types, as by libbpf; a warning
    says why.
    """
    btf = spec.btf
    if btf is None:
        return spec
    maps = dict(spec.maps)
    for name, target in spec.maps.items():
        if not target.resized or not target.is_data or not target.value_type_id:
            continue
        datasec = btf.type(target.value_type_id)
        if not isinstance(datasec, Datasec) or datasec.size == target.value_size:
            continue
        try:
            btf = with_size(btf, target.value_type_id, target.value_size)
        except ValueError as error:
            import warnings

            warnings.warn(
                f"section {name!r} is loaded without types: {error}", RuntimeWarning, stacklevel=4
            )
            maps[name] = untyped = target._clone()
            untyped.value_type_id = 0
    changed: ObjectSpec = spec._clone()
    changed.btf = btf
    changed.maps = maps
    return changed


def with_size(btf: Btf, type_id: int, size: int) -> Btf:
    """Return a copy in which a DATASEC has another size, by the length of its last variable.

    Args:
        type_id: of the DATASEC.

    Raises:
        ValueError: the last variable is no array, or its elements do not fill the size exactly.
    """
    datasec = btf.type(type_id)
    assert isinstance(datasec, Datasec)
    if not datasec.vars:
        raise ValueError("it has no variables")
    last = datasec.vars[-1]
    var = btf.type(last.type)
    assert isinstance(var, Var)
    array = btf.type(btf.resolve(var.type))
    if not isinstance(array, Array):
        raise ValueError(f"its last variable, {var.name!r}, is no array")
    element = btf.size_of(array.type)
    count, rest = divmod(size - last.offset, element) if element else (0, 1)
    if rest or count < 0:
        raise ValueError(
            f"{size} bytes are no whole number of elements of {var.name!r}, its last variable:"
            f" it begins at {last.offset} and has elements of {element} bytes"
        )
    longer = btf.extend([Array(array.type, array.index_type, count)])
    return longer.replace(
        {
            last.type: Var(var.name, len(btf), var.linkage),
            type_id: Datasec(
                datasec.name,
                size,
                [*datasec.vars[:-1], SecVar(last.type, last.offset, size - last.offset)],
            ),
        }
    )
