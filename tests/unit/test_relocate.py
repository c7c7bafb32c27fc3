"""Linking programs: subprograms appended and called, maps and globals filled in."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import Datasec, DeclTag, Func, FuncProto, SecVar, Var
from bpfgen_runtime.elf.reader import read_elf
from bpfgen_runtime.errors import RelocationError
from bpfgen_runtime.insn import (
    BPF_CALL,
    BPF_EXIT,
    BPF_JMP,
    BPF_PSEUDO_CALL,
    BPF_PSEUDO_FUNC,
    BPF_PSEUDO_MAP_FD,
    BPF_PSEUDO_MAP_VALUE,
    LD_IMM64,
    Insn,
    decode,
    encode,
)
from bpfgen_runtime.linked import LinkedProgram
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.relocate import (
    Relocator,
    describe_poison,
    poisoned_map,
    unresolved,
)

from tests.support.btfbuilder import info_table, raw_ext
from tests.support.clang import compile_bpf
from tests.support.elfwriter import (
    R_BPF_64_32,
    R_BPF_64_64,
    SHF_ALLOC,
    SHF_WRITE,
    SHN_ABS,
    STB_GLOBAL,
    STB_LOCAL,
    STT_FUNC,
    STT_OBJECT,
    STT_SECTION,
    ElfWriter,
    minimal,
)
from tests.support.objects import Types, map_image

EXIT = Insn(BPF_JMP | BPF_EXIT)
HELPER_CALL = Insn(BPF_JMP | BPF_CALL, imm=7)


def call(imm: int) -> Insn:
    return Insn(BPF_JMP | BPF_CALL, src=BPF_PSEUDO_CALL, imm=imm)


def load(imm: int = 0) -> Insn:
    return Insn(LD_IMM64, dst=1, imm=imm)


class Builder:
    """An object with code in `.text` and in `tc`; relocations are given by (slot, symbol)."""

    def __init__(self, order: str = "<") -> None:
        self.elf = ElfWriter(order)  # type: ignore[arg-type]
        self.order = order

    def code(self, section: str, insns: list[Insn]) -> int:
        return self.elf.code(section, encode(insns, self.order))  # type: ignore[arg-type]

    def function(self, name: str, section: int, start: int, count: int, **how: int) -> int:
        return self.elf.symbol(name, section, value=8 * start, size=8 * count, type=STT_FUNC, **how)

    def relocs(self, section: int, places: list[tuple[int, int]], kind: int = R_BPF_64_64) -> None:
        self.elf.relocs(section, [(8 * slot, kind, symbol) for slot, symbol in places])

    def link(self, program: str = "main") -> LinkedProgram:
        spec = load_spec(self.elf.build())
        return Relocator(spec).link(spec.programs[program])


def insns_of(linked: LinkedProgram, **fds: int) -> list[Insn]:
    code = linked.fill_in(
        {name.replace("_", "."): fd for name, fd in fds.items()}, ["m", ".data", ".kconfig"]
    )
    return decode(code, linked.spec.byte_order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_calls_across_sections(order: str) -> None:
    """Subprograms follow in the order of first calls, depth first; each is there once."""
    b = Builder(order)
    # .text: a calls c (no relocation: same section), b calls a by relocation, c is a leaf
    text = b.code(".text", [call(3), EXIT, call(-1), EXIT, EXIT])
    section = b.elf.symbol("", text, type=STT_SECTION, bind=STB_LOCAL)
    b.function("a", text, 0, 2, bind=STB_LOCAL)
    sym_b = b.function("b", text, 2, 2)
    b.function("c", text, 4, 1, bind=STB_LOCAL)
    b.relocs(text, [(2, section)], R_BPF_64_32)
    main = b.code("tc", [call(-1), call(-1), HELPER_CALL, call(3), EXIT])
    b.function("main", main, 0, 5)
    b.relocs(main, [(0, sym_b), (1, section), (3, section)], R_BPF_64_32)

    linked = b.link()
    # main 0-4, b 5-6, a 7-8, c 9
    assert decode(bytes(linked.code), linked.spec.byte_order) == [
        call(4),  # 0 -> b at 5
        call(5),  # 1 -> a at 7
        HELPER_CALL,
        call(5),  # 3 -> c at 9
        EXIT,
        call(1),  # 5 -> a at 7
        EXIT,
        call(1),  # 7 -> c at 9
        EXIT,
        EXIT,
    ]


def test_recursion_ends() -> None:
    """Functions that call one another are appended once; what the verifier thinks is its affair."""
    b = Builder()
    text = b.code(".text", [call(1), EXIT, call(-3), EXIT])
    b.function("ping", text, 0, 2)
    b.function("pong", text, 2, 2)
    main = b.code("tc", [call(-1), EXIT])
    b.function("main", main, 0, 2)
    b.relocs(main, [(0, 1)], R_BPF_64_32)
    assert decode(bytes(b.link().code), "<") == [call(1), EXIT, call(1), EXIT, call(-3), EXIT]


def test_each_program_has_its_own_subprograms() -> None:
    """What one program calls is not in the other; linking changes no spec."""
    spec = load_spec(str(compile_bpf("load_subprogs")))
    before = {f.name: f.code for f in [*spec.programs.values(), *spec.subprograms]}
    relocator = Relocator(spec)
    size = {name: len(relocator.link(program).code) // 8 for name, program in spec.programs.items()}
    length = {f.name: f.insn_count for f in [*spec.programs.values(), *spec.subprograms]}
    shared = length["middle"] + length["leaf"]
    assert size["first"] == length["first"] + length["global_sum"] + shared
    assert size["third"] == length["third"] + length["hidden_sum"] + shared
    assert {f.name: f.code for f in [*spec.programs.values(), *spec.subprograms]} == before


@pytest.mark.parametrize("order", ["<", ">"])
def test_function_addresses(order: str) -> None:
    """A load of a function's address becomes relative, and brings the function along."""
    b = Builder(order)
    text = b.code(".text", [EXIT, EXIT])
    section = b.elf.symbol("", text, type=STT_SECTION, bind=STB_LOCAL)
    b.function("first", text, 0, 1, bind=STB_LOCAL)
    second = b.function("second", text, 1, 1)
    main = b.code("tc", [load(0), load(0), load(8), EXIT])
    b.function("main", main, 0, 7)
    b.relocs(main, [(0, section), (2, second), (4, section)])
    insns = decode(bytes(b.link().code), order)  # type: ignore[arg-type]
    # main 0-6, first 7, second 8
    assert [(i.src, i.imm) for i in insns[:3]] == [
        (BPF_PSEUDO_FUNC, 7 - 0 - 1),
        (BPF_PSEUDO_FUNC, 8 - 2 - 1),
        (BPF_PSEUDO_FUNC, 8 - 4 - 1),
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_global_data(order: str) -> None:
    """A global's load gets the map's descriptor and, in the second slot, symbol plus addend."""
    b = Builder(order)
    data = b.elf.section(".data", bytes(32), flags=SHF_ALLOC | SHF_WRITE)
    section = b.elf.symbol("", data, type=STT_SECTION, bind=STB_LOCAL)
    counter = b.elf.symbol("counter", data, value=16, size=8, type=STT_OBJECT)
    main = b.code("tc", [load(8), load(4), EXIT])
    b.function("main", main, 0, 5)
    b.relocs(main, [(0, section), (2, counter)])
    insns = insns_of(b.link(), _data=33)
    assert [(i.src, i.imm, i.next_imm) for i in insns[:2]] == [
        (BPF_PSEUDO_MAP_VALUE, 33, 8),
        (BPF_PSEUDO_MAP_VALUE, 33, 20),
    ]


def _map_user(*insns: Insn, places: list[int], symbol: int = 4) -> Builder:
    """A program `main` whose given slots refer to map `m`, or to another symbol."""
    b = Builder()
    main = b.code("tc", list(insns))
    b.function("main", main, 0, sum(i.slots for i in insns))
    b.relocs(main, [(slot, symbol) for slot in places])  # 4: the one that map_image adds
    return b


def _map_spec(b: Builder) -> tuple[LinkedProgram, list[str]]:
    types = Types()
    b.elf.symbol("padding")
    b.elf.symbol("padding2")
    image = map_image(types, [("type", types.uint(1))], elf=b.elf)
    assert image.symbols[4].name == "m"
    for symbol in image.symbols[2:4]:
        symbol.name = ""  # nothing that would be an extern
    spec = load_spec(image)
    return Relocator(spec).link(spec.programs["main"]), list(spec.maps)


def test_maps() -> None:
    """A map's load gets its descriptor, in every place that uses it."""
    linked, names = _map_spec(_map_user(load(), load(), EXIT, places=[0, 2]))
    assert linked.map_uses == [(0, "m", False), (2, "m", False)]
    insns = decode(linked.fill_in({"m": 9}, names), "<")
    assert [(i.src, i.imm, i.next_imm) for i in insns[:2]] == [(BPF_PSEUDO_MAP_FD, 9, 0)] * 2


def test_map_that_was_not_created() -> None:
    """Its load becomes a call that the verifier refuses, with the map's number in it."""
    linked, names = _map_spec(_map_user(load(), EXIT, places=[0]))
    insns = decode(linked.fill_in({}, ["x", *names]), "<")
    assert insns == [Insn(BPF_JMP | BPF_CALL, imm=2001000001)] * 2 + [EXIT]
    log = "3: (85) call unknown#2001000001\ninvalid func unknown#2001000001\nprocessed 4 insns"
    assert poisoned_map(log, ["x", "m"]) == "m"


@pytest.mark.parametrize(
    "log",
    ["", "invalid func unknown#195896080", "invalid func unknown#2001000007", "unknown#2001x"],
)
def test_logs_without_a_missing_map(log: str) -> None:
    """Only the numbers that linking wrote name a map."""
    assert poisoned_map(log, ["x", "m"]) is None


def _wrong_symbol(b: Builder, kind: str) -> int:
    if kind == "undefined":
        return b.elf.symbol("gone", 0, type=STT_FUNC)
    if kind == "absolute":
        return b.elf.symbol("gone", SHN_ABS)
    section = b.elf.section(".comment", bytes(8))
    return b.elf.symbol("gone", section, type=STT_OBJECT)


@pytest.mark.parametrize(
    ("insns", "slot", "kind", "message"),
    [
        ([load(), EXIT], 0, "undefined", "symbol 'gone' is not defined"),
        ([load(), EXIT], 0, "other", "'gone' of section '.comment' is neither map nor global data"),
        ([load(), EXIT], 1, "other", "no call and no 64-bit load there"),
        ([EXIT, EXIT], 0, "other", "no call and no 64-bit load there"),
        ([call(-1), EXIT], 0, "other", "calls 'gone' of section '.comment': only .text"),
        ([HELPER_CALL, EXIT], 0, "other", "a call relocated by 'gone' calls no function"),
        ([call(-1), EXIT], None, "other", "calls a function of the same section"),
    ],
)
def test_bad_references(insns: list[Insn], slot: int | None, kind: str, message: str) -> None:
    """A reference that leads nowhere names function, instruction and symbol."""
    b = Builder()
    main = b.code("tc", insns)
    b.function("main", main, 0, sum(i.slots for i in insns))
    if slot is not None:
        b.relocs(main, [(slot, _wrong_symbol(b, kind))])
    with pytest.raises(
        RelocationError, match=f"function 'main', instruction {slot or 0}: .*{message}"
    ):
        b.link()


@pytest.mark.parametrize(
    ("insn", "symbol", "offset"),
    [
        (call(0), 0, 8),
        (call(-1), 136, 136),
        (call(-3), 0, -16),
        (call(-1), 4, 4),
        (load(4), 0, 4),
        (load(80), 0, 80),
    ],
)
def test_calls_into_nowhere(insn: Insn, symbol: int, offset: int) -> None:
    """A call must go to the first instruction of a function."""
    b = Builder()
    text = b.code(".text", [EXIT, EXIT])
    section = b.elf.symbol("", text, value=symbol, type=STT_SECTION)
    b.function("both", text, 0, 2)
    main = b.code("tc", [insn, EXIT])
    b.function("main", main, 0, insn.slots + 1)
    b.relocs(main, [(0, section)])
    with pytest.raises(RelocationError, match=f"no function begins at offset {offset:#x} of .text"):
        b.link()


def test_map_section_between_maps() -> None:
    """A load of a place in `.maps` where no map begins is an error."""
    b = _map_user(load(), EXIT, places=[0], symbol=2)
    b.elf.symbol("inside", 5, value=8, type=STT_OBJECT)  # 5: what map_image adds
    types = Types()
    image = map_image(types, [("type", types.uint(1)), ("max_entries", types.uint(1))], elf=b.elf)
    maps = image.section(".maps")
    assert maps is not None
    image.symbols[2].shndx = maps.index
    spec = load_spec(image)
    with pytest.raises(RelocationError, match=r"'inside': no map begins at offset 0x8 of \.maps"):
        Relocator(spec).link(spec.programs["main"])


def test_load_cut_off_by_the_end() -> None:
    """A 64-bit load in the last slot has no second half to fill in."""
    b = Builder()
    code = encode([load()], "<")[:8]
    main = b.elf.code("tc", code)
    b.function("main", main, 0, 1)
    data = b.elf.section(".data", bytes(8), flags=SHF_ALLOC | SHF_WRITE)
    b.relocs(main, [(0, b.elf.symbol("x", data, type=STT_OBJECT))])
    with pytest.raises(RelocationError, match="no call and no 64-bit load there"):
        b.link()


def test_setting_is_the_value_of_a_map() -> None:
    """A `.kconfig` extern becomes an address within the map of that name."""
    types = Types()
    var = types.add(Var("CONFIG_HZ", 1, 2))
    big = types.add(Var("CONFIG_BIG", 2, 2))
    types.add(Datasec(".kconfig", 0, [SecVar(var, 0, 4), SecVar(big, 0, 8)]))
    b = Builder()
    main = b.code("tc", [load(), EXIT])
    b.function("main", main, 0, 3)
    b.relocs(main, [(0, b.elf.symbol("CONFIG_HZ"))])
    b.elf.symbol("CONFIG_BIG")
    b.elf.section(".BTF", types.build())
    linked = b.link()
    assert linked.map_uses == [(0, ".kconfig", True)]
    assert insns_of(linked, _kconfig=7) == [
        Insn(LD_IMM64, dst=1, src=BPF_PSEUDO_MAP_VALUE, imm=7, next_imm=8),
        EXIT,
    ]


def test_setting_that_is_called() -> None:
    """A call of a `.kconfig` extern leads nowhere."""
    types = Types()
    var = types.add(Var("CONFIG_HZ", 1, 2))
    types.add(Datasec(".kconfig", 0, [SecVar(var, 0, 4)]))
    b = Builder()
    main = b.code("tc", [call(-1), EXIT])
    b.function("main", main, 0, 2)
    b.relocs(main, [(0, b.elf.symbol("CONFIG_HZ"))], R_BPF_64_32)
    b.elf.section(".BTF", types.build())
    with pytest.raises(RelocationError, match="symbol 'CONFIG_HZ' is not defined"):
        b.link()


# --- exception callbacks


def callbacks(
    *tags: tuple[str, str], bind: int = STB_GLOBAL, hidden: bool = False, tagged: int = 1
) -> Builder:
    """Build `main`, which calls `used`, and subprograms `used` and `thrown`; tag functions.

    Args:
        tags: (function, text).
        tagged: the linkage of `main` in BTF.
    """
    b = Builder()
    text = b.code(".text", [EXIT, HELPER_CALL, call(-3), EXIT])
    used = b.function("used", text, 0, 1)
    b.function("thrown", text, 1, 3, bind=bind, visibility=2 if hidden else 0)
    main = b.code("tc", [call(-1), EXIT])
    b.function("main", main, 0, 2)
    b.relocs(main, [(0, used)], R_BPF_64_32)
    types = Types()
    proto = types.add(FuncProto(1))
    ids = {
        name: types.add(Func(name, proto, tagged if name == "main" else 1))
        for name in ("main", "used", "thrown")
    }
    for name, text_ in tags:
        types.add(DeclTag(text_, ids[name]))
    b.elf.section(".BTF", types.build())
    return b


def test_exception_callback_is_appended() -> None:
    """What the tag names comes after all that the program calls, and once."""
    linked = callbacks(("main", "exception_callback:thrown")).link()
    assert insns_of(linked) == [call(1), EXIT, EXIT, HELPER_CALL, call(-3), EXIT]
    linked = callbacks(("main", "exception_callback:used")).link()
    assert insns_of(linked) == [call(1), EXIT, EXIT]


def test_exception_callback_is_among_the_functions() -> None:
    """CO-RE relocates the callback, too."""
    spec = load_spec(callbacks(("main", "exception_callback:thrown")).elf.build())
    found = Relocator(spec).functions_of([spec.programs["main"]])
    assert [function.name for function in found] == ["main", "thrown", "used"]


def test_several_exception_callbacks() -> None:
    """The verifier refuses a program with two: none is appended, as with libbpf."""
    tags = ("main", "exception_callback:thrown"), ("main", "exception_callback:used")
    assert len(insns_of(callbacks(*tags).link())) == 3


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (callbacks(("main", "exception_callback:gone")), "'main'.* no exception callback 'gone'"),
        (callbacks(("main", "exception_callback:")), "'main' names an empty"),
        (callbacks(("main", "exception_callback:thrown"), bind=STB_LOCAL), "'thrown' must be"),
        (callbacks(("main", "exception_callback:thrown"), hidden=True), "'thrown' must be"),
        (callbacks(("main", "exception_callback:thrown"), tagged=0), "on 'main', which is no prog"),
    ],
)
def test_bad_exception_callback(builder: Builder, message: str) -> None:
    """A callback must be a global function that is not hidden; errors name program and function."""
    with pytest.raises(RelocationError, match=message):
        builder.link()


# --- .BTF.ext


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def _object_with_infos(
    func_info: list[tuple[str, list[bytes]]],
    line_info: list[tuple[str, list[bytes]]],
) -> Builder:
    """`main` of two instructions in tc calls `sub` of one, the second function of .text."""
    b = Builder()
    text = b.code(".text", [EXIT, EXIT])
    b.function("other", text, 0, 1)
    sub = b.function("sub", text, 1, 1)
    main = b.code("tc", [call(-1), EXIT])
    b.function("main", main, 0, 2)
    b.relocs(main, [(0, sub)], R_BPF_64_32)
    types = Types()
    proto = types.add(FuncProto(1))
    for name in ("main", "sub", "tc", ".text"):
        types.add(Func(name, proto, 1))
    blob = types.build()
    strings = blob[24 + int.from_bytes(blob[16:20], "little") :]

    def table(size: int, sections: list[tuple[str, list[bytes]]]) -> bytes:
        if not sections:
            return b""
        return info_table(
            size, [(strings.index(f"\0{name}\0".encode()) + 1, recs) for name, recs in sections]
        )

    b.elf.section(".BTF", blob)
    tables = [table(8, func_info), table(16, line_info)]
    b.elf.section(".BTF.ext", raw_ext(tables))
    return b


FUNCS = [("tc", [_words(0, 4)]), (".text", [_words(0, 9), _words(8, 5)])]
LINES = [
    ("tc", [_words(0, 1, 1, 1024), _words(8, 1, 1, 2048)]),
    (".text", [_words(0, 1, 1, 3072), _words(8, 1, 1, 4096)]),
]


def test_function_and_line_records() -> None:
    """Records of all parts are joined, and count instructions from the program's first."""
    linked = _object_with_infos(FUNCS, LINES).link()
    assert (linked.func_info_size, linked.line_info_size) == (8, 16)
    assert linked.func_info == _words(0, 4) + _words(2, 5)
    assert linked.line_info == (
        _words(0, 1, 1, 1024) + _words(1, 1, 1, 2048) + _words(2, 1, 1, 4096)
    )


def test_main_program_without_records() -> None:
    """Without records of the entry program there are none at all: the kernel wants all or none."""
    linked = _object_with_infos(FUNCS[1:], LINES[1:]).link()
    assert (linked.func_info, linked.line_info) == (b"", b"")


@pytest.mark.parametrize(
    ("funcs", "lines", "what"), [(FUNCS[:1], LINES, "function"), (FUNCS, LINES[:1], "line")]
)
def test_subprogram_without_records(
    funcs: list[tuple[str, list[bytes]]], lines: list[tuple[str, list[bytes]]], what: str
) -> None:
    """A subprogram without records, where its caller has some, is an error."""
    with pytest.raises(RelocationError, match=f"no {what} info of function 'sub'"):
        _object_with_infos(funcs, lines).link()


def test_core_patched_functions() -> None:
    """What CO-RE made of a function goes in place of its code; poisoned ones are known by index."""
    b = _object_with_infos(FUNCS, LINES)
    spec = load_spec(b.elf.build())
    relocator = Relocator(spec)
    main, sub = relocator.functions_of([spec.programs["main"]])
    relocator.patched = {sub: (encode([HELPER_CALL], "<"), {0: "no such field"})}  # type: ignore[dict-item]
    linked = relocator.link(main)
    assert decode(bytes(linked.code), "<") == [call(1), EXIT, HELPER_CALL]
    assert [describe_poison(linked, insn) for insn in (0, 1, 2)] == [None, None, "no such field"]


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("1: (85) call unknown#195896080\ninvalid func unknown#195896080\n", "gone"),
        ("1: (85) call unknown#195896080\ninvalid func unknown#195896080\nprocessed 2\n", "gone"),
        ("2: (85) call unknown#195896080\ninvalid func unknown#195896080\n", None),
        ("x: (85) call unknown#195896080\ninvalid func unknown#195896080\n", None),
        ("invalid func unknown#195896080\n", None),
        ("1: (85) call unknown#7\ninvalid func unknown#7\n", None),
        ("1: (85) call u\ninvalid func unknown#195896080" + "\nmore" * 20, None),
        ("", None),
    ],
)
def test_unresolved(log: str, expected: str | None) -> None:
    """The poisoned instruction that the verifier stumbled over is found in the end of its log."""
    linked = LinkedProgram(load_spec(minimal().build()).programs["drop"])
    linked.poisoned[1] = "gone"  # type: ignore[assignment]
    assert unresolved(linked, log) == expected


def test_minimal_program_needs_nothing() -> None:
    """An object without BTF, maps and calls links to its own code."""
    spec = load_spec(read_elf(minimal().build()))
    linked = Relocator(spec).link(spec.programs["drop"])
    assert (bytes(linked.code), linked.map_uses, linked.func_info) == (
        spec.programs["drop"].code,
        [],
        b"",
    )
