"""What inputs say of one symbol: in every order the same conflicts, told so that they are seen."""

from __future__ import annotations

import itertools

import pytest
from bpfgen_runtime.errors import LinkerError
from bpfgen_runtime.linker import Linker, link
from bpfgen_runtime.loader import load_spec

from tests.support.linkconflicts import CONFLICTS_AND_WORDS
from tests.support.linksources import GPL, Case

pytestmark = pytest.mark.needs("clang", "libbpf-dev")

ORDERS = list(itertools.permutations(range(3)))


def _map(attributes: str, before: str = "", after: str = "") -> str:
    return f'{before} struct {{ {attributes} }} m {after} SEC(".maps");\n'


def _extern(attributes: str, name: str) -> str:
    use = f"int use_{name}(void) {{ int k = 0; return !bpf_map_lookup_elem(&m, &k); }}\n"
    return _map(attributes, "extern") + use


_TYPE = "__uint(type, BPF_MAP_TYPE_HASH);"
_DEFINITION = GPL + _map(_TYPE + "__uint(max_entries, 16); __type(key, int); __type(value, long);")
_INNER = "struct { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, int); __type(value, %s); %s }"
_OUTER = "__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __type(key, int); __uint(max_entries, 2);"


def _outer(value: str, more: str = "__uint(max_entries, 1);") -> str:
    return _OUTER + f"__array(values, {_INNER % (value, more)});"


#: Three files each, of which two do not fit.
HOLES = {
    "entries": (
        _extern(_TYPE, "a"),
        _extern(_TYPE + "__uint(max_entries, 17);", "b"),
        _DEFINITION,
    ),
    "value": (
        _extern(_TYPE, "a"),
        _extern(_TYPE + "__type(value, int);", "b"),
        _DEFINITION,
    ),
    "value_of_other_type": (
        _extern("__type(key, int);", "a"),
        _extern("__type(value, struct { int *p; });", "b"),
        _DEFINITION,
    ),
    "size_and_type": (
        _extern("__uint(key_size, 4);", "a"),
        "struct k { int a; };\n" + _extern("__type(key, struct k);", "b"),
        _DEFINITION,
    ),
    "two_say_different_things": (
        _extern("__uint(max_entries, 16);", "a"),
        _extern("__type(key, long);", "b"),
        _DEFINITION,
    ),
    "weak_definition": (
        _extern(_TYPE, "a"),
        _extern("__uint(map_flags, 1);", "b"),
        GPL + _map(_TYPE + "__uint(max_entries, 16); __uint(key_size, 4);", after="__weak"),
    ),
    "inner_maps": (
        _extern(_OUTER, "a"),
        _extern(_outer("int"), "b"),
        GPL + _map(_outer("long")),
    ),
    "attributes_of_inner_maps": (
        _extern(_outer("int", ""), "a"),
        _extern(_outer("int", "__uint(max_entries, 3);"), "b"),
        GPL + _map(_outer("int")),
    ),
    "elements": (
        "extern int x[];\nint use_a(void) { return x[1]; }",
        "extern long x[2];\nint use_b(void) { return x[1]; }",
        GPL + "int x[4] = {1};",
    ),
    "pointers": (
        "struct s; extern struct s *x;\nint use_a(void) { return !x; }",
        "union s; extern union s *x;\nint use_b(void) { return !x; }",
        GPL + "union s { int a; }; union s *x;",
    ),
    "functions": (
        "struct s; extern int x(struct s *s);\nint use_a(void) { return x(0); }",
        "extern int x(void *s);\nint use_b(void) { return x(0); }",
        GPL + "struct s { int a; }; int x(struct s *s) { return s ? s->a : 0; }",
    ),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", HOLES)
def test_no_order_hides_a_conflict(name: str, order: tuple[int, ...]) -> None:
    """An extern that says nothing comes first: what the next says is compared all the same."""
    files = Case(f"hole_{name}", HOLES[name]).objects()
    with pytest.raises(LinkerError, match="conflicts with"):
        link([files[i] for i in order])


@pytest.mark.parametrize("order", ORDERS)
def test_partial_declarations_that_fit(order: tuple[int, ...]) -> None:
    """Externs that say different things, and the definition, link in every order."""
    files = (
        _extern("__uint(max_entries, 16);", "a"),
        _extern(_TYPE + "__type(key, int);", "b"),
        _DEFINITION,
    )
    objects = Case("partial_fit", files).objects()
    spec = load_spec(link([objects[i] for i in order]))
    assert (spec.maps["m"].max_entries, spec.maps["m"].value_size) == (16, 8)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_fuller_declaration_stays(order: tuple[int, ...]) -> None:
    """Where nothing defines a map, what an extern says of it is there for the next link."""
    files = (_extern(_TYPE, "a"), _extern(_TYPE + "__uint(max_entries, 17);", "b"), _DEFINITION)
    objects = Case("fuller", files).objects()
    first = link([objects[i] for i in order])
    with pytest.raises(LinkerError, match="max_entries is 17 and 16"):
        link([first, objects[2]])


def test_of_equal_declarations_the_first_is_named() -> None:
    """As of all that is declared twice."""
    files = (_extern(_TYPE, "a"), _extern(_TYPE, "b"), GPL + _map(_TYPE.replace("HASH", "ARRAY")))
    objects = Case("equal", files).objects()
    with pytest.raises(LinkerError, match="map_type is 1 and 2") as raised:
        link(objects)
    assert f"'m' conflicts with {objects[0]}: " in str(raised.value)


@pytest.mark.parametrize(
    "attributes", ["", "__type(key, int);", "__type(key, int);" + _outer("int")[len(_OUTER) :]]
)
def test_type_may_be_left_out(attributes: str) -> None:
    """An extern map may leave out any attribute, its type among them; what it has counts."""
    definition = _outer("int") if "values" in attributes else _TYPE + "__type(key, int);"
    objects = Case("untyped", (GPL + _map(definition), _extern(attributes, "a"))).objects()
    for order in (objects, objects[::-1]):
        assert load_spec(link(order)).maps["m"].key_size == 4
    linker = Linker()
    linker.add_file(objects[1])
    assert linker.unresolved() == ["m"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_inner_map_may_be_left_out(order: tuple[int, ...]) -> None:
    """Of a map of maps, too, or its type; what remains of it is compared."""
    inner = "__array(values, struct { __uint(max_entries, %d); });"
    for entries, fits in ((1, True), (2, False)):
        files = (GPL + _map(_outer("int")), _extern(_OUTER + inner % entries, "a"))
        objects = Case(f"untyped_inner_{entries}", files).objects()
        if fits:
            link([objects[i] for i in order])
            continue
        with pytest.raises(LinkerError, match="inner map: max_entries is"):
            link([objects[i] for i in order])
    right = Case("no_inner", (GPL + _map(_outer("int")), _extern(_OUTER, "a"))).objects()
    assert load_spec(link([right[i] for i in order])).maps["m"].inner is not None
    other = _extern(_OUTER.replace("max_entries, 2", "max_entries, 3"), "a")
    wrong = Case("no_inner_wrong", (GPL + _map(_outer("int")), other)).objects()
    with pytest.raises(LinkerError, match="max_entries is"):
        link([wrong[i] for i in order])


@pytest.mark.parametrize("wrong_first", [False, True])
def test_wrong_definition_names_its_file(wrong_first: bool) -> None:
    """What is no map's definition is told of the file that has it, whichever comes first."""
    untyped = GPL + _map("__type(key, int); __uint(max_entries, 1);")
    wrong, right = Case("wrong_map", (untyped, _extern(_TYPE, "a"))).objects()
    with pytest.raises(LinkerError) as raised:
        link([wrong, right] if wrong_first else [right, wrong])
    assert str(raised.value) == f"{wrong}: map 'm': it has no type (section '.maps')"


#: Conflicts of something else than types: sections, strength, static things.
_OTHER_WORDS = {
    "both define",
    "strong by the extern declaration",
    "'.maps' and in '.data'",
    "'.kconfig' and in '.ksyms'",
    ".ksyms",
    "license",
    "version",
    "flags",
    "static",
}


@pytest.mark.parametrize(
    "case",
    [case for case, word in CONFLICTS_AND_WORDS if word not in _OTHER_WORDS],
    ids=lambda case: case.name,
)
def test_both_declarations_differ_in_c(case: Case) -> None:
    """What differs is seen in the two lines, also behind a typedef or in a struct's struct."""
    files = case.objects()
    with pytest.raises(LinkerError) as raised:
        link(files)
    _, *told = str(raised.value).split("\n")
    assert len(told) == 2
    texts = [line.removeprefix(f"  in {path}: ") for line, path in zip(told, files, strict=True)]
    assert not texts[0].startswith("  in ")
    assert texts[0] != texts[1]


def test_the_innermost_difference_is_shown() -> None:
    """Of a struct in a struct, the inner one; of a typedef, what it stands for."""
    told = {}
    for name in ("in_a_named_struct", "typedef_of_a_number", "inner_maps_differ"):
        case = next(case for case, _ in CONFLICTS_AND_WORDS if case.name == name)
        with pytest.raises(LinkerError) as raised:
            link(case.objects())
        told[name] = str(raised.value).split("\n")[2]
    assert told["in_a_named_struct"].endswith(
        ": struct q { long z; }; struct s { struct q q; }; struct s x"
    )
    assert told["typedef_of_a_number"].endswith(": typedef long A; typedef A T; T x")
    assert ": struct inner { int (*type)[2]; int *key; int *value; int (*max_entries)[2]; }; " in (
        told["inner_maps_differ"]
    )


# --- externs for the loader; weak and strong


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("attribute", ["__ksym", "__kconfig"])
def test_plain_extern_goes_with_the_loaders(attribute: str, order: tuple[int, ...]) -> None:
    """`extern int x;` before or behind `extern int x __ksym;`: the loader's either way."""
    files = (
        "extern int CONFIG_HZ;\nint use_a(void) { return CONFIG_HZ; }",
        f"extern int CONFIG_HZ {attribute};\nint use_b(void) {{ return CONFIG_HZ; }}",
    )
    objects = Case(f"plain{attribute}", files).objects()
    linker = Linker()
    for i in order:
        linker.add_file(objects[i])
    assert linker.unresolved() == []
    spec = load_spec(linker.finalize())
    assert spec.btf is not None
    assert spec.btf.find_datasec("." + attribute.strip("_").replace("ksym", "ksyms")) is not None


_EXTERN = "extern int f(void){};\nint use(void) {{ return f(); }}"
_WEAK, _STRONG = "__weak int f(void) { return 1; }", "int f(void) { return 2; }"


@pytest.mark.parametrize("order", ORDERS)
def test_strong_by_an_extern_declaration(order: tuple[int, ...]) -> None:
    """As in libbpf a strong extern and a weak definition are a strong one; the message says so."""
    objects = Case("strong_by", (_EXTERN.format(""), _WEAK, _STRONG)).objects()
    inputs = [objects[i] for i in order]
    if order.index(2) < 2:
        link(inputs)
        return
    with pytest.raises(LinkerError, match="both define it, and the __weak one is strong") as raised:
        link(inputs)
    told = str(raised.value).split("\n")[0]
    assert f"by the extern declaration in {objects[0]}; make that __weak" in told


@pytest.mark.parametrize("order", ORDERS)
def test_weak_extern_leaves_a_definition_weak(order: tuple[int, ...]) -> None:
    """What the message proposes works: with `__weak` there, every order links."""
    objects = Case("weak_by", (_EXTERN.format(" __weak"), _WEAK, _STRONG)).objects()
    link([objects[i] for i in order])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_third_definition(order: tuple[int, ...]) -> None:
    """Two strong definitions conflict, whatever weak and extern ones are around them."""
    files = (_EXTERN.format(" __weak"), _WEAK, _STRONG, _STRONG)
    objects = Case("third", files).objects()
    with pytest.raises(LinkerError, match="both define it; make one of them __weak"):
        link([objects[i] for i in order])
