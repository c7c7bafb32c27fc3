"""The methods of `Struct` classes, each made at its first use."""

from __future__ import annotations

import struct as _struct
from operator import attrgetter

from .codec import as_struct_plan, twin_of
from .ctype import Chars
from .text import CharArray
from .unions import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from typing_extensions import Buffer

    from .struct import Struct


def make_init(cls: type[Struct]) -> Callable[..., None]:
    """Compile `__init__`: real parameters, text coerced, members of unions put into their bytes."""
    # The names of C fields may be anything but a name with a leading digit, so ours start with one
    # too many underscores to be one of them.
    this = "self" if "self" not in cls._shown else "__bpfgen_self"
    slots = [slot for slot, _, _ in cls._unions]
    positional = [name for name in cls._fields if name not in slots]
    keywords = [*cls._members, *slots]
    star = ["*"] if keywords else []
    lines = [f"def __init__({', '.join((this, *positional, *star, *keywords))}):"]
    for plan in as_struct_plan(cls).fields:
        if isinstance(plan.ctype, Chars):
            name = plan.name
            lines.append(
                f" if {name}.__class__ is not __bpfgen_text: {name} = __bpfgen_text({name})"
            )
    for slot in slots:
        names = [name for name, (where, _) in cls._members.items() if where == slot]
        given = "".join(f"({name!r}, {name}), " for name in names)
        lines.append(f" {slot} = __bpfgen_join(__bpfgen_owner, {slot!r}, {slot}, ({given}))")
    lines += [
        f" __bpfgen_cls = {this}.__class__",
        f" __bpfgen_set({this}, '__class__', __bpfgen_twin if __bpfgen_cls is __bpfgen_owner"
        " else __bpfgen_twin_of(__bpfgen_cls))",
        *(f" {this}.{name} = {name}" for name in cls._fields),
        f" {this}.__class__ = __bpfgen_cls",
    ]
    objects = {
        "__bpfgen_join": join,
        "__bpfgen_owner": cls,
        "__bpfgen_set": object.__setattr__,
        "__bpfgen_text": CharArray,
        "__bpfgen_twin": twin_of(cls),
        "__bpfgen_twin_of": twin_of,
    }
    exec(compile("\n".join(lines), f"<bpfgen {cls.__qualname__}.__init__>", "exec"), objects)
    init: Any = objects["__init__"]
    defaults = [cls._defaults[name] for name in positional if name in cls._defaults]
    for name in positional[: len(positional) - len(defaults)]:
        if name in cls._defaults:
            raise TypeError(f"{cls.__qualname__}: a field without a default follows {name!r}")
    init.__defaults__ = tuple(defaults)
    init.__kwdefaults__ = dict.fromkeys(cls._members, ...) | dict.fromkeys(slots)
    init.__annotations__ = {**_annotations(cls), "return": None}
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init  # type: ignore[no-any-return]


def _annotations(cls: type[Struct]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found |= getattr(base, "__annotations__", {})
    return {name: found.get(name, object) for name in cls._shown}


def make_values(cls: type[Struct]) -> Callable[[object], tuple[object, ...]]:
    """Make the function that returns an instance's values as a tuple."""
    names = cls._fields
    if len(names) > 1:
        return attrgetter(*names)
    getter = [attrgetter(name) for name in names]
    return staticmethod(lambda instance: tuple(get(instance) for get in getter))


def make_from_bytes(cls: type[Struct]) -> Any:
    """Compile `from_bytes`."""
    return staticmethod(cls.__ctype__.codec.decode)


def make_to_bytes(cls: type[Struct]) -> Any:
    """Compile `to_bytes`."""
    return cls.__ctype__.codec.encode


def make_iter_unpack(cls: type[Struct]) -> Any:
    """Compile `iter_unpack`."""
    codec = cls.__ctype__.codec
    records = codec.struct.iter_unpack
    iterate = codec.iterate

    def iter_unpack(buffer: Buffer) -> Iterator[Struct]:
        try:
            return iterate(records(buffer))
        except _struct.error:
            have = memoryview(buffer).nbytes
            raise ValueError(
                f"{have} bytes are not whole records of {cls.__name__}, {cls.SIZE} bytes each"
            ) from None

    return staticmethod(iter_unpack)


def make_dataclass_fields(cls: type[Struct]) -> Any:
    """Make `__dataclass_fields__`, by which `dataclasses` knows its classes."""
    return _real_dataclass(cls).__dataclass_fields__


def make_dataclass_params(cls: type[Struct]) -> Any:
    """Make `__dataclass_params__`, which says that the class is frozen."""
    return _real_dataclass(cls).__dataclass_params__


def _real_dataclass(cls: type[Struct]) -> Any:
    import dataclasses

    types = _annotations(cls)
    fields: list[Any] = []
    for name in cls._shown:
        if name in cls._members:
            # Any members may go together with their union's bytes, as `replace` does it.
            default = dataclasses.field(default=cls._members[name][1], kw_only=True)
            fields.append((name, types[name], default))
        elif name in cls._defaults:
            fields.append((name, types[name], dataclasses.field(default=cls._defaults[name])))
        else:
            fields.append((name, types[name]))
    # `replace` hands on what is no field, too, if it is for __init__; `fields` does not show it.
    for slot, _, size in cls._unions:
        kept = dataclasses.field(default=bytes(size), kw_only=True)
        fields.append((slot, dataclasses.InitVar[bytes], kept))
    return dataclasses.make_dataclass(cls.__name__, fields, frozen=True)


def rebuild(cls: type[Struct], values: tuple[object, ...]) -> Struct:
    """Make an instance of its values, without `__init__`: for unpickling."""
    instance: Struct = twin_of(cls)()
    for name, value in zip(cls._fields, values, strict=True):
        setattr(instance, name, value)
    instance.__class__ = cls
    return instance
