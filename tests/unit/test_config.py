"""`[tool.bpfgen]`: what it may say, and that what is wrong is named by file and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from bpfgen_runtime.errors import GenerateError

from bpfgen.config import _OBJECT, _PROJECT, Config, find, load, target_of_source


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with three sources."""
    (tmp_path / "bpf").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / f"bpf/{name}.bpf.c").touch()
    return tmp_path


def write(project: Path, text: str) -> Path:
    file = project / "pyproject.toml"
    file.write_text(text)
    return file


def test_everything(project: Path) -> None:
    """Every key is read; paths are the project's; a `-` in a key is as good as a `_`."""
    file = write(
        project,
        """
        [project]
        name = "app"
        [tool.bpfgen]
        sources = ["bpf/*.bpf.c"]
        clang = "clang-16"
        cflags = ["-Wall"]
        include-dirs = ["bpf/include"]
        arch = "arm64"
        vmlinux_h = "bpf/vmlinux_6.h"
        output_dir = "src/app"
        build_dir = "out"
        check_types = false
        [tool.bpfgen.objects.both]
        sources = ["bpf/b.bpf.c", "bpf/a.bpf.c"]
        object = "bpf/both.bpf.o"
        events = { rb = "event", two = ["one", "other"] }
        cflags = ["-DX"]
        include_dirs = ["more"]
        sidecar = true
        [tool.bpfgen.objects.ready]
        object = "objects/x.o"
        output_dir = "src/ready"
        """,
    )
    config = load(file)
    assert (config.root, config.file) == (project, file)
    assert config.clang == "clang-16"
    assert config.cflags == ("-Wall",)
    assert config.include_dirs == (project / "bpf/include",)
    assert config.arch == "arm64"
    assert config.vmlinux_h == project / "bpf/vmlinux_6.h"
    assert config.build_dir == project / "out"
    assert config.check_types is False
    both, ready, single = config.targets
    assert both.sources == (project / "bpf/b.bpf.c", project / "bpf/a.bpf.c")
    assert both.object == project / "bpf/both.bpf.o"
    assert both.module == project / "src/app/both_skel.py"
    assert both.events == {"rb": "event", "two": "one,other"}
    assert (both.cflags, both.include_dirs, both.sidecar) == (("-DX",), (project / "more",), True)
    assert ready.sources == ()
    assert ready.module == project / "src/ready/ready_skel.py"
    # Of the sources that the pattern matches, those of a group are the group's.
    assert (single.name, single.sources) == ("c", (project / "bpf/c.bpf.c",))
    assert single.module == project / "src/app/c_skel.py"


def test_defaults(project: Path) -> None:
    """Without more, modules are beside their sources and what is made in between in .bpfgen."""
    config = load(write(project, '[tool.bpfgen]\nsources = ["bpf/a.bpf.c"]'))
    [target] = config.targets
    assert target.module == project / "bpf/a_skel.py"
    assert config.build_dir == project / ".bpfgen"
    assert (config.clang, config.arch, config.check_types) == ("clang", None, None)


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("[tool.bpfgen]\ncflag = []", ["tool.bpfgen: unknown key 'cflag'", "mean 'cflags'"]),
        ("[tool.bpfgen]\nxyzzy = 1", ["unknown key 'xyzzy'", "there are arch, build_dir, cflags"]),
        ("[tool.bpfgen]\ncflags = '-O2'", ["tool.bpfgen.cflags: a list of strings", "'-O2'"]),
        ("[tool.bpfgen]\ninclude_dirs = [1]", ["tool.bpfgen.include_dirs: a list of paths"]),
        ("[tool.bpfgen]\nclang = 1", ["tool.bpfgen.clang: a string is wanted, not 1"]),
        ("[tool.bpfgen]\nsidecar = 'yes'", ["tool.bpfgen.sidecar: true or false"]),
        ("[tool.bpfgen]\nvmlinux-h = true", ["tool.bpfgen.vmlinux-h: a path as a string"]),
        ("[tool.bpfgen]\nobjects = ['a']", ["tool.bpfgen.objects: a table is wanted"]),
        ("[tool.bpfgen]\nobjects.x = 'a'", ["tool.bpfgen.objects.x: a table is wanted"]),
        ("[tool.bpfgen]\narch = 'x68'", ["tool.bpfgen.arch: 'x68' is unknown", "'x86'"]),
        ("[tool.bpfgen]\nbuild_dir = 'a'\nbuild-dir = 'b'", ["build-dir: given twice"]),
        ("[tool.bpfgen]\nsources = ['*.bpf.c']", ["sources: '*.bpf.c' matches no file"]),
        ("[tool.bpfgen.objects.x]", ["objects.x: neither sources nor an object"]),
        ("[tool.bpfgen.objects.x]\nsource = 'a'", ["objects.x: unknown key", "mean 'sources'"]),
        ("[tool.bpfgen.objects.1st]\nobject = 'a'", ["'1st' is no identifier"]),
        ("[tool.bpfgen.objects.x]\nobject = 'a'\nevents.rb = 1", ["objects.x.events.rb: a type"]),
        ("[tool.bpfgen.objects.x]\nobject = 'a'\nevents.rb = ''", ["objects.x.events.rb: 'rb='"]),
        (
            "[tool.bpfgen]\nsources = ['bpf/a.bpf.c']\n[tool.bpfgen.objects.a]\nobject = 'a'",
            ["tool.bpfgen.objects: two objects have the name 'a'"],
        ),
        ("[tool.bpfgen\n", ["no TOML"]),
    ],
)
def test_mistakes(project: Path, text: str, reasons: list[str]) -> None:
    """A mistake is an error that names the file, the key, and what was meant or is wanted."""
    file = write(project, text)
    with pytest.raises(GenerateError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: ")
    for reason in reasons:
        assert reason in str(caught.value)


def test_found_upward(project: Path) -> None:
    """The file is looked for upward; one without the table is passed by."""
    inner = project / "x/y"
    inner.mkdir(parents=True)
    assert find(inner) is None
    file = write(project, "[tool.bpfgen]\n")
    write(project / "x", "[tool.black]\n")
    assert find(inner) == file
    nearer = write(inner, "[tool.bpfgen]\n")
    assert find(inner) == nearer
    write(project / "x/y", "tool = 1\n")
    assert find(inner) == file


def test_target_of_a_source(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source is built as configured, else as an object of its own, called by its file."""
    file = write(project, "[tool.bpfgen.objects.both]\nsources = ['bpf/a.bpf.c', 'bpf/b.bpf.c']")
    config = load(file)
    monkeypatch.chdir(project / "bpf")
    assert target_of_source(config, Path("b.bpf.c")) == config.targets[0]
    other = target_of_source(config, Path("c.bpf.c"))
    assert (other.name, other.module) == ("c", project / "bpf/c_skel.py")
    odd = target_of_source(Config(root=project), project / "two-words.c")
    assert (odd.name, odd.module.name) == ("two_words", "two_words_skel.py")


def test_manual(tmp_path: Path) -> None:
    """The configuration that docs/build.md shows is read, and shows every key."""
    text = (Path(__file__).resolve().parents[2] / "docs/build.md").read_text()
    [shown] = [part for part in text.split("```")[1::2] if "[tool.bpfgen]\nsources" in part]
    shown = shown.removeprefix("toml\n")
    for name in ("bpf/a.bpf.c", "bpf/open.bpf.c", "bpf/exec.bpf.c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    config = load(write(tmp_path, shown))
    assert [target.name for target in config.targets] == ["tracer", "ready", "a"]
    project, tracer = shown.partition("\n[tool.bpfgen.objects.tracer]")[::2]
    for table, keys in ((project, _PROJECT.keys() - {"objects"}), (tracer, _OBJECT.keys())):
        for key in keys:
            assert f"\n{key} = " in table, key
