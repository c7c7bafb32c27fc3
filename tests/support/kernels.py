"""What kernels can do from which release on, and tests that need it: gates that work both ways.

`@pytest.mark.kernel("perf link")` names a feature of `GATES`, with the release that brought it.

Where the feature has a probe, that decides whether the test runs; but where the version says that
it must be there, a probe that finds it missing fails the test: a broken probe, or a feature lost,
would otherwise pass for an old kernel. A machine may refuse what its kernel has (no kprobes
configured, BPF trampolines forbidden): that skips too, though not in the virtual machines of
`make test-kernels`, where all is as Debian builds it.

Where it has none, the test itself is the probe: on older kernels it must fail.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from bpfgen_runtime import features
from bpfgen_runtime.btf import BTF_KIND_FUNC, BTF_KIND_VAR
from bpfgen_runtime.btf.kernel import kernel_btf
from bpfgen_runtime.errors import SyscallError
from bpfgen_runtime.host.kconfig import kernel_config
from bpfgen_runtime.insn import BPF_ALU64, BPF_EXIT, BPF_JMP, BPF_MOV, Insn, encode
from bpfgen_runtime.sys import bpf
from bpfgen_runtime.uapi import const as k

#: Set by tools/test_kernels.py in its virtual machines.
IN_MATRIX = os.environ.get("BPFGEN_MATRIX") == "true"


def many(count: int) -> int:
    """Give a number of elements that stands for many; fewer where instructions are translated."""
    return max(count // 10, 1) if IN_MATRIX else count


Version = tuple[int, int]
#: True: it works. False: the kernel lacks it. None: it cannot be seen, or this machine refuses it.
Probe = Callable[[], bool | None]


class Gate(NamedTuple):
    """A feature of kernels."""

    since: Version
    probe: Probe | None = None


def running() -> Version:
    """Give the first two numbers of the running kernel's version."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(c for c in minor if c.isdigit()))


def verdict(gate: Gate, version: Version, *, strict: bool) -> tuple[str, str]:
    """Decide what is to become of a test: `"run"`, `"skip"` or `"fail"`, and why.

    Args:
        version: the kernel's.
        strict: the machine refuses nothing that its kernel has.
    """
    since = "{}.{}".format(*gate.since)
    works = True if gate.probe is None else gate.probe()
    if works:
        return "run", ""
    if version < gate.since:
        return "skip", f"not in Linux before {since}"
    if works is None and not strict:
        return "skip", f"in Linux since {since}, but this machine refuses it"
    return "fail", f"in Linux since {since}, but the probe does not find it here"


def require_kernel(name: str) -> None:
    """Skip or fail the calling test unless the kernel has a feature of `GATES`."""
    decision, why = _decided(name)
    if decision == "skip":
        pytest.skip(f"needs {name}: {why}")
    if decision == "fail":
        pytest.fail(f"needs {name}: {why}", pytrace=False)


def expected_failure(name: str) -> str | None:
    """Say why a test that needs a feature without a probe must fail here; None if it must not."""
    gate = GATES[name]
    if gate.probe is not None or running() >= gate.since:
        return None
    return "needs {}: not in Linux before {}.{}".format(name, *gate.since)


def has(name: str) -> bool:
    """Tell whether the kernel has a feature of `GATES`, for tests that do without it."""
    gate = GATES[name]
    return running() >= gate.since if gate.probe is None else bool(gate.probe())


@functools.cache
def _decided(name: str) -> tuple[str, str]:
    return verdict(GATES[name], running(), strict=IN_MATRIX)


# --- probes

_RETURN_0 = encode(
    (Insn(BPF_ALU64 | BPF_MOV, 0, 0, 0, 0), Insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)), "<"
)


@contextlib.contextmanager
def _tracing_program(prog_type: int, attach_type: int, function: str) -> Iterator[int]:
    targets = kernel_btf().find(function, BTF_KIND_FUNC)
    with bpf.prog_load(
        prog_type=prog_type,
        insns=_RETURN_0,
        license="GPL",
        expected_attach_type=attach_type,
        attach_btf_id=targets[0],
        what="probe a kernel feature",
    ) as program:
        yield program.fileno()


def _attaches(prog_type: int, attach_type: int, function: str) -> bool | None:
    try:
        with _tracing_program(prog_type, attach_type, function) as program:
            bpf.raw_tracepoint_open(prog_fd=program).close()
    except SyscallError:
        return None  # also a matter of configuration and of boot parameters
    return True


def _fentry() -> bool | None:
    return _attaches(k.BPF_PROG_TYPE_TRACING, k.BPF_TRACE_FENTRY, "security_task_getpgid")


def _lsm() -> bool | None:
    return _attaches(k.BPF_PROG_TYPE_LSM, k.BPF_LSM_MAC, "bpf_lsm_task_getpgid")


def _bpf_among_lsms() -> bool | None:
    # Where BPF is not among the security modules, inodes have no room for storage, and kernels may
    # write to it all the same: that must not be tried. Debian has it since 5.17 or so.
    active = Path("/sys/kernel/security/lsm")
    if active.exists():
        names = active.read_text()
    else:
        text = f"{kernel_config()[0]}\n{Path('/proc/cmdline').read_text()}"
        # The last of the parameters wins, and any of them over the configuration.
        found = re.findall(r'(?:^CONFIG_LSM="|\blsm=)([^\s"]*)', text, re.MULTILINE)
        names = found[-1] if found else ""
    return "bpf" in names.strip().split(",") or None


def _kprobe() -> bool | None:
    return Path("/sys/bus/event_source/devices/kprobe").exists() or None


def _variable_types() -> bool:
    return bool(kernel_btf().find("bpf_prog_active", BTF_KIND_VAR))


def _variables() -> bool | None:
    # Kernels without CONFIG_KALLSYMS_ALL know no variable by its name.
    has_names = b" bpf_prog_active\n" in Path("/proc/kallsyms").read_bytes()
    return (has_names and _variable_types()) or None


def _map_type(map_type: int, value_size: int = 0, max_entries: int = 1, flags: int = 0) -> Probe:
    def probe() -> bool:
        try:
            bpf.map_create(
                map_type=map_type,
                key_size=0,
                value_size=value_size,
                max_entries=max_entries,
                map_flags=flags,
                what="probe a kernel feature",
            ).close()
        except SyscallError:
            return False
        return True

    return probe


def _trie_flags() -> bool:
    with bpf.map_create(
        map_type=k.BPF_MAP_TYPE_LPM_TRIE,
        key_size=8,
        value_size=4,
        max_entries=1,
        map_flags=k.BPF_F_NO_PREALLOC,
    ) as fd:
        try:
            bpf.map_update_elem(map_fd=fd.fileno(), key=bytes(8), value=bytes(4), flags=k.BPF_EXIST)
        except SyscallError:
            return True
    return False


#: The release whose kernel each probe of `features` first says yes to, mainline's on x86-64; all of
#: them. A table in docs/kernels.md is made of it.
PROBES: dict[str, Version] = {
    "PROG_NAME": (4, 15),
    "EXP_ATTACH_TYPE": (4, 17),
    "SYSCALL_WRAPPER": (4, 17),
    "BTF": (4, 18),
    "BTF_FUNC": (5, 0),
    "GLOBAL_DATA": (5, 2),
    "BTF_DATASEC": (5, 2),
    "ARRAY_MMAP": (5, 5),
    "PROBE_READ_KERN": (5, 5),
    "BTF_GLOBAL_FUNC": (5, 6),
    "PROG_BIND_MAP": (5, 10),
    "MODULE_BTF": (5, 11),
    "MEMCG_ACCOUNT": (5, 11),
    "BTF_EMPTY_DATASEC": (5, 12),
    "BTF_FLOAT": (5, 13),
    "PERF_LINK": (5, 15),
    "BPF_COOKIE": (5, 15),
    "BTF_DECL_TAG": (5, 16),
    "BTF_TYPE_TAG": (5, 17),
    "BTF_ENUM64": (6, 0),
    "ARG_CTX_TAG": (6, 8),
    "BTF_QMARK_DATASEC": (6, 9),
    "UPROBE_MULTI_LINK": (6, 10),  # since 6.6 with pids that were those of threads
    "PERCPU_FLAGS": (7, 0),
    "LDIMM64_FULL_RANGE_OFF": (7, 0),
    "BTF_LAYOUT": (7, 1),
}

#: From here to the release above either is right: stable releases took a repair from later ones.
_UNCERTAIN: dict[str, Version] = {"UPROBE_MULTI_LINK": (6, 6)}


def right_answers(name: str, version: Version) -> set[bool]:
    """Give what a probe of `features` may say in a kernel of that version."""
    since = PROBES[name]
    if version >= since:
        return {True}
    return {True, False} if version >= _UNCERTAIN.get(name, since) else {False}


def _probed(name: str) -> Gate:
    return Gate(PROBES[name], features.FEATURES[name].probe)


#: By the name that tests use. A table in docs/kernels.md is made of it.
GATES = {
    "ring buffer": Gate((5, 8), _map_type(k.BPF_MAP_TYPE_RINGBUF, max_entries=4096)),
    "fentry": Gate((5, 5), _fentry),
    "LSM programs": Gate((5, 7), _lsm),
    "kprobe": Gate((4, 17), _kprobe),
    "perf link": _probed("PERF_LINK"),
    "attach cookie": _probed("BPF_COOKIE"),
    "user ring buffer": Gate((6, 1), _map_type(k.BPF_MAP_TYPE_USER_RINGBUF, max_entries=4096)),
    "bloom filter": Gate((5, 16), _map_type(k.BPF_MAP_TYPE_BLOOM_FILTER, value_size=4)),
    "arena": Gate((6, 9), _map_type(k.BPF_MAP_TYPE_ARENA, flags=k.BPF_F_MMAPABLE)),
    "locks in maps of maps": Gate((6, 2)),
    "storage of inodes": Gate((6, 1), _bpf_among_lsms),
    "task storage": Gate((5, 11)),
    "task storage in iterators": Gate((5, 12)),
    "pidfds of threads": Gate((6, 9)),
    "local storage of cgroups": Gate((6, 2)),
    "module BTF": _probed("MODULE_BTF"),
    "BTF of floating point types": _probed("BTF_FLOAT"),
    "BTF of declaration tags": _probed("BTF_DECL_TAG"),
    "BTF of type tags": _probed("BTF_TYPE_TAG"),
    "BTF of 64-bit enums": _probed("BTF_ENUM64"),
    "BTF of sections named ?…": _probed("BTF_QMARK_DATASEC"),
    "accounting by memory cgroup": _probed("MEMCG_ACCOUNT"),
    "attach_btf_id in the info of programs": Gate((6, 0)),
    "info of perf links": Gate((6, 6)),
    "uprobe_multi link": _probed("UPROBE_MULTI_LINK"),
    "look-up and deletion in hashes": Gate((5, 14)),
    "XDP test runs with a context": Gate((5, 15)),
    "programs with fd_array_cnt": Gate((6, 14)),
    "program streams": Gate((6, 17)),
    "pins below a directory's descriptor": Gate((6, 5)),
    "attach flags of each program of a cgroup": Gate((6, 0)),
    "cookies of raw tracepoints": Gate((6, 10)),
    "syscall programs": Gate((5, 14)),
    "types of the kernel's variables": Gate((5, 11), _variable_types),
    "variables of the kernel": Gate((5, 11), _variables),
    "kfuncs in syscall programs": Gate((6, 10)),
    "bpf_throw": Gate((6, 7)),
    "conntrack kfuncs": Gate((5, 18)),
    "bpf_loop": Gate((5, 17)),
    "bpf_timer": Gate((5, 15)),
    "XDP with fragments": Gate((5, 18)),
    "iterators that may sleep": Gate((5, 18)),
    "target ids in tracing link info": Gate((5, 13)),
    "struct_ops links": Gate((6, 4)),
    "bpf_dummy_ops": Gate((5, 16)),
    "arrays mapped into memory": _probed("ARRAY_MMAP"),
    "AF_XDP sockets in maps once they are bound": Gate((7, 2)),
    "access to the value of one CPU": _probed("PERCPU_FLAGS"),
    "flags of updates of tries": Gate((6, 13), _trie_flags),  # stable releases have it, too
    "the tag arg:ctx": _probed("ARG_CTX_TAG"),
    # Before, only where errors may be injected (CONFIG_FUNCTION_ERROR_INJECTION): not on Debian.
    "fentry that may sleep of the functions for tests": Gate((6, 3)),
}


# --- the tables in docs/kernels.md

#: Those that `make test-kernels` runs by default.
MATRIX: tuple[Version, ...] = ((5, 10), (6, 1), (6, 12), (7, 2))
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "kernels.md"


def table(head: str, releases: Mapping[str, Version]) -> str:
    """Write what came with which release as a table in Markdown, by release."""
    versions = ["{}.{}".format(*version) for version in MATRIX]
    lines = [f"| {head} | since | {' | '.join(versions)} |", "| --- |" + " --- |" * 5]
    for name, since in sorted(releases.items(), key=lambda item: (item[1], item[0])):
        cells = ["yes" if version >= since else "" for version in MATRIX]
        lines.append("| {} | {}.{} | {} |".format(name, *since, " | ".join(cells)))
    return "\n".join(lines) + "\n"


def with_tables(text: str) -> str:
    """Put the tables of now into a document that has them."""
    gates = table("feature", {name: gate.since for name, gate in GATES.items()})
    for name, now in (("table", gates), ("probes", table("probe", PROBES))):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{now}{end}{after}"
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
