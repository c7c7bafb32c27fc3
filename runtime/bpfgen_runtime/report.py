"""Show errors to people: what an application's `main` may do with those that it does not expect."""

from __future__ import annotations

import sys

from .errors import BpfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

__all__ = ["run", "show"]


def run(main: Callable[[], object]) -> int:
    """Run an application, and show an error of this project instead of a traceback.

    Use it as `raise SystemExit(run(main))`.

    Returns:
        The exit status: 1 after an error, else 0.
    """
    try:
        main()
    except BpfError as error:
        show(error)
        return 1
    return 0


def show(error: BpfError, file: TextIO | None = None) -> None:
    """Write an error's message.

    On a terminal, and with rich installed, the reason, the line of C and the advice of a
    `VerifierError` are highlighted; else the text is the same without colours.

    Args:
        file: where to; standard error by default.
    """
    stream = sys.stderr if file is None else file
    if hasattr(error, "__rich__") and _highlighted(error, stream):
        return
    print(f"{type(error).__name__}: {error}", file=stream)


def _highlighted(error: BpfError, stream: TextIO) -> bool:
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:  # it is not needed, only nicer
        return False
    console = Console(file=stream, soft_wrap=True)
    if not console.is_terminal:
        return False
    markup: str = error.__rich__()  # type: ignore[attr-defined]
    text = Text.from_markup(markup, emoji=False)
    console.print(Text.assemble((f"{type(error).__name__}: ", "bold red"), text))
    return True
