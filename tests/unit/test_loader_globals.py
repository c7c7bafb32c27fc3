"""Global data: sections as maps, names for the kernel, and BTF as the kernel wants it."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import Datasec, Func, FuncProto, SecVar, Var
from bpfgen_runtime.errors import BtfError, ElfError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.loader.globals import kernel_name
from bpfgen_runtime.uapi.const import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG

from tests.support.clang import compile_bpf
from tests.support.elfwriter import (
    SHF_ALLOC,
    SHF_WRITE,
    SHT_NOBITS,
    STT_FUNC,
    STT_OBJECT,
    minimal,
)
from tests.support.objects import U64, Types


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (".rodata", "my_objec.rodata"),
        (".data", "my_objec.data"),
        (".bss", "my_objec.bss"),
        (".kconfig", "my_obje.kconfig"),
        (".rodata.abracadabra", ".rodata.abracad"),
        (".data.x", ".data.x"),
        (".data.a-b", ".data.a_b"),
    ],
)
def test_kernel_names(section: str, name: str) -> None:
    """Data maps are named as libbpf names them, so that bpftool's users find them."""
    assert kernel_name("my_object_name", section) == name


def test_short_object_name() -> None:
    """A short object name is used whole; characters that the kernel refuses become `_`."""
    assert kernel_name("a-b", ".bss") == "a_b.bss"


def test_maps_of_an_object() -> None:
    """Each section that is not empty is an array of one value with the flags that libbpf gives."""
    spec = load_spec(str(compile_bpf("load_globals")))
    read_only, mapped = BPF_F_RDONLY_PROG, BPF_F_MMAPABLE
    assert {m.name: (m.value_size, m.map_flags, m.is_rodata) for m in spec.maps.values()} == {
        ".rodata": (20, read_only | mapped, True),
        ".rodata.tuning": (8, read_only | mapped, True),
        ".data": (32, mapped, False),
        ".data.hot": (16, mapped, False),
        ".data.secret": (8, 0, False),  # only a hidden variable
        ".data.internal": (8, 0, False),  # only a static one
        ".bss": (40, mapped, False),
        ".bss.cold": (8, mapped, False),
    }
    assert all((m.key_size, m.max_entries, m.is_data) == (4, 1, True) for m in spec.maps.values())
    assert spec.maps[".rodata"].contents[:4] == b"\x0a\0\0\0"  # type: ignore[index]
    assert spec.maps[".bss"].contents == bytearray(40)


def test_custom_bss() -> None:
    """`.bss.NAME` is global data, too."""
    elf = minimal()
    elf.section(".bss.cold", type=SHT_NOBITS, flags=SHF_ALLOC | SHF_WRITE, size=16)
    spec = load_spec(elf.build()).maps[".bss.cold"]
    assert (spec.contents, spec.value_size, spec.is_rodata) == (bytearray(16), 16, False)


@pytest.mark.parametrize("name", [".datax", ".rodat", ".comment", "data"])
def test_other_sections_are_no_data(name: str) -> None:
    """Only the three stems, alone or with a dot behind, are global data."""
    elf = minimal()
    elf.section(name, bytes(4), flags=SHF_ALLOC)
    assert load_spec(elf.build()).maps == {}


def test_variables() -> None:
    """Variables are found by name with section, place, type and initial bytes."""
    spec = load_spec(str(compile_bpf("load_globals")))
    assert spec.btf is not None
    found = spec.variables
    assert (found["limit"].section, found["limit"].get()) == (".rodata", b"\x0a\0\0\0")
    assert found["greeting"].get() == b"hello\0\0\0"
    assert found["start"].get() == (1000).to_bytes(8, "little")
    assert found["small"].get() == b"\xfe\xff"
    assert (found["grid"].section, found["grid"].size) == (".bss", 32)
    assert spec.btf.c_name(found["grid"].type_id) == "struct point [4]"
    # Static variables: clang gives no place in BTF.
    assert found["file_local"].is_static
    assert found["file_local"].get() == (13).to_bytes(8, "little")
    assert found["secret"].is_static
    assert not found["limit"].is_static


def test_setting_a_variable() -> None:
    """A variable is set in its section's initial contents, whole."""
    spec = load_spec(str(compile_bpf("load_globals")))
    limit = spec.variables["limit"]
    limit.set(b"\x63\0\0\0")
    contents = spec.maps[".rodata"].contents
    assert contents is not None
    assert contents[limit.offset : limit.offset + 4] == b"\x63\0\0\0"
    with pytest.raises(ValueError, match="'limit' takes 4 bytes, 1 were given"):
        limit.set(b"\0")


def test_section_sizes_and_places_come_from_elf() -> None:
    """BTF gets the sizes and offsets that clang left to the linker, in order of offset."""
    spec = load_spec(str(compile_bpf("load_globals")))
    assert spec.btf is not None
    for name in (".bss", ".rodata", ".data.hot"):
        type_id = spec.btf.find_datasec(name)
        assert type_id is not None
        datasec = spec.btf.type(type_id)
        assert isinstance(datasec, Datasec)
        assert datasec.size == spec.maps[name].value_size
        offsets = [place.offset for place in datasec.vars]
        assert offsets == sorted(offsets)
    assert spec.btf.pointer_size == 8


def test_hidden_functions_become_static() -> None:
    """A hidden subprogram is a static function for the verifier, which then knows its callers."""
    spec = load_spec(str(compile_bpf("load_subprogs")))
    assert spec.btf is not None
    linkage = {}
    for _, t in spec.btf.types():
        if isinstance(t, Func):
            linkage[t.name] = t.linkage
    assert (linkage["hidden_sum"], linkage["global_sum"], linkage["leaf"]) == (0, 1, 0)


def _data_object(types: Types, linkage: int, symbol: str, value: int = 8) -> bytes:
    var = types.add(Var("counter", U64, linkage))
    types.add(Datasec(".data", 0, [SecVar(var, 0, 8)]))
    elf = minimal()
    section = elf.section(".data", bytes(16), flags=SHF_ALLOC | SHF_WRITE)
    elf.symbol(symbol, section, value=value, size=8, type=STT_OBJECT)
    elf.section(".BTF", types.build())
    return elf.build()


def test_place_of_one_variable() -> None:
    """The offset is the symbol's value."""
    spec = load_spec(_data_object(Types(), 1, "counter"))
    assert spec.variables["counter"].offset == 8


@pytest.mark.parametrize("value", [9, 16, 1 << 40])
def test_symbol_outside_its_section(value: int) -> None:
    """A variable that ends behind its section, as the symbol says, is an error."""
    with pytest.raises(BtfError, match=r"'counter' ends outside section '\.data'"):
        load_spec(_data_object(Types(), 1, "counter", value))


def test_two_sections_of_one_name() -> None:
    """A section's name means one map."""
    elf = minimal()
    for _ in range(2):
        elf.section(".data", bytes(8), flags=SHF_ALLOC | SHF_WRITE)
    with pytest.raises(ElfError, match=r"two maps are called '\.data'"):
        load_spec(elf.build())


def test_variable_without_symbol() -> None:
    """A global variable that ELF does not know is an error naming it."""
    with pytest.raises(BtfError, match=r"variable 'counter' of section '\.data' has no symbol"):
        load_spec(_data_object(Types(), 1, "other"))


def test_section_that_is_not_in_the_file() -> None:
    """A DATASEC of a section that the file lacks is an error naming it."""
    types = Types()
    types.add(Datasec(".data", 0, []))
    elf = minimal()
    elf.section(".BTF", types.build())
    with pytest.raises(BtfError, match=r"section '\.data', which the file does not have"):
        load_spec(elf.build())


def test_datasec_of_something_else() -> None:
    """A DATASEC may hold variables only."""
    types = Types()
    types.add(Datasec(".data", 0, [SecVar(U64, 0, 8)]))
    elf = minimal()
    elf.section(".data", bytes(8), flags=SHF_ALLOC | SHF_WRITE)
    elf.section(".BTF", types.build())
    with pytest.raises(BtfError, match="is no variable"):
        load_spec(elf.build())


def test_variable_outside_its_section() -> None:
    """A variable that ends behind its section, as BTF says, is an error, not a wrong value."""
    types = Types()
    var = types.add(Var("counter", U64, 1))
    types.add(Datasec(".data", 4, [SecVar(var, 0, 8)]))
    elf = minimal()
    section = elf.section(".data", bytes(4), flags=SHF_ALLOC | SHF_WRITE)
    elf.symbol("counter", section, size=8, type=STT_OBJECT)
    elf.section(".BTF", types.build())
    spec = load_spec(elf.build())
    with pytest.raises(BtfError, match=r"'counter' ends outside section '\.data'"):
        _ = spec.variables


def test_same_name_as_a_hidden_function() -> None:
    """Only the function of that name changes its linkage."""
    types = Types()
    proto = types.add(FuncProto(1))
    func = types.add(Func("quiet", proto, 1))
    other = types.add(Func("loud", proto, 1))
    elf = minimal()
    text = elf.code(".text", (b"\x95" + bytes(7)) * 2)
    elf.symbol("quiet", text, size=8, type=STT_FUNC, visibility=2)
    elf.symbol("loud", text, value=8, size=8, type=STT_FUNC)
    elf.section(".BTF", types.build())
    btf = load_spec(elf.build()).btf
    assert btf is not None
    assert btf.type(func) == Func("quiet", proto, 0)
    assert btf.type(other) == Func("loud", proto, 1)
