"""The configuration that the running kernel was built with."""

from __future__ import annotations

import os
import zlib
from errno import ENOENT

from ..errors import NotSupportedError, SyscallError

__all__ = ["kernel_config"]

_GZIP = 16 + zlib.MAX_WBITS  # with the header of a gzip file


def kernel_config(paths: tuple[str, ...] | None = None) -> tuple[str, str]:
    """Return the text of the kernel's configuration, and the file that it was read from.

    Args:
        paths: the files to try, compressed by gzip or plain; those of libbpf by default.

    Raises:
        NotSupportedError: none of them is there.
        SyscallError: none can be opened, and one is there; or one that was opened cannot be read.
    """
    if paths is None:
        paths = (f"/boot/config-{os.uname().release}", "/proc/config.gz")
    refusal: tuple[str, OSError] | None = None
    for path in paths:
        try:
            file = open(path, "rb")  # noqa: SIM115 - closed below, apart from what may fail here
        except OSError as error:
            # The next one may do, as for libbpf: /boot is often for root alone.
            if error.errno != ENOENT and refusal is None:
                refusal = path, error
            continue
        with file:
            try:
                data = file.read()
            except OSError as error:
                raise SyscallError(error.errno or 0, "read", f"read {path}") from error
        if data.startswith(b"\x1f\x8b"):
            try:
                data = zlib.decompress(data, _GZIP)
            except zlib.error as error:
                raise NotSupportedError(
                    "reading the kernel's configuration", f"{path} is damaged ({error})"
                ) from error
        return data.decode("utf-8", "surrogateescape"), path
    if refusal is not None:
        path, failed = refusal
        raise SyscallError(failed.errno or 0, "open", f"read {path}") from failed
    raise NotSupportedError(
        "reading the kernel's configuration",
        f"none of {', '.join(paths)} is there: modprobe configs, or set kconfig before load",
    )
