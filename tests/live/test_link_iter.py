"""Iterator links: each read runs the program over the kernel's objects anew."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from bpfgen_runtime.errors import SyscallError
from bpfgen_runtime.link import attach
from bpfgen_runtime.link.iter import IterLink, IterProgram
from bpfgen_runtime.object import Object
from bpfgen_runtime.uapi.enums import LinkType

from tests.support.links import Counts, loaded, program


@pytest.fixture
def live() -> Iterator[Object]:
    with loaded("link_iter") as live:
        yield live


def attached(live: Object, name: str) -> IterLink:
    link = attach(live.programs[name])
    assert isinstance(link, IterLink)
    return link


def test_reads_to_the_end(live: Object) -> None:
    """`read` gives the whole output, from the first task to the call that ends the iteration."""
    with attached(live, "tasks") as link:
        lines = link.read().splitlines()
    assert lines[0] == b"task 0"
    assert lines[-1] == b"end"
    assert len(lines) > 10
    assert [int(line.split()[1]) for line in lines[:-1]] == list(range(len(lines) - 1))


def test_every_read_is_a_new_iteration(live: Object) -> None:
    """A second read starts over, with what is there by then."""
    with attached(live, "tasks") as link:
        assert link.read().startswith(b"task 0\n")
        assert link.read().startswith(b"task 0\n")


def test_lines(live: Object) -> None:
    """Iterating over the link yields lines; leaving early closes the iteration."""
    with attached(live, "tasks") as link:
        before = os.listdir("/proc/self/fd")
        lines = iter(link)
        assert next(lines) == b"task 0\n"
        del lines
        assert os.listdir("/proc/self/fd") == before
        assert list(link)[-1] == b"end\n"


def test_output_larger_than_the_kernels_buffer(live: Object) -> None:
    """Output beyond one read(2) comes whole: every map's block of 200 bytes, none cut or lost."""
    with attached(live, "maps") as link:
        data = link.read()
    assert len(data) % 200 == 0
    assert data.count(b"map\0") == len(data) // 200


def test_open_reads_in_pieces(live: Object) -> None:
    """`open` gives a file with read, readinto and a descriptor, closed by its `with`."""
    with attached(live, "tasks") as link:
        with link.open() as stream:
            assert os.readlink(f"/proc/self/fd/{stream.fileno()}").startswith("anon_inode:")
            assert stream.read(6) == b"task 0"
            buffer = bytearray(8)
            assert stream.readinto(buffer) == 8
            assert buffer == b"\ntask 1\n"
        assert stream.closed


def test_entries_of_one_map(live: Object) -> None:
    """An iterator over a map's entries takes the map at attachment and sees its keys and values."""
    Counts(live, 7, 9)
    entries = program(live, "entries", IterProgram)
    with entries.attach_iter(map=live.maps["counts"]) as link:
        assert sorted(link) == [b"7=0\n", b"9=0\n"]
        info = link.info()
    assert info.target_name == "bpf_map_elem"
    assert info.map_id > 0


def test_entries_need_their_map(live: Object) -> None:
    """Without the map such an iterator cannot attach, and the error says what to call."""
    with pytest.raises(SyscallError, match=r"'entries'.*attach_iter\(map="):
        attach(live.programs["entries"])


def test_info(live: Object) -> None:
    """The info names what is iterated over; there is no map."""
    with attached(live, "tasks") as link:
        info = link.info()
    assert (info.type, info.prog_id) == (LinkType.ITER, live.programs["tasks"].id)
    assert (info.target_name, info.map_id) == ("task", 0)
