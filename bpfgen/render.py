"""From the model to formatted source text."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from functools import cache

import black
import jinja2
from black.mode import TargetVersion

from .imports import natural_key
from .model import Module
from .text import printable

__all__ = ["render"]

_LINE_LENGTH = 100

#: Whatever project the output lands in: its configuration of black has no part in the text.
_MODE = black.Mode(
    target_versions={TargetVersion.PY310}, line_length=_LINE_LENGTH, magic_trailing_comma=False
)

#: Lines that stand for data while black is at work; no line of Python starts so.
_IMAGE, _PLAN = "$image", "$plan"


def render(module: Module) -> str:
    """Write a module's source text."""
    # Embedded data is most of the text and stays as it is: black need not see it.
    short = replace(
        module,
        image=(_IMAGE,) if module.image else (),
        plan=(_PLAN,) if module.plan else (),
    )
    text = _environment().get_template("skeleton.py.j2").render(m=short)
    text = black.format_str(text, mode=_MODE)
    for stand_in, lines in ((_IMAGE, module.image), (_PLAN, module.plan)):
        text = text.replace(f"\n{stand_in}\n", "\n".join(["", *lines, ""]))
    return text


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bpfgen", "_templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        auto_reload=False,
    )
    environment.filters |= {
        "comment": _comment,
        "doc": _doc,
        "literal": _literal,
        "natural": lambda names: sorted(names, key=natural_key),
    }
    return environment


# Names of sections, files and types come from the object: bytes that anyone may have chosen. None
# of them may end the comment or the string that it stands in.


def _comment(text: str) -> str:
    """Write comment lines for the body of a class; nothing for no text."""
    lines = textwrap.wrap(printable(text), _LINE_LENGTH - 6, break_on_hyphens=False)
    return "\n".join(f"    # {line}" for line in lines)


def _literal(text: str) -> str:
    quoted = repr(text)
    return quoted if '"' in quoted else '"' + quoted[1:-1].replace("\\'", "'") + '"'


def _doc(text: str) -> str:
    # Shown as an escape, not being one: a class's docstring may not have what UTF-8 cannot encode.
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')
