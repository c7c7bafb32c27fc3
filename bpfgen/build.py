"""The build step: clang, static linking, skeleton, and mypy, of what has changed and no more.

What a target was made from, and what came out, is recorded by content in the build directory; it is
current as long as all of that is as it was. Nothing here prints: `commands.build` and the build
hooks do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bpfgen_runtime.errors import BpfError, GenerateError

from . import __version__, clang, publish, workers
from .config import Config, Target

__all__ = ["Outcome", "Status", "build", "check_types", "clean_build_dir", "inputs", "wants_mypy"]

#: Of the recorded states: raised when they mean something else.
_FORMAT = 1

Status = Literal["built", "current", "kept", "failed"]


class Outcome(NamedTuple):
    """What became of one target.

    Attributes:
        status: "kept" is of a module that is there and could not be made anew without clang.
        notes: what was done, in its order.
        diagnostics: what clang wrote, as it is; also of a build that did not fail.
        reason: why it failed.
    """

    target: Target
    status: Status
    notes: tuple[str, ...] = ()
    diagnostics: str = ""
    reason: str = ""


class _Job(NamedTuple):
    """What a process needs to make one target; `clang` is None for the object that is there."""

    config: Config
    target: Target
    clang: str | None
    key: str
    colour: bool
    installing: bool

    @property
    def object(self) -> Path:
        """Where the object is read from, or written to."""
        if self.clang is not None and self.installing:
            return _folder(self.config, self.target) / self.target.file_name
        return _object_path(self.config, self.target)


def build(
    config: Config,
    targets: Sequence[Target],
    *,
    force: bool = False,
    colour: bool = False,
    installing: bool = False,
) -> Iterator[Outcome]:
    """Make each target that is not current; give the outcomes as they come. A failure stops none.

    Args:
        force: make all of them.
        colour: whether clang's diagnostics are for a terminal.
        installing: objects in the project's tree are read, not written; and where there is no clang
            and no object, a module that is there will do.

    Raises:
        OSError: the build directory cannot be written.
    """
    prepare_build_dir(config)
    compiler: str | None = None
    missing = problem = ""
    if any(target.sources for target in targets):
        try:
            compiler = clang.find(config.clang)
            clang.version(compiler)
            clang.provide_vmlinux_h(config)
        except clang.ClangMissing as error:
            missing = str(error)
        except GenerateError as error:
            problem = str(error)
    jobs = []
    for target in targets:
        if target.sources and problem:
            yield Outcome(target, "failed", reason=problem)
            continue
        uses_clang = bool(target.sources) and not missing
        key = _key(config, target, compiler if uses_clang else None)
        if not force and _is_current(_state(config, target), key):
            yield Outcome(target, "current")
        elif target.sources and missing and (refused := _without_clang(config, target, missing)):
            if installing and target.module.is_file():
                note = f"no clang and no object: {target.module.name} stays as it is"
                yield Outcome(target, "kept", (note,))
            else:
                yield Outcome(target, "failed", reason=refused)
        else:
            used = compiler if uses_clang else None
            jobs.append(_Job(config, target, used, key, colour, installing))
    if len(jobs) > 1:
        from . import generate  # noqa: F401  # before the processes part
    for _, outcome in workers.run(_make, jobs):
        yield outcome


def _without_clang(config: Config, target: Target, missing: str) -> str:
    """Say why a target cannot be made without clang; "" if its object will do."""
    if target.object is None or not target.object.is_file():
        return missing
    state = _state(config, target)
    if state is not None:
        # A new object came with the new sources, unless it is still the old one.
        recorded = state["inputs"] | state["outputs"]
        of_object = recorded.get(str(target.object))
        if of_object == _hash(target.object) and not _are_as_recorded(state["inputs"]):
            shown = _short(config, target.object)
            return f"its sources have changed since {shown} was compiled; {missing}"
    return ""


def prepare_build_dir(config: Config) -> None:
    """Make the build directory, which version control is told to ignore."""
    config.build_dir.mkdir(parents=True, exist_ok=True)
    ignore = config.build_dir / ".gitignore"
    if not ignore.exists():
        publish.write(ignore, "*\n")


def clean_build_dir(config: Config) -> None:
    """Remove what `build` has recorded and made; modules and objects elsewhere stay."""
    shutil.rmtree(config.build_dir, ignore_errors=True)


# --- making one target, perhaps in a process of its own


def _make(job: _Job) -> Outcome:
    target = job.target
    notes: list[str] = []
    diagnostics: list[str] = []
    try:
        _folder(job.config, target).mkdir(parents=True, exist_ok=True)
        if job.clang is None:
            data, dependencies = job.object.read_bytes(), {job.object, *target.sources}
            if target.sources:
                notes.append(f"no clang: {_short(job.config, job.object)} is taken as it is")
        else:
            data, dependencies = _compile(job, job.clang, notes, diagnostics)
        from .generate import generate

        text = generate(
            data, file_name=target.file_name, events=target.events, sidecar=target.sidecar
        )
        outputs: dict[Path, str | bytes] = {target.module: text}
        if target.sidecar:
            outputs[target.module.parent / target.file_name] = data
        if job.clang is not None:
            outputs[job.object] = data
        for path, contents in outputs.items():
            if not publish.is_current(path, contents):
                path.parent.mkdir(parents=True, exist_ok=True)
                publish.write(path, contents)
                if path.parent != _folder(job.config, target):
                    notes.append(f"wrote {_short(job.config, path)}")
        _record(job, dependencies, outputs)
    except (OSError, BpfError, RecursionError) as error:
        return Outcome(target, "failed", tuple(notes), "".join(diagnostics), _reason(error))
    return Outcome(target, "built", tuple(notes), "".join(diagnostics))


def _compile(
    job: _Job, compiler: str, notes: list[str], diagnostics: list[str]
) -> tuple[bytes, set[Path]]:
    """Compile a target's sources, and link them where there are several.

    Raises:
        GenerateError: clang failed.
        LinkerError: the objects do not fit together.
    """
    config, target = job.config, job.target
    words = clang.flags(config, target)
    dependencies: set[Path] = set()
    parts = []
    failed = hint = ""
    for number, source in enumerate(target.sources):
        part = _folder(config, target) / f"{number}-{source.stem}.o"
        done = clang.compile_source(
            compiler, source, part, words, root=config.root, colour=job.colour
        )
        diagnostics.append(done.diagnostics)
        if done.ok:
            notes.append(f"compiled {_short(config, source)}")
            dependencies |= set(done.dependencies)
            parts.append(part)
        else:
            failed = failed or _short(config, source)
            hint = hint or done.hint
    if failed:
        raise GenerateError(f"clang cannot compile {failed}{': ' + hint if hint else ''}")
    if len(parts) == 1:
        return parts[0].read_bytes(), dependencies
    from bpfgen_runtime.linker import link

    data = link(parts, name=target.name)
    notes.append(f"linked {len(parts)} objects")
    return data, dependencies


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "types are nested too deep"
    if isinstance(error, OSError) and not isinstance(error, BpfError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return str(error)


# --- what is where


def _folder(config: Config, target: Target) -> Path:
    return config.build_dir / target.name


def _object_path(config: Config, target: Target) -> Path:
    return target.object or _folder(config, target) / target.file_name


def _short(config: Config, path: Path) -> str:
    return str(path.relative_to(config.root)) if path.is_relative_to(config.root) else str(path)


# --- what is recorded of a target


def _state(config: Config, target: Target) -> dict[str, Any] | None:
    """Read what is recorded; None if there is nothing, or nothing that makes sense."""
    try:
        state = json.loads((_folder(config, target) / "state.json").read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and state.get("format") == _FORMAT else None


def _write_state(config: Config, target: Target, state: dict[str, Any]) -> None:
    text = json.dumps(state, indent=1, sort_keys=True) + "\n"
    publish.write(_folder(config, target) / "state.json", text)


def _record(job: _Job, dependencies: set[Path], outputs: dict[Path, str | bytes]) -> None:
    state = {
        "format": _FORMAT,
        "key": job.key,
        "compiled": job.clang is not None,
        "checked": False,
        "inputs": {str(path): _hash(path) for path in sorted(dependencies)},
        "outputs": {str(path): _hash(path) for path in outputs},
    }
    rule = clang.write_depfile([str(job.target.module)], list(state["inputs"]))  # type: ignore[call-overload]
    publish.write(_folder(job.config, job.target) / f"{job.target.module.stem}.d", rule)
    _write_state(job.config, job.target, state)


def _key(config: Config, target: Target, compiler: str | None) -> str:
    """Hash all but the contents of files that a target's outcome depends on."""
    facts: list[Any] = [_FORMAT, __version__, target.name, target.sidecar, str(target.module)]
    facts += [sorted(target.events.items()), str(_object_path(config, target))]
    facts += [[str(source) for source in target.sources]]
    if compiler is not None:
        facts += [clang.version(compiler), clang.flags(config, target)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _is_current(state: dict[str, Any] | None, key: str) -> bool:
    return (
        state is not None
        and state["key"] == key
        and _are_as_recorded(state["outputs"])
        and _are_as_recorded(state["inputs"])
    )


def _are_as_recorded(hashes: dict[str, str]) -> bool:
    return all(_hash(Path(path)) == recorded for path, recorded in hashes.items())


def _hash(path: Path) -> str:
    """Hash a file's contents; "" if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def inputs(config: Config, targets: Iterable[Target]) -> set[Path]:
    """List the files that the targets were made from, headers and the configuration among them."""
    found = set() if config.file is None else {config.file}
    for target in targets:
        found |= set(target.sources)
        if target.object is not None and not target.sources:
            found.add(target.object)
        state = _state(config, target)
        if state is not None and state["compiled"]:
            found |= {Path(path) for path in state["inputs"]}
    return found


# --- mypy


def wants_mypy(config: Config) -> bool:
    """Tell whether modules are to be checked.

    Raises:
        GenerateError: they are, and there is no mypy.
    """
    there = importlib.util.find_spec("mypy") is not None
    if config.check_types and not there:
        raise GenerateError(
            "check_types is on, and mypy is not installed beside bpfgen: pip install mypy"
        )
    return there if config.check_types is None else config.check_types


def check_types(config: Config, targets: Sequence[Target], *, colour: bool = False) -> str:
    """Run `mypy --strict` over the modules that it has not seen as they are now.

    Returns:
        what it reports; "" if there is nothing to report.
    """
    wanted = [target for target in targets if not (_state(config, target) or {}).get("checked")]
    wanted = [target for target in wanted if target.module.is_file()]
    reports = []
    for batch in _batches(wanted):
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--pretty"]
        command += ["--no-error-summary", "--cache-dir", str(config.build_dir / "mypy_cache")]
        command += [_short(config, target.module) for target in batch]
        environment = os.environ | ({"MYPY_FORCE_COLOR": "1"} if colour else {})
        done = subprocess.run(
            command, cwd=config.root, env=environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            reports.append(done.stdout + done.stderr)
            continue
        for target in batch:
            state = _state(config, target)
            if state is not None:
                _write_state(config, target, state | {"checked": True})
    return "".join(reports)


def _batches(targets: Sequence[Target]) -> list[list[Target]]:
    """Part targets so that no two modules of one run have the same name, which mypy refuses."""
    batches: list[list[Target]] = []
    for target in targets:
        for batch in batches:
            if target.module.name not in [other.module.name for other in batch]:
                batch.append(target)
                break
        else:
            batches.append([target])
    return batches
