"""BTF as several compilation units of one program have it: some declare what others define."""

from __future__ import annotations

import random

from bpfgen_runtime.btf import (
    Array,
    Btf,
    BtfBuilder,
    BtfType,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    SecVar,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    Volatile,
)

#: What a member of a struct may be.
SORTS = ("int", "ptr", "array", "fn", "enum", "inner", "typedef")
MORE_SORTS = (*SORTS, "bits", "enum64", "double", "tagged")


class Program:
    """Structs and unions that refer to each other; `unit` gives what one source file sees of them.

    Args:
        variants: of each name, so many definitions that differ somewhere; 1 for proper C.
        sorts: of members; with MORE_SORTS there are also declaration tags and sections.
    """

    def __init__(
        self,
        rng: random.Random,
        structs: int = 8,
        variants: int = 1,
        sorts: tuple[str, ...] = SORTS,
    ) -> None:
        self.rng = rng
        self.variants = variants
        self.has_tags = sorts == MORE_SORTS
        self.names = [f"s{number}" for number in range(structs)]
        self.is_union = {name: rng.random() < 0.2 for name in self.names}
        self.members = {
            name: [(f"m{i}", rng.choice(sorts)) for i in range(rng.randrange(1, 5))]
            for name in self.names
        }
        self.targets = {
            (name, member): rng.choice(self.names)
            for name in self.names
            for member, _ in self.members[name]
        }

        self.is_tagged = {name: self.has_tags and rng.random() < 0.3 for name in self.names}

    def unit(self, defined: float = 0.7, roots: int = 3) -> Btf:
        """Build the BTF of one unit.

        Args:
            defined: the share of structs that the unit has a definition of.
            roots: how many variables of pointers to structs it has.
        """
        builder = _Unit(self, {name for name in self.names if self.rng.random() < defined})
        places = []
        for number in range(roots):
            name = self.rng.choice(self.names)
            variable = builder.add(Var(f"v{number}", builder.pointer(name), 0))
            places.append(SecVar(variable, 8 * number, 8))
            proto = builder.add(FuncProto(0, [Param("arg", builder.pointer(name))]))
            function = builder.add(Func(f"f_{name}", proto, 1))
            if self.has_tags:
                builder.add(DeclTag("on", self.rng.choice((variable, function))))
        if self.has_tags:
            builder.add(Datasec(".bss", 8 * roots, places))
        return builder.build()


class _Unit(BtfBuilder):
    def __init__(self, program: Program, defined: set[str]) -> None:
        super().__init__()
        self.program = program
        self.defined = defined
        self.known: dict[object, int] = {}
        self.int = self.add(Int("int", 4, 1))

    def once(self, key: object, t: BtfType) -> int:
        """Add a type unless the unit has it, as a compiler does."""
        if key not in self.known:
            self.known[key] = self.add(t)
        return self.known[key]

    def pointer(self, name: str) -> int:
        inner = self.named(name)
        return self.once(("ptr", inner), Ptr(inner))

    def named(self, name: str) -> int:
        """Return a struct's id: its definition, or where the unit lacks that, a declaration."""
        if name in self.known:
            return self.known[name]
        program = self.program
        is_union = program.is_union[name]
        if name not in self.defined:
            return self.once(name, Fwd(name, is_union))
        cls = Union if is_union else Struct
        self.known[name] = type_id = self.add(cls(name, 8))
        variant = program.rng.randrange(program.variants)
        members = []
        for number, (member, sort) in enumerate(program.members[name]):
            target = program.targets[name, member]
            inner = self._member(sort, target, variant)
            width = 3 + number + variant if sort == "bits" else 0
            members.append(Member(member, inner, 0 if is_union else 64 * number, width))
        size = 8 * len(members) + 8 * variant
        self.replace(type_id, cls(name, size, members))
        if program.is_tagged[name]:
            self.add(DeclTag("of", type_id))
            self.add(DeclTag("of", type_id, len(members) - 1))
        return type_id

    def _member(self, sort: str, target: str, variant: int) -> int:
        if sort in ("int", "bits"):
            return self.int
        if sort == "double":
            return self.once(sort, Float(sort, 8))
        if sort == "enum64":
            values = [Enumerator("B", 1 << 40)] if target in self.defined else []
            return self.once((sort, target), Enum64(f"l_{target}", 8, values))
        if sort == "tagged":
            inner = self.named(target)
            tag = self.once(("tag", inner), TypeTag("user", inner))
            return self.once(("ptr", tag), Ptr(tag))
        if sort == "array":
            inner = self.pointer(target)
            return self.once(("array", inner), Array(inner, self.int, 3 + variant))
        if sort == "fn":
            inner = self.pointer(target)
            proto = self.add(FuncProto(inner, [Param("", inner), Param("", self.int)]))
            return self.add(Ptr(proto))
        if sort == "enum":
            values = [Enumerator("A", 1)] if target in self.defined else []
            return self.once(("enum", target), Enum(f"e_{target}", 4, values))
        if sort == "inner":
            inner = self.pointer(target)
            return self.add(Struct("", 8, [Member("p", inner, 0)]))
        if sort == "typedef":
            inner = self.named(target)
            alias = self.once(("typedef", inner), Typedef(f"{target}_t", inner))
            qualified = self.once(("const", alias), Const(alias))
            return self.once(("ptr", qualified), Ptr(qualified))
        inner = self.pointer(target)
        return self.once(("volatile", inner), Volatile(inner))


def joined(units: list[Btf]) -> Btf:
    """Append units to each other."""
    builder = BtfBuilder()
    for unit in units:
        builder.append(unit)
    return builder.build()
