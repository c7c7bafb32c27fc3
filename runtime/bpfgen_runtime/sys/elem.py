"""Single map elements at speed: calls whose buffers and arguments were prepared beforehand.

A lookup through `sys.bpf` builds an attr and finds its buffers' addresses anew each time. Here a
map's *slot* holds a key buffer, a value buffer and an attr that points to both, and a call only
stores the key and reads the value. Two threads must not share a slot, so slots are taken from a
list and put back, both of which are atomic.

What is passed to `syscall` are arguments that ctypes has converted beforehand, without `argtypes`:
that takes half the time of having it convert Python's ints each time (and, unlike bare ints without
`argtypes`, always whole registers). The call of small elements keeps the interpreter's lock, and
leaves errno alone, which takes ctypes longer than the lock does. So what fails is called once more
by the way that tells why. Nothing else comes of that: these commands may all be repeated.

The three functions repeat how a key is stored: a call to share it by takes 5 % of a lookup's time.
`HashMap.__getitem__` repeats the whole lookup for numbers, whose time would be a tenth more.
"""

from __future__ import annotations

import errno as _errno
from ctypes import PyDLL, addressof, byref, c_char, c_long, c_ulong, get_errno, sizeof
from sys import byteorder

from ..uapi.attr import MapElemAttr
from ..uapi.const import BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM
from ..values.ctype import Scalar, placed
from .call import NR_BPF, failure, function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..values import CType

    Slot = tuple[memoryview, memoryview, Any]

__all__ = [
    "LOOKUP",
    "MISSING",
    "NR",
    "SIZE",
    "are_numbers",
    "make_delete",
    "make_lookup",
    "make_update",
    "quick",
    "refusal",
]

#: What a lookup returns for a key that is not there: an exception costs more than the call.
MISSING: Any = object()

#: Bytes of key and value that a call copies while it keeps the interpreter's lock.
_SMALL = 4096

_careful = function()
_careful.argtypes = None
quick = PyDLL(None)["syscall"]
quick.restype = c_long
#: The arguments of a lookup but for the third, which a slot has.
NR = c_long.from_param(NR_BPF)
LOOKUP = c_long.from_param(BPF_MAP_LOOKUP_ELEM)
SIZE = c_ulong.from_param(sizeof(MapElemAttr))
_HOST_ORDER = "<" if byteorder == "little" else ">"


def _slots(
    fd: int,
    key_size: int,
    key_code: str,
    value_size: int,
    value_code: str,
    free: list[Slot] | None = None,
) -> tuple[Callable[[], Slot], Callable[[], Slot], Callable[[Slot], None]]:
    """Return functions that take a free slot (IndexError if there is none), make one, free one."""

    def make() -> Slot:
        key, value = (c_char * key_size)(), (c_char * value_size)()
        attr = MapElemAttr(map_fd=fd)
        # What a command or a map does not have must be zero.
        if key_size:
            attr.key = addressof(key)
        if value_size:
            attr.value = addressof(value)
        # The views keep the buffers alive, byref() the attr.
        return _view(key, key_code), _view(value, value_code), byref(attr)

    if free is None:
        free = []
    return free.pop, make, free.append


def _call_of(size: int) -> Any:
    """Return how to issue a command that copies so many bytes."""
    return quick if size <= _SMALL else _careful


def _view(buffer: Any, code: str) -> memoryview:
    if not len(buffer):
        return memoryview(bytearray())
    view = memoryview(buffer).cast("B")
    return view.cast(code) if code else view  # type: ignore[call-overload]


def _code(ctype: CType[Any]) -> str:
    """Return the format of a memoryview that holds one value and checks its range, else nothing."""
    if not isinstance(ctype, Scalar) or ctype.code in "?f":  # for which it would not check
        return ""
    return ctype.code if (ctype.order or "<") == _HOST_ORDER else ""


def are_numbers(key_type: CType[Any], value_type: CType[Any]) -> bool:
    """Tell whether the views of a slot hold numbers that need nothing more done to them."""
    if not (_code(key_type) and _code(value_type)):
        return False
    return isinstance(value_type, Scalar) and value_type.wrap is None


def _refused(ctype: CType[Any], value: object, place: str) -> Exception:
    """Return the error for a value that a memoryview did not accept."""
    try:
        ctype.encode(value)
    except (OverflowError, TypeError, ValueError) as error:
        return placed(error, place)
    raise AssertionError(f"{ctype!r} encodes {value!r}, but a memoryview does not")


def make_lookup(
    fd: int,
    command: int,
    key_type: CType[Any],
    value_type: CType[Any],
    name: str,
    free: list[Slot] | None = None,
) -> Callable[[Any], Any]:
    """Return a function that looks a key up: its value, or MISSING.

    Args:
        fd: the map's descriptor; the function must not be called once that is closed.
        command: BPF_MAP_LOOKUP_ELEM or BPF_MAP_LOOKUP_AND_DELETE_ELEM.
        name: the map's name, for messages.
        free: where free slots are kept: views of key and value, and the attr.
    """
    key_code, value_code = _code(key_type), _code(value_type)
    is_key_number, is_number = bool(key_code), bool(value_code)
    encode, decode = key_type.encode, value_type.decode
    wrap = value_type.wrap if isinstance(value_type, Scalar) else None
    take, new, put = _slots(fd, key_type.size, key_code, value_type.size, value_code, free)
    syscall, careful = _call_of(key_type.size + value_type.size), _careful
    nr, size, number, missing = NR, SIZE, c_long.from_param(command), MISSING

    def lookup(key: Any) -> Any:
        try:
            slot = take()
        except IndexError:
            slot = new()
        keys, values, attr = slot
        try:
            if is_key_number:
                keys[0] = key
            else:
                keys[:] = encode(key)
        except (OverflowError, TypeError, ValueError):
            raise _refused(key_type, key, f"key of map {name!r}") from None
        if syscall(nr, number, attr, size) and careful(nr, number, attr, size) < 0:
            errno = get_errno()
            put(slot)
            if errno == _errno.ENOENT:
                return missing
            what = f"look up {key!r} in" if key_type.size else "read"
            raise failure(errno, command, f"{what} map {name!r}")
        if is_number:
            value = values[0]
            put(slot)
            return value if wrap is None else wrap(value)
        value = decode(values)
        put(slot)
        return value

    return lookup


def make_update(
    fd: int, key_type: CType[Any], value_type: CType[Any], name: str, full: str = ""
) -> Callable[[Any, Any], None]:
    """Return a function that sets a key's value, whether it is there or not (BPF_ANY).

    Args:
        full: the hint of E2BIG.
    """
    key_code, value_code = _code(key_type), _code(value_type)
    is_key_number, is_number = bool(key_code), bool(value_code)
    encode_key, encode_value = key_type.encode, value_type.encode
    take, new, put = _slots(fd, key_type.size, key_code, value_type.size, value_code)
    syscall, careful = _call_of(key_type.size + value_type.size), _careful
    nr, size, number = NR, SIZE, c_long.from_param(BPF_MAP_UPDATE_ELEM)

    def update(key: Any, value: Any) -> None:
        try:
            slot = take()
        except IndexError:
            slot = new()
        keys, values, attr = slot
        try:
            if is_key_number:
                keys[0] = key
            else:
                keys[:] = encode_key(key)
        except (OverflowError, TypeError, ValueError):
            raise _refused(key_type, key, f"key of map {name!r}") from None
        try:
            if is_number:
                values[0] = value
            else:
                values[:] = encode_value(value)
        except (OverflowError, TypeError, ValueError):
            raise _refused(value_type, value, f"value of map {name!r}") from None
        if syscall(nr, number, attr, size) and careful(nr, number, attr, size) < 0:
            errno = get_errno()
            put(slot)
            # Queues and their like have no keys.
            what = f"set {key!r} in" if key_type.size else f"add {value!r} to"
            raise refusal(errno, f"{what} map {name!r}", full)
        put(slot)

    return update


def refusal(errno: int, what: str, full: str) -> Exception:
    """Return the error for an update that the kernel refused.

    Args:
        full: the hint of E2BIG.
    """
    if errno == _errno.E2BIG and full:
        from ..errors import SyscallError

        return SyscallError(errno, "BPF_MAP_UPDATE_ELEM", what, full)
    return failure(errno, BPF_MAP_UPDATE_ELEM, what)


def make_delete(fd: int, key_type: CType[Any], name: str) -> Callable[[Any], bool]:
    """Return a function that deletes a key and returns whether it was there."""
    key_code, encode = _code(key_type), key_type.encode
    is_key_number = bool(key_code)
    take, new, put = _slots(fd, key_type.size, key_code, 0, "")
    syscall, careful = _call_of(key_type.size), _careful
    nr, size, number = NR, SIZE, c_long.from_param(BPF_MAP_DELETE_ELEM)

    def delete(key: Any) -> bool:
        try:
            slot = take()
        except IndexError:
            slot = new()
        keys, _, attr = slot
        try:
            if is_key_number:
                keys[0] = key
            else:
                keys[:] = encode(key)
        except (OverflowError, TypeError, ValueError):
            raise _refused(key_type, key, f"key of map {name!r}") from None
        if syscall(nr, number, attr, size) and careful(nr, number, attr, size) < 0:
            errno = get_errno()
            put(slot)
            if errno == _errno.ENOENT:
                return False
            raise failure(errno, BPF_MAP_DELETE_ELEM, f"delete {key!r} from map {name!r}")
        put(slot)
        return True

    return delete
