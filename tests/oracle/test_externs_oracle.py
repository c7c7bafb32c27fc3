"""Externs through libbpf and through us: the same settings, instructions, types, and refusals."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from bpfgen_runtime.errors import BpfError, RelocationError
from bpfgen_runtime.externs import resolve_externs
from bpfgen_runtime.kernel_types import KernelTypes
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.relocate import Relocator
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.sys import bpf

from tests.support import libbpf
from tests.support.clang import compile_bpf
from tests.support.kernelview import map_id, map_view, program_view
from tests.support.libbpf import LibbpfObject

pytestmark = [pytest.mark.live, pytest.mark.needs("libbpf")]

GIVEN = """\
CONFIG_TEST_TRI=m
CONFIG_TEST_LETTER=n
CONFIG_TEST_BYTE=200
CONFIG_TEST_SHORT=-32768
CONFIG_TEST_INT=010
CONFIG_TEST_LONG=0xfedcba9876543210
CONFIG_TEST_NEGATIVE=-9
CONFIG_TEST_TEXT="more than fits"
CONFIG_TEST_ABSENT=yes
"""

#: From libbpf 1.3 on: flavors of functions, weak functions of another type, the poison of calls,
#: exception callbacks. What we do is held against the kernel in tests/live/test_externs.py.
SINCE_1_3 = {"ext_exception", "ext_kfunc_flavors", "ext_kfunc_weak", "ext_weak_called"}

LOADED = [
    "ext_kconfig",
    "ext_linux",
    "ext_ksym_address",
    "ext_target",
    pytest.param("ext_exception", marks=pytest.mark.kernel("bpf_throw")),
    pytest.param("ext_kfunc", marks=pytest.mark.kernel("kfuncs in syscall programs")),
    pytest.param("ext_kfunc_flavors", marks=pytest.mark.kernel("kfuncs in syscall programs")),
    pytest.param("ext_kfunc_weak", marks=pytest.mark.kernel("syscall programs")),
    pytest.param("ext_ksym_typed", marks=pytest.mark.kernel("variables of the kernel")),
    pytest.param("ext_module", marks=pytest.mark.kernel("conntrack kfuncs")),
]

REFUSED = [
    "ext_no_kfunc",
    "ext_no_linux",
    "ext_no_setting",
    "ext_no_symbol",
    "ext_no_variable",
    "ext_wrong_kfunc",
    "ext_wrong_setting",
    "ext_wrong_variable",
]


def build(name: str) -> Path:
    path = compile_bpf(name)
    if name in SINCE_1_3 and libbpf.version() < (1, 3):
        pytest.skip("libbpf can this from 1.3 on, the system's is {}.{}".format(*libbpf.version()))
    return path


def insns(code: bytes, module_fds: set[int]) -> list[tuple[int, ...]]:
    """Decode instructions, with 0 for the descriptors of maps and of modules' BTF."""
    found: list[tuple[int, ...]] = []
    before = 0
    for opcode, registers, offset, imm in struct.iter_unpack("=BBhi", code):
        kind = registers >> 4 if opcode == 0x18 else 0
        is_fd = kind in (1, 2) or (before == 3 and imm in module_fds)
        found.append((opcode, registers, offset, 0 if is_fd else imm))
        before = kind
    return found


def ours_relocated(spec: ObjectSpec) -> dict[str, list[tuple[int, ...]]]:
    kernel = KernelTypes()
    try:
        externs = resolve_externs(spec, kernel)
        relocator = Relocator(spec)
        names = list(spec.maps)
        return {
            program.name: insns(
                relocator.link(program).fill_in(dict.fromkeys(names, 0), names, externs), set()
            )
            for program in spec.programs.values()
            if program.autoload
        }
    finally:
        kernel.close()


@pytest.mark.parametrize("name", LOADED)
def test_loads_alike(name: str) -> None:
    """Instructions and types before and after the verifier, and the settings' map, are libbpf's."""
    path = build(name)
    spec = load_spec(str(path))
    with LibbpfObject(path) as theirs, Object.load(spec) as ours:
        theirs.load()
        if name not in CORE:
            assert ours_relocated(spec) == {
                p.name: insns(p.instructions(), set()) for p in theirs.programs() if p.autoload
            }
        our_fds = {name: live.fileno() for name, live in ours.maps.items()}
        their_fds = dict(zip(spec.maps, [m.fd for m in theirs.maps()], strict=True))
        assert {n: map_view(fd) for n, fd in our_fds.items()} == {
            n: map_view(fd) for n, fd in their_fds.items()
        }
        our_maps = {map_id(fd): n for n, fd in our_fds.items()}
        their_maps = {map_id(fd): n for n, fd in their_fds.items()}
        views = {p.name: program_view(p.fd, their_maps) for p in theirs.programs() if p.autoload}
        assert {n: program_view(p.fileno(), our_maps) for n, p in ours.programs.items()} == views


#: With CO-RE relocations, too, which test_core_oracle.py compares.
CORE = {"ext_ksym_typed"}


@pytest.mark.parametrize("given", [None, "", GIVEN, "CONFIG_HZ=1\nCONFIG_HZ=2\n"])
def test_settings_alike(given: str | None) -> None:
    """Every setting has the value that libbpf gives it."""
    path = compile_bpf("ext_kconfig")
    with LibbpfObject(path, kconfig=given) as theirs:
        theirs.load()
        fd = next(m.fd for m in theirs.maps() if m.name.endswith(".kconfig"))
        with Object.load(load_spec(str(path)), kconfig=given or "") as ours:
            assert _contents(ours.maps[".kconfig"].fileno()) == _contents(fd)


def _contents(fd: int) -> bytes:
    value = bytearray(bpf.map_get_info_by_fd(fd).value_size)
    bpf.map_lookup_elem(map_fd=fd, key=bytes(4), value=value)
    return bytes(value)


@pytest.mark.parametrize(
    "given",
    [
        "CONFIG_HZ\n",
        "CONFIG_HZ=\n",
        "CONFIG_OTHER=\n",
        "CONFIG_HZ=y\n",
        "CONFIG_HZ=fast\n",
        "CONFIG_HZ=08\n",
        "CONFIG_HZ=4294967296\n",
        "CONFIG_HZ=-1\n",
        'CONFIG_HZ="250"\n',
        "CONFIG_TEST_TRI=1\n",
        "CONFIG_TEST_BYTE=256\n",
        "CONFIG_TEST_LETTER=-129\n",
        "CONFIG_TEST_LETTER=128\n",
        "CONFIG_TEST_SHORT=32768\n",
        "CONFIG_TEST_LONG=0x10000000000000000\n",
        'CONFIG_TEST_TEXT="abc\n',
        "CONFIG_TEST_TEXT=abc\n",
        "CONFIG_BPF_SYSCALL=m\n",
        "CONFIG_BPF_SYSCALL=1\n",
    ],
)
def test_bad_settings_alike(given: str) -> None:
    """What libbpf refuses in a configuration, we refuse."""
    path = compile_bpf("ext_kconfig")
    with (
        LibbpfObject(path, kconfig=given) as theirs,
        pytest.raises(OSError, match="cannot load"),
    ):
        theirs.load()
    with pytest.raises(BpfError, match=r"\.kconfig"):
        Object.load(load_spec(str(path)), kconfig=given)


@pytest.mark.parametrize("name", REFUSED)
def test_fails_alike(name: str) -> None:
    """What the kernel lacks, or has with another type, fails both."""
    path = build(name)
    with LibbpfObject(path) as theirs, pytest.raises(OSError, match="cannot load"):
        theirs.load()
    with pytest.raises(RelocationError):
        Object.load(load_spec(str(path)))
