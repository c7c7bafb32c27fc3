"""Where we differ from libbpf on purpose: the table in docs/differences.md is made of this.

    python -m tests.oracle.differences

A difference that the oracle meets and that no entry names fails (test_oracle.py); an entry whose
tests do not exist fails, too (test_differences.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Difference(NamedTuple):
    """One row.

    Attributes:
        key: how cases of the corpus name it.
        libbpf, ours, why: sentences without a full stop.
        tests: `FILE::TEST`, with a case of the corpus in brackets, below tests/.
    """

    key: str
    libbpf: str
    ours: str
    why: str
    tests: tuple[str, ...]


DIFFERENCES = (
    Difference(
        "no errno",
        "what it finds out before it asks the kernel is -EINVAL, -ESRCH, -ENOENT or one of its own"
        " numbers, with the reason on stderr",
        "a `FormatError`, `RelocationError` or `NotSupportedError` that names symbol, section and"
        " way out, and has no errno; errors that the kernel returned have the same errno",
        "a number says less than a type, and no system call has failed",
        ("oracle/test_oracle.py::test_load[ext_no_setting]",),
    ),
    Difference(
        "byte order",
        "an object of the other byte order is refused at open",
        "it opens, and is refused at load",
        "the generator makes skeletons for other machines",
        ("oracle/test_oracle.py::test_load[object of the other byte order]",),
    ),
    Difference(
        "LINUX_HAS_SYSCALL_WRAPPER",
        "0 on a kernel without kprobes: it tries to set one on the wrapper",
        "1 wherever /proc/kallsyms has the wrapper",
        "programs use the value to find a system call's arguments, which are behind the wrapper"
        " whether or not there are kprobes",
        ("oracle/test_oracle.py::test_load[ext_linux]",),
    ),
    Difference(
        "Debian's versions",
        "before 1.2 LINUX_KERNEL_VERSION is that of uname(2)'s release, on Debian 5.10.0 for ever",
        "the version that Debian built the kernel from, as in newer libbpf; 255 stands for more",
        "programs ask for the version to know what the kernel can do",
        (
            "oracle/test_oracle.py::test_load[ext_linux]",
            "unit/test_externs_kconfig.py::test_version_code",
        ),
    ),
    Difference(
        "kern_version",
        "programs of an object without a section `version` are given the running kernel's version",
        "0",
        "kernels since 5.0 ignore it, and finding it out costs every start; what an object says"
        " is passed on by both",
        ("oracle/test_oracle.py::test_load[load_version]",),
    ),
    Difference(
        "hidden addresses",
        "a typeless ksym is 0 where kptr_restrict hides addresses",
        "the load fails, unless the symbol is weak",
        "0 is not where the symbol is",
        (
            "unit/test_externs_addresses.py::test_no_address",
            "unit/test_externs_addresses.py::test_weak_symbol_without_address",
        ),
    ),
    Difference(
        "set_insns",
        "function and line records, and relocations, of a program stay in force at whatever"
        " instructions bpf_program__set_insns() puts there",
        "instructions of another length are loaded as they are, without records of the old ones",
        "the records would name lines that the instructions do not come from",
        (
            "oracle/test_oracle.py::test_load[other instructions]",
            "live/test_program_options.py::test_other_instructions",
        ),
    ),
    Difference(
        "unreached functions",
        "CO-RE records of all functions in .text are applied, so that a bad one fails the load",
        "those of functions that no loaded program reaches are not",
        "what is not loaded cannot be wrong for this kernel",
        ("unit/test_core_relocate.py::test_functions_that_no_program_reaches",),
    ),
    Difference(
        "bounded comparison",
        "pairs of types are compared again each time they are met",
        "each pair is compared once, to the same result",
        "a hostile BTF file cannot take exponential time",
        ("unit/test_core_match.py::test_wide_types_take_no_exponential_time",),
    ),
    Difference(
        "empty sections",
        "BTF with a DATASEC of no variables, which older kernels (5.10) refuse, is left out whole",
        "only that DATASEC is changed",
        "clang writes one for the strings of bpf_printk(), and all names and lines would be lost",
        (
            "unit/test_btf_sanitize.py::test_kind_becomes",
            "oracle/test_oracle.py::test_load[values_ring]",
        ),
    ),
    Difference(
        "objects without programs",
        "before 1.5 the only function of an object is an entry program even in .text, of no type,"
        " and the load fails",
        "functions of .text are subprograms, and an object of nothing else loads without programs",
        "newer libbpf does so, too",
        (
            "oracle/test_oracle.py::test_load[load_library]",
            "live/test_object.py::test_object_without_programs",
        ),
    ),
    Difference(
        "two of a name",
        "two maps, or two entry programs, of one name are both loaded, and the first is found",
        "an `ElfError` that names them",
        "a skeleton has one attribute for a name",
        (
            "unit/test_loader_maps.py::test_two_maps_of_one_name",
            "unit/test_loader_programs.py::test_two_programs_of_one_name",
        ),
    ),
    Difference(
        "names of sections",
        "the map of .bss is called by object and section, `object.bss`, cut to 15 bytes",
        "in `spec.maps` and `Object.maps` it is `.bss`; the kernel has libbpf's name",
        "the object's name is no part of the program",
        ("oracle/test_oracle.py::test_open_finds_the_same[load_globals]",),
    ),
    Difference(
        "sizes of rings",
        "the size of a ring buffer is rounded up at open",
        "at load; the spec keeps what the source says",
        "open does not ask the machine for its page size, and is the same everywhere",
        ("oracle/test_oracle.py::test_open_finds_the_same[maps_ring_sizes]",),
    ),
    Difference(
        "inner perf arrays",
        "before 1.4 an inner BPF_MAP_TYPE_PERF_EVENT_ARRAY without max_entries has none, and the"
        " kernel refuses it",
        "it has one element per CPU, as one that is no inner map",
        "newer libbpf does so, too",
        (
            "oracle/test_oracle.py::test_load[maps_inner_perf]",
            "live/test_load_maps.py::test_inner_perf_arrays",
        ),
    ),
    Difference(
        "struct_ops addresses",
        "before 1.5 an address in a struct_ops member that is a pointer, but no function, is lost",
        "the load fails, and names the member",
        "newer libbpf does so, too",
        ("oracle/test_oracle.py::test_load[maps_ops_address]",),
    ),
    Difference(
        "struct_ops at open",
        "before 1.4 a struct_ops map has no type of its value, and its programs have the index of"
        " the object's member for their attach type, until load",
        "the map has the type; the attach type is 0 until load finds the kernel's member",
        "newer libbpf does so, too; after load the kernel has the same",
        ("oracle/test_oracle.py::test_open_finds_the_same[maps_ops]",),
    ),
    Difference(
        "order of maps",
        "a map of maps is filled with maps that stand before it in the object, or the load fails",
        "maps that others hold are created first, whatever their order",
        "the order of declarations means nothing in C",
        ("live/test_load_maps.py::test_inner_map_declared_later",),
    ),
    Difference(
        "initial values",
        "a slot whose map is not created, or whose program is not loaded, fails when it is filled",
        "an error before anything is made",
        "nothing is to be undone then",
        (
            "live/test_load_maps.py::test_inner_map_left_out",
            "live/test_load_maps.py::test_program_of_a_slot_that_is_not_loaded",
        ),
    ),
    Difference(
        "pins of a failed load",
        "pins that a failed load made are removed, the directory made for them stays",
        "the directory is removed, too, if nothing else is in it",
        "a failed load leaves nothing behind",
        ("live/test_load_maps.py::test_failed_load_leaves_no_pin",),
    ),
    Difference(
        "pin of no map",
        "a program pinned where a map is wanted counts as a map with other parameters",
        "the error says that it is no map",
        "the remedy is another",
        ("live/test_load_maps.py::test_pin_of_no_map",),
    ),
    Difference(
        "reuse",
        "bpf_map__reuse_fd() duplicates the descriptor at once",
        "`MapSpec.reuse` keeps it, load duplicates it",
        "a spec owns no descriptors and can be loaded again",
        ("live/test_load_maps.py::test_reuse_of_a_map",),
    ),
    Difference(
        "members of struct_ops",
        "a skeleton has the struct, with pointers to programs in it, to be written",
        "`struct_ops.functions` holds names of programs, `struct_ops` its data members",
        "Python has no pointers to programs that are not loaded",
        ("live/test_struct_ops.py::test_data_members_and_functions",),
    ),
    Difference(
        "closing struct_ops",
        "a .struct_ops map that is attached stays registered when the object is closed",
        "closing the map detaches it",
        "what a program made ends with it unless it is pinned",
        ("live/test_struct_ops.py::test_map_that_is_closed_while_attached",),
    ),
    Difference(
        "arena globals",
        "__arena variables are in the arena's first pages before libbpf 1.7",
        "in its last pages where the verifier takes the offset, on every kernel",
        "newer libbpf does so, too: page 0 stays free, and NULL stays NULL",
        ("live/test_load_maps.py::test_arena",),
    ),
    Difference(
        "failed load",
        "after a failed load an object can only be closed",
        "the spec is as before and can be changed and loaded again",
        "a load only reads it",
        ("live/test_skeleton.py::test_failed_load_keeps_the_open_skeleton",),
    ),
    Difference(
        "pinned tracepoints",
        "bpf_link__destroy() of a pinned tracepoint link disables its perf event first",
        "it does not",
        "the kernel runs a bound program at a disabled event all the same, so it is no difference"
        " in the kernel",
        ("live/test_link_tracepoint.py::test_pin_outlives_the_link_and_unpin_ends_it",),
    ),
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "differences.md"

_HEAD = """\
# Differences from libbpf

What libbpf loads, this loads, and the kernel has the same afterwards; what it refuses, this
refuses. The objects of tests/oracle/corpus.py go through both on every run of the tests, here and
in the virtual machines of [kernels.md](kernels.md). What differs all the same is meant to, and is
in this table with the test that shows it; a difference that the oracle meets and that is not here
fails.

(Made by `python -m tests.oracle.differences`.)

"""


def document() -> str:
    """Write the page."""
    lines = ["| | libbpf | here | why | shown by |", "| --- | --- | --- | --- | --- |"]
    for each in DIFFERENCES:
        tests = "; ".join(f"`{test}`" for test in each.tests)
        cells = (each.key, each.libbpf, each.ours, each.why, tests)
        lines.append("| " + " | ".join(cells) + " |")
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
