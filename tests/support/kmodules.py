"""Modules of the kernel that tests need."""

from __future__ import annotations

import subprocess

from bpfgen_runtime.btf import BTF_KIND_FUNC
from bpfgen_runtime.btf.kernel import kernel_btf, module_btf

#: A function that only the module has, by module.
_HAS = {"nf_conntrack": "bpf_xdp_ct_lookup"}


def load_kernel_module(name: str) -> bool:
    """Have a module loaded; tell whether it is one, and no part of the kernel."""
    if kernel_btf().find(_HAS[name], BTF_KIND_FUNC):
        return False
    subprocess.run(["/usr/sbin/modprobe", name], check=True)
    assert module_btf(name).find(_HAS[name], BTF_KIND_FUNC)
    return True
