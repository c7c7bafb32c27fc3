"""Any struct of the running kernel can be expressed: nothing in the wild stops the generator."""

from __future__ import annotations

import ast
import itertools
import os
import random
import time
from types import SimpleNamespace
from typing import Any

import pytest
from bpfgen_runtime.btf import Btf, Struct
from bpfgen_runtime.values import Struct as StructValue

from bpfgen.imports import Imports
from bpfgen.pytypes import Root, TypeTable
from bpfgen.render import _environment

VMLINUX = "/sys/kernel/btf/vmlinux"

#: One of so many structs is a root; 1 takes all of them, which is a matter of minutes.
STRIDE = int(os.environ.get("BPFGEN_KERNEL_STRIDE", "97"))

#: Roots per module.
BATCH = 40


def classes_of(btf: Btf, roots: list[int]) -> tuple[TypeTable, dict[str, Any]]:
    """Write the types of a module with these roots, and import it."""
    table = TypeTable(btf, btf.byte_order, [Root(id, f"anon_{id}") for id in roots], set())
    imports = Imports(table.names.values())
    structs, enums = table.structs(imports), table.enums()
    names = {name: imports.name(name) for name in ("CEnum", "dataclass")}
    text = "\n".join(
        [
            "from __future__ import annotations",
            *imports.builtin_lines(),
            *imports.lines(),
            "TYPE_CHECKING = False",
            _environment()
            .get_template("types.py.j2")
            .render(m=SimpleNamespace(structs=structs, enums=enums, names=names, byte_order="<")),
        ]
    )
    tree = ast.parse(text)
    for node in ast.walk(tree):  # constructors for type checkers: what they say must be Python
        assert not isinstance(node, ast.FunctionDef) or node.name == "__init__"
    namespace: dict[str, Any] = {"__name__": "kernel_structs"}
    exec(compile(tree, "kernel_structs", "exec"), namespace)
    return table, namespace


@pytest.mark.needs("btf")
def test_kernel_structs() -> None:
    """Structs of the kernel get classes of their size, which hold what bytes say.

    In batches until half a minute has passed; all that were sampled where more is asked for.
    """
    with open(VMLINUX, "rb") as file:
        btf = Btf.parse(file.read())
    ids = [id for id, kind in btf.types() if isinstance(kind, Struct)][::STRIDE]
    assert len(ids) > 50
    random.Random(5).shuffle(ids)
    end = time.monotonic() + (15 if "BPFGEN_KERNEL_STRIDE" not in os.environ else 3600)
    noise = random.Random(5)
    seen = 0
    remaining = iter(ids)
    while (batch := list(itertools.islice(remaining, BATCH))) and time.monotonic() < end:
        table, namespace = classes_of(btf, batch)
        for id, name in table.names.items():
            cls = namespace[name]
            if not issubclass(cls, StructValue):
                continue
            size = btf.size_of(id)
            assert size == cls.SIZE, name
            seen += 1
            if size > 4096:
                continue
            raw = noise.randbytes(size)
            value = cls.from_bytes(raw)
            encoded = value.to_bytes()
            assert len(encoded) == size
            assert cls.from_bytes(encoded) == value, name
            assert cls.from_bytes(bytes(size)) == cls(), name
    assert seen > 100
