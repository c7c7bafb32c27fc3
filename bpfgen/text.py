"""Text that came from a file or a user, made fit to be shown."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""Write what does not print as an escape (`\n`, `\x1b`, `\udc80`): one line, and no commands.

    Names in objects are bytes that anyone may have chosen; they get into generated text, terminals
    and messages.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
