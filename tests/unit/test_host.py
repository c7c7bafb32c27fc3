"""What the host part reads of this machine, and how it reads what other machines would say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bpfgen_runtime.errors import NotSupportedError
from bpfgen_runtime.host import capabilities, cpus, mounts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0,)),
        ("0\n", (0,)),
        ("0-3", (0, 1, 2, 3)),
        ("0-3,5", (0, 1, 2, 3, 5)),
        ("0,2-2,7-9\n", (0, 2, 7, 8, 9)),
        ("0-1023", tuple(range(1024))),
    ],
)
def test_cpu_list(text: str, expected: tuple[int, ...]) -> None:
    """Numbers and ranges, separated by commas."""
    assert cpus.parse_cpu_list(text) == expected


@pytest.mark.parametrize("text", ["", "\n", "a", "0-", "-3", "0,,1", "1-0", "0-3-5", "0 1", "²"])
def test_cpu_list_refused(text: str) -> None:
    """What is no list of CPUs is refused with the text in the message."""
    with pytest.raises(ValueError, match="is no list of CPUs") as caught:
        cpus.parse_cpu_list(text)
    assert repr(text) in str(caught.value)


def test_cpus_of_this_machine() -> None:
    """The online CPUs are possible ones; this process runs on some of them."""
    assert set(os.sched_getaffinity(0)) <= set(cpus.online_cpus()) <= set(cpus.possible_cpus())


def test_cpus_without_sysfs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where sysfs is not mounted, the error says so."""
    monkeypatch.setattr(cpus, "_DIRECTORY", str(tmp_path))
    with pytest.raises(NotSupportedError, match="mount -t sysfs") as caught:
        cpus.possible_cpus()
    assert f"{tmp_path}/possible" in str(caught.value)


def status(bits: int) -> str:
    return f"Name:\tpython\nCapPrm:\t0000000000000000\nCapEff:\t{bits:016x}\n"


NET_ADMIN, SYS_ADMIN, PERFMON, BPF = 1 << 12, 1 << 21, 1 << 38, 1 << 39


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0, set()),
        (BPF, {"CAP_BPF"}),
        (BPF | PERFMON | 1, {"CAP_BPF", "CAP_PERFMON"}),
        (SYS_ADMIN | NET_ADMIN, {"CAP_SYS_ADMIN", "CAP_NET_ADMIN"}),
        ((1 << 41) - 1, set(capabilities.CAPABILITIES)),
    ],
)
def test_effective_capabilities(bits: int, expected: set[str]) -> None:
    """CapEff of /proc/PID/status is decoded, the other sets are not."""
    assert capabilities.effective(status(bits)) == expected


def test_effective_capabilities_of_this_process() -> None:
    """Without an argument it is this process that is asked."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "CapEff" in line
    )
    bits = int(line.split()[1], 16)
    assert ("CAP_BPF" in capabilities.effective()) == bool(bits & BPF)


@pytest.mark.parametrize(
    ("uid_map", "expected"),
    [
        ("         0          0 4294967295\n", True),
        ("         0       1000          1\n", False),
        ("         0     100000      65536\n", False),
        ("", False),
    ],
)
def test_user_namespace(uid_map: str, expected: bool) -> None:
    """Only the initial user namespace maps all ids to themselves."""
    assert capabilities.in_initial_user_namespace(uid_map) is expected


@pytest.mark.parametrize(
    ("have", "initial", "expected"),
    [
        ({"CAP_SYS_ADMIN"}, True, None),
        ({"CAP_BPF", "CAP_PERFMON"}, True, None),
        (
            {"CAP_BPF"},
            True,
            "BPF needs CAP_PERFMON (or CAP_SYS_ADMIN): run as root, e.g. with sudo",
        ),
        (
            set(),
            True,
            "BPF needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN): run as root, e.g. with sudo",
        ),
        ({"CAP_SYS_ADMIN"}, False, "initial user namespace"),
    ],
)
def test_missing_for_bpf(
    monkeypatch: pytest.MonkeyPatch, have: set[str], initial: bool, expected: str | None
) -> None:
    """One sentence names what is lacking and the remedy; nothing lacking is None."""
    monkeypatch.setattr(capabilities, "effective", lambda: frozenset(have))
    monkeypatch.setattr(capabilities, "in_initial_user_namespace", lambda: initial)
    missing = capabilities.missing_for_bpf()
    if expected is None:
        assert missing is None
    else:
        assert missing is not None
        assert expected in missing


@pytest.fixture
def fresh_mounts(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Forget where tracefs was found."""
    monkeypatch.setattr(mounts, "_tracefs", None)
    return monkeypatch


def test_tracefs_second_place(fresh_mounts: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mount below debugfs is taken where the other has no events."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "events").mkdir(parents=True)
    fresh_mounts.setattr(mounts, "_TRACEFS", (f"{tmp_path}/a", f"{tmp_path}/b"))
    assert mounts.tracefs() == f"{tmp_path}/b"


def test_tracefs_missing(fresh_mounts: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without tracefs, the error says how to mount it."""
    fresh_mounts.setattr(mounts, "_TRACEFS", (str(tmp_path),))
    with pytest.raises(NotSupportedError, match="mount -t tracefs tracefs /sys/kernel/tracing"):
        mounts.tracefs()


def test_tracepoint_id(fresh_mounts: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The number is read from the event's directory; an event that is not there is named."""
    event = tmp_path / "events" / "sched" / "sched_switch"
    event.mkdir(parents=True)
    (event / "id").write_text("316\n")
    fresh_mounts.setattr(mounts, "_TRACEFS", (str(tmp_path),))
    assert mounts.tracepoint_id("sched", "sched_switch") == 316
    with pytest.raises(NotSupportedError, match="no tracepoint 'nothing' in category 'sched' "):
        mounts.tracepoint_id("sched", "nothing")
