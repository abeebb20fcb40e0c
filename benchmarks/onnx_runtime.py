"""ONNX Runtime's int8 of a PyTorch module: static, QDQ, a scale for each output channel; on the CPU.

Needs `pip install --constraint constraints.txt radhard[bench]`, which nothing but `benchmarks.speed` does.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

INPUT = "images"


class _Calibration:
    """The images by which ranges are found, once."""

    def __init__(self, images: Tensor) -> None:
        self._rest = [{INPUT: one.numpy()} for one in images.split(len(images))]

    def get_next(self) -> dict[str, Any] | None:
        """The next ones; None at the end."""
        return self._rest.pop() if self._rest else None


def int8_session(module: nn.Module, images: Tensor, *, threads: int) -> Callable[[Tensor], Tensor]:
    """The module in int8 for batches like `images` [b, c, h, w], which it is calibrated on -> what runs it."""
    import onnxruntime
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        given, prepared, found = (Path(folder) / f"{name}.onnx" for name in ("float", "prepared", "int8"))
        names = {"input_names": [INPUT], "output_names": ["out"]}
        program = torch.onnx.export(module, (images,), dynamo=True, verbose=False, **names)
        program.save(str(given))
        quant_pre_process(str(given), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(found),
            _Calibration(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(found), options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {INPUT: x.numpy()})[0])
