"""The one-sided limit of a loss: its error against every outcome there can be, and against simulated studies."""

import math
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, multinomial

from radhard.analysis.noninferiority import (
    Differences,
    differences,
    images_needed,
    images_to_tell,
    lower_limit,
    p_value,
    upper_limit,
)
from radhard.errors import InputError


def rejected(lost: int, gained: int, n: int, margin: float) -> bool:
    """That `margin` is lost."""
    return (lost - gained) / n < margin and p_value(Differences(lost=lost, gained=gained, n=n), margin=margin) <= 0.05


@cache
def limit(lost: int, gained: int, n: int) -> float:
    return upper_limit(Differences(lost=lost, gained=gained, n=n))


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("n", "margin"),
    [(20, 0.15), (25, 0.1), (12, 0.0), (12, -0.1)] + [pytest.param(60, d, marks=SLOW) for d in (0.05, 0.2, 0.0)],
)
def test_a_target_that_is_not_met_is_called_met_in_at_most_one_study_of_twenty(n: int, margin: float) -> None:
    """Every outcome of three kinds (lost, gained, the same), its probability by the multinomial law."""
    outcomes = [(b, c, n - b - c) for b in range(n + 1) for c in range(n + 1 - b)]
    met = np.array([o for o in outcomes if rejected(*o[:2], n, margin)])
    assert len(met)
    worst = 0.0
    for gained in np.linspace(max(0.0, -margin), (1 - margin) / 2, 120):
        law = multinomial(n, [gained + margin, gained, 1 - 2 * gained - margin])
        worst = max(worst, float(law.pmf(met).sum()))
    assert worst <= 0.05
    assert worst > 0.01  # and the test is not idle


def test_where_no_answer_differs_the_limit_is_the_exact_one_of_a_binomial() -> None:
    for n in (10, 60, 150, 1000):
        assert limit(0, 0, n) == pytest.approx(1 - 0.049 ** (1 / n), abs=2e-5)  # 0.1 % is kept for Berger and Boos


def test_it_nears_the_normal_limit_where_much_differs() -> None:
    found = Differences(lost=600, gained=500, n=5000)
    normal = 0.02 + 1.645 * math.sqrt(0.22 - 0.02**2) / math.sqrt(5000)
    assert upper_limit(found) == pytest.approx(normal, abs=2e-4)


def test_the_lower_limit_is_that_of_the_runs_exchanged() -> None:
    found = Differences(lost=12, gained=3, n=200)
    assert lower_limit(found) == -upper_limit(found.reversed)
    assert lower_limit(found) < 0.045 < upper_limit(found)
    assert upper_limit(found, level=0.99) > upper_limit(found)


def test_the_limit_is_the_least_margin_that_is_rejected() -> None:
    found = Differences(lost=9, gained=4, n=300)
    at = upper_limit(found)
    assert p_value(found, margin=at) <= 0.05 < p_value(found, margin=at - 2e-5)


def test_the_ends() -> None:
    assert upper_limit(Differences(lost=0, gained=0, n=0)) == 1.0
    assert lower_limit(Differences(lost=0, gained=0, n=0)) == -1.0
    assert upper_limit(Differences(lost=5, gained=0, n=5)) == 1.0
    assert upper_limit(Differences(lost=0, gained=5, n=5)) < 1.0
    assert upper_limit(Differences(lost=0, gained=0, n=1)) == pytest.approx(0.951, abs=1e-3)
    with pytest.raises(InputError, match="give counts of as many answers"):
        Differences(lost=3, gained=3, n=5)
    with pytest.raises(InputError, match=r"a level of 0\.5"):
        upper_limit(Differences(lost=0, gained=0, n=5), level=0.5)


def test_in_one_trial_the_differences_are_counted_as_they_are() -> None:
    first, second = np.array([1, 1, 0, 1, 0, 1]), np.array([0, 1, 1, 0, 0, 9])
    trials = np.array([1, 1, 1, 1, 1, 0])  # the last image was not run
    assert differences(first, second, trials=trials) == Differences(lost=2, gained=1, n=5)


def test_trials_of_an_image_that_are_alike_count_as_one() -> None:
    lost, kept = np.repeat([1, 0], [3, 97]), np.ones(100, np.int64)
    once = differences(kept, kept - lost, trials=kept)
    alike = differences(10 * kept, 10 * (kept - lost), trials=10 * kept)
    assert once == alike == Differences(lost=3, gained=0, n=100)


def test_independent_trials_count_as_so_many_images() -> None:
    draw = np.random.default_rng(0)
    hits = draw.binomial(20, 0.9, size=400)
    found = differences(np.full(400, 20), hits, trials=np.full(400, 20))
    assert 0.8 * 8000 < found.n <= 8000
    assert found.lost / found.n == pytest.approx(0.1, abs=0.01)


def test_clustered_studies_err_in_at_most_one_of_twenty() -> None:
    """Simulated: 60 images in 4 trials; a fifth of the images lose often, so that 5 points are lost in truth."""
    draw, wrong, studies = np.random.default_rng(1), 0, 200
    for _ in range(studies):
        rate = np.where(draw.random(60) < 0.2, 0.25, 0.0)
        hits = 4 - draw.binomial(4, rate)
        found = differences(np.full(60, 4), hits, trials=np.full(60, 4))
        wrong += p_value(found, margin=0.05) <= 0.05
    assert wrong <= binom.ppf(0.999, studies, 0.05)


@pytest.mark.parametrize(
    ("margin", "loss", "differing", "expected"),
    [
        (0.02, 0.0, 0.0, 150),  # ln(0.049) / ln(0.98): nothing that differs
        (0.02, 0.01, 0.06, math.ceil(1.6448536**2 * (0.06 - 0.0001) / 0.0001)),
        (0.05, 0.0, 0.0, 59),
        (0.02, 0.02, 0.1, math.inf),
    ],
)
def test_how_many_images_it_takes(margin: float, loss: float, differing: float, expected: float) -> None:
    found = images_needed(margin, loss=loss, differing=differing)
    assert found == expected
    if math.isfinite(found) and not differing:
        assert limit(0, 0, int(found)) <= margin < limit(0, 0, int(found) - 1)


def test_how_many_more_images_would_tell() -> None:
    few = Differences(lost=2, gained=0, n=60)
    assert upper_limit(few) > 0.1
    found = images_to_tell(few, margin=0.1)
    assert 60 < found < 100  # never fewer than did not tell
    more = Differences(lost=math.ceil(2 * found / 60), gained=0, n=int(found))
    assert upper_limit(more) <= 0.1
    assert images_to_tell(few, margin=2 / 60) == math.inf
    assert images_to_tell(Differences(lost=0, gained=0, n=0), margin=0.1) == math.inf


def test_the_table_of_the_docs_is_what_the_function_says() -> None:
    text = (Path(__file__).parents[2] / "docs" / "planning.md").read_text()
    rows = re.findall(r"^\| (\d+) points \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == 4
    for points, cells in rows:
        d = int(points) / 100
        asked = ((0.0, 0.0), (0.0, 0.02), (0.0, 0.05), (d / 2, max(0.05, d / 2)), (d / 2, 0.1))
        expected = [images_needed(d, loss=loss, differing=differing) for loss, differing in asked]
        assert [int(cell.replace(",", "")) for cell in cells.split(" | ")] == expected
