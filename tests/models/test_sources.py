"""Models by name: timm, torchvision, Hugging Face folders, Python files, and what they are told to differ in."""

import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

import radhard
from radhard.cli.commands import app
from radhard.errors import InputError, ModelError
from radhard.models.data.dataset import normalise
from radhard.models.data.picture import Frame
from radhard.models.data.preprocessing import Preprocessing
from radhard.models.deepvit import VARIANTS, DeepViT, DeepViTShape
from radhard.models.load import load
from radhard.models.loaded import Wanted
from radhard.models.sources import from_hugging_face, from_zoo
from radhard.models.vision import import_timm, import_torchvision, import_transformers
from radhard.studies.under_test import assumed
from tests.models.test_models import Malicious


def logits(model, *, seed=0):
    images = torch.randn(2, *model.input_shape, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        return model.module(images)


# What every source is told


def test_a_prefix_that_is_no_source_is_named_with_those_that_are():
    with pytest.raises(ModelError, match=r"'tim' is no source of models; they are timm, torchvision, hf, FILE\.py"):
        load("tim:resnet18")


def test_weights_without_an_architecture_are_told_apart():
    with pytest.raises(ModelError, match=r"is a file of weights: .* checkpoint resnet18\.pth"):
        load("resnet18.pth")


@pytest.mark.parametrize("shape", [(3, 32), (3, 0, 32)])
def test_an_input_shape_that_is_none_is_an_error(shape):
    with pytest.raises(InputError, match="give channels, height and width"):
        load("test_vit", input_shape=shape)


def test_mean_and_std_are_one_a_channel_or_one_for_all():
    model = load("fashion-vit", mean=[0.25], std=[0.5])
    assert (model.mean, model.std) == ((0.25,), (0.5,))
    assert load("test_vit", mean=[0.25]).mean == (0.25, 0.25, 0.25)
    with pytest.raises(InputError, match=r"mean: 2 numbers for 3 channel\(s\) of test_vit"):
        load("test_vit", mean=[0.1, 0.2])
    with pytest.raises(InputError, match="must be greater than 0"):
        load("test_vit", std=[0.1, 0.2, 0.0])


# The zoo, DeepViT and timm


def test_the_zoo_takes_its_own_images_only():
    with pytest.raises(InputError, match=r"fashion-vit of the zoo takes images \[1, 28, 28\] only"):
        load("fashion-vit", input_shape=(1, 32, 32))


def test_deepvit_is_loaded_by_its_official_name_and_from_its_checkpoint(tmp_path):
    name = "deepvit_patch16_224_re_attn_16b"
    model = load(name, input_shape=(3, 32, 32), seed=1)
    assert (model.classes, model.mean, model.std, model.weights) == (1000, (0.5,) * 3, (0.5,) * 3, "random, seed 1")
    assert model.preprocessing == Preprocessing(size=(32, 32))  # the official one is for 224 pixels
    assert from_zoo.from_deepvit(Wanted(name=name)).preprocessing.resize == (248, 248)
    state = {f"module.{key}": value for key, value in model.module.state_dict().items()}
    state["module.head.weight"], state["module.head.bias"] = torch.ones(7, 384), torch.zeros(7)
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    again = load(name, tmp_path / "w.pth", input_shape=(3, 32, 32))
    assert again.classes == 7
    assert torch.equal(again.module.blocks[3].attn.qkv.weight, model.module.blocks[3].attn.qkv.weight)


def test_deepvit_is_exported_for_any_batch():
    shape = DeepViTShape(image=8, patch=4, width=12, heads=2, classes=3, re_attention=(False, True), branch_scale=0.5)
    module = DeepViT(shape).eval()
    program = torch.export.export(
        module, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)
    ).module()
    images = torch.linspace(-1, 1, 5 * 3 * 64).view(5, 3, 8, 8)
    assert torch.allclose(program(images), module(images))


def test_deepvit_says_what_it_cannot():
    with pytest.raises(InputError, match="squares of whole patches of 16 pixels"):
        load("deepvit_s", input_shape=(3, 32, 40))
    with pytest.raises(ModelError, match="checkpoint"):
        load("deepvit_s", weights="pretrained")
    assert "deepvit_s" in VARIANTS


@pytest.mark.parametrize("name", ["test_vit", "timm:test_vit", "test_resnet", "timm:test_efficientnet"])
def test_timms_models_take_other_shapes(name):
    model = load(name, input_shape=(1, 64, 96))
    assert logits(model).shape == (2, 1000)
    assert (model.mean, model.std, model.assumed) == ((0.0,), (1.0,), ("mean", "std"))
    assert model.preprocessing.size == (64, 96)


def test_timms_preprocessing_is_its_own():
    config = import_timm().data.resolve_model_data_config(import_timm().create_model("test_vit"))
    got = load("test_vit").preprocessing
    assert got == Preprocessing(
        size=config["input_size"][1:],
        resize=(math.floor(config["input_size"][1] / config["crop_pct"]),) * 2,
        interpolation=config["interpolation"],
        crop_mode=config["crop_mode"],
        stated_by="timm's configuration of test_vit",
    )
    assert load("test_vit", input_shape=(3, 64, 64)).preprocessing == Preprocessing(size=(64, 64))


def test_an_architecture_that_cannot_take_a_shape_says_so():
    with pytest.raises(ModelError, match=r"swin.*"):
        load("swin_tiny_patch4_window7_224", input_shape=(3, 3, 3))


def test_pretrained_weights_that_cannot_be_had_name_the_way_out(monkeypatch):
    import timm.models._builder as builder

    def offline(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(builder, "load_pretrained", offline)
    with pytest.raises(ModelError, match=r"OSError: no network.*checkpoint FILE"):
        load("test_vit", weights="pretrained")


def official(state):
    """timm's keys of a ConvNeXt as the authors' code names them."""
    rules = (
        (r"^stem\.", "downsample_layers.0."),
        (r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1."),
        (r"^stages\.(\d)\.blocks\.(\d)\.", r"stages.\1.\2."),
        (r"\.conv_dw\.", ".dwconv."),
        (r"\.mlp\.fc(\d)\.", r".pwconv\1."),
        (r"^head\.norm\.", "norm."),
        (r"^head\.fc\.", "head."),
    )
    renamed = {}
    for key, value in state.items():
        for pattern, new in rules:
            key = re.sub(pattern, new, key)
        renamed[key] = value
    return renamed


@pytest.mark.parametrize("classes", [1000, 12])
def test_an_official_checkpoint_is_renamed_by_timms_rule_and_says_so(classes, tmp_path):
    module = import_timm().create_model("test_convnext", num_classes=classes)
    state = module.state_dict()
    torch.save({"model": official(state)}, tmp_path / "w.pth")
    assert not set(official(state)) & {key for key in state if "blocks" in key}
    model = load("test_convnext", tmp_path / "w.pth")
    loaded = model.module.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)
    assert (model.classes, model.weights) == (
        classes,
        f"{tmp_path / 'w.pth'}, its keys renamed by timm's checkpoint_filter_fn",
    )


# torchvision


def test_torchvisions_models_come_with_their_preprocessing():
    model = load("torchvision:shufflenet_v2_x0_5", seed=4, input_shape=(3, 64, 64))
    assert (model.classes, model.weights, model.assumed) == (1000, "random, seed 4", ())
    assert (model.mean, model.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert model.preprocessing == Preprocessing(size=(64, 64))  # that of the weights is for 224 pixels
    assert torch.equal(logits(model), logits(load("torchvision:shufflenet_v2_x0_5", seed=4, input_shape=(3, 64, 64))))


def test_torchvisions_resolution_is_that_of_its_default_weights():
    import_torchvision()
    from torchvision import models

    expected = models.EfficientNet_V2_S_Weights.DEFAULT.transforms()
    model = load("torchvision:efficientnet_v2_s")
    assert model.input_shape == (3, expected.crop_size[0], expected.crop_size[0]) == (3, 384, 384)
    assert model.preprocessing == Preprocessing(
        size=(384, 384),
        resize=(384, 384),
        crop_mode="center",
        interpolation="bilinear",
        stated_by="torchvision's weights of efficientnet_v2_s",
    )


def test_torchvisions_auxiliary_classifiers_stay_out():
    assert logits(load("torchvision:googlenet", input_shape=(3, 64, 64))).shape == (2, 1000)


def test_torchvisions_vision_transformer_is_built_for_the_shape():
    model = load("torchvision:vit_b_32", input_shape=(3, 32, 32))
    assert model.module.image_size == 32


def test_torchvisions_checkpoint_tells_its_number_of_classes(tmp_path):
    import_torchvision()
    from torchvision.models import shufflenet_v2_x0_5

    state = shufflenet_v2_x0_5(num_classes=6).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    model = load("torchvision:shufflenet_v2_x0_5", tmp_path / "w.safetensors", input_shape=(3, 32, 32))
    assert model.classes == 6
    assert torch.equal(model.module.fc.weight, state["fc.weight"])


def test_torchvisions_other_models_are_told_from_classifiers():
    with pytest.raises(ModelError, match=r"of torchvision\.models\.segmentation; write a file .*FILE\.py:FUNCTION"):
        load("torchvision:fcn_resnet50")
    with pytest.raises(ModelError, match=r"quantised in eager mode; give torchvision:resnet18, which"):
        load("torchvision:quantized_resnet18")


def test_torchvisions_unknown_and_unreachable_models_are_named(monkeypatch):
    with pytest.raises(ModelError, match=r"'resnet19' is no classifier of torchvision.*Did you mean resnet18"):
        load("torchvision:resnet19")
    with pytest.raises(ModelError, match="no classifier"):
        load("torchvision:fasterrcnn_resnet50_fpn")
    import torchvision.models._api as api

    def offline(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(api, "load_state_dict_from_url", offline)
    with pytest.raises(ModelError, match=r"OSError: no network.*checkpoint FILE"):
        load("torchvision:shufflenet_v2_x0_5", weights="pretrained")


# Hugging Face


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    transformers = import_transformers()
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=16,
        patch_size=8,
        num_labels=5,
    )
    folder = tmp_path_factory.mktemp("saved") / "vit"
    module = transformers.ViTForImageClassification(config).eval()
    module.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder, module


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "vit")


@pytest.mark.parametrize("prefix", ["", "hf:"])
def test_a_folder_of_hugging_face_gives_its_classifiers_logits(prefix, folder, saved):
    model = load(f"{prefix}{folder}")
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(model.module(images), saved[1](images).logits)
    assert (model.input_shape, model.classes, model.weights) == ((3, 16, 16), 5, str(folder))
    assert model.preprocessing == Preprocessing(
        size=(16, 16),
        resize=(16, 16),
        interpolation="bilinear",
        crop_mode="squash",
        stated_by="preprocessor_config.json",
    )
    assert not model.module.training
    assert model.class_names == ()  # LABEL_0 ... are no names
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": dict(zip("43210", "abcde", strict=True))}))
    assert load(f"{prefix}{folder}").class_names == tuple("edcba")


def test_a_hugging_face_model_is_exported_with_its_logits_alone(folder):
    model = load(str(folder))
    program = torch.export.export(model.module, (torch.zeros(2, 3, 16, 16),))
    assert len(program.graph_signature.user_outputs) == 1
    torch.export.save(program, folder / "m.pt2")
    assert load(str(folder / "m.pt2")).classes == 5


def test_an_exported_classifier_of_transformers_is_read_with_its_own_type_of_output(saved, tmp_path):
    torch.export.save(torch.export.export(saved[1], (torch.zeros(2, 3, 16, 16),)), tmp_path / "m.pt2")
    assert load(str(tmp_path / "m.pt2")).classes == 5


def test_without_its_processor_the_preprocessing_is_assumed(folder):
    (folder / "preprocessor_config.json").unlink()
    model = load(str(folder))
    assert model.assumed == ("input_shape", "mean", "std")
    assert model.preprocessing == Preprocessing(size=model.input_shape[1:])
    assert model.input_shape == (3, 16, 16)


def test_torch_files_of_weights_are_read_and_code_in_them_is_not(folder, saved, tmp_path):
    (folder / "model.safetensors").unlink()
    torch.save(saved[1].state_dict(), folder / "pytorch_model.bin")
    assert torch.equal(logits(load(str(folder))), logits(load(str(saved[0]))))
    torch.save({"classifier.bias": Malicious(str(tmp_path / "it-ran"))}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin was refused: it holds pickled code"):
        load(str(folder))
    assert not (tmp_path / "it-ran").exists()


def test_a_folder_without_weights_takes_a_checkpoints(folder, saved, tmp_path):
    (folder / "model.safetensors").rename(tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"holds no weights .*checkpoint FILE"):
        load(str(folder))
    model = load(str(folder), tmp_path / "w.safetensors")
    assert torch.equal(logits(model), logits(load(str(saved[0]))))


def test_a_backbone_without_its_head_is_no_classifier(folder, saved):
    state = {key: value.clone() for key, value in saved[1].state_dict().items() if "classifier" not in key}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"not all there.*classifier\.bias, classifier\.weight"):
        load(str(folder))


def test_a_folders_own_code_is_not_run(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "m.C", "AutoModelForImageClassification": "m.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "m.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'it-ran')!r})\nclass C: pass\nclass M: pass\n")
    with pytest.raises(ModelError, match="code that comes with a model is never run"):
        load(str(folder))
    assert not (tmp_path / "it-ran").exists()


def test_a_hub_that_cannot_be_reached_and_a_missing_library_name_the_way_out(monkeypatch, tmp_path):
    import huggingface_hub

    def offline(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ModelError, match=r"could not be read from the hub \(OSError: no network\)"):
        load("hf:nobody/nothing")
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        load(str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match=r"pip install 'radhard\[hf\]'"):
        from_hugging_face.import_transformers()


PROCESSORS = {
    "squash": ("ViTImageProcessor", {"size": {"height": 24, "width": 32}}),
    "crop": ("ViTImageProcessor", {"size": {"height": 32, "width": 32}, "do_normalize": False}),
    "edge": (
        "CLIPImageProcessor",
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, "do_convert_rgb": False},
    ),
    "squash and crop": (
        "DeiTImageProcessor",
        {"size": {"height": 40, "width": 40}, "crop_size": {"height": 32, "width": 32}},
    ),
    "share": ("ConvNextImageProcessor", {"size": {"shortest_edge": 32}, "crop_pct": 0.8}),
    "twice": (
        "EfficientNetImageProcessor",
        {"size": {"height": 32, "width": 32}, "rescale_factor": 1 / 127.5, "rescale_offset": True, "resample": 3},
    ),
}


@pytest.mark.parametrize("kind", PROCESSORS)
def test_timms_transform_does_what_the_folders_processor_does(kind, folder):
    cls, options = PROCESSORS[kind]
    processor = getattr(import_transformers(), cls)(**options)
    processor.save_pretrained(folder)
    rows, columns = np.mgrid[0:90, 0:120]
    pixels = np.stack((rows * 2, columns * 2, rows + columns), axis=2).astype(np.uint8)  # smooth: resizers agree on it
    expected = torch.as_tensor(np.asarray(processor(pixels, return_tensors="np")["pixel_values"]))[0]

    from radhard.models.data.processor import read_processor

    found = read_processor(folder, config=import_transformers().ViTConfig())
    how = found.preprocessing(found.input_shape)
    transform = Frame(preprocessing=how, channels=3, mean=found.mean).transform()
    got = normalise(transform(Image.fromarray(pixels))[None], mean=found.mean, std=found.std)[0]
    assert got.shape == expected.shape
    one_level = 1 / (255 * min(found.std))
    assert (got - expected).abs().max() <= 1.5 * one_level


def test_a_processor_that_cannot_be_read_is_named(folder):
    (folder / "preprocessor_config.json").write_text('{"size": {"longest_edge": 3}}')
    with pytest.raises(ModelError, match=r"preprocessor_config\.json cannot be read as an image processor"):
        load(str(folder))


# Python files

FILE = """
import torch
from parts import Head
from torch import nn

class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.head = Head()

    def forward(self, images):
        return self.head(self.drop(images.flatten(1)))

def make():
    return Mine()

def text():
    return "no module"

def broken():
    return 1 / 0
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "parts.py").write_text(
        "from torch import nn\nclass Head(nn.Linear):\n    def __init__(self):\n        super().__init__(75, 4)\n"
    )
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_a_python_file_makes_the_module(file):
    model = load(f"{file}:make", input_shape=(3, 5, 5), seed=3)
    assert (model.classes, model.module.training) == (4, False)
    assert model.assumed == ("mean", "std")
    assert model.weights == f"as {file}:make makes them, seed 3"
    assert torch.equal(logits(model), logits(load(f"{file}:make", input_shape=(3, 5, 5), seed=3)))
    assert not torch.equal(logits(model), logits(load(f"{file}:make", input_shape=(3, 5, 5), seed=4)))


def test_a_python_files_module_takes_a_checkpoint(file, tmp_path):
    save_file({"model.head.weight": torch.ones(4, 75), "model.head.bias": torch.zeros(4)}, tmp_path / "w.safetensors")
    model = load(f"{file}:make", tmp_path / "w.safetensors", input_shape=(3, 5, 5))
    assert model.module(torch.ones(1, 3, 5, 5)).tolist() == [[75.0] * 4]
    assert model.weights == str(tmp_path / "w.safetensors")


MISTAKES = {
    "mine.py": "say which function makes the module",
    "mine.py:": "say which function makes the module",
    "nowhere.py:make": r"nowhere\.py is not a file",
    "mine.py:mak": r"has no function 'mak'; it has .*Did you mean make",
    "mine.py:text": r"text\(\) of .*mine\.py returned a str, not a torch\.nn\.Module",
    "mine.py:broken": r"mine\.py raised ZeroDivisionError: .*\(line 22, in broken: `return 1 / 0`\)",
    "syntax.py:make": r"syntax\.py raised SyntaxError: .*\(line 2: `def make\(:`\)",
    "stubborn.py:make": r"stubborn\.py raised NotImplementedError: not here \(line 4, in train",
    "exits.py:make": r"exits\.py raised SystemExit: 3 \(line 2, in <module>: `sys\.exit\(3\)`\)",
    "mine.py:make": r"does not take images \[3, 224, 224\] .*input_shape",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_or_about_a_python_file_is_shown(name, file, tmp_path):
    (tmp_path / "syntax.py").write_text("import torch\ndef make(:\n    pass\n")
    (tmp_path / "stubborn.py").write_text(
        "import torch\nclass Stubborn(torch.nn.Linear):\n    def train(self, mode=True):\n"
        "        raise NotImplementedError('not here')\ndef make():\n    return Stubborn(3, 2)\n"
    )
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(ModelError, match=MISTAKES[name]):
        load(str(file.parent / name))


def test_pretrained_does_not_apply_to_a_python_file(file):
    with pytest.raises(ModelError, match="pretrained does not apply"):
        load(f"{file}:make", weights="pretrained")


class Auxiliary(nn.Module):
    def forward(self, images):
        return {"out": images.flatten(1), "aux": images.flatten(1)}


def test_a_module_that_returns_no_tensor_is_named(tmp_path):
    (tmp_path / "d.py").write_text("from tests.models.test_sources import Auxiliary as make\n")
    with pytest.raises(
        ModelError, match=r"returns a dict \(\['out'\] \[2, 4\], \['aux'\] \[2, 4\]\), and a classifier returns one"
    ):
        load(f"{tmp_path / 'd.py'}:make", input_shape=(1, 2, 2))


# The command line

CLASSIFIER = "from torch import nn\n\ndef make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4))\n"


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_inspect_takes_a_python_file_and_a_shape(tmp_path):
    (tmp_path / "own.py").write_text(CLASSIFIER)
    done = invoke("inspect", f"{tmp_path / 'own.py'}:make", "--input-shape", "3,2,2", "--json")
    (record,) = json.loads(done.stdout)["models"]
    assert record["weights"] == f"as {tmp_path / 'own.py'}:make makes them, seed 0"
    assert record["macs"] == 12 * 4
    assert "own.py:make does not state its mean, std: assumed" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("--input-shape", "3,224", r"--input-shape 3,224: write channels,height,width"),
        ("--input-shape", "3,0,8", r"--input-shape 3,0,8: write channels,height,width"),
        ("--mean", "a", r"--mean a: write one number, or one a channel"),
        ("--std", "0.1,0.2", r"std: 2 numbers for 1 channel\(s\) of fashion-vit"),
    ],
)
def test_a_model_option_that_cannot_be_read_is_named(option, value, fault):
    done = invoke("inspect", "fashion-vit", option, value)
    assert done.exit_code == 2
    assert re.search(fault, " ".join(done.stderr.split()))


def test_what_is_assumed_of_a_model_is_said():
    loaded = load("fashion-vit", mean=[0.5], std=[0.25])
    assert assumed(loaded) == []
    (line,) = assumed(replace(loaded, assumed=("mean", "std")))
    assert "fashion-vit does not state its mean, std" in line
    assert "mean [0.5], std [0.25]" in line


def test_the_package_exports_load():
    assert radhard.load is load
