"""A program that is linked: its own code and that of all it calls, ready but for descriptors."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from .core import Poison
    from .insn import ByteOrder
    from .spec import ProgramSpec

    class Externs(Protocol):
        """What the kernel has for the object's externs."""

        def fill_in(self, code: bytearray, insn: int, name: str, order: ByteOrder) -> None: ...


__all__ = ["LinkedProgram"]

#: A reference to a map that was not created becomes a call of helper 2001000000 + the map's index,
#: as libbpf writes it: the verifier refuses it only where the program can reach it.
POISON_BASE = 2_001_000_000

_INSN_SIZE = 8


class LinkedProgram:
    """A program with all its subprograms, ready but for the map descriptors.

    Attributes:
        spec: the entry program.
        code: instructions, 8 bytes each.
        func_info, line_info: records as `BPF_PROG_LOAD` takes them, one after the other.
        func_info_size, line_info_size: bytes per record, 0 if there are none.
        map_uses: `(instruction, map name, whether its value is addressed)`.
        extern_uses: `(instruction, name)` of kernel symbols.
        poisoned: by instruction, why CO-RE could not relocate it.
    """

    __slots__ = (
        "code",
        "extern_uses",
        "func_info",
        "func_info_size",
        "line_info",
        "line_info_size",
        "map_uses",
        "poisoned",
        "spec",
    )

    def __init__(self, spec: ProgramSpec) -> None:
        self.spec = spec
        self.code = bytearray()
        self.func_info = b""
        self.func_info_size = 0
        self.line_info = b""
        self.line_info_size = 0
        self.map_uses: list[tuple[int, str, bool]] = []
        self.extern_uses: list[tuple[int, str]] = []
        self.poisoned: dict[int, Poison] = {}

    def fill_in(
        self, fds: Mapping[str, int], map_names: list[str], externs: Externs | None = None
    ) -> bytes:
        """Return the code with map descriptors and kernel symbols in it.

        Args:
            fds: descriptor by map name; what is missing was not created.
            map_names: all maps of the object in order; says which number a missing one is called
                by.
            externs: what the kernel has for the object's externs; None if it has none.
        """
        code = bytearray(self.code)
        order = self.spec.byte_order
        little = order == "<"
        for insn, name, addresses_value in self.map_uses:
            fd = fds.get(name)
            if fd is None:
                _poison(code, insn, POISON_BASE + map_names.index(name), order)
                continue
            at = insn * _INSN_SIZE
            # BPF_PSEUDO_MAP_VALUE or BPF_PSEUDO_MAP_FD as the source register; see `insn.set_src`.
            kind = 2 if addresses_value else 1
            code[at + 1] = code[at + 1] & 0x0F | kind << 4 if little else code[at + 1] & 0xF0 | kind
            code[at + 4 : at + 8] = fd.to_bytes(4, "little" if little else "big")
        if externs is not None:
            for insn, name in self.extern_uses:
                externs.fill_in(code, insn, name, order)
        return bytes(code)


def _poison(code: bytearray, insn: int, helper: int, order: ByteOrder) -> None:
    from .insn import BPF_CALL, BPF_JMP, Insn, encode

    call = Insn(BPF_JMP | BPF_CALL, imm=helper)
    at = insn * _INSN_SIZE
    code[at : at + 2 * _INSN_SIZE] = encode([call, call], order)
