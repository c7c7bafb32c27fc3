"""Which version of Linux runs here, as `LINUX_VERSION_CODE` counts it."""

from __future__ import annotations

import os

__all__ = ["kernel_version", "version_code"]

_UBUNTU = "/proc/version_signature"


def version_code(release: str, version: str = "", signature: str = "") -> int:
    """Return `KERNEL_VERSION(a, b, c)` of a kernel; 0 if its names do not tell.

    Args:
        release, version: of uname(2), e.g. "6.1.0-22-amd64" and "#1 SMP ... Debian 6.1.94-1 ...".
        signature: the text of Ubuntu's /proc/version_signature, "" elsewhere.
    """
    # Debian and Ubuntu keep the release of the first kernel of a series: what it was built from
    # stands elsewhere.
    words = signature.split()
    if len(words) > 2 and (code := _code(words[2])):
        return code
    _, debian, after = version.partition("Debian ")
    if debian and (code := _code(after)):
        return code
    return _code(release)


def kernel_version() -> int:
    """Return the running kernel's `version_code`."""
    name = os.uname()
    try:
        with open(_UBUNTU, encoding="ascii", errors="replace") as file:
            signature = file.read()
    except OSError:
        signature = ""
    return version_code(name.release, name.version, signature)


def _code(text: str) -> int:
    numbers = []
    for part in text.lstrip().split(".", 2):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        numbers.append(digits)
        if digits != part and len(numbers) < 3:
            return 0
    if len(numbers) < 3 or not all(numbers):
        return 0
    major, minor, patch = map(int, numbers)
    return (major << 16) + (minor << 8) + min(patch, 255)
