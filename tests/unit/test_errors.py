"""The error tree: what each error is, says, and keeps through pickle and copy."""

from __future__ import annotations

import copy
import errno
import pickle

import pytest
from bpfgen_runtime import errors
from bpfgen_runtime.errors import (
    BpfError,
    BtfError,
    ClosedError,
    ElfError,
    FormatError,
    GenerateError,
    KeyExistsError,
    KeyMissingError,
    LinkerError,
    NotSupportedError,
    RecordError,
    RelocationError,
    SyscallError,
    VerifierError,
)

SAMPLES: tuple[tuple[BpfError, tuple[type[BaseException], ...], str], ...] = (
    (BpfError("plain"), (Exception,), "plain"),
    (FormatError("bad"), (BpfError,), "bad"),
    (
        FormatError("bad", section=".maps", offset=16),
        (BpfError,),
        "bad (section '.maps' at offset 0x10)",
    ),
    (ElfError("no symbols", section=".symtab"), (FormatError,), "no symbols (section '.symtab')"),
    (BtfError("cut off", offset=0), (FormatError,), "cut off (at offset 0x0)"),
    (RelocationError("symbol 'x'"), (BpfError,), "symbol 'x'"),
    (LinkerError("symbol 'x' twice"), (BpfError,), "symbol 'x' twice"),
    (GenerateError("map 'm'"), (BpfError,), "map 'm'"),
    (ClosedError("map 'm' is closed"), (BpfError,), "map 'm' is closed"),
    (RecordError("ring buffer 'm'", b"\0"), (BpfError,), "ring buffer 'm'"),
    (NotSupportedError("arena"), (BpfError,), "arena not supported"),
    (
        NotSupportedError("arena", "needs Linux 6.9"),
        (BpfError,),
        "arena not supported: needs Linux 6.9",
    ),
    (
        SyscallError(errno.EPERM, "BPF_MAP_CREATE", "create map 'm'"),
        (BpfError, OSError),
        "create map 'm': BPF_MAP_CREATE: EPERM (Operation not permitted)",
    ),
    (
        SyscallError(errno.EPERM, "BPF_MAP_CREATE", "create map 'm'", "Be root"),
        (BpfError, OSError),
        "create map 'm': BPF_MAP_CREATE: EPERM (Operation not permitted). Be root",
    ),
    (
        SyscallError(524, "BPF_MAP_FREEZE", "freeze map 'm'"),
        (BpfError, OSError),
        "freeze map 'm': BPF_MAP_FREEZE: 524 (Unknown error 524)",
    ),
    (
        KeyMissingError(errno.ENOENT, "BPF_MAP_LOOKUP_ELEM", "look up 1 in map 'm'"),
        (SyscallError, KeyError, LookupError),
        "look up 1 in map 'm': BPF_MAP_LOOKUP_ELEM: ENOENT (No such file or directory)",
    ),
    (
        KeyExistsError(errno.EEXIST, "BPF_MAP_UPDATE_ELEM", "update map 'm'"),
        (SyscallError,),
        "update map 'm': BPF_MAP_UPDATE_ELEM: EEXIST (File exists)",
    ),
    (
        VerifierError(
            errno.EACCES,
            "BPF_PROG_LOAD",
            "load program 'p'",
            "0: (95) exit\nfunny thing\n",
            program="p",
            lines=[(0, "p.bpf.c", 7, 2, "\treturn x;")],
        ),
        (SyscallError,),
        "load program 'p': BPF_PROG_LOAD: EACCES (Permission denied)\n"
        "reason: funny thing\n"
        "source: return x; (p.bpf.c:7)\n"
        "instruction: 0: exit\n"
        "verifier log:\n  0: (95) exit\n  funny thing",
    ),
    (
        VerifierError(errno.EINVAL, "BPF_PROG_LOAD", "load program 'p'", "", "Be brief"),
        (SyscallError,),
        "load program 'p': BPF_PROG_LOAD: EINVAL (Invalid argument)\nhint: Be brief",
    ),
)
IDS = [f"{index}-{type(error).__name__}" for index, (error, _, _) in enumerate(SAMPLES)]


@pytest.mark.parametrize(("error", "bases", "message"), SAMPLES, ids=IDS)
def test_message_and_bases(
    error: BpfError, bases: tuple[type[BaseException], ...], message: str
) -> None:
    """An error says all that it was given, and can be caught as what it is."""
    assert str(error) == error.message == message
    assert isinstance(error, BpfError)
    for base in bases:
        assert isinstance(error, base)


@pytest.mark.parametrize(("error", "bases", "message"), SAMPLES, ids=IDS)
@pytest.mark.parametrize(
    "clone",
    [
        *(
            pytest.param(
                lambda error, p=protocol: pickle.loads(pickle.dumps(error, p)), id=f"p{protocol}"
            )
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
    ],
)
def test_survives_pickle_and_copy(
    error: BpfError, bases: tuple[type[BaseException], ...], message: str, clone: object
) -> None:
    """A pickled or copied error has the same class, message, arguments and attributes."""
    assert callable(clone)
    twin = clone(error)
    assert type(twin) is type(error)
    assert str(twin) == message
    assert twin.args == error.args
    assert vars(twin) == vars(error)
    if isinstance(error, SyscallError):
        assert (twin.errno, twin.strerror) == (error.errno, error.strerror)


def test_tree_is_tested_whole() -> None:
    """Each public error has a sample above."""
    assert {type(error).__name__ for error, _, _ in SAMPLES} == set(errors.__all__)


def test_notes_are_pickled() -> None:
    """What add_note() put on an error (Python 3.11) goes along, too."""
    error = ClosedError("closed")
    error.__notes__ = ["seen in a test"]  # add_note() of older Pythons
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["seen in a test"]


def test_format_error_keeps_its_place() -> None:
    """Section and offset are attributes for programs as well as text for people."""
    error = BtfError("bad", section=".BTF", offset=24)
    assert (error.section, error.offset) == (".BTF", 24)


def test_syscall_error_is_an_oserror_with_errno() -> None:
    """Code that handles OSError finds errno and strerror where it looks for them."""
    with pytest.raises(OSError, match="EBUSY") as caught:
        raise SyscallError(errno.EBUSY, "BPF_LINK_CREATE", "attach program 'p'", "Wait")
    error = caught.value
    assert error.errno == errno.EBUSY
    assert error.strerror == "Device or resource busy"
    assert error.filename is None
    assert isinstance(error, SyscallError)
    assert (error.command, error.hint) == ("BPF_LINK_CREATE", "Wait")
    assert error.what == "attach program 'p'"


def test_key_missing_is_a_key_error() -> None:
    """`except KeyError` around a map works as around a dict, and the text is no repr of itself."""
    with pytest.raises(KeyError) as caught:
        raise KeyMissingError(errno.ENOENT, "BPF_MAP_LOOKUP_ELEM", "look up")
    assert str(caught.value).startswith("look up: ")


def test_verifier_error_shows_the_end_of_the_log() -> None:
    """A long log is kept whole; the message has its last lines, blank ones left out."""
    log = "".join(f"line {number}\n\n" for number in range(100))
    error = VerifierError(errno.EINVAL, "BPF_PROG_LOAD", "load program 'p'", log)
    lines = str(error).splitlines()
    assert error.log == log
    at = lines.index("verifier log:")
    assert lines[at + 1] == "  ... 88 lines before, all in .log"
    assert lines[at + 2 :] == [f"  line {number}" for number in range(88, 100)]
    assert len(lines) <= 25
