"""The heat map of a patch grid: its data, its file, and what is written in its cells."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from radhard.errors import InputError
from radhard.report.heatmap import HeatmapData, HeatmapPanel, draw_heatmap

IMAGE = np.linspace(0, 1, 28 * 28).reshape(28, 28)
TEXT = "{http://www.w3.org/2000/svg}text"


def panel(rows: int, columns: int, *, label: str = "toy, loss 10 %", least: float = -1.0) -> HeatmapPanel:
    """Factors that rise from `least` by 0.5 a cell, and half widths of 0.7."""
    factor = least + 0.5 * np.arange(rows * columns, dtype=np.float64).reshape(rows, columns)
    return HeatmapPanel(label=label, factor=factor, low=factor - 0.7, high=factor + 0.7)


def data(*panels: HeatmapPanel, image: np.ndarray = IMAGE) -> HeatmapData:
    return HeatmapData(title="toy by patch", subtitle="recipe int8\nBER 1e-6", image=image, panels=panels)


def drawn(shown: HeatmapData, path: Path) -> tuple[str, list[ET.Element]]:
    """The file, and the texts in it."""
    draw_heatmap(shown, path)
    raw = path.read_text()
    return raw, list(ET.fromstring(raw).iter(TEXT))


def test_all_panels_share_a_scale_that_0_is_on() -> None:
    low, high = panel(2, 2, least=-1.0), panel(2, 2, least=7.0)
    assert data(low, high).scale == (-1.0, 8.5)
    assert data(high).scale == (0.0, 8.5)
    assert data(panel(2, 2, least=-9.0)).scale == (-9.0, 0.0)
    some = HeatmapPanel(label="some", factor=np.array([[np.nan, 2.0]]), low=np.zeros((1, 2)), high=np.ones((1, 2)))
    assert data(some).scale == (0.0, 2.0)
    nothing = HeatmapPanel(label="none", factor=np.full((1, 2), np.nan), low=np.zeros((1, 2)), high=np.ones((1, 2)))
    assert data(nothing).scale == (0.0, 1.0)


def test_a_cell_is_certain_if_its_interval_leaves_0_out() -> None:
    assert panel(1, 5).certain.tolist() == [[True, False, False, False, True]]  # -1.0 ... 1.0 by 0.5, each +- 0.7


@pytest.mark.parametrize(
    ("suffix", "count", "grid"),
    [(".png", 1, (7, 7)), (".png", 3, (14, 14)), (".svg", 6, (7, 7)), (".svg", 1, (14, 14)), (".svg", 2, (2, 9))],
)
def test_the_figure_is_drawn(tmp_path: Path, suffix: str, count: int, grid: tuple[int, int]) -> None:
    path = tmp_path / f"map{suffix}"
    draw_heatmap(data(*(panel(*grid, label=f"model {n}") for n in range(count))), path)
    raw = path.read_bytes()
    if suffix == ".png":
        assert raw.startswith(b"\x89PNG")
        assert len(raw) > 10_000
        return
    found = [text.text for text in ET.fromstring(raw).iter(TEXT)]
    for text in ("toy by patch", "recipe int8", "BER 1e-6", "mean image"):
        assert text in found
    assert [text for text in found if text and text.startswith("model")] == [f"model {n}" for n in range(count)]
    assert found.count("vulnerability factor in percentage points") == 1  # one bar for all


def test_each_cell_says_its_factor_with_its_sign(tmp_path: Path) -> None:
    _, texts = drawn(data(panel(2, 3)), tmp_path / "map.svg")
    written = [(t.text or "", t.attrib["style"]) for t in texts if re.match(r"[+\u2212]\d+\.\d$", t.text or "")]
    cells = [(text, "700" in style) for text, style in written if "10px" not in style]  # as those of the bar are
    assert cells == [
        ("\u22121.0", True), ("\u22120.5", False), ("+0.0", False), ("+0.5", False), ("+1.0", True), ("+1.5", True)
    ]  # fmt: skip
    assert [t.text for t in texts].count("±0.7") == 6
    assert "bold: the 95 % interval does not reach 0; ±: half its width; hatched: below 0" in [t.text for t in texts]


def test_small_factors_have_two_digits(tmp_path: Path) -> None:
    small = np.array([[-0.04, 0.26]])
    _, texts = drawn(
        data(HeatmapPanel(label="a", factor=small, low=small - 0.1, high=small + 0.1)), tmp_path / "map.svg"
    )
    found = [t.text for t in texts]
    assert "\u22120.04" in found
    assert "+0.26" in found
    assert found.count("±0.10") == 2


def test_only_cells_below_0_are_hatched(tmp_path: Path) -> None:
    """The pattern is defined once and used in each of them."""
    hatched, _ = drawn(data(panel(2, 3)), tmp_path / "a.svg")
    assert len(re.findall(r"fill: url\(#", hatched)) == 2
    plain, _ = drawn(data(panel(2, 3, least=0.0)), tmp_path / "b.svg")
    assert "url(#h" not in plain


def test_many_cells_have_dots_for_numbers(tmp_path: Path) -> None:
    raw, texts = drawn(data(panel(12, 12, least=-0.5)), tmp_path / "map.svg")
    assert not [t.text for t in texts if (t.text or "").startswith(("±", "+"))]
    assert "a dot: the 95 % interval does not reach 0; hatched: below 0" in [t.text for t in texts]
    marks = re.findall(r'<g id="line2d_\d+">.*?</g>\s*</g>', raw, flags=re.DOTALL)
    assert len([mark for mark in marks if mark.count("<use") == 1]) >= 144 - 3  # all but -0.5, 0 and 0.5


def test_an_unknown_factor_is_said_to_be_unknown(tmp_path: Path) -> None:
    values = np.array([[1.0, np.nan]])
    raw, texts = drawn(data(HeatmapPanel(label="a", factor=values, low=values, high=values)), tmp_path / "map.svg")
    assert [t.text for t in texts].count("?") == 1
    assert "nan" not in raw


def test_colours_of_the_mean_image_are_shown_grey(tmp_path: Path) -> None:
    """An image in colour whose three channels are the same is the grey one."""
    grey, _ = drawn(data(panel(2, 2)), tmp_path / "a.svg")
    colour, _ = drawn(data(panel(2, 2), image=np.stack([IMAGE] * 3, axis=-1)), tmp_path / "b.svg")
    other, _ = drawn(data(panel(2, 2), image=IMAGE[::-1]), tmp_path / "c.svg")
    assert grey == colour
    assert grey != other


def test_the_same_data_give_the_same_svg(tmp_path: Path) -> None:
    first, _ = drawn(data(panel(3, 3)), tmp_path / "a.svg")
    second, _ = drawn(data(panel(3, 3)), tmp_path / "b.svg")
    assert first == second


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"map\.gif ends in '\.gif'; name a file"):
        draw_heatmap(data(panel(2, 2)), tmp_path / "map.gif")
    with pytest.raises(InputError, match="panel 'a': factor, low and high have shapes"):
        HeatmapPanel(label="a", factor=np.zeros((2, 2)), low=np.zeros((2, 2)), high=np.zeros(4))
    with pytest.raises(InputError, match="mean image of shape"):
        data(panel(2, 2), image=np.zeros((3, 28, 28)))
    with pytest.raises(InputError, match="has no panel"):
        data()
