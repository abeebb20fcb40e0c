"""The model under test: whichever way a model and its images come, the same programs and the same images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from radhard.campaign.model_under_test import ModelUnderTest
from radhard.errors import CaptureError, InputError
from radhard.models.load import load
from radhard.program import capture, write_calibration
from radhard.studies.options import DataOptions, ModelOptions
from radhard.studies.progress import Preparing
from radhard.studies.under_test import images_taken, recipe_of, under_test
from tests.support.verbs import Told, floats, folder, network, pictures

PIXELS, LABELS = pictures()
FLOATS = floats(PIXELS)
STATED = ModelOptions(mean=(0.5,), std=(0.25,), input_shape=(3, 8, 8))


def of_pixels(data: Any, **options: Any) -> ModelUnderTest:
    return under_test(network(), data, model_options=STATED, **options)


def programs(model_under_test: ModelUnderTest) -> dict[str, str]:
    return {recipe: program.digest for recipe, program in model_under_test.programs.items()}


def test_a_data_set_and_a_loader_are_as_tensors() -> None:
    tensors = under_test(network(), (FLOATS, LABELS))
    for data in (TensorDataset(FLOATS, LABELS), DataLoader(TensorDataset(FLOATS, LABELS), batch_size=7, shuffle=True)):
        other = under_test(network(), data)
        assert programs(other) == programs(tensors)
        assert other.data.digest == tensors.data.digest
    assert set(tensors.programs) == {"float", "int8"}


def test_pixels_are_normalised_as_the_options_say() -> None:
    model_under_test, of_floats = of_pixels((PIXELS, LABELS)), under_test(network(), (FLOATS, LABELS))
    order = [model_under_test.data.labels, of_floats.data.labels]
    assert len(order[0]) == len(order[1]) == 48  # a fifth of 60 calibrates
    everything = torch.arange(48)
    ours = {image.numpy().tobytes() for image in model_under_test.images(everything)}
    whole = {image.numpy().tobytes() for image in FLOATS}
    assert ours <= whole
    assert {image.numpy().tobytes() for image in of_floats.images(everything)} <= whole


def test_nothing_that_calibrates_is_evaluated() -> None:
    model_under_test = of_pixels((PIXELS, LABELS))
    assert model_under_test.calibration is not None
    assert len(model_under_test.calibration) == 12
    both = set(model_under_test.calibration.ids.tolist()) | set(model_under_test.data.ids.tolist())
    assert len(both) == 60
    chosen = of_pixels((PIXELS, LABELS), part="select")
    assert chosen.data.ids.tolist() == model_under_test.data.ids.flip(0).tolist()


def test_other_images_in_memory_calibrate(tmp_path: Path) -> None:
    options = DataOptions(calibration=TensorDataset(FLOATS[:20], LABELS[:20]))
    model_under_test = under_test(network(), (FLOATS[20:], LABELS[20:]), data_options=options)
    assert len(model_under_test.data) == 40
    assert model_under_test.calibration is not None
    assert {image.numpy().tobytes() for image in model_under_test.calibration.images} == {
        image.numpy().tobytes() for image in FLOATS[:20]
    }
    assert model_under_test.calibrated_on == "20 of the 20 images of TensorDataset for calibration, drawn with seed 0"
    overlap = DataOptions(calibration=FLOATS[:30])
    model_under_test = under_test(network(), (FLOATS[20:], LABELS[20:]), data_options=overlap)
    assert model_under_test.calibration is not None
    assert len(model_under_test.calibration) == 20  # ten are evaluated, too
    with pytest.raises(InputError, match="not alike"):
        under_test(network(), (FLOATS, LABELS), data_options=DataOptions(calibration=PIXELS))
    with pytest.raises(InputError, match="name files that calibrate"):
        of_pixels(folder(tmp_path, PIXELS, LABELS), data_options=DataOptions(calibration=PIXELS))


def test_scales_of_a_file_say_which_images_they_are_from(tmp_path: Path) -> None:
    whole, file = of_pixels((PIXELS, LABELS)), tmp_path / "scales.json"
    calibration = whole.programs["int8"].calibration
    assert calibration is not None
    write_calibration(calibration, file)
    given = replace(STATED, scales=(file,))
    assert whole.calibrated_on.startswith("12 of the 60 images")
    assert under_test(network(), (PIXELS, LABELS), model_options=given).calibrated_on == whole.calibrated_on
    others = under_test(network(), (PIXELS[:40], LABELS[:40]), model_options=given)
    told = f"12 other images (SHA-256 {calibration.images[:12]} ...), by the scales of {file}"
    assert others.calibrated_on == told


def test_a_folder_is_taken_as_by_the_command(tmp_path: Path) -> None:
    told = Told()
    model_under_test = of_pixels(folder(tmp_path, PIXELS, LABELS), progress=told)
    assert len(model_under_test.data) == 48
    assert any("class folders" in note for note in told.notes)
    assert told.events[-1] != told.events[0] == Preparing(model="Sequential")
    assert Preparing(model="Sequential", done=48, total=48) in told.events


def test_a_program_is_taken_as_it_is() -> None:
    model_under_test = under_test(network(), (FLOATS, LABELS))
    again = under_test(model_under_test.programs["int8"], (FLOATS, LABELS))
    assert programs(again) == {"int8": model_under_test.programs["int8"].digest}
    original = capture(network(), FLOATS[:1])
    assert programs(under_test(original, (FLOATS, LABELS))) == programs(model_under_test)
    with pytest.raises(InputError, match="is of the recipe int8, which 'int8-symmetric' is not"):
        under_test(
            model_under_test.programs["int8"], (FLOATS, LABELS), model_options=ModelOptions(recipe="int8-symmetric")
        )


def test_the_recipe_that_is_left_out_is_the_models_own() -> None:
    symmetric = under_test(network(), (FLOATS, LABELS), model_options=ModelOptions(recipe="int8-symmetric"))
    told = Told()
    again = under_test(symmetric.programs["int8-symmetric"], (FLOATS, LABELS), progress=told)
    assert programs(again) == {"int8-symmetric": symmetric.programs["int8-symmetric"].digest}
    assert recipe_of(again, ModelOptions()) == "int8-symmetric"
    assert "Sequential: recipe int8-symmetric, the model's own" in told.notes
    plain = under_test(network(), (FLOATS, LABELS), progress=(usual := Told()))
    assert recipe_of(plain, ModelOptions()) == "int8"
    assert recipe_of(plain, ModelOptions(recipe="float")) == "float"
    assert not [line for line in usual.notes if "recipe" in line]


def test_an_exported_program_and_a_loaded_model() -> None:
    exported = torch.export.export(network(), (FLOATS[:2],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    assert set(under_test(exported, (FLOATS, LABELS)).programs) == {"float", "int8"}
    loaded = load("fashion-resnet20")
    assert under_test(loaded).model == "fashion-resnet20"


def test_a_module_stays_as_it_was() -> None:
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    under_test(model, (FLOATS, LABELS))
    assert not model.training
    assert not model._forward_hooks
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_what_was_assumed_is_told() -> None:
    told = Told()
    under_test(network(), (PIXELS, LABELS), progress=told)
    assert any("does not state its mean, std" in note for note in told.notes)
    told = Told()
    model_under_test = under_test(network(), (FLOATS, LABELS), progress=told)
    assert not any("does not state" in note for note in told.notes)
    assert model_under_test.mean == (0.0, 0.0, 0.0)
    assert images_taken(model_under_test, None, default=1000, progress=told) == 48
    assert "all 48 are taken" in told.notes[-1]


class Pair(nn.Module):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images.mean((2, 3)), images


REFUSED: dict[str, tuple[Any, Any, dict[str, Any], type[Exception], str]] = {
    "training mode": (network().train(), (FLOATS, LABELS), {}, InputError, r"model.eval\(\)"),
    "no shape": (network(), "somewhere", {}, InputError, "input_shape="),
    "another shape": (
        network(), (FLOATS, LABELS), {"model_options": ModelOptions(input_shape=(3, 9, 9))}, CaptureError, "3, 9, 9",
    ),
    "two outputs": (Pair().eval(), (FLOATS, LABELS), {}, CaptureError, "returns"),
    "a checkpoint": (
        network(), (FLOATS, LABELS), {"model_options": ModelOptions(pretrained=True)}, InputError, "pretrained True",
    ),
    "labels beyond the classes": (network(), (FLOATS, LABELS + 3), {}, InputError, "5 classes|classes"),
    "too few": (network(), (FLOATS[:6], LABELS[:6]), {}, InputError, "too few to calibrate"),
    "more than there are": (network(), (FLOATS, LABELS), {"images": 49}, InputError, "49 images are asked for"),
    "split": (network(), (FLOATS, LABELS), {"data_options": DataOptions(split="test")}, InputError, "in memory"),
    "pixels calibrate floats": (
        network(), (FLOATS, LABELS), {"data_options": DataOptions(calibration="folder")}, InputError, "as tensors",
    ),
    "no model": (3, (FLOATS, LABELS), {}, InputError, "model is a int"),
    "zoo": ("fashion-vit", (FLOATS, LABELS), {}, InputError, "takes images of shape"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    model, data, options, error, told = REFUSED[case]
    with pytest.raises(error, match=told) as found:
        under_test(model, data, **options)
    assert "\n" not in str(found.value)
