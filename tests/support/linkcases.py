"""Small BPF programs in several files that link."""

from __future__ import annotations

from tests.support.linkcases_more import MORE_CASES
from tests.support.linksources import (
    GPL,
    HASH,
    LOOKUP,
    LOOP,
    PUT,
    STATE,
    TASK,
    Case,
    dummy_ops,
    map_of,
    run_program,
)

CASES = [
    Case("single", (GPL + run_program("return 5;"),), 5),
    Case(
        "two_programs", (GPL + run_program("return 5;"), run_program("return 6;", name="other")), 5
    ),
    Case(
        "second_runs", (GPL + run_program("return 5;", name="other"), run_program("return 6;")), 6
    ),
    Case(
        "struct_ops",
        (GPL + dummy_ops("first") + run_program("return 5;"), dummy_ops("second")),
        5,
    ),
    Case(
        "two_sections",
        (GPL + run_program("return 5;"), run_program("return 2;", "xdp", "other")),
        5,
    ),
    Case(
        "call_forward",
        (
            GPL + "extern int f(int x);\n" + run_program("return f(4);"),
            "int f(int x) { return x + 3; }",
        ),
        7,
    ),
    Case(
        "call_backward",
        (
            "int f(int x) { return x + 3; }",
            GPL + "extern int f(int y);\n" + run_program("return f(4);"),
        ),
        7,
    ),
    Case(
        "call_both_ways",
        (
            GPL
            + "extern int g(int);\nNOINLINE int f(int x) { return x * 2; }\n"
            + run_program("return g(4);"),
            "extern int f(int);\nint g(int x) { return f(x) + 1; }",
        ),
        9,
    ),
    Case(
        "weak_then_strong",
        (
            GPL + "__weak NOINLINE int f(void) { return 1; }\n" + run_program("return f();"),
            "int f(void) { return 2; }",
        ),
        2,
    ),
    Case(
        "strong_then_weak",
        (
            GPL + "NOINLINE int f(void) { return 1; }\n" + run_program("return f();"),
            "__weak int f(void) { return 2; }",
        ),
        1,
    ),
    Case(
        "weak_twice",
        (
            GPL + "__weak NOINLINE int f(void) { return 1; }\n" + run_program("return f();"),
            "__weak NOINLINE int f(void) { return 2; }\n"
            + run_program("return f();", name="other"),
        ),
        1,
    ),
    Case(
        "extern_weak",
        (
            GPL + "extern int f(void) __weak;\n" + run_program("return f();"),
            "int f(void) { return 8; }",
        ),
        8,
    ),
    Case(
        "hidden",
        (
            GPL + "extern int f(int);\n" + run_program("return f(4);"),
            "__hidden int f(int x) { return x + 1; }",
        ),
        5,
    ),
    Case(
        "hidden_extern",
        (
            GPL + "extern __hidden int f(int);\n" + run_program("return f(4);"),
            "int f(int x) { return x + 1; }",
        ),
        5,
    ),
    Case(
        "statics",
        (
            GPL
            + "extern int other(int);\n"
            + STATE.format(a=1, b=10)
            + run_program("return helper(1) * 1000 + other(2);"),
            STATE.format(a=100, b=200) + "NOINLINE int other(int x) { return helper(x); }",
        ),
        13303,
    ),
    Case(
        "statics_of_three",
        (
            GPL
            + "extern int g(int);\nextern int h(int);\n"
            + STATE.format(a=1, b=2)
            + run_program("return helper(1) + g(1) + h(1);"),
            STATE.format(a=10, b=20) + "NOINLINE int g(int x) { return helper(x); }",
            STATE.format(a=100, b=200) + "NOINLINE int h(int x) { return helper(x); }",
        ),
        339,
    ),
    Case(
        "bss",
        (
            GPL + "extern int n;\nextern int f(void);\n" + run_program("n = 3; f(); return n;"),
            "int pad[3]; int n;\nNOINLINE int f(void) { pad[1]++; n += 4; return 0; }",
        ),
        7,
    ),
    Case(
        "data",
        (
            GPL + "int first = 1;\nextern int n;\n" + run_program("n += first; return n;"),
            "long pad = 1; int n = 40;",
        ),
        41,
    ),
    Case(
        "rodata",
        (
            GPL
            + "const volatile char c = 1;\nextern const volatile int n;\n"
            + run_program("return n + c;"),
            "const volatile long pad = 1; const volatile int n = 40;",
        ),
        41,
    ),
    Case(
        "extern_before_own",
        (
            GPL + "extern int a; int b = 2;\n" + run_program("return a * 10 + b;"),
            "int a = 1; extern int b;\n" + run_program("return b * 10 + a;", name="other"),
        ),
        12,
    ),
    Case(
        "unsized_array",
        (
            GPL + "extern int table[];\n" + run_program("return table[2];"),
            "int pad = 1; int table[4] = {1, 2, 3, 4};",
        ),
        3,
    ),
    Case(
        "array_of_other_size",
        (
            GPL + "extern int table[2];\n" + run_program("return table[1];"),
            "int table[4] = {1, 2, 3, 4};",
        ),
        2,
    ),
    Case(
        "shared_struct",
        (
            GPL
            + "struct s { int a; char b[8]; struct { long c; } d; };\nextern struct s s;\n"
            + run_program("return s.a + s.d.c;"),
            "struct s { int a; char b[8]; struct { long c; } d; };\n"
            "struct s s = {.a = 1, .d = {.c = 5}};",
        ),
        6,
    ),
    Case(
        "typedefs",
        (
            GPL
            + "typedef int mine;\nextern const volatile mine n;\nextern mine f(const mine x);\n"
            + run_program("return n + f(1);"),
            "volatile int n = 5; typedef int yours; int f(yours x) { return x + 1; }",
        ),
        7,
    ),
    Case(
        "signedness",
        (
            GPL + "extern unsigned int n;\n" + run_program("return n;"),
            "int n = 5;",
        ),
        5,
    ),
    Case(
        "forward_declared",
        (
            GPL
            + "struct s;\nextern struct s *p;\nextern int f(struct s *s);\n"
            + run_program("return p ? 1 : f(0);"),
            "struct s { int a; };\nstruct s *p;\nint f(struct s *s) { return s ? s->a : 9; }",
        ),
        9,
    ),
    Case(
        "union_forward_declared",
        (
            "union u { int a; long b; };\nunion u *p;\n" + GPL + run_program("return p ? 1 : 3;"),
            "union u;\nextern union u *p;\n" + run_program("return p ? 1 : 2;", name="other"),
        ),
        3,
    ),
    Case(
        "enums",
        (
            GPL + "enum e { A, B, C };\nextern enum e e;\n" + run_program("return e;"),
            "enum e { A, B, C };\nenum e e = C;",
        ),
        2,
    ),
    Case(
        "other_enumerators",
        (
            GPL + "enum e { A, B };\nextern enum e e;\n" + run_program("return e;"),
            "enum e { X, Y, Z };\nenum e e = Z;",
        ),
        2,
    ),
    Case(
        "weak_variable",
        (
            GPL + "int first = 1; int n __weak = 5;\n" + run_program("return n + first;"),
            "int n = 7;",
        ),
        8,
    ),
    Case(
        "weak_variable_loses",
        (
            GPL + "int n = 5;\n" + run_program("return n;"),
            "int n __weak = 7;\n" + run_program("return n;", name="other"),
        ),
        5,
    ),
    Case(
        "shared_map",
        (
            GPL
            + HASH
            + map_of("m")
            + "extern int get(void);\n"
            + run_program(PUT + "return get();"),
            HASH + map_of("m", "extern") + LOOKUP,
        ),
        7,
    ),
    Case(
        "extern_map_first",
        (
            GPL
            + HASH
            + map_of("m", "extern")
            + "extern int get(void);\n"
            + run_program(PUT + "return get();"),
            HASH + map_of("other_map") + map_of("m") + LOOKUP,
        ),
        7,
    ),
    Case(
        "own_and_extern_map",
        (
            GPL
            + HASH
            + map_of("mine")
            + map_of("m", "extern")
            + "extern int get(void);\n"
            + run_program(
                "struct key k0 = {}; bpf_map_lookup_elem(&mine, &k0);" + PUT + "return get();"
            ),
            HASH + map_of("yours") + map_of("m") + LOOKUP,
        ),
        7,
    ),
    Case(
        "weak_maps",
        (
            GPL
            + HASH
            + map_of("m", after="__weak")
            + "extern int get(void);\n"
            + run_program(PUT + "return get();"),
            HASH + map_of("m", after="__weak") + LOOKUP,
        ),
        7,
    ),
    Case(
        "weak_and_strong_map",
        (
            GPL
            + HASH
            + map_of("m", after="__weak")
            + "extern int get(void);\n"
            + run_program(PUT + "return get();"),
            HASH + map_of("m") + LOOKUP,
        ),
        7,
    ),
    Case(
        "map_attributes_in_other_order",
        (
            GPL
            + HASH
            + map_of("m")
            + "extern int get(void);\n"
            + run_program(PUT + "return get();"),
            HASH + "extern struct { __uint(max_entries, 16); __type(value, struct value);"
            ' __type(key, struct key); __uint(type, BPF_MAP_TYPE_HASH); } m SEC(".maps");\n'
            + LOOKUP,
        ),
        7,
    ),
    Case(
        "maps_apart",
        (
            GPL + HASH + map_of("m") + run_program(PUT + "return 1;"),
            HASH + map_of("n", more="__uint(map_flags, 1);") + LOOKUP.replace("&m", "&n"),
        ),
        1,
    ),
    Case(
        "inner_map",
        (
            GPL + "struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, int);"
            ' __type(value, int); __uint(max_entries, 1); } in SEC(".maps");\n'
            "struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __type(key, int);"
            ' __uint(max_entries, 2); __array(values, struct inner); } outer SEC(".maps") ='
            " {.values = {[1] = &in}};\n" + run_program("return 4;"),
            "struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, int);"
            " __type(value, int); __uint(max_entries, 1); };\n"
            "extern struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __type(key, int);"
            ' __uint(max_entries, 2); __array(values, struct inner); } outer SEC(".maps");\n'
            + run_program(
                "int k = 1; return bpf_map_lookup_elem(&outer, &k) ? 1 : 2;", name="other"
            ),
        ),
        4,
    ),
    Case(
        "tail_call",
        (
            GPL + HASH + map_of("m") + run_program("return 1;", name="o"),
            "int target(struct __sk_buff *skb);\n"
            "struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(key_size, 4);"
            ' __uint(max_entries, 2); __array(values, int(void *)); } jumps SEC(".maps") ='
            " {.values = {[1] = (void *)&target}};\n"
            + run_program("return 44;", name="target")
            + run_program("bpf_tail_call(skb, &jumps, 1); return 1;"),
        ),
        44,
    ),
    Case(
        "callbacks",
        (
            GPL
            + "extern int second(void);\n"
            + LOOP.format(n=1, name="first")
            + run_program("return first() * 100 + second();"),
            LOOP.format(n=5, name="second"),
        ),
        420,
    ),
    Case(
        "license_twice",
        (GPL + run_program("return 5;"), GPL + run_program("return 6;", name="other")),
        5,
    ),
    Case(
        "license_by_other_names",
        (
            GPL + run_program("return 5;"),
            GPL.replace("LICENSE", "_license") + run_program("return 6;", name="other"),
        ),
        5,
    ),
    Case(
        "license_second",
        (run_program("return 5;"), GPL + run_program("return 6;", name="other")),
        5,
    ),
    Case(
        "versions",
        (
            GPL + 'u32 _version SEC("version") = 7;\n' + run_program("return 5;"),
            'u32 _version SEC("version") = 7;\n' + run_program("return 6;", name="other"),
        ),
        5,
    ),
    Case(
        "own_data_sections",
        (
            GPL
            + 'int a SEC(".data.stats") = 3; extern int b;\n'
            + run_program("return a * 10 + b;"),
            'long pad SEC(".data.stats") = 1; int b SEC(".data.stats") = 4;',
        ),
        34,
    ),
    Case(
        "alignment",
        (
            GPL
            + "char c = 1; const volatile char d = 2;\nextern int n;\n"
            + run_program("return n + c + d;"),
            "int n __attribute__((aligned(64))) = 40;"
            " const volatile long e __attribute__((aligned(32))) = 1;",
        ),
        43,
    ),
    Case(
        "literals",
        (
            GPL
            + "volatile int i = 1;\nextern int other(void);\n"
            + run_program('const char *s = "abc"; return s[i & 1] + other();'),
            "extern volatile int i;\n"
            'NOINLINE int other(void) { const char *s = "xyz"; return s[i & 1]; }',
        ),
        ord("b") + ord("y"),
        flags=("-fno-builtin",),
    ),
    Case(
        "kconfig",
        (
            GPL
            + "extern int LINUX_KERNEL_VERSION __kconfig;\nextern int other(void);\n"
            + run_program("return (LINUX_KERNEL_VERSION > 0) + other();"),
            "extern int LINUX_KERNEL_VERSION __kconfig;\n"
            "extern int CONFIG_NOT_THERE __kconfig __weak;\n"
            "NOINLINE int other(void) { return (LINUX_KERNEL_VERSION > 0) + CONFIG_NOT_THERE; }",
        ),
        2,
    ),
    Case(
        "ksyms",
        (
            GPL
            + "extern const void schedule __ksym;\nextern int other(void);\n"
            + run_program("return (&schedule != (void *)skb) + other();"),
            "extern const void schedule __ksym;\nextern const void schedule_timeout __ksym;\n"
            "NOINLINE int other(void) { return &schedule != &schedule_timeout; }",
        ),
        2,
    ),
    Case(
        "core",
        (
            GPL
            + TASK.format(suffix="", members="int pid; char comm[16];")
            + "extern int other(void);\n"
            + run_program(
                "struct task_struct *t = 0;"
                "return bpf_core_field_size(t->comm) + bpf_core_field_exists(t->pid) + other();"
            ),
            TASK.format(suffix="___mine", members="int tgid; int not_there;")
            + "NOINLINE int other(void) { struct task_struct___mine *t = 0;"
            " return bpf_core_field_size(t->tgid) * 100 + bpf_core_field_exists(t->not_there); }",
        ),
        417,
    ),
    Case(
        "core_enums",
        (
            GPL + "enum bpf_map_type_x___a { BPF_MAP_TYPE_HASH___a = 99 };\n"
            "extern int other(void);\nenum pid_type { PIDTYPE_PID = 7, PIDTYPE_TGID = 8 };\n"
            + run_program("return bpf_core_enum_value(enum pid_type, PIDTYPE_TGID) + other();"),
            "enum pid_type { PIDTYPE_PID = 5 };\nNOINLINE int other(void)"
            " { return 10 + bpf_core_enum_value(enum pid_type, PIDTYPE_PID); }",
        ),
        11,
    ),
    Case(
        "same_struct_twice",
        (
            GPL
            + "struct s { int a; struct s *next; };\nstruct s one;\n"
            + run_program("return one.a;"),
            "struct s { int a; struct s *next; };\nstruct s two;\n"
            + run_program("return two.a;", name="other"),
        ),
        0,
    ),
    Case(
        "other_struct_of_that_name",
        (
            GPL + "struct s { int a; };\nstruct s one = {1};\n" + run_program("return one.a;"),
            "struct s { long b; char c; };\nstruct s two = {2};\n"
            + run_program("return two.b;", name="other"),
        ),
        1,
    ),
    Case(
        "declaration_tags",
        (
            GPL + "#define tag(x) __attribute__((btf_decl_tag(x)))\n"
            'struct s { int a tag("m"); } tag("s");\nstruct s one tag("v");\n'
            'NOINLINE int f(struct s *s tag("arg")) tag("f") { return s ? s->a : 2; }\n'
            + run_program("return f(0);"),
            "#define tag(x) __attribute__((btf_decl_tag(x)))\n"
            'struct s { int a tag("m"); } tag("s");\nextern struct s one;\n'
            "extern int f(struct s *s);\n" + run_program("return one.a + f(0);", name="other"),
        ),
        2,
    ),
    Case(
        "only_data",
        (
            GPL + "extern int n; extern const volatile int m;\n" + run_program("return n + m;"),
            "int n = 1;",
            "const volatile int m = 2;",
        ),
        3,
    ),
    Case(
        "five_files",
        (
            GPL + "int n; extern int f1(void); extern int f2(void); extern int f3(void);\n"
            "extern int f4(void);\n" + run_program("n = 0; f1(); f2(); f3(); f4(); return n;"),
            *(
                f"extern int n;\nNOINLINE int f{i}(void) {{ n += {i}; return n; }}"
                for i in range(1, 5)
            ),
        ),
        10,
    ),
    Case(
        "many_functions",
        (
            GPL
            + "".join(f"extern int f{i}(int);\n" for i in range(12))
            + run_program("return " + " + ".join(f"f{i}({i})" for i in range(12)) + ";"),
            "".join(f"NOINLINE int f{i}(int x) {{ return x * {i}; }}\n" for i in range(0, 12, 2)),
            "".join(f"NOINLINE int f{i}(int x) {{ return x + {i}; }}\n" for i in range(1, 12, 2)),
        ),
        sum(i * i for i in range(0, 12, 2)) + sum(2 * i for i in range(1, 12, 2)),
    ),
    Case(
        "optional_program",
        (GPL + run_program("return 5;"), run_program("return 6;", "?tc", "other")),
        5,
    ),
    Case(
        "function_pointers_in_types",
        (
            GPL
            + "struct ops { int (*call)(struct ops *, int x); };\nextern struct ops ops;\n"
            + run_program("return ops.call ? 1 : 2;"),
            "struct ops { int (*call)(struct ops *, int y); };\nstruct ops ops;",
        ),
        2,
    ),
    Case(
        "unresolved_function",
        (GPL + "extern int nowhere(int);\n" + run_program("return nowhere(1);"), "int other = 1;"),
        loads=False,
    ),
    Case(
        "unresolved_variable",
        (GPL + "extern int nowhere;\n" + run_program("return nowhere;"), "int other = 1;"),
        loads=False,
    ),
    Case(
        "unresolved_map",
        (
            GPL + HASH + map_of("m", "extern") + run_program(PUT + "return 1;"),
            HASH + map_of("n"),
        ),
        loads=False,
    ),
    *MORE_CASES,
]
