"""Quantisation: int8 words where they belong, recomputed by hand from the program's own constants and scales."""

import numpy as np
import pytest
import torch

from radhard.errors import InputError
from radhard.faults import Faulty
from radhard.machine import SYMMETRIC, Clean, Gemm, Grid, MatrixProduct, Site, read_cost
from radhard.operators import Affine, Load, Quantized, Softmax
from radhard.program import RECIPES, Apply, Program, capture, quantize, run
from tests.support.flips import flips_of
from tests.support.models import MultiheadViT, Projection, TinyViT, images, seeded, tiny_program
from tests.support.watched import watched

EACH = pytest.mark.parametrize("recipe", RECIPES)


def products(program: Program) -> list[Apply]:
    steps = [step for step in program.steps if isinstance(step, Apply)]
    return [step for step in steps if isinstance(step.operator, MatrixProduct)]


@EACH
@pytest.mark.parametrize("kind", [TinyViT, MultiheadViT])
def test_every_product_has_int8_operands(recipe: str, kind: type) -> None:
    program = tiny_program(recipe, kind)
    seen = watched(program, images(3))
    assert len(products(program)) == len(products(tiny_program("float", kind)))
    for step in products(program):
        _, inputs, out = seen[step.site.name]
        of_softmax = recipe == "int8" and step.site.name.endswith("matmul#2")
        of_gelu = recipe == "int8" and step.site.name.endswith("fc2")
        scores = recipe == "int8" and step.site.name.endswith("matmul")
        assert inputs[0].dtype == (torch.uint8 if of_softmax or of_gelu else torch.int8)
        assert inputs[1].dtype == torch.int8
        assert out.dtype == (torch.float32 if recipe == "int8-float" else torch.uint8 if scores else torch.int8)
        if len(inputs) == 3:
            assert inputs[2] is None or inputs[2].dtype == torch.int32


@EACH
def test_weights_are_symmetric_per_channel(recipe: str) -> None:
    """Every row reaches 127, and its scale is its own largest weight over 127."""
    program, model = tiny_program(recipe), seeded(TinyViT())
    names = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)}
    seen = watched(program, images(3))
    assert names <= seen.keys()
    for name in names:
        weight = model.get_submodule(name).weight.detach().flatten(1).double()
        words = seen[name][1][1].flatten(1)
        scale = weight.abs().amax(1, keepdim=True) / 127
        assert words.abs().amax(1).tolist() == [127] * len(words)
        assert (words - (weight / scale)).abs().max() <= 0.5001


def affine_into(program: Program, name: str) -> Affine:
    """What the words that a product at `name` reads stand for: as the operator says that wrote them."""
    steps = [step for step in program.steps if isinstance(step, Apply)]
    (place,) = [place for place, step in enumerate(steps) if step.site.name == name]
    load = next(step for step in steps[place - 1 :: -1] if isinstance(step.operator, Load))
    source = next(step for step in steps if step.out == load.inputs[0].number)
    assert isinstance(source.operator, Quantized)
    return source.operator.writes


def saturated(value: np.ndarray, grid: Grid = SYMMETRIC) -> np.ndarray:
    words = np.clip(np.rint(value) + grid.zero, grid.low, grid.high)
    return words.astype(np.uint8 if grid.dtype == torch.uint8 else np.int8)


@EACH
@pytest.mark.parametrize("name", ["blocks.0.mlp.fc1", "blocks.1.mlp.fc2"])
def test_a_linear_layer_by_hand(recipe: str, name: str) -> None:
    """From float weights and the scales of the program to the words that leave, in int64."""
    program, model = tiny_program(recipe), seeded(TinyViT())
    operator, (x, _, _), out = watched(program, images(3))[name]
    layer = model.get_submodule(name)
    weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    assert program.calibration is not None
    bias = bias - np.array(program.calibration.shifts.get(name, 0.0))  # what recipe int8 takes back
    scale = np.float32(np.abs(layer.weight.detach().numpy()).max(1) / np.float32(127)).astype(np.float64)
    words = np.rint(weight / scale[:, None]).astype(np.int64)
    reads = affine_into(program, name)
    assert (reads.grid.zero > 0) == (recipe == "int8" and name.endswith("fc2"))
    of_input = reads.scale
    total = (x.numpy().astype(np.int64) - reads.grid.zero) @ words.T
    total += np.rint(bias / (scale * of_input)).astype(np.int64)
    if recipe == "int8-float":
        np.testing.assert_allclose(out.numpy(), total * scale * of_input, rtol=1e-5, atol=1e-6)
        return
    steps = [step for step in program.steps if isinstance(step, Apply)]
    number = next(step.out for step in steps if step.site.name == name)
    reader = next(s for s in steps if any(ref is not None and ref.number == number for ref in s.inputs))
    written = next(read for read in reader.operator.reads if read is not None).scale
    apart = np.abs(out.numpy().astype(int) - saturated(total * scale * of_input / written))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01
    np.testing.assert_allclose(operator.write_back.multiplier.numpy(), scale * of_input / written, rtol=1e-6)


@EACH
def test_an_attention_product_by_hand(recipe: str) -> None:
    operator, (a, b), out = watched(tiny_program(recipe), images(3))["blocks.0.attn.matmul"]
    total = np.matmul(a.numpy().astype(np.int64), b.numpy().astype(np.int64))
    multiplier = operator.write_back.multiplier.numpy()
    assert multiplier.shape == (1,)
    value = total.astype(np.float32) * multiplier
    assert out.shape == (3, 2, 17, 17)
    grid = operator.write_back.grid
    assert (grid.zero > 0) == (recipe == "int8")
    np.testing.assert_array_equal(out.numpy(), value if recipe == "int8-float" else saturated(value, grid))


@EACH
def test_a_product_with_a_constant_has_int8_operands(recipe: str) -> None:
    model, x = seeded(Projection()), images(16)
    program = quantize(capture(model, images(1)), [x], recipe=recipe)
    (step,) = products(program)
    assert isinstance(step.operator, Gemm)
    assert step.operator.write_back is not None
    assert program.constants[step.inputs[1].number].dtype == torch.int8
    with torch.no_grad():
        wanted = model(x)
    assert (run(program, x).logits - wanted).abs().mean() < 0.02 * wanted.abs().mean()


@EACH
@pytest.mark.parametrize("kind", [TinyViT, MultiheadViT])
def test_logits_stay_near_the_float_model_s(recipe: str, kind: type) -> None:
    x = images(64, seed=5)
    exact, got = run(tiny_program("float", kind), x).logits, run(tiny_program(recipe, kind), x)
    assert got.logits.dtype == torch.float32
    assert (got.logits - exact).abs().mean() < 0.08 * exact.abs().mean() + 0.02
    assert (got.logits.argmax(1) == exact.argmax(1)).float().mean() > 0.8
    assert got.non_finite.tolist() == [0] * 64


def test_bad_calibration() -> None:
    program = tiny_program("float")
    strange = images(4)
    strange[1, 0, 2, 3], strange[2, 0, 0, 0] = float("nan"), float("inf")
    with pytest.raises(InputError, match="calibration batch 1 holds 2 values that are NaN or infinite"):
        quantize(program, [images(2), strange])
    with pytest.raises(InputError, match="no calibration images"):
        quantize(program, [])
    with pytest.raises(InputError, match=r"batch 0 has shape \[2, 3, 8, 8\].*\[1, 8, 8\]"):
        quantize(program, [torch.zeros(2, 3, 8, 8)])
    with pytest.raises(InputError, match="recipe 'int4' is not known; choose from int8, int8-symmetric, int8-float"):
        quantize(program, [images(2)], recipe="int4")
    with pytest.raises(InputError, match=r"quantised already \(recipe int8\)"):
        quantize(tiny_program("int8"), [images(2)])


def test_the_float_program_is_left_as_it_was() -> None:
    program = capture(seeded(TinyViT()), images(2))
    before, digest = run(program, images(4)).logits, program.digest
    quantize(program, [images(8)])
    assert torch.equal(run(program, images(4)).logits, before)
    assert digest == capture(seeded(TinyViT()), images(2)).digest


# bit 30 makes a float word huge, infinite or NaN, which the same operator then quantises
@pytest.mark.parametrize(
    ("site", "kind"), [("blocks.0.norm1", "mul"), ("blocks.1.norm2", "mul"), ("blocks.0.attn.softmax", "mul")]
)
def test_what_flips_make_non_finite_is_counted_in_its_image(site: str, kind: str) -> None:
    program = tiny_program("int8")
    (cost,) = [cost for one, cost in program.costs.items() if one.name == site]
    operations = cost.operations(kind)
    rows = [(41, site, kind, index, 30) for index in range(operations)]
    machine = Faulty(Clean(), flips_of(rows))
    got = run(program, images(3), machine, ids=torch.tensor([40, 41, 42]))
    clean = run(program, images(3))
    assert got.non_finite[0] == got.non_finite[2] == 0
    assert got.non_finite[1] > 0
    assert clean.non_finite.tolist() == [0, 0, 0]
    assert torch.equal(got.logits[[0, 2]], clean.logits[[0, 2]])
    assert bool(got.logits.isfinite().all())


def test_a_nan_is_quantised_to_0_and_an_infinity_saturates() -> None:
    """By hand: the last product of a softmax is 1 x 1 over one word; exponent bits make it infinite, then NaN."""
    operator, site = (
        Quantized(inner=Softmax(), reads=(Affine(scale=1.0),), writes=Affine(scale=0.01)),
        Site(name="here", batch_axis=0),
    )
    x = torch.zeros(2, 1, dtype=torch.int8)
    exponent = [(0, "here", "mul", 0, 30)]  # 1.0 with bit 30 is an infinity
    for rows, word in (
        (exponent, 127),
        ([*exponent, (0, "here", "mul", 0, 3)], 0),
        ([*exponent, (0, "here", "mul", 0, 31)], -128),
    ):
        machine = Faulty(Clean(), flips_of(rows))
        machine.begin({site: read_cost(operator, (x[:1],), site)}, torch.arange(2))
        assert machine.apply(operator, (x,), site).tolist() == [[word], [100]]
        assert machine.non_finite.tolist() == [1, 0]


def test_the_digest_is_of_what_is_computed() -> None:
    model = seeded(TinyViT())
    calibration = [images(16, seed=2)]
    float_digest = tiny_program("float").digest
    assert capture(model, images(5, seed=9)).digest == float_digest
    assert quantize(capture(model, images(1)), calibration, recipe="int8").digest == tiny_program("int8").digest
    digests = {float_digest, *(tiny_program(recipe).digest for recipe in RECIPES)}
    digests.add(quantize(tiny_program("float"), [2 * images(16, seed=2)], recipe="int8").digest)  # other scales
    with torch.no_grad():
        model.blocks[1].mlp.fc1.weight[3, 2] += 1e-3
    digests.add(capture(model, images(2)).digest)
    assert len(digests) == 6


def test_batches_of_a_loader_calibrate_by_their_images() -> None:
    x = images(6)
    labelled = torch.utils.data.TensorDataset(x, torch.arange(6))
    program, expected = tiny_program("float"), quantize(tiny_program("float"), [x[:3], x[3:]]).digest
    loader = torch.utils.data.DataLoader(labelled, batch_size=3)  # gives lists
    assert quantize(program, loader).digest == expected
    assert quantize(program, [(x[:3], torch.zeros(3)), (x[3:], ["a", "b", "c"], {"more": 1})]).digest == expected


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        ({"image": 0, "label": 1}, r"is a dict of image, label: give tensors of images, .*\(batch\['image'\] for"),
        ("paths", "is a str: give tensors of images, or pairs of images and labels"),
        ((), "is a tuple: give tensors"),
        ((torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)), "is a tuple of Tensor, Tensor: give"),
        ((torch.zeros(1, 8, 8), 3), r"is one image \[1, 8, 8\]: give batches \[B, 1, 8, 8\]"),
        (torch.zeros(1, 8, 8), "is one image"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), r"is uint8: give images as the model takes them, float32 \[B, 1"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.float64), "is float64"),
    ],
)
def test_batches_that_are_none(batch: object, told: str) -> None:
    with pytest.raises(InputError, match=f"calibration batch 0 {told}") as caught:
        quantize(tiny_program("float"), [batch])
    assert "\n" not in str(caught.value)
