"""What of an accelerator is measured, and what its buffers count as."""

from dataclasses import replace

import numpy as np
import pytest

from radhard.analysis.accelerator import fmeda_of, struck_of
from radhard.campaign.single_upsets import Struck, UpsetOutcomes
from radhard.hardware import ImageProducts, Npu, read_npu
from radhard.hardware.npu import Buffer

PRODUCT = ImageProducts(groups=1, m=50, k=96, n=288, terms=97)
CODED = Buffer(name="coded", holds="activations", bits=10**6, rate="flip-flop", ecc="secded", ecc_coverage=0.9)
BARE = Buffer(name="bare", holds="activations", bits=10**6, rate="flip-flop", ecc="none")
WEIGHTS = Buffer(name="weights", holds="weights", bits=10**6, rate="flip-flop", ecc="none")


def npu(*buffers: Buffer) -> Npu:
    return replace(read_npu("npu-128"), buffers=buffers)


def outcomes(wrong: int) -> UpsetOutcomes:
    """Of 100 images, one upset each."""
    return UpsetOutcomes(upsets=np.ones(100, np.int64), wrong=np.arange(100) < wrong, silent=None)  # type: ignore[arg-type]


def test_activations_are_measured_where_a_buffer_has_no_code() -> None:
    assert "activations" in struck_of(npu(CODED, BARE))
    assert "activations" not in struck_of(npu(CODED, WEIGHTS))


def test_what_a_code_misses_and_stored_weights_count_as_wrong() -> None:
    """By hand: 100 FIT each raw; a tenth passes the code; 5 of 100 flips of bare activations are wrong."""
    measured: dict[Struck, UpsetOutcomes] = {name: outcomes(0) for name in ("a", "b", "sum")}  # type: ignore[misc]
    measured["activations"] = outcomes(5)
    found = fmeda_of(npu(CODED, BARE, WEIGHTS), [PRODUCT], measured, busy=1.0)
    parts = {part.name: part for part in found.parts}
    assert parts["coded"].residual.value == pytest.approx(10)
    assert parts["bare"].residual.value == pytest.approx(5)
    assert parts["weights"].residual.value == pytest.approx(100)
    assert [parts[name].avf_from for name in ("coded", "bare", "weights")] == ["assumed", "measured", "assumed"]
