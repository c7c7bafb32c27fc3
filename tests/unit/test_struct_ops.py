"""struct_ops: reading the maps of an object, and fitting their structs to a kernel's."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfType,
    Datasec,
    FuncProto,
    Int,
    Member,
    Ptr,
    SecVar,
    Struct,
    Typedef,
    Var,
)
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.core.struct_ops import KernelOps, match_struct_ops
from bpfgen_runtime.errors import BtfError, FormatError, NotSupportedError
from bpfgen_runtime.kernel_types import KernelType
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.loader.struct_ops import StructOps
from bpfgen_runtime.uapi.const import BPF_MAP_TYPE_STRUCT_OPS

from tests.support.clang import compile_bpf
from tests.support.elfwriter import minimal
from tests.support.objects import INT, Types

# Of every kernel and object here: 1 int, 2 a function's pointer, 3 its prototype, 4 char[4].
COMMON: list[BtfType] = [
    Int("int", 4, encoding=1),
    Ptr(3),
    FuncProto(1),
    Array(5, 1, 4),
    Int("char", 1),
    Typedef("number", 1),
    Ptr(1),
    Int("long", 8),
]
FUNC, TEXT, NUMBER, POINTER, LONG = 2, 4, 6, 7, 8


def kernel(*members: Member, size: int = 64, name: str = "my_ops", data: bool = True) -> Btf:
    """A kernel with `struct my_ops` (type 9), and its value (type 10) with 16 bytes before it."""
    held = [Member("common", LONG, 0), *([Member("data", 9, 128)] if data else [])]
    value = Struct(f"bpf_struct_ops_{name}", size + 16, held)
    return Btf.parse(encode([*COMMON, Struct("my_ops", size, members), value], byte_order="<"))


def match(
    there: Btf, *members: Member, contents: bytes = b"", size: int = 64, **functions: str
) -> KernelOps:
    """Fit an object's struct to a kernel's."""
    local = Btf.parse(encode([*COMMON, Struct("my_ops___v2", size, members)], byte_order="<"))
    ops = StructOps(9, bytearray(contents.ljust(size, b"\0")), {})
    ops.functions.update(functions)

    def find(name: str, kind: int) -> KernelType | None:
        ids = there.find(name, kind)
        return KernelType(there, ids[0], "module", 77) if ids else None

    return match_struct_ops("m", ops, local, find)


def test_members_go_by_name() -> None:
    """Data is copied and functions are placed where the kernel has them, whatever the order."""
    there = kernel(Member("name", TEXT, 0), Member("pad", LONG, 64), Member("run", FUNC, 128))
    found = match(
        there, Member("run", FUNC, 0), Member("name", TEXT, 64), contents=bytes(8) + b"abc", run="p"
    )
    assert found.functions == [("run", 2, 16 + 16, "p")]
    assert bytes(found.value) == bytes(16) + b"abc\0" + bytes(60)
    assert (found.type_id, found.value_type_id, found.btf_fd) == (9, 10, 77)


def test_members_that_the_kernel_lacks() -> None:
    """They are left out if they are zero, and no program was meant for them."""
    there = kernel(Member("run", FUNC, 0))
    found = match(there, Member("later", NUMBER, 0), Member("soon", FUNC, 64), size=16)
    assert found.functions == []
    assert not any(found.value)


def test_typedefs_are_looked_through() -> None:
    """A member's kind is compared behind typedefs, on both sides."""
    there = kernel(Member("n", INT, 0))
    found = match(there, Member("n", NUMBER, 0), contents=b"\x05")
    assert found.value[16] == 5


def test_bytes_of_a_function() -> None:
    """What the file has in the place of a function is no address; its program may be left out."""
    there, run = kernel(Member("run", FUNC, 0)), Member("run", FUNC, 0)
    local = Btf.parse(encode([*COMMON, Struct("my_ops", 8, [run])], byte_order="<"))
    ops = StructOps(9, bytearray(b"\x18" + bytes(7)), {})
    ops.declared["run"] = "p"
    found = match_struct_ops("m", ops, local, lambda *what: KernelType(there, there.find(*what)[0]))
    assert (found.functions, any(found.value)) == ([], False)


def test_pointer_that_is_zero() -> None:
    """A pointer that is no function is fine as long as nobody sets it."""
    there = kernel(Member("owner", POINTER, 0), Member("n", INT, 64))
    members = [Member("owner", POINTER, 0), Member("n", INT, 64)]
    found = match(there, *members, contents=bytes(8) + b"\7")
    assert bytes(found.value[16:28]) == bytes(8) + b"\7\0\0\0"


def test_function_without_a_program() -> None:
    """A function pointer that nobody set stays zero."""
    there = kernel(Member("run", FUNC, 0))
    assert match(there, Member("run", FUNC, 0)).functions == []


@pytest.mark.parametrize(
    ("there", "members", "contents", "functions", "message"),
    [
        (kernel(name="others"), [], b"", {}, "struct bpf_struct_ops_my_ops"),
        (kernel(data=False), [], b"", {}, "without a struct my_ops"),
        (kernel(), [Member("n", NUMBER, 0)], b"\1", {}, "'n'.*does not have it; leave it zero"),
        (
            kernel(),
            [Member("run", FUNC, 0)],
            b"",
            {"run": "p"},
            r"'run'.*functions\['run'\] = None",
        ),
        (
            kernel(Member("n", INT, 0, 3)),
            [Member("n", INT, 0)],
            b"",
            {},
            "'n' not supported: It is a bitfield",
        ),
        (
            kernel(Member("n", INT, 0)),
            [Member("n", INT, 0, 3)],
            b"",
            {},
            "'n' not supported: It is a bitfield",
        ),
        (
            kernel(Member("n", TEXT, 0)),
            [Member("n", INT, 0)],
            b"",
            {},
            "'n' of kind INT.*of kind ARRAY",
        ),
        (
            kernel(Member("n", LONG, 0)),
            [Member("n", INT, 0)],
            b"",
            {},
            "'n' of 4 bytes not supported: In the running kernel it has 8",
        ),
        (
            kernel(Member("run", POINTER, 0)),
            [Member("run", FUNC, 0)],
            b"",
            {"run": "p"},
            "'run' not supported: In the running kernel it is no function",
        ),
        (
            kernel(Member("owner", POINTER, 64)),
            [Member("n", INT, 0), Member("owner", POINTER, 64)],
            bytes(15) + b"\1",
            {},
            "an address as member 'owner' not supported: .* leave it zero",
        ),
        (
            kernel(Member("run", FUNC, 0)),
            [Member("run", FUNC, 0)],
            b"\1",
            {},
            "an address as member 'run' not supported",
        ),
    ],
)
def test_what_does_not_fit(
    there: Btf, members: list[Member], contents: bytes, functions: dict[str, str], message: str
) -> None:
    """The error names the map and the member, and says how the kernel differs."""
    with pytest.raises(NotSupportedError, match=f"struct_ops map 'm': .*{message}"):
        match(there, *members, contents=contents, **functions)


@pytest.mark.needs("clang", "libbpf-dev")
def test_maps_of_the_sections() -> None:
    """Each variable is a map; the section says whether it has a link and is created."""
    spec = load_spec(str(compile_bpf("maps_ops_link")))
    maps = {n: m for n, m in spec.maps.items() if m.struct_ops is not None}
    assert {n: (m.map_flags, m.autocreate, m.section) for n, m in maps.items()} == {
        "control": (8192, True, ".struct_ops.link"),
        "later": (8192, True, ".struct_ops.link"),
        "optional": (8192, False, ".struct_ops.link"),
    }
    assert {m.map_type for m in maps.values()} == {BPF_MAP_TYPE_STRUCT_OPS}
    ops = maps["optional"].struct_ops
    assert ops is not None
    assert ops.functions == {
        "ssthresh": "ops_ssthresh",
        "cong_avoid": "other_cong_avoid",
        "undo_cwnd": "ops_undo_cwnd",
    }


@pytest.mark.needs("clang", "libbpf-dev")
def test_data_members() -> None:
    """Data members are read and set as bytes; a copy has its own."""
    spec = load_spec(str(compile_bpf("maps_ops")))
    twin = spec.copy()
    ops, other = spec.maps["control"].struct_ops, twin.maps["control"].struct_ops
    assert ops is not None
    assert other is not None
    assert ops.get("name") == b"bpfgen_plain\0\0\0\0"
    ops.set("name", b"another".ljust(16, b"\0"))
    ops.functions["undo_cwnd"] = None
    assert ops.get("name").rstrip(b"\0") == b"another"
    assert other.get("name") == b"bpfgen_plain\0\0\0\0"
    assert other.functions["undo_cwnd"] == "ops_undo_cwnd"
    with pytest.raises(ValueError, match="'name' takes 16 bytes, 3 were given"):
        ops.set("name", b"abc")
    with pytest.raises(KeyError, match=r"no member 'nome'.* it has .*name"):
        ops.get("nome")
    with pytest.raises(KeyError, match=r"'ssthresh' is a function: functions\['ssthresh'\]"):
        ops.set("ssthresh", bytes(8))


@pytest.mark.needs("clang", "libbpf-dev")
def test_data_members_by_text_and_number() -> None:
    """Text is padded to the member's size, numbers have its width, in the object's byte order."""
    for flags, order in ((), "little"), (("-target", "bpfeb"), "big"):
        ops = load_spec(str(compile_bpf("maps_ops", *flags))).maps["control"].struct_ops
        assert ops is not None
        ops.set("name", "other")
        assert ops.get("name") == b"other".ljust(16, b"\0")
        ops.set("flags", 0x102)
        assert int.from_bytes(ops.get("flags"), order) == 0x102
        ops.set("flags", -1)
        assert set(ops.get("flags")) == {0xFF}
        with pytest.raises(ValueError, match="'name' takes 16 bytes, 17 were given"):
            ops.set("name", "x" * 17)
        with pytest.raises(OverflowError, match="member 'flags' has 32 bits"):
            ops.set("flags", 1 << 32)


def image(types: Types, var_type: int, *, size: int = 8, described: bool = True) -> bytes:
    """An object with one variable in `.struct_ops`, 8 bytes in ELF."""
    elf = minimal()
    section = elf.section(".struct_ops", bytes(8))
    elf.symbol("v", section, size=8, type=1)
    if described:
        var = types.add(Var("v", var_type))
        types.add(Datasec(".struct_ops", 8, [SecVar(var, 0, size)]))
    elf.section(".BTF", types.build())
    return elf.build()


def test_sections_that_are_damaged() -> None:
    """What is no struct with a name, or lies outside, is refused; so is a section without types."""
    types = Types()
    with pytest.raises(FormatError, match=r"map 'v': its type is no struct .*'\.struct_ops'"):
        load_spec(image(types, INT))
    types = Types()
    with pytest.raises(FormatError, match="no struct with a name"):
        load_spec(image(types, types.add(Struct("", 8))))
    types = Types()
    with pytest.raises(FormatError, match="ends outside the section"):
        load_spec(image(types, types.add(Struct("ops", 16))))
    with pytest.raises(BtfError, match="BTF has none of the section"):
        load_spec(image(Types(), 0, described=False))


@pytest.mark.needs("clang", "libbpf-dev")
def test_program_of_another_type() -> None:
    """A function member takes only programs of `SEC("struct_ops")`."""
    with pytest.raises(FormatError, match="'control': member 'ssthresh': 'classifier' is no"):
        load_spec(str(compile_bpf("maps_ops_wrong")))
