"""What int8 words stand for: the bias that an accumulator is given, by sums of integers written out."""

import pytest
import torch
from torch import Tensor

from radhard.errors import CaptureError
from radhard.program.affine import accumulator_bias


def int8s(*shape: int, seed: int) -> Tensor:
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bias", [None, [0.75, -1.25, 0.0]])
@pytest.mark.parametrize("zero", [-128, -3, 0, 90])
def test_the_chain_of_words_is_the_chain_of_numbers(zero: int, bias: list[float] | None) -> None:
    """sum (x - zero) w + bias, in units of each column, is sum x w and what the accumulator is given."""
    x, w, units = int8s(2, 6, seed=0).tolist(), int8s(3, 2, 3, seed=1), [0.5, 0.25, 2.0]
    given = accumulator_bias(
        None if bias is None else torch.tensor(bias), w, per_column=torch.tensor(units).double(), zero=zero, place="fc"
    )
    if zero == 0 and bias is None:
        assert given is None
        return
    assert given is not None
    assert given.dtype == torch.int32
    for row in x:
        for channel, filters in enumerate(w.flatten(1).tolist()):
            pairs = list(zip(row, filters, strict=True))
            meant = sum((a - zero) * b for a, b in pairs)
            meant += 0 if bias is None else (2, -5, 0)[channel]  # 0.75 / 0.5 is 1.5: half to even
            assert sum(a * b for a, b in pairs) + int(given[channel]) == meant


@pytest.mark.parametrize(("bias", "fits"), [(2.0**31 - 1, True), (1 - 2.0**31, True), (2.0**31, False), (-1e30, False)])
def test_a_bias_fits_its_accumulator_or_is_refused(bias: float, fits: bool) -> None:
    words, one = torch.ones(1, 4, dtype=torch.int8), torch.ones(1, dtype=torch.float64)
    value = torch.tensor([bias], dtype=torch.float64)
    if fits:
        given = accumulator_bias(value, words, per_column=one, zero=0, place="fc")
        assert given is not None
        assert given.tolist() == [int(bias)]
    else:
        with pytest.raises(CaptureError, match="fc: a bias does not fit"):
            accumulator_bias(value, words, per_column=one, zero=0, place="fc")
