import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file

from radhard.campaign.build import build
from radhard.errors import ModelError
from radhard.models import vision
from radhard.models.data.fashion import fashion_mnist
from radhard.models.load import load
from radhard.models.training.train import correct
from radhard.models.zoo import ZOO
from radhard.program import run

SMALL = "test_vit"  # timm's own model for tests: 0.4 million parameters


def run_python(text, *, path=()):
    folders = [*map(str, path), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    return subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)


# The zoo


@pytest.mark.parametrize("name", ZOO)
def test_a_zoo_model_is_as_good_as_its_card_says(name):
    entry = ZOO[name]
    card = entry.card.read_text()
    low, high = (float(rate) / 100 for rate in re.search(r"interval ([\d.]+)% to ([\d.]+)%", card).groups())
    assert low > 0.87
    model, data, first = load(name), fashion_mnist("test"), 2_000
    part = data.take(torch.arange(first), name="first")
    share = correct(model.module, part, mean=model.mean, std=model.std) / first
    spread = 3 * (0.1 / first) ** 0.5  # three standard deviations of a share near 0.9, at most, for 2,000 images
    assert low - spread <= share <= high + spread


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_a_zoo_model_gets_as_many_test_images_right_as_its_card_says(name):
    stated = int(re.search(r"\((\d+) of 10000,", ZOO[name].card.read_text())[1])
    model = load(name)
    right = correct(model.module, fashion_mnist("test"), mean=model.mean, std=model.std)
    assert abs(right - stated) <= 5  # near ties may fall otherwise on another processor


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_int8_costs_a_zoo_model_less_than_half_a_point(name):
    model_under_test = build(load(name), recipe="int8", images=10_000)
    right = {}
    for recipe, program in model_under_test.programs.items():
        right[recipe] = 0
        for indices in torch.split(torch.arange(10_000), 200):
            answers = run(program, model_under_test.images(indices)).logits.argmax(1)
            right[recipe] += int((answers == model_under_test.data.labels[indices]).sum())
    assert right["float"] >= (9_100 if "resnet" in name else 8_900)
    assert right["int8"] >= right["float"] - 50


@pytest.mark.parametrize("name", ZOO)
def test_a_zoo_model_is_small_in_eval_mode_and_takes_what_it_says(name):
    model = load(name)
    assert not model.module.training
    assert ZOO[name].weights.stat().st_size < 3_000_000
    assert {p.dtype for p in model.module.parameters()} == {torch.float32}
    with torch.inference_mode():
        assert model.module(torch.zeros(2, *model.input_shape)).shape == (2, model.classes)
    assert len(model.mean) == len(model.std) == model.input_shape[0]
    assert model.weights == str(ZOO[name].weights)


def test_the_zoo_has_timms_vision_transformer():
    assert type(load("fashion-vit").module).__module__ == "timm.models.vision_transformer"


# timm's models


def test_random_weights_depend_on_the_seed_alone_and_leave_the_global_generator():
    before = torch.get_rng_state()
    first = load(SMALL, seed=1).module.state_dict()
    torch.rand(5)
    untouched = torch.get_rng_state()
    again, other = load(SMALL, seed=1).module.state_dict(), load(SMALL, seed=2).module.state_dict()
    assert torch.equal(torch.get_rng_state(), untouched)
    assert not torch.equal(untouched, before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["blocks.0.attn.qkv.weight"], other["blocks.0.attn.qkv.weight"])


def test_a_timm_model_comes_with_what_a_program_needs():
    model = load(SMALL, seed=3)
    assert (model.input_shape, model.mean, model.std) == ((3, 160, 160), (0.5,) * 3, (0.5,) * 3)
    assert (model.name, model.classes, model.weights) == (SMALL, 1000, "random, seed 3")
    assert not model.module.training


@pytest.mark.parametrize(
    ("name", "suggested"), [("fashion-vitt", "fashion-vit"), ("vit_base_patch16_223", "vit_base_patch16_224")]
)
def test_an_unknown_model_is_named_with_near_ones_and_the_lists(name, suggested):
    with pytest.raises(ModelError) as caught:
        load(name)
    message = str(caught.value)
    assert f"'{name}'" in message
    assert re.search(rf"Did you mean .*\b{suggested}\b", message)
    assert "radhard.models.zoo.ZOO" in message
    assert "timm.list_models()" in message


def test_nothing_is_suggested_where_nothing_is_near():
    with pytest.raises(ModelError) as caught:
        load("0123456789")
    assert "Did you mean" not in str(caught.value)


def test_an_unknown_tag_of_timm_is_an_error_of_the_model():
    with pytest.raises(ModelError, match=rf"'{SMALL}\.nonsense'.*nonsense"):
        load(f"{SMALL}.nonsense")


# Checkpoints


@pytest.mark.parametrize("form", ["safetensors", "torch", "state_dict", "model"])
def test_a_checkpoint_replaces_the_weights(form, tmp_path):
    state = load(SMALL, seed=5).module.state_dict()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pt")
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save(state if form == "torch" else {form: state, "epoch": 3}, path)
    model = load(SMALL, path, seed=6)
    loaded = model.module.state_dict()
    assert model.weights == str(path)
    assert not model.module.training
    assert all(torch.equal(loaded[key], state[key]) for key in state)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module.model."])
def test_a_wrappers_prefix_is_left_out(prefix, tmp_path):
    state = load(SMALL, seed=5).module.state_dict()
    torch.save({"model": {prefix + key: value for key, value in state.items()}}, tmp_path / "w.pt")
    loaded = load(SMALL, tmp_path / "w.pt").module.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_a_prefix_that_not_all_keys_have_stays(tmp_path):
    state = load_file(ZOO["fashion-vit"].weights)
    state["module.norm.weight"] = state.pop("norm.weight")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"missing: norm\.weight; unexpected: module\.norm\.weight"):
        load("fashion-vit", tmp_path / "w.safetensors")


@pytest.mark.parametrize("key", ["model_ema", "state_dict_ema"])
def test_a_moving_average_is_taken_where_it_is_alone_and_said(key, tmp_path):
    state, other = load(SMALL, seed=5).module.state_dict(), load(SMALL, seed=6).module.state_dict()
    options = argparse.Namespace(lr=0.1)  # as many training programs keep beside the weights
    torch.save({key: state, "args": options}, tmp_path / "alone.pt")
    torch.save({"model": other, key: state, "args": options}, tmp_path / "both.pt")
    alone, both = load(SMALL, tmp_path / "alone.pt"), load(SMALL, tmp_path / "both.pt")
    assert alone.weights == f"{tmp_path / 'alone.pt'} ({key})"
    assert torch.equal(alone.module.norm.weight, state["norm.weight"])
    assert both.weights == f"{tmp_path / 'both.pt'} (beside {key}, which --checkpoint-key takes)"
    assert torch.equal(both.module.blocks[0].attn.qkv.weight, other["blocks.0.attn.qkv.weight"])
    chosen = load(SMALL, tmp_path / "both.pt", checkpoint_key=key)
    assert chosen.weights == f"{tmp_path / 'both.pt'} ({key})"
    assert torch.equal(chosen.module.norm.weight, state["norm.weight"])


def test_a_checkpoint_tells_its_number_of_classes(tmp_path):
    state = dict(load(SMALL, seed=5).module.state_dict())
    state["head.weight"], state["head.bias"] = torch.ones(17, 64), torch.zeros(17)
    save_file(state, tmp_path / "w.safetensors")
    model = load(SMALL, tmp_path / "w.safetensors")
    assert model.classes == 17
    assert torch.equal(model.module.head.weight, state["head.weight"])


def test_counters_of_batches_may_be_missing(tmp_path):
    state = load("test_resnet", seed=5).module.state_dict()
    save_file({k: v for k, v in state.items() if "num_batches" not in k}, tmp_path / "w.safetensors")
    assert any("num_batches" in key for key in state)
    loaded = load("test_resnet", tmp_path / "w.safetensors").module.state_dict()
    assert torch.equal(loaded["bn1.weight"], state["bn1.weight"])


def test_a_checkpoint_of_a_zoo_model_goes_before_its_own(tmp_path):
    state = load_file(ZOO["fashion-vit"].weights)
    state["head.bias"] = state["head.bias"] + 1
    save_file(state, tmp_path / "w.safetensors")
    loaded = load("fashion-vit", tmp_path / "w.safetensors").module.state_dict()
    assert torch.equal(loaded["head.bias"], state["head.bias"])


def test_a_checkpoint_that_does_not_fit_is_told_key_by_key(tmp_path):
    state = load_file(ZOO["fashion-vit"].weights)
    state["surplus"] = state.pop("norm.weight")
    state["head.bias"] = torch.zeros(12)
    path = tmp_path / "other.safetensors"
    save_file(state, path)
    with pytest.raises(ModelError) as caught:
        load("fashion-vit", path)
    message = str(caught.value)
    assert str(path) in message
    assert "missing: norm.weight;" in message
    assert "unexpected: surplus;" in message
    assert "misshapen: head.bias [12] where the model has [10]" in message


def test_many_wrong_keys_are_counted_not_listed(tmp_path):
    save_file({f"key{i:02}": torch.zeros(1) for i in range(30)}, tmp_path / "many.safetensors")
    with pytest.raises(ModelError, match=r"unexpected: key00, .*key07 and 22 more"):
        load("fashion-vit", tmp_path / "many.safetensors")


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


def test_a_checkpoint_with_code_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "it-ran"
    torch.save({"head.bias": Malicious(str(trace))}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match=r"evil\.pt was refused: it holds pickled code .*mkdir"):
        load("fashion-vit", tmp_path / "evil.pt")
    assert not trace.exists()


def test_a_whole_pickled_module_is_refused_with_the_way_out(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(ModelError, match=r"Linear.*torch\.save\(module\.state_dict\(\), file\)"):
        load("fashion-vit", tmp_path / "module.pt")


def write_cut_short(path):
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])


BAD_FILES = {
    "absent.pt": (lambda _path: None, "is not a file"),
    "empty.pt": (lambda path: path.write_bytes(b""), "is not a torch file"),
    "junk.pt": (lambda path: path.write_bytes(b"hello world" * 10), "is not a torch file"),
    "cut.pt": (write_cut_short, "is not a torch file, or is damaged"),
    "list.pt": (lambda path: torch.save([torch.zeros(1)], path), "holds a list"),
    "numbers.pt": (lambda path: torch.save({"epoch": 3}, path), "no tensors: epoch"),
    "empty.safetensors": (lambda path: path.write_bytes(b""), "is not a safetensors file, or is damaged"),
    "junk.safetensors": (
        lambda path: path.write_bytes(b"xx" * 50),
        "is not a safetensors file, or is damaged",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_checkpoint_is_named(name, tmp_path):
    write, fault = BAD_FILES[name]
    write(tmp_path / name)
    with pytest.raises(ModelError, match=rf"checkpoint .*{re.escape(name)} .*{fault}"):
        load("fashion-vit", tmp_path / name)


# timm and torchvision

BROKEN_TORCHVISION = """
import torch
from torchvision import half
torch.library.register_fake("torchvision::nms")(lambda dets, scores, iou_threshold: dets)
torch.library.register_fake("torchvision::qnms")(lambda dets, scores, iou_threshold: dets)
"""


def test_a_torchvision_without_its_operators_is_cured(tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(BROKEN_TORCHVISION)
    (package / "half.py").write_text("")
    broken = run_python("import torchvision", path=[tmp_path])
    assert "RuntimeError: operator torchvision::nms does not exist" in broken.stderr
    cured = run_python(
        "import sys; from radhard.models.vision import import_torchvision as cure\n"
        "module = cure(); assert module is cure() is sys.modules['torchvision']\n"
        "sys.stdout.write(module.__file__)",
        path=[tmp_path],
    )
    assert cured.stdout == str(package / "__init__.py"), cured.stderr


def test_timm_works_in_a_fresh_process_and_is_not_imported_before_it_is_needed():
    done = run_python(
        "import sys, radhard.models.load, radhard.models.training.train\n"
        "assert not {'timm', 'torchvision', 'transformers'} & set(sys.modules), 'imported too early'\n"
        "from radhard.models.vision import import_timm\n"
        "timm = import_timm()\n"
        "import torchvision.transforms.v2, torchvision.models\n"
        "sys.stdout.write(timm.create_model('test_vit').__class__.__name__)"
    )
    assert done.stdout == "VisionTransformer", done.stderr


def classifier(_number):
    from radhard.models.vision import import_torchvision

    import_torchvision()
    from torchvision.models import shufflenet_v2_x0_5

    return shufflenet_v2_x0_5.__name__


def test_a_spawned_worker_is_cured_too():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(classifier, 0).result(timeout=120) == "shufflenet_v2_x0_5"


def test_a_working_torchvision_is_left_untouched(monkeypatch):
    working, part = ModuleType("torchvision"), ModuleType("torchvision.part")
    monkeypatch.setitem(sys.modules, "torchvision", working)
    monkeypatch.setitem(sys.modules, "torchvision.part", part)
    monkeypatch.setattr(vision, "_declared", [])
    assert vision.import_torchvision() is working
    assert sys.modules["torchvision.part"] is part
    assert vision._declared == []


def test_another_error_of_torchvision_is_not_swallowed(tmp_path):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::roi_align does not exist')\n")
    done = run_python("from radhard.models.vision import import_torchvision as cure\ncure()", path=[tmp_path])
    assert "RuntimeError: operator torchvision::roi_align does not exist" in done.stderr


def test_whoever_imports_torchvision_after_radhard_gets_it_cured(tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(BROKEN_TORCHVISION)
    (package / "half.py").write_text("")
    done = run_python(
        "import sys, radhard\nassert 'torch' not in sys.modules\n"
        "import torchvision\nfrom torchvision import half\n"
        "assert sys.modules['torchvision'] is torchvision and torchvision.half is half\n"
        "sys.stdout.write(torchvision.__spec__.name)",
        path=[tmp_path],
    )
    assert done.stdout == "torchvision", done.stderr
