"""docs/errors.md shows what errors really say."""

from __future__ import annotations

import errno
import textwrap
from pathlib import Path

import pytest
from bpfgen_runtime import errors
from bpfgen_runtime.btf import Btf
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import (
    BpfError,
    ClosedError,
    KeyExistsError,
    KeyMissingError,
    NotSupportedError,
    RecordError,
    RelocationError,
    SyscallError,
    VerifierError,
)
from bpfgen_runtime.object import Object
from bpfgen_runtime.stream import Decoder

from tests.unit.test_ringbuf import Event

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "errors.md").read_text()


def raised(kind: type[BpfError], call: object, *arguments: object) -> BpfError:
    assert callable(call)
    with pytest.raises(kind) as caught:
        call(*arguments)
    return caught.value


def closed() -> None:
    done = Object("execsnoop")
    done.close()
    with done:
        pass


def short_record() -> None:
    decoder = Decoder(Event.__ctype__, "ring buffer 'events'")
    decoder.one(memoryview(bytes(16)), 0, 5)


def test_messages_are_as_documented() -> None:
    """Each example of the document is the message of an error of that class."""
    made = [
        raised(errors.ElfError, read_elf, b"not an object"),
        raised(errors.BtfError, Btf.parse, bytes(24)),
        RelocationError("function 'bad', instruction 3: symbol 'missing' is not defined"),
        NotSupportedError("section 'maps' of object 'old'"),
        raised(ClosedError, closed),
        raised(RecordError, short_record),
        SyscallError(errno.EPERM, "BPF_MAP_CREATE", "create map 'counts'"),
        KeyMissingError(errno.ENOENT, "BPF_MAP_LOOKUP_ELEM", "look up 1 in map 'counts'"),
        KeyExistsError(errno.EEXIST, "BPF_MAP_UPDATE_ELEM", "insert 1 into map 'counts'"),
    ]
    missing = [str(error) for error in made if textwrap.indent(str(error), "    ") not in DOC]
    assert missing == []


def test_verifier_error_is_as_documented() -> None:
    """The example is what a real log of Linux 6.18 gives."""
    log = (ROOT / "tests" / "data" / "verifier" / "6.18" / "null.log").read_text()
    error = VerifierError(
        errno.EACCES, "BPF_PROG_LOAD", "load program 'bad' of object 'bad_null'", log
    )
    shown, _, _ = str(error).partition(" lines before, all in .log")
    assert textwrap.indent(shown, "    ") in DOC


def test_every_class_is_documented() -> None:
    """No error is missing from the document."""
    assert [name for name in errors.__all__ if f"`{name}`" not in DOC] == []
