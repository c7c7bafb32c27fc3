"""What this process may do, and what to do about what it may not."""

from __future__ import annotations

__all__ = ["CAPABILITIES", "effective", "in_initial_user_namespace", "missing_for_bpf"]

#: Bit numbers in capability sets (linux/capability.h) of those that BPF asks for.
CAPABILITIES = {
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}


def effective(status: str | None = None) -> frozenset[str]:
    """Return which of CAPABILITIES this process has in its effective set.

    Args:
        status: the text of a /proc/PID/status; this process's by default.
    """
    if status is None:
        with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
            status = file.read()
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            bits = int(value, 16)
            return frozenset(cap for cap, bit in CAPABILITIES.items() if bits >> bit & 1)
    return frozenset()


def in_initial_user_namespace(uid_map: str | None = None) -> bool:
    """Tell whether capabilities count for the whole machine: bpf(2) asks for them there.

    Args:
        uid_map: the text of a /proc/PID/uid_map; this process's by default.
    """
    if uid_map is None:
        try:
            with open("/proc/self/uid_map", encoding="ascii") as file:
                uid_map = file.read()
        except FileNotFoundError:  # CONFIG_USER_NS is not set
            return True
    return uid_map.split() == ["0", "0", "4294967295"]


def missing_for_bpf(needed: tuple[str, ...] = ("CAP_BPF", "CAP_PERFMON")) -> str | None:
    """Return one sentence on what this process lacks for BPF, with the remedy, or None.

    CAP_SYS_ADMIN stands for all three; CAP_BPF loads, CAP_PERFMON (tracing) or CAP_NET_ADMIN
    (networking) comes on top.

    Args:
        needed: capabilities wanted.

    Kernel: CAP_BPF and CAP_PERFMON since v5.8; before, CAP_SYS_ADMIN.
    """
    have = effective()
    lacking = [] if "CAP_SYS_ADMIN" in have else [cap for cap in needed if cap not in have]
    if lacking:
        names = " and ".join(lacking)
        return f"BPF needs {names} (or CAP_SYS_ADMIN): run as root, e.g. with sudo"
    if not in_initial_user_namespace():
        return (
            "BPF asks for capabilities in the initial user namespace and this process is in "
            "another (a rootless container?): run outside it, or in a privileged container"
        )
    return None
