"""Text, addresses, enums: values that are built-in types with a C meaning."""

from __future__ import annotations

import copy
import pickle

import pytest
from bpfgen_runtime.values import Address, CharArray, char_array
from bpfgen_runtime.values.enums import CEnum
from hypothesis import given
from hypothesis import strategies as st


class Color(CEnum):
    """An enum of C."""

    RED = 1
    GREEN = 2


@given(st.binary(max_size=24))
def test_text_is_lossless(raw: bytes) -> None:
    """Whatever bytes a char array holds, decoding and encoding gives them back."""
    ctype = char_array(len(raw))
    assert ctype.encode(ctype.decode(raw)) == raw


@given(st.binary(max_size=24))
def test_str_of_text_gives_it_back(raw: bytes) -> None:
    """The text of bytes that are no UTF-8 still encodes to the bytes up to the first NUL."""
    assert CharArray(str(CharArray(raw))) == raw.partition(b"\0")[0]


def test_text_prints_as_text() -> None:
    """str() and format() are the text up to the first NUL; repr() shows it as bytes."""
    text = CharArray(b"caf\xc3\xa9\0rest\0\0")
    assert str(text) == "café"
    assert f"{text}|{text:<6}|" == "café|café  |"
    assert repr(text) == r"b'caf\xc3\xa9\0…'"


def test_text_is_bytes() -> None:
    """A char array equals its bytes without the padding, and hashes like them."""
    assert CharArray("bash") == b"bash" == CharArray(b"bash\0\0")
    assert b"bash" in {CharArray("bash")}


def test_text_of_wrong_type() -> None:
    """Only str and bytes make text; an int would make NULs."""
    with pytest.raises(TypeError, match="needs str or bytes, not int"):
        CharArray(3)  # type: ignore[arg-type]


def test_address_prints_in_hexadecimal() -> None:
    """An address is an int that prints as addresses are written."""
    address = Address(0xFFFFFFFF81000000)
    assert str(address) == f"{address}" == "0xffffffff81000000"
    assert repr(address) == "Address(0xffffffff81000000)"
    assert address + 1 == 0xFFFFFFFF81000001


@pytest.mark.parametrize("value", [1, 3, -1, 1 << 40])
def test_enum_value_survives(value: int) -> None:
    """Any number is a member, named or not; copying and pickling keep it."""
    member = Color(value)
    assert member == value
    assert type(member) is Color
    assert member.is_named is (value in (1, 2))
    for same in (copy.copy(member), copy.deepcopy(member), pickle.loads(pickle.dumps(member))):
        assert same == member
        assert type(same) is Color
    assert Color(value) == member
    assert hash(member) == hash(value)


def test_enum_prints() -> None:
    """A member prints with its name where it has one, on all Pythons alike."""
    assert repr(Color.RED) == "<Color.RED: 1>"
    assert repr(Color(9)) == "<Color: 9>"
    assert (str(Color.RED), f"{Color.RED}", f"{Color(9):03}") == ("1", "1", "009")


def test_enum_refuses_what_is_no_number() -> None:
    """A name is no value, as in any enum."""
    with pytest.raises(ValueError, match="'RED' is not a valid Color"):
        Color("RED")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"", "b''"),
        (b"true\0\0", "b'true'"),
        (b"true\0left over", r"b'true\0…'"),
        (b"it's\0x", 'b"it\'s\\0…"'),
        (b"\xff", r"b'\xff'"),
    ],
)
def test_repr_stops_at_the_nul(raw: bytes, shown: str) -> None:
    """A record's repr shows the string, and only hints at what the program left behind it."""
    assert repr(CharArray(raw)) == shown
