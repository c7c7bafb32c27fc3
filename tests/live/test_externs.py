"""Externs against the live kernel: settings, variables, functions, also of a module."""

from __future__ import annotations

import os
import struct
import subprocess

import pytest
from bpfgen_runtime.btf import BTF_KIND_FUNC
from bpfgen_runtime.btf.kernel import kernel_btf
from bpfgen_runtime.errors import (
    BpfError,
    FormatError,
    NotSupportedError,
    RelocationError,
    SyscallError,
    VerifierError,
)
from bpfgen_runtime.features import FEATURES
from bpfgen_runtime.host.kconfig import kernel_config
from bpfgen_runtime.host.release import kernel_version
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.spec import ObjectSpec
from bpfgen_runtime.sys import bpf

from tests.support.clang import ROOT, compile_bpf
from tests.support.kernels import IN_MATRIX
from tests.support.kmodules import load_kernel_module
from tests.support.modules import load_module


def spec_of(name: str) -> ObjectSpec:
    return load_spec(compile_bpf(name))


def number(live: Object, spec: ObjectSpec, name: str) -> int:
    """Read an integer global variable."""
    variable = spec.variables[name]
    raw = live.data[variable.section][variable.offset : variable.offset + variable.size]
    return int.from_bytes(raw, "little", signed=True)


def address_of(symbol: str) -> int:
    command = ["grep", "-m", "1", f" {symbol}$", "/proc/kallsyms"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0], 16)


# --- .kconfig

GIVEN = """\
# as in a .config
CONFIG_TEST_TRI=m
CONFIG_TEST_LETTER=y
CONFIG_TEST_BYTE=0xfe
CONFIG_TEST_SHORT=-2
CONFIG_TEST_INT=-123456
CONFIG_TEST_LONG=0xfedcba9876543210
CONFIG_TEST_NEGATIVE=-9
CONFIG_TEST_TEXT="seven c"
"""

SEEN = struct.Struct("=qQiIihBc??8sxxxxx")


def test_settings_as_a_program_sees_them() -> None:
    """Every type: of the kernel's configuration, of the text given, and 0 where neither has it."""
    spec = spec_of("ext_kconfig")
    config = kernel_config()[0].splitlines()
    hz = next(int(line[10:]) for line in config if line.startswith("CONFIG_HZ="))
    with Object.load(spec, kconfig=GIVEN) as live:
        assert live.programs["read_settings"].test_run().retval == hz
        seen = SEEN.unpack_from(live.data[".bss"])
        assert seen == (
            -9,
            0xFEDCBA9876543210,
            -123456,
            hz,
            2,
            -2,
            0xFE,
            b"y",
            True,
            False,
            b"seven c\0",
        )
        settings = live.data[".kconfig"]
        place = spec.externs["CONFIG_HZ"].offset
        assert int.from_bytes(settings[place : place + 4], "little") == hz
        with pytest.raises(TypeError):
            settings[0] = 1
        with pytest.raises(SyscallError, match="EPERM"):  # frozen
            bpf.map_update_elem(
                map_fd=live.maps[".kconfig"].fileno(), key=bytes(4), value=bytes(len(settings))
            )


def test_given_settings_override() -> None:
    """The text given to load comes first, then that of the spec, then the kernel's."""
    spec = spec_of("ext_kconfig")
    spec.kconfig = "CONFIG_HZ=7\nCONFIG_TEST_INT=7\n"
    with Object.load(spec, kconfig="CONFIG_HZ=8\n") as live:
        assert live.programs["read_settings"].test_run().retval == 8
        assert SEEN.unpack_from(live.data[".bss"])[2] == 7
    with Object.load(spec) as live:
        assert live.programs["read_settings"].test_run().retval == 7
    assert spec.maps[".kconfig"].contents == bytearray(spec.maps[".kconfig"].value_size)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("CONFIG_OTHER\n", FormatError, r"kconfig given, line 1: .*no '=' \(section '\.kconfig'\)"),
        ("CONFIG_HZ=fast\n", RelocationError, r"'CONFIG_HZ' of \.kconfig: value 'fast'"),
        ("CONFIG_HZ=y\n", RelocationError, r"'CONFIG_HZ' of \.kconfig is declared as an integer"),
        ("CONFIG_TEST_SHORT=40000\n", RelocationError, r"'CONFIG_TEST_SHORT' .*does not fit 2"),
    ],
)
def test_bad_settings(text: str, error: type[BpfError], message: str) -> None:
    """Text that does not parse or fit fails the load, with symbol and section."""
    with pytest.raises(error, match=message):
        Object.load(spec_of("ext_kconfig"), kconfig=text)


def test_settings_that_no_configuration_has() -> None:
    """Version and features of the kernel; a weak LINUX_ name of the future is 0."""
    spec = spec_of("ext_linux")
    with Object.load(spec) as live:
        live.programs["read_linux"].test_run()
        assert number(live, spec, "version") == kernel_version()
        assert number(live, spec, "cookie") == FEATURES["BPF_COOKIE"].probe()
        assert number(live, spec, "wrapper") == FEATURES["SYSCALL_WRAPPER"].probe()
        assert number(live, spec, "future") == 0


def test_settings_of_a_skeleton() -> None:
    """A skeleton takes settings at open, and has what came out as constants."""
    module = load_module(ROOT / "tests" / "golden" / "kconfig" / "kconfig_skel.py")
    with module.Kconfig.open(kconfig='CONFIG_HZ=77\nCONFIG_DEFAULT_HOSTNAME="host"\n') as opened:
        assert opened.kconfig.CONFIG_HZ == 0
        with opened.load() as skel:
            assert skel.kconfig.CONFIG_HZ == 77
            assert skel.kconfig.CONFIG_BPF_SYSCALL is True
            assert str(skel.kconfig.CONFIG_DEFAULT_HOSTNAME) == "host"
            assert kernel_version() == skel.kconfig.LINUX_KERNEL_VERSION
            with pytest.raises(AttributeError, match="is a constant"):
                skel.kconfig.CONFIG_HZ = 1


# --- .ksyms: addresses and variables


def test_addresses() -> None:
    """A symbol without type is its address in /proc/kallsyms; a weak one that is missing is 0."""
    spec = spec_of("ext_ksym_address")
    with Object.load(spec) as live:
        live.programs["read_addresses"].test_run()
        for symbol, variable in (("schedule", "schedule_at"), ("vfs_read", "read_at")):
            expected = address_of(symbol)
            assert expected != 0
            assert number(live, spec, variable) % (1 << 64) == expected
        assert number(live, spec, "absent_at") == 0


@pytest.mark.kernel("variables of the kernel")
def test_variables() -> None:
    """A typed variable can be read, on this CPU and on another; one that is missing is 0."""
    spec = spec_of("ext_ksym_typed")
    with Object.load(spec) as live:
        live.programs["read_variables"].test_run()
        assert number(live, spec, "cpu") == 0
        assert number(live, spec, "active") >= 0
        assert number(live, spec, "is_absent") == 1
        assert number(live, spec, "address") != 0


# --- .ksyms: functions


@pytest.mark.kernel("kfuncs in syscall programs")
def test_functions() -> None:
    """Functions of the kernel are called, from a subprogram, too."""
    spec = spec_of("ext_kfunc")
    for pid, found in ((os.getpid(), 1), (1 << 22, 0)):
        spec.variables["pid"].set(struct.pack("=i", pid))
        with Object.load(spec) as live:
            assert live.programs["call_kfuncs"].test_run().retval == found


@pytest.mark.kernel("syscall programs")
def test_weak_functions() -> None:
    """Calls of functions that are missing or differ load if a guard keeps them from running."""
    has_lock = bool(kernel_btf().find("bpf_rcu_read_lock", BTF_KIND_FUNC))
    with Object.load(spec_of("ext_kfunc_weak")) as live:
        assert live.programs["call_weak"].test_run().retval == (3 if has_lock else 1)


@pytest.mark.kernel("kfuncs in syscall programs")
def test_flavors_of_functions() -> None:
    """Of two signatures the one that the kernel has is used, by the essential name."""
    spec = spec_of("ext_kfunc_flavors")
    spec.variables["pid"].set(struct.pack("=i", os.getpid()))
    with Object.load(spec) as live:
        assert live.programs["call_flavors"].test_run().retval == 2


@pytest.mark.kernel("syscall programs")
def test_missing_function_that_is_reached() -> None:
    """The verifier's complaint about a poisoned call is put into words."""
    with pytest.raises(VerifierError) as caught:
        Object.load(spec_of("ext_weak_called"))
    assert "calls 'bpf_no_such_kfunc', a weak extern of .ksyms that the kernel lacks" in str(
        caught.value
    )
    assert "unknown#2002000000" in caught.value.log


@pytest.mark.kernel("bpf_throw")
def test_exception_callback() -> None:
    """A program that throws returns what its callback returns."""
    spec = spec_of("ext_exception")
    with Object.load(spec) as live:
        assert live.programs["throwing"].test_run(bytes(64)).retval == 128
        assert number(live, spec, "thrown") == 1
    spec.variables["limit"].set(struct.pack("=i", 1000))
    with Object.load(spec) as live:
        assert live.programs["throwing"].test_run(bytes(64)).retval == 64
        assert number(live, spec, "thrown") == 0


@pytest.mark.kernel("conntrack kfuncs")
def test_functions_of_a_module() -> None:
    """A module's functions are called by way of its BTF's descriptor."""
    in_module = load_kernel_module("nf_conntrack")
    with Object.load(spec_of("ext_module")) as live:
        assert live.programs["look_up"].test_run(bytes(64)).retval == 2  # ENOENT: nothing tracked
    assert in_module or not IN_MATRIX


@pytest.mark.kernel("conntrack kfuncs", "fentry")
@pytest.mark.parametrize(
    ("program", "loads"),
    [("find_get", True), ("find_get_there", True), ("find_get_elsewhere", False)],
)
def test_targets_in_a_module(program: str, loads: bool) -> None:
    """A function to trace is looked for in modules, in a named one if `MODULE:` says so."""
    if not load_kernel_module("nf_conntrack"):
        pytest.skip("nf_conntrack is part of this kernel, no module")
    spec = spec_of("ext_module")
    for each in spec.programs.values():
        each.autoload = each.name == program
    if loads:
        with Object.load(spec) as live:
            assert live.programs[program].info().attach_btf_obj_id != 0
    else:
        with pytest.raises(NotSupportedError, match="the BTF of 'vmlinux' has no function"):
            Object.load(spec)


# --- refusals


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ext_no_kfunc", r"'bpf_no_such_kfunc' of \.ksyms: .* no such function in its BTF"),
        ("ext_no_variable", r"'no_such_variable' of \.ksyms: .* no such variable in its BTF"),
        ("ext_no_symbol", r"'no_such_symbol' of \.ksyms: .* no such symbol in its /proc/kallsyms"),
        ("ext_no_setting", r"'CONFIG_NO_SUCH_SETTING' of \.kconfig is not set"),
        ("ext_no_linux", r"'LINUX_FROM_THE_FUTURE' of \.kconfig: neither"),
        ("ext_wrong_setting", r"'CONFIG_HZ' of \.kconfig is declared as a bool; value \d+ of /"),
        pytest.param(
            "ext_wrong_variable",
            r"'bpf_prog_active' of \.ksyms is declared as const long \*; the kernel has int$",
            marks=pytest.mark.kernel("types of the kernel's variables"),
        ),
    ],
)
def test_what_the_kernel_lacks(name: str, message: str) -> None:
    """What is missing or of another type fails the load, and the error names symbol and section."""
    with pytest.raises(RelocationError, match=message):
        Object.load(spec_of(name))


@pytest.mark.kernel("kfuncs in syscall programs")
def test_function_of_another_type() -> None:
    """Both signatures are in the message."""
    wanted = (
        r"'bpf_rcu_read_lock' of \.ksyms is declared as void \(int\); the kernel has void \(void\)"
    )
    with pytest.raises(RelocationError, match=wanted):
        Object.load(spec_of("ext_wrong_kfunc"))


def test_unused_externs_are_looked_up() -> None:
    """As with libbpf, what only a program that is left out needs must be there all the same."""
    spec = spec_of("ext_no_setting")
    spec.programs["refused"].autoload = False
    with pytest.raises(RelocationError, match="CONFIG_NO_SUCH_SETTING"):
        Object.load(spec)
