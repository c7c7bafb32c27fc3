"""What the running kernel has for an object's externs, and how it gets into instructions."""

from __future__ import annotations

from .errors import RelocationError
from .insn import (
    BPF_CALL,
    BPF_JMP,
    BPF_PSEUDO_BTF_ID,
    BPF_PSEUDO_KFUNC_CALL,
    INSN_SIZE,
    Insn,
    encode,
    set_imm,
    set_imm64,
    set_off,
    set_src,
)
from .loader.globals import KCONFIG_SECTION
from .loader.kconfig import KconfigValues

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .elf.image import ByteOrder
    from .kernel_types import KernelType, KernelTypes
    from .spec import ExternSpec, ObjectSpec

__all__ = ["ResolvedExterns", "missing_kfunc", "resolve_externs", "with_externs"]

_CALL = BPF_JMP | BPF_CALL

#: A call of a weak function that the kernel lacks becomes one of helper 2002000000 + the extern's
#: number, as libbpf writes it: the verifier refuses it only where the program can reach it.
_POISON_BASE = 2_002_000_000

#: Settings that tell whether the kernel has a feature, and its name in `features`.
_FEATURES = {
    "LINUX_HAS_BPF_COOKIE": "BPF_COOKIE",
    "LINUX_HAS_SYSCALL_WRAPPER": "SYSCALL_WRAPPER",
}

_MAX_MODULES = 0x7FFF  # struct bpf_insn.off is signed


class _Symbol:
    """A kernel symbol as instructions name it: by type, or by address."""

    __slots__ = ("address", "btf_fd", "btf_id", "fd_index")

    def __init__(
        self, btf_id: int = 0, btf_fd: int = 0, fd_index: int = 0, address: int = 0
    ) -> None:
        self.btf_id = btf_id
        self.btf_fd = btf_fd
        self.fd_index = fd_index
        self.address = address


class ResolvedExterns:
    """The kernel's side of an object's externs, valid as long as its `KernelTypes` is open.

    Attributes:
        kconfig: the contents of `.kconfig`, None if the object has no settings.
        fd_array: descriptors of modules' BTF, by the index that calls name them with; empty if no
            module's function is called.
    """

    __slots__ = ("_names", "_symbols", "fd_array", "kconfig")

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._symbols: dict[str, _Symbol] = {}
        self.kconfig: bytearray | None = None
        self.fd_array: list[int] = []

    def fill_in(self, code: bytearray, insn: int, name: str, order: ByteOrder) -> None:
        """Put a kernel symbol into the call or the 64-bit load that refers to it."""
        symbol = self._symbols.get(name)
        if code[insn * INSN_SIZE] == _CALL:
            if symbol is None:
                call = Insn(_CALL, imm=_POISON_BASE + self._names.index(name))
                code[insn * INSN_SIZE : (insn + 1) * INSN_SIZE] = encode([call], order)
                return
            set_src(code, insn, BPF_PSEUDO_KFUNC_CALL, order)
            set_imm(code, insn, symbol.btf_id, order)
            set_off(code, insn, symbol.fd_index, order)
        elif symbol is not None and symbol.btf_id:
            set_src(code, insn, BPF_PSEUDO_BTF_ID, order)
            set_imm(code, insn, symbol.btf_id, order)
            set_imm(code, insn + 1, symbol.btf_fd, order)
        else:
            set_imm64(code, insn, 0 if symbol is None else symbol.address, order)

    def add(self, name: str, symbol: _Symbol) -> None:
        """Note what a name stands for."""
        self._symbols[name] = symbol

    def __contains__(self, name: str) -> bool:
        return name in self._symbols


def resolve_externs(spec: ObjectSpec, kernel: KernelTypes, kconfig: str = "") -> ResolvedExterns:
    """Find everything that an object asks of the kernel, used by a program or not, as libbpf does.

    Args:
        kconfig: settings that go before those of `spec.kconfig` and of the kernel.

    Raises:
        RelocationError: the kernel lacks a symbol or setting that is not weak, has it twice, or
            with another type; names symbol and section.
        FormatError: a configuration's text is damaged.
        NotSupportedError: the kernel has no BTF, or its configuration cannot be found.
        SyscallError: what is needed cannot be read.
    """
    externs = list(spec.externs.values())
    resolved = ResolvedExterns([extern.name for extern in externs])
    settings = [extern for extern in externs if extern.section == KCONFIG_SECTION]
    if settings:
        resolved.kconfig = _kconfig(spec, settings, kconfig)
    symbols = [extern for extern in externs if extern.section != KCONFIG_SECTION]
    _by_address([extern for extern in symbols if not extern.value_type_id], resolved)
    for extern in symbols:
        if extern.value_type_id:
            _by_type(spec, extern, kernel, resolved)
    return resolved


def with_externs(
    spec: ObjectSpec, kernel: KernelTypes, kconfig: str
) -> tuple[ObjectSpec, ResolvedExterns | None]:
    """Do as `resolve_externs`; return also the spec to load, which has the settings' values.

    The spec given is not changed; None if it has no externs.
    """
    if not spec.externs:
        return spec, None
    externs = resolve_externs(spec, kernel, kconfig)
    if externs.kconfig is not None:
        settings = spec.maps[KCONFIG_SECTION].copy()
        settings.contents = externs.kconfig
        spec = spec.with_map(settings)
    return spec, externs


# --- .kconfig


def _kconfig(spec: ObjectSpec, settings: list[ExternSpec], kconfig: str) -> bytearray:
    contents = spec.maps[KCONFIG_SECTION].contents
    assert contents is not None
    values = KconfigValues(settings, bytearray(contents), spec.byte_order)
    for extern in settings:
        if not extern.name.startswith("CONFIG_"):
            values.set_number(extern, _virtual(extern))
    if values.missing:
        for text in (kconfig, spec.kconfig):
            if text:
                values.read(text, "the kconfig given")
    if values.missing:
        from .host.kconfig import kernel_config

        values.read(*kernel_config())
    for extern in values.missing.values():
        if not extern.is_weak:
            raise RelocationError(
                f"extern {extern.name!r} of {extern.section} is not set in the kernel's"
                " configuration: give it in kconfig, or declare it __weak to have 0 then"
            )
    return values.contents


def _virtual(extern: ExternSpec) -> int:
    """Return the value of a setting that no configuration has."""
    if extern.name == "LINUX_KERNEL_VERSION":
        from .host.release import kernel_version

        version = kernel_version()
        if not version:
            raise RelocationError(
                f"extern {extern.name!r} of {extern.section}: the kernel's version is not in its"
                " name (uname -r)"
            )
        return version
    feature = _FEATURES.get(extern.name)
    if feature is not None:
        from .features import FEATURES

        return int(FEATURES[feature].probe() is True)
    if extern.name.startswith("LINUX_") and extern.is_weak:
        return 0
    raise RelocationError(
        f"extern {extern.name!r} of {extern.section}: neither a CONFIG_ setting, nor one of the"
        " LINUX_ names that are known"
    )


# --- .ksyms


def _by_address(externs: list[ExternSpec], resolved: ResolvedExterns) -> None:
    if not externs:
        return
    from .host.kallsyms import addresses

    found = addresses([extern.name for extern in externs])
    for extern in externs:
        known = found.get(extern.name)
        if known is None:
            _missing(extern, "/proc/kallsyms")
            continue
        if len(known) > 1:
            raise RelocationError(
                f"extern {extern.name!r} of {extern.section} is ambiguous: /proc/kallsyms has it at"
                f" {known[0]:#x} and {known[1]:#x}"
            )
        if known == [0] and not extern.is_weak:
            raise RelocationError(
                f"extern {extern.name!r} of {extern.section}: /proc/kallsyms hides its addresses"
                " from this process; run as root (CAP_SYSLOG), and see that sysctl"
                " kernel.kptr_restrict is not 2"
            )
        resolved.add(extern.name, _Symbol(address=known[0]))


def _by_type(
    spec: ObjectSpec, extern: ExternSpec, kernel: KernelTypes, resolved: ResolvedExterns
) -> None:
    from .btf import BTF_KIND_FUNC, BTF_KIND_VAR
    from .core.compat import types_compatible
    from .core.names import essential_name

    assert spec.btf is not None, "the loader refuses externs without BTF"
    if extern.is_func:
        found = kernel.find(essential_name(extern.name), BTF_KIND_FUNC)
    else:
        found = kernel.find(extern.name, BTF_KIND_VAR)
    if found is None:
        _missing(extern, "BTF")
        return
    target_id = found.btf.resolve(found.btf.target(found.type_id))
    if not types_compatible(spec.btf, extern.value_type_id, found.btf, target_id):
        if extern.is_func and extern.is_weak:
            return
        declared, kernels = _declared(spec, extern), found.btf.c_name(target_id)
        hint = "" if declared != kernels else ": a struct that is only named counts as another type"
        raise RelocationError(
            f"extern {extern.name!r} of {extern.section} is declared as {declared};"
            f" {_owner(found)} has {kernels}{hint}"
        )
    fd_index = 0
    if extern.is_func and found.module:
        fd_index = _fd_index(found, resolved, extern)
    resolved.add(extern.name, _Symbol(found.type_id, found.btf_fd, fd_index))


def _declared(spec: ObjectSpec, extern: ExternSpec) -> str:
    """Return an extern's type in C, as before names were given to its parameters."""
    from .btf import Btf

    section = spec.image.section(".BTF")
    assert section is not None
    return Btf.parse(section.data).c_name(extern.value_type_id)


def _fd_index(found: KernelType, resolved: ResolvedExterns, extern: ExternSpec) -> int:
    fds = resolved.fd_array
    if not fds:
        fds.append(0)  # index 0 stands for the kernel itself
    if found.btf_fd in fds:
        return fds.index(found.btf_fd)
    if len(fds) > _MAX_MODULES:
        raise RelocationError(
            f"extern {extern.name!r} of {extern.section}: functions of more than {_MAX_MODULES}"
            " modules"
        )
    fds.append(found.btf_fd)
    return len(fds) - 1


def _owner(found: KernelType) -> str:
    return f"module {found.module!r}" if found.module else "the kernel"


def _missing(extern: ExternSpec, where: str) -> None:
    if not extern.is_weak:
        what = "function" if extern.is_func else "variable"
        thing = "symbol" if not extern.value_type_id else what
        raise RelocationError(
            f"extern {extern.name!r} of {extern.section}: the running kernel has no such {thing}"
            f" in its {where}, nor in its modules'; declare it __weak to do without"
        )


# --- verifier logs


def missing_kfunc(log: str, externs: list[str]) -> str | None:
    """Find in a verifier log which weak function a program calls that the kernel lacks.

    Args:
        externs: all externs of the object, in order.
    """
    marker = f"unknown#{_POISON_BASE // 1_000_000}"
    at = log.rfind(marker)
    if at < 0:
        return None
    digits = log[at + len("unknown#") :].split(maxsplit=1)[0]
    index = int(digits) - _POISON_BASE if digits.isdecimal() else -1
    return externs[index] if 0 <= index < len(externs) else None
