"""Exported programs in .pt2 files: what is read, and what is refused before torch.export.load can run it."""

import io
import json
import os
import re
import zipfile

import pytest
import torch

from radhard.errors import InputError, ModelError
from radhard.models.load import load
from tests.support.archives import Small, Words, rewrite, save

GRAPH = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "small.pt2"
    save(Small(), path, images=torch.zeros(2, 3, 8, 8))
    return path


def test_a_program_is_read_with_its_shape_its_classes_and_its_weights(tmp_path):
    module, path = Small(), tmp_path / "small.pt2"
    save(module, path, images=torch.zeros(2, 3, 8, 8))
    model = load(str(path))
    images = torch.linspace(-1, 1, 5 * 3 * 8 * 8).view(5, 3, 8, 8)
    assert torch.allclose(model.module.module()(images), module(images))
    assert (model.input_shape, model.classes, model.weights) == ((3, 8, 8), 5, str(path))
    assert model.assumed == ("mean", "std")
    assert model.mean == (0.485, 0.456, 0.406)


def test_a_quantised_program_is_read(tmp_path):
    path = tmp_path / "words.pt2"
    save(Words(), path, images=torch.zeros(2, 1, 4, 4))
    model = load(str(path))
    images = torch.tensor([0.0, 0.3, -9.9, 100.0]).repeat(1, 1, 4, 1)
    assert model.module.module()(images)[0, :4].tolist() == [0.0, 0.5, -10.0, 62.0]  # round(x / 0.5) + 3, at most 127
    assert (model.mean, model.std) == ((0.0,), (1.0,))


def test_mean_and_std_can_be_said(archive):
    model = load(str(archive), mean=(0.5,), std=(0.1, 0.2, 0.3))
    assert (model.mean, model.std) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))
    assert model.assumed == ()


def test_a_program_takes_its_own_shape_and_weights_only(archive, tmp_path):
    assert load(str(archive), input_shape=(3, 8, 8)).classes == 5
    with pytest.raises(InputError, match=r"exported for images \[3, 8, 8\]"):
        load(str(archive), input_shape=(3, 16, 16))
    with pytest.raises(InputError, match="holds its own weights"):
        load(str(archive), tmp_path / "w.safetensors")


class Runs:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def pickled(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def in_graph(change):
    def changed(data):
        graph = json.loads(data)
        change(graph)
        return json.dumps(graph).encode()

    return changed


def with_size(text):
    def change(graph):
        sizes = graph["graph_module"]["graph"]["tensor_values"]["images"]["sizes"]
        sizes[0]["as_expr"]["expr_str"] = text

    return in_graph(change)


def with_size_of_a_value_named(name, text):
    def change(graph):
        values = graph["graph_module"]["graph"]["tensor_values"]
        values[name] = json.loads(json.dumps(values["images"]))
        values[name]["sizes"][0]["as_expr"]["expr_str"] = text

    return in_graph(change)


def with_call(target, text):
    def change(graph):
        call = {"name": "", "arg": {"as_string": text}, "kind": 1}
        graph["graph_module"]["graph"]["nodes"][0] |= {"target": target, "inputs": [call]}

    return in_graph(change)


def with_enum(module, name):
    context = json.dumps({"__enum__": True, "fqn": module, "name": name})
    tree = {"type": "builtins.tuple", "context": context, "children_spec": []}

    def change(graph):
        graph["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps([1, tree])

    return in_graph(change)


def with_pickled_weight(data):
    config = json.loads(data)
    config["config"]["conv.weight"]["use_pickle"] = True
    return json.dumps(config).encode()


def with_input_named(text):
    return lambda data: data.replace(b'"images"', json.dumps(text).encode())


HOSTILE = {
    "example": (lambda t: {"data/sample_inputs/model.pt": pickled((Runs(t),))}, "example input"),
    "weight": (
        lambda t: {WEIGHTS: with_pickled_weight, "data/weights/weight_0": pickled(Runs(t))},
        r"conv\.weight .* pickled object",
    ),
    "old weights": (lambda t: {"data/weights/model.pt": pickled({"w": Runs(t)})}, r"data/weights/model\.pt"),
    "object": (lambda t: {"data/constants/opaque_obj_0": pickled(Runs(t))}, "opaque_obj_0"),
    "library": (lambda _: {"data/aotinductor/model/m.so": b"\x7fELF"}, r"aotinductor/model/m\.so"),
    "size": (lambda t: {GRAPH: with_size(f"__import__('os').mkdir('{t}')")}, "which may be code"),
    "hidden size": (
        lambda t: {GRAPH: with_size_of_a_value_named("metadata", f"__import__('os').mkdir('{t}')")},
        "which may be code",
    ),
    "call": (lambda t: {GRAPH: with_call("torch.os.mkdir", str(t))}, r"torch\.os\.mkdir"),
    "file": (lambda t: {GRAPH: with_call("torch.ops.aten.from_file.default", str(t))}, "from_file"),
    "method": (lambda _: {GRAPH: with_call("torch.ops.load_library.__func__.__call__", "x.so")}, "load_library"),
    "enum": (lambda _: {GRAPH: with_enum("this:d", "x")}, "__enum__"),
    "name": (lambda t: {GRAPH: with_input_named(f"images=__import__('os').mkdir('{t}')")}, "is no name|may be code"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_could_run_code_is_refused_and_not_run(kind, archive, tmp_path):
    trace = tmp_path / "it-ran"
    changes, reason = HOSTILE[kind]
    rewrite(archive, changes(trace))
    with pytest.raises(ModelError, match=rf"small\.pt2 was refused: .*({reason})"):
        load(str(archive))
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["example", "size"])
def test_the_hostile_files_are_hostile(kind, archive, tmp_path):
    trace = tmp_path / "it-ran"
    rewrite(archive, HOSTILE[kind][0](trace))
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever torch makes of a mkdir's None
        torch.export.load(archive)
    assert trace.exists()


def test_guards_are_left_out(archive, tmp_path):
    trace = tmp_path / "it-ran"

    def change(graph):
        graph["guards_code"] = [f"__import__('os').mkdir('{trace}') is None"]

    rewrite(archive, {GRAPH: in_graph(change)})
    load(str(archive)).module.module()(torch.zeros(2, 3, 8, 8))
    assert not trace.exists()


def test_what_is_no_archive_is_named(tmp_path):
    path = tmp_path / "x.pt2"
    with pytest.raises(ModelError, match=r"x\.pt2' is not a file"):
        load(str(path))
    path.write_bytes(b"hello")
    with pytest.raises(ModelError, match=r"x\.pt2 is not an archive"):
        load(str(path))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("version", "8.1")
    with pytest.raises(ModelError, match=r"x\.pt2 is not an archive that torch\.export\.save"):
        load(str(path))


def test_a_damaged_graph_is_named(archive):
    rewrite(archive, {GRAPH: b"{"})
    with pytest.raises(ModelError, match=r"small\.pt2 is damaged: models/model\.json is no JSON"):
        load(str(archive))


@pytest.mark.parametrize("config", [b"{}", b'{"config": [1]}', b'{"config": {"conv.weight": {}}}'])
def test_a_damaged_list_of_weights_is_named(config, archive):
    rewrite(archive, {WEIGHTS: config})
    with pytest.raises(ModelError, match=r"small\.pt2 is damaged: data/weights/model_weights_config\.json lacks"):
        load(str(archive))


def of_conv(**changes):
    """A list of weights in which the entry of `conv.weight` says something else."""

    def change(data):
        config = json.loads(data)
        config["config"]["conv.weight"]["tensor_meta"] |= changes
        return json.dumps(config).encode()

    return {WEIGHTS: change}


def numbers(*values):
    return [{"as_int": value} for value in values]


HELD = "its graph takes conv.weight for torch.float32 [4, 3, 3, 3], and the file holds"
ALTERED = {
    "empty": ({"data/weights/weight_0": b""}, "weight_0 holds 0 bytes, and its tensor conv.weight of float32"),
    "short": ({"data/weights/weight_0": lambda data: data[:-4]}, "holds 428 bytes, .* takes 432"),
    "more": (of_conv(sizes=numbers(5, 3, 3, 3)), "holds 432 bytes, .* [5, 3, 3, 3] takes 540"),
    "fewer": (of_conv(sizes=numbers(2, 3, 3, 3)), f"{HELD} torch.float32 [2, 3, 3, 3]"),
    "none": (of_conv(sizes=numbers(0, 3, 3, 3)), f"{HELD} torch.float32 [0, 3, 3, 3]"),
    "another type": (of_conv(dtype=4), f"{HELD} torch.int32 [4, 3, 3, 3]"),
    "far apart": (of_conv(strides=numbers(270, 9, 3, 1)), "holds 432 bytes, .* takes 3,348"),
    "one upon another": (
        of_conv(strides=numbers(0, 9, 3, 1)),
        f"{HELD} it otherwise, from and by [0, 0, 9, 3, 1] in place of [0, 27, 9, 3, 1]",
    ),
    "from later on": (of_conv(storage_offset={"as_int": 1}), "holds 432 bytes, .* takes 436"),
}


@pytest.mark.parametrize("kind", ALTERED)
def test_tensors_that_the_file_does_not_hold_are_named(kind, archive):
    changes, told = ALTERED[kind]
    rewrite(archive, changes)
    pattern = re.escape(f"{told}").replace(re.escape(".*"), ".*")
    with pytest.raises(ModelError, match=rf"small\.pt2 is damaged: .*{pattern}"):
        load(str(archive))


def test_a_tensor_that_begins_elsewhere_is_named(tmp_path):
    module, path = Small(), tmp_path / "small.pt2"
    module.shift = torch.arange(20.0)[3:7]
    with pytest.warns(UserWarning, match="No complete tensor"):  # of torch: what it saves is a part of a storage
        save(module, path, images=torch.zeros(2, 3, 8, 8))
    assert load(str(path)).classes == 5

    def change(data):
        config = json.loads(data)
        config["config"]["shift"]["tensor_meta"]["storage_offset"]["as_int"] = 0
        return json.dumps(config).encode()

    rewrite(path, {WEIGHTS: change})
    with pytest.raises(ModelError, match=r"takes shift for .*otherwise, from and by \[0, 1\] in place of \[3, 1\]"):
        load(str(path))


class Pair(torch.nn.Module):
    def forward(self, images):
        return images.flatten(1), images.flatten(1)


class Map(torch.nn.Module):
    def forward(self, images):
        return images * 2


@pytest.mark.parametrize(("module", "fault"), [(Pair(), "returns 2 values"), (Map(), "returns no logits")])
def test_a_program_that_is_no_classifier_is_named(module, fault, tmp_path):
    save(module, tmp_path / "m.pt2", images=torch.zeros(2, 3, 8, 8))
    with pytest.raises(ModelError, match=fault):
        load(str(tmp_path / "m.pt2"))
