"""`Linker`: where inputs come from, what becomes of the output, and what conflicts are told."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path

import pytest
from bpfgen_runtime.btf import Btf, Datasec
from bpfgen_runtime.elf.image import STB_LOCAL
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import ElfError, LinkerError
from bpfgen_runtime.linker import Linker, link
from bpfgen_runtime.loader import load_spec

from tests.support.linkcases import CASES
from tests.support.linksources import GPL, Case

ROOT = Path(__file__).resolve().parents[2]
EXECSNOOP, TASKTREE = (
    ROOT / "examples" / name / f"{name}.bpf.o" for name in ("execsnoop", "tasktree")
)
BIG_ENDIAN = ROOT / "tests" / "golden" / "bigendian" / "bigendian.bpf.o"


def case(name: str) -> Case:
    return next(each for each in CASES if each.name == name)


# --- inputs and output


def test_inputs_of_all_sorts() -> None:
    """Files, open files and bytes give the same object."""
    from_files = link([EXECSNOOP, str(TASKTREE)])
    linker = Linker()
    with open(EXECSNOOP, "rb") as file:
        file.seek(10)
        linker.add_fd(file.fileno())
        assert file.tell() == 10
    linker.add_bytes(bytearray(TASKTREE.read_bytes()))
    assert linker.finalize() == from_files
    assert linker.finalize() == from_files
    assert link([EXECSNOOP.read_bytes(), TASKTREE.read_bytes()]) == from_files


def test_result_depends_on_order_alone() -> None:
    """Twice the same; another order is another object, with the same programs and maps."""
    one, other = link([EXECSNOOP, TASKTREE]), link([TASKTREE, EXECSNOOP])
    assert one == link([EXECSNOOP, TASKTREE])
    assert one != other
    assert load_spec(one).maps.keys() == load_spec(other).maps.keys()
    assert load_spec(one).programs.keys() == load_spec(other).programs.keys()


def test_write_replaces_in_one_step(tmp_path: Path) -> None:
    """The output keeps its permissions, and nothing else is left in the directory."""
    target = tmp_path / "out.o"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with open(target, "rb") as before:
        linker = Linker("out.o")
        linker.add_file(EXECSNOOP)
        linker.write(target)
        assert before.read() == b"old"
    assert target.read_bytes() == linker.finalize()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["out.o"]


def test_new_file_has_the_permissions_of_a_new_file(tmp_path: Path) -> None:
    """As of any file that is created: what the umask leaves."""
    (tmp_path / "plain").touch()
    linker = Linker()
    linker.add_file(EXECSNOOP)
    linker.write(tmp_path / "out.o")
    assert (tmp_path / "out.o").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_failing_write_leaves_nothing(tmp_path: Path) -> None:
    """Where the target cannot be replaced, the partial file goes."""
    (tmp_path / "out.o" / "full").mkdir(parents=True)
    linker = Linker()
    linker.add_file(EXECSNOOP)
    with pytest.raises(OSError, match="directory"):
        linker.write(tmp_path / "out.o")
    assert os.listdir(tmp_path) == ["out.o"]


@pytest.mark.parametrize("way", ["path", "symlink", "descriptor"])
def test_inputs_are_never_replaced(tmp_path: Path, way: str) -> None:
    """The output may not be an input, by whatever name, or opened by someone else."""
    source = tmp_path / "a.o"
    source.write_bytes(EXECSNOOP.read_bytes())
    target = source
    if way == "symlink":
        target = tmp_path / "link.o"
        target.symlink_to(source)
    linker = Linker("a.o")
    if way == "descriptor":
        with open(source, "rb") as file:
            linker.add_fd(file.fileno())
    else:
        linker.add_file(source)
    with pytest.raises(LinkerError, match="would replace the input"):
        linker.write(target)
    assert source.read_bytes() == EXECSNOOP.read_bytes()


def test_linker_is_used_once() -> None:
    """After `finalize`, and after an input that failed, nothing can be added."""
    linker = Linker("out.o")
    with pytest.raises(LinkerError, match=r"out\.o: nothing was added"):
        linker.finalize()
    linker.add_file(EXECSNOOP)
    linker.finalize()
    with pytest.raises(LinkerError, match="it was finalized"):
        linker.add_file(TASKTREE)
    linker = Linker("out.o")
    with pytest.raises(ElfError, match=r"bad\.o: not an ELF object"):
        linker.add_bytes(b"text", "bad.o")
    with pytest.raises(LinkerError, match=r"out\.o: .*adding bad\.o failed"):
        linker.add_file(EXECSNOOP)
    with pytest.raises(LinkerError, match=r"adding bad\.o failed"):
        linker.finalize()


def test_byte_orders_do_not_mix() -> None:
    """The message says which input is which."""
    with pytest.raises(LinkerError, match=r"bigendian\.bpf\.o is big-endian, .* little-endian"):
        link([EXECSNOOP, BIG_ENDIAN])


def test_missing_file(tmp_path: Path) -> None:
    """What the system says of a file that cannot be read goes through."""
    with pytest.raises(FileNotFoundError):
        link([tmp_path / "missing.o"])


# --- what is linked


@pytest.mark.needs("clang", "libbpf-dev")
@pytest.mark.parametrize(
    "name",
    ["statics", "callbacks", "own_and_extern_map", "bss", "kconfig", "core", "weak_variable"],
)
def test_big_endian(name: str) -> None:
    """Objects for the other byte order: the same sections, symbols, places and instructions."""
    little = case(name)
    big = Case(name, little.files, flags=("-target", "bpfeb"))
    one, other = read_elf(link(little.objects())), read_elf(link(big.objects()))
    assert other.byte_order == ">"
    sections = [
        [(s.name, s.size, s.align, s.link, s.info) for s in image.sections if ".BTF" not in s.name]
        for image in (one, other)
    ]
    assert sections[0] == sections[1]
    symbols = [
        [(s.name, s.value, s.size, s.type, s.bind, s.shndx) for s in image.symbols if s.type != 4]
        for image in (one, other)
    ]
    assert symbols[0] == symbols[1]
    specs = [load_spec(one), load_spec(other)]
    datasecs = [
        {t.name: t for _, t in spec.btf.types() if isinstance(t, Datasec)}
        for spec in specs
        if spec.btf is not None
    ]
    assert {n: [(v.offset, v.size) for v in t.vars] for n, t in datasecs[0].items()} == {
        n: [(v.offset, v.size) for v in t.vars] for n, t in datasecs[1].items()
    }
    for section in one.sections:
        if section.flags & 4:
            swapped = other.section(section.name)
            assert swapped is not None
            assert _swapped(swapped.data) == section.data


def _swapped(code: bytes) -> bytes:
    """Turn big-endian instructions into little-endian ones."""
    out = bytearray()
    for at in range(0, len(code), 8):
        insn = code[at : at + 8]
        out += bytes((insn[0], insn[1] >> 4 | (insn[1] & 15) << 4))
        out += insn[3:1:-1] + insn[:3:-1]
    return bytes(out)


@pytest.mark.needs("clang", "libbpf-dev")
def test_linking_in_steps() -> None:
    """What was linked links again: in two steps the same comes out as in one."""
    first, second, third = case("statics_of_three").objects()
    at_once = load_spec(link([first, second, third]))
    in_steps = load_spec(link([link([first, second]), third]))
    assert [p.code for p in at_once.programs.values()] == [
        p.code for p in in_steps.programs.values()
    ]
    assert at_once.btf is not None
    assert in_steps.btf is not None
    assert len(at_once.btf) == len(in_steps.btf)


@pytest.mark.needs("clang", "libbpf-dev")
def test_unresolved_names() -> None:
    """Externs that nothing defines are listed, those of the kernel and of Kconfig are not."""
    for name, expected in [
        ("unresolved_function", ["nowhere"]),
        ("unresolved_variable", ["nowhere"]),
        ("unresolved_map", ["m"]),
        ("ksyms", []),
        ("kconfig", []),
        ("call_forward", []),
    ]:
        linker = Linker()
        for path in case(name).objects():
            linker.add_file(path)
        assert linker.unresolved() == expected


@pytest.mark.needs("clang", "libbpf-dev")
def test_no_type_is_left_of_a_resolved_extern() -> None:
    """An extern's function and prototype make room for the definition's."""
    btf = _btf(link(case("call_forward").objects()))
    protos = [btf.c_name(i) for i, t in btf.types() if t.kind == 13]
    assert sorted(protos) == ["int (int x)", "int (struct __sk_buff *skb)"]


def _btf(data: bytes) -> Btf:
    section = read_elf(data).section(".BTF")
    assert section is not None
    return Btf.parse(section.data)


@pytest.mark.needs("clang", "libbpf-dev")
def test_extern_map_with_fewer_attributes() -> None:
    """An extern map may say less than its definition; bpftool wants it all. What it says counts."""
    definition = (
        "struct {{ __uint(type, BPF_MAP_TYPE_HASH); __type(key, int); __type(value, long);"
        ' __uint(max_entries, {}); }} m SEC(".maps");\n'
    )
    declaration = (
        "extern struct {{ __uint(type, BPF_MAP_TYPE_{}); __type(value, long); }} m"
        ' SEC(".maps");\nint get(void) {{ int k = 0; return !bpf_map_lookup_elem(&m, &k); }}'
    )
    files = (GPL + definition.format(5), declaration.format("HASH"))
    for order in (files, files[::-1]):
        spec = load_spec(link(Case("fewer", order).objects()))
        assert (spec.maps["m"].max_entries, spec.maps["m"].key_size) == (5, 4)
    with pytest.raises(LinkerError, match="map_type is 1 and 2"):
        link(Case("fewer_but_other", (files[0], declaration.format("ARRAY"))).objects())


@pytest.mark.needs("clang", "libbpf-dev")
def test_weak_and_strong_in_other_sections() -> None:
    """A weak zero and a strong value are in .bss and .data; bpftool does not link that."""
    weak = GPL + "int n __weak;\nint get(void) { return n; }"
    for name, files in [
        ("weak_bss", (weak, "int pad = 1; int n = 7;")),
        ("bss_weak", ("int pad = 1; int n = 7;", weak)),
    ]:
        spec = load_spec(link(Case(name, files).objects()))
        variable = spec.variables["n"]
        assert (variable.section, variable.offset) == (".data", 4)


# --- conflicts


@pytest.mark.needs("clang", "libbpf-dev")
def test_conflict_names_both_files_and_types(tmp_path: Path) -> None:
    """Both files, what differs, and both declarations in C; it pickles."""
    conflicting = Case(
        "told",
        (
            "struct s { int a; }; struct s x = {1};",
            "struct s { long b; }; extern struct s x;\nint use(void) { return x.b; }",
        ),
    )
    first, second = conflicting.objects()
    with pytest.raises(LinkerError) as raised:
        link([first, second])
    lines = str(raised.value).split("\n")
    assert lines[0].startswith(f"{second}: 'x' conflicts with {first}: member 0 of STRUCT 's'")
    assert lines[1:] == [
        f"  in {first}: struct s {{ int a; }}; struct s x",
        f"  in {second}: struct s {{ long b; }}; struct s x",
    ]
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


@pytest.mark.needs("clang", "libbpf-dev")
def test_without_types_nothing_links() -> None:
    """An object compiled without -g says so."""
    plain = Case("no_btf", ("int x = 1;",), flags=("-g0",))
    with pytest.raises(LinkerError, match=r"symbol 'x': there is no BTF: compile with clang -g"):
        link(plain.objects())


@pytest.mark.needs("clang", "libbpf-dev")
def test_local_symbols_first() -> None:
    """ELF wants local symbols before global ones."""
    image = read_elf(link(case("statics_of_three").objects()))
    binds = [symbol.bind == STB_LOCAL for symbol in image.symbols]
    assert binds == sorted(binds, reverse=True)
