"""Constants before load, variables after it, in sections of every kind."""

from __future__ import annotations

import os

from globals_skel import Config, Globals


def main() -> None:
    with Globals.open() as opened:
        assert opened.rodata.config == Config(low=1, high=2, name="first")
        opened.rodata.config = Config(low=2, name="second")
        opened.rodata_limits.limits = (10, 20, 30)
        opened.data.port = 5
        with opened.load() as skel:
            assert skel.rodata.config.name == b"second"
            assert skel.rodata_limits.limits == (10, 20, 30)
            assert (skel.bss.hits, skel.data_stats.total) == (0, 5)
            skel.data_stats.saved = Config(low=1000)
            skel.attach()
            for _ in range(3):
                os.getpgid(0)
            skel.detach()
            hits = skel.bss.hits
            assert hits >= 3
            os.getpgid(0)
            assert skel.bss.hits == hits
            assert skel.bss.answers == hits * (42 + 20)
            assert skel.bss.per_kind == (0, 0, hits * 5, 0)
            assert skel.data_stats.total == 5 + hits * 1000
            assert skel.bss_lost.lost == hits
            skel.bss.hits = 7
            assert skel.bss.hits == 7


if __name__ == "__main__":
    main()
