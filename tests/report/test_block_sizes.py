"""Fig. 7: the simulation against a product that is checked by hand, its means, the figure's data and file."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from radhard.analysis.simulated_blocks import MeanInterval, Simulated, mean_of
from radhard.errors import InputError
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.operators import Linear
from radhard.protection import LbAbft, Shape, cube
from radhard.report.block_sizes import block_sizes_data, draw_block_sizes
from radhard.studies.simulation import SITE, drawn, simulate, simulate_sizes

SHAPE = Shape(m=24, k=32, n=20, bias=True)


def test_a_mean_and_its_interval() -> None:
    found = mean_of([2.0, 4.0, 6.0, 8.0])  # deviation sqrt(20 / 3), Student's 3.182446 at 3 degrees of freedom
    assert (found.mean, found.low, found.high) == pytest.approx((5.0, 5 - 4.10852, 5 + 4.10852), rel=1e-5)
    assert mean_of([0.0, 0.0, 1.0]).low == 0.0
    with pytest.raises(InputError, match="1 values have no interval"):
        mean_of([1.0])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_simulated_error_is_that_of_words_written_back(seed: int) -> None:
    """Accumulators of the same faults, in NumPy's integers, scaled and rounded here."""
    ber = 3e-6
    x, weight, bias = drawn(1, 24, 32, seed=2 * seed + 1), drawn(20, 32, seed=0), 1000 * drawn(20, seed=2).int()
    clean = x[0].numpy().astype("int64") @ weight.numpy().T.astype("int64") + bias.numpy()
    faulty = Faulty(Clean(), Faults(ber=ber, seed=seed)).apply(Linear(), (x, weight, bias), SITE)[0].numpy()
    assert 0 < (clean != faulty).sum() < 60
    scale = 32 / (128**2 / 3 * 32**0.5)
    off = [(scale * sums).round().clip(-128, 127) for sums in (clean, faulty)]
    (seen, repaired) = simulate(SHAPE, ber=ber, schemes=[None, LbAbft(block=cube(4))], seed=seed)
    assert seen.mse == pytest.approx(((off[0] - off[1]) ** 2).mean(), abs=2.5 / clean.size)  # a step at a tie
    assert seen.wrong == pytest.approx((off[0] != off[1]).mean(), abs=1.5 / clean.size)
    assert seen.executed == 0.0
    assert repaired.mse <= seen.mse
    assert repaired.executed > 0.0


def test_points_have_the_models_and_what_was_executed() -> None:
    points = simulate_sizes("toy", SHAPE, ber=0.0, edges=(4, 8), policies=("leave", "intersect"), products=2)
    assert [(p.edge, p.policy) for p in points] == [
        (0, "none"), (4, "leave"), (8, "leave"), (4, "intersect"), (8, "intersect"),
    ]  # fmt: skip
    own = 24 * 20 * (32 + 32)  # products, and additions with the bias
    for point in points[1:]:
        assert point.n == 2
        assert point.mse == MeanInterval(mean=0.0, low=0.0, high=0.0)
        # no fault: sums of the output after every slab, of A over rows, a dot of 33 terms
        slabs, tiles = 32 // point.edge, 24 // point.edge * -(-20 // point.edge)
        due = slabs * (480 - tiles) + tiles - 1 + 23 * 32 + 32 + 33
        assert point.executed.mean == pytest.approx(due / own)
        assert point.exact == pytest.approx(due / own)
        assert point.volume == pytest.approx(32 / own)
    assert (points[0].exact, points[0].volume) == (0.0, 0.0)


def simulated(edge: int, policy: str, *, ber: float, gemm: str) -> Simulated:
    level = edge * ber * 1e8 + len(policy)
    around = MeanInterval(mean=level, low=level / 2, high=2 * level)
    return Simulated(
        gemm=gemm, ber=ber, edge=edge, policy=policy, n=7, mse=around, wrong=around,
        executed=around, exact=edge / 1000, volume=edge / 2000,
    )  # fmt: skip


POINTS = [
    simulated(edge, policy, ber=ber, gemm=gemm)
    for gemm in ("first", "second")
    for ber in (1e-7, 1e-8)
    for edge, policy in ((0, "none"), (32, "leave"), (16, "leave"), (16, "intersect"), (32, "intersect"))
]


def test_the_figure_has_a_panel_a_product_and_a_line_a_rate() -> None:
    data = block_sizes_data(POINTS)
    assert list(data.panels) == ["first", "second"]
    assert "n = 7 products" in data.subtitle
    low, high = data.panels["second"]
    assert (low.ber, high.ber) == (1e-8, 1e-7)
    assert high.edge == (16, 32)
    assert high.exact == (0.016, 0.032)
    assert high.volume == (0.008, 0.016)
    assert high.executed == pytest.approx((165.0, 325.0))
    assert [mean.mean for mean in high.mse["leave"]] == pytest.approx([165.0, 325.0])
    assert [mean.high for mean in high.mse["intersect"]] == pytest.approx([338.0, 658.0])
    assert low.unprotected == high.unprotected == 4.0


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_figure_is_drawn(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sizes{suffix}"
    draw_block_sizes(block_sizes_data(POINTS), path)
    raw = path.read_bytes()
    if suffix == ".png":
        assert raw.startswith(b"\x89PNG")
        assert len(raw) > 10_000
        return
    assert ET.fromstring(raw).tag.endswith("svg")
    for text in ("first", "second", "BER 1e-08", "policy leave", "policy intersect", "unprotected"):
        assert text in raw.decode()
