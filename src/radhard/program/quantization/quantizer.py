"""Recipes as torchao PT2E quantizers: per-channel weights, per-tensor activations.

Both operands of every matrix product have 8 bits, of QK^T and AV too. Of these recipes

* `int8` writes every product's result back in 8 bits, after the activation that it feeds alone, as integer accelerators
  do. Words that cannot be negative stand on an unsigned grid. So do, with a zero point, those of GELU and its kin that
  a linear layer reads, and the scores of a softmax (`radhard.program.quantization.zero_points`). All others and all
  weights stand on symmetric grids. The right factor of a product of activations is always one of these: products are
  words of 16 bits. Grids reach as far as the values that calibrate, for outliers of transformers carry meaning and cut
  answers tie; only signed words around a convolution are cut where that lessens the mean squared error. The bias of a
  layer takes back what rounding adds on average, of its weights and of all words before it
  (`radhard.program.quantization.shifts`);
* `int8-symmetric` writes every result back, before any activation, all on symmetric grids;
* `int8-float` reads as `int8-symmetric` does and leaves results as float32.
"""

from dataclasses import replace
from typing import Any, Literal

import torch
from torch.fx import GraphModule, Node

from radhard.program.quantization.fused import CONVOLUTIONS, WITH_WEIGHTS, activation_after
from radhard.program.quantization.pt2e import import_pt2e
from radhard.program.quantization.unsigned import never_negative
from radhard.program.quantization.zero_points import barely_negative, read_by_softmax

IntegerRecipe = Literal["int8", "int8-symmetric", "int8-float"]
_ATEN = torch.ops.aten
_OF_ACTIVATIONS = {_ATEN.matmul.default, _ATEN.bmm.default}


def quantizer(recipe: IntegerRecipe) -> Any:
    """The recipe as a `Quantizer` of torchao."""
    import_pt2e("quantizer")  # what follows finds it imported
    from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver, PerChannelMinMaxObserver
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer

    symmetric = QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_symmetric,
        is_dynamic=False,
        observer_or_fake_quant_ctr=HistogramObserver,
    )
    whole = replace(symmetric, observer_or_fake_quant_ctr=MinMaxObserver)
    unsigned = QuantizationSpec(
        dtype=torch.uint8,
        quant_min=0,
        quant_max=255,
        qscheme=torch.per_tensor_affine,
        is_dynamic=False,
        observer_or_fake_quant_ctr=MinMaxObserver,
    )
    weight = QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        is_dynamic=False,
        observer_or_fake_quant_ctr=PerChannelMinMaxObserver,
    )

    class Products(Quantizer):  # type: ignore[misc]
        """Annotates every matrix product, and the activation in its write-back; nothing else."""

        def annotate(self, model: GraphModule) -> GraphModule:
            """Both operands of 8 bits; the result too where the recipe writes it back so."""
            known = never_negative(model) if recipe == "int8" else frozenset()
            barely = barely_negative(model) if recipe == "int8" else frozenset()
            for node in model.graph.nodes:
                signed = whole if recipe == "int8" and node.target not in CONVOLUTIONS else symmetric
                left = known | barely if node.target is _ATEN.linear.default else known
                operands = {n: unsigned if n in left else signed for n in node.args[:1] if isinstance(n, Node)}
                if node.target in WITH_WEIGHTS:
                    operands[node.args[1]] = weight
                elif node.target not in _OF_ACTIVATIONS:
                    continue
                else:
                    operands |= {n: signed for n in node.args[1:2] if isinstance(n, Node)}
                written = activation_after(node) if recipe == "int8" and node.target in WITH_WEIGHTS else None
                scores = recipe == "int8" and read_by_softmax(node)
                result = None if recipe == "int8-float" or written is not None else unsigned if scores else signed
                _annotate(node, input_qspec_map=operands, output_qspec=result)
                if written is not None:
                    _annotate(written, output_qspec=unsigned if written in known else signed)
            return model

        def validate(self, model: GraphModule) -> None:
            """Nothing to refuse: what cannot be lowered is refused there."""

    def _annotate(node: Node, **specs: Any) -> None:
        node.meta["quantization_annotation"] = QuantizationAnnotation(**specs, _annotated=True)

    return Products()
