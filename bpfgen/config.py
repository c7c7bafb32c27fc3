"""What a project wants built: `[tool.bpfgen]` of its pyproject.toml. docs/build.md has the keys."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bpfgen_runtime.errors import GenerateError

from . import naming
from .events import parse_event

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Config", "Target", "find", "load", "target_of_source"]

FILE = "pyproject.toml"

#: Key to what its value is; `_Reader` has a method for each.
_COMMON = {
    "cflags": "strings",
    "include_dirs": "paths",
    "output_dir": "path",
    "sidecar": "flag",
}
_PROJECT = _COMMON | {
    "arch": "string",
    "build_dir": "path",
    "check_types": "flag",
    "clang": "string",
    "objects": "table",
    "sources": "strings",
    "vmlinux_h": "path",
}
_OBJECT = _COMMON | {
    "events": "table",
    "object": "path",
    "sources": "strings",
}

_WANTED = {
    "flag": "true or false",
    "path": "a path as a string",
    "paths": "a list of paths",
    "string": "a string",
    "strings": "a list of strings",
    "table": "a table",
}

#: As bpf_tracing.h knows them: `__TARGET_ARCH_x86` and so on.
ARCHITECTURES = {
    "x86": ("x86_64", "i386", "i486", "i586", "i686"),
    "arm64": ("aarch64", "arm64"),
    "arm": ("armv6l", "armv7l", "armv8l"),
    "powerpc": ("ppc64le", "ppc64", "ppc"),
    "s390": ("s390x",),
    "riscv": ("riscv64", "riscv32"),
    "mips": ("mips", "mips64"),
    "loongarch": ("loongarch64",),
    "sparc": ("sparc64",),
    "arc": ("arc",),
}


@dataclass(frozen=True)
class Target:
    """One object and its module.

    Attributes:
        name: of the object: NAME.bpf.o becomes NAME_skel.py.
        sources: what it is compiled, and if several linked from; absolute. None: it is there.
        object: where the object is kept, absolute; None: in the build directory.
        output_dir: where the module goes, absolute.
        events: map to the type of its records.
        include_dirs, cflags: in front of, and behind, the project's.
        sidecar: leave the object beside the module.
    """

    name: str
    sources: tuple[Path, ...]
    object: Path | None
    output_dir: Path
    events: Mapping[str, str] = field(default_factory=dict)
    include_dirs: tuple[Path, ...] = ()
    cflags: tuple[str, ...] = ()
    sidecar: bool = False

    @property
    def file_name(self) -> str:
        """The object's file name, by which the module knows it."""
        return f"{self.name}.bpf.o"

    @property
    def module(self) -> Path:
        """The file that the module is written to."""
        return self.output_dir / f"{naming.module_name(self.file_name)}.py"


@dataclass(frozen=True)
class Config:
    """What a project wants.

    Attributes:
        root: the project's directory, absolute; paths in the file are relative to it.
        file: the file, None if there is none.
        targets: all that it names, in its order.
        output_dir: of modules of other sources, absolute; None: beside the source.
        check_types: whether mypy has a look at modules; None: if it is installed.
    """

    root: Path
    file: Path | None = None
    targets: tuple[Target, ...] = ()
    clang: str = "clang"
    cflags: tuple[str, ...] = ()
    include_dirs: tuple[Path, ...] = ()
    arch: str | None = None
    vmlinux_h: Path | None = None
    output_dir: Path | None = None
    build_dir: Path = Path(".bpfgen")
    check_types: bool | None = None
    sidecar: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "build_dir", self.root / self.build_dir)


def find(start: Path) -> Path | None:
    """Find the pyproject.toml with a `[tool.bpfgen]`, from a directory upward.

    Raises:
        GenerateError: one on the way is no TOML.
        OSError: one on the way cannot be read.
    """
    start = start.resolve()
    for place in (start, *start.parents):
        file = place / FILE
        if file.is_file() and "bpfgen" in _tools(file):
            return file
    return None


def load(file: Path) -> Config:
    """Read a project's configuration.

    Raises:
        GenerateError: it is no TOML, has an unknown key, a value of the wrong type, or names what
            is not there; the message names the file and the key.
        OSError: it cannot be read.
    """
    file = file.resolve()
    table = _tools(file).get("bpfgen", {})
    reader = _Reader(file, "tool.bpfgen")
    values = reader.read(table, _PROJECT)
    objects = values.pop("objects", {})
    patterns = values.pop("sources", ())
    arch = values.get("arch")
    if arch is not None and arch not in ARCHITECTURES:
        raise reader.wrong("arch", f"{arch!r} is unknown{_meant(arch, ARCHITECTURES)}")
    config = Config(root=file.parent, file=file, **values)
    targets = [
        _target(config, _Reader(file, f"tool.bpfgen.objects.{name}"), name, each)
        for name, each in objects.items()
    ]
    grouped = {source for target in targets for source in target.sources}
    for pattern in patterns:
        found = sorted(config.root.glob(pattern))
        if not found:
            raise reader.wrong("sources", f"{pattern!r} matches no file")
        for source in found:
            if source not in grouped:
                grouped.add(source)
                targets.append(target_of_source(config, source))
    for what in ("name", "module"):
        seen = set()
        for target in targets:
            value = getattr(target, what)
            if value in seen:
                raise reader.wrong("objects", f"two objects have the {what} {str(value)!r}")
            seen.add(value)
    return replace(config, targets=tuple(targets))


def target_of_source(config: Config, source: Path) -> Target:
    """Give the target of a single source: the one that has it, or one that is called like it."""
    source = source if source.is_absolute() else Path.cwd() / source
    for target in config.targets:
        if source.resolve() in [each.resolve() for each in target.sources]:
            return target
    stem = source.name
    for suffix in (".bpf.c", ".c"):
        if stem.endswith(suffix) and stem != suffix:
            stem = stem[: -len(suffix)]
            break
    return Target(
        name=naming.identifier(stem),
        sources=(source,),
        object=None,
        output_dir=config.output_dir or source.parent,
        sidecar=config.sidecar,
    )


def _target(config: Config, reader: _Reader, name: str, table: Any) -> Target:
    values = reader.read(table, _OBJECT)
    if not naming.is_identifier(name):
        raise reader.wrong("", f"the object's name {name!r} is no identifier")
    sources = tuple(config.root / source for source in values.get("sources", ()))
    kept: Path | None = values.get("object")
    files = sources or (() if kept is None else (kept,))
    if not files:
        raise reader.wrong("", "neither sources nor an object")
    events = {}
    for map_name, type_name in values.get("events", {}).items():
        if isinstance(type_name, list) and all(isinstance(one, str) for one in type_name):
            type_name = ",".join(type_name)
        if not isinstance(type_name, str):
            raise reader.wrong(f"events.{map_name}", _type_error("a type's name", type_name))
        try:
            event = parse_event(f"{map_name}={type_name}")
        except GenerateError as error:
            raise reader.wrong(f"events.{map_name}", str(error)) from error
        events[event[0]] = event[1]
    return Target(
        name=name,
        sources=sources,
        object=kept,
        output_dir=values.get("output_dir") or config.output_dir or files[0].parent,
        events=events,
        include_dirs=values.get("include_dirs", ()),
        cflags=values.get("cflags", ()),
        sidecar=values.get("sidecar", config.sidecar),
    )


class _Reader:
    """Reads one table of the file; errors name the file and the key."""

    def __init__(self, file: Path, path: str) -> None:
        self.file = file
        self.path = path

    def wrong(self, key: str, reason: str) -> GenerateError:
        path = ".".join(part for part in (self.path, key) if part)
        return GenerateError(f"{self.file}: {path}: {reason}")

    def read(self, table: Any, schema: Mapping[str, str]) -> dict[str, Any]:
        """Check a table and make its values what they are used as; `-` in a key is read as `_`."""
        if not isinstance(table, dict):
            raise self.wrong("", _type_error(_WANTED["table"], table))
        values: dict[str, Any] = {}
        for written, value in table.items():
            key = written.replace("-", "_")
            if key not in schema:
                raise self.wrong("", f"unknown key {written!r}{_meant(key, schema)}")
            if key in values:
                raise self.wrong(written, "given twice, with `-` and with `_`")
            kind = schema[key]
            if not _fits(kind, value):
                raise self.wrong(written, _type_error(_WANTED[kind], value))
            values[key] = self._made(kind, value)
        return values

    def _made(self, kind: str, value: Any) -> Any:
        if kind == "path":
            return self.file.parent / value
        if kind == "paths":
            return tuple(self.file.parent / each for each in value)
        return tuple(value) if kind == "strings" else value


def _fits(kind: str, value: Any) -> bool:
    if kind in ("strings", "paths"):
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, {"flag": bool, "table": dict}.get(kind, str))


def _type_error(wanted: str, value: Any) -> str:
    return f"{wanted} is wanted, not {value!r}"


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    every = f"there are {', '.join(sorted(known))}"
    return f"; did you mean {close[0]!r}? ({every})" if close else f"; {every}"


def _tools(file: Path) -> dict[str, Any]:
    try:
        with open(file, "rb") as opened:
            found = tomllib.load(opened).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GenerateError(f"{file}: no TOML: {error}") from error
    return found if isinstance(found, dict) else {}
