"""Which images a run sees: samples, images set apart for calibration, and the commands that read them."""

import csv
import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from radhard.campaign import build as building
from radhard.campaign.build import build
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.faults import Faults, trace
from radhard.models.data.dataset import Dataset
from radhard.models.data.fashion import fashion_mnist
from radhard.models.data.splits import DataChoice, calibration_share, split_data
from radhard.models.load import load
from radhard.models.loaded import LoadedModel
from tests.support.models import tiny_program
from tests.support.pictures import grey_folder, save


@cache
def vit() -> LoadedModel:
    return load("fashion-vit")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grey_folder(tmp_path_factory.mktemp("data") / "val", each=6)


def supplied(data: object, **options: object) -> tuple[Dataset, Dataset]:
    found = split_data(DataChoice(data=str(data), **options), vit())  # type: ignore[arg-type]
    return found.evaluated, found.calibration


def flips(data: Dataset, *, places: list[int]) -> dict[str, set[tuple[int, ...]]]:
    """The faults of the files at `places`: site, kind, index, bit by name."""
    found = trace(tiny_program("int8"), Faults(ber=1e-3, seed=4), data.ids[places])
    rows: dict[str, set[tuple[int, ...]]] = {data.names[place]: set() for place in places}
    names = data.name_of(data.ids[places])
    columns = (found.image, found.site, found.kind, found.index, found.bit)
    for image, *row in zip(*(column.tolist() for column in columns), strict=True):
        rows[names[image]].add(tuple(row))
    return rows


def test_the_embedded_images_are_as_they_were() -> None:
    evaluated, calibration = supplied("fashion-mnist")
    assert evaluated.digest == fashion_mnist("test").digest
    assert evaluated.ids.tolist() == list(range(10_000))
    assert torch.equal(calibration.images, fashion_mnist("calibration").images[:512])


def test_a_sample_of_the_embedded_images_keeps_their_ids() -> None:
    evaluated, _ = supplied("fashion-mnist", samples=50, seed=3)
    whole = fashion_mnist("test")
    assert len(set(evaluated.ids.tolist())) == 50
    assert torch.equal(evaluated.images, whole.images[evaluated.ids])
    assert torch.equal(evaluated.labels, whole.labels[evaluated.ids])
    assert evaluated.ids.tolist() != sorted(evaluated.ids.tolist())


def test_calibration_and_evaluation_share_no_image(folder: Path) -> None:
    evaluated, calibration = supplied(folder)
    assert (len(evaluated), len(calibration)) == (48, 12)
    every = {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")}
    assert {*evaluated.names, *calibration.names} == every
    assert len(set(evaluated.labels[:10].tolist())) > 3  # the first of them are not one class
    assert calibration_share(2_559, name="d") == 511
    assert calibration_share(50_000, name="d") == 512
    with pytest.raises(InputError, match="9 images"):
        calibration_share(9, name="d")


def test_a_sample_is_the_beginning_of_a_longer_one(folder: Path) -> None:
    whole, apart = supplied(folder, seed=7)
    short, same_apart = supplied(folder, seed=7, samples=20)
    assert short.names == whole.names[:20]
    assert same_apart.digest == apart.digest
    assert supplied(folder, seed=8, samples=20)[0].names != short.names
    with pytest.raises(InputError, match=r"samples 49: val has 48 images"):
        supplied(folder, samples=49)


def test_faults_depend_on_the_relative_path_alone(folder: Path, tmp_path: Path) -> None:
    data, _ = supplied(folder)
    elsewhere = tmp_path / "another" / "name"
    for name in data.names[:30]:
        save(Image.open(folder / name), elsewhere / name)
    for label in range(10):
        (elsewhere / str(label)).mkdir(exist_ok=True)
    moved, rest = supplied(elsewhere, seed=5)
    assert set(moved.names) < set(data.names)
    assert set(rest.names) < set(data.names)
    places = list(range(len(moved)))
    expected = flips(data, places=[data.names.index(name) for name in moved.names])
    assert sum(map(len, expected.values())) > len(places)
    assert flips(moved, places=places) == expected  # another root, another sample of it, another order
    one_by_one = [flips(moved, places=[place]) for place in places]
    assert {name: rows for part in one_by_one for name, rows in part.items()} == expected
    assert len({frozenset(rows) for rows in expected.values()}) == len(places)


def test_images_that_calibrate_can_be_named(folder: Path) -> None:
    found = split_data(DataChoice(data=str(folder), calibration="fashion-mnist"), vit())
    assert len(found.evaluated) == 60
    assert found.calibrated_on == "512 images of fashion-mnist/calibration"
    found = split_data(DataChoice(calibration=str(folder)), vit())
    assert len(found.evaluated) == 10_000
    assert found.calibrated_on == "60 of the 60 images of val, drawn with seed 0"
    for same in (folder, folder / ".." / "val"):
        with pytest.raises(InputError, match="60 of its images are among those that are evaluated"):
            supplied(folder, calibration=str(same))


def test_what_cannot_be_meant_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="data 'imagenet' is not known; it is fashion-mnist, a folder"):
        supplied("imagenet")
    with pytest.raises(InputError, match="data_root"):
        supplied(folder, root=folder)
    with pytest.raises(InputError, match="data 3 has 6 images: a fifth of them is too few"):
        supplied(folder / "3")


def test_a_folder_that_does_not_fit_the_model_is_refused(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        save(Image.new("L", (28, 28)), tmp_path / label / "a.png")
    with pytest.raises(InputError, match=r"has 2 classes \(cat, dog\), the model 10"):
        supplied(tmp_path)


def test_bad_images_that_would_calibrate_are_told(folder: Path) -> None:
    _, calibration = supplied(folder)
    bad = folder / calibration.names[3]
    whole = bad.read_bytes()
    bad.write_bytes(whole[:200])
    try:
        with pytest.raises(InputError, match=f"1 of the 12 images of val cannot be read: {calibration.names[3]}"):
            supplied(folder)
        found = split_data(DataChoice(data=str(folder), bad="skip"), vit())
    finally:
        bad.write_bytes(whole)
    assert found.calibration.names == calibration.names[:3] + calibration.names[4:]
    assert found.calibrated_on.endswith(f"seed 0, without 1 that cannot be read: {calibration.names[3]}")
    assert found.evaluated.skipped == ()


def test_no_picture_calibrates_and_is_evaluated_under_another_name(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "twice"
    for path in folder.rglob("*.jpg"):
        for name in (f"a_{path.name}", f"b_{path.name}") if path.parent.name < "3" else (path.name,):
            (root / path.parent.name).mkdir(parents=True, exist_ok=True)
            (root / path.parent.name / name).write_bytes(path.read_bytes())
    for label in "0123456789":
        (root / label).mkdir(exist_ok=True)
    found = split_data(DataChoice(data=str(root)), vit())
    content = [{image.numpy().tobytes() for image in data.images} for data in (found.evaluated, found.calibration)]
    assert not content[0] & content[1]
    left_out = calibration_share(60 + 18, name="d") - len(found.calibration)
    assert left_out > 0
    assert f", without {left_out} that are evaluated, too, under another name: " in found.calibrated_on
    (repeated,) = [remark for remark in found.evaluated.remarks if "more than once" in remark]
    assert repeated.endswith(", ...")
    copy = shutil.copytree(folder, tmp_path / "copy")
    with pytest.raises(InputError, match=r"60 of 60 pictures would calibrate and be evaluated .*, under other names"):
        supplied(folder, calibration=str(copy))


def test_embedded_images_are_resized_if_so_asked() -> None:
    loaded = load("test_vit", input_shape=(1, 32, 32), resize=(32, 32), mean=[0], std=[1])
    loaded = replace(loaded, classes=10)
    found = split_data(DataChoice(samples=40), loaded)
    assert found.evaluated.images.shape == (40, 1, 32, 32)
    assert found.calibration.images.shape == (512, 1, 32, 32)
    whole = fashion_mnist("test")
    first = Image.fromarray(whole.images[found.evaluated.ids[0], 0].numpy()).resize((32, 32), Image.Resampling.BICUBIC)
    assert torch.equal(found.evaluated.images[0, 0], torch.from_numpy(np.array(first)))
    with pytest.raises(InputError, match="split val: the embedded images have their own"):
        split_data(DataChoice(split="val"), loaded)


def test_how_classes_are_matched_with_named_outputs_is_told(folder: Path) -> None:
    for names, told in (
        (tuple("9876543210"), "val: classes are matched with the model's outputs by name"),
        (tuple("abcdefghij"), "val: 10 classes are matched with the model outputs by order: 0 is a, 1 is b, 2 is c"),
    ):
        data = split_data(DataChoice(data=str(folder), samples=20), replace(vit(), class_names=names)).evaluated
        assert data.remarks[1].startswith(told)
        label = {"9876543210": lambda own: 9 - own, "abcdefghij": lambda own: own}["".join(names)]
        assert data.labels.tolist() == [label(int(name.split("/")[0])) for name in data.names]


def command(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_commands_read_a_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models_under_test: dict[object, object] = {}  # one program for all commands: it takes seconds to build

    def once(loaded: LoadedModel, *, recipe: str, data: DataChoice, **options: object) -> object:
        key = (recipe, data)
        if key not in models_under_test:
            models_under_test[key] = build(loaded, recipe=recipe, data=data, **options)  # type: ignore[arg-type]
        return models_under_test[key]

    monkeypatch.setattr(building, "build", once)
    cut = folder / "3" / "cut.jpg"
    cut.write_bytes(next(folder.rglob("*.jpg")).read_bytes()[:300])
    table = tmp_path / "faults.csv"
    arguments = [*map(str, ("trace", "fashion-vit", "--ber", "1e-6", "--images", 40, "--out", table, "--data", folder))]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    assert "3/cut.jpg (OSError" in refused.stderr
    traced = CliRunner().invoke(app, [*arguments, "--skip-bad"])
    assert traced.exit_code == 0, traced.output
    assert "1 image(s) could not be read and are left out: 3/cut.jpg" in traced.stderr.replace("\n", " ")
    with table.open(newline="") as file:
        files = {row["image"]: row["file"] for row in csv.DictReader(file)}
    printed = command("replay", "fashion-vit", "--trace", table, "--data", folder, "--skip-bad", "--json")
    replayed = json.loads(printed)["models"][0]["images"]
    assert {str(image["image"]): image["file"] for image in replayed} == files
    embedded = fashion_mnist("test")
    for image in replayed:
        label, name = image["file"].split("/")
        assert image["label"] == int(label) == int(embedded.labels[int(name.removesuffix(".jpg"))])
    right = [image["clean"] == image["label"] for image in replayed]
    assert sum(right) / len(right) > 0.8  # 91 % on all of the embedded images
    options = ("--data", folder, "--skip-bad", "--images", 20, "--trials", 1, "--ber", "1e-8", "--json")
    (record,) = json.loads(command("sweep", "fashion-vit", *options))["models"]
    assert record["calibrated_on"] == "12 of the 61 images of val, set apart with seed 0"
    assert record["data"] == "val, 49 of 61 images, order 0"
    assert (record["skipped"], record["images"]) == (1, 20)
    assert record["clean"]["int8"] > 0.7
    cut.unlink()


def test_build_says_what_it_calibrated_on(folder: Path) -> None:
    model_under_test = build(vit(), recipe="int8", data=DataChoice(data=str(folder), samples=30), images=30)
    assert model_under_test.data.name == "val, 30 of 60 images, order 0"
    assert model_under_test.calibrated_on == "12 of the 60 images of val, set apart with seed 0"
    with pytest.raises(InputError, match="31 images are asked for"):
        build(vit(), recipe="int8", data=DataChoice(data=str(folder), samples=30), images=31)
