"""The tag arg:ctx on kernels that do not know it: functions get the type that the tag stands for.

A global function that says `void *ctx __arg_ctx` can be called by programs of several types. Where
the verifier does not read the tag it goes by the argument's type, a pointer to the context struct
of the program's type. So each program's function records are led to a copy of the function with
that type.

Kernel: the tag since v6.8; pointers to contexts as arguments of global functions since v5.6.
"""

from __future__ import annotations

from struct import pack_into, unpack_from

from .uapi import const as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .btf import Btf, BtfType
    from .linked import LinkedProgram
    from .spec import ObjectSpec

__all__ = ["for_kernel", "rewrite"]

TAG = "arg:ctx"

#: What the verifier calls a program type's context. A typedef's name stands for a struct, too: the
#: verifier compares names.
_CONTEXTS = {
    k.BPF_PROG_TYPE_CGROUP_DEVICE: "bpf_cgroup_dev_ctx",
    k.BPF_PROG_TYPE_CGROUP_SKB: "__sk_buff",
    k.BPF_PROG_TYPE_CGROUP_SOCK: "bpf_sock",
    k.BPF_PROG_TYPE_CGROUP_SOCK_ADDR: "bpf_sock_addr",
    k.BPF_PROG_TYPE_CGROUP_SOCKOPT: "bpf_sockopt",
    k.BPF_PROG_TYPE_CGROUP_SYSCTL: "bpf_sysctl",
    k.BPF_PROG_TYPE_FLOW_DISSECTOR: "__sk_buff",
    k.BPF_PROG_TYPE_KPROBE: "bpf_user_pt_regs_t",
    k.BPF_PROG_TYPE_LWT_IN: "__sk_buff",
    k.BPF_PROG_TYPE_LWT_OUT: "__sk_buff",
    k.BPF_PROG_TYPE_LWT_SEG6LOCAL: "__sk_buff",
    k.BPF_PROG_TYPE_LWT_XMIT: "__sk_buff",
    k.BPF_PROG_TYPE_NETFILTER: "bpf_nf_ctx",
    k.BPF_PROG_TYPE_PERF_EVENT: "bpf_perf_event_data",
    k.BPF_PROG_TYPE_RAW_TRACEPOINT: "bpf_raw_tracepoint_args",
    k.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE: "bpf_raw_tracepoint_args",
    k.BPF_PROG_TYPE_SCHED_ACT: "__sk_buff",
    k.BPF_PROG_TYPE_SCHED_CLS: "__sk_buff",
    k.BPF_PROG_TYPE_SK_LOOKUP: "bpf_sk_lookup",
    k.BPF_PROG_TYPE_SK_MSG: "sk_msg_md",
    k.BPF_PROG_TYPE_SK_REUSEPORT: "sk_reuseport_md",
    k.BPF_PROG_TYPE_SK_SKB: "__sk_buff",
    k.BPF_PROG_TYPE_SOCK_OPS: "bpf_sock_ops",
    k.BPF_PROG_TYPE_SOCKET_FILTER: "__sk_buff",
    k.BPF_PROG_TYPE_XDP: "xdp_md",
}

_PT_REGS = frozenset((k.BPF_PROG_TYPE_KPROBE, k.BPF_PROG_TYPE_PERF_EVENT))
_RAW_TRACEPOINTS = frozenset(
    (k.BPF_PROG_TYPE_RAW_TRACEPOINT, k.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE)
)


def for_kernel(spec: ObjectSpec, linked: Iterable[LinkedProgram]) -> ObjectSpec:
    """Return a spec with more types, its linked programs led to them, if the kernel needs that."""
    from .features import ARG_CTX_TAG

    if spec.btf is None or ARG_CTX_TAG.supported():
        return spec
    btf = rewrite(spec.btf, linked)
    if btf is spec.btf:
        return spec
    changed: ObjectSpec = spec._clone()
    changed.btf = btf
    return changed


def rewrite(btf: Btf, linked: Iterable[LinkedProgram]) -> Btf:
    """Give tagged arguments of global functions the type of the context that they stand for.

    Args:
        btf: the object's.
        linked: the programs; `func_info` is changed where a function has such arguments.

    Returns:
        The BTF with copies of those functions behind its types; itself if there are none.
    """
    copies = _Copies(btf)
    for program in linked:
        context = _CONTEXTS.get(program.spec.prog_type)
        if context is None or not program.func_info_size:
            continue
        order = btf.byte_order
        records = bytearray(program.func_info)
        for at in range(4, len(records), program.func_info_size):
            (function,) = unpack_from(f"{order}I", records, at)
            copy = copies.function(function, program.spec.prog_type, context)
            pack_into(f"{order}I", records, at, copy)
        program.func_info = bytes(records)
    return btf.extend(copies.types) if copies.types else btf


class _Copies:
    """Types to be added to an object's."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self.types: list[BtfType] = []
        self._pointers: dict[str, int] = {}
        self._functions: dict[tuple[int, int], int] = {}

    def function(self, function: int, prog_type: int, context: str) -> int:
        """Return the function that a program of this type calls: a copy, or itself."""
        key = function, prog_type
        if key not in self._functions:
            self._functions[key] = self._copied(function, prog_type, context)
        return self._functions[key]

    def _copied(self, number: int, prog_type: int, context: str) -> int:
        from .btf import BTF_FUNC_GLOBAL, Func, FuncProto, Param

        function = self._btf.type(number)
        if not isinstance(function, Func) or function.linkage != BTF_FUNC_GLOBAL:
            return number  # the verifier looks into static functions from where they are called
        proto = self._btf.type(function.type)
        assert isinstance(proto, FuncProto), "BTF is checked when it is read"
        params = [
            (
                Param(param.name, self._pointer(context))
                if TAG in self._btf.decl_tags(number, index)
                and self._stands_for_context(param.type, prog_type, context)
                else param
            )
            for index, param in enumerate(proto.params)
        ]
        if params == list(proto.params):
            return number
        prototype = self._add(FuncProto(proto.type, params))
        return self._add(Func(function.name, prototype, function.linkage))

    def _stands_for_context(self, number: int, prog_type: int, context: str) -> bool:
        """Tell whether a type is one that libbpf, too, puts the context in place of."""
        from .btf import Int, Ptr, Struct, Typedef

        btf = self._btf
        pointer = btf.type(_without_modifiers(btf, number))
        if not isinstance(pointer, Ptr):
            return False
        target = _without_modifiers(btf, pointer.type)
        if target == 0:
            return True  # void *
        if btf.name(target) == context and isinstance(btf.type(target), (Struct, Typedef)):
            return False  # what the verifier wants
        resolved = btf.type(btf.resolve(target))
        if prog_type in _PT_REGS:
            return isinstance(resolved, Struct) and resolved.name == "pt_regs"
        return prog_type in _RAW_TRACEPOINTS and isinstance(resolved, Int) and resolved.size == 8

    def _pointer(self, context: str) -> int:
        from .btf import Ptr, Struct

        if context not in self._pointers:
            self._pointers[context] = self._add(Ptr(self._add(Struct(context, 0, []))))
        return self._pointers[context]

    def _add(self, new: BtfType) -> int:
        self.types.append(new)
        return len(self._btf) + len(self.types) - 1


def _without_modifiers(btf: Btf, number: int) -> int:
    """Skip const, volatile, restrict and type tags, but no typedef, which may be the context's."""
    from .btf import Const, Restrict, Typedef, TypeTag, Volatile

    while isinstance(found := btf.type(number), (Const, Volatile, Restrict, TypeTag)):
        number = found.type
    if isinstance(found, Typedef) and found.name not in _CONTEXTS.values():
        return _without_modifiers(btf, found.type)
    return number
