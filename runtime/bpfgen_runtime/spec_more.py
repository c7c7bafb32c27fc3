"""Specs that a start by a plan does without; they are names of `spec`, and belong there."""

from __future__ import annotations

from .spec import _Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spec import ObjectSpec

__all__ = ["ExternSpec", "VariableSpec"]


class VariableSpec(_Spec):
    """A global variable in a data section, or in the arena.

    Attributes:
        name: the C name.
        section: the data section, or the arena's name: a key of `ObjectSpec.maps`.
        offset, size: bytes within the section; see `MapSpec.value_size` for what changes the size.
        type_id: the variable's type in the object's BTF.
        is_static: file-local in C, or hidden.
    """

    __slots__ = ("_size", "_spec", "is_static", "name", "offset", "section", "type_id")
    _SHOWN = ("size",)

    def __init__(
        self,
        name: str,
        section: str,
        offset: int,
        size: int,
        type_id: int,
        is_static: bool,
        spec: ObjectSpec,
    ) -> None:
        self.name = name
        self.section = section
        self.offset = offset
        self._size = size
        self.type_id = type_id
        self.is_static = is_static
        self._spec = spec

    @property
    def size(self) -> int:
        """Bytes of the variable."""
        from .loader.resize import variable_size

        return variable_size(self._spec, self.section, self.offset, self._size)

    def get(self) -> bytes:
        """Return the variable's initial bytes."""
        return bytes(self._contents()[self.offset : self.offset + self.size])

    def set(self, value: bytes) -> None:
        """Set the variable's initial bytes; exactly `size` of them, else ValueError."""
        if len(value) != self.size:
            raise ValueError(
                f"variable {self.name!r} takes {self.size} bytes, {len(value)} were given"
            )
        self._contents()[self.offset : self.offset + self.size] = value

    def _contents(self) -> bytearray:
        found = self._spec.maps[self.section]
        contents = found.contents if found.is_data else found.arena_data
        assert contents is not None, "variables are made for what has contents only"
        return contents


class ExternSpec(_Spec):
    """A symbol that the object wants from the kernel or its configuration.

    Attributes:
        name: the C name.
        section: `.kconfig` or `.ksyms`.
        type_id: its VAR or FUNC in the object's BTF.
        symbol: index into the image's symbols.
        is_func: a kernel function rather than a variable.
        is_weak: may be absent; then its value, or its address, is 0.
        value_type_id: the type of a setting; that of a kernel symbol, without qualifiers and
            typedefs: 0 (void) if only its address is asked for, a FUNC_PROTO for a function.
        value_kind: what a setting takes: "bool", "tristate", "char", "int", "text"; or "".
        is_signed: of an int or char.
        offset, size: a setting's place within `.kconfig`, bytes.
    """

    __slots__ = (
        "is_func",
        "is_signed",
        "is_weak",
        "name",
        "offset",
        "section",
        "size",
        "symbol",
        "type_id",
        "value_kind",
        "value_type_id",
    )

    def __init__(
        self, name: str, section: str, type_id: int, symbol: int, is_func: bool, is_weak: bool
    ) -> None:
        self.name = name
        self.section = section
        self.type_id = type_id
        self.symbol = symbol
        self.is_func = is_func
        self.is_weak = is_weak
        self.value_type_id = 0
        self.value_kind = ""
        self.is_signed = False
        self.offset = 0
        self.size = 0


for _name in __all__:
    globals()[_name].__module__ = "bpfgen_runtime.spec"
