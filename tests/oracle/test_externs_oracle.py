"""Settings of `.kconfig` through libbpf and through us: the same values, and the same refusals.

The other externs are in the corpus (test_oracle.py).
"""

from __future__ import annotations

import pytest
from bpfgen_runtime.errors import BpfError
from bpfgen_runtime.loader import load_spec
from bpfgen_runtime.object import Object
from bpfgen_runtime.sys import bpf

from tests.oracle.corpus import GIVEN
from tests.support.clang import compile_bpf
from tests.support.libbpf import LibbpfObject

pytestmark = [pytest.mark.live, pytest.mark.needs("libbpf")]


@pytest.mark.parametrize("given", [None, "", GIVEN, "CONFIG_HZ=1\nCONFIG_HZ=2\n"])
def test_settings_alike(given: str | None) -> None:
    """Every setting has the value that libbpf gives it."""
    path = compile_bpf("ext_kconfig")
    with LibbpfObject(path, kconfig=given) as theirs:
        theirs.load()
        fd = next(m.fd for m in theirs.maps() if m.name.endswith(".kconfig"))
        with Object.load(load_spec(str(path)), kconfig=given or "") as ours:
            assert _contents(ours.maps[".kconfig"].fileno()) == _contents(fd)


def _contents(fd: int) -> bytes:
    value = bytearray(bpf.map_get_info_by_fd(fd).value_size)
    bpf.map_lookup_elem(map_fd=fd, key=bytes(4), value=value)
    return bytes(value)


@pytest.mark.parametrize(
    "given",
    [
        "CONFIG_HZ\n",
        "CONFIG_HZ=\n",
        "CONFIG_OTHER=\n",
        "CONFIG_HZ=y\n",
        "CONFIG_HZ=fast\n",
        "CONFIG_HZ=08\n",
        "CONFIG_HZ=4294967296\n",
        "CONFIG_HZ=-1\n",
        'CONFIG_HZ="250"\n',
        "CONFIG_TEST_TRI=1\n",
        "CONFIG_TEST_BYTE=256\n",
        "CONFIG_TEST_LETTER=-129\n",
        "CONFIG_TEST_LETTER=128\n",
        "CONFIG_TEST_SHORT=32768\n",
        "CONFIG_TEST_LONG=0x10000000000000000\n",
        'CONFIG_TEST_TEXT="abc\n',
        "CONFIG_TEST_TEXT=abc\n",
        "CONFIG_BPF_SYSCALL=m\n",
        "CONFIG_BPF_SYSCALL=1\n",
    ],
)
def test_bad_settings_alike(given: str) -> None:
    """What libbpf refuses in a configuration, we refuse."""
    path = compile_bpf("ext_kconfig")
    with (
        LibbpfObject(path, kconfig=given) as theirs,
        pytest.raises(OSError, match="cannot load"),
    ):
        theirs.load()
    with pytest.raises(BpfError, match=r"\.kconfig"):
        Object.load(load_spec(str(path)), kconfig=given)
