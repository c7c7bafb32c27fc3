"""What the static linker refuses: files that do not fit, and a word of the message."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

from tests.support.linkcases import CASES
from tests.support.linksources import (
    GPL,
    HASH,
    LOOKUP,
    PUT,
    Case,
    map_of,
    run_program,
)


def _two(name: str, one: str, other: str, flags: tuple[str, ...] = ()) -> Case:
    return Case(name, (GPL + one, other), flags=flags)


def _extern_map(name: str, **changes: str) -> Case:
    return Case(
        name,
        (
            GPL + HASH + map_of("m") + run_program(PUT + "return 1;"),
            "struct key { int a; }; struct value { u64 n; u32 m; };\n"
            "struct value2 { u64 n; int *m; };\nstruct key2 { int a; } ;\n"
            + map_of("m", "extern", **changes)
            + LOOKUP.replace("struct value *", "void *").replace("(int)v->n", "1"),
        ),
    )


_USE = "int use(void) {{ return {what}; }}\n"

_TOUCH = "int touch(void) { int k = 0; return !bpf_map_lookup_elem(&m, &k); }\n"
_INT, _LONG = "__type(key, int)", "__type(value, long)"


def _outer(
    name: str, before: str = "", after: str = "", value: str = "int", entries: int = 1
) -> str:
    """A map of maps."""
    return (
        "struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, int);"
        f" __type(value, {value}); __uint(max_entries, {entries}); }};\n"
        + map_of(
            name,
            before,
            after,
            "BPF_MAP_TYPE_ARRAY_OF_MAPS",
            _INT,
            "__array(values, struct inner)",
            "",
        ).replace("__array", "__uint(max_entries, 3); __array")
    )


#: What neither links. The word is in our message.
CONFLICTS_AND_WORDS = [
    (
        _two("two_functions", "int f(void) { return 1; }", "int f(void) { return 2; }"),
        "both define",
    ),
    (_two("two_variables", "int x = 1;", "int x = 2;"), "both define"),
    (_two("two_maps", HASH + map_of("m"), HASH + map_of("m")), "both define"),
    (_two("sizes", "int x = 1;", "extern long x;\n" + _USE.format(what="x")), "4 and 8 bytes"),
    (
        _two("kinds", "int x = 1;", "extern int *x;\n" + _USE.format(what="!!x")),
        "a INT and a PTR",
    ),
    (
        _two(
            "member_names",
            "struct s { int a; }; struct s x = {1};",
            "struct s { int b; }; extern struct s x;\n" + _USE.format(what="x.b"),
        ),
        "member 0",
    ),
    (
        _two(
            "member_types",
            "struct s { int a; }; struct s x = {1};",
            "struct s { float *a; }; extern struct s x;\n" + _USE.format(what="!!x.a"),
        ),
        "member 'a'",
    ),
    (
        _two(
            "member_places",
            "struct s { int a; int b; }; struct s x = {1};",
            "struct s { int a; int b __attribute__((aligned(8))); }; extern struct s x;\n"
            + _USE.format(what="x.b"),
        ),
        "another place",
    ),
    (
        _two(
            "member_counts",
            "struct s { int a; }; struct s x = {1};",
            "struct s { int a; int b; }; extern struct s x;\n" + _USE.format(what="x.b"),
        ),
        "1 and 2 members",
    ),
    (
        _two(
            "nested_members",
            "struct s { struct { int a; } in; }; struct s x = {};",
            "struct s { struct { int b; } in; }; extern struct s x;\n" + _USE.format(what="x.in.b"),
        ),
        "'in'",
    ),
    (
        _two(
            "struct_and_union",
            "struct s { int a; }; struct s x = {1};",
            "union s { int a; }; extern union s x;\n" + _USE.format(what="x.a"),
        ),
        "STRUCT and a UNION",
    ),
    (
        _two(
            "struct_names",
            "struct s { int a; }; struct s x = {1};",
            "struct t { int a; }; extern struct t x;\n" + _USE.format(what="x.a"),
        ),
        "'s' and 't'",
    ),
    (
        _two(
            "pointed_names",
            "struct s { int a; }; struct s *x;",
            "struct t { int a; }; extern struct t *x;\n" + _USE.format(what="!!x"),
        ),
        "'s' and 't'",
    ),
    (
        _two(
            "declared_as_union",
            "struct s { int a; }; struct s *x;",
            "union s; extern union s *x;\n" + _USE.format(what="!!x"),
        ),
        "union declared",
    ),
    (
        _two("elements", "int x[2];", "extern long x[2];\n" + _USE.format(what="x[1]")),
        "4 and 8 bytes",
    ),
    (
        _two(
            "enum_names",
            "enum e { A }; enum e x;",
            "enum f { A }; extern enum f x;\n" + _USE.format(what="x"),
        ),
        "'e' and 'f'",
    ),
    (
        _two(
            "parameter_counts",
            "int f(int a) { return a; }",
            "extern int f(int a, int b);\n" + _USE.format(what="f(1, 2)"),
        ),
        "1 and 2 parameters",
    ),
    (
        _two(
            "parameter_types",
            "int f(int a) { return a; }",
            "extern int f(long a);\n" + _USE.format(what="f(1)"),
        ),
        "parameter 1",
    ),
    (
        _two(
            "return_types",
            "int f(int a) { return a; }",
            "extern long f(int a);\n" + _USE.format(what="f(1)"),
        ),
        "return value",
    ),
    (
        _two(
            "weak_functions_differ",
            "__weak int f(int a) { return a; }",
            "__weak int f(long a) { return a; }",
        ),
        "parameter 1",
    ),
    (
        _two(
            "function_and_variable", "int x = 1;", "extern int x(void);\n" + _USE.format(what="x()")
        ),
        "VAR and a FUNC",
    ),
    (
        _two(
            "map_and_variable",
            HASH + map_of("x"),
            'extern int x SEC(".data");\n' + _USE.format(what="x"),
        ),
        "'.maps' and in '.data'",
    ),
    (
        _two(
            "behind_a_typedef",
            "typedef struct { int a; } T; T x = {1};",
            "typedef struct { long a; } T; extern T x;\n" + _USE.format(what="x.a"),
        ),
        "member 'a'",
    ),
    (
        _two(
            "typedef_of_a_number",
            "typedef int A; typedef A T; T x = 1;",
            "typedef long A; typedef A T; extern T x;\n" + _USE.format(what="x"),
        ),
        "4 and 8 bytes",
    ),
    (
        _two(
            "typedefs_of_other_structs",
            "struct s { int a; }; typedef struct s T; T x = {1};",
            "struct t { int a; }; typedef struct t T; extern T x;\n" + _USE.format(what="x.a"),
        ),
        "'s' and 't'",
    ),
    (
        _two(
            "in_a_named_struct",
            "struct q { int z; }; struct s { struct q q; }; struct s x = {};",
            "struct q { long z; }; struct s { struct q q; }; extern struct s x;\n"
            + _USE.format(what="x.q.z"),
        ),
        "member 'z' of STRUCT 'q'",
    ),
    (
        _two(
            "typedef_of_a_parameter",
            "typedef int T; int f(T a) { return a; }",
            "typedef long T; extern int f(T a);\n" + _USE.format(what="f(1)"),
        ),
        "parameter 1",
    ),
    (
        _two(
            "bitfields",
            "struct s { int a : 4; int b : 8; }; struct s x = {1};",
            "struct s { int a : 4; int b : 7; }; extern struct s x;\n" + _USE.format(what="x.b"),
        ),
        "member 'b'",
    ),
    (
        _two("floats", "float x = 1;", "extern double x;\n" + _USE.format(what="*(int *)&x")),
        "4 and 8 bytes",
    ),
    (
        _two(
            "declared_as_struct",
            "struct s; extern struct s *x;\n" + _USE.format(what="!!x"),
            "union s { int a; }; union s *x;",
        ),
        "struct declared",
    ),
    (
        _two(
            "declared_by_other_name",
            "struct s { int a; }; struct s *x;",
            "struct t; extern struct t *x;\n" + _USE.format(what="!!x"),
        ),
        "'s' and 't'",
    ),
    (
        _two(
            "map_keys_member",
            "struct k { int a; };\n" + map_of("m", key="__type(key, struct k)", value=_LONG),
            "struct k { int b; };\n"
            + map_of("m", "extern", key="__type(key, struct k)", value=_LONG)
            + _TOUCH,
        ),
        "key: member 0",
    ),
    (
        _two(
            "map_values_struct",
            "struct v { int a; };\n" + map_of("m", key=_INT, value="__type(value, struct v)"),
            "struct v { int a; long b; };\n"
            + map_of("m", "extern", key=_INT, value="__type(value, struct v)")
            + _TOUCH,
        ),
        "value_size",
    ),
    (
        _two(
            "map_without_key_type",
            map_of("m", key=_INT, value=_LONG),
            map_of("m", after="__weak", key="__uint(key_size, 4)", value=_LONG),
        ),
        "only one has a type of its key",
    ),
    (
        _two(
            "map_behind_a_typedef",
            "typedef struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, int);"
            ' __type(value, int); __uint(max_entries, 4); } M; M m SEC(".maps");\n',
            "typedef struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, int);"
            ' __type(value, int); __uint(max_entries, 5); } M; extern M m SEC(".maps");\n' + _TOUCH,
        ),
        "max_entries",
    ),
    (
        _two(
            "inner_maps_differ", _outer("m", entries=1), _outer("m", "extern", entries=2) + _TOUCH
        ),
        "inner map: max_entries",
    ),
    (
        _two(
            "inner_maps_value",
            _outer("m", value="int"),
            _outer("m", "extern", value="float") + _TOUCH,
        ),
        "inner map: value",
    ),
    (
        _two(
            "no_inner_map",
            _outer("m", after="__weak"),
            map_of(
                "m",
                kind="BPF_MAP_TYPE_ARRAY_OF_MAPS",
                key=_INT,
                value="__uint(value_size, 4)",
                entries="__uint(max_entries, 3);",
            ),
        ),
        "only one has an inner map",
    ),
    (_extern_map("map_type", kind="BPF_MAP_TYPE_LRU_HASH"), "map_type"),
    (_extern_map("map_key", key="__type(key, struct key2)"), "key"),
    (_extern_map("map_key_size", key="__type(key, u64)"), "key_size"),
    (_extern_map("map_value", value="__type(value, struct value2)"), "value"),
    (_extern_map("map_value_size", value="__type(value, u32)"), "value_size"),
    (_extern_map("map_entries", entries="__uint(max_entries, 17);"), "max_entries"),
    (_extern_map("map_flags", more="__uint(map_flags, 1);"), "map_flags"),
    (_extern_map("map_numa_node", more="__uint(numa_node, 1);"), "numa_node"),
    (_extern_map("map_pinning", more="__uint(pinning, LIBBPF_PIN_BY_NAME);"), "pinning"),
    (
        _two(
            "weak_maps_differ",
            HASH + map_of("m", after="__weak"),
            HASH + map_of("m", after="__weak", entries="__uint(max_entries, 8);"),
        ),
        "max_entries",
    ),
    (
        _two(
            "licenses",
            run_program("return 1;"),
            'char _license[] SEC("license") = "Dual BSD/GPL";\n'
            + run_program("return 1;", name="o"),
        ),
        "license",
    ),
    (
        _two(
            "versions_differ",
            'int v SEC("version") = 1;',
            'int w SEC("version") = 2;',
        ),
        "version",
    ),
    (
        _two("code_and_data", 'SEC("foo") int f(void) { return 1; }', 'int x SEC("foo") = 1;'),
        "flags",
    ),
    (
        _two(
            "constant_and_not",
            'const int x SEC(".data.foo") = 1;',
            'int y SEC(".data.foo") = 1;',
        ),
        "flags",
    ),
    (
        _two(
            "static_in_data",
            "static int n = 1; int *x = &n;",
            "int y;",
        ),
        "static",
    ),
    (
        _two(
            "kernel_symbol_defined",
            "int schedule = 1;",
            "extern const int schedule __ksym;\n" + _USE.format(what="schedule"),
        ),
        ".ksyms",
    ),
    (
        _two(
            "two_loaders_sections",
            "extern int CONFIG_HZ __kconfig;\n" + _USE.format(what="CONFIG_HZ"),
            "extern int CONFIG_HZ __ksym;\nint other(void) { return CONFIG_HZ; }",
        ),
        "'.kconfig' and in '.ksyms'",
    ),
    (
        Case(
            "two_strong_and_a_weak",
            (GPL + "int n __weak = 1;", "int n = 2;", "int n = 3;"),
        ),
        "both define",
    ),
    (
        Case(
            "weak_strong_by_an_extern",
            (
                GPL + "int f(void) __weak;\nint f(void) { return 1; }",
                "extern int f(void);\n" + _USE.format(what="f()"),
                "int f(void) { return 2; }",
            ),
        ),
        "strong by the extern declaration",
    ),
]
CONFLICTS = [case for case, _ in CONFLICTS_AND_WORDS]


@functools.cache
def compile_all() -> None:
    """Compile what all cases need, two files at a time, so that one test does not pay for all."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Case.objects, [*CASES, *CONFLICTS]))
