"""The tool that runs tests on other kernels: which kernel, and what came out."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from kernels import report  # noqa: E402 (the path comes first)
from kernels.debian import _NAME, Package, age_key, belongs  # noqa: E402
from kernels.store import Kernel, Store  # noqa: E402


@pytest.mark.parametrize(
    ("release", "series", "expected"),
    [
        ("5.10.0-46-amd64", "5.10", True),
        ("5.10.0-46-amd64", "5.1", False),
        ("6.12.117+deb12-amd64", "6.12", True),
        ("6.12.117+deb12-amd64", "6.1", False),
        ("7.2.12+deb14-amd64", "7.x", True),
        ("7.2.12+deb14-amd64", "7.2", True),
        ("7.2.12+deb14-amd64", "7.2.12", False),
    ],
)
def test_series(release: str, series: str, expected: bool) -> None:
    """A series is the release's first numbers, the last of which may be `x`."""
    assert belongs(release, series) is expected


@pytest.mark.parametrize(
    ("package", "release"),
    [
        ("linux-image-5.10.0-46-amd64", "5.10.0-46"),
        ("linux-image-6.12.117+deb12-amd64", "6.12.117+deb12"),
        ("linux-binary-7.2.12+deb14-amd64", "7.2.12+deb14"),
        ("linux-image-5.10.0-46-cloud-amd64", None),
        ("linux-image-5.10.0-46-rt-amd64", None),
        ("linux-image-5.10.0-46-amd64-unsigned", None),
        ("linux-image-5.10.0-46-amd64-dbg", None),
        ("linux-image-amd64", None),
        ("linux-image-6.1-amd64-dbg", None),
    ],
)
def test_wanted_packages(package: str, release: str | None) -> None:
    """Of Debian's many kernel packages the plain, signed images are taken."""
    match = _NAME.fullmatch(package)
    assert (None if match is None else match[2]) == release


def test_newest() -> None:
    """Numbers in releases compare as numbers."""
    releases = ["5.10.0-9-amd64", "5.10.0-46-amd64", "5.10.0-30-amd64"]
    assert max(releases, key=age_key) == "5.10.0-46-amd64"


def test_split_packages() -> None:
    """A kernel in one package is one to fetch, a split one is three."""
    assert Package("image", "6.1.0-1-amd64").names() == ["linux-image-6.1.0-1-amd64"]
    assert Package("binary", "7.2.1-amd64").names() == [
        "linux-base-7.2.1-amd64",
        "linux-binary-7.2.1-amd64",
        "linux-modules-7.2.1-amd64",
    ]


@pytest.mark.parametrize("place", ["boot/config-R", "usr/lib/modules/R/config"])
def test_configuration(tmp_path: Path, place: str) -> None:
    """A kernel's configuration is found where either kind of package has it."""
    assert Kernel("R", tmp_path).config is None
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.touch()
    assert Kernel("R", tmp_path).config == path


def test_cached_kernel_needs_no_network(tmp_path: Path) -> None:
    """A kernel of the series that is in the cache is taken; half of one is not there."""
    for release in ("6.1.0-9-amd64", "6.1.0-56-amd64", "6.12.1+deb12-amd64"):
        modules = tmp_path / "kernels" / release / "lib" / "modules" / release
        modules.mkdir(parents=True)
        (modules / "vmlinuz").touch()
    (tmp_path / "kernels" / "6.1.0-99-amd64").mkdir()
    assert Store(tmp_path).kernel("6.1").release == "6.1.0-56-amd64"


def test_slots(tmp_path: Path) -> None:
    """No more guests run at once than there are slots, also those of other calls."""
    one, two = Store(tmp_path), Store(tmp_path)
    with one.slot(1):
        entered = threading.Event()

        def enter() -> None:
            with two.slot(1):
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.2)
    assert entered.wait(10)
    waiting.join()


JUNIT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="tests.live.test_maps" name="test_one" time="1"/>
<testcase classname="tests.live.test_maps" name="test_two"><failure message="no"/></testcase>
<testcase classname="tests.live.test_maps" name="test_three"><error message="bad"/></testcase>
<testcase classname="tests.live.test_maps" name="test_four"><skipped message="why"/></testcase>
</testsuite></testsuites>"""


def test_report(tmp_path: Path) -> None:
    """Failures, errors and skips are read with their reasons; a run with one is not good."""
    path = tmp_path / "junit.xml"
    path.write_text(JUNIT)
    result = report.read(path)
    assert result is not None
    assert result.passed == 1
    assert [(test.name, test.reason) for test in result.failed] == [
        ("test_maps::test_two", "no"),
        ("test_maps::test_three", "bad"),
    ]
    assert [test.reason for test in result.skipped] == ["why"]
    assert not result.ok


def test_no_report(tmp_path: Path) -> None:
    """No file, or half of one, is no result; a run without any test is not good."""
    path = tmp_path / "junit.xml"
    assert report.read(path) is None
    path.write_text(JUNIT[:100])
    assert report.read(path) is None
    assert not report.Result(0, (), ()).ok
