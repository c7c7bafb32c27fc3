"""What an object asks of the kernel, and what the kernel gets to see of it in BTF."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import (
    BTF_FUNC_GLOBAL,
    BTF_VAR_GLOBAL_ALLOCATED,
    Array,
    BtfType,
    Const,
    Datasec,
    Enum,
    Enumerator,
    Func,
    FuncProto,
    Int,
    Param,
    SecVar,
    Typedef,
    Var,
    Volatile,
)
from bpfgen_runtime.errors import BtfError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.uapi.const import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG

from tests.support.elfwriter import STB_LOCAL, minimal
from tests.support.objects import INT, U64, Types

EXTERN = 2
_WEAK = 2


def asking(types: Types, section: str, *members: BtfType, symbols: bool = True) -> ObjectSpec:
    """Open an object that declares these VARs and FUNCs extern, in that order, and uses them."""
    elf = minimal()
    places = []
    for member in members:
        places.append(SecVar(types.add(member), 0, 4))
        if symbols:
            elf.symbol(member.name, bind=_WEAK if member.name.startswith("weak") else 1)
    types.add(Datasec(section, 0, places))
    elf.section(".BTF", types.build())
    return load_spec(elf.build())


def test_places_of_settings() -> None:
    """Settings lie by alignment downwards, size upwards, name; their map spans them."""
    types = Types()
    char = types.add(Int("char", 1, encoding=1))
    text = types.add(Array(char, INT, 5))
    short = types.add(Int("short", 2, encoding=1))
    spec = asking(
        types,
        ".kconfig",
        Var("CONFIG_C", char, EXTERN),
        Var("CONFIG_TEXT", text, EXTERN),
        Var("CONFIG_Z", INT, EXTERN),
        Var("CONFIG_A", INT, EXTERN),
        Var("CONFIG_S", short, EXTERN),
        Var("CONFIG_L", U64, EXTERN),
    )
    assert [(e.name, e.offset, e.size) for e in spec.externs.values()] == [
        ("CONFIG_L", 0, 8),
        ("CONFIG_A", 8, 4),
        ("CONFIG_Z", 12, 4),
        ("CONFIG_S", 16, 2),
        ("CONFIG_C", 18, 1),
        ("CONFIG_TEXT", 19, 5),
    ]
    settings = spec.maps[".kconfig"]
    assert list(spec.maps)[-1] == ".kconfig"
    assert (settings.value_size, settings.contents) == (24, bytearray(24))
    assert settings.map_flags == BPF_F_RDONLY_PROG | BPF_F_MMAPABLE
    assert (settings.is_data, settings.is_constant, settings.is_rodata) == (True, True, False)
    assert spec.btf is not None
    assert settings.value_type_id == spec.btf.find_datasec(".kconfig")
    datasec = spec.btf.type(settings.value_type_id)
    assert isinstance(datasec, Datasec)
    assert datasec.size == 24
    assert [place.offset for place in datasec.vars] == [0, 8, 12, 16, 18, 19]
    for place in datasec.vars:
        var = spec.btf.type(place.type)
        assert isinstance(var, Var)
        assert var.linkage == BTF_VAR_GLOBAL_ALLOCATED
    assert {v.name: v.offset for v in spec.variables.values()} == {
        e.name: e.offset for e in spec.externs.values()
    }


TRISTATE = [Enumerator("TRI_NO", 0), Enumerator("TRI_YES", 1), Enumerator("TRI_MODULE", 2)]


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        (Int("_Bool", 1, encoding=4), "bool"),
        (Int("char", 1, encoding=1), "char"),
        (Int("unsigned char", 1), "char"),
        (Int("short", 2, encoding=1), "int"),
        (Int("long", 8), "int"),
        (Enum("libbpf_tristate", 4, TRISTATE), "tristate"),
        (Typedef("number", INT), "int"),
        (Const(INT), "int"),
        (Volatile(INT), "int"),
        (Int("_Bool", 4, encoding=4), ""),
        (Int("__int128", 16), ""),
        (Enum("tristate", 4, TRISTATE), ""),
        (Enum("libbpf_tristate", 2, TRISTATE), ""),
        (Array(INT, INT, 4), ""),
    ],
)
def test_types_of_settings(type_: BtfType, kind: str) -> None:
    """A setting is an integer, bool, char, text or tristate, behind qualifiers and typedefs."""
    types = Types()
    var = Var("CONFIG_X", types.add(type_), EXTERN)
    if not kind:
        with pytest.raises(BtfError, match=r"extern 'CONFIG_X' of \.kconfig is declared as "):
            asking(types, ".kconfig", var)
        return
    assert asking(types, ".kconfig", var).externs["CONFIG_X"].value_kind == kind


def test_text_without_length() -> None:
    """An array of no elements holds no text."""
    types = Types()
    char = types.add(Int("char", 1, encoding=1))
    with pytest.raises(BtfError, match="declared as char"):
        asking(types, ".kconfig", Var("CONFIG_X", types.add(Array(char, INT, 0)), EXTERN))


def test_function_among_settings() -> None:
    """No configuration has functions."""
    types = Types()
    proto = types.add(FuncProto(INT))
    with pytest.raises(BtfError, match=r"extern 'f' of \.kconfig is a function"):
        asking(types, ".kconfig", Func("f", proto, EXTERN))


@pytest.mark.parametrize(("kind", "linkage"), [(Var, 0), (Var, 1), (Func, 0), (Func, 1)])
def test_extern_that_btf_defines(kind: type[Var] | type[Func], linkage: int) -> None:
    """An undefined symbol whose BTF says static or global is an error that names it."""
    types = Types()
    target = INT if kind is Var else types.add(FuncProto(INT))
    with pytest.raises(BtfError, match="'wanted' is undefined in the file, and no extern"):
        asking(types, ".ksyms", kind("wanted", target, linkage))


def test_declared_without_symbol() -> None:
    """An extern in BTF that has no symbol is an error that names both."""
    types = Types()
    elf = minimal()
    places = [SecVar(types.add(Var(name, INT, EXTERN)), 0, 4) for name in ("used", "unused")]
    types.add(Datasec(".ksyms", 0, places))
    elf.symbol("used")
    elf.section(".BTF", types.build())
    with pytest.raises(BtfError, match=r"extern 'unused' of section '\.ksyms' has no symbol"):
        load_spec(elf.build())


def test_undefined_local_symbol() -> None:
    """Only global and weak symbols ask for something."""
    elf = minimal()
    elf.symbol("local", bind=STB_LOCAL)
    assert load_spec(elf.build()).externs == {}


def test_kernel_symbols_in_btf() -> None:
    """Symbols become ints of the object; functions a dummy variable, with names for parameters."""
    types = Types()
    proto = types.add(FuncProto(INT, [Param("", INT), Param("named", U64)]))
    void_const = types.add(Const(0))
    count = len(types.types)
    spec = asking(
        types,
        ".ksyms",
        Func("call_me", proto, EXTERN),
        Var("typed", types.add(Typedef("t", U64)), EXTERN),
        Var("weak_address", void_const, EXTERN),
    )
    found = {e.name: e for e in spec.externs.values()}
    assert [e.name for e in spec.externs.values()] == ["call_me", "typed", "weak_address"]
    assert (found["call_me"].is_func, found["call_me"].value_type_id) == (True, proto)
    assert (found["typed"].value_type_id, found["weak_address"].value_type_id) == (U64, 0)
    assert [e.is_weak for e in found.values()] == [False, False, True]
    btf = spec.btf
    assert btf is not None
    assert len(types.types) - count == 5  # func, typedef, two vars, datasec
    dummy = len(types.types) + 1
    assert btf.type(dummy) == Var("dummy_ksym", INT, BTF_VAR_GLOBAL_ALLOCATED)
    func_id, typed_id = found["call_me"].type_id, found["typed"].type_id
    assert btf.type(func_id) == Func("call_me", proto, BTF_FUNC_GLOBAL)
    assert btf.type(typed_id) == Var("typed", INT, BTF_VAR_GLOBAL_ALLOCATED)
    assert btf.type(proto) == FuncProto(INT, [Param("dummy_ksym", INT), Param("named", U64)])
    datasec = btf.find_datasec(".ksyms")
    assert datasec is not None
    assert btf.type(datasec) == Datasec(
        ".ksyms",
        12,
        [
            SecVar(dummy, 0, 4),
            SecVar(typed_id, 4, 4),
            SecVar(found["weak_address"].type_id, 8, 4),
        ],
    )
    assert ".kconfig" not in spec.maps


def test_variables_need_no_dummy() -> None:
    """Without functions no type is added."""
    types = Types()
    spec = asking(types, ".ksyms", Var("typed", U64, EXTERN))
    assert spec.btf is not None
    assert len(spec.btf) == len(types.types) + 1
