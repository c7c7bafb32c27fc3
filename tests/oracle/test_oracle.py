"""The corpus through libbpf and through us: the kernel has the same, or refuses the same."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime import features
from bpfgen_runtime.errors import FormatError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.uapi import const as k

from tests.oracle.case import Case
from tests.oracle.corpus import CASES
from tests.oracle.loads import Result, both, load_ours, load_theirs, reused, target
from tests.oracle.refusals import REFUSALS
from tests.support import libbpf
from tests.support.bpfwatch import of_the_kernel
from tests.support.btfnames import TypeName
from tests.support.kernels import has, running
from tests.support.libbpf import LibbpfObject

pytestmark = [pytest.mark.live, pytest.mark.needs("libbpf")]


def _params(*, opens: bool) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in CASES if (case.fails != "open") == opens]


def _knows(case: Case) -> bool:
    """Tell whether the system's libbpf is new enough for a case."""
    return libbpf.version() >= case.libbpf


# --- at open


@pytest.mark.host_only  # no kernel is asked
@pytest.mark.parametrize("case", _params(opens=True))
def test_open_finds_the_same(case: Case, tmp_path: Path) -> None:
    """Names, order, types, flags, sizes and code of programs and maps are libbpf's."""
    if not _knows(case) or case.flags:
        spec = load_spec(str(case.path(tmp_path)))  # what we find is held to `facts` at load
        assert spec.programs or spec.subprograms
        return
    path = case.path(tmp_path)
    spec = load_spec(str(path))
    with LibbpfObject(path) as theirs:
        assert [
            (
                p.name,
                p.section,
                p.prog_type,
                _attach_type(p.prog_type, p),
                p.autoload,
                p.prog_flags,
                p.code,
            )
            for p in spec.programs.values()
        ] == [
            (
                p.name,
                p.section_name,
                p.type,
                _attach_type(p.type, p),
                p.autoload,
                p.flags,
                p.instructions(),
            )
            for p in theirs.programs()
        ]
        rounded = {m.name: m.max_entries for m in theirs.maps()}
        assert [
            (
                m.name if not m.is_data or m.name.count(".") > 1 else m.kernel_name,
                m.map_type,
                m.key_size,
                m.value_size,
                rounded[m.name] if _is_ring(m.map_type) else m.max_entries,
                m.map_flags,
                m.map_extra,
                m.numa_node,
                m.key_type_id,
                # The kernel gets none of struct_ops maps, and libbpf before 1.4 has none.
                m.value_type_id if m.struct_ops is None else 0,
            )
            for m in spec.maps.values()
        ] == [
            (
                m.name,
                m.type,
                m.key_size,
                m.value_size,
                m.max_entries,
                m.map_flags,
                m.map_extra,
                m.numa_node,
                m.btf_key_type_id,
                m.btf_value_type_id if m.type != k.BPF_MAP_TYPE_STRUCT_OPS else 0,
            )
            for m in theirs.maps()
        ]


def _is_ring(map_type: int) -> bool:
    return map_type in (k.BPF_MAP_TYPE_RINGBUF, k.BPF_MAP_TYPE_USER_RINGBUF)


def _attach_type(prog_type: int, program: Any) -> int:
    # Of struct_ops programs it is the kernel's, and found at load; libbpf before 1.4 has the
    # object's until then. What the kernel is given in the end is compared after the load.
    if prog_type == k.BPF_PROG_TYPE_STRUCT_OPS:
        return 0
    attach_type: int = program.expected_attach_type
    return attach_type


@pytest.mark.host_only
@pytest.mark.parametrize("case", _params(opens=False))
def test_neither_opens(case: Case, tmp_path: Path) -> None:
    """What libbpf refuses at open is refused there."""
    path = case.path(tmp_path)
    with libbpf.warnings() as said, pytest.raises(OSError, match="cannot open") as refused:
        LibbpfObject(path)
    if _knows(case):
        refusal = REFUSALS[case.name]
        assert re.search(refusal.says, "".join(said)), said
        assert refused.value.errno == refusal.errno
    with pytest.raises(FormatError, match=case.message):
        load_spec(str(path))


# --- load


@pytest.mark.parametrize("case", _params(opens=True))
def test_load(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is asked the same and has the same afterwards; or refuses the same.

    Compared: what the kernel was asked of each program and map (tests/support/bpfwatch.py); what it
    says of them afterwards, of data and slots in maps, of the object's BTF (kernelview.py); logs of
    the verifier. A failure has libbpf's errno, where the kernel has refused.
    """
    with both(case, tmp_path) as given, target(case) as program, reused(case) as maps:
        ours = load_ours(given, program, maps, monkeypatch)
        theirs = load_theirs(given, program, maps) if _knows(case) else None
    if _is_decided(case):
        if case.fails:
            assert re.search(case.message, ours.error), ours.error or "it loads"
            # What has no errno never got to the kernel; what it refused, has libbpf's.
            assert (ours.errno is None) == (case.fails == "load")
        else:
            assert ours.error == ""
    if theirs is None:
        _holds_facts(case, ours)
        return
    if case.fails and _is_decided(case):
        _is_refusal(case, theirs)
    assert bool(ours.error) == bool(theirs.error), (ours.error, theirs.error)
    for result in (ours, theirs):
        for difference in case.differences:
            if difference in _LEFT_OUT:
                _LEFT_OUT[difference](result)
    assert ours.kernel == theirs.kernel
    if ours.errno is not None:
        assert ours.errno == theirs.errno, ours.error
        assert ours.programs == theirs.programs
        assert ours.maps == theirs.maps
        assert _logs(ours) == _logs(theirs)


def _is_refusal(case: Case, theirs: Result) -> None:
    """Hold libbpf's failure against what is known of it."""
    refusal = REFUSALS[case.name]
    assert re.search(refusal.says, theirs.error), theirs.error
    assert theirs.errno == refusal.errno


#: What the verifier says differently each time, or on other machines; and what libbpf says in its
#: place where it has poisoned an instruction.
_ADDRESS = re.compile(r"\b0xff[0-9a-f]{14}\b")
_TIME = re.compile(r"^verification time .*\n", re.MULTILINE)
_POISONED = re.compile(r"\(85\) call unknown#\d+\ninvalid func unknown#\d+$", re.MULTILINE)
_REWRITTEN = re.compile(
    r"<invalid (CO-RE relocation|BPF map reference|kfunc call)>\n"
    r"(failed to resolve CO-RE relocation .*|.* is referenced but wasn't (created|resolved))$",
    re.MULTILINE,
)


def _logs(result: Result) -> dict[str, str]:
    found = {}
    for name, log in result.logs.items():
        for pattern, instead in (
            (_ADDRESS, "ADDRESS"),
            (_TIME, ""),
            (_POISONED, "POISON"),
            (_REWRITTEN, "POISON"),
        ):
            log = pattern.sub(instead, log)
        found[name] = log
    return found


def _without_wrapper(result: Result) -> None:
    if not has("kprobe"):  # libbpf cannot see it then; the last of the settings
        data = result.kernel["data"]
        data[".kconfig"] = data[".kconfig"][:-1]


def _without_version(result: Result) -> None:
    if "Debian" in os.uname().version and libbpf.version() < (1, 2):
        data = result.kernel["data"]
        data[".kconfig"] = data[".kconfig"][:8] + data[".kconfig"][12:]


def _without_types(result: Result) -> None:
    if features.BTF_EMPTY_DATASEC.supported():
        return
    kernel = result.kernel
    kernel["types"] = kernel["number of types"] = None
    for view in kernel["programs"].values():
        del view["func_info"], view["line_info"], view["types"]
    for view in kernel["maps"].values():
        del view["btf"]


def _without_records(result: Result) -> None:
    for view in result.kernel["programs"].values():
        del view["func_info"], view["line_info"], view["types"]
    for asked in result.programs.values():
        del asked["functions"], asked["lines"]


#: The fields and types that cases with `core` ask for are those of kernels since then.
_FIELDS_SINCE = (6, 12)

#: By difference: takes what differs out of a result.
_LEFT_OUT = {
    "LINUX_HAS_SYSCALL_WRAPPER": _without_wrapper,
    "Debian's versions": _without_version,
    "empty sections": _without_types,
    "set_insns": _without_records,
}


def _is_decided(case: Case) -> bool:
    """Tell whether this kernel is known to do what the case says."""
    if case.core and running() < _FIELDS_SINCE:
        return False
    return all(has(name) for name in case.needs)


def _holds_facts(case: Case, ours: Result) -> None:
    """Compare with what the kernel has to say of features that libbpf is too old for."""
    if not _is_decided(case):
        return
    if case.fails:
        # What has no errno never got to the kernel.
        wanted = REFUSALS[case.name].errno if case.fails == "kernel" else None
        assert ours.errno == wanted
        return
    assert case.facts, "newer than the system's libbpf, and nothing to compare with"
    for what, facts in case.facts.items():
        kind, _, name = what.partition(" ")
        views = ours.kernel[f"{kind}s"]
        if facts is None:
            assert name not in views
            continue
        view = dict(views[name])
        if kind == "program":
            asked = ours.programs[name]
            view |= asked | {"functions": len(view["func_info"])}
            view["of the kernel"] = of_the_kernel(asked)
        assert {key: _without_number(view[key]) for key in facts} == facts


def _without_number(value: Any) -> Any:
    return (value.name, value.where) if isinstance(value, TypeName) else value
