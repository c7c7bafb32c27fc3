"""C structs as frozen dataclasses, without the 11 ms that importing `dataclasses` costs."""

from __future__ import annotations

from .ctype import StructType, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from typing import Any, ClassVar

    from typing_extensions import Buffer, Self

    from .ctype import CType
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False):
        """Stand in for `dataclasses.dataclass`; `Struct`'s metaclass does the work."""
        if cls is not None or not (frozen and slots):
            raise TypeError("a Struct is declared with @dataclass(frozen=True, slots=True)")
        return _checked

    def field(*, default, kw_only):
        """Stand in for `dataclasses.field`, for members that share bytes with others."""
        return _Member(default)


__all__ = ["Struct", "Union", "dataclass", "field"]


class _Member:
    """What stands in a class body for a member of a union: `field(default=…, kw_only=True)`."""

    __slots__ = ("default",)

    def __init__(self, default: object) -> None:
        self.default = default


def _reader(slot: str, offset: int, ctype: Any, order: str) -> Callable[[Any], Any]:
    """Make the function that decodes a member of a union from the union's bytes."""
    decode: Callable[..., Any] | None = None

    def read(instance: object) -> Any:
        nonlocal decode
        if decode is None:
            decode = in_order(ctype, order).decode
        return decode(getattr(instance, slot), offset)

    return read


def _checked(cls: type) -> type:
    if not isinstance(cls, StructMeta):
        raise TypeError(f"{cls.__qualname__} is no Struct: decorate it with dataclasses.dataclass")
    return cls


class _OnDemand:
    """An attribute that `methods` makes when first asked for; it then takes this one's place."""

    __slots__ = ("name", "owner")

    def __init__(self, owner: StructMeta, name: str) -> None:
        self.owner = owner
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        # inspect asks as if the class were the instance: that one wants the real signature.
        if self.name == "__init__" and self.owner in type(instance).__mro__:
            return _Init(self, instance)
        from . import methods

        value = getattr(methods, f"make_{self.name.strip('_')}")(self.owner)
        setattr(self.owner, self.name, value)
        bind = getattr(type(value), "__get__", None)
        return value if bind is None else bind(value, instance, owner)


class _Init:
    """`__init__` before it is compiled.

    `Inner()` as the default of another struct's field stands in most generated modules; it is
    made here, so that importing them compiles nothing.
    """

    __slots__ = ("instance", "method")

    def __init__(self, method: _OnDemand, instance: object) -> None:
        self.method = method
        self.instance = instance

    def __call__(self, *args: object, **kwargs: object) -> None:
        cls = self.method.owner
        if args or kwargs or len(cls._defaults) < len(cls._fields):
            self.method.__get__(None, cls)(self.instance, *args, **kwargs)
            return
        for name in cls._fields:
            object.__setattr__(self.instance, name, cls._defaults[name])


_ON_DEMAND = (
    "__init__",
    "__dataclass_fields__",
    "__dataclass_params__",
    "_values",
    "from_bytes",
    "iter_unpack",
    "to_bytes",
)


def _member_of(
    name: str,
    namespace: dict[str, Any],
    unions: tuple[tuple[str, int, int], ...],
    member: _Member,
) -> tuple[property, tuple[str, object]]:
    """Make the property of a member of a union, and note in which union it is."""
    for entry, offset, ctype in namespace["LAYOUT"]:
        if entry == name:
            for slot, begin, size in unions:
                if begin <= offset < begin + size:
                    read = _reader(slot, offset - begin, ctype, namespace.get("BYTE_ORDER", "<"))
                    return property(read), (slot, member.default)
    raise TypeError(f"{namespace['__qualname__']}.{name} is in none of the unions that it declares")


class StructMeta(type):
    """Turns annotations into slots and installs the methods, each made at its first use."""

    _fields: tuple[str, ...]
    _defaults: dict[str, object]
    _members: dict[str, tuple[str, object]]
    _unions: tuple[tuple[str, int, int], ...]
    _shown: tuple[str, ...]
    _ctype: CType[Any]

    def __new__(meta, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> StructMeta:
        fields: tuple[str, ...] = ()  # what instances store, a union as its bytes
        shown: tuple[str, ...] = ()  # what users see, a union as its members
        defaults: dict[str, object] = {}
        members: dict[str, tuple[str, object]] = {}
        unions: tuple[tuple[str, int, int], ...] = ()
        for base in reversed(bases):
            if isinstance(base, StructMeta):
                fields += base._fields
                shown += base._shown
                defaults |= base._defaults
                members |= base._members
                unions += base._unions
                if base.__dict__.get("_is_whole") and namespace.get("SIZE"):
                    namespace["UNIONS"] = ((0, namespace["SIZE"]),)
        own = []
        for offset, size in namespace.get("UNIONS", ()):
            slot = f"_union_{offset}"
            own.append(slot)
            unions += ((slot, offset, size),)
            defaults[slot] = bytes(size)
        for field, kind in namespace.get("__annotations__", {}).items():
            if str(kind).startswith(("ClassVar", "typing.ClassVar")):
                continue
            default = namespace.get(field, _Member)
            if default.__class__ is _Member:
                namespace[field], members[field] = _member_of(field, namespace, unions, default)
            else:
                if default is not _Member:
                    defaults[field] = namespace.pop(field)
                if field not in fields:
                    own.append(field)
            if field not in shown:
                shown += (field,)
        namespace["__slots__"] = tuple(own)
        namespace["_fields"] = fields + namespace["__slots__"]
        namespace["__match_args__"] = tuple([f for f in shown if f not in members])
        namespace["_defaults"] = defaults
        namespace["_members"] = members
        namespace["_unions"] = unions
        namespace["_shown"] = shown
        cls = super().__new__(meta, name, bases, namespace)
        for attribute in _ON_DEMAND:
            if attribute not in namespace:
                setattr(cls, attribute, _OnDemand(cls, attribute))
        return cls

    @property
    def __ctype__(cls) -> CType[Any]:
        """The class as a `CType`."""
        ctype: CType[Any] | None = cls.__dict__.get("_ctype")
        if ctype is None:
            ctype = cls._ctype = StructType(cls)
        return ctype


class Struct(metaclass=StructMeta):
    """The base of generated struct classes: frozen, hashable, a dataclass to everyone who asks.

    A subclass declares `SIZE` (bytes), `LAYOUT` (a `(field, offset, type)` for each field; types
    are `CType`s or `Struct` classes), and the fields as annotations with their defaults. What
    LAYOUT does not cover is padding: ignored when decoded, zero when encoded. A layout entry
    without a field is the same, which is how special kernel types (a spin lock, a timer) stay out
    of the constructor.

    The constructor makes `CharArray`s of `str` and `bytes` and checks nothing else; `to_bytes`
    does.

    `UNIONS` says which bytes are anonymous unions, as `(offset, size)`. An instance keeps these
    bytes as they are, compares by them, and decodes a member (declared by `field`) each time it is
    read. The constructor takes members by keyword, of those that share bytes at most one, and
    encodes them at once, so that what does not fit is refused there.
    """

    SIZE: ClassVar[int] = 0
    LAYOUT: ClassVar[tuple[tuple[str, int, Any], ...]] = ()
    #: `">"` in the structs of a big-endian object.
    BYTE_ORDER: ClassVar[str] = "<"
    UNIONS: ClassVar[tuple[tuple[int, int], ...]] = ()

    if TYPE_CHECKING:
        _fields: ClassVar[tuple[str, ...]]
        _defaults: ClassVar[dict[str, object]]
        _members: ClassVar[dict[str, tuple[str, object]]]
        _unions: ClassVar[tuple[tuple[str, int, int], ...]]
        _shown: ClassVar[tuple[str, ...]]

        @classmethod
        def _values(cls, instance: object) -> tuple[object, ...]: ...

        @classmethod
        def from_bytes(cls, buffer: Buffer, offset: int = 0) -> Self:
            """Decode the struct at `offset` (bytes) of the buffer; what follows it is ignored.

            Raises:
                ValueError: the buffer ends before the struct does.
            """
            ...

        @classmethod
        def iter_unpack(cls, buffer: Buffer) -> Iterator[Self]:
            """Decode a buffer of whole records, one after the other.

            Raises:
                ValueError: the buffer's length is no multiple of `SIZE`.
            """
            ...

        def to_bytes(self) -> bytes:
            """Encode as exactly `SIZE` bytes, padding zero.

            Raises:
                OverflowError: a number is out of its type's range; the message names the field.
                TypeError: a field has a value of the wrong type.
                ValueError: text or an array is of the wrong length.
            """
            ...

    if not TYPE_CHECKING:  # else any attribute would do

        def __setattr__(self, name, value):
            from dataclasses import FrozenInstanceError

            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name):
            from dataclasses import FrozenInstanceError

            raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self._values(self) == self._values(other)

    def __hash__(self) -> int:
        return hash(self._values(self))

    def __repr__(self) -> str:
        if self._unions:
            from .unions import shown

            return shown(self)
        values = [f"{name}={getattr(self, name)!r}" for name in self._fields]
        return f"{type(self).__qualname__}({', '.join(values)})"

    def __reduce__(self) -> tuple[object, ...]:
        from .methods import rebuild

        return rebuild, (type(self), self._values(self))

    def __replace__(self, /, **changes: Any) -> Self:
        from dataclasses import replace

        return replace(self, **changes)  # type: ignore[type-var]


class Union(Struct):
    """The base of generated union classes: every member is read over the same bytes.

    Made of at most one member, by keyword; of none it is zero. Equal and hashed by its bytes.
    `dataclasses.replace(value, member=…)` writes that member over the bytes of `value`; where it
    is shorter, the others stay as they are.
    """

    #: The whole struct is one union: a subclass needs no `UNIONS`.
    _is_whole: ClassVar[bool] = True
