"""See what a test has left behind: in this process, in the kernel, in the file systems.

The kernel's tables (links, programs, maps) and directories (pins, network namespaces, cgroups) are
the whole machine's, and other programs may work while the tests run. So what is new since the start
counts as a leak only when nobody else is seen to own it: no other process holds a descriptor of
it, no link or program held by another process refers to it, and its name does not carry the id of
another living process (`unique_name` makes names that do).

The kernel is asked directly, not through the runtime under test.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import struct
import time
from collections.abc import Iterator

from tests.support.requirements import REQUIREMENTS, cgroup2_root

#: Everything that tests and examples make under a name begins with this.
PREFIX = "bpfgen-"

#: The kernel frees programs and cgroups some time after the last reference has gone.
PATIENCE = 2.0  # seconds

NETNS_DIR = "/run/netns"
BPFFS_DIR = "/sys/fs/bpf"

_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_NEXT_ID = {"program": 11, "map": 12, "link": 31}  # BPF_{PROG,MAP,LINK}_GET_NEXT_ID
_GET_FD_BY_ID = {"program": 13, "map": 14, "link": 30}
_OBJ_GET_INFO_BY_FD = 15

_libc = ctypes.CDLL(None, use_errno=True)
_counter = itertools.count(1)

Snapshot = dict[str, dict[str, str]]  # kind -> identity -> description


def unique_name(what: str) -> str:
    """Make a name for something that outlives a crash of this process: `bpfgen-WHAT-PID-N`."""
    return f"{PREFIX}{what}-{os.getpid()}-{next(_counter)}"


def snapshot() -> Snapshot:
    """Take stock of all that a test could leave behind, cheaply (about a millisecond)."""
    found: Snapshot = {
        "descriptor": _descriptors(),
        "child process": dict.fromkeys(_children(), ""),
        "network namespace": _named(NETNS_DIR),
        "pin": _pins(),
        "cgroup": _cgroups(),
    }
    if REQUIREMENTS["bpf"].is_there():
        for kind in _NEXT_ID:
            found[kind] = {str(number): "" for number in _ids(kind)}
    return found


def leaks_since(before: Snapshot, patience: float = PATIENCE) -> list[str]:
    """List what is there now, was not there before, and belongs to nobody else.

    Waits up to `patience` seconds for what the kernel frees asynchronously.
    """
    deadline = time.monotonic() + patience
    is_collected = False
    while True:
        new = _difference(snapshot(), before)
        if new and not is_collected:
            # Only now, as it takes far longer than looking: what is garbage may hold it.
            gc.collect()
            is_collected = True
            continue
        if new:
            _drop_foreign(new)
        if not any(new.values()):
            return []
        # Descriptors close at once or not at all.
        if time.monotonic() > deadline or not any(
            new[kind] for kind in new.keys() - {"descriptor"}
        ):
            return [
                f"{kind} {identity} {text}".rstrip()
                for kind, members in new.items()
                for identity, text in members.items()
            ]
        time.sleep(0.02)


def _difference(now: Snapshot, before: Snapshot) -> Snapshot:
    new: Snapshot = {}
    for kind, members in now.items():
        old = before.get(kind, {})
        # The same number with another target is a new descriptor.
        fresh = {name: text for name, text in members.items() if old.get(name) != text}
        if fresh:
            new[kind] = fresh
    return new


def _descriptors() -> dict[str, str]:
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found


def _children(pid: str = "self") -> list[str]:
    children: list[str] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        for task in tasks:
            with open(f"/proc/{pid}/task/{task}/children") as file:
                children += file.read().split()
    except (FileNotFoundError, ProcessLookupError):
        pass  # a thread or process that ended meanwhile has no children left
    return children


def _named(directory: str) -> dict[str, str]:
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return {}
    return {f"{directory}/{name}": "" for name in names if name.startswith(PREFIX)}


def _pins() -> dict[str, str]:
    return {
        os.path.join(directory, name): ""
        for directory, folders, files in os.walk(BPFFS_DIR)
        for name in (*folders, *files)
    }


def _cgroups() -> dict[str, str]:
    if not REQUIREMENTS["cgroup2"].is_there():
        return {}
    return _named(cgroup2_root())


# --- what others own


def _drop_foreign(new: Snapshot) -> None:
    """Remove what some other process is seen to own, in place."""
    ours = _own_processes()
    for kind in ("network namespace", "pin", "cgroup"):
        members = new.get(kind, {})
        for path in [path for path in members if _names_other_process(path, ours)]:
            del members[path]
    if any(new.get(kind) for kind in _NEXT_ID):
        foreign = _foreign_ids(ours)
        for kind in _NEXT_ID:
            members = new.get(kind, {})
            for identity in [name for name in members if name in foreign[kind]]:
                del members[identity]


def _own_processes() -> set[str]:
    own = {str(os.getpid())}
    queue = list(own)
    while queue:
        fresh = set(_children(queue.pop())) - own
        own |= fresh
        queue += fresh
    return own


def _names_other_process(path: str, ours: set[str]) -> bool:
    numbers = {part for name in path.split("/") for part in name.split("-") if part.isdigit()}
    return any(
        number not in ours and len(number) > 2 and os.path.exists(f"/proc/{number}")
        for number in numbers
    )


def _foreign_ids(ours: set[str]) -> dict[str, set[str]]:
    """Find the links, programs and maps that other processes hold, directly or not."""
    found: dict[str, set[str]] = {kind: set() for kind in _NEXT_ID}
    fields = {b"prog_id:": "program", b"map_id:": "map", b"link_id:": "link"}
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or pid in ours:
            continue
        for text in _fdinfos(pid):
            for line in text.splitlines():
                kind = fields.get(line.partition(b"\t")[0])
                if kind is not None:
                    found[kind].add(line.split()[1].decode())
    for number in list(found["link"]):
        # struct bpf_link_info: type, id, prog_id
        info = _info("link", int(number), bytearray(256))
        if info is not None:
            found["program"].add(str(struct.unpack_from("=I", info, 8)[0]))
    for number in list(found["program"]):
        found["map"] |= {str(n) for n in _maps_of_program(int(number))}
    return found


def _fdinfos(pid: str) -> Iterator[bytes]:
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return
    for number in numbers:
        try:
            if not os.readlink(f"/proc/{pid}/fd/{number}").startswith("anon_inode:bpf"):
                continue
            with open(f"/proc/{pid}/fdinfo/{number}", "rb") as file:
                yield file.read()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # closed meanwhile


def _maps_of_program(number: int) -> list[int]:
    ids = (ctypes.c_uint32 * 64)()
    request = bytearray(256)
    # struct bpf_prog_info: nr_map_ids at 52, map_ids (a pointer) at 56
    struct.pack_into("=IQ", request, 52, len(ids), ctypes.addressof(ids))
    info = _info("program", number, request)
    if info is None:
        return []
    (count,) = struct.unpack_from("=I", info, 52)
    return list(ids[: min(count, len(ids))])


# --- bpf(2), just enough


def _bpf(command: int, attr: bytearray) -> int:
    buffer = (ctypes.c_char * len(attr)).from_buffer(attr)
    number = _BPF_SYSCALL[os.uname().machine]
    result: int = _libc.syscall(number, command, buffer, len(attr))
    return result


def _ids(kind: str) -> Iterator[int]:
    attr = bytearray(12)  # start_id, next_id, open_flags
    while _bpf(_NEXT_ID[kind], attr) == 0:
        (next_id,) = struct.unpack_from("=I", attr, 4)
        yield next_id
        struct.pack_into("=II", attr, 0, next_id, 0)


def _info(kind: str, number: int, info: bytearray) -> bytearray | None:
    fd = _bpf(_GET_FD_BY_ID[kind], bytearray(struct.pack("=III", number, 0, 0)))
    if fd < 0:
        return None  # gone meanwhile
    try:
        address = ctypes.addressof((ctypes.c_char * len(info)).from_buffer(info))
        attr = bytearray(struct.pack("=IIQ", fd, len(info), address))
        return info if _bpf(_OBJ_GET_INFO_BY_FD, attr) == 0 else None
    finally:
        os.close(fd)
