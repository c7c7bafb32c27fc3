"""Loads by a process without CAP_BPF, which the verifier is stricter with."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

from bpfgen_runtime.errors import BpfError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object

_SYSCTL = Path("/proc/sys/kernel/unprivileged_bpf_disabled")
_CAPABILITY_VERSION_3 = 0x20080522


@contextlib.contextmanager
def allowed() -> Iterator[None]:
    """Let everybody load programs for a while: a setting of the whole machine."""
    before = _SYSCTL.read_text()
    _SYSCTL.write_text("0\n")
    try:
        yield
    finally:
        _SYSCTL.write_text(before)


def refusal(path: Path) -> BpfError | None:
    """Load an object in a child process without capabilities; give the error, None if it loads.

    It stays root, who owns the modules that are imported on the way.
    """
    spec = load_spec(str(path))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _drop_capabilities()
            try:
                Object.load(spec).close()
                found = None
            except BpfError as error:
                found = error
            with open(writer, "wb") as file:
                pickle.dump(found, file)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as file:
        data = file.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child did not get to its end"
    result: BpfError | None = pickle.loads(data)
    return result


def _drop_capabilities() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")
