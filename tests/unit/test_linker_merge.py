"""What is merged, and what cannot be: sections, records, licences, kernel functions, enums."""

from __future__ import annotations

import struct

import pytest
from bpfgen_runtime.btf import (
    BTF_FUNC_GLOBAL,
    BTF_VAR_GLOBAL_EXTERN,
    Btf,
    BtfType,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Func,
    FuncProto,
    Int,
    SecVar,
    Var,
    encode,
)
from bpfgen_runtime.elf.image import STB_GLOBAL, STB_WEAK, ElfImage
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import BtfError, LinkerError
from bpfgen_runtime.linker import link
from bpfgen_runtime.loader import load_spec

from tests.support.btfbuilder import info_table, raw_ext
from tests.support.elfwriter import (
    SHF_ALLOC,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_PROGBITS,
    STT_FUNC,
    STT_OBJECT,
    ElfWriter,
)
from tests.support.linksources import GPL, Case, map_of


def _types(image: ElfImage) -> Btf:
    section = image.section(".BTF")
    assert section is not None
    return Btf.parse(section.data)


# --- sections of one name


@pytest.mark.parametrize(
    ("one", "other", "word"),
    [
        ({"type": SHT_PROGBITS}, {"type": SHT_NOBITS}, "its type is 0x1 in <bytes 1> and 0x8 in"),
        ({"entsize": 1}, {"entsize": 2}, "its entry size is 0x1 in <bytes 1> and 0x2 in"),
        ({"flags": SHF_ALLOC}, {"flags": SHF_ALLOC | SHF_WRITE}, "its flags is 0x2 in"),
    ],
    ids=["type", "entry_size", "flags"],
)
def test_sections_that_do_not_fit(one: dict[str, int], other: dict[str, int], word: str) -> None:
    """Type, flags and entry size have to be the same, in either order."""

    def make(fields: dict[str, int]) -> bytes:
        elf = ElfWriter()
        elf.section(".data.x", bytes(8), **fields)  # type: ignore[arg-type]
        return elf.build()

    link([make(one), make(one)])
    link([make(other), make(other)])
    with pytest.raises(LinkerError, match=word):
        link([make(one), make(other)])
    with pytest.raises(LinkerError, match=r"section '\.data\.x' cannot be merged"):
        link([make(other), make(one)])


@pytest.mark.parametrize(
    ("one", "other", "place", "align"),
    [
        ((8, 64), (4, 4), 64, 64),
        ((6, 2), (4, 4), 8, 4),
        ((3, 1), (2, 1), 3, 1),
        ((3, 0), (2, 0), 3, 1),
    ],
)
def test_places(one: tuple[int, int], other: tuple[int, int], place: int, align: int) -> None:
    """The second begins at a multiple of the larger alignment, as in libbpf, not of its own."""
    inputs = []
    for number, (size, alignment) in enumerate((one, other), 1):
        elf = ElfWriter()
        elf.section(".data.x", bytes([number]) * size, align=alignment)
        inputs.append(elf.build())
    section = read_elf(link(inputs)).section(".data.x")
    assert section is not None
    assert section.align == align
    assert section.data == bytes([1]) * one[0] + bytes(place - one[0]) + bytes([2]) * other[0]


# --- .BTF.ext


def _with_records(size: int, *, section: str = "tc", type_id: int = 2, name: str = "f") -> bytes:
    """A function, and one func_info record of so many bytes about a section."""
    types: list[BtfType] = [FuncProto(0), Func(name, 1, BTF_FUNC_GLOBAL), Int(section, 4)]
    btf = encode(types, byte_order="<")
    parsed = Btf.parse(btf)
    offset = next(at for at in range(64) if at and _string(parsed, at) == section)
    record = struct.pack("<II", 0, type_id).ljust(size, b"\0")
    elf = ElfWriter()
    elf.symbol(name, elf.code("tc", bytes(8)), size=8, type=STT_FUNC)
    elf.section(".debug_tc", bytes(8))
    elf.section(".BTF", btf)
    elf.section(".BTF.ext", raw_ext([info_table(size, [(offset, [record])])]))
    return elf.build()


def _string(btf: Btf, at: int) -> str:
    try:
        return btf.string(at)
    except BtfError:
        return ""


def test_records_of_two_sizes() -> None:
    """Two compilers' records of one sort do not fit into one table."""
    link([_with_records(8), _with_records(8, name="g")])
    link([_with_records(12), _with_records(12, name="g")])
    with pytest.raises(
        LinkerError, match="func_info records of 8 bytes in <bytes 1>, and of 12 in <bytes 2>"
    ):
        link([_with_records(8), _with_records(12, name="g")])


@pytest.mark.parametrize("section", [".debug_tc", "nowhere"])
def test_records_about_no_section(section: str) -> None:
    """Records about a section that is dropped, or that there is not."""
    with pytest.raises(LinkerError, match=f"about section '{section}', which is not there"):
        link([_with_records(8, section=section)])


def test_records_of_no_type() -> None:
    """A record's type has to be one of its own input's, not of an earlier one's."""
    with pytest.raises(BtfError, match="<bytes 2>: there is no type id 4"):
        link([_with_records(8), _with_records(8, name="g", type_id=4)])


# --- license


def _license(name: str, tag: str = "") -> bytes:
    types: list[BtfType] = [Int("char", 1), Var(name, 1), Datasec("license", 4, [SecVar(2, 0, 4)])]
    if tag:
        types.append(DeclTag(tag, 2))
    elf = ElfWriter()
    section = elf.section("license", b"GPL\0", flags=SHF_ALLOC | SHF_WRITE)
    elf.symbol(name, section, size=4, type=STT_OBJECT)
    elf.section(".BTF", encode(types, byte_order="<"))
    return elf.build()


def test_tags_of_a_dropped_license() -> None:
    """Of two equal licences the first is there, and its tags; the second is not, nor its tags."""
    btf = _types(read_elf(link([_license("one", "first"), _license("two", "second")])))
    assert [t.name for _, t in btf.types() if isinstance(t, Var)] == ["one"]
    assert [t.name for _, t in btf.types() if isinstance(t, DeclTag)] == ["first"]


_READS = 'SEC("tc") int {name}(void *skb) {{ return {variable}[{at}]; }}\n'


@pytest.mark.needs("clang", "libbpf-dev")
def test_code_that_reads_the_license() -> None:
    """The second's code refers to the first's license, of that name or of none."""
    for kind, before in (("named", ""), ("static", "static volatile ")):
        license_text = before + 'char L[] SEC("license") = "GPL";\n'
        files = [
            license_text + _READS.format(name=name, variable="L", at=at)
            for name, at in (("f", 1), ("g", 2))
        ]
        image = read_elf(link(Case(f"reads_{kind}", tuple(files)).objects()))
        section = image.section("tc")
        license = image.section("license")
        assert section is not None
        assert license is not None
        symbols = [image.symbols[r.symbol] for r in image.relocations(section.index)]
        assert len(symbols) == 2
        assert symbols[0] == symbols[1]
        assert (symbols[0].shndx, symbols[0].name) == (
            license.index,
            "L" if kind == "named" else "",
        )


@pytest.mark.needs("clang", "libbpf-dev")
def test_code_that_reads_a_license_of_another_name() -> None:
    """What was dropped, and has no symbol in its place, is told."""
    files = (
        'char L[] SEC("license") = "GPL";\n',
        'char M[] SEC("license") = "GPL";\n' + _READS.format(name="g", variable="M", at=0),
    )
    with pytest.raises(LinkerError, match="refers to symbol 'M' in a section that is not linked"):
        link(Case("reads_other", files).objects())


# --- what bpftool 7.1 or clang 14 lacks


@pytest.mark.needs("clang", "libbpf-dev")
@pytest.mark.parametrize(
    ("one", "other", "bind"),
    [("__weak", "__weak", STB_WEAK), ("__weak", "", STB_GLOBAL), ("", "__weak", STB_GLOBAL)],
)
def test_kernel_functions_of_two_files(one: str, other: str, bind: int) -> None:
    """One FUNC, once in .ksyms; it is weak if it is weak in both."""
    text = (
        'extern int bpf_some(int x) __ksym {weak};\nSEC("tc") int {name}(void *skb)'
        " {{ return {test}bpf_some(1); }}"
    )
    files = tuple(
        text.format(weak=weak, name=name, test="!bpf_some ? 0 : " if weak else "")
        for name, weak in (("f", one), ("g", other))
    )
    image = read_elf(link(Case(f"kernel{one}{other}", files).objects()))
    assert [s.bind for s in image.symbols if s.name == "bpf_some"] == [bind]
    btf = _types(image)
    functions = [i for i, t in btf.types() if t.name == "bpf_some"]
    assert len(functions) == 1
    ksyms = [t for _, t in btf.types() if isinstance(t, Datasec) and t.name == ".ksyms"]
    assert [v.type for v in ksyms[0].vars] == functions


@pytest.mark.needs("clang", "libbpf-dev")
def test_map_extra_is_compared() -> None:
    """libbpf does not; but one of two numbers of hash functions would be lost."""
    kind, key, value = "BPF_MAP_TYPE_BLOOM_FILTER", "__uint(key_size, 0)", "__type(value, int)"
    extern = "int get(void) { int v = 0; return bpf_map_peek_elem(&m, &v); }"
    for number, fits in ((3, True), (4, False)):
        extra = [f"__uint(map_extra, {n});" for n in (3, number)]
        files = (
            GPL + map_of("m", kind=kind, key=key, value=value, more=extra[0]),
            map_of("m", "extern", kind=kind, key=key, value=value, more=extra[1]) + extern,
        )
        objects = Case(f"extra_{number}", files).objects()
        if fits:
            assert load_spec(link(objects)).maps["m"].map_extra == 3
            continue
        with pytest.raises(LinkerError, match="map_extra is 3 and 4"):
            link(objects)


def _enum(kind: type[Enum], value: int, linkage: int) -> bytes:
    size = 8 if kind is Enum64 else 4
    types: list[BtfType] = [
        kind("e", size, [Enumerator("A", value)]),
        Var("x", 1, linkage),
        Datasec(".data" if linkage == 1 else ".extern", size, [SecVar(2, 0, size)]),
    ]
    elf = ElfWriter()
    if linkage == BTF_VAR_GLOBAL_EXTERN:
        elf.symbol("x")
    else:
        data = elf.section(".data", bytes(size), flags=SHF_ALLOC | SHF_WRITE, align=size)
        elf.symbol("x", data, size=size, type=STT_OBJECT)
    elf.section(".BTF", encode(types, byte_order="<"))
    return elf.build()


@pytest.mark.parametrize("swap", [False, True])
def test_large_enums(swap: bool) -> None:
    """ENUM64: the size and the name are compared, as of an ENUM, which it is not."""
    inputs = [_enum(Enum64, 1 << 40, 1), _enum(Enum64, 2, BTF_VAR_GLOBAL_EXTERN)]
    btf = _types(read_elf(link(inputs[::-1] if swap else inputs)))
    variables = [t for _, t in btf.types() if isinstance(t, Var)]
    assert [(v.name, v.linkage) for v in variables] == [("x", 1)]
    assert btf.type(variables[0].type) == Enum64("e", 8, [Enumerator("A", 1 << 40)])
    inputs[1] = _enum(Enum, 2, BTF_VAR_GLOBAL_EXTERN)
    with pytest.raises(LinkerError, match=r"a ENUM(64 and a ENUM|\b and a ENUM64)"):
        link(inputs[::-1] if swap else inputs)
