"""Settings of the kernel's configuration: what text means for which type."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from bpfgen_runtime.errors import (
    BpfError,
    FormatError,
    NotSupportedError,
    RelocationError,
    SyscallError,
)
from bpfgen_runtime.host.kconfig import kernel_config
from bpfgen_runtime.host.release import kernel_version, version_code
from bpfgen_runtime.loader.kconfig import KconfigValues
from bpfgen_runtime.spec import ExternSpec


def setting(
    kind: str, size: int = 1, *, signed: bool = False, name: str = "CONFIG_X"
) -> ExternSpec:
    extern = ExternSpec(name, ".kconfig", 1, 1, False, False)
    extern.value_kind, extern.size, extern.is_signed = kind, size, signed
    return extern


def value_of(extern: ExternSpec, text: str, order: str = "<") -> bytes:
    values = KconfigValues([extern], bytearray(extern.size), order)  # type: ignore[arg-type]
    values.read(text, "text")
    assert values.missing == {}
    return bytes(values.contents)


@pytest.mark.parametrize(
    ("kind", "size", "text", "expected"),
    [
        ("bool", 1, "y", b"\x01"),
        ("bool", 1, "n", b"\x00"),
        ("bool", 1, "yes", b"\x01"),  # the first letter decides, as in libbpf
        ("tristate", 4, "n", b"\0\0\0\0"),
        ("tristate", 4, "y", b"\x01\0\0\0"),
        ("tristate", 4, "m", b"\x02\0\0\0"),
        ("tristate", 8, "m", b"\x02\0\0\0\0\0\0\0"),
        ("char", 1, "y", b"y"),
        ("char", 1, "m", b"m"),
        ("char", 1, "255", b"\xff"),
        ("int", 4, "0x10", b"\x10\0\0\0"),
        ("int", 4, "0XfF", b"\xff\0\0\0"),
        ("int", 4, "010", b"\x08\0\0\0"),
        ("int", 4, "0", b"\0\0\0\0"),
        ("int", 4, "+7", b"\x07\0\0\0"),
        ("int", 4, " 7", b"\x07\0\0\0"),
        ("int", 2, "65535", b"\xff\xff"),
        ("int", 8, "18446744073709551615", b"\xff" * 8),
        ("int", 8, "-1", b"\xff" * 8),
        ("text", 4, '"abc"', b"abc\0"),
        ("text", 4, '""', b"\0\0\0\0"),
        ("text", 4, '"a"', b"a\0\0\0"),
        ("text", 4, '"abcdef"', b"abc\0"),  # cut off
        ("text", 8, '"a"b"', b'a"b\0\0\0\0\0'),
        ("text", 8, '"a=b"', b"a=b\0\0\0\0\0"),
        ("text", 8, '"ä"', "ä".encode() + bytes(6)),
    ],
)
def test_values(kind: str, size: int, text: str, expected: bytes) -> None:
    """Each type takes its own kinds of text."""
    assert value_of(setting(kind, size), f"CONFIG_X={text}\n") == expected


@pytest.mark.parametrize(
    ("kind", "size", "text", "message"),
    [
        ("bool", 1, "m", "declared as a bool; value m .* is for a tristate or char"),
        ("bool", 1, "1", "declared as a bool; value 1 .* is for an integer"),
        ("bool", 1, '"y"', 'declared as a bool; value "y" .* is for an array of char'),
        ("int", 4, "y", "declared as an integer; value y .* is for a bool, tristate or char"),
        ("int", 4, '"4"', "is for an array of char"),
        ("text", 4, "y", "declared as an array of char"),
        ("text", 4, "4", "declared as an array of char; value 4 .* is for an integer"),
        ("tristate", 4, "1", "declared as a tristate; value 1 .* is for an integer"),
        ("int", 4, "abc", "'abc' .* is no integer"),
        ("int", 4, "08", "'08' .* is no integer"),
        ("int", 4, "0x", "'0x' .* is no integer"),
        ("int", 4, "-", "'-' .* is no integer"),
        ("int", 4, "12 ", "'12 ' .* is no integer"),
        ("int", 4, "1_000", "'1_000' .* is no integer"),
        ("int", 8, "18446744073709551616", "is no integer of 64 bits"),
        ("text", 4, '"abc', "has no end"),
        ("text", 4, '"', "has no end"),
    ],
)
def test_values_of_another_type(kind: str, size: int, text: str, message: str) -> None:
    """What a type cannot take names extern, section, source, and line."""
    with pytest.raises(RelocationError, match=message) as caught:
        value_of(setting(kind, size), f"\nCONFIG_X={text}\n")
    assert "extern 'CONFIG_X' of .kconfig" in str(caught.value)
    assert "of text, line 2" in str(caught.value)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("signed", [True, False])
def test_ranges(size: int, signed: bool) -> None:
    """The smallest and the largest value of each width fit, the next ones do not."""
    kind = "char" if size == 1 else "int"
    bits = 8 * size
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    extern = setting(kind, size, signed=signed)
    for number in (low, high):
        assert value_of(extern, f"CONFIG_X={number}") == number.to_bytes(
            size, "little", signed=signed
        )
        assert value_of(extern, f"CONFIG_X={number}", ">") == number.to_bytes(
            size, "big", signed=signed
        )
    if size < 8:
        for number in (low - 1, high + 1):
            with pytest.raises(RelocationError, match=f"value .* does not fit {size} bytes"):
                value_of(extern, f"CONFIG_X={number}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CONFIG_X\n", "line 1: 'CONFIG_X' has no '='"),
        ("# CONFIG_X is not set\nCONFIG_Y=\n", "line 2: 'CONFIG_Y=' has no value"),
        ("CONFIG_", "line 1: 'CONFIG_' has no '='"),
    ],
)
def test_text_that_does_not_parse(text: str, message: str) -> None:
    """A damaged line is an error even if nobody wants it; it has source, line and section."""
    with pytest.raises(FormatError, match=f"text, {message}") as caught:
        value_of(setting("int", 4), text)
    assert caught.value.section == ".kconfig"


def test_what_is_no_setting_passes() -> None:
    """Comments, empty lines, and other prefixes are nobody's."""
    text = "# a comment\n\n CONFIG_X=9\nXCONFIG_X=9\n# CONFIG_X=9\nCONFIG_XY=9\nCONFIG_X=1\r"
    with pytest.raises(RelocationError, match=r"'1\\r' of text, line 7"):
        value_of(setting("int", 4), text)
    assert value_of(setting("int", 4), text[:-1]) == b"\x01\0\0\0"


def test_first_value_counts() -> None:
    """What was set stays, within a text and from one text to the next."""
    one, other = setting("int", 4), setting("int", 4, name="CONFIG_Y")
    other.offset = 4
    values = KconfigValues([one, other], bytearray(8), "<")
    values.read("CONFIG_X=1\nCONFIG_X=junk\n", "first")
    assert list(values.missing) == ["CONFIG_Y"]
    values.read("CONFIG_X=2\nCONFIG_Y=3\n", "second")
    assert bytes(values.contents) == b"\x01\0\0\0\x03\0\0\0"


@pytest.mark.parametrize(
    ("kind", "size", "number", "expected"),
    [("int", 4, 0x61200, 0x61200), ("bool", 1, 1, 1), ("char", 1, 1, 1), ("bool", 1, 2, None),
     ("tristate", 4, 1, None), ("text", 4, 1, None), ("int", 2, 0x61200, None)],
)  # fmt: skip
def test_numbers(kind: str, size: int, number: int, expected: int | None) -> None:
    """What the loader itself makes up suits integers, chars, and bools if it is 0 or 1."""
    extern = setting(kind, size)
    values = KconfigValues([extern], bytearray(size), "<")
    if expected is None:
        with pytest.raises(BpfError, match="extern 'CONFIG_X'"):
            values.set_number(extern, number)
        return
    values.set_number(extern, number)
    assert int.from_bytes(values.contents, "little") == expected


# --- reading


def test_configuration_is_read_plain_or_compressed(tmp_path: Path) -> None:
    """The first file that is there is read, by gzip or without."""
    plain, packed = tmp_path / "config", tmp_path / "config.gz"
    packed.write_bytes(gzip.compress(b"CONFIG_X=y\n"))
    paths = (str(plain), str(packed))
    assert kernel_config(paths) == ("CONFIG_X=y\n", str(packed))
    plain.write_text("CONFIG_X=m\n")
    assert kernel_config(paths) == ("CONFIG_X=m\n", str(plain))


def test_configuration_that_is_not_there(tmp_path: Path) -> None:
    """Without a file the error says where one was looked for, and what to do."""
    with pytest.raises(NotSupportedError, match=r"no-config.*set kconfig before load"):
        kernel_config((str(tmp_path / "no-config"),))


def test_configuration_that_cannot_be_opened(tmp_path: Path) -> None:
    """What cannot be opened is passed over for the next file; the first reason is the error."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "config").write_text("CONFIG_X=y\n")
    missing, loop, below, good = (
        str(tmp_path / name) for name in ("no", "loop", "config/x", "config")
    )
    assert kernel_config((missing, below, loop, good)) == ("CONFIG_X=y\n", good)
    with pytest.raises(SyscallError, match=r"read .*config/x: open: ENOTDIR"):
        kernel_config((missing, below, loop, missing))
    with pytest.raises(SyscallError, match=r"read .*loop: open: ELOOP"):
        kernel_config((loop, below))


def test_configuration_that_cannot_be_read() -> None:
    """An error while reading is no end of the file: what is missing then would count as not set."""
    with pytest.raises(SyscallError, match=r"read /proc/self/mem: read: EIO"):
        kernel_config(("/proc/self/mem",))


@pytest.mark.parametrize("keep", [10, -8])
def test_damaged_configuration(tmp_path: Path, keep: int) -> None:
    """A gzip file cut off is an error, never a shorter configuration."""
    path = tmp_path / "config.gz"
    path.write_bytes(gzip.compress(b"CONFIG_X=y\n" * 100)[:keep])
    with pytest.raises(NotSupportedError, match="is damaged"):
        kernel_config((str(path),))


@pytest.mark.parametrize(
    ("release", "version", "signature", "expected"),
    [
        ("6.18.44-fc-v669", "#1 SMP", "", 0x06122C),
        ("5.10.0", "#1 SMP", "", 0x050A00),
        ("4.19.300", "#1 SMP", "", 0x0413FF),  # the macro stops at 255
        ("6.1.0-22-amd64", "#1 SMP Debian 6.1.94-1 (2024-06-21)", "", 0x06015E),
        ("6.1.0-22-amd64", "#1 SMP Debian", "", 0x060100),
        ("5.4.0-12-generic", "#15-Ubuntu SMP", "Ubuntu 5.4.0-12.15-generic 5.4.8\n", 0x050408),
        ("5.4.0-12-generic", "#15-Ubuntu SMP", "Ubuntu\n", 0x050400),
        ("6.12-rc1", "#1", "", 0),
        ("6.12.", "#1", "", 0),
        ("next", "#1", "", 0),
        ("", "", "", 0),
    ],
)
def test_version_code(release: str, version: str, signature: str, expected: int) -> None:
    """Debian and Ubuntu say elsewhere what a kernel was built from."""
    assert version_code(release, version, signature) == expected


def test_version_of_this_kernel() -> None:
    """This machine's kernel has one."""
    assert kernel_version() >> 16 >= 4
