"""Import generated modules from their files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from bpfgen.generate import generate
from tests.support.clang import compile_bpf


def load_module(path: Path) -> ModuleType:
    """Import a module anew, without leaving it in `sys.modules`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses looks the module up by its name
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[path.stem]
    return module


def generated_module(name: str, place: Path) -> ModuleType:
    """Generate the skeleton of tests/bpf/NAME.bpf.c into a directory and import it."""
    path = compile_bpf(name)
    module = place / f"{name}_skel.py"
    module.write_text(generate(path.read_bytes(), file_name=path.name))
    return load_module(module)
