"""Types of the running kernel and of its modules by name, for one load."""

from __future__ import annotations

from errno import E2BIG, EINVAL, ENOENT, EPERM

from .btf.kernel import kernel_btf, opened_module_btf
from .errors import SyscallError
from .sys import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .btf import Btf
    from .sys.fd import Fd

__all__ = ["KernelType", "KernelTypes"]

_NAME_SIZE = 64


class KernelType:
    """Where a type was found.

    Attributes:
        btf: the BTF that has it, of the kernel or of a module.
        type_id: its id there.
        module: the module's name, "" for the kernel itself.
        btf_fd: a descriptor of the module's BTF that its `KernelTypes` owns; 0 for the kernel.
    """

    __slots__ = ("btf", "btf_fd", "module", "type_id")

    def __init__(self, btf: Btf, type_id: int, module: str = "", btf_fd: int = 0) -> None:
        self.btf = btf
        self.type_id = type_id
        self.module = module
        self.btf_fd = btf_fd


class KernelTypes:
    """Finds types, the kernel's first, then its modules' in the order in which they were loaded.

    A program refers to a module's type by a descriptor of the module's BTF, so the descriptors stay
    open until `close`.
    """

    __slots__ = ("_modules",)

    def __init__(self) -> None:
        #: Of each: the name, its BTF's descriptor, and the kernel's id of that.
        self._modules: list[tuple[str, Fd, int]] | None = None

    def find(self, name: str, kind: int, module: str | None = None) -> KernelType | None:
        """Return the type of that name and kind; None if there is none.

        Args:
            module: the only module to look in, "vmlinux" for the kernel; None for all of them.

        Raises:
            NotSupportedError: the kernel has no BTF.
        """
        if module in (None, "vmlinux"):
            ids = kernel_btf().find(name, kind)
            if ids:
                return KernelType(kernel_btf(), ids[0])
            if module:
                return None
        for owner, fd, number in self._open_modules():
            if module not in (None, owner):
                continue
            # By the descriptor: the program is given this one, whatever is loaded meanwhile.
            btf = opened_module_btf(owner, fd.fileno(), number)
            own = [type_id for type_id in btf.find(name, kind) if type_id >= btf.start_id]
            if own:
                return KernelType(btf, own[0], owner, fd.fileno())
        return None

    def _open_modules(self) -> list[tuple[str, Fd, int]]:
        """Open the BTF of all modules; none of them without CAP_SYS_ADMIN, as for libbpf.

        Kernel: BPF_BTF_GET_NEXT_ID since v5.4, names of modules since v5.11.
        """
        if self._modules is None:
            self._modules = []
            number: int | None = 0
            while True:
                try:
                    number = bpf.btf_get_next_id(number or 0)
                    if number is None:
                        break
                    fd = bpf.btf_get_fd_by_id(number)
                except SyscallError as error:
                    if error.errno == ENOENT:  # unloaded between the two calls
                        continue
                    if error.errno in (EPERM, EINVAL):
                        break
                    raise
                try:
                    name = _module_name(fd)
                except SyscallError as error:
                    fd.close()
                    if error.errno == E2BIG:  # before v5.11: BTF has no name, modules no BTF
                        break
                    raise
                if name:
                    self._modules.append((name, fd, number))
                else:
                    fd.close()
        return self._modules

    def close(self) -> None:
        """Close the descriptors."""
        modules, self._modules = self._modules, None
        for _, fd, _ in modules or ():
            fd.close()


def _module_name(fd: Fd) -> str:
    """Return which module a BTF is of; "" if of none."""
    from ctypes import addressof, create_string_buffer

    from .uapi.attr_more import BtfInfo

    name = create_string_buffer(_NAME_SIZE)
    info = BtfInfo(name=addressof(name), name_len=_NAME_SIZE)
    bpf.obj_get_info_by_fd(bpf_fd=fd.fileno(), info=info, what="read the BTF's information")
    text = name.value.decode("utf-8", "surrogateescape")
    return text if info.kernel_btf and text != "vmlinux" else ""
