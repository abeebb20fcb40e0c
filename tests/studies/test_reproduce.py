"""`reproduce`: a tiny model through every figure, its files, and going on from the store."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import radhard as rh
from radhard.analysis.claims.claims import CLAIMS, claims_of
from radhard.errors import InputError
from radhard.machine import Shape
from radhard.report.page.numbers import duration_text
from radhard.studies.progress import Note
from radhard.studies.reproduction.estimate import Duration, passes_of
from radhard.studies.reproduction.measurement import file_name
from radhard.studies.reproduction.paper_figures import FIGURES, PARTS, figures_of
from radhard.studies.reproduction.reproduce import check_data
from radhard.studies.simulation import simulate_sizes
from tests.cli.test_commands import call
from tests.support.envelopes import envelope_of
from tests.support.verbs import Told, network, pictures

MODEL = "from tests.support.verbs import network\n\n\ndef build():\n    return network()\n"


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "tiny.py").write_text(MODEL)
    images, labels = pictures(400)
    np.savez(tmp_path / "data.npz", images=images.permute(0, 2, 3, 1).numpy(), labels=labels.numpy())
    return f"{tmp_path}/tiny.py:build"


def run(model: str, folder: Path, *figures: int, progress: Told | None = None) -> rh.Reproduction:
    shape = rh.ModelOptions(input_shape=(3, 8, 8), mean=(0.5,), std=(0.25,))
    return rh.reproduce(
        {model: shape},
        folder / "data.npz",
        out=folder / "out",
        prefix="tiny-",
        ber=(1e-5, 1e-4),
        reproduce_options=rh.ReproduceOptions(figures=figures, grid=(2, 2), products=2),
        run=rh.RunOptions(images=12, trials=1),
        progress=progress,
    )


def check_files(found: rh.Reproduction, folder: Path) -> None:
    """Each part has records, which the claims are judged by, rows and figures."""
    assert all(file.stat().st_size for file in found.files)
    written = []
    for name in found.results:
        written.append(json.loads((folder / f"tiny-{name}.json").read_text()))
        assert len(written[-1]["models"]) == 1
        with (folder / f"tiny-{name}.csv").open() as file:
            assert list(csv.DictReader(file))
    claims = json.loads((folder / "tiny-claims.json").read_text())
    assert [each.as_dict() for each in claims_of(written)] == claims
    assert "not measured" in (folder / "tiny-claims.md").read_text()  # it is no transformer and no ResNet
    assert found.headline.startswith(f"{len(CLAIMS)} claims: ")


def test_figures_of_a_tiny_model_and_the_same_again_from_the_store(model: str, tmp_path: Path) -> None:
    told = Told()
    found = run(model, tmp_path, 2, 8, progress=told)
    assert list(found.results) == ["sweep", "blocks"]
    check_files(found, tmp_path / "out")
    assert found.rows()[0]["number"] == "1a"
    lines = [event.line for event in told.events if isinstance(event, Note)]
    first = next(place for place, line in enumerate(lines) if "12 images: about" in line)
    assert [line.split(":")[0] for line in lines[first + 1 : first + 3]] == ["Fig. 2", "Figs. 7, 8, 14"]
    kept = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.csv")}
    again = run(model, tmp_path, 2, 8)
    assert again.claims == found.claims
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.csv")} == kept


def test_the_command_prints_one_object_by_its_schema(model: str, tmp_path: Path) -> None:
    shape = ("--input-shape", "3,8,8", "--mean", "0.5", "--std", "0.25", "--images", "12", "--trials", "1")
    out = ("--out", tmp_path / "out", "--figures", "2,8", "--ber", "1e-5,1e-4", "--products", "2", "--quiet")
    text = call("reproduce", "--models", model, "--data", tmp_path / "data.npz", *shape, *out, "--json")
    printed = envelope_of("reproduce", text)
    (record,) = printed["models"]
    assert set(record) == {"model", "sweep", "blocks"}
    assert record["sweep"] == json.loads((tmp_path / "out" / "sweep.json").read_text())["models"][0]
    assert printed["claims"] == json.loads((tmp_path / "out" / "claims.json").read_text())
    assert str(tmp_path / "out" / "sweep.png") in printed["files"]


@pytest.mark.slow
def test_every_figure_of_a_tiny_model(model: str, tmp_path: Path) -> None:
    found = run(model, tmp_path, *FIGURES)
    assert list(found.results) == [part.name for part in PARTS]
    check_files(found, tmp_path / "out")
    assert len(list((tmp_path / "out" / "plans").glob("*.json"))) == 2


def test_the_products_of_a_model_are_averaged_by_their_number() -> None:
    found = rh.block_sizes(network(), ber=1e-4, simulate=0, model_options=rh.ModelOptions(input_shape=(3, 8, 8)))
    counts = [product.count for product in found.products]
    for each in found.probabilities:
        rows = [row for product in found.products for row in product.rows if row.model == each.model]
        assert each.faulty == pytest.approx(np.average([row.faulty for row in rows], weights=counts))
        assert each.block_faulty == pytest.approx(np.average([row.block_faulty for row in rows], weights=counts))
    assert len(found.probabilities) == 3
    for share in found.shares:
        assert share.detection + share.recovery == pytest.approx(1.0)


def test_simulated_sizes_meet_the_same_faults() -> None:
    shape = Shape(m=12, k=16, n=12, bias=True)
    points = simulate_sizes("p", shape, ber=3e-5, products=3, edges=(4, 16), policies=("leave", "intersect"))
    assert [(point.edge, point.policy) for point in points] == [
        (0, "none"), (4, "leave"), (16, "leave"), (4, "intersect"), (16, "intersect")
    ]  # fmt: skip
    assert points[0].executed.mean == 0 < points[1].executed.mean
    assert points == simulate_sizes("p", shape, ber=3e-5, products=3, edges=(4, 16), policies=("leave", "intersect"))


def test_figures_are_named_one_by_one_or_in_ranges() -> None:
    assert figures_of("2,3") == (2, 3)
    assert figures_of("2-5,14") == (2, 3, 4, 5, 14)
    assert figures_of("2-5,7-12,14") == FIGURES
    assert [part.name for part in rh.ReproduceOptions(figures=(8, 3)).parts] == ["layer", "blocks"]
    with pytest.raises(InputError, match="'x' is no figure"):
        figures_of("2,x")


@pytest.mark.parametrize(
    ("figures", "message"),
    [((13,), "times on a GPU"), ((6,), "shows no measurement"), ((15,), "no such figure"), ((), "is empty")],
)
def test_figures_that_are_none_say_why(figures: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rh.ReproduceOptions(figures=figures)


def test_models_that_need_imagenet_say_so() -> None:
    with pytest.raises(InputError, match=r"vit_base_patch16_224: .*ImageNet, which is not shipped.*data FOLDER"):
        check_data(["fashion-vit", "vit_base_patch16_224"], None)
    with pytest.raises(InputError, match="models is empty"):
        check_data([], None)
    check_data(["vit_base_patch16_224"], torch.zeros(1))
    check_data(["fashion-vit"], None)


def test_durations_are_told_plainly() -> None:
    assert [duration_text(each) for each in (0.2, 40, 600, 7200)] == ["1 s", "40 s", "10 min", "2.0 h"]
    line = Duration(part=PARTS[-1], passes=12_000, seconds=600).line
    assert line.startswith("Figs. 11, 12: ")
    assert line.endswith("12,000 passes, about 10 min")
    # 3 losses, each 7 rates searched, then 10 components and none protected, on 100 images
    passes = passes_of("layer", images=100, trials=1, protected_images=30, components=10, rates=4, curve=9)
    assert passes == 3 * (7 + 11) * 100
    assert file_name("a/b.py:f") == "a-b.py-f"
