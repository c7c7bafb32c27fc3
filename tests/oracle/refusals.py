"""How libbpf refuses what the corpus has of refusals: that it is for the reason that we give, too.

What we say stands with the case (`Case.message`); what libbpf says and returns stands here, by the
case's name. A test holds that each failing case is here.
"""

from __future__ import annotations

from errno import E2BIG, EACCES, EINVAL, ENOENT, ENOTSUP, ESRCH
from typing import NamedTuple

from tests.support.verifier import EXPECTED, OTHERWISE


class Refusal(NamedTuple):
    """A failure of libbpf's.

    Attributes:
        errno: what it returns, without the minus. Where the kernel refuses, it is the kernel's.
        says: matches its warnings, which hold the verifier's log.
    """

    errno: int
    says: str


#: Of libbpf's own errors, which count from 4000.
_ENDIAN, _RELOC = 4003, 4005

_POISON = r"failed to resolve CO-RE relocation <"
_NO_TYPE = r"failed to find kernel BTF type ID of "

REFUSALS: dict[str, Refusal] = {
    # CO-RE
    "core_poison_enum": Refusal(
        EINVAL, _POISON + r"enumval_value> \[\d+\] enum pid_type::PIDTYPE_NONE"
    ),
    "core_poison_field": Refusal(
        EINVAL, _POISON + r"byte_off> \[\d+\] struct signal_struct\.no_such_field"
    ),
    "core_poison_subprog": Refusal(
        EINVAL, _POISON + r"byte_off> \[\d+\] struct task_struct\.no_such_field"
    ),
    "core_poison_type": Refusal(
        EINVAL, _POISON + r"byte_off> \[\d+\] struct no_such_struct\.field"
    ),
    "core_resize_signed": Refusal(EINVAL, r"insn #1 \(LDX/ST/STX\) accesses field incorrectly"),
    "core_made_up": Refusal(EINVAL, _POISON + r"byte_off> \[\d+\] struct outer\.first"),
    "custom BTF with two such structs": Refusal(EINVAL, r"field offset ambiguity: 3712 != 3648"),
    "custom BTF that is cut off": Refusal(EINVAL, r"failed to parse target BTF: -22"),
    "custom BTF of a bitfield across words": Refusal(
        E2BIG, r"relo 0 at insn #70 can't be satisfied for bitfield"
    ),
    "object of the other byte order": Refusal(_ENDIAN, r"elf: endianness mismatch"),
    # externs
    "kconfig text that is wrong": Refusal(
        EINVAL, r"'CONFIG_HZ': value 'fast' isn't a valid integer"
    ),
    "ext_weak_called": Refusal(
        EINVAL, r"kfunc 'bpf_no_such_kfunc' is referenced but wasn't resolved"
    ),
    "ext_no_kfunc": Refusal(
        EINVAL, r"\(func ksym\) 'bpf_no_such_kfunc': not found in kernel or module BTFs"
    ),
    "ext_no_linux": Refusal(EINVAL, r"'LINUX_FROM_THE_FUTURE': unrecognized virtual extern"),
    "ext_no_setting": Refusal(ESRCH, r"extern 'CONFIG_NO_SUCH_SETTING' \(strong\): not resolved"),
    "ext_no_symbol": Refusal(ESRCH, r"extern 'no_such_symbol' \(strong\): not resolved"),
    "ext_no_variable": Refusal(EINVAL, r"\(var ksym\) 'no_such_variable': not found in kernel"),
    "ext_wrong_kfunc": Refusal(
        EINVAL, r"'bpf_rcu_read_lock': (func_proto \[\d+\] incompatible with|not found)"
    ),
    "ext_wrong_setting": Refusal(EINVAL, r"'CONFIG_HZ': value '\d+' implies integer type"),
    "ext_wrong_variable": Refusal(EINVAL, r"'bpf_prog_active': incompatible types, expected"),
    # programs
    "attach_no_function": Refusal(ESRCH, _NO_TYPE + "'bpfgen_no_such_function': -3"),
    "attach_no_hook": Refusal(ESRCH, _NO_TYPE + "'bpfgen_no_such_hook': -3"),
    "attach_no_iter": Refusal(ESRCH, _NO_TYPE + "'bpfgen_no_such_thing': -3"),
    "attach_no_tracepoint": Refusal(ESRCH, _NO_TYPE + "'bpfgen_no_such_event': -3"),
    "freplace without a target": Refusal(EINVAL, r"'new_answer': attach program FD is not set"),
    "target that is not there": Refusal(ENOENT, r"no_such_function is not found in prog's BTF"),
    "flags that no kernel has": Refusal(EINVAL, r"prog 'pass_all': BPF program load failed: Inv"),
    "load_refused": Refusal(EACCES, r"invalid access to packet, off=0 size=1"),
    "btf_kinds": Refusal(EINVAL, r"Caller passes invalid args into func#1"),
    # maps
    "maps_inner_bare": Refusal(EINVAL, r"map 'bare': failed to create: Invalid argument\(-22\)"),
    "maps_node": Refusal(EINVAL, r"map 'table': failed to create: Invalid arg"),
    "maps_wrong_key": Refusal(EINVAL, r"hash-of-maps 'outer' should have key size 4"),
    "maps_wrong_slot": Refusal(ESRCH, r"\.maps relo #0: '' isn't a valid program reference"),
    "pin of another map": Refusal(EINVAL, r"bpfgen_pinned': parameter mismatch"),
    "a map of another's and a pin of the object's": Refusal(
        EINVAL, r"bpfgen_pinned': parameter mismatch"
    ),
    "a map that is not made": Refusal(EINVAL, r"BPF map 'table' is referenced but wasn't created"),
    "maps_ops_wrong": Refusal(EINVAL, r"control: prog classifier is not struct_ops BPF program"),
    "maps_ops_unknown": Refusal(
        ENOENT, r"struct_ops init_kern: struct bpfgen_made_up_ops is not found in kernel BTF"
    ),
    "maps_ops_address": Refusal(ENOTSUP, r"control: member owner is not a struct_ops program"),
    "maps_arena_none": Refusal(_RELOC, r"bad arena data relocation .* no arena maps defined"),
}

#: Errors of the verifier's that are not EACCES.
_INVALID = (
    *("core", "early_return", "helper", "infinite", "kfunc", "lock", "map_type", "return"),
    *("stack_read", "unreachable", "unreleased"),
)

#: What libbpf puts in place of the verifier's complaint.
_REWRITTEN = {
    "core": _POISON + r"byte_off> \[\d+\] struct task_struct\.bpfgen_no_such_field",
    "kfunc": r"kfunc '\w+' is referenced but wasn't resolved",
}


def _bad(name: str) -> Refusal:
    errno = E2BIG if name == "recursion" else EINVAL if name in _INVALID else EACCES
    every = (EXPECTED[name], *OTHERWISE.get(name, ()))
    says = "|".join(refusal.complaint.pattern for refusal in every)
    return Refusal(errno, _REWRITTEN.get(name, says))


# Two are too slow for the corpus.
REFUSALS.update(
    {f"bad_{name}": _bad(name) for name in EXPECTED if name not in ("insn_limit", "jumps")}
)
