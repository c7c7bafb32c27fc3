"""Python names for C names: one rule, and collisions resolved the same way each time.

docs/naming.md states the rule for users. Everything here is a function of the names alone, so the
same object gets the same names on every machine and with every Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

__all__ = [
    "GROUP_ATTRIBUTES",
    "KEYWORDS",
    "SECTION_ATTRIBUTES",
    "STRUCT_ATTRIBUTES",
    "Scope",
    "cap_words",
    "enumerator_names",
    "identifier",
    "is_identifier",
    "member_name",
    "module_name",
    "object_name",
    "section_name",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Not `keyword.kwlist`: names must not depend on which Python generates.
KEYWORDS = _words(
    "False None True and as assert async await break class continue def del elif else except "
    "finally for from global if import in is lambda nonlocal not or pass raise return try "
    "while with yield"
)

#: What `bpfgen_runtime.values.Struct` keeps for itself; tests compare it with the class.
STRUCT_ATTRIBUTES = _words(
    "BYTE_ORDER LAYOUT SIZE TYPE_CHECKING UNIONS _ctype _defaults _fields _is_whole _members "
    "_shown _unions _values from_bytes iter_unpack to_bytes"
)

#: The same of `bpfgen_runtime.values.DataSection`.
SECTION_ATTRIBUTES = _words(
    "SIZE TYPE_CHECKING _buffer _ctype_of _last_offset _memory _name _read_number _show _variables "
    "_spec _views _writable _write at close resize"
)

#: The same of the groups of maps, programs and links in `bpfgen_runtime.skeleton`.
GROUP_ATTRIBUTES = _words("MEMBERS _c_name _clear _destroy _loaded _why_empty")

#: What enum and int keep for themselves in an IntEnum.
ENUM_ATTRIBUTES = _words(
    "as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer "
    "is_named mro name numerator real to_bytes value"
)

_ILLEGAL = re.compile(r"[^A-Za-z0-9_]+")
_PRIVATE = re.compile(r"_+[A-Za-z0-9]\w*?__")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_identifier(name: str) -> bool:
    """Tell whether a name can stand in Python as it is (ASCII only, as in C)."""
    return _IDENTIFIER.fullmatch(name) is not None and name not in KEYWORDS


def identifier(name: str) -> str:
    """Replace what no identifier may contain (`.`, `-`, `<`, letters beyond ASCII) by `_`."""
    name = _ILLEGAL.sub("_", name)
    return name if name and not name[0].isdigit() else f"_{name}"


def cap_words(name: str) -> str:
    """Turn a C name into a class name: `exec_event` into `ExecEvent`.

    Each word between underscores gets a capital first letter; a name without any small letter is
    lowered first (`TCP_STATE` into `TcpState`). A name that would then not start with a letter
    (`_1st`, `__`) stays as it is.
    """
    name = identifier(name)
    words = [word for word in name.split("_") if word]
    if not words or not words[0][0].isalpha():
        return name
    if name == name.upper():
        words = [word.lower() for word in words]
    name = "".join(word[0].upper() + word[1:] for word in words)
    return f"{name}_" if name in KEYWORDS else name


def member_name(name: str, reserved: Set[str] = frozenset()) -> str:
    """Turn the C name of a field, map, program, global or enumerator into an attribute's name.

    It stays as it is unless Python gives it another meaning: a keyword or a `reserved` name gets a
    `_` at its end; a name with two leading underscores, which Python mangles inside classes, has
    them moved to the end as one (`__data` into `data_`).
    """
    name = identifier(name)
    if name.startswith("__"):
        bare = name.strip("_")
        name = f"{bare}_" if bare[:1].isalpha() else f"underscores_{bare or len(name)}"
    while name in KEYWORDS or name in reserved:
        name += "_"
    return name


def object_name(file_name: str) -> str:
    """Give the object's name: the file's, without `.bpf.o` or `.o`, as an identifier."""
    for suffix in (".bpf.o", ".o"):
        if file_name.endswith(suffix) and file_name != suffix:
            file_name = file_name[: -len(suffix)]
            break
    return identifier(file_name)


def module_name(file_name: str) -> str:
    """Give the module that `bpfgen skeleton` writes for a file: `execsnoop_skel`."""
    return f"{object_name(file_name)}_skel"


def section_name(section: str) -> str:
    """Give the attribute of a global data section: `.rodata` is `rodata`, `.data.x` is `data_x`."""
    return identifier(section.lstrip("."))


class Scope:
    """Names of one scope, each given once.

    Args:
        taken: names that are in use before the first is asked for.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def add(self, name: str) -> str:
        """Take a name, or the same with the first free number from 2 on behind it."""
        free, number = name, 2
        while free in self._taken:
            free = f"{name}{number}"
            number += 1
        self._taken.add(free)
        return free

    @classmethod
    def members(cls, names: Iterable[str], reserved: Set[str] = frozenset()) -> dict[str, str]:
        """Name the members of one class: C name to attribute, in the order given.

        Names that stay as they are come first: `from_` in C keeps its name, and `from` beside it
        becomes `from_2`.
        """
        names = list(names)
        wanted = {name: member_name(name, reserved) for name in names}
        scope = cls(name for name in names if wanted[name] == name)
        return {name: name if wanted[name] == name else scope.add(wanted[name]) for name in names}


def enumerator_names(names: Iterable[str]) -> dict[str, str]:
    """Name the members of one enum, as `Scope.members`; `_sunder_` names are enum's own."""
    names = list(names)
    plain = {identifier(name) for name in names}
    sunder = {name for name in plain if name.startswith("_") and name.endswith("_")}
    # `_Class__name` is a private name of that class, and no member of an enum called so.
    private = {name for name in plain if _PRIVATE.match(name)}
    bare = {name: name.lstrip("_") if identifier(name) in private else name for name in names}
    found = Scope.members(dict.fromkeys(bare.values()), ENUM_ATTRIBUTES | sunder)
    scope = Scope(found.values())
    given: dict[str, str] = {}
    for name in sorted(names, key=lambda name: bare[name] != name):
        known = found[bare[name]]
        given[name] = scope.add(known) if known in given.values() else known
    return {name: given[name] for name in names}
