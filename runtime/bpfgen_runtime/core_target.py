"""Which BTF the CO-RE relocations of a load go by: the running kernel's, or a given file's."""

from __future__ import annotations

from .core import Poison, relocate
from .errors import NotSupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .btf import Btf
    from .spec import ObjectSpec, ProgramSpec

__all__ = ["relocate_core"]


def relocate_core(
    spec: ObjectSpec, functions: Iterable[ProgramSpec], btf_custom_path: str | None
) -> dict[ProgramSpec, tuple[bytes, dict[int, Poison]]]:
    """Apply an object's CO-RE records; see `core.relocate`.

    Args:
        functions: what is going to be loaded.
        btf_custom_path: a file of BTF that stands for the kernel's, for kernels without their own.
            As with libbpf the kernel's modules are not searched then.

    Raises:
        NotSupportedError: there are records, and the kernel has no BTF.
        RelocationError, BtfError: a record or the BTF is damaged.
    """
    if btf_custom_path is not None:
        from .btf.file import read_btf

        return relocate(spec, functions, lambda: read_btf(btf_custom_path), None, btf_custom_path)
    from .btf.kernel import every_module_btf

    return relocate(spec, functions, lambda: _kernel(spec.name), every_module_btf)


def _kernel(name: str) -> Btf:
    from .btf.kernel import kernel_btf

    try:
        return kernel_btf()
    except NotSupportedError as error:
        raise NotSupportedError(
            f"CO-RE relocations of object {name!r} on a kernel without BTF",
            f"{error.hint}; or give a file with this kernel's BTF as btf_custom_path",
        ) from error
