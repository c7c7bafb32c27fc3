"""From the model to formatted source text."""

from __future__ import annotations

from functools import cache

import black
import jinja2
from black.mode import TargetVersion

from .model import Module

__all__ = ["render"]

#: Whatever project the output lands in: its configuration of black has no part in the text.
_MODE = black.Mode(
    target_versions={TargetVersion.PY310}, line_length=100, magic_trailing_comma=False
)


def render(module: Module) -> str:
    """Write a module's source text."""
    text = _environment().get_template("skeleton.py.j2").render(m=module)
    return black.format_str(text, mode=_MODE)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bpfgen", "_templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {
        "comment": _printable,
        "comment_behind": lambda text: f"  # {_printable(text)}" if text else "",
        "doc": _doc,
        "literal": _literal,
    }
    return environment


# Names of sections, files and types come from the object: bytes that anyone may have chosen. None
# of them may end the comment or the string that it stands in.


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _literal(text: str) -> str:
    quoted = repr(text)
    return quoted if '"' in quoted else '"' + quoted[1:-1].replace("\\'", "'") + '"'


def _doc(text: str) -> str:
    return _printable(text.replace("\\", "\\\\").replace('"', '\\"'))
