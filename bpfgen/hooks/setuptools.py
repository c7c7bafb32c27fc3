"""The command of setuptools: `[tool.setuptools.cmdclass]`, `build_py` is `BuildPy`."""

from __future__ import annotations

import logging
from pathlib import Path

from bpfgen_runtime.errors import BpfError
from setuptools.command.build_py import build_py
from setuptools.errors import BaseError

from . import generate

__all__ = ["BuildPy"]


class BuildPy(build_py):  # type: ignore[misc]  # setuptools' commands are untyped
    """Makes the modules, then does what `build_py` does: it copies the packages' files."""

    def run(self) -> None:
        """Make the modules before the packages' files are listed."""
        root = Path.cwd()
        try:
            made = generate(root, lambda text: self.announce(text, level=logging.INFO))
        except (BpfError, OSError) as error:
            raise BaseError(str(error)) from error
        super().run()
        if getattr(self, "editable_mode", False):
            return  # the files are used where they are
        for path in made:
            if path.suffix == ".py":
                continue
            # An object beside its module, which setuptools would leave out without package_data.
            for package in self.packages or ():
                if (root / self.get_package_dir(package)).resolve() == path.parent.resolve():
                    folder = Path(self.build_lib, *package.split("."))
                    self.copy_file(str(path), str(folder / path.name))
