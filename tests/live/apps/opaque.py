"""A map value with a spin lock, a union as opaque bytes, and test runs of an XDP program."""

from __future__ import annotations

import sys

from opaque_skel import Locked, Mixed, Opaque

XDP_DROP = 1


def main() -> None:
    with Opaque.open() as opened:
        opened.bss.current = (40).to_bytes(8, sys.byteorder)
        with opened.load() as skel:
            skel.attach()  # nothing attaches by itself
            assert list(skel.links) == []
            for _ in range(2):
                assert skel.progs.count.test_run(bytes(64)).retval == XDP_DROP
            assert skel.maps.locked[0] == Locked(count=2)
            assert int.from_bytes(skel.bss.current, sys.byteorder) == 42
            mixed = Mixed(before=1, value=b"8 bytes!", after=2)
            skel.maps.mixed[b"the key!"] = mixed
            assert skel.maps.mixed[b"the key!"] == mixed


if __name__ == "__main__":
    main()
