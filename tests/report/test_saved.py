"""Figures drawn from what commands printed: the committed results, by `radhard plot`, in every format."""

import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import radhard as rh
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.report.bit_stems import bits_drawn
from radhard.report.caption import Caption
from radhard.report.patches import heatmap_drawn
from radhard.report.saved import drawing_of, read_records
from radhard.report.vulnerability import vulnerability_drawn
from tests.support.models import CLASSES, TinyViT, images, seeded

RESULTS = Path(__file__).parents[2] / "results"


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_result_is_drawn_again_with_its_caption(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"options{suffix}"
    code, said, notes = run("plot", RESULTS / "vit-options.json", "--plot", file)
    assert (code, notes) == (0, "")
    assert str(file) in said
    raw = file.read_bytes()
    assert raw.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])
    if suffix == ".pdf":
        assert b"/FontFile2" in raw  # TrueType within the file: type 42
        assert b"/Type3" not in raw
    caption = (tmp_path / "options.caption.txt").read_text()
    (record,) = read_records(RESULTS / "vit-options.json")
    for part in ("n = 500", "500 images", "95 % intervals", record["recipe"], "unprotected", "row-abft 89.4%"):
        assert part in caption
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(["options.caption.txt", file.name])


def test_bits_are_stems_in_a_panel_a_word(tmp_path: Path) -> None:
    (record,) = read_records(RESULTS / "vit-bit.json")
    data = bits_drawn([record])  # type: ignore[list-item]
    assert [(panel.kind, panel.word, len(panel.bit)) for panel in data.panels] == [
        ("mul", "int16", 16), ("add", "int32", 32), ("mul", "float32", 32), ("add", "float32", 32),
    ]  # fmt: skip
    assert all(panel.bit == tuple(range(len(panel.bit))) for panel in data.panels)
    assert sum(panel.share for panel in data.panels) == pytest.approx(1)
    components = {c["name"]: c for c in record["points"][1]["components"]}
    assert data.panels[1].groups[1].factor[24] == 100 * components["add int32 bit 24"]["factor"]
    drawing_of(RESULTS / "vit-bit.json")(tmp_path / "bits.svg")
    size = re.search(r'height="([\d.]+)pt"', (tmp_path / "bits.svg").read_text())
    assert size is not None
    assert float(size[1]) < 72 * 8  # inches: 113 bars took 40


def test_results_of_factors_keep_their_models() -> None:
    records = read_records(RESULTS / "zoo-module.json")
    data = vulnerability_drawn(records)  # type: ignore[arg-type]
    values = json.loads((RESULTS / "zoo-module.json").read_text())
    assert [panel.model for panel in data.panels] == list(dict.fromkeys(p["model"] for p in values["points"]))
    assert data.panels[0].groups[0].label.startswith("10 points lost (BER")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "no 'models'"),
        ('{"models": []}', "no 'models'"),
        ('{"models": [{"a": 1}]}', "records of"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=said):
        drawing_of(tmp_path / "x.json")
    code, _, notes = run("plot", tmp_path / "x.json", "--plot", tmp_path / "x.png")
    assert (code, said in notes, (tmp_path / "x.png").exists()) == (2, True, False)


def test_the_patches_of_a_result_are_drawn_again(tmp_path: Path) -> None:
    """Of a study as `--json` prints it: the figure is the verb's own, and its cells are the factors."""
    data = images(20), torch.arange(20) % CLASSES
    result = rh.vulnerability(seeded(TinyViT()), data, by="patch", grid=(2, 2), ber=0.05, run=rh.RunOptions(trials=1))
    record = result.to_dict()
    file = tmp_path / "patches.json"
    file.write_text(json.dumps({"models": [record]}))
    (tmp_path / "again").mkdir()
    drawing_of(file)(tmp_path / "again" / "patches.svg")
    result.plot(tmp_path / "patches.svg")
    again, own = ((folder / "patches.svg").read_text() for folder in (tmp_path / "again", tmp_path))
    assert without_dates(again) == without_dates(own)
    drawn = heatmap_drawn(read_records(file))  # type: ignore[arg-type]
    (panel,) = drawn.panels
    assert drawn.image is not None
    assert (255 * drawn.image).round().astype(int).tolist() == record["mean_image"]
    factors = {c["name"]: 100 * c["factor"] for c in record["points"][0]["components"]}
    assert {f"{row},{column}": panel.factor[row, column] for row in range(2) for column in range(2)} == factors
    assert panel.label == "BER 0.05"


def without_dates(svg: str) -> str:
    """Less the time of drawing and the names that matplotlib draws by chance."""
    return re.sub(r"<dc:date>.*?</dc:date>|#?\b[mph][0-9a-f]{10}\b", "", svg)


def test_the_patches_of_an_older_result_are_drawn_without_a_mean_image(tmp_path: Path) -> None:
    data = heatmap_drawn(read_records(RESULTS / "zoo-patch.json"))  # type: ignore[arg-type]
    assert data.image is None
    assert [panel.factor.shape for panel in data.panels] == [(7, 7)] * 6
    values = json.loads((RESULTS / "zoo-patch.json").read_text())["points"][2]
    component = next(one for one in values["components"] if one["name"] == "3,5")
    assert data.panels[2].factor[3, 5] == 100 * component["factor"]
    assert data.panels[2].low[3, 5] == 100 * component["low"]
    file = tmp_path / "patches.png"
    code, _, notes = run("plot", RESULTS / "zoo-patch.json", "--plot", file)
    assert (code, notes, file.read_bytes()[:4]) == (0, "", b"\x89PNG")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        drawing_of(tmp_path / "none.json")


def test_a_caption_is_sentences() -> None:
    caption = Caption(title="fashion-vit under bit flips", sentences=("n = 5", "", "bars are intervals"))
    assert caption.text == "fashion-vit under bit flips. n = 5. Bars are intervals."
