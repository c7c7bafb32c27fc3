"""The generated UAPI modules against the kernel's BTF, the C headers, and their own generator."""

from __future__ import annotations

import ctypes
import hashlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from types import ModuleType

import pytest
from bpfgen_runtime import btf
from bpfgen_runtime.uapi import attr, attr_more, const, enums, perf_attr, start

from tests.support.requirements import tool

ROOT = Path(__file__).resolve().parents[2]
VMLINUX = Path("/sys/kernel/btf/vmlinux")

Layout = dict[str, tuple[int, int]]  # dotted name -> first bit, width in bits
Composite = type[ctypes.Structure] | type[ctypes.Union]

#: Class -> what it is in C: a part of `union bpf_attr`, or a struct or union of its own.
IN_C: dict[Composite, tuple[str, str]] = {
    attr.MapCreateAttr: ("union bpf_attr", ""),
    attr.MapElemAttr: ("union bpf_attr", ""),
    attr.MapBatchAttr: ("union bpf_attr", "batch."),
    attr.ProgLoadAttr: ("union bpf_attr", ""),
    attr.ObjAttr: ("union bpf_attr", ""),
    attr.ProgAttachAttr: ("union bpf_attr", ""),
    attr.ProgTestRunAttr: ("union bpf_attr", "test."),
    attr.GetIdAttr: ("union bpf_attr", ""),
    attr.InfoByFdAttr: ("union bpf_attr", "info."),
    attr.ProgQueryAttr: ("union bpf_attr", "query."),
    attr.RawTracepointAttr: ("union bpf_attr", "raw_tracepoint."),
    attr.BtfLoadAttr: ("union bpf_attr", ""),
    attr.TaskFdQueryAttr: ("union bpf_attr", "task_fd_query."),
    attr.LinkCreateAttr: ("union bpf_attr", "link_create."),
    attr.LinkUpdateAttr: ("union bpf_attr", "link_update."),
    attr.LinkDetachAttr: ("union bpf_attr", "link_detach."),
    attr.EnableStatsAttr: ("union bpf_attr", "enable_stats."),
    attr.IterCreateAttr: ("union bpf_attr", "iter_create."),
    attr.ProgBindMapAttr: ("union bpf_attr", "prog_bind_map."),
    attr.TokenCreateAttr: ("union bpf_attr", "token_create."),
    attr.ProgStreamReadAttr: ("union bpf_attr", "prog_stream_read."),
    attr.ProgInfo: ("struct bpf_prog_info", ""),
    attr.MapInfo: ("struct bpf_map_info", ""),
    attr.BtfInfo: ("struct bpf_btf_info", ""),
    attr.LinkInfo: ("struct bpf_link_info", ""),
    attr.TokenInfo: ("struct bpf_token_info", ""),
    attr.IterLinkInfo: ("union bpf_iter_link_info", ""),
    perf_attr.PerfEventAttr: ("struct perf_event_attr", ""),
}


def layout_of(cls: Composite) -> Layout:
    """See where a class keeps each field: set it to ones, look which bits of the struct follow."""
    whole = cls()
    return dict(_probe(whole, whole, ""))


def _probe(
    whole: ctypes.Structure | ctypes.Union, part: ctypes.Structure | ctypes.Union, prefix: str
) -> Iterator[tuple[str, tuple[int, int]]]:
    for name, descriptor in vars(type(part)).items():
        if name.startswith("_") or not hasattr(descriptor, "offset"):
            continue
        value = getattr(part, name)
        if isinstance(value, ctypes.Structure | ctypes.Union):
            yield from _probe(whole, value, f"{prefix}{name}.")
            continue
        ctypes.memset(ctypes.addressof(whole), 0, ctypes.sizeof(whole))
        if isinstance(value, bytes):  # an array of char reads as its text: ask for its size instead
            yield prefix + name, (
                8 * _offset(whole, part) + 8 * descriptor.offset,
                8 * descriptor.size,
            )
            continue
        if isinstance(value, ctypes.Array):
            ctypes.memset(ctypes.addressof(value), 0xFF, ctypes.sizeof(value))
        else:
            setattr(part, name, -1)
        bits = int.from_bytes(bytes(whole), sys.byteorder)
        first = (bits & -bits).bit_length() - 1
        width = bits.bit_count()
        assert bits == ((1 << width) - 1) << first, f"{name} is not in one piece"
        yield prefix + name, (first, width)


def _offset(whole: ctypes._CData, part: ctypes._CData) -> int:
    return ctypes.addressof(part) - ctypes.addressof(whole)


@pytest.fixture(scope="module")
def kernel() -> btf.Btf:
    """The BTF of the running kernel."""
    return btf.kernel_btf()


def kernel_layout(kernel: btf.Btf, name: str) -> Layout:
    """Flatten a struct or union of the kernel."""
    keyword, _, plain = name.partition(" ")
    kind = btf.BTF_KIND_STRUCT if keyword == "struct" else btf.BTF_KIND_UNION
    found = kernel.find(plain, kind)
    return dict(_flatten(kernel, found[0], 0, "")) if found else {}


def _flatten(
    kernel: btf.Btf, type_id: int, base: int, prefix: str
) -> Iterator[tuple[str, tuple[int, int]]]:
    composite = kernel.type(type_id)
    assert isinstance(composite, btf.Struct)
    for member in composite.members:
        target = kernel.resolve(member.type)
        first = base + member.bit_offset
        if isinstance(kernel.type(target), btf.Struct):
            inner = f"{prefix}{member.name}." if member.name else prefix
            yield from _flatten(kernel, target, first, inner)
        elif not member.name.startswith("__"):  # __reserved_1 and the like
            width = member.bitfield_size or 8 * kernel.size_of(target)
            yield prefix + member.name, (first, width)


little_endian = pytest.mark.skipif(
    sys.byteorder != "little", reason="the probe numbers bits from the lowest address"
)


@little_endian
@pytest.mark.needs("btf")
@pytest.mark.parametrize("cls", IN_C, ids=lambda cls: cls.__name__)
def test_layout_is_the_kernels(kernel: btf.Btf, cls: Composite) -> None:
    """Each field lies on the bits that the running kernel's BTF gives it."""
    name, prefix = IN_C[cls]
    theirs = kernel_layout(kernel, name)
    ours = {prefix + field: place for field, place in layout_of(cls).items()}
    common = ours.keys() & theirs.keys()
    assert common or not any(field.startswith(prefix) for field in theirs)
    assert {f: ours[f] for f in common} == {f: theirs[f] for f in common}


@pytest.mark.needs("btf")
def test_attr_is_covered(kernel: btf.Btf) -> None:
    """Every field of `union bpf_attr` up to this kernel's is in one of the classes."""
    if _digest() not in inspect.getsource(const):
        pytest.skip("generated from another kernel's BTF, which may lack what this one has")
    ours = {
        prefix + field
        for cls, (name, prefix) in IN_C.items()
        if name == "union bpf_attr"
        for field in layout_of(cls)
    }
    assert ours == kernel_layout(kernel, "union bpf_attr").keys()


def _digest() -> str:
    return hashlib.sha256(VMLINUX.read_bytes()).hexdigest()


@pytest.mark.needs("btf")
@pytest.mark.parametrize(
    "cls", [c for c, (_, prefix) in IN_C.items() if not prefix], ids=lambda c: c.__name__
)
def test_size_of_info_structs(kernel: btf.Btf, cls: Composite) -> None:
    """A struct of its own is as large as the kernel's, or larger than an older kernel's."""
    keyword, _, plain = IN_C[cls][0].partition(" ")
    if plain == "bpf_attr":
        assert ctypes.sizeof(cls) % 8 == 0
        return
    kind = btf.BTF_KIND_STRUCT if keyword == "struct" else btf.BTF_KIND_UNION
    for type_id in kernel.find(plain, kind):
        assert (ctypes.sizeof(cls) - kernel.size_of(type_id)) % 8 == 0


@little_endian
@pytest.mark.needs("gcc", "linux-headers")
def test_layout_is_the_headers(tmp_path: Path) -> None:
    """gcc's offsetof and sizeof over <linux/bpf.h> agree, for all fields that the header has."""
    fields = []
    for cls, (name, prefix) in IN_C.items():
        fields += [(name, prefix + field, place) for field, place in layout_of(cls).items()]
    lines = [
        f'  printf("%zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
        for name, field, _ in fields
    ]
    answers = ask_gcc(tmp_path, ("linux/bpf.h", "linux/perf_event.h", "stddef.h"), lines)
    assert len(answers) > 200
    for index, (offset, size) in answers.items():
        name, field, place = fields[index]
        assert (8 * offset, 8 * size) == place, f"{name}: {field}"


def ask_gcc(
    tmp_path: Path, headers: tuple[str, ...], lines: list[str]
) -> dict[int, tuple[int, ...]]:
    """Compile a C statement per line, run it, and give what each printed, by the line's index.

    Lines that this header is too old for are left out.
    """
    prelude = [f"#include <{header}>" for header in (*headers, "stdio.h")] + ["int main(void) {"]
    source, program = tmp_path / "ask.c", tmp_path / "ask"
    left = dict(enumerate(lines))
    for _ in range(2):
        numbered = list(left.items())
        source.write_text("\n".join([*prelude, *(line for _, line in numbered), "}"]) + "\n")
        done = subprocess.run(
            [tool("gcc"), "-w", "-fmax-errors=0", source, "-o", program],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode == 0:
            break
        bad = {
            int(n) - len(prelude) - 1 for n in re.findall(r"ask\.c:(\d+):\d+: error", done.stderr)
        }
        assert bad, done.stderr
        for position in bad:
            del left[numbered[position][0]]
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, row.split())) for row in printed.splitlines()]
    return dict(zip(left, rows, strict=True))


def constants() -> dict[str, int]:
    return {name: value for name, value in vars(const).items() if isinstance(value, int)}


@pytest.mark.needs("gcc", "linux-headers")
def test_constants_are_the_headers(tmp_path: Path) -> None:
    """gcc gives each constant that the headers have the same value, #defines included."""
    ours = list(constants().items())
    lines = [f'  printf("%lld\\n", (long long){name});' for name, _ in ours]
    headers = ("bpf", "btf", "if_link", "perf_event", "bpf_common")
    answers = ask_gcc(tmp_path, tuple(f"linux/{header}.h" for header in headers), lines)
    assert len(answers) > 450
    found = {ours[index][0]: value for index, (value,) in answers.items()}
    assert {"BPF_F_SLEEPABLE", "BPF_PSEUDO_MAP_VALUE", "XDP_FLAGS_REPLACE", "BTF_MAGIC"} <= set(
        found
    )
    assert found == {name: value for name, value in ours if name in found}


@pytest.mark.needs("btf")
def test_constants_are_the_kernels(kernel: btf.Btf) -> None:
    """Every enumerator of the running kernel's BPF enums that const.py has, has the same value."""
    compared = 0
    ours = constants()
    for type_id, found in kernel.types():
        if isinstance(found, btf.Enum):
            for value in found.values:
                if value.name in ours:
                    compared += 1
                    assert ours[value.name] == value.value, f"{value.name} of type {type_id}"
    assert compared > 450


def test_constants_are_plain_ints() -> None:
    """const.py has ints and nothing else."""
    public = {name: value for name, value in vars(const).items() if not name.startswith("__")}
    assert {type(value) for value in public.values()} == {int}
    assert len(public) > 550


def test_constants_of_the_start() -> None:
    """start.py has a small part of const.py, with the same values."""
    public = {name: value for name, value in vars(start).items() if not name.startswith("__")}
    assert public == {name: getattr(const, name) for name in public}
    assert 20 < len(public) < 60


@pytest.mark.parametrize(
    ("member", "full_name"),
    [
        (enums.Cmd.MAP_CREATE, "BPF_MAP_CREATE"),
        (enums.Cmd.PROG_RUN, "BPF_PROG_TEST_RUN"),
        (enums.MapType.HASH, "BPF_MAP_TYPE_HASH"),
        (enums.MapType.CGROUP_STORAGE, "BPF_MAP_TYPE_CGROUP_STORAGE_DEPRECATED"),
        (enums.ProgType.XDP, "BPF_PROG_TYPE_XDP"),
        (enums.AttachType.TRACE_ITER, "BPF_TRACE_ITER"),
        (enums.AttachType.CGROUP_INET_INGRESS, "BPF_CGROUP_INET_INGRESS"),
        (enums.AttachType.TRACE_FSESSION, "BPF_TRACE_FSESSION"),
        (enums.LinkType.PERF_EVENT, "BPF_LINK_TYPE_PERF_EVENT"),
        (enums.StatsType.RUN_TIME, "BPF_STATS_RUN_TIME"),
        (enums.XdpAction.PASS, "XDP_PASS"),
        (enums.TcxAction.NEXT, "TCX_NEXT"),
    ],
    ids=str,
)
def test_enum_members_drop_the_prefix(member: IntEnum, full_name: str) -> None:
    """A member is its enumerator's number, under the name without the common prefix."""
    assert member == getattr(const, full_name)


def test_helper_numbers() -> None:
    """FuncId knows the helpers; unspec is 0 and numbers run on without holes."""
    assert enums.FuncId.map_lookup_elem == 1
    assert enums.FuncId.ringbuf_output == 130
    assert sorted(enums.FuncId) == list(range(len(enums.FuncId)))


@pytest.mark.parametrize("module", [attr, attr_more, perf_attr, enums], ids=lambda m: m.__name__)
def test_all_is_what_there_is(module: ModuleType) -> None:
    """__all__ names every public class of the module."""
    own = {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and name[0] != "_"
    }
    assert set(module.__all__) == own


def test_attr_offers_the_rest_lazily() -> None:
    """attr.py gives the classes of attr_more.py when asked, and says what it has not."""
    assert attr.ProgInfo is attr_more.ProgInfo
    with pytest.raises(AttributeError, match=r"uapi\.attr' has no attribute 'Nonsense'"):
        attr.Nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_aliases_share_bytes() -> None:
    """Members of an anonymous union of equal numbers are names of one field, for keywords, too."""
    made = attr.LinkCreateAttr(map_fd=7, target_ifindex=9)
    assert (made.prog_fd, made.target_fd) == (7, 9)
    assert attr.MapElemAttr(next_key=5).value == 5
    made.perf_event.bpf_cookie = 0x1_0000_0002
    assert made.kprobe_multi.flags == made.target_btf_id == 2


@pytest.mark.needs("btf")
def test_committed_modules_are_current() -> None:
    """`gen_uapi.py --check` agrees with what is committed."""
    command = [sys.executable, ROOT / "tools" / "gen_uapi.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
