"""Records of several types: which one a record is."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from bpfgen_runtime.errors import RecordError
from bpfgen_runtime.stream import Decoder
from bpfgen_runtime.values import Struct, array, as_ctype, be, dataclass, u8, u16, u32, u64
from bpfgen_runtime.values.records import by_size, by_tag, padded_size


@dataclass(frozen=True, slots=True)
class Short(Struct):
    """struct short, 8 bytes."""

    SIZE = 8
    LAYOUT = (("kind", 0, u32), ("number", 4, u32))

    kind: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Long(Struct):
    """struct long, 16 bytes."""

    SIZE = 16
    LAYOUT = (("kind", 0, u32), ("number", 4, u32), ("more", 8, u64))

    kind: int = 0
    number: int = 0
    more: int = 0


@dataclass(frozen=True, slots=True)
class Big(Struct):
    """struct big, of a big-endian object."""

    SIZE = 8
    BYTE_ORDER = ">"
    LAYOUT = (("kind", 0, u32), ("number", 4, u32))

    kind: int = 0
    number: int = 0


SIZES = by_size(Short, Long)
TAGS = by_tag(0, u32, {1: Short, 2: Long, 3: Long})


def decoder(ctype: Any, *, padded: bool = False) -> Decoder:
    return Decoder(as_ctype(ctype), "ring buffer 'r'", 8, padded)


def run(records: list[bytes]) -> memoryview:
    """Records as they lie in a ring buffer."""
    return memoryview(
        b"".join(struct.pack("<II", len(one), 0) + one + bytes(-len(one) % 8) for one in records)
    )


@pytest.mark.parametrize("ctype", [SIZES, TAGS])
def test_decode(ctype: Any) -> None:
    """A record is decoded as the type that its length, or its tag, says."""
    for value in (Short(1, 5), Long(2, 6, 7)):
        data = value.to_bytes()
        assert ctype.decode(data) == value
        assert decoder(ctype).one(run([data]), 0, len(data)) == value
        several = run([data] * 9)
        assert decoder(ctype).many(several, len(data), 8 + len(data)) == [value] * 9


def test_run_of_several_tags() -> None:
    """A run of records of one length may have several types."""
    values = [Long(2 + n % 2, n, n) for n in range(20)]
    tags = by_tag(0, u32, {2: Long, 3: array(u8, 16)})
    found = decoder(tags).many(run([one.to_bytes() for one in values]), 16, 24)
    assert found[0::2] == values[0::2]
    assert found[1::2] == [tuple(one.to_bytes()) for one in values[1::2]]


@pytest.mark.parametrize(
    ("ctype", "data", "message"),
    [
        (SIZES, bytes(9), "a record of 9 bytes is none of Short | Long: they have 8, 16 bytes"),
        (TAGS, bytes(16), "is none of Short | Long: the tag at 0 is 00 00 00 00, they have 1, 2"),
        (TAGS, bytes((1, 0)), "the tag at 0 is 01 00, they have"),
        (TAGS, b"", "the tag at 0 is missing"),
        (TAGS, struct.pack("<Q", 2), "too short for Long, which has 16"),
    ],
)
def test_none_of_them(ctype: Any, data: bytes, message: str) -> None:
    """A record that fits none is an error that has its bytes."""
    with pytest.raises(RecordError) as caught:
        decoder(ctype).one(run([data]), 0, len(data))
    assert message in str(caught.value)
    assert caught.value.data == data


def test_tail() -> None:
    """With a tag, records may be longer than their type."""
    data = Short(1, 2).to_bytes() + b"tail of it"
    assert decoder(TAGS).one(run([data]), 0, len(data)) == Short(1, 2)
    assert decoder(TAGS).many(run([data] * 3), len(data), 32) == [Short(1, 2)] * 3


def test_padded() -> None:
    """Perf buffers round lengths up; types that become one length are refused."""
    assert [padded_size(size) for size in (1, 4, 5, 12, 13, 72)] == [4, 4, 12, 12, 20, 76]
    padded = decoder(SIZES, padded=True)
    assert padded.one(memoryview(bytes(8) + bytes(12)), 0, 12) == Short()
    assert padded.one(memoryview(bytes(8) + bytes(20)), 0, 20) == Long()
    with pytest.raises(ValueError, match="sizes that a perf buffer rounds to the same"):
        decoder(by_size(u8, u32), padded=True).one(memoryview(bytes(16)), 0, 4)


def test_big_endian() -> None:
    """Tags of big-endian objects are compared in their order."""
    tags = by_tag(0, be(u32), {1: Big, 256: Long})
    assert tags.decode(Big(1, 2).to_bytes()) == Big(1, 2)


def test_refused() -> None:
    """Types that cannot be told apart are refused at once."""
    with pytest.raises(ValueError, match=r"Short \| Big: two have the same size"):
        by_size(Short, Big)
    with pytest.raises(ValueError, match="no types"):
        by_size()
    with pytest.raises(ValueError, match="Short ends before the tag at 6"):
        by_tag(6, u32, {1: Short})
    with pytest.raises(OverflowError, match="65536 does not fit u16"):
        by_tag(0, u16, {65536: Short})
    with pytest.raises(TypeError, match="encode a value by its own class"):
        SIZES.encode(Short())
    with pytest.raises(ValueError, match="they have 8, 16 bytes"):
        SIZES.decode(bytes(3))
