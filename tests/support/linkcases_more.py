"""More that links: what is for the loader, sections, places in them, and addresses in data."""

from __future__ import annotations

from tests.support.linksources import GPL, Case, dummy_ops, map_of, run_program

_ENTRIES = "__uint(max_entries, {});"
_INT = "__type(key, int)"
_VALUE = "__type(value, int)"
_LOOK = "int k = 0; int *v = bpf_map_lookup_elem(&m, &k); return v ? *v : 9;"


def _array(before: str, after: str = "", entries: int = 1) -> str:
    return map_of("m", before, after, "BPF_MAP_TYPE_ARRAY", _INT, _VALUE, _ENTRIES.format(entries))


MORE_CASES = [
    Case(
        "struct_ops_link",
        (
            GPL + dummy_ops("first", ".struct_ops.link") + run_program("return 5;"),
            dummy_ops("second", ".struct_ops.link"),
        ),
        5,
        for_libbpf=False,
    ),
    Case(
        "struct_ops_of_both_sorts",
        (
            GPL + dummy_ops("first") + run_program("return 5;"),
            dummy_ops("second", ".struct_ops.link"),
        ),
        5,
        for_libbpf=False,
    ),
    Case(
        "optional_struct_ops",
        (
            GPL + dummy_ops("first", "?.struct_ops") + run_program("return 5;"),
            dummy_ops("second", "?.struct_ops"),
            dummy_ops("third", "?.struct_ops.link"),
        ),
        5,
        for_libbpf=False,
    ),
    Case(
        "static_maps",
        (
            GPL + _array("static") + run_program(_LOOK),
            _array("static", entries=2) + run_program(_LOOK, name="other"),
        ),
        loads=False,
    ),
    Case(
        "static_map_and_global",
        (
            GPL + _array("static") + run_program(_LOOK),
            _array("", entries=2) + run_program(_LOOK, name="other"),
        ),
        loads=False,
    ),
    Case(
        "weak_map_and_extern",
        (
            GPL + _array("extern") + run_program(_LOOK),
            _array("", "__weak") + run_program(_LOOK, name="other"),
        ),
        0,
    ),
    Case(
        "kernel_functions",
        (
            GPL
            + "extern int bpf_not_there(int x) __ksym __weak;\n"
            + run_program("return bpf_not_there ? bpf_not_there(1) : 4;"),
            "extern int bpf_not_there_either(int x) __ksym __weak;\n"
            + run_program("return bpf_not_there_either ? 1 : 5;", name="other"),
        ),
        4,
    ),
    Case(
        "type_tags",
        (
            GPL
            + '#define tag __attribute__((btf_type_tag("user")))\n'
            + "struct t { int tag *a; };\nstruct t tag *x;\n"
            + run_program("return x ? 1 : 6;"),
            "struct t;\nextern struct t *x;\nint f(struct t *p) { return p == x; }",
        ),
        6,
    ),
    Case(
        "percpu_section",
        (
            GPL + 'int a SEC(".percpu") = 1;\n' + run_program("return 3;"),
            'long pad SEC(".percpu") = 1; int b SEC(".percpu") = 2;',
        ),
        3,
    ),
    Case(
        "arena_section",
        (
            GPL
            + "struct { __uint(type, 33); __uint(map_flags, 1024); __uint(max_entries, 2); } arena"
            ' SEC(".maps");\nint a SEC(".addr_space.1") = 1;\n' + run_program("return 3;"),
            'long pad SEC(".addr_space.1") = 1; int b SEC(".addr_space.1") = 2;',
        ),
        3,
        for_libbpf=False,
    ),
    Case(
        "aligned_first",
        (
            GPL
            + 'int a SEC(".data.x") __attribute__((aligned(64))) = 1; extern int b;\n'
            + run_program("return a * 10 + b;"),
            'int b SEC(".data.x") = 2;',
            'char c SEC(".data.x") = 3; int d SEC(".data.x") = 4;',
        ),
        12,
    ),
    Case(
        "addresses_in_data",
        (
            GPL
            + "int pad[3] = {1}; int x = 1; extern int y;\n"
            + 'int *q SEC(".data.at") = &x; void *r SEC(".data.at") = &pad[2];\n'
            + 'int *e SEC(".data.at") = &y;\n'
            + run_program("return x;"),
            'int y = 1; int *z SEC(".data.at") = &y; extern int x; int *w SEC(".data.at") = &x;',
        ),
        1,
    ),
    Case(
        "addresses_of_functions",
        (
            GPL
            + "extern int f(int); void *p = (void *)f; int g(int x) { return x; }\n"
            + run_program("return f(1);"),
            "extern int g(int); int f(int x) { return g(x) + 1; } void *q = (void *)g;",
        ),
        2,
    ),
    Case(
        "bound_by_section",
        (
            GPL + 'int a SEC(".bss.mine"); extern int b;\n' + run_program("return a + b;"),
            'char pad SEC(".bss.mine"); int b SEC(".bss.mine");',
        ),
        0,
    ),
    Case(
        "prototype_behind_a_pointer",
        (
            GPL
            + "struct s { int a; }; extern struct s (*p)(struct s x);\n"
            + run_program("return p ? 1 : 4;"),
            "struct s { long a; }; struct s (*p)(struct s x);",
        ),
        4,
    ),
]
