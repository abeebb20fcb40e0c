"""What is built of a model that PT2E has quantised, and of one that it has not."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export
from torchao.quantization.pt2e import MinMaxObserver
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer

from radhard.campaign.build import build, build_program
from radhard.errors import InputError
from radhard.models.load import LoadedModel, load

IMAGES = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def classifier() -> nn.Module:
    weight = torch.randn(10, 49, generator=torch.Generator().manual_seed(1)) / 7
    linear = nn.Linear(49, 10)
    linear.weight.data, linear.bias.data = weight, torch.zeros(10)
    return nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), linear).eval()


class OfLinears(Quantizer):
    """Both operands of every linear in int8."""

    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        int8 = QuantizationSpec(
            dtype=torch.int8,
            quant_min=-127,
            quant_max=127,
            qscheme=torch.per_tensor_symmetric,
            observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=2**-12),
        )
        for node in model.graph.nodes:
            if node.target is torch.ops.aten.linear.default:
                reads = {node.args[0]: int8, node.args[1]: int8}
                node.meta["quantization_annotation"] = QuantizationAnnotation(input_qspec_map=reads, _annotated=True)
        return model

    def validate(self, model: torch.fx.GraphModule) -> None:
        pass


@cache
def quantised() -> ExportedProgram:
    shapes = ({0: Dim("batch", min=2)},)
    graph = prepare_pt2e(export(classifier(), (IMAGES,), dynamic_shapes=shapes).module(), OfLinears())
    graph(IMAGES)
    return export(convert_pt2e(graph), (IMAGES,), dynamic_shapes=shapes)


def loaded(module: nn.Module | ExportedProgram) -> LoadedModel:
    return replace(load("fashion-vit"), name="mine", module=module)


def test_a_quantised_model_is_its_only_program() -> None:
    model_under_test = build(loaded(quantised()), recipe="pt2e")
    assert list(model_under_test.programs) == ["pt2e"]
    assert build_program(loaded(quantised()), recipe="pt2e").digest == model_under_test.programs["pt2e"].digest


@pytest.mark.parametrize("recipe", ["int8", "int8-float", "float"])
def test_a_quantised_model_is_not_quantised_again(recipe: str) -> None:
    with pytest.raises(InputError, match=f"mine is quantised already: recipe '{recipe}' .* recipe pt2e"):
        build_program(loaded(quantised()), recipe=recipe)


def test_pt2e_is_no_recipe_for_a_float_model() -> None:
    with pytest.raises(InputError, match=r"mine is not quantised by PT2E: recipe 'pt2e' .* recipe int8"):
        build(loaded(classifier()), recipe="pt2e")


def test_a_float_model_has_both_programs() -> None:
    assert set(build(loaded(classifier()), recipe="int8-float").programs) == {"float", "int8-float"}
    assert set(build(loaded(classifier()), recipe="float").programs) == {"float", "int8"}
