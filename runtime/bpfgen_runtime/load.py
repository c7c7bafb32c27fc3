"""The steps of a load that make one kernel object each: BTF, a map with its contents, a program."""

from __future__ import annotations

from errno import ENOSPC, EPERM
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap

from .errors import SyscallError
from .sys import bpf
from .uapi import start as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .linked import LinkedProgram
    from .spec import MapSpec, ObjectSpec, ProgramSpec
    from .sys.fd import Fd

__all__ = ["create_map", "fill_data", "load_btf", "load_program", "map_data", "settled"]

# Room for the verifier's log: enough for most refusals at first, then what every kernel takes
# (UINT_MAX >> 8, before v5.13 the limit). No steps between: each costs a verification, which for a
# program of too many instructions is a second, and memory that is not written to costs nothing.
_LOG_LEAST = 128  # what kernels before v6.4 take
_LOG_SIZE = 1 << 16
_LOG_LIMIT = (1 << 24) - 1

# Their creation refuses types of key and value, which libbpf leaves out too.
_NO_BTF = frozenset(
    (
        k.BPF_MAP_TYPE_PERF_EVENT_ARRAY,
        k.BPF_MAP_TYPE_CGROUP_ARRAY,
        k.BPF_MAP_TYPE_STACK_TRACE,
        k.BPF_MAP_TYPE_ARRAY_OF_MAPS,
        k.BPF_MAP_TYPE_HASH_OF_MAPS,
        k.BPF_MAP_TYPE_DEVMAP,
        k.BPF_MAP_TYPE_DEVMAP_HASH,
        k.BPF_MAP_TYPE_CPUMAP,
        k.BPF_MAP_TYPE_XSKMAP,
        k.BPF_MAP_TYPE_SOCKMAP,
        k.BPF_MAP_TYPE_SOCKHASH,
        k.BPF_MAP_TYPE_QUEUE,
        k.BPF_MAP_TYPE_STACK,
        k.BPF_MAP_TYPE_ARENA,
    )
)


# --- BTF


def load_btf(spec: ObjectSpec) -> Fd | None:
    """Load an object's BTF; None if it has none, or the kernel refuses it.

    As with libbpf that is no failure: the object loads, but without names and lines in the kernel's
    dumps, and the programs that need types are refused in their turn. The kernel's reason is given
    as a warning.
    """
    data = spec.btf_bytes()
    if data is None:
        return None
    what = f"load BTF of object {spec.name!r}"
    try:
        return bpf.btf_load(btf=data, what=what)
    except SyscallError as error:
        if error.errno == EPERM:
            return None  # the maps will tell
        import warnings

        from .errors import VerifierError
        from .sanitize import btf_for_kernel

        assert spec.btf is not None, "it has bytes"
        older = btf_for_kernel(spec.btf)
        if older is not None:
            data = older.to_bytes()

        log = bytearray(_LOG_LIMIT)
        try:
            return bpf.btf_load(btf=data, btf_log_level=1, btf_log_buf=log, what=what)
        except SyscallError as again:
            reason = VerifierError(again.errno or 0, again.command, what, _text(log))
        warnings.warn(f"{reason}\nGoing on without BTF", RuntimeWarning, stacklevel=4)
        return None


# --- maps


def settled(spec: MapSpec) -> MapSpec:
    """Return the definition that the kernel gets: the spec, or a copy with another `max_entries`.

    As libbpf does, this rounds a ring buffer up to what the kernel takes, and gives an array of
    perf events that names no size one element per CPU.
    """
    max_entries = spec.max_entries
    if spec.map_type in (k.BPF_MAP_TYPE_RINGBUF, k.BPF_MAP_TYPE_USER_RINGBUF):
        max_entries = ring_size(max_entries)
    elif spec.map_type == k.BPF_MAP_TYPE_PERF_EVENT_ARRAY and max_entries == 0:
        from .host.cpus import possible_cpus

        max_entries = len(possible_cpus())
    if max_entries == spec.max_entries:
        return spec
    changed = spec.copy()
    changed.max_entries = max_entries
    return changed


def create_map(spec: MapSpec, btf: Fd | None, **more: Any) -> Fd:
    """Create a map as its spec says.

    Args:
        more: further fields of `BPF_MAP_CREATE`, e.g. `inner_map_fd`.

    Raises:
        SyscallError: the kernel refused; names the map.
    """
    btf_fd = key_type = value_type = 0
    map_flags = spec.map_flags
    if btf is not None and spec.map_type not in _NO_BTF:
        btf_fd, key_type, value_type = btf.fileno(), spec.key_type_id, spec.value_type_id
    while True:
        try:
            return bpf.map_create(
                map_type=spec.map_type,
                key_size=spec.key_size,
                value_size=spec.value_size,
                max_entries=spec.max_entries,
                map_flags=map_flags,
                numa_node=spec.numa_node,
                map_name=spec.kernel_name,
                btf_fd=btf_fd,
                btf_key_type_id=key_type,
                btf_value_type_id=value_type,
                map_extra=spec.map_extra,
                what=f"create map {spec.name!r}",
                **more,
            )
        except SyscallError:
            # Some map types refuse types, which ones depends on the kernel: libbpf tries again,
            # too.
            if key_type or value_type:
                btf_fd = key_type = value_type = 0
                continue
            if not spec.is_data:
                raise
            from .sanitize import data_flags_for_kernel

            older = data_flags_for_kernel(spec.name, map_flags)
            if older == map_flags:
                raise
            map_flags = older


def ring_size(wanted: int) -> int:
    """Round a ring buffer's size up to what the kernel takes: a page times a power of two."""
    if wanted == 0 or (wanted % PAGESIZE == 0 and wanted & (wanted - 1) == 0):
        return wanted  # 0 is for the kernel to refuse
    size = PAGESIZE
    while size <= wanted:
        size <<= 1
    return size if size < 1 << 32 else wanted


def fill_data(spec: MapSpec, fd: Fd) -> mmap | None:
    """Write a data section's contents; freeze it if they are constants; map it if it can be.

    Freezing comes before the programs so that the verifier knows the values and prunes with them.

    Returns:
        `value_size` bytes shared with the kernel, read-only for constants; None if the section has
        no variable that is visible outside of its file.
    """
    assert spec.contents is not None, "only data sections have contents"
    if len(spec.contents) != spec.value_size:
        raise ValueError(
            f"contents of {spec.name!r} have {len(spec.contents)} bytes, its value_size is"
            f" {spec.value_size}"
        )
    bpf.map_update_elem(
        map_fd=fd.fileno(),
        key=bytes(4),
        value=spec.contents,
        what=f"write initial contents of {spec.name!r}",
    )
    if spec.is_constant:
        bpf.map_freeze(fd.fileno(), what=f"freeze {spec.name!r}")
    return map_data(spec, fd)


def map_data(spec: MapSpec, fd: Fd) -> mmap | None:
    """Map a data section that has its contents into memory; see `fill_data`."""
    if not spec.map_flags & k.BPF_F_MMAPABLE:
        return None
    protection = PROT_READ if spec.is_constant else PROT_READ | PROT_WRITE
    try:
        return mmap(fd.fileno(), spec.value_size, MAP_SHARED, protection)
    except OSError as error:
        from .sanitize import data_flags_for_kernel

        if not data_flags_for_kernel(spec.name, spec.map_flags) & k.BPF_F_MMAPABLE:
            return None  # nor was it made so
        raise SyscallError(error.errno or 0, "mmap", f"map {spec.name!r} into memory") from error


# --- programs


def load_program(
    linked: LinkedProgram,
    code: bytes,
    spec: ObjectSpec,
    btf: Fd | None,
    target: tuple[int, int, int],
    log_level: int,
    fd_array: Sequence[int] = (),
) -> tuple[Fd, str]:
    """Load a program; when the kernel refuses, do it again for the verifier's log.

    A USDT program is loaded for links that other kernels lack, where there are such: `linked.spec`
    is then a copy that says so.

    Args:
        target: of `attach_target`.
        log_level: `BPF_LOG_LEVEL*` bits for a log even of success, 0 for none.
        fd_array: of `ResolvedExterns`.

    Returns:
        The program, and the log ("" without a log level).

    Raises:
        VerifierError: the kernel refused and wrote why.
        SyscallError: the kernel refused without a word.
    """
    program = linked.spec
    prog_flags = program.prog_flags
    if program.sec_flags:
        from .sections import SLEEPABLE, USDT, XDP_FRAGS

        if program.sec_flags & USDT:
            program = linked.spec = _for_usdt(program)
        if program.sec_flags & SLEEPABLE:
            prog_flags |= k.BPF_F_SLEEPABLE
        if program.sec_flags & XDP_FRAGS and program.prog_type == k.BPF_PROG_TYPE_XDP:
            prog_flags |= k.BPF_F_XDP_HAS_FRAGS
    license = spec.license.encode("utf-8", "surrogateescape")
    what = f"load program {program.name!r} of object {spec.name!r}"

    def load(level: int, log: bytearray | None) -> Fd:
        return bpf.prog_load(
            prog_type=program.prog_type,
            insns=code,
            license=license,
            log_level=level,
            log_buf=log,
            kern_version=spec.kern_version,
            prog_flags=prog_flags,
            prog_name=program.name,
            expected_attach_type=program.expected_attach_type,
            prog_btf_fd=0 if btf is None else btf.fileno(),
            func_info_rec_size=linked.func_info_size,
            func_info=linked.func_info if btf is not None else b"",
            line_info_rec_size=linked.line_info_size,
            line_info=linked.line_info if btf is not None else b"",
            attach_btf_id=target[0],
            attach_btf_obj_fd=target[1],
            attach_prog_fd=target[2],
            fd_array=fd_array,
            what=what,
        )

    refusal: SyscallError | None = None
    if log_level == 0:
        # A log costs the verifier time, and is of use only when it refuses.
        try:
            return load(0, None), ""
        except SyscallError as error:
            refusal = error
    size = min(max(program.log_size or _LOG_SIZE, _LOG_LEAST), _LOG_LIMIT)
    while True:
        log = bytearray(size)
        try:
            return load(log_level or 1, log), _text(log)
        except SyscallError as error:
            if error.errno != ENOSPC:
                from .sanitize import code_for_kernel

                older = code_for_kernel(code)
                if older is not None:
                    code, refusal = older, None
                    continue
                refusal = refusal or error
                break
            if size >= _LOG_LIMIT:
                break
        size = _LOG_LIMIT
    text = _text(log)
    if refusal is None:
        # The log does not fit, which hid how the program did; since v6.4 its end is there.
        try:
            return load(0, None), text
        except SyscallError as error:
            refusal = error
    if not text.strip():
        raise refusal
    from .relocate import poisoned_map, unresolved

    hint = unresolved(linked, text) or refusal.hint
    missing = poisoned_map(text, list(spec.maps))
    if missing is not None:
        hint = f"The program uses map {missing!r}, which was not created: its autocreate is False"
    if linked.extern_uses:
        from .externs import missing_kfunc

        kfunc = missing_kfunc(text, list(spec.externs))
        if kfunc is not None:
            hint = f"The program calls {kfunc!r}, a weak extern of .ksyms that the kernel lacks"
    from .errors import VerifierError
    from .verifier import source_lines

    raise VerifierError(
        refusal.errno or 0,
        refusal.command,
        what,
        text,
        hint,
        program=program.name,
        lines=source_lines(linked.line_info, linked.line_info_size, spec.btf),
    ) from refusal


def _for_usdt(program: ProgramSpec) -> ProgramSpec:
    """Return a USDT program as it attaches here: by one uprobe_multi link, or by uprobes.

    It has to be known at load, because helpers (bpf_get_attach_cookie) differ. Whatever attach type
    was set, libbpf does so from 1.3 on; 1.2 and older know uprobes only.
    """
    from .features import UPROBE_MULTI_LINK
    from .uapi.const import BPF_TRACE_UPROBE_MULTI

    if UPROBE_MULTI_LINK.probe() is not True:
        return program
    program = program.copy()
    program.expected_attach_type = BPF_TRACE_UPROBE_MULTI
    return program


def _text(log: bytearray) -> str:
    return log.partition(b"\0")[0].decode("utf-8", "replace")
