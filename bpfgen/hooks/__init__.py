"""Build hooks: `pip install` and `python -m build` of an application generate its modules.

`hatch` is a plugin of hatchling, `setuptools` a command of setuptools; what both do is here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bpfgen_runtime.errors import GenerateError

from ..build import build
from ..config import FILE, load

__all__ = ["generate"]


def generate(root: Path, say: Callable[[str], None]) -> list[Path]:
    """Make all modules that a project's configuration names.

    Nothing is taken from earlier builds, and nothing but modules and objects beside them is written
    below `root`. Without clang, the objects there do, and without these the modules.

    Args:
        root: the project's directory.
        say: gets a line for each module, and what clang has to say.

    Returns:
        what belongs into the wheel: modules, and objects that lie beside them; absolute.

    Raises:
        GenerateError: one could not be made; the message has clang's diagnostics.
    """
    config = load(root / FILE)
    if not config.targets:
        raise GenerateError(f"{config.file}: tool.bpfgen: neither sources nor objects")
    made, failures = [], []
    with tempfile.TemporaryDirectory(prefix="bpfgen-") as scratch:
        config = replace(config, build_dir=Path(scratch).resolve())
        for outcome in build(config, config.targets, installing=True):
            target = outcome.target
            if outcome.status == "failed":
                failures.append(f"{target.name}: {outcome.reason}\n{outcome.diagnostics}".rstrip())
                continue
            say(f"bpfgen: {target.name}: {', '.join(outcome.notes) or 'unchanged'}")
            if outcome.diagnostics:
                say(outcome.diagnostics.rstrip())
            made.append(target.module)
            if target.sidecar:
                made.append(target.module.parent / target.file_name)
    if failures:
        raise GenerateError("\n".join(["bpfgen could not make all modules", *failures]))
    return made
