"""A map of each class, with keys and values of types of its own."""

from __future__ import annotations

import os

from maps_skel import Key, Maps, Value


def main() -> None:
    with Maps.open() as opened:
        opened.maps.array.max_entries = 3
        with opened.load() as skel:
            maps = skel.maps
            skel.attach()
            me = Key(pid=os.getpid())
            os.getpgid(0)
            os.getpgid(0)
            skel.detach()
            assert maps.hash[me].calls >= 2
            maps.hash[me] = Value(calls=100)
            assert maps.hash[me] == Value(calls=100)
            del maps.hash[me]
            assert me not in maps.hash
            maps.lru[7] = Value(calls=1)
            assert dict(maps.lru.items()) == {7: Value(calls=1)}
            assert len(maps.array) == 3
            maps.array[2] = Value(calls=9)
            assert [value.calls for value in maps.array] == [0, 0, 9]
            maps.sizes[b"sixbyt"] = b"twelve bytes"
            assert maps.sizes[b"sixbyt"] == b"twelve bytes"
            assert set(maps.percpu_array[0]) == {0}


if __name__ == "__main__":
    main()
