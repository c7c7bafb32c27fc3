"""Finding types of the kernel and of its modules, where the kernel gives none away."""

from __future__ import annotations

from errno import EINVAL, EIO, EPERM
from typing import Any

import pytest
from bpfgen_runtime import kernel_types
from bpfgen_runtime.btf import BTF_KIND_FUNC, Btf
from bpfgen_runtime.btf.encoder import encode
from bpfgen_runtime.errors import SyscallError
from bpfgen_runtime.kernel_types import KernelTypes
from bpfgen_runtime.sys import bpf


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Btf.parse(encode([], byte_order="<"))
    monkeypatch.setattr(kernel_types, "kernel_btf", lambda: empty)


def _refuse(errno: int) -> Any:
    def refuse(number: int) -> int:
        raise SyscallError(errno, "BPF_BTF_GET_NEXT_ID", "find BTF")

    return refuse


@pytest.mark.parametrize("errno", [EPERM, EINVAL])
def test_modules_that_may_not_be_seen(errno: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CAP_SYS_ADMIN, and before Linux 5.4, modules count as absent, as with libbpf."""
    monkeypatch.setattr(bpf, "btf_get_next_id", _refuse(errno))
    assert KernelTypes().find("some_function", BTF_KIND_FUNC) is None


def test_another_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else goes wrong is told."""
    monkeypatch.setattr(bpf, "btf_get_next_id", _refuse(EIO))
    with pytest.raises(SyscallError, match="find BTF"):
        KernelTypes().find("some_function", BTF_KIND_FUNC)
