"""From an object file's bytes to the text of its module."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import ElfError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.spec import ObjectSpec

from .model import build
from .naming import object_name
from .render import render

__all__ = ["generate", "read_object"]


def read_object(data: bytes, name: str) -> ObjectSpec:
    """Read a BPF object from memory.

    Raises:
        FormatError: the file is damaged or no BPF object. Its message does not name the file, which
            the caller knows by its path.
    """
    try:
        image = read_elf(data, name=name)
    except ElfError as error:
        error.message = error.message.removeprefix(f"{name}: ")
        raise
    return load_spec(image)


def generate(
    data: bytes,
    *,
    file_name: str,
    name: str | None = None,
    events: Mapping[str, str] | None = None,
    sidecar: bool = False,
) -> str:
    """Generate the skeleton module of a BPF object.

    The text depends on the arguments alone: not on the place, the machine, the time.

    Args:
        data: the ELF file.
        file_name: without directories; names the object, and stands in the module's docstring.
        name: what to call the object instead.
        events: ring or perf buffer map to the C types of its records.
        sidecar: leave the object outside: the module expects it beside itself, as `file_name`.

    Raises:
        FormatError: the file is damaged or no BPF object.
        GenerateError: no module can be made of it, or an argument does not fit it.
    """
    module = build(
        read_object(data, object_name(file_name) if name is None else name),
        file_name=file_name,
        sha256=hashlib.sha256(data).hexdigest(),
        name=name,
        events=events or {},
        sidecar=sidecar,
        data=data,
    )
    return render(module)
