"""Verifier logs of several kernels, read and explained.

The logs in tests/data/verifier/<kernel>/ are what those kernels said to tests/bpf/bad_*.bpf.c; they
are captured by tools/verifier_logs.py.
"""

from __future__ import annotations

import errno
import pickle
from pathlib import Path
from typing import NamedTuple

import pytest
from bpfgen_runtime.errors import VerifierError
from bpfgen_runtime.verifier import SourceLine, VerifierStats, parse, source_lines
from bpfgen_runtime.verifier.lines import source_of
from hypothesis import given
from hypothesis import strategies as st

from tests.support.verifier import EXPECTED, UNPRIVILEGED, expected

DATA = Path(__file__).resolve().parents[1] / "data" / "verifier"
LOGS = sorted(DATA.glob("*/*.log"))
IDS = [f"{path.parent.name}-{path.stem}" for path in LOGS]


def error_of(log: str, **more: object) -> VerifierError:
    return VerifierError(errno.EACCES, "BPF_PROG_LOAD", "load program 'bad'", log, **more)  # type: ignore[arg-type]


def test_corpus_is_whole() -> None:
    """Every program that the verifier refuses has its logs and its expectations."""
    sources = {
        path.name.removeprefix("bad_").removesuffix(".bpf.c")
        for path in (DATA.parents[1] / "bpf").glob("bad_*.bpf.c")
    }
    assert sources == set(EXPECTED)
    kinds = {path.parent.name for path in LOGS}
    long = {"insn_limit", "jumps"}  # minutes in an emulated machine
    for kernel in kinds:
        logs = {path.stem for path in (DATA / kernel).glob("*.log")}
        assert sources - long <= logs, kernel
    assert set(UNPRIVILEGED) <= {path.stem for path in (DATA / "5.10").glob("*.log")}
    assert {path.stem for path in (DATA / "6.18").glob("*.log")} == sources


@pytest.mark.parametrize("path", LOGS, ids=IDS)
def test_log_of_a_kernel(path: Path) -> None:
    """The complaint, the instruction, the source line and the figures are found in each log."""
    log = parse(path.read_text())
    refusal = expected(path.stem, "\n".join(log.complaint))
    assert log.complaint[0] == log.complaint[0].strip() != ""
    if refusal.insn:
        assert refusal.insn in log.insn
        assert log.insn_index is not None
        assert f"{log.insn_index}: (" in path.read_text()
    if refusal.insn and refusal.marked and log.source is not None:
        assert "/* here */" in log.source.text
    assert log.stats is not None
    assert log.stats.limit == 1000000


@pytest.mark.parametrize("name", ["recursion", "unprivileged_loop"])
def test_real_back_edge(name: str) -> None:
    """An edge back, as 5.10 writes it, is explained by who may have loops, and where it starts."""
    log = (DATA / "5.10" / f"{name}.log").read_text()
    error = error_of(log)
    assert error.summary.startswith("back-edge from insn ")
    assert "Loops are refused here (a kernel before 5.3, a caller without CAP_BPF" in error.hint
    assert error.insn_index == int(log.partition("back-edge from insn ")[2].split()[0])
    if name == "recursion":
        assert error.source == SourceLine("", 0, 0, "return depth(left) * 3 + *left; /* here */")


@pytest.mark.parametrize("path", LOGS, ids=IDS)
def test_explanation(path: Path) -> None:
    """The message has reason, advice and the log's end, in no more than 25 lines."""
    refusal = expected(path.stem, path.read_text())
    error = error_of(path.read_text(), hint="Whoever poisoned it says why", program="bad")
    text = str(error)
    assert text.startswith("load program 'bad': BPF_PROG_LOAD: EACCES (Permission denied)\n")
    assert refusal.hint in error.hint
    assert refusal.hint in error.summary
    assert f"hint: {error.hint}\n" in text
    assert text.endswith("  " + path.read_text().splitlines()[-1])
    assert len(text.splitlines()) <= 25
    if error.insn:
        assert f"instruction: {error.insn_index}: {error.insn}\n" in text


class State(NamedTuple):
    """A log's text and the registers that it ends with."""

    log: str
    registers: dict[str, str]


STATES = {
    "5.10: a state before, a register written since": State(
        "0: (b7) r2 = 1\n"
        "1: (15) if r0 == 0x0 goto pc+1\n"
        " R0_w=map_value(id=0,off=0,ks=4,vs=8,imm=0) R1=inv(id=0,umax_value=255,"
        "var_off=(0x0; 0xff)) R10=fp0 fp-8=mmmm????\n"
        "2: (b7) r1 = 3\n"
        "3: (79) r3 = *(u64 *)(r9 +0)\n"
        "R9 !read_ok\n",
        {
            "R0": "map_value(id=0,off=0,ks=4,vs=8,imm=0)",
            "R10": "fp0",
            "fp-8": "mmmm????",
        },
    ),
    "5.10: a call forgets": State(
        "\nfrom 2 to 4: R0=inv1 R1=ctx(id=0,off=0,imm=0) R6=inv2 R10=fp0\n"
        "4: (85) call bpf_get_prandom_u32#7\n"
        "5: (79) r7 = *(u64 *)(r8 +0)\n"
        "R8 !read_ok\n",
        {"R6": "inv2", "R10": "fp0"},
    ),
    "6.x: changes behind instructions": State(
        "0: R1=ctx(off=0,imm=0) R10=fp0\n"
        "0: (b7) r2 = 8                        ; R2_w=8\n"
        "1: (7b) *(u64 *)(r10 -8) = r2         ; R2_w=8 R10=fp0 fp-8_w=8\n"
        "2: (bf) r3 = r2 ; R2_w=8 R3_w=8 refs=2\n"
        "3: (79) r3 = *(u64 *)(r3 +0)\n"
        "R3 invalid mem access 'scalar'\n",
        {"R1": "ctx(off=0,imm=0)", "R10": "fp0", "R2": "8", "R3": "8", "fp-8": "8"},
    ),
    "a whole state behind a jump": State(
        "0: R1=ctx() R10=fp0\n"
        "1: (16) if w2 == 0x7 goto pc+4 16: R0=1 R10=fp0 refs=2\n"
        "16: (95) exit\n"
        "Unreleased reference id=2 alloc_insn=5\n",
        {"R0": "1", "R10": "fp0"},
    ),
    "frames": State(
        "0: R1=ctx() R10=fp0\n"
        "1: (85) call pc+3\n"
        "caller:\n R6=1 R10=fp0\n"
        "callee:\n frame1: R1=ctx() R10=fp0\n"
        "5: frame1: R1=ctx() R10=fp0\n"
        "5: (b7) r0 = 0        ; frame1: R0_w=0\n"
        "6: (95) exit\n"
        "returning from callee:\n frame1: R0_w=0 R1=ctx() R10=fp0\n"
        "to caller at 2:\n R0_w=0 R6=1 R10=fp0\n"
        "2: (79) r1 = *(u64 *)(r0 +0)\n"
        "R0 invalid mem access 'scalar'\n",
        {"R0": "0", "R6": "1", "R10": "fp0"},
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_registers(name: str) -> None:
    """The registers are those before the failing instruction; none whose value is outdated."""
    log, registers = STATES[name]
    assert parse(log).registers == registers
    assert len(parse(log).complaint) == 1


@pytest.mark.parametrize(
    ("log", "index", "complaint"),
    [
        ("back-edge from insn 5 to 2\n", 5, "back-edge from insn 5 to 2"),
        ("unreachable insn 3\n", 3, "unreachable insn 3"),
        ("jump out of range from insn 4 to 10\n", 4, "jump out of range from insn 4 to 10"),
        ("last insn is not an exit or jmp\n", None, "last insn is not an exit or jmp"),
        (
            "0: (05) goto pc-1\n"
            "; loop();\n"
            "infinite loop detected at insn 0\n"
            "cur state: R1=ctx() R10=fp0\nold state: R1=ctx() R10=fp0\n",
            0,
            "infinite loop detected at insn 0",
        ),
        (
            "mark_precise: frame0: last_idx 5 first_idx 3 subseq_idx -1 \n"
            "mark_precise: frame0: regs=r2 stack= before 4: (b7) r2 = 1\n"
            "R2 min value is negative, either use unsigned or 'var &= const'\n",
            None,
            "R2 min value is negative, either use unsigned or 'var &= const'",
        ),
        (
            "-- BEGIN PROG LOAD LOG --\nfunc#0 @0\n0: (85) call bpf_x#1\nunknown func bpf_x#1\n"
            "processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0"
            " mark_read 0\n-- END PROG LOAD LOG --\n",
            0,
            "unknown func bpf_x#1",
        ),
    ],
)
def test_complaints_in_words(log: str, index: int | None, complaint: str) -> None:
    """A complaint is told from the noise around it, and may name its instruction in words."""
    read = parse(log)
    assert (read.insn_index, read.complaint) == (index, (complaint,))


@pytest.mark.parametrize(
    ("complaint", "advice"),
    [
        ("back-edge from insn 5 to 2", "Loops are refused here"),
        ("the sequence of 8193 jumps is too complex", "Too many branches wait"),
        ("R0 unbounded memory access, make sure to bounds check any array access", "Bound the"),
        ("unknown func bpf_sys_close#168", "This kernel does not offer that helper"),
        ("R2 min value is negative, either use unsigned or 'var &= const'", "Tell the verifier"),
        ("R1 type=inv expected=fp, pkt", "Argument 1 is of another kind"),
        ("cannot call GPL-restricted function from non-GPL compatible program", "licence"),
        ("invalid indirect read from stack off -16+0 size 16", "initialise it ({} or memset)"),
        ("jump out of range from insn 4 to 10", "leaves the program"),
        ("R0 pointer arithmetic on map_value_or_null prohibited, null-check it first", "NULL"),
        ("calling kernel function bpf_task_release is not allowed", "kernel function"),
    ],
)
def test_advice(complaint: str, advice: str) -> None:
    """What to do is known of complaints beyond the corpus."""
    error = error_of(f"0: (95) exit\n{complaint}\n")
    assert error.hint.lower().count(advice.lower()) == 1
    assert error.summary == f"{complaint}. {error.hint}"


def test_attributes() -> None:
    """A program can ask for each part; a pickled error has them all."""
    log = (
        "0: R1=ctx() R10=fp0\n; return *p; @ a.bpf.c:9\n0: (79) r0 = *(u64 *)(r1 +100)\n"
        "invalid bpf_context access off=100 size=8\n"
        "processed 1 insns (limit 1000000) max_states_per_insn 2 total_states 3 peak_states 4"
        " mark_read 0\n"
    )
    error = error_of(log, program="bad", lines=[(0, "/src/a.bpf.c", 9, 3, "\treturn *p;")])
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert (one.program, one.log) == ("bad", log)
        assert one.insn_index == 0
        assert one.insn == "r0 = *(u64 *)(r1 +100)"
        assert one.source == SourceLine("/src/a.bpf.c", 9, 3, "return *p;")
        assert one.registers == {"R1": "ctx()", "R10": "fp0"}
        assert one.stats == VerifierStats(1, 1000000, 2, 3, 4)
        assert one.summary.startswith("invalid bpf_context access off=100 size=8. This type of")
        assert "source: return *p; (/src/a.bpf.c:9)" in str(one)
        assert "  R1 = ctx()\n" in str(one)
    assert error_of(log).source == SourceLine("a.bpf.c", 9, 0, "return *p;")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        error.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_acquired_where() -> None:
    """A reference that was not released names the line that acquired it."""
    log = "9: (95) exit\nUnreleased reference id=2 alloc_insn=4\n"
    lines = [(0, "a.c", 1, 1, "int f()"), (3, "a.c", 5, 1, "e = reserve();"), (9, "a.c", 8, 1, "}")]
    error = error_of(log, lines=lines)
    assert error.hint.endswith(". Acquired at a.c:5: e = reserve();")
    assert error.source == SourceLine("a.c", 8, 1, "}")


def test_source_of() -> None:
    """An instruction belongs to the last record that has a line, at or before it."""
    lines = [(2, "a.c", 1, 1, "one"), (4, "a.c", 0, 0, ""), (5, "a.c", 2, 1, "two")]
    found = [source_of(lines, insn) for insn in range(1, 7)]
    assert [each.text if each else None for each in found] == [None, *["one"] * 3, *["two"] * 2]


def test_source_lines_without_line_info() -> None:
    """A program without line info, or an object without BTF, has no lines."""
    assert source_lines(b"", 0, None) == ()


def test_rich_shows_the_same_text() -> None:
    """In rich's markup the message reads the same, brackets and backslashes included."""
    from rich.console import Console
    from rich.text import Text

    log = "0: (95) exit\nodd [red]thing[/red] fp[0]-4 R0 has smin=17 in [0, 1] \\\n"
    error = error_of(log, lines=[(0, "a.c", 1, 1, 'char *s = "[bold]x\\\\[/]";')])
    assert Text.from_markup(error.__rich__(), emoji=False).plain == str(error)
    console = Console(width=200, force_terminal=True, color_system="standard", record=True)
    with console.capture() as shown:
        console.print(error)
    assert "\x1b[" in shown.get()


@given(st.text(alphabet="0123456789:()<>=;,R_wfp-@ \n\tabcdefxmrus'[]/\\", max_size=400))
def test_any_text_is_explained(text: str) -> None:
    """Whatever a kernel may write, the error can be shown."""
    error = error_of(text)
    assert str(error).startswith("load program 'bad'")
    assert error.__rich__()
