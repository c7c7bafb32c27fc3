"""Read enums and layouts out of BTF."""

from __future__ import annotations

from bpfgen_runtime import btf

from .emit import Enumerators
from .model import Composite, Member, Scalar, Vector


class BtfKernel:
    """A kernel's BTF, asked by the names of the UAPI."""

    def __init__(self, data: bytes) -> None:
        self._btf = btf.Btf.parse(data)
        self._unnamed: dict[str, btf.Enum] | None = None

    def enum(self, name: str) -> Enumerators | None:
        """Return the enumerators of `enum name`."""
        for kind in (btf.BTF_KIND_ENUM, btf.BTF_KIND_ENUM64):
            for type_id in self._btf.find(name, kind):
                found = self._btf.type(type_id)
                assert isinstance(found, btf.Enum)
                return _values(found)
        return None

    def anonymous_enum(self, enumerator: str) -> Enumerators | None:
        """Return the enumerators of the enum without a name that has this one."""
        if self._unnamed is None:
            self._unnamed = {}
            for type_id in range(1, len(self._btf)):
                if self._btf.kind(type_id) in (btf.BTF_KIND_ENUM, btf.BTF_KIND_ENUM64):
                    found = self._btf.type(type_id)
                    assert isinstance(found, btf.Enum)
                    if not found.name:
                        for value in found.values:
                            self._unnamed.setdefault(value.name, found)
        unnamed = self._unnamed.get(enumerator)
        return None if unnamed is None else _values(unnamed)

    def composite(self, name: str) -> Composite | None:
        """Return the layout of `struct name` or `union name`."""
        for kind in (btf.BTF_KIND_STRUCT, btf.BTF_KIND_UNION):
            for type_id in self._btf.find(name, kind):
                found = self._btf.type(type_id)
                assert isinstance(found, btf.Struct)
                return self._composite(found)
        return None

    def _composite(self, found: btf.Struct) -> Composite:
        members = tuple(
            Member(member.name, self._type(member.type), member.bit_offset, member.bitfield_size)
            for member in found.members
        )
        return Composite(isinstance(found, btf.Union), found.size, members)

    def _type(self, type_id: int) -> Scalar | Vector | Composite:
        found = self._btf.type(self._btf.resolve(type_id))
        match found:
            case btf.Struct():
                return self._composite(found)
            case btf.Array():
                element = self._type(found.type)
                if not isinstance(element, Scalar):
                    raise ValueError(f"an array of {element} is not provided for")
                inner = self._btf.type(self._btf.resolve(found.type))
                is_char = isinstance(inner, btf.Int) and inner.name == "char"
                return Vector(element, found.nelems, is_char)
            case btf.Int():
                return Scalar(found.size, found.is_signed)
            case btf.Enum():
                return Scalar(found.size, found.signed)
            case btf.Ptr():
                return Scalar(self._btf.pointer_size, False)
        raise ValueError(f"{found} is not provided for")


def _values(enum: btf.Enum) -> Enumerators:
    return [(value.name, value.value) for value in enum.values]
