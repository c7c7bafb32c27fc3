"""Read, set and delete many elements of a hash or an array by few system calls.

Kernel: BPF_MAP_*_BATCH, since v5.6 for hashes and arrays, v5.13 for per-CPU arrays. Where the
kernel has none for a map, one element at a time.
"""

from __future__ import annotations

import errno as _errno

from ..errors import BpfError, KeyMissingError, SyscallError
from ..sys import bpf
from ..uapi import const as k
from .element import ENOTSUPP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Buffer

    from .base import Map

__all__ = ["clear", "delete", "read", "take", "update", "walk"]

#: Bytes of keys and values that one call reads or sets at most, to begin with.
CHUNK = 1 << 18

#: Maps whose batches go on from a key. Where that is gone, the kernel begins anew; hashes go on
#: from a bucket, and elements of arrays are never gone.
_BY_KEY = (k.BPF_MAP_TYPE_LPM_TRIE,)


class _Unsupported(Exception):
    """The kernel has no batches for the map."""


class _Interrupted(Exception):
    """The kernel gave a batch up."""


def read(live: Map, flags: int = 0) -> Iterator[tuple[Buffer, Buffer]]:
    """Yield keys and values, whole elements of both, in buffers that the next round may reuse.

    Each element that is there all the time is read exactly once, whatever others insert and delete;
    where the kernel has no batches (before v5.6), at most once: its walk from key to key may pass
    some over while others delete.

    Args:
        flags: `BPF_F_LOCK` or 0.

    Raises:
        BpfError: the map changes too fast to be read to its end (hashes without batches, tries).
    """
    seen: set[bytes] = set()
    try:
        if live.map_type in _BY_KEY:
            yield from _each_once(live, flags, seen)
        else:
            yield from _read(live, bpf.map_lookup_batch, flags)
        return
    except (_Interrupted, _Unsupported):
        pass
    value = bytearray(live.value_type.size)
    for key in walk(live, seen):
        try:
            bpf.map_lookup_elem(
                map_fd=live.fileno(), key=key, value=value, flags=flags, what=_reading(live)
            )
        except KeyMissingError:
            continue
        yield key, value


def take(live: Map) -> Iterator[tuple[Buffer, Buffer]]:
    """Do as `read`, and delete what is read."""
    try:
        yield from _read(live, bpf.map_lookup_and_delete_batch, 0)
        return
    except _Unsupported:
        pass
    value = bytearray(live.value_type.size)
    what = f"empty map {live.name!r}"
    at_once = True
    for key in walk(live):
        try:
            if at_once:
                try:
                    bpf.map_lookup_and_delete_elem(
                        map_fd=live.fileno(), key=key, value=value, what=what
                    )
                except SyscallError as error:
                    if error.errno not in (_errno.EINVAL, _errno.ENOTSUP, ENOTSUPP):
                        raise
                    at_once = False
            if not at_once:
                bpf.map_lookup_elem(map_fd=live.fileno(), key=key, value=value, what=what)
                bpf.map_delete_elem(map_fd=live.fileno(), key=key, what=what)
        except KeyMissingError:
            continue
        yield key, value


def clear(live: Map) -> None:
    """Delete all elements; what others insert meanwhile may stay."""
    try:
        for _ in _read(live, bpf.map_lookup_and_delete_batch, 0):
            pass
    except _Unsupported:
        for key in walk(live):
            _delete(live, key, f"clear map {live.name!r}")


def update(live: Map, pairs: Sequence[tuple[bytes, bytes]], flags: int) -> None:
    """Set many elements; a failure says how many of which were set before it."""
    step = _count(live)
    for start in range(0, len(pairs), step):
        some = pairs[start : start + step]
        what = f"set {len(pairs)} elements"
        if len(some) < len(pairs):
            what = f"set elements {start} to {start + len(some)} of {len(pairs)}"
        what = f"{what} of map {live.name!r}, whose max_entries is {live.max_entries}"
        if not flags & ~k.BPF_F_LOCK:  # the only flag that batches know
            try:
                bpf.map_update_batch(
                    map_fd=live.fileno(),
                    keys=b"".join([key for key, _ in some]),
                    values=b"".join([value for _, value in some]),
                    count=len(some),
                    elem_flags=flags,
                    what=what,
                )
                continue
            except SyscallError as error:
                if _supported(live, error):
                    raise
        for key, value in some:
            bpf.map_update_elem(map_fd=live.fileno(), key=key, value=value, flags=flags, what=what)


def delete(live: Map, keys: Sequence[bytes]) -> int:
    """Delete many elements; return how many were there."""
    what = f"delete {len(keys)} elements of map {live.name!r}"
    step = _count(live)
    deleted = start = 0
    while start < len(keys):
        some = keys[start : start + step]
        try:
            done = bpf.map_delete_batch(
                map_fd=live.fileno(), keys=b"".join(some), count=len(some), what=what
            )
        except SyscallError as error:
            if _supported(live, error):
                raise
            return deleted + sum([_delete(live, key, what) for key in keys[start:]])
        deleted += done
        # The kernel stops at a key that is not there.
        start += done if done == len(some) else done + 1
    return deleted


def _delete(live: Map, key: bytes, what: str) -> bool:
    try:
        bpf.map_delete_elem(map_fd=live.fileno(), key=key, what=what)
    except KeyMissingError:
        return False
    return True


def _count(live: Map) -> int:
    """Return how many elements go into one call."""
    return max(1, CHUNK // (live.key_size + live.value_type.size))


def _reading(live: Map) -> str:
    return f"read map {live.name!r}"


def _each_once(live: Map, flags: int, seen: set[bytes]) -> Iterator[tuple[memoryview, memoryview]]:
    """Do as `_read`, and pass over keys that were read before: the kernel may begin anew."""
    key_size, value_size = live.key_size, live.value_type.size
    patience = 8 * live.max_entries + 64
    for keys, values in _read(live, bpf.map_lookup_batch, flags):
        count = len(keys) // key_size
        before = len(seen)
        fresh = []
        for number in range(count):
            key = bytes(keys[number * key_size : (number + 1) * key_size])
            if key not in seen:
                seen.add(key)
                fresh.append(number)
        if len(seen) - before == count:
            yield keys, values
            continue
        patience -= count
        if patience < 0:
            raise _too_fast(live)
        for number in fresh:
            yield (
                keys[number * key_size : (number + 1) * key_size],
                values[number * value_size : (number + 1) * value_size],
            )


def _read(
    live: Map, call: Callable[..., tuple[int, bool]], flags: int
) -> Iterator[tuple[memoryview, memoryview]]:
    # Hashes go by bucket: a bucket is read whole, and what `following` remembers is the next one.
    key_size, value_size = live.key_size, live.value_type.size
    count = max(1, min(live.max_entries, CHUNK // (key_size + value_size)))
    keys = values = bytearray()
    last: bytearray | None = None
    following = bytearray(max(4, key_size))
    more = True
    while more:
        if len(keys) != count * key_size:
            keys, values = bytearray(count * key_size), bytearray(count * value_size)
        try:
            done, more = call(
                map_fd=live.fileno(),
                in_batch=last,
                out_batch=following,
                keys=keys,
                values=values,
                count=count,
                elem_flags=flags,
                what=_reading(live),
            )
        except SyscallError as error:
            if error.errno == _errno.ENOSPC:  # a bucket holds more than that
                count *= 2
                continue
            if error.errno == _errno.EINTR:  # before v6.14: keys vanished while it read them
                raise _Interrupted from None
            if last is None and not _supported(live, error):
                raise _Unsupported from None
            raise
        if done:
            yield memoryview(keys)[: done * key_size], memoryview(values)[: done * value_size]
        last, following = following, last or bytearray(len(following))


def _supported(live: Map, error: SyscallError) -> bool:
    """Tell whether an error says anything but that the kernel has no batches for this map."""
    if error.errno == ENOTSUPP:
        return False
    if error.errno != _errno.EINVAL:
        return True
    # Before v5.6 an unknown command is EINVAL. Where there are batches, a batch of nothing is
    # valid.
    try:
        bpf.map_lookup_batch(
            map_fd=live.fileno(),
            in_batch=None,
            out_batch=bytearray(max(4, live.key_size)),
            keys=bytearray(live.key_size),
            values=bytearray(8),
            count=0,
        )
    except SyscallError as probe:
        return probe.errno not in (_errno.EINVAL, ENOTSUPP)
    return True


def walk(live: Map, seen: set[bytes] | None = None) -> Iterator[bytes]:
    """Yield the keys one by one, each once, by BPF_MAP_GET_NEXT_KEY.

    The kernel begins anew at the first key when asked for what follows a key that is gone. So the
    next key is asked for before one is given out, which the caller may then delete; and keys seen
    before, which are in `seen`, are passed over.
    """
    seen = set() if seen is None else seen
    patience = 8 * live.max_entries + 64
    buffer = bytearray(live.key_size)
    key: bytes | None = None
    while bpf.map_get_next_key(map_fd=live.fileno(), key=key, next_key=buffer, what=_reading(live)):
        if key is not None and key not in seen:
            seen.add(key)
            yield key
        elif key is not None:
            patience -= 1
            if not patience:
                raise _too_fast(live)
        key = bytes(buffer)
    if key is not None and key not in seen:
        yield key


def _too_fast(live: Map) -> BpfError:
    return BpfError(f"{_reading(live)}: others delete keys faster than they can be read")
