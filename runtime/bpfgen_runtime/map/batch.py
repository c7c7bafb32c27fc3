"""Read, set and delete many elements of a hash or an array by few system calls.

Kernel: BPF_MAP_*_BATCH, since v5.6 for hashes and arrays, v5.13 for per-CPU arrays. Where the
kernel has none for a map, one element at a time.
"""

from __future__ import annotations

import errno as _errno

from ..errors import BpfError, KeyMissingError, SyscallError
from ..sys import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Buffer

    from .base import Map

__all__ = ["clear", "read", "update"]

#: The kernel's ENOTSUPP, which is not errno.ENOTSUP: the map's type has no such operation.
ENOTSUPP = 524

#: Bytes of keys and values that one call reads at most, to begin with.
CHUNK = 1 << 18


class _Unsupported(Exception):
    """The kernel has no batches for the map."""


def read(live: Map) -> Iterator[tuple[Buffer, Buffer]]:
    """Yield keys and values, whole elements of both, in buffers that the next round may reuse.

    Each element that is there all the time is read exactly once, whatever others insert and delete;
    where the kernel has no batches (before v5.6), at most once: its walk from key to key may pass
    some over while others delete.

    Raises:
        BpfError: the map changes too fast to be read to its end (only where there are no batches).
    """
    try:
        yield from _read(live, bpf.map_lookup_batch)
    except _Unsupported:
        value = bytearray(live.value_type.size)
        for key in _walk(live):
            try:
                bpf.map_lookup_elem(map_fd=live.fileno(), key=key, value=value, what=_reading(live))
            except KeyMissingError:
                continue
            yield key, value


def clear(live: Map) -> None:
    """Delete all elements; what others insert meanwhile may stay."""
    try:
        for _ in _read(live, bpf.map_lookup_and_delete_batch):
            pass
    except _Unsupported:
        for key in _walk(live):
            try:
                bpf.map_delete_elem(map_fd=live.fileno(), key=key, what=f"clear map {live.name!r}")
            except KeyMissingError:
                continue


def update(live: Map, keys: Sequence[bytes], values: Sequence[bytes], flags: int) -> None:
    """Set many elements; a failure says how many were set before it."""
    what = f"set {len(keys)} elements of map {live.name!r}"
    try:
        bpf.map_update_batch(
            map_fd=live.fileno(),
            keys=b"".join(keys),
            values=b"".join(values),
            count=len(keys),
            elem_flags=flags,
            what=what,
        )
    except SyscallError as error:
        if _supported(live, error):
            raise
        for key, value in zip(keys, values, strict=True):
            bpf.map_update_elem(map_fd=live.fileno(), key=key, value=value, flags=flags, what=what)


def _reading(live: Map) -> str:
    return f"read map {live.name!r}"


def _read(
    live: Map, call: Callable[..., tuple[int, bool]]
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
                what=_reading(live),
            )
        except SyscallError as error:
            if error.errno == _errno.ENOSPC:  # a bucket holds more than that
                count *= 2
                continue
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


def _walk(live: Map) -> Iterator[bytes]:
    """Yield the keys one by one, each once, by BPF_MAP_GET_NEXT_KEY.

    The kernel begins anew at the first key when asked for what follows a key that is gone. So the
    next key is asked for before one is given out, which the caller may then delete; and keys seen
    before are passed over.
    """
    seen: set[bytes] = set()
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
                raise BpfError(f"{_reading(live)}: others delete keys faster than they can be read")
        key = bytes(buffer)
    if key is not None and key not in seen:
        yield key
