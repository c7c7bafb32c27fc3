"""Tries of prefixes: a look-up finds the longest that covers what is asked for."""

from __future__ import annotations

import struct
from sys import byteorder, modules

from ..errors import BpfError
from ..sys.elem import MISSING
from ..uapi import const as k
from ..values.ctype import CType
from .hash import HashMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
    from typing import Any, TypeAlias, TypeVar, overload

    from typing_extensions import Buffer

    from .base import Of, Path

    K = TypeVar("K")
    K2 = TypeVar("K2")
    T = TypeVar("T")
    V = TypeVar("V")
    V2 = TypeVar("V2")
    Network: TypeAlias = IPv4Network | IPv6Network
    Prefix: TypeAlias = Network | IPv4Address | IPv6Address
else:
    K = V = object

__all__ = ["LpmKey", "LpmTrieMap"]

#: `prefixlen` comes first, in the host's byte order whatever the object's.
_PREFIX_LENGTH = struct.Struct("<I" if byteorder == "little" else ">I")


class LpmKey(CType[K]):
    """A trie's key, `struct bpf_lpm_trie_key`; also made of addresses and networks of `ipaddress`.

    Attributes:
        struct: the type of keys read: the program's struct.
        bits: of the data behind `prefixlen`.
    """

    __slots__ = ("bits", "struct")

    def __init__(self, struct: CType[K]) -> None:
        super().__init__(struct.size, struct.c_name, struct.order)
        self.struct = struct
        self.bits = (struct.size - 4) * 8

    def decode(self, buffer: Buffer, offset: int = 0) -> K:
        return self.struct.decode(buffer, offset)

    def decode_many(self, buffer: Buffer) -> list[K]:
        return self.struct.decode_many(buffer)

    def encode(self, value: K | Prefix) -> bytes:
        found = _prefix(value)
        if found is None:
            raw: bytes = self.struct.encode(value)  # type: ignore[arg-type]
            (length,) = _PREFIX_LENGTH.unpack_from(raw)
        else:
            length, data = found
            if len(data) * 8 != self.bits:
                raise ValueError(
                    f"{self.c_name} has {self.bits} bits of data, {value} has {len(data) * 8}"
                )
            raw = _PREFIX_LENGTH.pack(length) + data
        if length > self.bits:
            raise ValueError(f"a prefix of {length} bits: {self.c_name} has {self.bits}")
        return raw

    def network(self, raw: bytes) -> Network:
        """Return a key as a network.

        Raises:
            BpfError: its data are neither 4 nor 16 bytes.
        """
        from ipaddress import IPv4Network, IPv6Network

        cls: Any = {32: IPv4Network, 128: IPv6Network}.get(self.bits)
        if cls is None:
            raise BpfError(f"{self.c_name} has {self.bits} bits of data: no IP network has")
        # What programs left in the host's bits is no part of the prefix.
        network: Network = cls((raw[4:], _PREFIX_LENGTH.unpack_from(raw)[0]), strict=False)
        return network


def _prefix(value: object) -> tuple[int, bytes] | None:
    """Return the length and data of what is an address or network of `ipaddress`, else None."""
    ipaddress = modules.get("ipaddress")  # where it was not imported, nothing is one
    if ipaddress is None:
        return None
    if isinstance(value, (ipaddress.IPv4Interface, ipaddress.IPv6Interface)):
        value = value.network
    if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        return value.prefixlen, value.network_address.packed
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return value.max_prefixlen, value.packed
    return None


class LpmTrieMap(HashMap[K, V]):
    """A trie of prefixes as a `MutableMapping`, whose look-ups find the longest one that covers.

    Keys are the program's struct, whose first member is the prefix's length in bits and whose
    others are the data, the most significant byte first. Where these are 4 or 16 bytes, networks
    and addresses of `ipaddress` are taken for keys, too; an address is a prefix of full length.

    `[]`, `get`, `in` and `lookup` answer as the kernel does: by the longest prefix in the trie that
    covers the key and is not longer. Setting, deleting and iterating mean the very prefix; `exact`
    looks for it. The order of iteration is the kernel's: the longer before those that cover them.

    Kernel: BPF_MAP_TYPE_LPM_TRIE, since v4.11, with `BPF_F_NO_PREALLOC`; its keys can be read since
    v4.16.
    """

    __slots__ = ()

    TYPES = (k.BPF_MAP_TYPE_LPM_TRIE,)

    key_type: LpmKey[Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key_type = LpmKey(self.key_type)

    if TYPE_CHECKING:

        @classmethod
        def open_pinned(
            cls, path: Path, *, key: Of[K2] = None, value: Of[V2] = None
        ) -> LpmTrieMap[K2, V2]: ...

        @classmethod
        def open_id(
            cls, id: int, *, key: Of[K2] = None, value: Of[V2] = None
        ) -> LpmTrieMap[K2, V2]: ...

        def __getitem__(self, key: K | Prefix) -> V: ...
        def __setitem__(self, key: K | Prefix, value: V) -> None: ...
        def __delitem__(self, key: K | Prefix) -> None: ...
        @overload
        def get(self, key: K | Prefix, /) -> V | None: ...
        @overload
        def get(self, key: K | Prefix, /, default: V) -> V: ...
        @overload
        def get(self, key: K | Prefix, /, default: T) -> V | T: ...
        def get(self, key: Any, /, default: Any = None) -> Any: ...
        def lookup(self, key: K | Prefix, flags: int = 0) -> V: ...
        def delete(self, key: K | Prefix) -> None: ...

    if TYPE_CHECKING:

        @overload
        def pop(self, key: K | Prefix, /) -> V: ...
        @overload
        def pop(self, key: K | Prefix, /, default: V) -> V: ...
        @overload
        def pop(self, key: K | Prefix, /, default: T) -> V | T: ...

    def pop(self, key: Any, /, default: Any = MISSING) -> Any:
        """Delete the very prefix and return the value that it had."""
        value = self._find(key)
        if value is not MISSING and self._delete(key):
            return value
        if default is MISSING:
            raise self._missing(key, k.BPF_MAP_DELETE_ELEM, "delete")
        return default

    def exact(self, key: K | Prefix) -> V:
        """Return the value of the very prefix, not of one that covers it; reads the whole trie.

        Raises:
            KeyMissingError: it is not in the trie.
        """
        wanted = self._masked(self._encoded("key", self.key_type, key))
        from . import batch

        size = self.key_type.size
        for keys, values in batch.read(self):
            data = bytes(keys)
            for number in range(len(data) // size):
                if self._masked(data[number * size : (number + 1) * size]) == wanted:
                    return self.value_type.decode(  # type: ignore[no-any-return]
                        values, number * self.value_type.size
                    )
        raise self._missing(key)

    def to_networks(self) -> dict[Network, V]:
        """Return all prefixes as networks of `ipaddress`, with their values.

        Raises:
            BpfError: the keys' data are neither 4 nor 16 bytes.
        """
        from . import batch

        found: dict[Network, V] = {}
        network, size = self.key_type.network, self.key_type.size
        for keys, values in batch.read(self):
            data = bytes(keys)
            prefixes = [network(data[at : at + size]) for at in range(0, len(data), size)]
            found.update(zip(prefixes, self.value_type.decode_many(values), strict=True))
        return found

    def _masked(self, raw: bytes) -> tuple[int, int]:
        """Return a prefix's length and bits, without those that do not belong to it."""
        (length,) = _PREFIX_LENGTH.unpack_from(raw)
        return length, int.from_bytes(raw[4:], "big") >> max(0, self.key_type.bits - length)
