"""Skeletons on this kernel: generated, type-checked, loaded, run; and used wrongly."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bpfgen_runtime.errors import (
    BpfError,
    ClosedError,
    KeyMissingError,
    SyscallError,
    VerifierError,
)

from tests.golden.regenerate import Case
from tests.support.checkers import mypy_errors, pyright_errors
from tests.support.kernels import IN_MATRIX
from tests.support.modules import load_module

APPS = sorted(path.stem for path in (Path(__file__).parent / "apps").glob("[a-z]*.py"))
BPFGEN = Path(sys.executable).parent / "bpfgen"


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with each application and the module generated from its object."""
    place = tmp_path_factory.mktemp("applications")
    for name in APPS:
        case = Case(name)
        if IN_MATRIX:  # tests/golden says that these are the same, and translated it takes minutes
            shutil.copy(case.module, place)
        else:
            shutil.copy(case.object, place)
            subprocess.run(
                [BPFGEN, "skeleton", case.object.name, *case.options("bpfgen")],
                cwd=place,
                check=True,
            )
        shutil.copy(Path(__file__).parent / "apps" / f"{name}.py", place / f"use_{name}.py")
    return place


def test_there_are_five_applications() -> None:
    """Five objects that are not the examples are put to use, at least."""
    assert len(APPS) >= 5


@pytest.mark.host_only
def test_applications_pass_mypy(applications: Path) -> None:
    """The generated modules and what uses them pass mypy --strict."""
    assert mypy_errors(sorted(applications.glob("*.py")), cwd=applications) == []


@pytest.mark.host_only
def test_applications_pass_pyright(applications: Path) -> None:
    """The generated modules and what uses them pass pyright in strict mode."""
    assert pyright_errors(sorted(applications.glob("*.py")), cwd=applications) == []


@pytest.mark.parametrize("name", APPS)
def test_application_runs(name: str, applications: Path) -> None:
    """Each application loads its object, runs it, and reads the values that it expects."""
    done = subprocess.run(
        [sys.executable, "-W", "error", f"use_{name}.py"],
        cwd=applications,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def maps() -> ModuleType:
    return load_module(Case("maps").module)


def test_open_skeleton_is_used_up_by_load(maps: ModuleType) -> None:
    """After load all that belonged to the open skeleton raises ClosedError, saying what to do."""
    module = load_module(Case("globals").module)
    opened = module.Globals.open()
    sections, group = opened.bss, opened.progs
    with opened.load():
        uses = {
            "maps": lambda: opened.maps,
            "progs": lambda: opened.progs,
            "rodata": lambda: opened.rodata,
            "spec": lambda: opened.spec,
            "load": lambda: opened.load(),
            "with": lambda: opened.__enter__(),
            "kept section": lambda: sections.hits,
            "kept group": lambda: group.on_getpgid,
        }
        for what, use in uses.items():
            with pytest.raises(ClosedError) as caught:
                use()
            assert "load" in str(caught.value), what
        assert opened.closed
        opened.destroy()  # nothing more to do


def test_loaded_things_of_open_skeleton(maps: ModuleType) -> None:
    """Before load the methods of live maps and programs are missing, with a hint to load."""
    with maps.Maps.open() as opened:
        for use in (
            lambda: opened.maps.untyped.poll(),
            lambda: opened.maps.hash.keys(),
            lambda: opened.progs.on_getpgid.attach(),
        ):
            with pytest.raises(AttributeError, match=r"load\(\)"):
                use()
        for use in (lambda: opened.attach(), lambda: opened.links, lambda: opened.nonsense):
            with pytest.raises(AttributeError):
                use()


def test_constants_are_set_before_load_only() -> None:
    """A constant cannot be set after load; the error says when it can."""
    module = load_module(Case("globals").module)
    with module.Globals.open() as opened, opened.load() as skel:
        with pytest.raises(AttributeError, match="before load"):
            skel.rodata.answer = 1
        assert skel.rodata.answer == 42


def test_destroyed_skeleton(maps: ModuleType) -> None:
    """After destroy everything raises ClosedError; a second destroy does nothing."""
    module = load_module(Case("globals").module)
    skel = module.Globals.open_and_load()
    skel.attach()
    bss, program, link = skel.bss, skel.progs.on_getpgid, skel.links.on_getpgid
    skel.destroy()
    skel.destroy()
    skel.detach()
    for use in (
        lambda: skel.attach(),
        lambda: skel.object,
        lambda: bss.hits,
        lambda: skel.bss.hits,
        lambda: program.fileno(),
        lambda: link.fileno(),
        lambda: skel.links.on_getpgid,
        lambda: skel.__enter__(),
    ):
        with pytest.raises(ClosedError):
            use()
    assert skel.closed
    assert repr(skel) == "<Globals, destroyed>"


def test_failed_load_keeps_the_open_skeleton() -> None:
    """If load fails nothing is left, and the open skeleton can be changed and loaded again."""
    module = load_module(Case("opaque").module)
    with module.Opaque.open() as opened:
        opened.bss.current = module.Value(text="8 bytes.")
        opened.maps.locked.max_entries = 0
        with pytest.raises(SyscallError, match="locked"):
            opened.load()
        assert opened.bss.current.text == b"8 bytes."
        opened.maps.locked.max_entries = 2
        with opened.load() as skel:
            assert len(skel.maps.locked) == 2
            assert skel.bss.current.text == b"8 bytes."


def test_program_left_out_after_refusal() -> None:
    """A program that the verifier refuses can be left out, and is then missing with a reason."""
    module = load_module(Case("maps").module)
    with module.Maps.open() as opened:
        broken = opened.progs.on_getpgid
        broken.code = bytes.fromhex("9500000000000000")  # exit without a return value
        broken.relocs = ()
        opened.spec.btf_ext = None
        with pytest.raises(VerifierError, match="on_getpgid"):
            opened.load()
        broken.autoload = False
        with opened.load() as skel:
            with pytest.raises(ClosedError, match=r"autoload = True"):
                skel.progs.on_getpgid.fileno()
            assert list(skel.progs) == []
            skel.attach()
            assert list(skel.links) == []


def test_map_left_out() -> None:
    """A map with autocreate = False is missing with a reason."""
    module = load_module(Case("maps").module)
    with module.Maps.open() as opened:
        opened.maps.queue.autocreate = False
        with opened.load() as skel:
            with pytest.raises(ClosedError, match="autocreate"):
                skel.maps.queue.fileno()
            assert len(skel.maps) == len(module.MapsMaps.MEMBERS) - 1


def test_attach_is_all_or_nothing() -> None:
    """If one program cannot be attached, those attached before are detached, and can be again."""
    module = load_module(Case("names").module)
    with module.Names.open() as opened:
        opened.progs.TracepointProgram.attach_target = "syscalls/no_such_event"
        with opened.load() as skel:
            with pytest.raises(BpfError, match="TracepointProgram"):
                skel.attach()
            assert list(skel.links) == []
            assert skel.progs.lambda_.links == ()
            with pytest.raises(ClosedError, match="not attached"):
                skel.links.lambda_.fileno()


def test_attach_twice_and_detach(maps: ModuleType) -> None:
    """attach leaves alone what is attached; detach undoes it, and it can be done again."""
    with maps.Maps.open_and_load() as skel:
        skel.attach()
        link = skel.links.on_getpgid
        skel.attach()
        assert skel.links.on_getpgid is link
        skel.detach()
        assert link.closed
        assert list(skel.links) == []
        skel.detach()
        skel.attach()
        assert not skel.links.on_getpgid.closed


def test_autoattach_is_obeyed(maps: ModuleType) -> None:
    """A program with autoattach = False is loaded and left unattached."""
    with maps.Maps.open() as opened:
        opened.progs.on_getpgid.autoattach = False
        with opened.load() as skel:
            skel.attach()
            assert list(skel.links) == []
            assert skel.progs.on_getpgid.fileno() >= 0


def test_link_made_by_hand(maps: ModuleType) -> None:
    """A link put into `links` belongs to the skeleton; it does not push out one that lives."""
    with maps.Maps.open_and_load() as skel:
        link = skel.progs.on_getpgid.attach_tracepoint("syscalls", "sys_enter_getpgid")
        skel.links.on_getpgid = link
        skel.attach()
        assert skel.links.on_getpgid is link
        other = skel.progs.on_getpgid.attach_tracepoint("syscalls", "sys_enter_getsid")
        with pytest.raises(BpfError, match="destroy"):
            skel.links.on_getpgid = other
        link.destroy()
        skel.links.on_getpgid = other
        with pytest.raises(AttributeError):
            skel.links.nonsense = other
        skel.detach()
        assert other.closed


def test_wrong_values_raise_at_once(maps: ModuleType) -> None:
    """Mistakes that type checkers see are refused at run time too."""
    with maps.Maps.open_and_load() as skel:
        mistakes: list[tuple[type[Exception], Any]] = [
            (TypeError, lambda: skel.maps.hash[1]),
            (TypeError, lambda: skel.maps.hash.update({maps.Key(): 5})),
            (TypeError, lambda: maps.Value(nonsense=1)),
            (AttributeError, lambda: maps.Value().nonsense),
            (AttributeError, lambda: setattr(maps.Value(), "calls", 5)),
            (AttributeError, lambda: skel.progs.on_getpgid.attach_xdp(1)),
            (AttributeError, lambda: skel.maps.nonsense),
            (OverflowError, lambda: skel.maps.hash.update({maps.Key(): maps.Value(calls=-1)})),
            (KeyMissingError, lambda: skel.maps.hash[maps.Key(pid=0xFFFFFFFF)]),
        ]
        for error, mistake in mistakes:
            with pytest.raises(error):
                mistake()


def test_groups_as_collections(maps: ModuleType) -> None:
    """Groups iterate over what is there, in the object's order, and show it."""
    with maps.Maps.open_and_load() as skel:
        assert [one.name for one in skel.maps][:2] == ["hash", "lru"]
        assert [one.name for one in skel.progs] == ["on_getpgid"]
        assert len(skel.links) == 0
        assert repr(skel.links) == "<MapsLinks: none>"
        skel.attach()
        assert repr(skel) == "<Maps, attached: on_getpgid>"


def test_two_skeletons_at_once() -> None:
    """Each open gives a skeleton of its own: globals and maps are not shared."""
    module = load_module(Case("globals").module)
    with module.Globals.open_and_load() as first, module.Globals.open_and_load() as second:
        first.bss.hits = 5
        assert second.bss.hits == 0
