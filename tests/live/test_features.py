"""What the feature probes, and the gates of tests, say of the running kernel."""

from __future__ import annotations

import pytest
from bpfgen_runtime.features import FEATURES

from tests.support.kernels import GATES, IN_MATRIX, PROBES, right_answers, running, verdict


@pytest.mark.parametrize("name", FEATURES)
def test_probe_answers_as_the_release_has_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each probe says yes from its feature's first release on, and no before; nothing is left.

    A distribution may have taken a feature into an older kernel: then this is no failure of the
    probe, and belongs with the uncertain ones of tests/support/kernels.py.
    """
    monkeypatch.setattr(FEATURES[name], "_result", None)
    since = "{}.{}".format(*PROBES[name])
    assert FEATURES[name].probe() in right_answers(name, running()), f"in Linux since {since}"


@pytest.mark.parametrize("name", GATES)
def test_this_kernel_has_what_it_must_have(name: str) -> None:
    """No gate's probe misses what the running kernel's release has."""
    decision, why = verdict(GATES[name], running(), strict=IN_MATRIX)
    assert decision != "fail", why
