"""What is done to pixels before a model sees them: what is stated, what options say, nothing else; and it is told."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from radhard.campaign.store import Store
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.models.data.decode import decode
from radhard.models.data.folder import list_folder
from radhard.models.data.picture import Frame
from radhard.models.data.preprocessing import Preprocessing, restated
from radhard.models.load import load
from tests.support.pictures import noise, save

CORNER = """
import torch
from torch import nn

class Corner(nn.Module):  # right exactly where the pixel in the corner is seen as it is
    def forward(self, x):
        bright = x[:, :, 0, 0].mean(1, keepdim=True)
        return torch.cat([0.5 - bright, bright - 0.5], 1)

def make():
    return Corner()
"""
OPTIONS = ("--mean", "0", "--std", "1", "--recipe", "float", "--ber", "1e-15", "--trials", 1)


@pytest.fixture
def corners(tmp_path: Path) -> Path:
    """40 noise images of 32 x 32 in class folders 0 and 1, whose corner pixel tells the class."""
    rng = np.random.default_rng(0)
    for number in range(40):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        pixels[0, 0] = 255 * (number % 2)
        save(Image.fromarray(pixels), tmp_path / "data" / str(number % 2) / f"{number}.png")
    (tmp_path / "m.py").write_text(CORNER)
    return tmp_path


def swept(model: object, data: Path, *options: object) -> tuple[dict, str]:
    arguments = ["sweep", model, "--data", data, "--json", *OPTIONS, *options]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["models"][0], result.stderr


def refused(model: object, data: Path, *options: object) -> str:
    result = CliRunner().invoke(app, ["sweep", str(model), "--data", str(data), *map(str, (*OPTIONS, *options))])
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


@pytest.mark.parametrize("source", ["file", "pt2"])
def test_images_of_the_models_size_are_left_as_they_are(source: str, corners: Path) -> None:
    model, size = f"{corners / 'm.py'}:make", ("--input-shape", "3,32,32")
    if source == "pt2":
        module = load(model, input_shape=(3, 32, 32)).module
        dynamic = ({0: torch.export.Dim.DYNAMIC},)
        program = torch.export.export(module, (torch.zeros(2, 3, 32, 32),), dynamic_shapes=dynamic)
        torch.export.save(program, corners / "m.pt2")
        model, size = str(corners / "m.pt2"), ()
    record, told = swept(model, corners / "data", *size, "--store", corners / "run.db")
    assert record["clean"]["float"] == 1.0
    assert "pixels: RGB, 32 x 32, as they are; taken as RGB, values / 255, mean 0, std 1" in told
    assert record["pixels"]["resize"] is None
    assert record["images"] == 32
    assert "has fewer images than the 1,000 that are taken by default: all 32 are taken (--images)" in told
    with Store(corners / "run.db", mode="read") as store:
        made = {store.provenance(key).made_by for key, _ in store.rows()}
    assert {json.dumps(json.loads(text)["pixels"]) for text in made} == {json.dumps(record["pixels"], sort_keys=True)}


def test_a_resize_is_done_where_it_is_asked_for_and_is_told(corners: Path) -> None:
    record, told = swept(f"{corners / 'm.py'}:make", corners / "data", "--input-shape", "3,32,32", "--resize", 36)
    assert record["clean"]["float"] < 0.8  # the corner is cut off
    assert "shorter edge resized to 36 pixels, bicubic; the middle 32 x 32 cut out (as options say)" in told
    wanted = {"resize": [36, 36], "crop_mode": "center", "interpolation": "bicubic", "stated_by": "options"}
    assert {key: record["pixels"][key] for key in wanted} == wanted


def test_images_of_another_size_are_refused_until_it_is_said_how(corners: Path) -> None:
    model, data = f"{corners / 'm.py'}:make", corners / "data"
    told = refused(model, data, "--input-shape", "3,24,24")
    assert "data data: images are 32 x 32 (" in told
    assert "the model takes 24 x 24, and nothing states how to resize: say --resize 24x24" in told
    save(Image.fromarray(noise(40, 30)), data / "0" / "odd.png")
    assert "images are 40 x 30 (0/odd.png for one), the model takes 32 x 32" in refused(
        model, data, "--input-shape", "3,32,32"
    )
    record, told = swept(model, data, "--input-shape", "3,24,24", "--crop-pct", 0.75, "--interpolation", "bilinear")
    assert record["pixels"]["resize"] == [32, 32]
    assert record["pixels"]["sizes"]["largest"] in ([40, 30], [32, 32])
    assert "RGB" in told


def test_a_timm_model_for_another_size_has_no_stated_resize() -> None:
    loaded = load("test_vit", input_shape=(3, 32, 32))
    assert loaded.preprocessing == Preprocessing(size=(32, 32))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"resize": 36, "crop_pct": 0.9}, "resize 36 with crop_pct 0.9: either one says the resize"),
        ({"resize": 30}, r"32 x 32 pixels cannot be cut out of 30 x 30; give at least 32 or 32x32"),
        ({"resize": 99_999}, r"resize 99999: at most 16,384 pixels an edge"),
        ({"crop_pct": 1e-6}, r"at most 16,384 pixels an edge"),
        ({"crop_pct": 1.5}, r"crop_pct 1\.5: it is the share"),
        ({"interpolation": "cubic", "resize": 40}, "'cubic' is not known; it is nearest, bilinear"),
        ({"interpolation": "bilinear"}, "nothing is resized; say to what"),
    ],
)
def test_what_cannot_be_done_to_pixels_is_refused(options: dict, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        restated(Preprocessing(size=(32, 32)), **options)


def test_options_replace_what_is_stated() -> None:
    stated = Preprocessing(size=(32, 32), resize=(36, 36), crop_mode="center", stated_by="a file")
    assert restated(stated) is stated
    assert restated(stated, resize="none") == Preprocessing(size=(32, 32), stated_by="options")
    squashed = restated(stated, resize=(32, 32), interpolation="bilinear")
    assert (squashed.resize, squashed.crop_mode, squashed.interpolation) == ((32, 32), "squash", "bilinear")
    assert restated(stated, interpolation="lanczos").resize == (36, 36)
    assert restated(stated, crop_pct=0.5).resize == (64, 64)


def test_the_options_are_read(corners: Path) -> None:
    for text in ("0", "x32", "32x", "a", "32x0", "-3"):
        told = refused(f"{corners / 'm.py'}:make", corners / "data", "--resize", text)
        assert f"--resize {text}: write pixels of the shorter edge" in told


def test_channels_of_deep_pictures_are_resized_like_those_of_8_bits(tmp_path: Path) -> None:
    pixels = noise(61, 91)
    how = Preprocessing(size=(24, 24), resize=(27, 27), crop_mode="center", interpolation="bilinear")
    frame = Frame(preprocessing=how, channels=3, mean=(0.5,) * 3)
    eight = frame.transform()(Image.fromarray(pixels)).to(torch.float64)
    sixteen = frame.transform()(pixels.astype(np.uint16) * 257)
    assert sixteen.dtype == torch.uint16
    assert (sixteen.to(torch.float64) / 257 - eight).abs().max() <= 1.0  # PIL rounds twice, to 8 bits
    floats = frame.transform()(pixels.astype(np.float32) / 255)
    assert (floats.to(torch.float64) * 65_535 - sixteen.to(torch.float64)).abs().max() <= 0.6
    save(Image.fromarray(pixels), tmp_path / "a" / "x.png")
    data = decode(list_folder(tmp_path), [0], name="x", frame=frame)
    assert torch.equal(data.images[0], eight.to(torch.uint8))
