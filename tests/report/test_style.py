"""What figures have in common."""

import pytest

from radhard.report.style import percent_ticks


@pytest.mark.parametrize(
    ("share", "text"), [(0.875, "87.5%"), (0.29, "29%"), (1.0, "100%"), (0.0, "0%"), (0.0025, "0.25%")]
)
def test_a_tick_is_as_exact_as_it_stands(share: float, text: str) -> None:
    assert percent_ticks()(share, 0) == text
