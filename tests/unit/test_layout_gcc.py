"""The structs of golden cases lie in memory as gcc lays them out: sizes, and each field's bits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bpfgen_runtime.values import Struct, as_ctype
from bpfgen_runtime.values.ctype import Bits

from tests.golden.regenerate import Case
from tests.support.modules import load_module
from tests.support.requirements import multiarch_include, tool

CASES = ("bitfields", "enums", "layouts", "nested", "opaque", "special", "text", "unions")

#: Sets one field of a struct to ones and prints which bits that were.
PROGRAM = """\
#include <stdio.h>
#include <string.h>
static void show(const void *value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		printf("%02x", ((const unsigned char *)value)[i]);
	puts("");
}
#define WHOLE(type, field) do { type x; memset(&x, 0, sizeof x); \\
	memset((void *)&x.field, 0xff, sizeof x.field); show(&x, sizeof x); } while (0)
#define BITS(type, field) do { type x; memset(&x, 0, sizeof x); \\
	x.field = -1; show(&x, sizeof x); } while (0)
"""


def mask(cls: type[Struct], offset: int, ctype: Any) -> bytes:
    """Give the bits of a field, by our layout."""
    raw = bytearray(cls.SIZE)
    if isinstance(ctype, Bits):
        raw[offset : offset + ctype.size] = ctype.mask.to_bytes(ctype.size, "little")
    else:
        raw[offset : offset + ctype.size] = b"\xff" * ctype.size
    return bytes(raw)


@pytest.mark.needs("gcc", "libbpf-dev")
@pytest.mark.parametrize("name", CASES)
def test_layout_is_that_of_gcc(name: str, tmp_path: Path) -> None:
    """Every field of every struct and union of the case has the bits that gcc gives it."""
    case = Case(name)
    module = load_module(case.module)
    lines, expected = [], []
    for cls in vars(module).values():
        if (
            not (isinstance(cls, type) and issubclass(cls, Struct))
            or cls.__module__ != case.module.stem
        ):
            continue
        c_type = (cls.__doc__ or "").split(",")[0]
        if "{" in c_type:
            continue  # no name to ask gcc by; part of others
        lines.append(f'printf("%zu\\n", sizeof({c_type}));')
        expected.append((c_type, str(cls.SIZE)))
        for field, offset, entry in cls.LAYOUT:
            ctype = as_ctype(entry)
            is_bool = isinstance(ctype, Bits) and ctype.wrap is bool
            lines.append(f"{'BITS' if isinstance(ctype, Bits) else 'WHOLE'}({c_type}, {field});")
            if is_bool:
                assert ctype.width == 1  # -1 is true: one bit
            expected.append((f"{c_type}.{field}", mask(cls, offset, ctype).hex()))
    source = tmp_path / f"{name}.c"
    source.write_text(
        f'{PROGRAM}#include "{case.source}"\nint main(void) {{ {" ".join(lines)} }}\n'
    )
    program = tmp_path / name
    command = [tool("gcc"), "-w", f"-I{multiarch_include()}", str(source), "-o", str(program)]
    subprocess.run(command, check=True)
    done = subprocess.run([str(program)], check=True, capture_output=True, text=True)
    assert len(expected) > 3
    assert sys.byteorder == "little"
    found = done.stdout.split("\n")
    assert list(zip([what for what, _ in expected], found, strict=False)) == expected
