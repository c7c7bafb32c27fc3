"""What the link tests' C is made of: `linkcases` has what links, `linkconflicts` what does not.

Each case is a name and its files' C. `PRELUDE` stands before each file. A program called `run` is
run with a packet, and returns what the case says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.clang import CACHE, compile_source

PRELUDE = """\
#include <linux/bpf.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#define NOINLINE __attribute__((noinline))
typedef unsigned int u32;
typedef unsigned long long u64;
"""

GPL = 'char LICENSE[] SEC("license") = "GPL";\n'


@dataclass(frozen=True)
class Case:
    """Files that are linked.

    Args:
        name: of the case, unique.
        files: the C of each, without `PRELUDE`.
        returns: what `run` returns; None if there is none to run.
        loads: False where the kernel or the loader refuses what was linked.
        flags: more flags for clang.
        for_libbpf: False where the system's libbpf is too old for what was linked, by either.
    """

    name: str
    files: tuple[str, ...]
    returns: int | None = None
    loads: bool = True
    flags: tuple[str, ...] = ()
    for_libbpf: bool = True

    def objects(self) -> list[Path]:
        """Compile the files, or give what was compiled before."""
        folder = CACHE / "link-sources"
        folder.mkdir(parents=True, exist_ok=True)
        compiled = []
        for number, text in enumerate(self.files):
            source = folder / f"{self.name}_{number}.bpf.c"
            text = PRELUDE + text
            if not source.exists() or source.read_text() != text:
                source.write_text(text)
            compiled.append(compile_source(source, *self.flags))
        return compiled


_DUMMY_OPS = """
struct bpf_dummy_ops_state { int val; };
struct bpf_dummy_ops { int (*test_1)(struct bpf_dummy_ops_state *cb); };
"""


def dummy_ops(name: str, section: str = ".struct_ops") -> str:
    """A struct_ops map of the kernel's test struct, and its program."""
    return _DUMMY_OPS + f"""
SEC("struct_ops/test_1") int {name}_1(unsigned long long *ctx) {{ return 3; }}
SEC("{section}") struct bpf_dummy_ops {name} = {{ .test_1 = (void *){name}_1 }};
"""


def run_program(body: str, section: str = "tc", name: str = "run") -> str:
    return f'SEC("{section}") int {name}(struct __sk_buff *skb) {{ {body} }}\n'


HASH = """\
struct key { int a; };
struct value { u64 n; u32 m; };
"""


def map_of(
    name: str,
    before: str = "",
    after: str = "",
    kind: str = "BPF_MAP_TYPE_HASH",
    key: str = "__type(key, struct key)",
    value: str = "__type(value, struct value)",
    entries: str = "__uint(max_entries, 16);",
    more: str = "",
) -> str:
    return (
        f"{before} struct {{ __uint(type, {kind}); {key}; {value}; {entries} {more} }} {name}"
        f' {after} SEC(".maps");\n'
    )


PUT = "struct key k = {.a = 1}; struct value v = {.n = 7}; bpf_map_update_elem(&m, &k, &v, 0);"
LOOKUP = (
    "NOINLINE int get(void) { struct key k = {.a = 1};"
    " struct value *v = bpf_map_lookup_elem(&m, &k); return v ? (int)v->n : -1; }\n"
)
STATE = """\
static volatile int count = {a};
static volatile int zero;
static const volatile int limit = {b};
static NOINLINE int helper(int x) {{ count += x; zero++; return count + limit + zero; }}
"""
LOOP = """\
static volatile long sum;
static int step(u32 i, void *ctx) {{ sum += {n}; return 0; }}
NOINLINE int {name}(void) {{ sum = 0; bpf_loop(4, step, 0, 0); return sum; }}
"""
TASK = "struct task_struct{suffix} {{ {members} }} __attribute__((preserve_access_index));\n"
