"""One case of the oracle's corpus, and the list of what the corpus is to cover."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.clang import ROOT, compile_bpf


class Set(NamedTuple):
    """Something set before load: `bpf_map__set_X` or `bpf_program__set_X`, and our attribute."""

    what: str  # "map" or "program"
    name: str  # ours: `.data.table` for a section
    attribute: str  # libbpf's word, which is also ours but for those of `OURS`
    value: int | str  # a function for `attach_target`


#: Our names of what libbpf's setters call otherwise.
OURS = {"flags": "prog_flags", "type": "type"}


class Target(NamedTuple):
    """What `set_attach_target` is given: a program of another object of tests/bpf."""

    program: str
    object: str
    other: str
    function: str


class Case(NamedTuple):
    """One object and how it is to be loaded.

    Attributes:
        name: of the case; and of the object, unless `source` names another.
        covers: keys of `BULLETS`.
        fails: "" if it loads; "open", "load" (refused before the kernel is asked for anything that
            it refuses) or "kernel".
        message: part of our error's text, where it fails; a pattern. What libbpf says of it is
            refusals.py's.
        needs: names of `tests.support.kernels.GATES`. Where one is missing, both may fail, but
            alike.
        libbpf: the release that can this. Before it, what the kernel has is held against `facts`.
        facts: by `"program NAME"` and `"map NAME"`: parts of what the kernel has and of what it
            was asked (`program_view`, `map_view`, `Watch`), types of the kernel as name and place;
            None for what is not to be made.
        module: a module of the kernel that the object needs; loaded where it is one.
        core: with CO-RE records for fields that older kernels may not have: there it may end
            either way, but alike.
        differences: keys of tests/oracle/differences.py: what is not to be compared here, why.
        warns: part of the warning that our load gives.
    """

    name: str
    covers: tuple[str, ...]
    fails: str = ""
    message: str = ""
    needs: tuple[str, ...] = ()
    libbpf: tuple[int, int] = (1, 0)
    facts: Mapping[str, Mapping[str, Any] | None] = {}
    source: str = ""
    settings: tuple[Set, ...] = ()
    target: Target | None = None
    reused: Mapping[str, Mapping[str, Any]] = {}
    kconfig: str | None = None
    custom_btf: Callable[[], bytes] | None = None
    pinned: Mapping[str, Any] | None = None
    insns: tuple[str, bytes] | None = None
    flags: tuple[str, ...] = ()
    makes: Callable[[Path, Path], Path] | None = None
    module: str = ""
    core: bool = False
    differences: tuple[str, ...] = ()
    warns: str = ""

    def path(self, directory: Path) -> Path:
        """Give the object: compiled, or an example's."""
        name = self.source or self.name
        if name.startswith("examples/"):
            short = name.removeprefix("examples/")
            return ROOT / "examples" / short / f"{short}.bpf.o"
        path = compile_bpf(name, *self.flags)
        return path if self.makes is None else self.makes(path, directory / path.name)


#: What the issue's Parts 1 to 5 list, by a short name each. What no object can show by itself has
#: tests of its own: setters of struct_ops members and the like (tests/live), probes, memlock and
#: EAGAIN (tests/unit/test_features.py, test_sys.py), logs (tests/unit/test_verifier_log.py).
BULLETS = {
    # Part 1
    "field byte offset": "field byte offset",
    "field byte size": "byte size",
    "field exists": "exists",
    "field signed": "signed",
    "field shifts": "lshift and rshift u64",
    "local type id": "local type id",
    "target type id": "target type id",
    "type exists": "type exists",
    "type matches": "type matches",
    "type size": "type size",
    "enumerator exists": "enumerator exists",
    "enumerator value": "enumerator value",
    "64-bit enumerators": "64-bit too",
    "flavors": "candidate search by essential name (___flavor suffixes)",
    "compatibility": "full type compatibility rules",
    "bitfields": "bitfields",
    "arrays": "arrays and flexible arrays",
    "anonymous members": "anonymous members",
    "ambiguity": "ambiguity detection",
    "poison": "poisoning of unsatisfied relocations",
    "patched LDX": "patching of LDX",
    "patched ST": "patching of ST and STX",
    "patched ALU": "patching of ALU",
    "patched LDIMM64": "patching of LDIMM64",
    "sizes of loads": "the size fix-ups that libbpf does (memory-size changes, signed loads)",
    "foreign BTF": "BTF of other pointer size or endianness handled or refused",
    "btf_custom_path": "btf_custom_path",
    "module BTF": "module BTF",
    # Part 2
    "kconfig values": "bool, tristate, char, ints, strings",
    "LINUX_ values": "LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE, LINUX_HAS_SYSCALL_WRAPPER",
    "kconfig of the kernel": "/proc/config.gz and /boot/config-*",
    "kconfig text": "the user's own kconfig text overriding",
    "typed ksyms": ".ksyms typed variables",
    "kfuncs": "kfuncs (vmlinux)",
    "module kfuncs": "kfuncs of modules, fd_array",
    "typeless ksyms": "typeless __ksym through kallsyms",
    "weak externs": "weak externs zero",
    # Part 3
    "subprograms": "static and global subprograms across sections, __noinline",
    "callbacks": "function pointers and callbacks (bpf_loop, bpf_for_each_map_elem)",
    "timers": "callbacks of bpf_timer",
    "exception callbacks": "exception callbacks (decl tag)",
    "tail calls": "tail-call maps initialised in the map definition",
    "freplace": "attach_prog_fd/set_attach_target for freplace",
    "programs traced": "set_attach_target for fentry on BPF programs",
    "tp_btf": "attach_btf_id of tp_btf",
    "fentry": "attach_btf_id of fentry/fexit",
    "fmod_ret": "attach_btf_id of fmod_ret",
    "lsm": "attach_btf_id of lsm",
    "iter": "attach_btf_id of iter",
    "struct_ops programs": "attach_btf_id of struct_ops",
    "module targets": "attach_btf_id in modules",
    "missing targets": "attach targets that are not there",
    "setters": "bpf_program__set_* setters before load",
    "autoload": "autoload off pruning",
    "log level": "per-program log level and log buffer",
    "flags": "sleepable and other flags",
    "set_insns": "insns and set_insns",
    # Part 4
    "map attributes": "type, key, value, key_size, value_size, max_entries, map_flags",
    "numa_node": "numa_node",
    "map_extra": "map_extra",
    "maps in maps": "values for map-in-map, declared inner maps",
    "pinning": "pin by name",
    "pin reuse": "with reuse",
    "pin compatibility": "and compatibility check",
    "reuse_fd": "reuse_fd",
    "autocreate": "autocreate off with the poisoned-map message",
    "ring sizes": "ringbuf size rounding",
    "CPU defaults": "perf-event-array and per-CPU defaults of max_entries",
    "struct_ops": "struct_ops maps (.struct_ops)",
    "struct_ops links": ".struct_ops.link",
    "struct_ops matching": "kernel-type matching by name, optional/zeroed new fields",
    "struct_ops functions": "function members from programs, data members",
    "arenas": "arena maps with globals in them",
    "initial values": "initial values of maps",
    "resized globals": "resized globals (set_value_size)",
    # Part 5
    "newer BTF": "BTF sanitising for older kernels",
    "newer helpers": "bpf_probe_read_{kernel,user}[_str] fallback",
    "global data": "global data, on kernels that lack mmapable maps, too",
    "arg:ctx": "the tag arg:ctx on kernels that lack it",
    "verifier": "what the verifier refuses",
}
