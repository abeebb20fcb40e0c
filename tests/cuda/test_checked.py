"""The product that checks its rows, against int64; and the operator that repairs by it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from radhard.kernels.cuda import checked
from radhard.kernels.cuda.checked import Checked, checked_product, wrong_rows
from radhard.kernels.cuda.configs import STAYING, TINY
from radhard.kernels.grid import SYMMETRIC, Grid
from radhard.kernels.library import no_events
from radhard.kernels.sums import SummedWeight, store
from radhard.kernels.write import WriteBack
from tests.support.protections import int8s, int32s, scales

OPS = torch.ops.radhard
GRIDS = {
    torch.int8: Grid(zero=3, low=-100, high=90),
    torch.uint8: Grid(zero=9, low=4, high=250, dtype=torch.uint8),
    torch.float32: SYMMETRIC,
}
SHAPES = [(33, 70, 37), (1, 32, 16), (40, 64, 64), (5, 7, 3), (1, 1, 1)]


def full(n: int) -> Tensor:
    return torch.randint(-(2**31), 2**31, (n,), generator=torch.Generator().manual_seed(n)).to(torch.int32)


def exact(a: Tensor, stored: SummedWeight) -> Tensor:
    """Accumulators with their bias, which wrap."""
    return (a.long() @ stored.own.long().T + stored.bias).to(torch.int32)


def lost(total: Tensor, a: Tensor, stored: SummedWeight) -> Tensor:
    """What each row is off by [m] int32."""
    predicted = (a.long() * stored.columns[:-1]).sum(1) + stored.columns[-1]
    return (total.long().sum(1) - predicted).to(torch.int32)


def word(total: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    value, (zero, low, high) = total.to(torch.float32) * scale, GRIDS[dtype].limits
    return value if dtype == torch.float32 else (value.round() + zero).clamp(low, high).to(dtype)


def moved(stored: SummedWeight, device: torch.device) -> SummedWeight:
    return SummedWeight(**{name: x.to(device) for name, x in vars(stored).items()})


def run(a: Tensor, stored: SummedWeight, dtype: torch.dtype, device: torch.device) -> tuple[Checked, int]:
    scale = scales(len(stored.bias)).to(device)
    back = WriteBack(multiplier=scale, dtype=dtype, grid=GRIDS[dtype])
    made = checked_product(a.to(device), moved(stored, device), back)
    return made, int(wrong_rows([made]))


@pytest.mark.parametrize(
    ("shape", "left", "dtype"),
    [
        *((shape, torch.int8, torch.int8) for shape in SHAPES),
        *((shape, torch.uint8, torch.int8) for shape in SHAPES[::2]),
        (SHAPES[0], torch.int8, torch.uint8),
        (SHAPES[0], torch.int8, torch.float32),
        (SHAPES[2], torch.uint8, torch.float32),
    ],
)
def test_words_and_sums(
    shape: tuple[int, int, int], left: torch.dtype, dtype: torch.dtype, device: torch.device
) -> None:
    m, k, n = shape
    a, stored = int8s(m, k).view(left), store(int8s(n, k, seed=1), full(n))
    made, found = run(a, stored, dtype, device)
    total = exact(a, stored)
    assert torch.equal(made.out.cpu(), word(total, scales(n), dtype))
    assert torch.equal(made.sums.cpu(), total.long().sum(1).to(torch.int32))
    assert not len(made.flagged)
    assert not found


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_rows_that_do_not_add_up(shape: tuple[int, int, int], device: torch.device) -> None:
    m, k, n = shape
    a, stored = int8s(m, k), store(int8s(n, k, seed=1), full(n))
    a[: m // 2, k - 1] = 0  # these do not meet the word that changes
    stored.weight[n - 1, k - 1] ^= 64
    made, found = run(a, stored, torch.int8, device)
    total = exact(a, stored)
    assert torch.equal(made.out.cpu(), word(total, scales(n), torch.int8))
    wrong = lost(total, a, stored) != 0
    assert 0 < int(wrong.sum()) == found
    assert torch.equal(made.flagged.cpu(), wrong.nonzero()[:, 0])


def test_a_changed_digit_is_found(device: torch.device) -> None:
    a, stored = int8s(20, 40), store(int8s(18, 40, seed=1), full(18))
    stored.weight[18 + 2, 7] += 1  # the top digit
    made, found = run(a, stored, torch.int8, device)
    assert torch.equal(made.out.cpu(), word(exact(a, stored), scales(18), torch.int8))
    assert torch.equal(made.flagged.cpu(), a[:, 7].nonzero()[:, 0])
    assert found == int((a[:, 7] != 0).sum())


@pytest.mark.parametrize("extreme", [-128, 127, 255])
def test_extreme_words_are_no_alarm(extreme: int, device: torch.device) -> None:
    a = torch.full((3, 300), extreme, dtype=torch.uint8 if extreme > 127 else torch.int8)
    stored = store(torch.full((40, 300), -128, dtype=torch.int8), torch.full((40,), 2**31 - 1, dtype=torch.int32))
    made, found = run(a, stored, torch.float32, device)
    assert torch.equal(made.out.cpu(), exact(a, stored).float() * scales(40))
    assert not found


def test_products_of_several_sizes_are_compared_in_one_launch(device: torch.device) -> None:
    made, wrong = [], 0
    for m, k, n in SHAPES:
        a, stored = int8s(m, k), store(int8s(n, k, seed=1), full(n))
        stored.weight[0, 0] ^= 8
        wrong += int((a[:, 0] != 0).sum())
        made.append(run(a, stored, torch.int8, device)[0])
    assert int(wrong_rows(made)) == wrong > 0


def call(x: Tensor, stored: SummedWeight, device: torch.device) -> tuple[Tensor, list[int]]:
    events, args = no_events().to(device), moved(stored, device)
    out = OPS.linear_checked(
        x.to(device), args.weight, args.bias, args.columns, args.rows, scales(len(args.bias)).to(device),
        [3, -100, 90], torch.int8, "raise", "here", events,
    )  # fmt: skip
    return out.cpu(), events.tolist()


def test_the_operator_counts_rows(device: torch.device) -> None:
    x, stored = int8s(2, 9, 40), store(int8s(18, 40, seed=1), int32s(18))
    out, events = call(x, stored, device)
    assert torch.equal(out, word(exact(x.flatten(0, 1), stored), scales(18), torch.int8).view(2, 9, 18))
    assert events == [18, 0, 0, 0, 0, 0, 0]


def test_a_hit_accumulator_is_repaired(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    x, stored = int8s(9, 40), store(int8s(18, 40, seed=1), int32s(18))

    def hit(*args: object, **more: object) -> Checked:
        made = checked_product(*args, **more)  # type: ignore[arg-type]
        for row in (2, 7):
            made.out[row, 5] ^= 64
            made.partial[0, row] += 1 << 20
        return made

    call(x, stored, device)  # the kernel proves itself before it is hit
    monkeypatch.setattr(checked, "checked_product", hit)
    out, events = call(x, stored, device)
    assert torch.equal(out, word(exact(x, stored), scales(18), torch.int8))
    assert events == [9, 1, 2, 2, 0, 0, 0]


def test_a_changed_weight_is_mended(device: torch.device) -> None:
    x, stored = int8s(9, 40), store(int8s(18, 40, seed=1), int32s(18))
    expected = word(exact(x, stored), scales(18), torch.int8)
    hit = int((x[:, 3] != 0).sum())
    stored.weight[4, 3] ^= 32
    out, events = call(x, stored, device)
    assert torch.equal(out, expected)
    assert events == [9, 1, hit, hit, 0, 1, 0]


def test_changed_digits_are_no_fault_of_rows(device: torch.device) -> None:
    x, stored = int8s(9, 40), store(int8s(18, 40, seed=1), int32s(18))
    hit = int((x[:, 3] != 0).sum())
    stored.weight[18, 3] ^= 32
    out, events = call(x, stored, device)
    assert torch.equal(out, word(exact(x, stored), scales(18), torch.int8))
    assert events == [9, 1, hit, 0, hit, 1, 0]


def test_programs_that_stay(device: torch.device) -> None:
    of = checked.variant_of(torch.zeros(1, 64, dtype=torch.int8), 32, dtype=torch.int8)
    config = replace(TINY, band=2, described=True, persistent=1) if device.type == "cpu" else STAYING
    assert checked._right(replace(of, config=config, whole=True, full=False), device)
    assert checked._right(replace(of, config=config, words=False), device)
