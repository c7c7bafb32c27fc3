"""Inputs that no clang makes, or only newer ones, and what a damaged one is told to be."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal

import pytest
from bpfgen_runtime.btf import (
    BTF_FUNC_GLOBAL,
    BTF_VAR_GLOBAL_EXTERN,
    Btf,
    BtfType,
    Datasec,
    Func,
    FuncProto,
    Int,
    SecVar,
    Var,
    encode,
)
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import BpfError, ElfError, LinkerError
from bpfgen_runtime.linker import Linker, link

from tests.support.elfwriter import (
    R_BPF_64_64,
    R_BPF_64_ABS32,
    R_BPF_64_ABS64,
    SHF_ALLOC,
    SHF_WRITE,
    SHN_COMMON,
    SHT_NOBITS,
    SHT_SYMTAB,
    STB_LOCAL,
    STT_FUNC,
    STT_OBJECT,
    STT_SECTION,
    ElfWriter,
)
from tests.support.linksources import Case

X = [Int("int", 4), Var("x", 1), Datasec(".data", 4, [SecVar(2, 0, 4)])]


class Made(ElfWriter):
    """An object in the making: 16 bytes of data, in which `x` is, and 16 of code."""

    def __init__(self, types: list[BtfType] = X, order: Literal["<", ">"] = "<") -> None:
        super().__init__()
        self.data = self.section(".data", bytes(16), flags=SHF_ALLOC | SHF_WRITE, align=4)
        self.text = self.code("tc", bytes(16))
        self.section(".BTF", encode(types, byte_order=order))
        self.x = self.symbol("x", self.data, size=4, type=STT_OBJECT)


def _ambiguous() -> bytes:
    return Made(
        [
            Int("int", 4),
            Var("x", 1),
            FuncProto(1),
            Func("x", 3, BTF_FUNC_GLOBAL),
            Datasec(".data", 4, [SecVar(2, 0, 4)]),
        ]
    ).build()


def _overlapping() -> bytes:
    made = Made()
    for name in ("one", "two"):
        made.section(name, b"", size=512, offset=0)
    return made.build()


def _two_symbol_tables() -> bytes:
    made = Made()
    made.section("more", bytes(24), type=SHT_SYMTAB, entsize=24)
    return made.build()


def _symbol(name: str = "s", *, shndx: int = 1, **fields: int) -> Callable[[], bytes]:
    def make() -> bytes:
        made = Made()
        made.symbol(name, shndx, **fields)
        return made.build()

    return make


def _relocated(name: str, offset: int, type_: int) -> Callable[[], bytes]:
    def make() -> bytes:
        made = Made()
        made.relocs(made.data if name == ".data" else made.text, [(offset, type_, made.x)])
        return made.build()

    return make


def _large() -> bytes:
    made = Made()
    made.section(".bss", type=SHT_NOBITS, size=1 << 32)
    return made.build()


_COMMON = "is a common block; compile with -fno-common"
_EXTERN = "is extern, but has a type, a place or no linkage"

#: What is wrong, the object, and what is told.
WRONG: list[tuple[str, Callable[[], bytes], str]] = [
    ("ambiguous", _ambiguous, "BTF has two types of symbol 'x', [4] and [2]"),
    ("btf_of_other_order", lambda: Made(order=">").build(), "BTF of the other byte order"),
    ("overlapping", _overlapping, "sections overlap"),
    ("two_symbol_tables", _two_symbol_tables, "more than one symbol table"),
    ("common", _symbol(shndx=SHN_COMMON, type=STT_OBJECT, value=4, size=4), _COMMON),
    (
        "section_with_value",
        _symbol("", value=4, type=STT_SECTION, bind=STB_LOCAL),
        "stands for a section, but not for its start",
    ),
    ("extern_with_type", _symbol(shndx=0, type=STT_FUNC), _EXTERN),
    ("extern_with_value", _symbol(shndx=0, value=8), _EXTERN),
    ("extern_with_size", _symbol(shndx=0, size=8), _EXTERN),
    ("local_extern", _symbol(shndx=0, bind=STB_LOCAL), _EXTERN),
    ("nameless_extern", _symbol("", shndx=0), "is extern and has no name"),
    ("relocated_end", _relocated("tc", 8, R_BPF_64_64), "relocation at 0x8 is outside of 'tc'"),
    ("relocated_behind", _relocated("tc", 16, R_BPF_64_64), "0x10 is outside of 'tc'"),
    ("data_relocated", _relocated(".data", 12, R_BPF_64_ABS64), "0xc is outside of '.data'"),
    ("data_relocated_short", _relocated(".data", 14, R_BPF_64_ABS32), "0xe is outside of"),
    ("large", _large, "4294967296 bytes are too many"),
]


@pytest.mark.parametrize(("make", "word"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_wrong_inputs(make: Callable[[], bytes], word: str) -> None:
    """Each is refused by what it is, and named."""
    link([Made().build()])
    with pytest.raises(BpfError) as raised:
        link([make()])
    assert isinstance(raised.value, (ElfError, LinkerError))
    assert word in str(raised.value)
    assert str(raised.value).startswith("<bytes 1>: ")


@pytest.mark.needs("clang", "libbpf-dev")
def test_common_blocks() -> None:
    """What -fcommon makes of `int x;` is refused, and the message says how to compile it."""
    with pytest.raises(ElfError, match=f"'x' {_COMMON}"):
        link(Case("common", ("int x; int f(void) { return x; }",), flags=("-fcommon",)).objects())


def test_sections_that_grow_too_large() -> None:
    """Each may be as large as BTF can say; put behind each other, they are too large."""
    elf = ElfWriter()
    elf.section(".bss", type=SHT_NOBITS, size=0xFFFFFFFF, flags=SHF_ALLOC | SHF_WRITE)
    data = elf.build()
    link([data])
    with pytest.raises(LinkerError, match=r"section '\.bss' would have 8589934590 bytes"):
        link([data, data])


# --- relocations that clang 14 does not make


@pytest.mark.parametrize(
    ("type_", "code"), [(R_BPF_64_ABS32, "I"), (R_BPF_64_ABS64, "Q")], ids=["32", "64"]
)
def test_addresses_in_data(type_: int, code: str) -> None:
    """They go by the symbol: what is stored there stays, the place moves with its section."""
    inputs = []
    for name in ("x", "y"):
        types: list[BtfType] = [Int("int", 4), Var(name, 1), Datasec(".data", 4, [SecVar(2, 0, 4)])]
        elf = ElfWriter()
        data = elf.section(
            ".data", struct.pack("<Q" + code, 0, 7), flags=SHF_ALLOC | SHF_WRITE, align=8
        )
        elf.section(".BTF", encode(types, byte_order="<"))
        elf.relocs(data, [(8, type_, elf.symbol(name, data, size=4, type=STT_OBJECT))])
        inputs.append(elf.build())
    image = read_elf(link(inputs))
    section = image.section(".data")
    assert section is not None
    assert section.data[16:] == struct.pack("<Q" + code, 0, 7)
    relocations = [
        (r.offset, r.type, image.symbols[r.symbol].name, image.symbols[r.symbol].value)
        for r in image.relocations(section.index)
    ]
    assert relocations == [(8, type_, "x", 0), (24, type_, "y", 16)]


def test_jump_tables() -> None:
    """Their symbols are global, have one name in all files, and are not one; BTF lacks them."""
    inputs = []
    for size in (8, 16):
        made = Made([Int("int", 4)])
        made._symbols.clear()
        table = made.section(".jumptables", bytes(size))
        made.symbol("BPF.JT.0.0", table, size=size, type=STT_OBJECT)
        inputs.append(made.build())
    image = read_elf(link(inputs))
    section = image.section(".jumptables")
    assert section is not None
    tables = [(s.value, s.size) for s in image.symbols if s.name == "BPF.JT.0.0"]
    assert (section.size, tables) == (24, [(0, 8), (8, 16)])


# --- what BTF may say, though clang does not


def test_declared_twice() -> None:
    """Of two FUNCs of one name the last counts, and the other is not in the output."""
    types: list[BtfType] = [
        Int("int", 4),
        FuncProto(1),
        Func("f", 2, BTF_FUNC_GLOBAL),
        FuncProto(0),
        Func("f", 4, BTF_FUNC_GLOBAL),
    ]
    elf = ElfWriter()
    elf.symbol("f", elf.code("tc", bytes(16)), size=16, type=STT_FUNC)
    elf.section(".BTF", encode(types, byte_order="<"))
    image = read_elf(link([elf.build()]))
    section = image.section(".BTF")
    assert section is not None
    btf = Btf.parse(section.data)
    assert [btf.c_name(i) for i, t in btf.types() if isinstance(t, Func)] == ["void f(void)"]


@pytest.mark.parametrize("first", [False, True])
def test_function_that_is_a_variable_elsewhere(first: bool) -> None:
    """One input's BTF has a function, without a symbol, that is another's variable."""
    elf = ElfWriter()
    elf.section(".BTF", encode([FuncProto(0), Func("x", 1, BTF_FUNC_GLOBAL)], byte_order="<"))
    inputs = [elf.build(), Made().build()]
    linker = Linker()
    for data in inputs if first else inputs[::-1]:
        linker.add_bytes(data)
    with pytest.raises(LinkerError, match=r"'x' is a function in one of .*, and a variable in the"):
        linker.finalize()


def test_extern_that_nothing_knows() -> None:
    """A symbol that BTF lacks is refused by its name."""
    types: list[BtfType] = [Int("int", 4), Var("y", 1, BTF_VAR_GLOBAL_EXTERN)]
    elf = ElfWriter()
    elf.symbol("x")
    elf.section(".BTF", encode(types, byte_order="<"))
    with pytest.raises(LinkerError, match="nothing is known of symbol 'x': BTF lacks it"):
        link([elf.build()])
