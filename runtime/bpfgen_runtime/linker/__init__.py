"""The static linker: several BPF objects become one.

General layout: `linker` has `Linker` and merges sections, `inputs` reads and checks an input,
`symbols` decides which symbols are one, `compat` whether their types fit, `types` merges BTF, and
`output` is what is made. `elf.writer` writes it.
"""

from __future__ import annotations

from .linker import Linker as Linker
from .linker import link as link

__all__ = ["Linker", "link"]
