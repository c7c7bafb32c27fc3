"""The build hook of hatchling: `[tool.hatch.build.hooks.bpfgen]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bpfgen_runtime.errors import BpfError
from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from . import generate

__all__ = ["BpfgenBuildHook"]


class BpfgenBuildHook(BuildHookInterface[BuilderConfig]):
    """Makes the modules before hatchling collects files, of wheels, editable installs, sdists."""

    PLUGIN_NAME = "bpfgen"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the modules, and have them in the distribution whatever version control ignores."""
        root = Path(self.root)
        try:
            made = generate(root, self.app.display_info)
        except (BpfError, OSError) as error:
            self.app.abort(str(error))
        build_data["artifacts"] += [
            f"/{path.relative_to(root).as_posix()}" for path in made if path.is_relative_to(root)
        ]


@hookimpl
def hatch_register_build_hook() -> type[BuildHookInterface[BuilderConfig]]:
    """Tell hatchling of the hook."""
    return BpfgenBuildHook
