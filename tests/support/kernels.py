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
from collections.abc import Callable, Iterator
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


#: By the name that tests use. The table in docs/kernels.md is made of it.
GATES = {
    "ring buffer": Gate((5, 8), _map_type(k.BPF_MAP_TYPE_RINGBUF, max_entries=4096)),
    "fentry": Gate((5, 5), _fentry),
    "LSM programs": Gate((5, 7), _lsm),
    # Before, only with CONFIG_FUNCTION_ERROR_INJECTION, which Debian's kernels lack.
    "fmod_ret of the functions for tests": Gate((6, 3)),
    "kprobe": Gate((4, 17), _kprobe),
    "perf link": Gate((5, 15), features.PERF_LINK.probe),
    "attach cookie": Gate((5, 15), features.BPF_COOKIE.probe),
    "user ring buffer": Gate((6, 1), _map_type(k.BPF_MAP_TYPE_USER_RINGBUF, max_entries=4096)),
    "bloom filter": Gate((5, 16), _map_type(k.BPF_MAP_TYPE_BLOOM_FILTER, value_size=4)),
    "arena": Gate((6, 9), _map_type(k.BPF_MAP_TYPE_ARENA, flags=k.BPF_F_MMAPABLE)),
    "locks in maps of maps": Gate((6, 2)),
    "storage of inodes": Gate((6, 1), _bpf_among_lsms),
    "task storage": Gate((5, 11)),
    "task storage in iterators": Gate((5, 12)),
    "pidfds of threads": Gate((6, 9)),
    "local storage of cgroups": Gate((6, 2)),
    "module BTF": Gate((5, 11), features.MODULE_BTF.probe),
    "BTF of floating point types": Gate((5, 13), features.BTF_FLOAT.probe),
    "BTF of declaration tags": Gate((5, 16), features.BTF_DECL_TAG.probe),
    "BTF of type tags": Gate((5, 17), features.BTF_TYPE_TAG.probe),
    "BTF of 64-bit enums": Gate((6, 0), features.BTF_ENUM64.probe),
    "BTF of sections named ?…": Gate((6, 8), features.BTF_QMARK_DATASEC.probe),
    "accounting by memory cgroup": Gate((5, 11), features.MEMCG_ACCOUNT.probe),
    "attach_btf_id in the info of programs": Gate((6, 0)),
    "info of perf links": Gate((6, 6)),
    "uprobe_multi link": Gate((6, 6), features.UPROBE_MULTI_LINK.probe),
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
    "arrays mapped into memory": Gate((5, 5), features.ARRAY_MMAP.probe),
    "access to the value of one CPU": Gate((7, 0), features.PERCPU_FLAGS.probe),
    "flags of updates of tries": Gate((6, 13), _trie_flags),  # stable releases have it, too
    "the tag arg:ctx": Gate((6, 8), features.ARG_CTX_TAG.probe),
}


# --- the table in docs/kernels.md

#: Those that `make test-kernels` runs by default.
MATRIX: tuple[Version, ...] = ((5, 10), (6, 1), (6, 12), (7, 2))
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "kernels.md"
_BEGIN, _END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def table() -> str:
    """Write `GATES` as a table in Markdown, by release."""
    versions = ["{}.{}".format(*version) for version in MATRIX]
    lines = [f"| feature | since | {' | '.join(versions)} |", "| --- |" + " --- |" * 5]
    for name, gate in sorted(GATES.items(), key=lambda item: (item[1].since, item[0])):
        cells = ["yes" if version >= gate.since else "" for version in MATRIX]
        lines.append("| {} | {}.{} | {} |".format(name, *gate.since, " | ".join(cells)))
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """Put the table of now into a document that has one."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table()}{_END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
