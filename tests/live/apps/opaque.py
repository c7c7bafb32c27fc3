"""A map value with a spin lock, unions as key, value and global, test runs of an XDP program."""

from __future__ import annotations

from dataclasses import replace

from opaque_skel import Locked, Mixed, Opaque, Value

XDP_DROP = 1


def main() -> None:
    with Opaque.open() as opened:
        opened.bss.current = Value(number=40)
        with opened.load() as skel:
            skel.attach()  # nothing attaches by itself
            assert list(skel.links) == []
            for _ in range(2):
                assert skel.progs.count.test_run(bytes(64)).retval == XDP_DROP
            assert skel.maps.locked[0] == Locked(count=2)
            assert skel.bss.current.number == 42
            assert skel.bss.current.text == b"*"
            skel.bss.at.current.text = "text"
            assert skel.bss.current.number == int.from_bytes(b"text", "little")
            mixed = Mixed(before=1, value=Value(text="8 bytes!"), after=2, v4=5, a=7, c=-1)
            key = Value(text="the key!")
            skel.maps.mixed[key] = mixed
            assert skel.maps.mixed[key] == mixed
            assert skel.maps.mixed[Value(number=key.number)].v6 == b"\5" + bytes(15)
            skel.maps.mixed[key] = replace(mixed, v6=bytes(range(16)))
            assert skel.maps.mixed[key].v4 == 0x03020100


if __name__ == "__main__":
    main()
