"""Essential names: what is left of a type's name without its flavor.

`struct task_struct___old` is a *flavor* of `struct task_struct`: a local variant for kernels that
differ, matched against the kernel's type without what follows the last triple underscore.
"""

from __future__ import annotations


def essential_name(name: str) -> str:
    """Return the name without its flavor: `"task_struct___old"` → `"task_struct"`.

    A flavor begins at the last `___` that stands between two characters that are no underscores; a
    name that begins with `___`, or ends with it, has none.
    """
    at = name.rfind("___")
    while at > 0:
        end = at + 3
        if name[at - 1] != "_" and end < len(name) and name[end] != "_":
            return name[:at]
        at = name.rfind("___", 0, at + 2)
    return name
