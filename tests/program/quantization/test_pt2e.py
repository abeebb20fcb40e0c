"""Programs that torchao's PT2E flow has quantised come in as they are, zero points and all."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from radhard.deploy import harden
from radhard.errors import CaptureError, InputError
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.models.load import load
from radhard.operators import Conv2d
from radhard.program import Apply, Program, capture, quantize, run
from radhard.protection import Protection, Ranges
from tests.support.hardened import all_products, products
from tests.support.models import Projection, images, seeded
from tests.support.watched import watched

BATCH = ({0: torch.export.Dim.DYNAMIC},)


class Net(nn.Module):
    """Convolutions with batch norm, ReLU, padding and a residual, a pool, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, stride=2)
        self.conv3 = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.conv2(x))
        x = self.pool(x + torch.relu(self.conv3(x)))
        return self.fc(x.flatten(1))


def batch(count: int, seed: int = 0) -> Tensor:
    return images(count, seed=seed) + 0.5


@pytest.fixture(scope="module")
def quantised() -> nn.Module:
    """As torchao's quantiser for x86 does it: uint8 activations with zero points, int8 weights per channel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao's own, of its import and of its flow
        return by_torchao(seeded(Net()))


def by_torchao(model: nn.Module) -> nn.Module:
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    with torch.no_grad():
        model.bn1.running_mean.copy_(torch.linspace(-0.5, 0.5, 8))
        model.bn1.running_var.copy_(torch.linspace(0.5, 2.0, 8))
    exported = torch.export.export(model, (batch(2),), dynamic_shapes=BATCH).module()
    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(exported, quantizer)
    prepared(batch(32))
    converted: nn.Module = convert_pt2e(prepared)
    return converted


def convolutions(program: Program) -> list[Apply]:
    return [step for step in program.steps if isinstance(step, Apply) and isinstance(step.operator, Conv2d)]


def test_it_computes_what_the_quantised_graph_computes(quantised: nn.Module) -> None:
    program = capture(quantised, batch(1), name="net")
    assert program.recipe == "pt2e"
    x = batch(64, seed=1)
    with torch.no_grad():
        wanted = quantised(x)
    got = run(program, x).logits
    # torchao's graph keeps its biases in float and ours in the accumulator; a word may round the other way
    assert (got - wanted).abs().max() < 0.01 * wanted.abs().max()
    assert (got.argmax(1) == wanted.argmax(1)).float().mean() > 0.95


def test_a_convolution_with_zero_points_by_hand(quantised: nn.Module) -> None:
    """sum_t (x_t - zero) w_t plus the bias, in int64; padding stands for zero."""
    program = capture(quantised, batch(1))
    step = convolutions(program)[0]
    _, (x, weight, bias), out = watched(program, batch(3))[step.site.name]
    assert isinstance(step.operator, Conv2d)
    zero = step.operator.pad
    assert zero not in (0, 128)
    assert x is not None
    assert weight is not None
    assert bias is not None
    assert x.dtype == torch.uint8  # as the quantiser has it
    words = np.pad(x.numpy().astype(np.int64) - zero, ((0, 0), (0, 0), (1, 1), (1, 1)))
    w = weight.numpy().astype(np.int64)
    corrected = bias.numpy() + zero * w.sum((1, 2, 3))  # the bias without the share of the zero point
    multiplier = step.operator.write_back.multiplier.numpy()
    for image, channel, row, column in [(0, 0, 0, 0), (1, 3, 4, 7), (2, 7, 7, 0), (0, 5, 3, 3)]:
        total = (words[image, :, row : row + 3, column : column + 3] * w[channel]).sum() + corrected[channel]
        assert out[image, channel, row, column] == np.float32(total) * multiplier[channel]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_matrix_with_a_scale_for_each_row_or_column(axis: int) -> None:
    """A scale for each row is within the reduction: such a product is no integer one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = with_a_scale_for_each(axis)
    program, x = capture(quantised, images(1)), images(16)
    with torch.no_grad():
        torch.testing.assert_close(run(program, x).logits, quantised(x), rtol=1e-5, atol=1e-5)


def with_a_scale_for_each(axis: int) -> nn.Module:
    """The quantised product of images with a matrix that has a scale for each row (`axis` 0) or column (1)."""
    from torchao.quantization.pt2e import MinMaxObserver, PerChannelMinMaxObserver
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer

    activation = QuantizationSpec(
        dtype=torch.int8,
        qscheme=torch.per_tensor_symmetric,
        is_dynamic=False,
        observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=2**-20),
    )
    weight = QuantizationSpec(
        dtype=torch.int8,
        qscheme=torch.per_channel_symmetric,
        ch_axis=axis,
        is_dynamic=False,
        observer_or_fake_quant_ctr=PerChannelMinMaxObserver.with_args(eps=2**-20),
    )

    class Products(Quantizer):
        def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
            for node in model.graph.nodes:
                if node.target is torch.ops.aten.matmul.default:
                    node.meta["quantization_annotation"] = QuantizationAnnotation(
                        input_qspec_map={node.args[0]: activation, node.args[1]: weight}, _annotated=True
                    )
            return model

        def validate(self, model: torch.fx.GraphModule) -> None:
            """Nothing to refuse."""

    exported = torch.export.export(seeded(Projection()), (images(2),), dynamic_shapes=BATCH).module()
    prepared = prepare_pt2e(exported, Products())
    prepared(images(32))
    converted: nn.Module = convert_pt2e(prepared)
    return converted


def test_saved_and_loaded_it_is_the_same_program(quantised: nn.Module, tmp_path: Path) -> None:
    exported = torch.export.export(quantised, (batch(2),), dynamic_shapes=BATCH)
    torch.export.save(exported, tmp_path / "net.pt2")
    loaded = load(str(tmp_path / "net.pt2"))
    again = capture(loaded.module, batch(1))
    x = batch(16, seed=2)
    assert again.recipe == "pt2e"
    assert torch.equal(run(again, x).logits, run(capture(quantised, batch(1)), x).logits)


def test_a_hardened_module_of_it(quantised: nn.Module) -> None:
    program, x = capture(quantised, batch(1)), batch(5)
    sites = products(program)
    module = harden(program, all_products(program))
    assert len(sites) > 2
    assert torch.equal(module(x), run(program, x).logits)
    assert not module.counters[:, 1:].any()
    schemes = dict.fromkeys((site.name for site in program.sites), Ranges(low=-1.0, high=1.0, outside="clamp"))
    protection = Protection.of(schemes)
    ranged = harden(program, protection)
    assert torch.equal(ranged(x), run(program, x, protection.on(Clean())).logits)


def test_faults_in_it(quantised: nn.Module) -> None:
    program, x = capture(quantised, batch(1)), batch(8)
    faults = Faults(ber=1e-4, seed=1)
    whole = run(program, x, Faulty(Clean(), faults)).logits
    assert not torch.equal(whole, run(program, x).logits)
    parts = [run(program, x[i : i + 1], Faulty(Clean(), faults), ids=torch.tensor([i])).logits for i in range(8)]
    assert torch.equal(whole, torch.cat(parts))


def test_it_cannot_be_quantised_again(quantised: nn.Module) -> None:
    with pytest.raises(InputError, match="quantised already"):
        quantize(capture(quantised, batch(1)), [batch(2)])


def test_a_fixed_batch_is_refused() -> None:
    exported = torch.export.export(seeded(Net()), (batch(2),))
    with pytest.raises(CaptureError, match=r"batches of 2 alone.*dynamic_shapes"):
        capture(exported, batch(2))


def test_another_shape_than_the_exported_is_refused() -> None:
    exported = torch.export.export(seeded(Net()), (batch(2),), dynamic_shapes=BATCH)
    with pytest.raises(CaptureError, match=r"\[1, 8, 8\], the example has \[1, 8, 9\]"):
        capture(exported, torch.zeros(2, 1, 8, 9))
