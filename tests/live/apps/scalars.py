"""Every scalar, through the kernel and back."""

from __future__ import annotations

import os

from scalars_skel import ColorT, Level, Scalars, Scalars2, TcpState


def main() -> None:
    with Scalars.open() as opened:
        assert opened.rodata.enabled is True
        assert opened.rodata.level is Level.LEVEL_HIGH
        assert opened.rodata.ratio == 0.5
        opened.rodata.level = Level.LEVEL_LOW
        with opened.load() as skel:
            value = Scalars2(
                s8=-1,
                s32=-5,
                u64=(1 << 64) - 1,
                s128=-(1 << 127),
                flag=True,
                real64=0.1,
                level=Level.LEVEL_TOP,
                state=TcpState.LISTEN,
                color=ColorT(9),
                owner=1000,
            )
            skel.maps.by_level[Level.LEVEL_LOW] = value
            assert skel.maps.by_level[Level.LEVEL_LOW] == value
            skel.maps.allowed[1000] = True
            assert dict(skel.maps.allowed) == {1000: True}
            assert skel.data.balance == -1
            skel.attach()
            os.getpgid(0)
            skel.detach()
            assert skel.data.balance <= -6
            assert (skel.data.balance + 1) % 5 == 0
            skel.bss.wide = (1 << 128) - 1
            assert skel.bss.wide == (1 << 128) - 1


if __name__ == "__main__":
    main()
