"""Hit outputs that are computed in one loop: bit for bit what reading the definition writes."""

import pytest
import torch
from torch import Tensor

from radhard.faults import Faults, Faulty
from radhard.faults.device import striking
from radhard.kernels.grid import SYMMETRIC, UNSIGNED, Grid
from radhard.kernels.write import WriteBack
from radhard.machine import Clean, Gemm, Operator, Site
from radhard.operators import Conv2d, Linear

GRIDS = (SYMMETRIC, UNSIGNED, Grid(zero=4, low=-90, high=100))


def octets(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    low, high = (0, 256) if dtype == torch.uint8 else (-128, 128)
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, shape, dtype=torch.int16, generator=draw).to(dtype)


def cases() -> list[tuple[str, Operator, tuple[Tensor | None, ...], Site]]:
    found: list[tuple[str, Operator, tuple[Tensor | None, ...], Site]] = []
    site = Site(name="s", batch_axis=0)
    for dtype in (torch.int8, torch.uint8):
        bias = torch.arange(6, dtype=torch.int32) * 0x1357_9BD
        x, weight = octets((2, 4, 7, 5), dtype, 1), octets((6, 2, 3, 2), torch.int8, 2)
        a, rows = octets((3, 5, 21), dtype, 3), octets((6, 21), torch.int8, 4)
        for number, grid in enumerate((*GRIDS, None)):
            scale = torch.rand(6, generator=torch.Generator().manual_seed(5)) * 1e-2
            back = WriteBack(multiplier=scale, dtype=grid.dtype if grid else torch.float32, grid=grid or SYMMETRIC)
            conv = Conv2d(
                stride=(2, 1), padding=(1, 0, 2, 1), dilation=(1, 2), groups=2, pad=3, write_back=back
            )  # fmt: skip
            name = f"{dtype}-{number}"
            found.append((f"conv2d-{name}", conv, (x, weight, bias), site))
            found.append((f"linear-{name}", Linear(write_back=back), (a, rows, bias), site))
            one = WriteBack(multiplier=scale[:1], dtype=back.dtype, grid=back.grid)
            product = (octets((2, 3, 5, 9), dtype, 6), octets((2, 3, 9, 4), torch.int8, 7))
            found.append((f"matmul-{name}", Gemm(write_back=one), product, site))
        found.append((f"conv2d-{dtype}-unwritten", Conv2d(), (x, weight.repeat(1, 2, 1, 1), None), site))
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
@pytest.mark.parametrize("ber", [1e-5, 1e-3, 2e-2])
def test_the_loop_writes_what_the_definition_says(
    case: tuple[str, Operator, tuple[Tensor | None, ...], Site], ber: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, operator, inputs, site = case
    done: list[bool] = []
    loop = striking.hit_chains

    def noted(*given: object) -> bool:
        done.append(loop(*given))  # type: ignore[arg-type]
        return done[-1]

    for trial in range(3 if ber > 1e-4 else 40):
        faults = Faults(ber=ber, trial=trial)
        monkeypatch.setattr(striking, "hit_chains", noted)
        found = Faulty(Clean(), faults).apply(operator, inputs, site)
        monkeypatch.setattr(striking, "hit_chains", lambda *_: False)
        expected = Faulty(Clean(), faults).apply(operator, inputs, site)
        assert found.dtype == expected.dtype
        assert torch.equal(found.view(torch.uint8), expected.view(torch.uint8))
    assert any(done) or ber < 1e-4


def test_values_that_are_not_finite_are_left_to_the_definition() -> None:
    a, b = octets((2, 5, 21), torch.int8, 1), octets((2, 21, 6), torch.int8, 2)
    back = WriteBack(multiplier=torch.full((1,), 3e38), dtype=torch.int8)
    machine = Faulty(Clean(), Faults(ber=1e-2))
    out = machine.apply(Gemm(write_back=back), (a, b), Site(name="s", batch_axis=0))
    assert out.dtype == torch.int8
