"""What `--event` and declaration tags may say, and what is said against what they may not."""

from __future__ import annotations

import pytest
from bpfgen_runtime.errors import GenerateError

from bpfgen.events import Event, Events, parse_event
from bpfgen.generate import read_object
from tests.golden.regenerate import Case


def decide(case: str, **asked: str) -> tuple[Events, dict[str, Event]]:
    data = Case(case).object.read_bytes()
    spec = read_object(data, case)
    maps = {name: one for name, one in spec.maps.items() if not one.is_data}
    events = Events(spec, maps, asked, data)
    return events, events.found


def names(events: Events, event: Event) -> list[str]:
    return [events.btf.c_name(choice.type_id) for choice in event.choices]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("open_event", ["struct open_event"]),
        (" struct  open_event", None),
        ("struct open_event , long_event", ["struct open_event", "struct long_event"]),
        ("point_t", ["point_t"]),
        ("__u64", ["__u64"]),
        ("union address", ["union address"]),
        ("enum state", ["enum state"]),
        ("unsigned int", ["unsigned int"]),
    ],
)
def test_types_of_debug_information(asked: str, expected: list[str] | None) -> None:
    """Types that only DWARF has are found by the names that C gives them."""
    if expected is None:
        with pytest.raises(GenerateError, match="has no type"):
            decide("dwarf", unused=asked)
        return
    events, found = decide("dwarf", unused=asked)
    assert names(events, found["unused"]) == expected
    assert found["unused"].why == f"event type from --event unused={asked}"
    events.btf.validate()


def test_tags() -> None:
    """Members, also nested and in anonymous members, tell types apart by number or enumerator."""
    events, found = decide(
        "records", by_kind="opened@kind:0x1,closed@hdr.kind:CLOSED,closed@hdr.kind:9"
    )
    by_kind = found["by_kind"]
    assert names(events, by_kind) == ["struct opened", "struct closed"]
    assert [choice.values for choice in by_kind.choices] == [(1,), (2, 9)]
    assert by_kind.tag == (8, 4, False)
    assert found["told"].tag == (8, 4, False)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("opened@kind:1,closed", "some types have a tag"),
        ("opened@kind", "'kind' is not of the form MEMBER:VALUE"),
        ("opened@nothing:1", "struct opened has no member 'nothing'"),
        ("closed@hdr.kind.more:1", "has no member 'more'"),
        ("closed@hdr:1", "member 'hdr' is no integer"),
        ("opened@kind:NOTHING", "'NOTHING' is neither a number nor an enumerator"),
        ("opened@kind:4294967296", "4294967296 does not fit a tag of 4 bytes"),
        ("opened@kind:1,closed@hdr.kind:1", "two types have the tag 1"),
        ("opened@kind:1,closed@descriptor:2", "the tags are not the same member of all types"),
        ("opened,nothing", "the object has no type 'nothing'; it has struct "),
        ("opened,", "the object has no type ''"),
    ],
)
def test_wrong_types(asked: str, message: str) -> None:
    """What cannot be is refused, saying why."""
    with pytest.raises(GenerateError) as caught:
        decide("records", by_kind=asked)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"--event by_kind={asked}: ")


@pytest.mark.parametrize(
    ("buffer", "asked", "message"),
    [
        ("reserved", "open_event,exit_event", "cannot be told apart by size: name the member"),
        ("perf_stack", "open_event,exit_event", "by size, which perf buffers round up"),
        # 1 and 4 bytes become 4 in a perf buffer.
        ("perf_stack", "__u8,__u32", "by size, which perf buffers round up"),
    ],
)
def test_same_size(buffer: str, asked: str, message: str) -> None:
    """Types of one size need a tag; perf buffers round sizes up."""
    with pytest.raises(GenerateError) as caught:
        decide("dwarf", **{buffer: asked})
    assert message in str(caught.value)


def test_sizes_that_only_perf_buffers_round() -> None:
    """In a ring buffer, which keeps lengths exactly, the same types are told apart."""
    _, found = decide("dwarf", reserved="__u8,__u32")
    assert len(found["reserved"].choices) == 2


def test_damaged_debug_information() -> None:
    """Types are then unknown, with the reason; asking for one of them says it, too."""
    data = bytearray(Case("dwarf").object.read_bytes())
    spec = read_object(bytes(data), "dwarf")
    at = data.index(b".debug_info")
    assert at
    section = spec.image.section(".debug_info")
    assert section is not None
    header = int.from_bytes(data[40:48], "little") + 64 * section.index
    start = int.from_bytes(data[header + 24 : header + 32], "little")
    data[start + 4 : start + 6] = b"\xff\x7f"  # the version
    maps = {name: one for name, one in spec.maps.items() if not one.is_data}
    found = Events(spec, maps, {}, bytes(data)).found
    assert found["reserved"].choices == ()
    assert "debug information cannot be read" in found["reserved"].why
    assert found["perf_scratch"].choices
    with pytest.raises(GenerateError, match="debug information cannot be read"):
        Events(spec, maps, {"reserved": "open_event"}, bytes(data))


@pytest.mark.parametrize("text", ["rb", "=x", "rb=", " = "])
def test_not_of_the_form(text: str) -> None:
    """An option names a map and a type."""
    with pytest.raises(GenerateError, match="is not of the form MAP=STRUCT"):
        parse_event(text)


def test_parse_event() -> None:
    """Spaces around both do not matter."""
    assert parse_event(" rb = a@kind:1,b@kind:2 ") == ("rb", "a@kind:1,b@kind:2")
