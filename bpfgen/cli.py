"""The command `bpfgen`. It and `commands` are the only places that print or exit."""

from __future__ import annotations

from importlib import import_module

import click

from . import __version__

__all__ = ["COMMANDS", "main"]

#: Command to module of `commands`, which has it as `command`; imported when it is asked for.
COMMANDS = {
    "build": "build",
    "btf": "btf",
    "diff": "diff",
    "inspect": "inspect",
    "min-core-btf": "min_core_btf",
    "link": "link",
    "skeleton": "skeleton",
    "vmlinux": "vmlinux",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f".commands.{COMMANDS[name]}", __package__)
        command: click.Command = module.command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bpfgen")
def main() -> None:
    """Turn compiled BPF objects into typed Python modules."""
