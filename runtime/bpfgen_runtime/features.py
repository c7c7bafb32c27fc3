"""What the running kernel can do, found out by trying; never by its version.

The names are libbpf's (`FEAT_*` without the prefix). A result is kept for the process only when the
kernel's answer was conclusive: what privilege, memory or descriptors were lacking for is tried
again. The loader does things the newest way first and comes here when the kernel refused, so that
on a current kernel no probe runs, but for objects with a `LINUX_HAS_` extern, the tag arg:ctx or a
USDT program.
"""

from __future__ import annotations

import errno as _errno
import os
from ctypes import addressof, c_uint64, create_string_buffer, sizeof
from sys import byteorder

from .errors import NotSupportedError, SyscallError
from .insn import (
    BPF_ADD,
    BPF_ALU64,
    BPF_CALL,
    BPF_DW,
    BPF_EXIT,
    BPF_JMP,
    BPF_MEM,
    BPF_MOV,
    BPF_PSEUDO_CALL,
    BPF_PSEUDO_MAP_VALUE,
    BPF_ST,
    BPF_X,
    LD_IMM64,
    Insn,
    encode,
)
from .sys import bpf
from .uapi import const as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .btf import BtfType
    from .insn import ByteOrder
    from .sys.fd import Fd

    Probe = Callable[[], bool]

__all__ = ["FEATURES", "Feature"]

# enum bpf_func_id
_PROBE_READ_KERNEL = 113
_KTIME_GET_COARSE_NS = 160
_GET_FUNC_IP = 173
_GET_ATTACH_COOKIE = 174

#: What an errno from a probe means when it says nothing of the feature.
_INCONCLUSIVE = frozenset(
    (
        _errno.EPERM,
        _errno.ENOMEM,
        _errno.EMFILE,
        _errno.ENFILE,
        _errno.EAGAIN,
        _errno.EINTR,
        _errno.ENOSYS,
    )
)


class Feature:
    """Something that kernels have or have not.

    Attributes:
        name: libbpf's, e.g. `"PROG_NAME"`.
        description: what it is, for messages.
    """

    __slots__ = ("_probe", "_result", "description", "name")

    def __init__(self, name: str, description: str, probe: Probe) -> None:
        self.name = name
        self.description = description
        self._probe = probe
        self._result: bool | None = None

    def probe(self) -> bool | None:
        """Tell whether the kernel has it; None if that cannot be found out now.

        A conclusive result is kept.
        """
        if self._result is None:
            try:
                self._result = self._probe()
            except NotSupportedError:
                self._result = False
            except SyscallError as error:
                if error.errno not in _INCONCLUSIVE:
                    self._result = False
        return self._result

    def supported(self) -> bool:
        """Tell whether to count on it: yes unless the kernel was seen not to have it.

        Where nothing can be found out, what is then tried fails with the kernel's own reason.
        """
        return self.probe() is not False

    def forget(self) -> None:
        """Probe again next time."""
        self._result = None

    def __repr__(self) -> str:
        return f"<Feature {self.name}: {self._result}>"


# --- building blocks

_NATIVE: ByteOrder = "<" if byteorder == "little" else ">"

_RETURN_0 = (Insn(BPF_ALU64 | BPF_MOV, 0, 0, 0, 0), Insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0))


def _call(helper: int) -> Insn:
    return Insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper)


def _load(prog_type: int, insns: Sequence[Insn], **fields: object) -> Fd:
    return bpf.prog_load(
        prog_type=prog_type,
        insns=encode(insns, _NATIVE),
        license="GPL",
        what="probe a kernel feature",
        **fields,  # type: ignore[arg-type]
    )


def _loads(prog_type: int, insns: Sequence[Insn], **fields: object) -> bool:
    _load(prog_type, insns, **fields).close()
    return True


def _array(value_size: int, map_flags: int = 0) -> Fd:
    return bpf.map_create(
        map_type=k.BPF_MAP_TYPE_ARRAY,
        key_size=4,
        value_size=value_size,
        max_entries=1,
        map_flags=map_flags,
        what="probe a kernel feature",
    )


def _map_value(map_fd: Fd, offset: int) -> Insn:
    return Insn(LD_IMM64, 1, BPF_PSEUDO_MAP_VALUE, 0, map_fd.fileno(), offset)


def _btf(*types: BtfType) -> Fd:
    from .btf.encoder import encode as encode_btf

    return bpf.btf_load(btf=encode_btf(types, byte_order=_NATIVE), what="probe a kernel feature")


def _takes(*types: BtfType) -> bool:
    _btf(*types).close()
    return True


# --- programs and maps


def _prog_name() -> bool:
    return _loads(k.BPF_PROG_TYPE_SOCKET_FILTER, _RETURN_0, prog_name="bpfgen_probe")


def _global_data() -> bool:
    with _array(32) as array:
        store = Insn(BPF_ST | BPF_MEM | BPF_DW, 1, 0, 0, 42)
        return _loads(k.BPF_PROG_TYPE_SOCKET_FILTER, (_map_value(array, 16), store, *_RETURN_0))


def _array_mmap() -> bool:
    _array(4, k.BPF_F_MMAPABLE).close()
    return True


def _percpu_flags() -> bool:
    with bpf.map_create(
        map_type=k.BPF_MAP_TYPE_PERCPU_ARRAY,
        key_size=4,
        value_size=8,
        max_entries=1,
        what="probe a kernel feature",
    ) as array:
        bpf.map_update_elem(
            map_fd=array.fileno(),
            key=bytes(4),
            value=bytes(8),
            flags=k.BPF_F_ALL_CPUS,
            what="probe a kernel feature",
        )
    return True


def _exp_attach_type() -> bool:
    return _loads(
        k.BPF_PROG_TYPE_CGROUP_SOCK,
        _RETURN_0,
        expected_attach_type=k.BPF_CGROUP_INET_SOCK_CREATE,
    )


def _probe_read_kern() -> bool:
    insns = (
        Insn(BPF_ALU64 | BPF_MOV | BPF_X, 1, 10, 0, 0),
        Insn(BPF_ALU64 | BPF_ADD, 1, 0, 0, -8),
        Insn(BPF_ALU64 | BPF_MOV, 2, 0, 0, 8),
        Insn(BPF_ALU64 | BPF_MOV, 3, 0, 0, 0),
        _call(_PROBE_READ_KERNEL),
        *_RETURN_0,
    )
    return _loads(k.BPF_PROG_TYPE_TRACEPOINT, insns)


def _prog_bind_map() -> bool:
    with _array(32) as array, _load(k.BPF_PROG_TYPE_SOCKET_FILTER, _RETURN_0) as program:
        bpf.prog_bind_map(prog_fd=program.fileno(), map_fd=array.fileno())
    return True


def _memcg_account() -> bool:
    # No helper has to do with accounting; this one came with the same release, v5.11.
    return _loads(k.BPF_PROG_TYPE_SOCKET_FILTER, (_call(_KTIME_GET_COARSE_NS), *_RETURN_0))


def _bpf_cookie() -> bool:
    return _loads(k.BPF_PROG_TYPE_TRACEPOINT, (_call(_GET_ATTACH_COOKIE), *_RETURN_0))


def _ldimm64_full_range_off() -> bool:
    log = bytearray(1024)
    with _array(1) as array:
        try:
            _load(
                k.BPF_PROG_TYPE_SOCKET_FILTER,
                (_map_value(array, 1 << 30), *_RETURN_0),
                log_level=1,
                log_buf=log,
            ).close()
        except SyscallError:
            # Either way the offset is beyond the value. A kernel that lacks the feature says so of
            # the offset, before it looks at the map.
            if b"invalid access to map value pointer" in log:
                return True
            if b"direct value offset of" in log:
                return False
            raise
    return True


# --- BTF


def _btf_minimal() -> bool:
    from .btf import BTF_INT_SIGNED, Int

    return _takes(Int("int", 4, BTF_INT_SIGNED))


def _function(linkage: int) -> bool:
    from .btf import BTF_INT_SIGNED, Func, FuncProto, Int, Param

    proto = FuncProto(0, [Param("a", 1)])
    return _takes(Int("int", 4, BTF_INT_SIGNED), proto, Func("x", 2, linkage))


def _btf_func() -> bool:
    return _function(0)


def _btf_global_func() -> bool:
    return _function(1)


def _datasec(name: str) -> bool:
    from .btf import BTF_INT_SIGNED, Datasec, Int, SecVar, Var

    section = Datasec(name, 4, [SecVar(2, 0, 4)])
    return _takes(Int("int", 4, BTF_INT_SIGNED), Var("x", 1, 0), section)


def _btf_datasec() -> bool:
    return _datasec(".data")


def _btf_qmark_datasec() -> bool:
    return _datasec("?.data")


def _btf_empty_datasec() -> bool:
    from .btf import Datasec

    return _takes(Datasec(".rodata", 4))


def _btf_float() -> bool:
    from .btf import Float

    return _takes(Float("float", 4))


def _btf_decl_tag() -> bool:
    from .btf import BTF_INT_SIGNED, DeclTag, Int, Var

    return _takes(Int("int", 4, BTF_INT_SIGNED), Var("x", 1, 0), DeclTag("tag", 2, -1))


def _btf_type_tag() -> bool:
    from .btf import BTF_INT_SIGNED, Int, Ptr, TypeTag

    return _takes(Int("int", 4, BTF_INT_SIGNED), TypeTag("tag", 1), Ptr(2))


def _btf_enum64() -> bool:
    from .btf import Enum64

    return _takes(Enum64("enum64", 8, []))


def _module_btf() -> bool:
    """Try what came along with module BTF: asking for a BTF's name."""
    from .btf import BTF_INT_SIGNED, Int
    from .uapi.attr_more import BtfInfo

    name = create_string_buffer(16)
    with _btf(Int("int", 4, BTF_INT_SIGNED)) as fd:
        info = BtfInfo(name=addressof(name), name_len=sizeof(name))
        bpf.obj_get_info_by_fd(bpf_fd=fd.fileno(), info=info)
    return True


def _arg_ctx_tag() -> bool:
    from .btf import BTF_INT_SIGNED, DeclTag, Func, FuncProto, Int, Param, Ptr

    types = (
        Int("a", 4, BTF_INT_SIGNED),
        Ptr(0),
        FuncProto(1, [Param("a", 2)]),
        Func("a", 3, 1),
        FuncProto(1, [Param("b", 2)]),
        Func("b", 5, 1),
        DeclTag("arg:ctx", 6, 0),
    )
    insns = (
        Insn(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1),
        Insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        _call(_GET_FUNC_IP),  # takes a context only
        Insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    )
    records = (0, 4, 2, 6)  # struct bpf_func_info: insn_off, type_id
    with _btf(*types) as btf:
        return _loads(
            k.BPF_PROG_TYPE_KPROBE,
            insns,
            prog_btf_fd=btf.fileno(),
            func_info_rec_size=8,
            func_info=b"".join(number.to_bytes(4, byteorder) for number in records),
        )


# --- attaching


def _perf_link() -> bool:
    with _load(k.BPF_PROG_TYPE_TRACEPOINT, _RETURN_0) as program:
        # No such descriptor: a kernel that gets so far as to look says EBADF, others EINVAL.
        return _refusal(prog_fd=program.fileno(), attach_type=k.BPF_PERF_EVENT) == _errno.EBADF


def _uprobe_multi_link() -> bool:
    from .uapi.attr import LinkCreateAttrUprobeMulti

    path, offset = create_string_buffer(b"/"), c_uint64()
    target = LinkCreateAttrUprobeMulti(path=addressof(path), offsets=addressof(offset), cnt=1)
    with _load(
        k.BPF_PROG_TYPE_KPROBE, _RETURN_0, expected_attach_type=k.BPF_TRACE_UPROBE_MULTI
    ) as program:
        # A directory is no file to probe: EBADF from a kernel that has these links. The first of
        # those took the pid for a thread's; the ones that do not, refuse pid -1 before the path.
        for pid, expected in ((0, _errno.EBADF), (0xFFFFFFFF, _errno.EINVAL)):
            target.pid = pid
            refusal = _refusal(
                prog_fd=program.fileno(),
                attach_type=k.BPF_TRACE_UPROBE_MULTI,
                uprobe_multi=target,
            )
            if refusal != expected:
                return False
    return True


def _refusal(**fields: object) -> int:
    """Return the errno of an attachment to no target; 0 if it succeeds."""
    try:
        bpf.link_create(target_fd=-1, **fields).close()  # type: ignore[arg-type]
    except SyscallError as error:
        if error.errno in _INCONCLUSIVE:
            raise
        return error.errno or 0
    return 0


def _syscall_wrapper() -> bool:
    """Look for the wrapper of bpf(2) among the kernel's functions.

    libbpf sets a kprobe on it instead, which says no where the kernel has no kprobes.
    """
    prefix = _WRAPPER_PREFIX.get(os.uname().machine)
    if prefix is None:
        return False
    wanted = f"__{prefix}_sys_bpf"
    try:
        with open("/proc/kallsyms", encoding="ascii", errors="replace") as symbols:
            return any(line.split(None, 3)[2] == wanted for line in symbols)
    except OSError as error:
        raise SyscallError(_errno.EPERM, "open", "read /proc/kallsyms") from error


_WRAPPER_PREFIX = {"x86_64": "x64", "aarch64": "arm64", "s390x": "s390x", "riscv64": "riscv"}


def _btf_layout() -> bool:
    import struct

    from .btf import BTF_INT_SIGNED, Int
    from .btf.encoder import encode as encode_btf

    old = encode_btf([Int("int", 4, BTF_INT_SIGNED)], byte_order=_NATIVE)
    magic, version, flags, head, _, type_len, str_off, str_len = struct.unpack_from(
        "=HBBIIIII", old
    )
    # struct btf_layout, one for each kind up to INT: size of info, size of an element, flags
    layout = struct.pack("=BBHBBH", 0, 0, 0, 4, 0, 0)
    header = struct.pack(
        "=HBBIIIIIII",
        magic,
        version,
        flags,
        head + 8,
        0,
        type_len,
        str_off + len(layout),
        str_len,
        type_len,
        len(layout),
    )
    body = old[head : head + type_len] + layout + old[head + str_off :]
    bpf.btf_load(btf=header + body, what="probe a kernel feature").close()
    return True


PROG_NAME = Feature("PROG_NAME", "program names", _prog_name)
GLOBAL_DATA = Feature("GLOBAL_DATA", "global variables", _global_data)
ARRAY_MMAP = Feature("ARRAY_MMAP", "arrays mapped into memory", _array_mmap)
PERCPU_FLAGS = Feature("PERCPU_FLAGS", "access to the value of one CPU", _percpu_flags)
EXP_ATTACH_TYPE = Feature("EXP_ATTACH_TYPE", "expected attach types", _exp_attach_type)
PROBE_READ_KERN = Feature("PROBE_READ_KERN", "bpf_probe_read_kernel()", _probe_read_kern)
PROG_BIND_MAP = Feature("PROG_BIND_MAP", "maps bound to programs", _prog_bind_map)
MEMCG_ACCOUNT = Feature("MEMCG_ACCOUNT", "accounting of memory by cgroup", _memcg_account)
BPF_COOKIE = Feature("BPF_COOKIE", "attach cookies", _bpf_cookie)
LDIMM64_FULL_RANGE_OFF = Feature(
    "LDIMM64_FULL_RANGE_OFF", "large offsets into map values", _ldimm64_full_range_off
)
BTF = Feature("BTF", "BTF", _btf_minimal)
BTF_FUNC = Feature("BTF_FUNC", "BTF of functions", _btf_func)
BTF_GLOBAL_FUNC = Feature("BTF_GLOBAL_FUNC", "BTF of global functions", _btf_global_func)
BTF_DATASEC = Feature("BTF_DATASEC", "BTF of data sections", _btf_datasec)
BTF_QMARK_DATASEC = Feature(
    "BTF_QMARK_DATASEC", "BTF of sections whose name begins with '?'", _btf_qmark_datasec
)
# Not one of libbpf's, which loads such an object without BTF.
BTF_EMPTY_DATASEC = Feature(
    "BTF_EMPTY_DATASEC", "BTF of sections without variables", _btf_empty_datasec
)
BTF_FLOAT = Feature("BTF_FLOAT", "BTF of floating point types", _btf_float)
BTF_DECL_TAG = Feature("BTF_DECL_TAG", "BTF of declaration tags", _btf_decl_tag)
BTF_TYPE_TAG = Feature("BTF_TYPE_TAG", "BTF of type tags", _btf_type_tag)
BTF_ENUM64 = Feature("BTF_ENUM64", "BTF of 64-bit enums", _btf_enum64)
BTF_LAYOUT = Feature("BTF_LAYOUT", "BTF with a layout section", _btf_layout)
MODULE_BTF = Feature("MODULE_BTF", "BTF of kernel modules", _module_btf)
ARG_CTX_TAG = Feature("ARG_CTX_TAG", "the tag arg:ctx", _arg_ctx_tag)
PERF_LINK = Feature("PERF_LINK", "links of perf events", _perf_link)
UPROBE_MULTI_LINK = Feature("UPROBE_MULTI_LINK", "uprobe_multi links", _uprobe_multi_link)
SYSCALL_WRAPPER = Feature("SYSCALL_WRAPPER", "wrappers of system calls", _syscall_wrapper)

#: All of them, by name.
FEATURES: dict[str, Feature] = {
    each.name: each for each in tuple(globals().values()) if isinstance(each, Feature)
}
