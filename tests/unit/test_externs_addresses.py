"""What becomes of a symbol without type: its address, 0, or an error that says what to do."""

from __future__ import annotations

import pytest
from bpfgen_runtime.btf import Const, Var
from bpfgen_runtime.errors import RelocationError
from bpfgen_runtime.externs import resolve_externs
from bpfgen_runtime.host import kallsyms
from bpfgen_runtime.insn import LD_IMM64, Insn, decode, encode
from bpfgen_runtime.kernel_types import KernelTypes

from tests.support.objects import Types
from tests.unit.test_loader_externs import EXTERN, asking


def address(monkeypatch: pytest.MonkeyPatch, name: str, text: bytes) -> int:
    """Resolve `extern const void NAME __ksym` by that /proc/kallsyms; weak if named weak…."""
    types = Types()
    spec = asking(types, ".ksyms", Var(name, types.add(Const(0)), EXTERN))
    assert spec.externs[name].is_weak is name.startswith("weak")
    monkeypatch.setattr(kallsyms, "_read", lambda: text)
    kernel = KernelTypes()
    try:
        externs = resolve_externs(spec, kernel)
    finally:
        kernel.close()
    code = bytearray(encode([Insn(LD_IMM64, dst=1, imm=-1, next_imm=-1)], "<"))
    externs.fill_in(code, 0, name, "<")
    [load] = decode(code, "<")
    assert (load.code, load.dst, load.src) == (LD_IMM64, 1, 0)
    return load.imm64


@pytest.mark.parametrize("name", ["schedule", "weak_schedule"])
def test_address(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """All 64 bits of it."""
    text = f"ffffffff81000010 T {name}\n".encode()
    assert address(monkeypatch, name, text) == 0xFFFFFFFF81000010


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            b"0000000000000000 T schedule\n0000000000000000 t schedule\n",
            r"'schedule' of \.ksyms: /proc/kallsyms hides its addresses .*"
            r" run as root \(CAP_SYSLOG\), .* kernel\.kptr_restrict is not 2",
        ),
        (
            b"ffffffff81000010 T schedule\nffffffff81000020 t schedule\n",
            r"'schedule' of \.ksyms is ambiguous: .* at 0xffffffff81000010 and 0xffffffff81000020",
        ),
        (b"", r"'schedule' of \.ksyms: .* no such symbol .* declare it __weak"),
    ],
    ids=["hidden", "ambiguous", "missing"],
)
def test_no_address(monkeypatch: pytest.MonkeyPatch, text: bytes, reason: str) -> None:
    """A symbol whose address cannot be known is an error, not a wrong address."""
    with pytest.raises(RelocationError, match=reason):
        address(monkeypatch, "schedule", text)


@pytest.mark.parametrize(
    "text", [b"0000000000000000 T weak_schedule\n", b""], ids=["hidden", "missing"]
)
def test_weak_symbol_without_address(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    """A weak one is 0, which the program is to ask for."""
    assert address(monkeypatch, "weak_schedule", text) == 0


def test_weak_symbol_that_is_there_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weak or not, of two addresses neither is the right one; so it is in libbpf."""
    text = b"ffffffff81000010 T weak_schedule\nffffffff81000020 t weak_schedule\n"
    with pytest.raises(RelocationError, match="ambiguous"):
        address(monkeypatch, "weak_schedule", text)
