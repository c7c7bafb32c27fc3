"""Tracepoint links in this machine's kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from bpfgen_runtime.errors import BpfError, ClosedError, NotSupportedError, SyscallError
from bpfgen_runtime.link import Link, attach, tracepoint
from bpfgen_runtime.link.raw_tracepoint import RawTracepointLink
from bpfgen_runtime.link.tracepoint import TracepointLink, TracepointProgram
from bpfgen_runtime.object import Object
from bpfgen_runtime.uapi.enums import LinkType, PerfEventType

from tests.support.leaks import snapshot
from tests.support.links import Counts, call_getpgid, loaded, program

PID = os.getpid()


@pytest.fixture
def live() -> Iterator[Object]:
    with loaded("link_tracepoint") as live:
        yield live


@pytest.fixture
def counts(live: Object) -> Counts:
    return Counts(live, PID)


@pytest.fixture
def on_getpgid(live: Object) -> TracepointProgram:
    return program(live, "on_getpgid", TracepointProgram)


def test_attaches_by_section_and_stops_when_destroyed(
    on_getpgid: TracepointProgram, counts: Counts
) -> None:
    """`attach` follows the section's name; the program runs for each call until the link goes."""
    link = attach(on_getpgid)
    assert isinstance(link, TracepointLink)
    call_getpgid(3)
    assert counts[PID] == 3
    link.destroy()
    call_getpgid(3)
    assert counts[PID] == 3


def test_bare_section_attaches_by_hand(live: Object, counts: Counts) -> None:
    """A section without a target is left out by `attach` and takes any tracepoint by name."""
    bare = program(live, "no_target", TracepointProgram)
    assert attach(bare) is None
    with bare.attach_tracepoint("syscalls", "sys_exit_getpgid"):
        call_getpgid(2)
    assert counts[PID] == 2


def test_one_program_has_several_links(on_getpgid: TracepointProgram, counts: Counts) -> None:
    """Each attachment is a link of its own; the program counts once for each."""
    with (
        on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid"),
        on_getpgid.attach_tracepoint("syscalls", "sys_exit_getpgid"),
    ):
        call_getpgid(1)
    assert counts[PID] == 2


@pytest.mark.kernel("info of perf links")
def test_info_names_the_tracepoint(on_getpgid: TracepointProgram) -> None:
    """The kernel's info has type, program and tracepoint."""
    with on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid") as link:
        info = link.info()
    assert info.id > 0
    assert info.type is LinkType.PERF_EVENT
    assert info.prog_id == on_getpgid.id
    assert info.event_type is PerfEventType.TRACEPOINT
    assert info.tp_name == "sys_enter_getpgid"


@pytest.mark.kernel("perf link")
def test_detach_destroys_unless_pinned(
    on_getpgid: TracepointProgram, counts: Counts, pin_dir: Path
) -> None:
    """`detach` destroys the link, as the kernel offers no more, or refuses while a pin holds it."""
    link = on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid")
    link.pin(pin_dir / "link")
    with pytest.raises(NotSupportedError, match=r"unpin\(\)"):
        link.detach()
    link.unpin()
    link.detach()
    assert link.closed
    call_getpgid(1)
    assert counts[PID] == 0


@pytest.mark.kernel("perf link")
def test_pin_outlives_the_link_and_unpin_ends_it(
    on_getpgid: TracepointProgram, counts: Counts, pin_dir: Path
) -> None:
    """A pinned link goes on when destroyed, and ends with its file once opened and destroyed."""
    link = on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid")
    link.pin(pin_dir / "link")
    assert link.pin_path == str(pin_dir / "link")
    with pytest.raises(BpfError, match="pinned already"):
        link.pin(pin_dir / "other")
    link.destroy()
    call_getpgid(1)
    assert counts[PID] == 1

    again = Link.open_pinned(pin_dir / "link")
    assert isinstance(again, TracepointLink)
    again.unpin()
    assert list(pin_dir.iterdir()) == []
    with pytest.raises(BpfError, match="not pinned"):
        again.unpin()
    again.destroy()
    call_getpgid(1)
    assert counts[PID] == 1


@pytest.mark.kernel("perf link")
def test_open_pinned_checks_what_it_opens(
    on_getpgid: TracepointProgram, live: Object, pin_dir: Path
) -> None:
    """A file of another type of link, of no link, or no file: an error that says so."""
    with on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid") as link:
        link.pin(pin_dir / "link")
        on_getpgid.pin(pin_dir / "program")
        with pytest.raises(BpfError, match="is a TracepointLink, not a RawTracepointLink"):
            RawTracepointLink.open_pinned(pin_dir / "link")
        with pytest.raises(BpfError, match="no link"):
            Link.open_pinned(pin_dir / "program")
        with pytest.raises(SyscallError, match="ENOENT"):
            Link.open_pinned(pin_dir / "nothing")


@pytest.mark.kernel("perf link")
def test_destroyed_link_refuses_all_but_destroy(on_getpgid: TracepointProgram) -> None:
    """After `destroy`, which may be repeated, every use of the link is a ClosedError."""
    link = on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid")
    link.destroy()
    link.destroy()
    assert "destroyed" in repr(link)
    for use in (link.fileno, link.info, link.detach, link.disconnect, link.__enter__):
        with pytest.raises(ClosedError, match="destroyed"):
            use()
    with pytest.raises(ClosedError, match="destroyed"):
        link.pin("/sys/fs/bpf/never")


def test_closing_the_program_destroys_its_links(on_getpgid: TracepointProgram) -> None:
    """A link belongs to its program and goes with it, whoever else refers to it."""
    link = on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid")
    assert on_getpgid.links == (link,)
    assert link.program is on_getpgid
    on_getpgid.close()
    assert link.closed
    with pytest.raises(ClosedError, match="'on_getpgid' is closed"):
        on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid")


def test_disconnected_link_stays_attached(on_getpgid: TracepointProgram, counts: Counts) -> None:
    """`destroy` after `disconnect` leaves the descriptors, and so the attachment, alone."""
    before = snapshot()["descriptor"]
    link = on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid")
    link.disconnect()
    link.destroy()
    try:
        call_getpgid(1)
        assert counts[PID] == 1
    finally:
        for number in snapshot()["descriptor"].keys() - before.keys():
            os.close(int(number))


@pytest.mark.parametrize(
    ("category", "name", "message"),
    [
        ("syscalls", "sys_enter_nothing", "'sys_enter_nothing' in category 'syscalls' "),
        ("nothing", "here", "nor that category"),
    ],
)
def test_missing_tracepoint_is_named(
    on_getpgid: TracepointProgram, category: str, name: str, message: str
) -> None:
    """A tracepoint that the kernel lacks is an error with program, category, name and path."""
    with pytest.raises(NotSupportedError, match=message) as caught:
        on_getpgid.attach_tracepoint(category, name)
    assert "program 'on_getpgid'" in str(caught.value)
    assert f"/events/{category}/{name}/id" in str(caught.value)


def test_target_without_category_is_refused(on_getpgid: TracepointProgram) -> None:
    """A section that names half a tracepoint is an error that shows the form."""
    on_getpgid.attach_target = "sched_switch"
    with pytest.raises(BpfError, match="tp/CATEGORY/NAME"):
        attach(on_getpgid)


class TestWithoutPerfLinks:
    """What kernels before v5.15 do, had by taking the way that those leave."""

    @pytest.fixture(autouse=True)
    def _old_kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracepoint, "_has_perf_links", False)

    def test_attaches_and_stops(self, on_getpgid: TracepointProgram, counts: Counts) -> None:
        """The program hangs at the event itself, from attachment until destroy."""
        with on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid") as link:
            assert os.readlink(f"/proc/self/fd/{link.fileno()}") == "anon_inode:[perf_event]"
            call_getpgid(2)
        call_getpgid(2)
        assert counts[PID] == 2

    def test_detach_destroys(self, on_getpgid: TracepointProgram, counts: Counts) -> None:
        """`detach` ends it too."""
        link = on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid")
        link.detach()
        call_getpgid(1)
        assert counts[PID] == 0
        assert link.closed

    def test_has_no_pin_and_no_info(self, on_getpgid: TracepointProgram, pin_dir: Path) -> None:
        """What needs a link object is not supported, and says from which kernel on it is."""
        with on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid") as link:
            with pytest.raises(NotSupportedError, match=r"Linux 5\.15"):
                link.pin(pin_dir / "link")
            with pytest.raises(NotSupportedError, match=r"Linux 5\.15"):
                link.info()
